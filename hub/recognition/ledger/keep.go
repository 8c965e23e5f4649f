package ledger

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/internal/fhir"
)

// queue holds offers until they are written.
type queue struct {
	mu      sync.Mutex
	waiting []Opportunity
	taken   int // how many of them are being written
	closed  bool
	wake    chan struct{}
	room    chan struct{} // closed when some were written
}

func (q *queue) init() {
	if q.wake == nil {
		q.wake, q.room = make(chan struct{}, 1), make(chan struct{})
	}
}

// put adds to what waits, as soon as there is room for all of them.
func (q *queue) put(ctx context.Context, list []Opportunity, most int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.init()
	for q.closed || len(q.waiting)+q.taken+len(list) > most {
		full := &hub.Error{Kind: hub.Unavailable, Msg: "too many offers wait to be kept", Retry: time.Second}
		if q.closed || len(list) > most {
			return full
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		if q.mu.Lock(); ctx.Err() != nil {
			return full
		}
	}
	q.waiting = append(q.waiting, list...)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// take is what waits, a bounded part of it.
func (q *queue) take() []Opportunity {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), 500)
	list := slices.Clone(q.waiting[:n])
	q.waiting, q.taken = append(q.waiting[:0], q.waiting[n:]...), n
	return list
}

func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = 0
	close(q.room)
	q.room = make(chan struct{})
}

// Waiting is how many offers wait to be written.
func (l *Ledger) Waiting() int {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	return len(l.queue.waiting) + l.queue.taken
}

// stopTime is how long the last offers may take when the hub stops.
const stopTime = 10 * time.Second

// Keep writes what is offered until ctx ends, and then what still waits.
func (l *Ledger) Keep(ctx context.Context) {
	l.queue.mu.Lock()
	l.queue.init()
	l.queue.mu.Unlock()
	for {
		select {
		case <-l.queue.wake:
			l.drain(ctx, ctx)
			continue
		case <-ctx.Done():
		}
		break
	}
	l.queue.mu.Lock()
	l.queue.closed = true
	close(l.queue.room)
	l.queue.room = make(chan struct{})
	l.queue.mu.Unlock()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	l.drain(last, last)
	if n := l.Waiting(); n > 0 {
		slog.Error("offers could not be kept before the hub stopped", "offers", n)
	}
}

// drain writes all that waits. While the store is not there it tries again, until ctx ends.
func (l *Ledger) drain(ctx, until context.Context) {
	for until.Err() == nil {
		list := l.queue.take()
		if len(list) == 0 {
			return
		}
		for pause := 50 * time.Millisecond; len(list) > 0; pause = min(2*pause, 2*time.Second) {
			list = l.keep(ctx, list)
			if len(list) == 0 {
				break
			}
			select {
			case <-until.Done():
				l.queue.mu.Lock()
				l.queue.waiting = append(list, l.queue.waiting...)
				l.queue.taken = 0
				l.queue.mu.Unlock()
				return
			case <-time.After(pause):
			}
		}
		l.queue.done()
	}
}

// keep writes opportunities and returns those that must be tried again.
func (l *Ledger) keep(ctx context.Context, list []Opportunity) (again []Opportunity) {
	writes := make([]commit.Write, len(list))
	fresh := make([]*Opportunity, len(list))
	if err := l.note(ctx, list); err != nil {
		return list
	}
	for i := range list {
		writes[i] = l.offering(&list[i], &fresh[i])
	}
	for i, out := range l.Writer.SubmitAll(ctx, writes) {
		switch {
		case hub.Is(out.Err, hub.Unavailable) || out.Err != nil && ctx.Err() != nil:
			again = append(again, list[i])
		case out.Err != nil:
			slog.Error("keep an offer", "err", out.Err)
			l.observe(Dropped, &list[i])
		case fresh[i] != nil:
			l.observe(Offered, fresh[i])
		}
	}
	return again
}

func (l *Ledger) observe(e Event, o *Opportunity) {
	if l.Observe != nil {
		l.Observe(e, o)
	}
}

// offering is the write of an offer; fresh is set to what was written where that is a new opportunity.
func (l *Ledger) offering(next *Opportunity, fresh **Opportunity) commit.Write {
	within := l.counting().SameWithin
	eve := *next
	eve.ID = l.dayBefore(next, l.Limits.orDefault().Zone)
	names := append(next.names(), eve.name())
	for _, card := range next.Cards {
		names = append(names, unmatched(next.Member, card))
	}
	return commit.Write{Member: Origin, Names: names, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		*fresh = nil
		there, ok, err := opportunityAt(ctx, v, next.name())
		if err == nil && !ok {
			var before Opportunity
			if before, ok, err = opportunityAt(ctx, v, eve.name()); ok && next.First.Sub(before.Last) <= within && !next.First.Before(before.Last) {
				there = before
			} else {
				ok = false
			}
		}
		if err != nil {
			return nil, err
		}
		now := *next
		if ok {
			now = there.again(*next)
		}
		taken, err := l.takeUnmatched(ctx, v, &now)
		if err != nil {
			return nil, err
		}
		if ok && !there.differs(&now) && len(taken) == 0 {
			return nil, nil
		}
		if !ok {
			*fresh = &now
		}
		return append(now.drafts(), taken...), nil
	}}
}

