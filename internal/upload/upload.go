// Package upload is the client's side of intake: it walks files and folders, recognises what it
// knows how to send, sends it to a hub and remembers what the hub acknowledged.
//
// The words:
//
//   - A File is one thing to send: a file on disk, or a member of a .zip archive.
//   - A Kind is a sort of file with a way to recognise and a way to send it (kinds.go is the table).
//   - A batch is the files that travel in one request.
//   - The Journal is the list of files a hub acknowledged, so that a later run does not send them again.
//   - A round is one pass over the files; those whose refusal may have been a matter of order or of
//     room (a reference to something not sent yet, a full disk) get another one.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"concord/hub"
)

// Options say what to send where.
type Options struct {
	Paths []string // files, folders and .zip archives
	To    string   // base URL of the hub, such as http://127.0.0.1:8080
	Token string   // bearer token of the member that sends

	Parallel int // requests at a time; 0 means 4
	// Journal is the file that remembers what was acknowledged. Empty means one in the user's cache
	// folder named after To and Paths, which is removed once everything was acknowledged.
	Journal string
	// Retries bounds how often one request is repeated after 429, 503 and network errors; 0 means 6.
	Retries int
	// Stop, when closed, lets running requests finish and starts no others. Cancelling the context cuts
	// running requests too.
	Stop <-chan struct{}

	Client *http.Client                               // nil means one made for this run
	sleep  func(ctx context.Context, d time.Duration) // nil means really sleeping
}

const maxRounds = 4

// Run sends everything under o.Paths and prints progress and a closing table to out. It returns nil
// when each recognised file was acknowledged, now or by an earlier run; otherwise the error says how
// many were not, and the Report which. Repeating a run is safe: the hub sees one effect.
func Run(ctx context.Context, o Options, out io.Writer) (Report, error) {
	base, err := target(o.To)
	if err != nil {
		return Report{}, err
	}
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	start := time.Now()
	found, err := walk(ctx, o.Paths)
	if err != nil {
		return Report{}, err
	}
	defer found.close()

	journal, err := openJournal(o.Journal, base, o.Token, o.Paths)
	if err != nil {
		return Report{}, err
	}
	defer journal.close()

	r := &run{client: newClient(o, base), journal: journal, stop: o.Stop}
	r.report.found(found)
	pending := r.withoutAcknowledged(found.files)

	r.progress = newProgress(out, pending)
	r.client.journal, r.client.moved = journal, r.progress.moved
	r.rounds(ctx, pending, o.Parallel)
	r.progress.close()

	rep := &r.report
	rep.Elapsed = time.Since(start)
	rep.Journal = journal.path
	rep.settle()
	err = rep.err(r.fatal)
	if err == nil && o.Journal == "" {
		journal.remove()
		rep.Journal = ""
	}
	rep.print(out)
	return *rep, err
}

// Interrupts turns the first interrupt into closing stop and the second into cancelling the context,
// which is what Options.Stop and Run want. The caller calls release at the end.
func Interrupts(parent context.Context) (ctx context.Context, stop <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(parent)
	gentle := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt)
	go func() {
		select {
		case <-signals:
			close(gentle)
		case <-ctx.Done():
			return
		}
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, gentle, func() { signal.Stop(signals); cancel() }
}

