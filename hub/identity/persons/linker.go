package persons

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/identity"
	"concord/hub/projection"
	"concord/internal/fhir"
)

// Linker judges each Patient that comes or changes, and links those that are one person. It follows the log by a mark that is
// written together with what it does: several hubs do the work of one.
type Linker struct {
	Follower *projection.Follower // of the records
	Writer   *commit.Committer
	Model    *identity.Model
	// Poll is how often other hubs' commits are looked for; default 2 s.
	Poll time.Duration
	// Observe, if set, is told after each commit how many commits of the log are still to be followed, and how many Patients
	// were judged.
	Observe func(behind uint64, judged int)

	once sync.Once
	wake chan struct{}
	idle uint64 // through where nothing was found since the mark, when that was of version seen
	seen uint64
}

// Bounds of one round: so many commits are read, and so many Patients judged for one commit.
const (
	roundCommits  = 200
	roundPatients = 100
	idleCommits   = 1000
)

// markName says how far the log was followed.
func markName() hub.Name { return hub.Name{Type: "hub.mark", ID: "identity/links"} }

type mark struct {
	Through uint64 `json:"through"`
	version uint64
}

// errOvertaken: another hub, or a decision, came first; what was judged may rest on what no longer holds.
var errOvertaken = errors.New("the groups were changed meanwhile")

func (l *Linker) init() { l.once.Do(func() { l.wake = make(chan struct{}, 1) }) }

// Wake tells that the log has grown.
func (l *Linker) Wake() {
	l.init()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run links until ctx ends.
func (l *Linker) Run(ctx context.Context) {
	l.init()
	poll := l.Poll
	if poll == 0 {
		poll = 2 * time.Second
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		more, err := l.Advance(ctx)
		if err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
			slog.Error("link patients", "err", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-tick.C:
		}
	}
}

// Advance judges the Patients of the next commits; more is true when it should be called again. It is called by one at a time.
func (l *Linker) Advance(ctx context.Context) (more bool, err error) {
	m, err := readMark(ctx, l.Follower)
	if err != nil {
		return false, err
	}
	applied, err := l.Follower.Complete(ctx)
	if err != nil {
		return false, err
	}
	if m.Through > applied { // restored from an earlier copy
		m.Through = 0
	}
	if l.idle > applied || l.seen != m.version {
		l.idle, l.seen = 0, m.version
	}
	from := max(m.Through, l.idle)
	if from >= applied {
		return false, nil
	}
	ids, reached, err := l.changed(ctx, from, applied)
	if err != nil {
		return false, err
	}
	if len(ids) == 0 && reached < m.Through+idleCommits {
		l.idle = reached
		return reached < applied, nil
	}
	w := newWorld(l.Follower, l.Model)
	for _, id := range ids {
		if err := w.judge(ctx, id); err != nil {
			return false, fmt.Errorf("judge a patient: %w", err)
		}
		if err := w.regroup(ctx, id); err != nil {
			return false, fmt.Errorf("form the groups of a patient: %w", err)
		}
	}
	m.Through = reached
	err = w.commit(ctx, l.Writer, m)
	if errors.Is(err, errOvertaken) {
		return true, nil
	}
	if err == nil && l.Observe != nil {
		l.Observe(applied-reached, len(ids))
	}
	return reached < applied, err
}

// changed lists the Patients that the next commits changed.
func (l *Linker) changed(ctx context.Context, from, applied uint64) (ids []string, reached uint64, err error) {
	recs, reached, err := l.Follower.Log().Changed(ctx, from, min(applied, from+roundCommits), roundPatients, func(n hub.Name) bool { return n.Type == "Patient" })
	for i := range recs {
		if id := recs[i].Name.ID; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, reached, err
}

func readMark(ctx context.Context, f *projection.Follower) (mark, error) {
	heads, err := f.Heads(ctx, []hub.Name{markName()})
	if err != nil || heads[0].Version == 0 {
		return mark{}, err
	}
	rec, err := f.Log().Record(ctx, heads[0].Loc)
	if err != nil {
		return mark{}, err
	}
	m := mark{version: heads[0].Version}
	return m, json.Unmarshal(rec.Body, &m)
}

// commit writes what changed, unless the groups were changed since the mark was read.
func (w *world) commit(ctx context.Context, to *commit.Committer, m mark) error {
	drafts, err := w.drafts()
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	drafts = append(drafts, commit.Draft{Name: markName(), Body: func(uint64, time.Time) []byte { return body }})
	names := make([]hub.Name, len(drafts))
	for i := range drafts {
		names[i] = drafts[i].Name
	}
	_, err = to.Submit(ctx, commit.Write{Member: Origin, Names: names, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, markName())
		if err != nil {
			return nil, err
		}
		if head.Version != m.version {
			return nil, errOvertaken
		}
		return drafts, nil
	}})
	return err
}

// drafts are the Pairs and Persons that are not as they are stored.
func (w *world) drafts() (drafts []commit.Draft, err error) {
	for name, p := range w.pairs {
		stored, has := w.stored[name]
		switch {
		case p.State == Gone && p.Decision == nil:
			if has {
				drafts = append(drafts, commit.Draft{Name: name, Delete: true})
			}
		case !has || !p.same(&stored):
			body, err := json.Marshal(p)
			if err != nil {
				return nil, err
			}
			drafts = append(drafts, commit.Draft{Name: name, Body: func(uint64, time.Time) []byte { return body }})
		}
	}
	for id, p := range w.persons {
		if len(p.members) == 0 {
			if p.stored != nil {
				drafts = append(drafts, commit.Draft{Name: personName(id), Delete: true})
			}
			continue
		}
		doc, err := fhir.Parse(w.resource(p), fhir.Limits{})
		if err != nil {
			return nil, err
		}
		if s := p.stored; s != nil && bytes.Equal(doc.Splice(id, s.Version, s.Time), s.Body) {
			continue
		}
		drafts = append(drafts, commit.Draft{Name: personName(id), Body: func(version uint64, at time.Time) []byte { return doc.Splice(id, version, at) }})
	}
	slices.SortFunc(drafts, func(a, b commit.Draft) int {
		return bytes.Compare([]byte(a.Name.String()), []byte(b.Name.String()))
	})
	return drafts, nil
}