// dayBefore is the id of the opportunity that this one would have been a day before.
func (l *Ledger) dayBefore(o *Opportunity, zone *time.Location) string {
	return o.key.on(o.First.In(zone).AddDate(0, 0, -1).Format(time.DateOnly))
}

// opportunityAt reads an opportunity at the tail. What somebody else put under its name is none.
func opportunityAt(ctx context.Context, v *commit.View, n hub.Name) (o Opportunity, there bool, err error) {
	head, err := v.Head(ctx, n)
	if err != nil || head.Version == 0 || head.Deleted {
		return o, false, err
	}
	rec, err := v.Record(ctx, n)
	if err != nil {
		return o, false, err
	}
	o, there = ReadOpportunity(&rec)
	return o, there, nil
}

// choose writes a doctor's choice. It waits where the card is not known yet.
func (l *Ledger) choose(ctx context.Context, member string, name hub.Name, f Feedback) (waits bool, err error) {
	var changed *Opportunity
	loose := unmatched(member, f.Card)
	o := Opportunity{ID: name.ID}
	_, err = l.Writer.Submit(ctx, commit.Write{Member: Origin, Names: append(o.names(), loose), Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		changed, waits = nil, false
		before, there, err := opportunityAt(ctx, v, name)
		if err != nil {
			return nil, err
		}
		if !there {
			waits = true
			return l.keepUnmatched(ctx, v, loose, member, f)
		}
		if before.Member != member {
			return nil, &hub.Error{Kind: hub.NotFound, Path: "card", Msg: "there is no such card"}
		}
		var drafts []commit.Draft
		if _, waited, err := feedbackAt(ctx, v, loose); err != nil {
			return nil, err
		} else if waited {
			drafts = append(drafts, commit.Draft{Name: loose, Delete: true})
		}
		next, differs := before.choose(f)
		if !differs {
			return drafts, nil
		}
		changed = &next
		return append(drafts, next.drafts()...), nil
	}})
	if err == nil && changed != nil {
		l.observe(Chosen, changed)
	}
	return waits, err
}

// unmatched is the name under which feedback waits for the card it is about.
func unmatched(member, card string) hub.Name {
	return hub.Name{Type: "Basic", ID: identify("feedback", member, card)}
}

// keepUnmatched keeps feedback about a card that is not known: the hub that showed it may be a moment behind, or have crashed.
func (l *Ledger) keepUnmatched(ctx context.Context, v *commit.View, n hub.Name, member string, f Feedback) ([]commit.Draft, error) {
	if before, there, err := feedbackAt(ctx, v, n); err != nil || there && (f.At.Before(before.At) || before == f) {
		return nil, err
	}
	var x extensions
	x.member("using", member)
	x.code("outcome", string(f.Outcome))
	x.code("reason", f.Reason)
	x.text("text", f.Text)
	x.text("who", f.Who)
	x.instant("at", f.At)
	return []commit.Draft{draft(n, object{"resourceType": "Basic", "meta": object{"source": access.MemberSystem + ":" + member},
		"identifier": []any{object{"system": CardSystem, "value": f.Card}}, "code": object{"coding": []any{coded(System, "unmatched-feedback")}},
		"created": f.At.In(fhir.ChinaTime()).Format(time.DateOnly), "extension": x.list})}, nil
}

func feedbackAt(ctx context.Context, v *commit.View, n hub.Name) (f Feedback, there bool, err error) {
	head, err := v.Head(ctx, n)
	if err != nil || head.Version == 0 || head.Deleted {
		return f, false, err
	}
	rec, err := v.Record(ctx, n)
	if err != nil || rec.Member != Origin {
		return f, false, err
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return f, false, nil
	}
	f.Card = doc.Root().Get("identifier").Get("value").Text()
	for id := range doc.Root().Get("identifier").Items() {
		f.Card = id.Get("value").Text()
	}
	for name, e := range extended(doc.Root()) {
		switch name {
		case "outcome":
			f.Outcome = Outcome(e.Text())
		case "reason":
			f.Reason = e.Text()
		case "text":
			f.Text = e.Text()
		case "who":
			f.Who = e.Text()
		case "at":
			f.At = timeOf(e)
		}
	}
	return f, true, nil
}

// takeUnmatched lets feedback that waited for the cards of an opportunity count.
func (l *Ledger) takeUnmatched(ctx context.Context, v *commit.View, o *Opportunity) (drafts []commit.Draft, err error) {
	for _, card := range o.Cards {
		n := unmatched(o.Member, card)
		f, there, err := feedbackAt(ctx, v, n)
		if err != nil {
			return nil, err
		}
		if there {
			*o, _ = o.choose(f)
			drafts = append(drafts, commit.Draft{Name: n, Delete: true})
		}
	}
	return drafts, nil
}
