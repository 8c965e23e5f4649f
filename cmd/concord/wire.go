package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"concord/adapters/dicomweb"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/identity"
	"concord/hub/identity/persons"
	"concord/hub/imaging"
	"concord/hub/laboratory"
	"concord/hub/lookup"
	"concord/hub/messages"
	"concord/hub/projection"
	"concord/hub/quota"
	"concord/hub/recognition/advice"
	"concord/hub/recognition/register"
	"concord/hub/settings"
	"concord/internal/dicom"
	"concord/internal/fhir"
	"concord/internal/pixels"
	"concord/mappings"
	"concord/storage/index"
)

// projectionStamp changes whenever the rules that make entries do, so that an index of older rules is not read.
const projectionStamp = "dicom 3, pairs 1"

// rooms is a hub put together: this file is the only one that knows every room.
type rooms struct {
	cfg        Config
	objects    objectStore
	settings   settings.Settings
	index      *index.Index
	layout     index.Layout
	projectors *projection.Projectors
	embedded   *embedded // nil where the index is elsewhere
	client     io.Closer
	cache      *projection.Cache
	fhir       *fhir.Projection
	identity   *identity.Model
	followers  map[hub.Partition]*projection.Follower
	registry   *access.Registry
	registrar  *access.Registrar
	issuer     *access.Issuer
	members    *commit.Committer

	// Only in a hub that serves:
	trail   *audit.Trail
	writers map[hub.Partition]*commit.Committer
	reader  *lookup.Reader
	archive *imaging.Archive
	deriver *imaging.Deriver
	intake  *messages.Intake
	jobs    *messages.Jobs
	pixels  *pixels.Decoder
	images  *dicomweb.Server
	metrics *hubMetrics

	laboratory  *laboratoryRoom
	persons     *personsRoom
	recognition *recognitionRoom
	adviser     *advice.Adviser
	ledger      *ledgerRoom
	quota       *quota.Quota
}

// openStore opens objects, settings and members: what token and member need.
func openStore(ctx context.Context, cfg Config) (*rooms, error) {
	r := &rooms{cfg: cfg}
	var err error
	if r.objects, err = openObjects(ctx, cfg); err != nil {
		return nil, err
	}
	if r.settings, err = settings.Load(ctx, r.objects, settings.Wanted{DicomPartitions: cfg.DicomPartitions}); err != nil {
		return nil, err
	}
	r.cache = projection.NewCache(cfg.CacheMB << 20)
	r.registry = access.NewRegistry(&projection.Log{Objects: r.objects, Partition: settings.Access, Cache: r.cache})
	if err := r.registry.Refresh(ctx); err != nil {
		return nil, fmt.Errorf("read the members: %w", err)
	}
	r.members = commit.New(r.registry.Log(), r.registry, commit.Options{})
	r.registrar = &access.Registrar{Registry: r.registry, Committer: r.members, By: "operator"}
	r.issuer = access.NewIssuer(r.settings.ID, r.settings.TokenKey, r.registry, nil)
	return r, nil
}

// openIndex adds the index and its followers. alone: this process must be the only one on an embedded index.
func (r *rooms) openIndex(alone bool) error {
	r.fhir = fhir.NewProjection(nil)
	if r.cfg.PublicURL != "" {
		r.fhir = r.fhir.At(r.cfg.PublicURL + "/fhir")
	}
	if err := r.openIdentity(); err != nil {
		return err
	}
	layout := index.StandardLayout(r.settings.DicomPartitions)
	records := layout.Partitions[settings.Records]
	records.Slots = r.settings.RecordSlots
	layout.Partitions[settings.Records] = records
	layout.Projection = projectionStamp + ", " + r.fhir.Stamp() + ", " + r.identity.Stamp() + ", consortium " + r.settings.ID
	if err := layout.Validate(); err != nil {
		return err
	}
	client, emb, err := openIndexClient(r.cfg, layout.MetaTags(), alone)
	if err != nil {
		return err
	}
	r.client, r.embedded = client, emb
	r.layout = layout
	r.index = index.Open(client, layout)
	byType := map[string]hub.Projector{
		dicom.Study.Type():    projector(dicom.ProjectStudy),
		dicom.Series.Type():   projector(dicom.ProjectSeries),
		dicom.Instance.Type(): projector(dicom.ProjectInstance),
		imaging.DuplicateType: projector(unindexed),
		imaging.MarkType:      projector(unindexed),
		imaging.ErrandType:    projector(imaging.ProjectErrand),

		laboratory.SightingType: projector(laboratory.ProjectSighting),
		register.EventType:      projector(register.ProjectEvent),
		persons.PairType:        projector(persons.ProjectPair),
	}
	maps.Copy(byType, messages.Projectors())
	r.projectors = &projection.Projectors{Default: r.fhir, ByType: byType}
	r.followers = map[hub.Partition]*projection.Follower{}
	for _, p := range r.settings.Partitions() {
		l := &projection.Log{Objects: r.objects, Partition: p, Cache: r.cache}
		r.followers[p] = projection.NewFollower(l, r.index, r.projectors)
	}
	return nil
}

