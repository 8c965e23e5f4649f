package advice

import (
	"context"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// Subject is whom an asker means by one of its own patients.
type Subject struct {
	Patient string // the hub's: "Patient/1"
	// Doubts are where what the asker says of the patient contradicts the hub's record.
	Doubts []Doubt
}

// Question is one about the subject. Nothing is recognised where there are doubts.
func (s Subject) Question() Question {
	return Question{Patient: s.Patient, Doubtful: len(s.Doubts) > 0, read: true}
}

// Doubt is something that was sent and contradicts the hub. It is not believed.
type Doubt struct {
	Element          string
	Chinese, English string
}

// Subject finds the Patient of the caller's own member that a client means by an id of its own, sent with the Patient as it
// has it (absent: nothing more is known). A Patient of that id counts only where the caller's member wrote it, or it was made
// of what that member sent: another member's patient may have the same id. Else the member's Patient with one of the sent
// identifiers is taken, if there is one and no other. There being none is NotFound.
func (a *Adviser) Subject(ctx context.Context, who access.Caller, id string, sent fhir.Value) (Subject, error) {
	if err := who.May(access.Read, "Patient"); err != nil {
		return Subject{}, err
	}
	name := hub.Name{Type: "Patient", ID: id}
	rec, err := a.Reader.Read(ctx, who, a.Records, name)
	if err != nil && !hub.Is(err, hub.NotFound) && !hub.Is(err, hub.Gone) {
		return Subject{}, err
	}
	if err == nil {
		doc, err := fhir.Parse(rec.Body, fhir.Limits{})
		if err != nil {
			return Subject{}, err
		}
		if producerOf(&rec, doc.Root()) == who.Member {
			return Subject{name.String(), contradictions(doc.Root(), sent, id)}, nil
		}
	}
	return a.byIdentifier(ctx, who, sent)
}

// byIdentifier finds the one Patient of the caller's member that has one of the identifiers sent.
func (a *Adviser) byIdentifier(ctx context.Context, who access.Caller, sent fhir.Value) (Subject, error) {
	none := &hub.Error{Kind: hub.NotFound, Path: "patient", Msg: "the member has no such patient at the hub"}
	var tokens []string
	for i := range sent.Get("identifier").Items() {
		if system, value := i.Get("system").Text(), i.Get("value").Text(); system != "" && value != "" && len(tokens) < 20 {
			tokens = append(tokens, fhir.Escape(system)+"|"+fhir.Escape(value))
		}
	}
	if len(tokens) == 0 {
		return Subject{}, none
	}
	q, err := compile("Patient", "_lastUpdated", fhir.Pair{Name: "identifier", Value: strings.Join(tokens, ",")})
	if err != nil {
		return Subject{}, err
	}
	q.Limit = 50
	found, err := a.Reader.Search(ctx, who, []hub.Partition{a.Records}, q, "recognition")
	if err != nil {
		return Subject{}, err
	}
	var mine []Subject
	for i := range found.Records {
		rec := &found.Records[i]
		doc, err := fhir.Parse(rec.Body, fhir.Limits{})
		if err != nil {
			return Subject{}, err
		}
		if producerOf(rec, doc.Root()) == who.Member {
			mine = append(mine, Subject{rec.Name.String(), contradictions(doc.Root(), sent, "")})
		}
	}
	if len(mine) != 1 || found.Next != nil {
		return Subject{}, none
	}
	return mine[0], nil
}

// contradictions compares the hub's Patient with the one that was sent. What either leaves out contradicts nothing.
func contradictions(own, sent fhir.Value, id string) (doubts []Doubt) {
	if sent.Kind() != fhir.Object {
		return nil
	}
	if given := sent.Get("id").Text(); id != "" && given != "" && given != id {
		doubts = append(doubts, Doubt{"prefetch.patient.id", "预取的患者不是本患者", "the prefetched patient is another one"})
	}
	for _, e := range []struct{ element, chinese, english string }{
		{"birthDate", "出生日期与平台记录不符", "the birth date is not the hub's"},
		{"gender", "性别与平台记录不符", "the gender is not the hub's"},
	} {
		mine, yours := own.Get(e.element).Text(), sent.Get(e.element).Text()
		if mine != "" && yours != "" && mine != yours && !strings.HasPrefix(mine, yours) && !strings.HasPrefix(yours, mine) {
			doubts = append(doubts, Doubt{"prefetch.patient." + e.element, e.chinese, e.english})
		}
	}
	have := identifiers(own)
	for system, values := range identifiers(sent) {
		if mine := have[system]; len(mine) > 0 && !slices.ContainsFunc(values, func(v string) bool { return slices.Contains(mine, v) }) {
			doubts = append(doubts, Doubt{"prefetch.patient.identifier", "证件或卡号与平台记录不符", "an identifier is not the hub's"})
			break
		}
	}
	return doubts
}

// identifiers are the values by system.
func identifiers(patient fhir.Value) map[string][]string {
	all := map[string][]string{}
	for i := range patient.Get("identifier").Items() {
		if system, value := i.Get("system").Text(), i.Get("value").Text(); system != "" && value != "" && i.Get("use").Text() != "old" {
			all[system] = append(all[system], strings.ToUpper(value))
		}
	}
	return all
}

// Differs says that a resource which was sent is not as the hub has it: another status, time, value or patient.
func (r *Result) Differs(sent fhir.Value) bool {
	when := taken(sent)
	if r.Name.Type == "ImagingStudy" {
		when = span(sent.Get("started").Text())
	}
	return sent.Get("status").Text() != r.Status || patientOf(sent) != r.Patient ||
		!when.Earliest.Equal(r.Taken.Earliest) || !when.Latest.Equal(r.Taken.Latest) || r.ID == r.Name.String() && value(sent) != r.Value
}

// Encounter is the class of an Encounter that the caller's member has at the hub under this id; empty where there is none.
func (a *Adviser) Encounter(ctx context.Context, who access.Caller, id string) (class string, err error) {
	if who.May(access.Read, "Encounter") != nil {
		return "", nil
	}
	rec, err := a.Reader.Read(ctx, who, a.Records, hub.Name{Type: "Encounter", ID: id})
	if hub.Is(err, hub.NotFound) || hub.Is(err, hub.Gone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil || producerOf(&rec, doc.Root()) != who.Member {
		return "", err
	}
	return doc.Root().Get("class").Get("code").Text(), nil
}
