package laboratory

import (
	"context"
	"log/slog"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/internal/fhir"
)

// Doing is who takes a step, and what they say about it.
type Doing struct {
	Member string // by the credential
	Who    string // the person, as the caller names them
	Note   string
}

// Step takes a step of an alarm and keeps who did as a Communication. It is a Conflict where the alarm is not in a state
// for it: of two who acknowledge at once, one does.
func (s *Alarms) Step(ctx context.Context, id string, step Step, d Doing) (Alarm, error) {
	var done Alarm
	a := Alarm{ID: id}
	said := hub.Name{Type: "Communication", ID: identify("step", id, string(step), d.Member, d.Who, s.Now().String())}
	_, err := s.Writer.Submit(ctx, commit.Write{Member: Origin, Names: []hub.Name{a.name(), a.flag(), said}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		before, there, err := alarmAt(ctx, v, a.name())
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, &hub.Error{Kind: hub.NotFound, Path: "id", Msg: "there is no such critical value"}
		}
		if done, err = before.Take(step, v.Time()); err != nil {
			return nil, err
		}
		told := draft(said, done.communication(string(step), v.Time(), d))
		told.Member = d.Member
		return append(done.drafts(v.Time()), told), nil
	}})
	if err == nil {
		s.observe(string(done.State))
	}
	return done, err
}

// communication says that a step was taken, or that an alarm was escalated.
func (a *Alarm) communication(what string, at time.Time, d Doing) object {
	o := object{
		"resourceType": "Communication", "status": "completed", "priority": "stat",
		"basedOn":  []any{object{"reference": a.nameText()}},
		"category": []any{criticalConcept(), object{"coding": []any{object{"system": System, "code": what}}}},
		"about":    []any{object{"reference": a.Observation}},
		"sent":     at.UTC().Format(fhir.InstantFormat),
	}
	if a.Patient != "" {
		o["subject"] = object{"reference": a.Patient}
	}
	sender := object{"identifier": object{"system": "urn:concord:member", "value": d.Member}}
	if d.Who != "" {
		sender["display"] = d.Who
	}
	o["sender"] = sender
	if d.Note != "" {
		o["payload"] = []any{object{"contentString": d.Note}}
	}
	return o
}

func (a *Alarm) nameText() string { return a.name().String() }

// Escalate looks for alarms that are due and escalates them: a Communication says so, and the alarm's next time is set. It
// returns how many this hub did.
func (s *Alarms) Escalate(ctx context.Context) (n int, err error) {
	now := s.Now()
	search, err := fhir.CompileSearch("CommunicationRequest", []fhir.Pair{{Name: "category", Value: System + "|" + criticalCode},
		{Name: "status", Value: "active"}, {Name: "occurrence", Value: "le" + now.UTC().Format(fhir.InstantFormat)}}, fhir.SearchOptions{Count: 200})
	if err != nil {
		return 0, err
	}
	page, err := s.Follower.Search(ctx, search.Query)
	if err != nil {
		return 0, err
	}
	for _, hit := range page.Hits {
		rec, err := s.Follower.Log().Record(ctx, hit.Head.Loc)
		if err != nil {
			return n, err
		}
		if _, ok := ReadAlarm(&rec); !ok || rec.Member != Origin {
			continue
		}
		done, err := s.escalate(ctx, rec.Name)
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

func (s *Alarms) escalate(ctx context.Context, n hub.Name) (did bool, err error) {
	var next Alarm
	_, err = s.Writer.Submit(ctx, commit.Write{Member: Origin, Names: []hub.Name{n}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		did = false
		before, there, err := alarmAt(ctx, v, n)
		if err != nil || !there {
			return nil, err
		}
		if next, did = before.Escalate(s.Now(), s.Timers); !did {
			return nil, nil // another hub was faster, or somebody moved
		}
		told := hub.Name{Type: "Communication", ID: identify("escalation", n.ID, next.Raised.String(), time.Duration(next.Escalations).String())}
		said := draft(told, next.communication("escalation", v.Time(), Doing{Member: Origin}))
		said.Fresh = true
		return []commit.Draft{draft(n, next.request()), said}, nil
	}})
	if err == nil && did {
		slog.Warn("a critical value is overdue", "id", n.ID, "state", string(next.State), "escalation", next.Escalations)
		s.observe("escalated")
	}
	return did && err == nil, err
}

// Run escalates what is due until ctx ends.
func (s *Alarms) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := s.Escalate(ctx); err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
			slog.Error("escalate critical values", "err", err)
		}
	}
}