// projector makes a hub.Projector of a function of the body.
type projector func(body []byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

// unindexed records can be read by name only.
func unindexed([]byte) (hub.Entry, error) { return hub.Entry{}, nil }

// openHub adds what serving needs.
func (r *rooms) openHub(reg prometheus.Registerer) {
	r.metrics = newHubMetrics(reg)
	r.trail = audit.Open(r.objects, audit.Options{Mode: audit.Mode(r.cfg.Audit)})
	r.openQuota(reg)
	r.writers = map[hub.Partition]*commit.Committer{}
	for p, f := range r.followers {
		opt := commit.Options{Observe: r.metrics.commits(p)}
		wake := calmly(followPause, func() {
			r.deriver.Wake(p)
			if p == settings.Records {
				r.laboratory.wake()
				r.recognition.wake()
				r.ledger.wake()
				r.persons.wake()
			}
		})
		observe := opt.Observe
		opt.Observe = func(records, bytes int, put, apply time.Duration) {
			observe(records, bytes, put, apply)
			wake()
		}
		opt.Admit = r.quota.Admit
		if p == settings.Records {
			opt.Admit = func(member string, name hub.Name, body []byte) error {
				return cmp.Or(register.Admit(member, name, body), r.quota.Admit(member, name, body))
			}
		}
		r.writers[p] = commit.New(f.Log(), f, opt)
	}
	r.reader = lookup.New(r.index, r.objects, r.followers, access.Mutual{}, r.trail)
	r.reader.Limits.Bytes, r.reader.Records = r.cfg.MaxPageMB<<20, settings.Records
	r.openPersons(reg)
	r.archive = &imaging.Archive{
		Objects: r.objects, Stager: r.objects, Index: r.index, Partitions: r.dicomPartitions(), Followers: r.followers, Writers: r.writers, PartitionOf: r.settings.DicomPartition,
		Limits: dicom.Limits{Header: r.cfg.MaxHeaderMB << 20}, Now: time.Now, Took: r.metrics.blob, Remarked: r.metrics.remarked,
	}
	r.intake = &messages.Intake{
		Writer: r.writers[settings.Records], Follower: r.followers[settings.Records], Project: r.fhir, Blobs: r.objects, Policy: access.Mutual{},
		Mappers: map[string]messages.Mapper{}, Observe: r.metrics.message, Now: time.Now,
	}
	r.jobs = messages.NewJobs(r.intake)
	r.openECG()
	r.pixels = pixels.NewDecoder(filepath.Join(r.cfg.Data, "codecs"), pixels.Limits{})
	r.deriver = imaging.NewDeriver(imaging.Deriver{
		Index: r.index, Followers: r.followers, Records: settings.Records, Writer: r.writers[settings.Records], Partitions: r.dicomPartitions(),
		BodySites: mappings.BodySites(), Base: r.cfg.PublicURL + "/dicom-web", Reading: r.ecgInstances(),
	})
}

// followPause is how long what follows from commits waits for more of them: under load a round of each follower is then for several.
const followPause = 20 * time.Millisecond

// calmly returns what has do done once, a pause after it was asked for, however often that is meanwhile.
func calmly(pause time.Duration, do func()) func() {
	var coming atomic.Bool
	return func() {
		if coming.CompareAndSwap(false, true) {
			time.AfterFunc(pause, func() {
				coming.Store(false)
				do()
			})
		}
	}
}

func (r *rooms) dicomPartitions() []hub.Partition {
	return r.settings.Partitions()[1:]
}

// ready says why the hub cannot answer yet; empty when it can.
func (r *rooms) ready(ctx context.Context) []string {
	var why []string
	behind := 0
	for _, p := range r.settings.Partitions() {
		if err := r.followers[p].Check(ctx); err != nil {
			if behind++; behind <= 3 {
				why = append(why, err.Error())
			}
		}
	}
	if behind > 3 {
		why = append(why, fmt.Sprintf("and so with %d more partitions", behind-3))
	}
	if err := r.trail.Check(); err != nil {
		why = append(why, err.Error())
	}
	if err := r.recognition.register.Ready(); err != nil {
		why = append(why, err.Error())
	}
	return why
}

// catchUp brings all indexes to the tail, a few partitions at a time.
func (r *rooms) catchUp(ctx context.Context) error {
	for _, p := range r.settings.Partitions() {
		if err := r.followers[p].CatchUp(ctx); err != nil {
			return fmt.Errorf("catch up with %s: %w", p, err)
		}
	}
	return nil
}

// applied is a number that grows with every commit applied, for deciding whether a snapshot is due.
func (r *rooms) applied() uint64 {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var sum uint64
	for _, p := range r.settings.Partitions() {
		if m, err := r.index.Marks(ctx, p); err == nil {
			sum += m.Applied
		}
	}
	return sum
}

// close ends what was opened, in the order that lets each finish its work.
func (r *rooms) close() error {
	for _, w := range r.writers {
		w.Close()
	}
	r.members.Close()
	if r.trail != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.trail.Close(ctx); err != nil {
			return fmt.Errorf("close the audit trail: %w", err)
		}
	}
	var err error
	if r.pixels != nil {
		err = r.pixels.Close(context.Background())
	}
	if r.embedded != nil {
		err = errors.Join(err, r.embedded.close())
	}
	if r.client != nil {
		r.client.Close()
	}
	if c, ok := r.objects.(io.Closer); ok {
		c.Close()
	}
	return err
}
