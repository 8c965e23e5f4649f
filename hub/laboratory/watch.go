package laboratory

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
)

// Watch follows the log of records and hands what changed in it to Derive, at least once, in order. How far it came is kept
// in the log, now and then: after a crash, or by another hub, some of it is handed over again.
type Watch struct {
	// Name is that of its mark; watches of one name on several hubs do the same.
	Name     string
	Follower *projection.Follower // of the records
	Writer   *commit.Committer
	// Type is the type of the resources that are followed, default Observation.
	Type string
	// Derive writes what follows from versions of them. It must do nothing when all of it is there already.
	Derive func(ctx context.Context, recs []hub.Record) error
	// Poll is how often other hubs' commits are looked for; default 2 s.
	Poll time.Duration

	once  sync.Once
	wake  chan struct{}
	at    uint64 // through where it came
	noted uint64 // through where its mark says
	begun bool
}

// markType is the type of the records that say how far something has been followed.
const markType = "hub.mark"

// Bounds of one round, and of what is followed again after a crash.
const (
	roundCommits = 200
	roundRecords = 1000
	marksEvery   = 1000
)

type mark struct {
	Through uint64 `json:"through"`
}

func (w *Watch) init() { w.once.Do(func() { w.wake = make(chan struct{}, 1) }) }

// Wake tells that the log has grown.
func (w *Watch) Wake() {
	w.init()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run follows until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	w.init()
	poll := w.Poll
	if poll == 0 {
		poll = 2 * time.Second
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		more, err := w.Advance(ctx)
		if err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
			slog.Error("follow laboratory results", "watch", w.Name, "err", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-tick.C:
		}
	}
}

// Advance follows the next commits; more is true when it should be called again. It is called by one at a time.
func (w *Watch) Advance(ctx context.Context) (more bool, err error) {
	if !w.begun {
		if w.at, err = w.kept(ctx); err != nil {
			return false, err
		}
		w.noted, w.begun = w.at, true
	}
	applied, err := w.Follower.Complete(ctx)
	if err != nil {
		return false, err
	}
	if w.at > applied { // restored from an earlier copy
		w.at, w.noted = 0, 0
	}
	if w.at == applied {
		return false, nil
	}
	recs, reached, err := w.Follower.Log().Changed(ctx, w.at, min(applied, w.at+roundCommits), roundRecords, func(n hub.Name) bool {
		return n.Type == cmp.Or(w.Type, "Observation")
	})
	if err != nil {
		return false, err
	}
	if len(recs) > 0 {
		if err := w.Derive(ctx, recs); err != nil {
			return false, err
		}
	}
	w.at = reached
	if w.at >= w.noted+marksEvery {
		if err := w.note(ctx); err != nil {
			return false, err
		}
	}
	return reached < applied, nil
}

func (w *Watch) mark() hub.Name { return hub.Name{Type: markType, ID: "laboratory/" + w.Name} }

func (w *Watch) kept(ctx context.Context) (uint64, error) {
	heads, err := w.Follower.Heads(ctx, []hub.Name{w.mark()})
	if err != nil || heads[0].Version == 0 {
		return 0, err
	}
	rec, err := w.Follower.Log().Record(ctx, heads[0].Loc)
	if err != nil {
		return 0, err
	}
	return through(&rec)
}

// note keeps how far it came, unless another hub is further.
func (w *Watch) note(ctx context.Context) error {
	at, name := w.at, w.mark()
	_, err := w.Writer.Submit(ctx, commit.Write{Member: Origin, Names: []hub.Name{name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, name)
		if err != nil {
			return nil, err
		}
		if head.Version > 0 {
			rec, err := v.Record(ctx, name)
			if err != nil {
				return nil, err
			}
			if there, err := through(&rec); err != nil || there >= at && there-at < 10*marksEvery {
				return nil, err
			}
		}
		body, _ := json.Marshal(mark{at})
		return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return body }}}, nil
	}})
	if err == nil {
		w.noted = at
	}
	return err
}

func through(rec *hub.Record) (uint64, error) {
	var m mark
	err := json.Unmarshal(rec.Body, &m)
	return m.Through, err
}
