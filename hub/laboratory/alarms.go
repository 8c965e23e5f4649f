package laboratory

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/fhir"
)

// Alarms raises, escalates and ends alarms. All of it may run on every hub: what is to be done is decided at the log's tail,
// so one does it.
type Alarms struct {
	Follower *projection.Follower // of the records
	Writer   *commit.Committer
	Rules    func() *Rules
	Timers   Timers
	Now      func() time.Time
	// Observe, where not nil, is told of each state and escalation ("escalated") that this hub brought about.
	Observe func(what string)

	known sync.Map // ids of sightings that are there for certain
}

// Derive raises alarms for critical values, withdraws those of results that were corrected or taken back, and keeps
// sightings. It is a Watch's.
func (s *Alarms) Derive(ctx context.Context, recs []hub.Record) error {
	rules, timers := s.Rules(), s.Timers.OrDefault()
	if rules == nil {
		return nil
	}
	var acts []act
	var doubtful []hub.Record // no cause for an alarm, but there may be one
	for i := range recs {
		rec := &recs[i]
		if rec.Deleted {
			doubtful = append(doubtful, *rec)
			continue
		}
		doc, err := fhir.DocOf(rec)
		if err != nil {
			continue
		}
		if a, ok := s.sighting(rec, doc.Root()); ok {
			acts = append(acts, a)
		}
		res := ReadResult(doc.Root())
		age := -1
		if rules.needsAge(&res) {
			if age, err = s.age(ctx, &res); err != nil {
				return err
			}
		}
		found, ok := rules.Critical(&res, age)
		switch {
		case ok && timers.fresh(&res, rec.Time):
			to, err := s.recipients(ctx, doc.Root())
			if err != nil {
				return err
			}
			acts = append(acts, s.raise(rec, Alarm{Patient: patientOf(&res), Observation: rec.Name.String(), Member: rec.Member, Recipients: to,
				Encounter: doc.Root().Get("encounter").Get("reference").Text(), Text: notice(&res, found, rules)}))
		case !ok && rec.Version > 1:
			doubtful = append(doubtful, *rec)
		}
	}
	more, err := s.withdraw(ctx, doubtful)
	if err != nil {
		return err
	}
	return s.submit(ctx, append(acts, more...))
}

// act is a write, and what is to be done once it is durable.
type act struct {
	write commit.Write
	done  func()
}

func (s *Alarms) submit(ctx context.Context, acts []act) error {
	if len(acts) == 0 {
		return nil
	}
	writes := make([]commit.Write, len(acts))
	for i := range acts {
		writes[i] = acts[i].write
	}
	for i, out := range s.Writer.SubmitAll(ctx, writes) {
		if out.Err != nil {
			return out.Err
		}
		acts[i].done()
	}
	return nil
}

// fresh tells whether a result is recent enough to concern anybody now. A result that says no time is.
func (t Timers) fresh(res *Result, at time.Time) bool {
	taken := res.taken()
	return taken.IsZero() || at.Sub(taken) <= t.Fresh
}

func patientOf(res *Result) string {
	if res.Patient.ID == "" {
		return ""
	}
	return res.Patient.String()
}

// notice is what is notified.
func notice(res *Result, found Finding, rules *Rules) string {
	name := res.Name
	for _, c := range res.Codings {
		if name == "" {
			name = c.Display
		}
	}
	if name == "" && len(res.Codings) > 0 {
		name = res.Codings[0].Code
	}
	value := ""
	if res.Value != nil {
		value = strings.TrimSpace(res.Comparator+short(res.Value)+" "+res.Unit) + "; "
	}
	return name + " " + value + found.Text(rules)
}

// age is the age of a result's patient, as far as the hub knows it.
func (s *Alarms) age(ctx context.Context, res *Result) (int, error) {
	if res.Patient.ID == "" {
		return -1, nil
	}
	heads, err := s.Follower.Heads(ctx, []hub.Name{res.Patient})
	if err != nil || heads[0].Version == 0 || heads[0].Deleted {
		return -1, err
	}
	rec, err := s.Follower.Log().Record(ctx, heads[0].Loc)
	if err != nil {
		return -1, err
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return -1, nil
	}
	return ageIn(instant(doc.Root().Get("birthDate").Text()), res.taken()), nil
}

