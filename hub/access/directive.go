package access

import (
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/fhir"
)

// MemberSystem is the system of identifiers that are ids of members.
const MemberSystem = "urn:concord:member"

// Hub is the member name on records that the hub makes itself. No institution can have it.
const Hub = "concord"

// Disclosure is what a patient's directive is asked about: a member about to be told of a resource that another wrote.
type Disclosure struct {
	// To is the member that would be told, Of the type of the resource.
	To, Of string
	// Labels are the resource's security labels (meta.security).
	Labels []Label
	// Taken are the times that the resource says it is about; none when it says none.
	Taken []Span
	At    time.Time
}

// Span is a time from its first to its last millisecond, as hub.Instant.
type Span struct{ From, To float64 }

// Label is a code of a security label.
type Label struct{ System, Code string }

// Directive is a Consent resource of R4 as far as the hub carries it out: who may be told of a patient's results.
//
// A directive withholds; it never opens what a label or another directive keeps shut. What it restricts its permissions by and the hub
// cannot check (a purpose, an action, a code) is taken as not met, and what it restricts its denials by as met.
type Directive struct {
	// Patient is whom it is about, as "Patient/abc".
	Patient string
	// optOut: nothing is disclosed but what a provision permits.
	optOut bool
	root   provision
}

type provision struct {
	set        bool // anything is said at all
	denies     bool
	period     *Span
	members    []string // by id; nil: everybody
	types      []string // of resources; nil: all
	labels     []Label
	data       *Span
	unknown    bool // limited by what the hub cannot check
	exceptions []provision
}

// ReadDirective reads a Consent. ok is false where it directs nothing: it is not active, names no patient, or is about something
// else than privacy.
func ReadDirective(rec *hub.Record) (d Directive, ok bool) {
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return d, false
	}
	root := doc.Root()
	d.Patient = root.Get("patient").Get("reference").Text()
	if root.Get("status").Text() != "active" || d.Patient == "" || !aboutPrivacy(root) {
		return d, false
	}
	for c := range root.Get("policyRule").Get("coding").Items() {
		if code := c.Get("code").Text(); code == "OPTOUT" || code == "OPTOUTE" { // v3 ActConsentDirective
			d.optOut = true
		}
	}
	d.root = readProvision(root.Get("provision"), 0)
	return d, true
}

// aboutPrivacy: a scope that is not stated is taken as meant; others of R4's consentscope are adr, research and treatment.
func aboutPrivacy(root fhir.Value) bool {
	stated := false
	for c := range root.Get("scope").Get("coding").Items() {
		if c.Get("code").Text() == "patient-privacy" {
			return true
		}
		stated = true
	}
	return !stated
}

// deepestProvision is how far provisions within provisions are read; below it they are taken as limited by what cannot be checked.
const deepestProvision = 8

func readProvision(v fhir.Value, depth int) provision {
	if v.Kind() != fhir.Object {
		return provision{}
	}
	p := provision{set: true, denies: v.Get("type").Text() == "deny", unknown: depth > deepestProvision}
	p.period, p.data = period(v.Get("period")), period(v.Get("dataPeriod"))
	for _, name := range []string{"purpose", "code", "action"} {
		p.unknown = p.unknown || v.Get(name).Kind() == fhir.Array
	}
	for a := range v.Get("actor").Items() {
		p.members = append(p.members, actorOf(a.Get("reference")))
	}
	for c := range v.Get("class").Items() {
		p.types = append(p.types, c.Get("code").Text())
	}
	for c := range v.Get("securityLabel").Items() {
		p.labels = append(p.labels, Label{c.Get("system").Text(), c.Get("code").Text()})
	}
	p.unknown = p.unknown || v.Get("data").Kind() == fhir.Array
	if depth > deepestProvision {
		return p
	}
	for inner := range v.Get("provision").Items() {
		p.exceptions = append(p.exceptions, readProvision(inner, depth+1))
	}
	return p
}

// period reads a Period; nil where none is stated.
func period(v fhir.Value) *Span {
	lo, hi, ok := fhir.Bounds(v, fhir.ChinaTime())
	if !ok {
		return nil
	}
	return &Span{lo, hi}
}

// actorOf is the member that an actor names: by an identifier that is its id, or as an Organization of that id.
func actorOf(reference fhir.Value) string {
	if id := reference.Get("identifier").Get("value").Text(); id != "" {
		return id
	}
	return strings.TrimPrefix(reference.Get("reference").Text(), "Organization/")
}

// Denies says whether the directive withholds a resource.
func (d *Directive) Denies(w Disclosure) bool {
	verdict := d.optOut
	if d.root.set {
		verdict = d.root.decide(verdict, w)
	}
	return verdict
}

// decide is what remains of a verdict after the provision: that of the provision where it is met, and of those of its exceptions that
// are; of several that disagree, the one that denies.
func (p *provision) decide(denied bool, w Disclosure) bool {
	if !p.met(w) {
		return denied
	}
	denied = p.denies
	for i := range p.exceptions {
		if e := &p.exceptions[i]; e.met(w) {
			if denied = e.decide(denied, w); denied {
				return true
			}
		}
	}
	return denied
}

func (p *provision) met(w Disclosure) bool {
	if p.unknown && !p.denies {
		return false
	}
	now := hub.Instant(w.At)
	switch {
	case p.period != nil && (now < p.period.From || now > p.period.To):
		return false
	case p.members != nil && !slices.Contains(p.members, w.To):
		return false
	case p.types != nil && !slices.Contains(p.types, w.Of):
		return false
	case p.labels != nil && !slices.ContainsFunc(p.labels, func(l Label) bool { return slices.Contains(w.Labels, l) }):
		return false
	case p.data == nil:
		return true
	case len(w.Taken) == 0:
		return p.denies // nobody can tell
	}
	return slices.ContainsFunc(w.Taken, func(t Span) bool { return t.From <= p.data.To && t.To >= p.data.From })
}