// target checks the hub's base URL and takes the trailing slash away.
func target(to string) (string, error) {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &hub.Error{Kind: hub.Invalid, Path: "--to", Msg: fmt.Sprintf("%q is not the base URL of a hub", to),
			Hint: "write it like http://127.0.0.1:8080"}
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// run is one Run on its way.
type run struct {
	client   *client
	journal  *journal
	progress *progress
	stop     <-chan struct{}

	mu     sync.Mutex
	report Report
	again  []File // refused in this round, worth another one
	fatal  error  // why nothing more is sent
}

// withoutAcknowledged leaves out what an earlier run's journal lists.
func (r *run) withoutAcknowledged(files []File) []File {
	return slices.DeleteFunc(files, func(f File) bool {
		if !r.journal.has(f) {
			return false
		}
		r.report.add(f, outcome{status: Resumed})
		return true
	})
}

// rounds sends files until nothing is left that another round could help.
func (r *run) rounds(ctx context.Context, files []File, parallel int) {
	for n := 1; len(files) > 0; n++ {
		before := r.report.accepted()
		r.round(ctx, batches(files, n > 1), parallel, n == maxRounds)
		files, r.again = r.again, nil
		if len(files) == 0 {
			return
		}
		if r.stopped(ctx) {
			r.giveUp(files)
			return
		}
		if r.report.accepted() == before {
			// Nothing changed at the hub, so order was not the trouble: the last round says why.
			n = maxRounds - 1
		}
		r.progress.back(files)
		r.client.pause(ctx, n)
	}
}

// round sends every batch once; last makes refusals final.
func (r *run) round(ctx context.Context, todo [][]File, parallel int, last bool) {
	queue := make(chan []File)
	var workers sync.WaitGroup
	for range min(parallel, len(todo)) {
		workers.Go(func() {
			for batch := range queue {
				r.send(ctx, batch, last)
			}
		})
	}
	for i, batch := range todo {
		if !r.offer(ctx, queue, batch) {
			for _, rest := range todo[i:] {
				r.giveUp(rest)
			}
			break
		}
	}
	close(queue)
	workers.Wait()
}

// offer hands a batch to a worker unless the run is to stop.
func (r *run) offer(ctx context.Context, queue chan<- []File, batch []File) bool {
	if r.stopped(ctx) {
		return false
	}
	select {
	case queue <- batch:
		return true
	case <-r.stop:
	case <-ctx.Done():
	}
	return false
}

func (r *run) stopped(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fatal != nil || ctx.Err() != nil {
		return true
	}
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// send sends one batch and books what became of each file.
func (r *run) send(ctx context.Context, batch []File, last bool) {
	outcomes, err := batch[0].kind.send(ctx, r.client, batch)
	if err != nil {
		if !errors.Is(err, errStopped) {
			r.end(err)
		}
		r.giveUp(batch)
		return
	}
	for i, f := range batch {
		o := outcomes[i]
		if o.status == Sent || o.status == There {
			if err := r.journal.add(f, o.sha256); err != nil {
				r.end(err)
			}
		}
		r.mu.Lock()
		if o.again && !last {
			r.again = append(r.again, f)
		} else {
			r.report.add(f, o)
		}
		r.mu.Unlock()
	}
	r.progress.done(len(batch))
}

// end keeps the first reason why nothing more is sent.
func (r *run) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fatal == nil {
		r.fatal = err
	}
}

func (r *run) giveUp(files []File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range files {
		r.report.add(f, outcome{status: Unsent})
	}
}

// batches groups neighbours of one kind as far as the kind allows: bounded in number and bytes, and
// no two of one identity, so that an answer by identity is unambiguous.
func batches(files []File, single bool) [][]File {
	var all [][]File
	open := map[*Kind]*batch{}
	flush := func(k *Kind) {
		if b := open[k]; b != nil {
			all = append(all, b.files)
			delete(open, k)
		}
	}
	for _, f := range files {
		if f.kind.most <= 1 || f.id == "" || single {
			all = append(all, []File{f})
			continue
		}
		if b := open[f.kind]; b != nil && (len(b.files) == f.kind.most || b.size+f.Size > maxBatchBytes || b.ids[f.id]) {
			flush(f.kind)
		}
		b := open[f.kind]
		if b == nil {
			b = &batch{ids: map[string]bool{}}
			open[f.kind] = b
		}
		b.files, b.size, b.ids[f.id] = append(b.files, f), b.size+f.Size, true
	}
	for k := range open {
		flush(k)
	}
	return all
}

const maxBatchBytes = 64 << 20

type batch struct {
	files []File
	size  int64
	ids   map[string]bool
}
