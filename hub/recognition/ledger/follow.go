package ledger

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"concord/hub"
	"concord/hub/commit"
)

// Follow follows the log of records and writes what follows from it for opportunities: orders that have come to exist, repeats,
// withdrawals. All of it has deterministic ids and is decided at the tail, so following again changes nothing and ten hubs may
// follow side by side. How far it came is kept in the log, now and then.
type Follow struct {
	Ledger *Ledger

	wake      chan struct{}
	at, noted uint64
	begun     bool
}

// NewFollow makes a Follow of a ledger.
func NewFollow(l *Ledger) *Follow { return &Follow{Ledger: l, wake: make(chan struct{}, 1)} }

const (
	markType     = "hub.mark"
	roundCommits = 200
	roundRecords = 1000
	marksEvery   = 1000
)

type mark struct {
	Through uint64 `json:"through"`
}

func markName() hub.Name { return hub.Name{Type: markType, ID: "recognition/ledger"} }

// Wake tells that the log has grown.
func (w *Follow) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run follows until ctx ends.
func (w *Follow) Run(ctx context.Context) {
	tick := time.NewTicker(w.Ledger.Limits.orDefault().Poll)
	defer tick.Stop()
	for {
		more, err := w.Advance(ctx)
		if err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
			slog.Error("follow what became of opportunities", "err", err)
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
func (w *Follow) Advance(ctx context.Context) (more bool, err error) {
	l := w.Ledger
	if !w.begun {
		if err := l.publish(ctx); err != nil {
			return false, err
		}
		if w.at, err = l.followed(ctx); err != nil {
			return false, err
		}
		w.noted, w.begun = w.at, true
	}
	tail, err := l.refresh(ctx)
	if err != nil {
		return false, err
	}
	if w.at > tail { // restored from an earlier copy
		w.at, w.noted = 0, 0
	}
	if w.at == tail {
		return false, nil
	}
	recs, reached, err := l.Follower.Log().Changed(ctx, w.at, min(tail, w.at+roundCommits), roundRecords, func(n hub.Name) bool {
		return follows(n.Type)
	})
	if err != nil {
		return false, err
	}
	if err := l.derive(ctx, recs); err != nil {
		return false, err
	}
	w.at = reached
	if w.at >= w.noted+marksEvery {
		if err := l.noteFollowed(ctx, w.at); err != nil {
			return false, err
		}
		w.noted = w.at
	}
	return reached < tail, nil
}

// follows tells the types that say something about opportunities.
func follows(typ string) bool {
	switch typ {
	case "GuidanceResponse", "ServiceRequest", "Observation", "ImagingStudy", "DiagnosticReport", "Patient", "Person":
		return true
	}
	return false
}

// followed is how far the log was followed, as it was noted.
func (l *Ledger) followed(ctx context.Context) (uint64, error) {
	heads, err := l.Follower.Heads(ctx, []hub.Name{markName()})
	if err != nil || heads[0].Version == 0 {
		return 0, err
	}
	rec, err := l.Follower.Log().Record(ctx, heads[0].Loc)
	if err != nil {
		return 0, err
	}
	var m mark
	return m.Through, json.Unmarshal(rec.Body, &m)
}

// noteFollowed keeps how far it came, unless another hub is further.
func (l *Ledger) noteFollowed(ctx context.Context, at uint64) error {
	name := markName()
	_, err := l.Writer.Submit(ctx, commit.Write{Member: Origin, Names: []hub.Name{name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, name)
		if err != nil {
			return nil, err
		}
		if head.Version > 0 {
			rec, err := v.Record(ctx, name)
			if err != nil {
				return nil, err
			}
			var there mark
			if err := json.Unmarshal(rec.Body, &there); err != nil || there.Through >= at && there.Through-at < 10*marksEvery {
				return nil, err
			}
		}
		body, _ := json.Marshal(mark{at})
		return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return body }}}, nil
	}})
	return err
}