// raise is the write that raises an alarm for a version of an Observation, if that is still the current one. An alarm that
// is there stays as it is, unless what it says is different now: then it begins anew.
func (s *Alarms) raise(rec *hub.Record, a Alarm) act {
	a.ID = AlarmID(a.Observation)
	raised := false
	w := commit.Write{Member: Origin, Names: []hub.Name{rec.Name, a.name(), a.flag()}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		now, err := v.Head(ctx, rec.Name)
		raised = false
		if err != nil || now.Version != rec.Version {
			return nil, err
		}
		before, there, err := alarmAt(ctx, v, a.name())
		if err != nil || there && before.Text == a.Text && before.State != Withdrawn {
			return nil, err
		}
		next := Raise(a, v.Time(), s.Timers)
		raised = true
		return next.drafts(v.Time()), nil
	}}
	return act{w, func() {
		if raised {
			s.observe(string(Notified))
		}
	}}
}

// withdraw is the writes that end the alarms of results that are no cause any more.
func (s *Alarms) withdraw(ctx context.Context, recs []hub.Record) ([]act, error) {
	names := make([]hub.Name, len(recs))
	for i := range recs {
		names[i] = hub.Name{Type: "CommunicationRequest", ID: AlarmID(recs[i].Name.String())}
	}
	if len(names) == 0 {
		return nil, nil
	}
	heads, err := s.Follower.Heads(ctx, names)
	if err != nil {
		return nil, err
	}
	var acts []act
	for i := range recs {
		if heads[i].Version == 0 || heads[i].Deleted {
			continue
		}
		rec := &recs[i]
		a := Alarm{ID: names[i].ID}
		ended := false
		w := commit.Write{Member: Origin, Names: []hub.Name{rec.Name, a.name(), a.flag()}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
			now, err := v.Head(ctx, rec.Name)
			ended = false
			if err != nil || now.Version != rec.Version {
				return nil, err
			}
			before, there, err := alarmAt(ctx, v, a.name())
			if err != nil || !there || !before.Open() {
				return nil, err
			}
			next := before.Withdraw()
			ended = true
			return next.drafts(v.Time()), nil
		}}
		acts = append(acts, act{w, func() {
			if ended {
				s.observe(string(Withdrawn))
			}
		}})
	}
	return acts, nil
}

// alarmAt reads an alarm at the tail. What somebody else put under its name is none.
func alarmAt(ctx context.Context, v *commit.View, n hub.Name) (a Alarm, there bool, err error) {
	head, err := v.Head(ctx, n)
	if err != nil || head.Version == 0 || head.Deleted {
		return a, false, err
	}
	rec, err := v.Record(ctx, n)
	if err != nil {
		return a, false, err
	}
	a, there = ReadAlarm(&rec)
	return a, there && rec.Member == Origin, nil
}

// drafts are the resources of an alarm as it is at a time.
func (a *Alarm) drafts(at time.Time) []commit.Draft {
	list := []commit.Draft{draft(a.name(), a.request())}
	if a.Patient != "" {
		list = append(list, draft(a.flag(), a.warning(at)))
	}
	return list
}

// draft makes a draft of a resource.
func draft(n hub.Name, o object) commit.Draft {
	return commit.Draft{Name: n, Body: func(version uint64, at time.Time) []byte {
		body, _ := encode(o)
		doc, err := fhir.Parse(body, fhir.Limits{})
		if err != nil {
			return body
		}
		return doc.Splice(n.ID, version, at)
	}}
}

func (s *Alarms) observe(what string) {
	if s.Observe != nil {
		s.Observe(what)
	}
}

// sighting is the write that keeps a local code that an Observation is tagged with, if that is not known to be there. The
// tag is believed only of the member whose code it is.
func (s *Alarms) sighting(rec *hub.Record, o fhir.Value) (act, bool) {
	for tag := range o.Get("meta").Get("tag").Items() {
		if tag.Get("system").Text() != UnmappedSystem {
			continue
		}
		res := ReadResult(o)
		one, ok := SightingOf(Question{Member: rec.Member, Codings: res.Codings, Name: res.Name, Unit: res.Unit, Specimen: res.Specimen})
		id := one.ID()
		if !ok || id != tag.Get("code").Text() {
			continue
		}
		if _, known := s.known.Load(id); known {
			return act{}, false
		}
		one.First, one.Example = rec.Time, rec.Name.String()
		name := hub.Name{Type: SightingType, ID: id}
		w := commit.Write{Member: rec.Member, Names: []hub.Name{name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
			head, err := v.Head(ctx, name)
			if err != nil || head.Version > 0 {
				return nil, err
			}
			body, _ := json.Marshal(one)
			return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return body }}}, nil
		}}
		return act{w, func() { s.known.Store(id, true) }}, true
	}
	return act{}, false
}
