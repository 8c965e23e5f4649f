package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"concord/internal/sample"
)

// Options say what is run, and where.
type Options struct {
	Binary string // of concord, to start hubs with
	// Data is the folder below which a folder for everything is made, and removed again; empty: the system's temporary one.
	Data string
	// To and Token name a hub that runs already; empty: one is started. What is sent there stays there.
	To, Token string
	// S3 and Redis put the hub there instead of on the embedded default; both must be empty and are emptied again.
	S3, Redis string
	Quick     bool     // few requests, one round
	Only      []string // names of groups; empty: all
	Clients   int      // instead of each work's own number; 0: its own
	Resources int      // results of the large load; 0: 1,000,000, or 10,000 when quick; studies of the archive; 0: 100,000, or 5,000
	Rounds    int      // 0: 3, or 1 when quick
	Profile   string   // file for the hub's CPU profile
	Progress  io.Writer
}

// hubName is what the started hub is called.
const hubName = "hub"

// bench is one run.
type bench struct {
	Options
	start    int64 // seconds since 1970: what is sent is new to a hub that is asked twice
	folder   string
	running  []*process
	hub      *Site
	embedded *Site // beside a hub on S3 or Redis
	orthanc  *Site // nil where there is none
	bucket   *bucket

	slices   []sample.File      // study
	made     [][]byte           // bundles
	patients map[*Site][]string // people
}

// group makes works when their turn has come.
type group struct {
	name  string
	works func(*bench, context.Context) ([]Work, error)
	dicom bool // Orthanc can do it too
	apart bool // takes long: run when it is named only
}

func groups() []group {
	return []group{
		{"stow", (*bench).stowWorks, true, false},
		{"qido", (*bench).qidoWorks, true, false},
		{"metadata", (*bench).metadataWorks, true, false},
		{"frames", (*bench).frameWorks, true, false},
		{"dimse", (*bench).dimseWorks, true, false},
		{"mllp", (*bench).mllpWorks, false, false},
		{"create", (*bench).createWorks, false, false},
		{"transaction", (*bench).transactionWorks, false, false},
		{"read", (*bench).readWorks, false, false},
		{"search", (*bench).searchWorks, false, false},
		{"recognise", (*bench).recogniseWorks, false, true},
		{"large", (*bench).largeWorks, false, true},
		{"archive", (*bench).archiveWorks, false, true},
	}
}

// Names are the groups that Options.Only may name.
func Names() []string {
	var names []string
	for _, g := range groups() {
		names = append(names, g.name)
	}
	return names
}

// Run does the load and returns its table. Works that went wrong have an Error in their row; the error is about the run as a
// whole. Everything that was started is stopped and everything written is removed.
func Run(ctx context.Context, o Options) (rows []Row, err error) {
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("there is no load %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	b := &bench{Options: o, start: time.Now().Unix()}
	if b.folder, err = os.MkdirTemp(o.Data, "concord-bench-"); err != nil {
		return nil, fmt.Errorf("make a folder for the load: %w", err)
	}
	defer func() {
		for _, p := range b.running {
			p.stop()
		}
		err = errors.Join(err, os.RemoveAll(b.folder))
	}()
	wanted := func(g group) bool { return len(o.Only) == 0 && !g.apart || slices.Contains(o.Only, g.name) }
	dicom := slices.ContainsFunc(groups(), func(g group) bool { return g.dicom && wanted(g) })
	clean, err := b.open(ctx, dicom)
	defer func() { err = errors.Join(err, clean()) }()
	if err != nil {
		return nil, err
	}
	for _, g := range groups() {
		if !wanted(g) {
			continue
		}
		works, err := g.works(b, ctx)
		if err != nil {
			if ctx.Err() != nil {
				return rows, ctx.Err()
			}
			rows = append(rows, Row{Work: g.name, Error: err.Error()})
			continue
		}
		for _, w := range works {
			rows = append(rows, w.run(ctx, b.rounds(), b.say)...)
			if ctx.Err() != nil {
				return rows, ctx.Err()
			}
		}
	}
	return rows, nil
}

// open finds or starts the servers. clean empties what they were given and must be called in any case, before they stop.
func (b *bench) open(ctx context.Context, dicom bool) (clean func() error, err error) {
	var cleaners []func(context.Context) error
	clean = func() error {
		if len(cleaners) == 0 {
			return nil
		}
		for _, p := range b.running { // else the hub would write on
			p.stop()
		}
		b.running = nil
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
		defer cancel()
		var errs []error
		for _, c := range cleaners {
			errs = append(errs, c(ctx))
		}
		return errors.Join(errs...)
	}
	var store []string
	if b.S3 != "" {
		if b.bucket, err = openBucket(ctx, b.S3); err != nil {
			return clean, err
		}
		cleaners, store = append(cleaners, b.bucket.empty), append(store, "--s3", b.S3)
	}
	if b.Redis != "" {
		empty, err := openRedis(ctx, b.Redis)
		if err != nil {
			return clean, err
		}
		cleaners, store = append(cleaners, empty), append(store, "--redis", b.Redis)
	}
	if b.To != "" {
		b.hub, err = siteOf(b.To, b.Token)
	} else {
		b.hub, err = b.startHub(ctx, hubName, store...)
	}
	if err != nil {
		return clean, err
	}
	if len(store) > 0 {
		if b.embedded, err = b.startHub(ctx, "embedded"); err != nil {
			return clean, err
		}
	}
	if dicom {
		b.orthanc, err = b.startOrthanc(ctx)
		if errors.Is(err, errNoOrthanc) {
			b.say("nothing to compare with: %v", err)
			err = nil
		}
	}
	return clean, err
}

// siteOf reads a hub's base URL.
func siteOf(to, token string) (*Site, error) {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("the hub's address is not of the form http://HOST:PORT: the load does without TLS")
	}
	address := u.Host
	if u.Port() == "" {
		address += ":80"
	}
	return &Site{Name: hubName, Address: address, Root: strings.TrimSuffix(u.Path, "/"), Token: token}, nil
}

// sites are those that do DICOM work.
func (b *bench) sites() []*Site {
	if b.orthanc == nil {
		return []*Site{b.hub}
	}
	return []*Site{b.hub, b.orthanc}
}

// hubs are those that do FHIR work.
func (b *bench) hubs() []*Site {
	if b.embedded == nil {
		return []*Site{b.hub}
	}
	return []*Site{b.hub, b.embedded}
}

func (b *bench) onBoth(do func(*Site) error) error {
	for _, s := range b.sites() {
		if err := do(s); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

func (b *bench) clients(usual int) int {
	if b.Clients > 0 {
		return b.Clients
	}
	return usual
}

func (b *bench) rounds() int {
	switch {
	case b.Rounds > 0:
		return b.Rounds
	case b.Quick:
		return 1
	}
	return 3
}

// seed is where the made-up data of a group begins.
func (b *bench) seed(group uint64) uint64 { return uint64(b.start)<<24 + group<<20 }

// reading bounds a turn that can go on for ever; the first one, which warms up, is short.
func (b *bench) reading(round int) bounds {
	t := 3 * time.Second
	if b.Quick {
		t = 500 * time.Millisecond
	}
	if round == 0 {
		t /= 3
	}
	return bounds{count: 1_000_000, time: t}
}

// writing bounds a turn that has so many things to send.
func (b *bench) writing() bounds { return bounds{time: time.Minute} }

func (b *bench) say(format string, args ...any) {
	if b.Progress != nil {
		fmt.Fprintf(b.Progress, format+"\n", args...)
	}
}
