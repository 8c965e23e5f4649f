package laboratory

import (
	"encoding/json"
	"slices"
	"time"

	"concord/hub"
	"concord/internal/fhir"
)

// State is where an alarm is.
type State string

// The states. An alarm is withdrawn when the result was corrected so that it is not critical any more.
const (
	Notified     State = "notified"
	Acknowledged State = "acknowledged"
	Acted        State = "acted"
	Closed       State = "closed"
	Withdrawn    State = "withdrawn"
)

// Step is what somebody does about an alarm.
type Step string

// The steps.
const (
	Acknowledge Step = "acknowledge"
	Act         Step = "act"
	Close       Step = "close"
)

// steps says from which states a step leads where. Who acts has taken note: acting does not wait for an acknowledgement.
var steps = map[Step]struct {
	from []State
	to   State
}{
	Acknowledge: {[]State{Notified}, Acknowledged},
	Act:         {[]State{Notified, Acknowledged}, Acted},
	Close:       {[]State{Acted}, Closed},
}

// Timers are how long the steps may take. Zero values mean the defaults.
type Timers struct {
	Acknowledge time.Duration // from the notification; default 10 min
	Act         time.Duration // from the notification; default 30 min
	Again       time.Duration // between escalations; default 10 min
	Most        int           // escalations of one alarm; default 6
	// Fresh is how old a result may be, from when its specimen was taken, to be an alarm or to be checked against former
	// ones: what comes later is history; default 24 h.
	Fresh time.Duration
}

// OrDefault fills in the defaults.
func (t Timers) OrDefault() Timers {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&t.Acknowledge, 10*time.Minute)
	def(&t.Act, 30*time.Minute)
	def(&t.Again, 10*time.Minute)
	def(&t.Fresh, 24*time.Hour)
	if t.Most == 0 {
		t.Most = 6
	}
	return t
}

// Alarm is a critical value on its way: a CommunicationRequest, with a Flag on the patient while it is open, and a
// Communication for each step and escalation.
type Alarm struct {
	ID          string
	State       State
	Patient     string   // reference
	Observation string   // reference
	Encounter   string   // reference, or empty
	Member      string   // whose laboratory it is
	Recipients  []string // references: who ordered it and who attends to the patient, as far as known
	Text        string   // what is notified: the item, the value, why it is critical
	Raised      time.Time
	// AckBy and ActBy are when the steps must have been taken; Due when the next escalation is, zero for none.
	AckBy, ActBy, Due time.Time
	Escalations       int
}

// AlarmID is the id of the alarm of an Observation, and of its Flag.
func AlarmID(observation string) string { return identify("alarm", observation) }

// Raise makes an alarm.
func Raise(a Alarm, at time.Time, t Timers) Alarm {
	t = t.OrDefault()
	a.ID, a.State, a.Raised, a.Escalations = AlarmID(a.Observation), Notified, at, 0
	a.AckBy, a.ActBy = at.Add(t.Acknowledge), at.Add(t.Act)
	a.Due = a.AckBy
	return a
}

// Open tells whether something is still to be done.
func (a *Alarm) Open() bool { return a.State != Closed && a.State != Withdrawn }

// Overdue tells whether the next step should have been taken by now. The moment itself is in time.
func (a *Alarm) Overdue(now time.Time) bool {
	switch a.State {
	case Notified:
		return now.After(a.AckBy)
	case Acknowledged:
		return now.After(a.ActBy)
	}
	return false
}

// Take takes a step at a time; a Conflict where the alarm is not in a state for it.
func (a Alarm) Take(step Step, at time.Time) (Alarm, error) {
	s, ok := steps[step]
	if !ok {
		return a, &hub.Error{Kind: hub.Invalid, Path: "step", Msg: "there is no such step", Hint: "acknowledge, act or close"}
	}
	if !slices.Contains(s.from, a.State) {
		return a, &hub.Error{Kind: hub.Conflict, Path: "state", Msg: "the critical value is " + string(a.State) + "; it cannot be " + string(s.to) + " from there"}
	}
	a.State, a.Due = s.to, time.Time{}
	if s.to == Acknowledged {
		a.Due = a.ActBy
		if a.Due.Before(at) {
			a.Due = at
		}
	}
	return a, nil
}

// Escalate is what an alarm becomes when it is due; due is false where it is not.
func (a Alarm) Escalate(now time.Time, t Timers) (next Alarm, due bool) {
	t = t.OrDefault()
	if !a.Open() || a.Due.IsZero() || now.Before(a.Due) {
		return a, false
	}
	a.Escalations++
	a.Due = now.Add(t.Again)
	if a.Escalations >= t.Most {
		a.Due = time.Time{}
	}
	return a, true
}

// Withdraw ends an alarm whose result is not critical any more.
func (a Alarm) Withdraw() Alarm {
	a.State, a.Due = Withdrawn, time.Time{}
	return a
}

func (a *Alarm) name() hub.Name { return hub.Name{Type: "CommunicationRequest", ID: a.ID} }
func (a *Alarm) flag() hub.Name { return hub.Name{Type: "Flag", ID: a.ID} }

// What finds alarms among CommunicationRequests and Flags.
const criticalCode = "critical-value"

func criticalConcept() object {
	return object{"coding": []any{object{"system": System, "code": criticalCode, "display": "Critical value (危急值)"}}}
}

// request is the CommunicationRequest (R4 communicationrequest.html). Its occurrence is when somebody must have moved, or
// else it is escalated.
func (a *Alarm) request() object {
	o := object{
		"resourceType": "CommunicationRequest", "id": a.ID, "status": a.status(), "priority": "stat",
		"category":   []any{criticalConcept()},
		"subject":    object{"reference": a.Patient},
		"about":      []any{object{"reference": a.Observation}},
		"payload":    []any{object{"contentString": a.Text}},
		"authoredOn": a.Raised.UTC().Format(fhir.InstantFormat),
		"sender":     object{"type": "Organization", "identifier": object{"system": "urn:concord:member", "value": a.Member}},
		"extension": []any{
			object{"url": System + ":state", "valueCode": string(a.State)},
			object{"url": System + ":escalations", "valueUnsignedInt": a.Escalations},
			object{"url": System + ":acknowledge-by", "valueInstant": a.AckBy.UTC().Format(fhir.InstantFormat)},
			object{"url": System + ":act-by", "valueInstant": a.ActBy.UTC().Format(fhir.InstantFormat)},
		},
	}
	if a.Encounter != "" {
		o["encounter"] = object{"reference": a.Encounter}
	}
	if len(a.Recipients) > 0 {
		list := make([]any, len(a.Recipients))
		for i, ref := range a.Recipients {
			list[i] = object{"reference": ref}
		}
		o["recipient"] = list
	}
	if !a.Due.IsZero() {
		o["occurrenceDateTime"] = a.Due.UTC().Format(fhir.InstantFormat)
	}
	return o
}

func (a *Alarm) status() string {
	switch a.State {
	case Closed:
		return "completed"
	case Withdrawn:
		return "revoked"
	}
	return "active"
}

// warning is the Flag on the patient.
func (a *Alarm) warning(at time.Time) object {
	period := object{"start": a.Raised.UTC().Format(fhir.InstantFormat)}
	status := "active"
	if !a.Open() {
		status, period["end"] = "inactive", at.UTC().Format(fhir.InstantFormat)
	}
	o := object{
		"resourceType": "Flag", "id": a.ID, "status": status,
		"category":  []any{object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "lab"}}}},
		"code":      object{"coding": criticalConcept()["coding"], "text": a.Text},
		"subject":   object{"reference": a.Patient},
		"period":    period,
		"extension": []any{object{"url": "http://hl7.org/fhir/StructureDefinition/flag-detail", "valueReference": object{"reference": a.Observation}}},
	}
	if a.Encounter != "" {
		o["encounter"] = object{"reference": a.Encounter}
	}
	return o
}

// ReadAlarm reads a CommunicationRequest that is an alarm; ok is false for another.
func ReadAlarm(rec *hub.Record) (a Alarm, ok bool) {
	doc, err := fhir.DocOf(rec)
	if err != nil || rec.Name.Type != "CommunicationRequest" {
		return a, false
	}
	v := doc.Root()
	a = Alarm{ID: rec.Name.ID, Patient: v.Get("subject").Get("reference").Text(), Encounter: v.Get("encounter").Get("reference").Text(),
		Member: v.Get("sender").Get("identifier").Get("value").Text(), Raised: instant(v.Get("authoredOn").Text()), Due: instant(v.Get("occurrenceDateTime").Text())}
	for about := range v.Get("about").Items() {
		a.Observation = about.Get("reference").Text()
	}
	for to := range v.Get("recipient").Items() {
		a.Recipients = append(a.Recipients, to.Get("reference").Text())
	}
	for p := range v.Get("payload").Items() {
		a.Text = p.Get("contentString").Text()
	}
	for e := range v.Get("extension").Items() {
		switch e.Get("url").Text() {
		case System + ":state":
			a.State = State(e.Get("valueCode").Text())
		case System + ":escalations":
			json.Unmarshal([]byte(e.Get("valueUnsignedInt").Text()), &a.Escalations)
		case System + ":acknowledge-by":
			a.AckBy = instant(e.Get("valueInstant").Text())
		case System + ":act-by":
			a.ActBy = instant(e.Get("valueInstant").Text())
		}
	}
	return a, a.State != "" && a.ID == AlarmID(a.Observation)
}
