package laboratory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"concord/hub"
	"concord/hub/laboratory"
	"concord/hub/messages"
)

// isolate is a result of an order; From names the result that it was made from as a mapping does.
type isolate struct{ Control, Patient, Order, Code, Sub, From, Status string }

// cultures maps messages that are an isolate in JSON.
type cultures struct{}

func (cultures) Map(_ context.Context, member string, in *messages.Incoming) (*messages.Mapping, error) {
	var i isolate
	if err := json.Unmarshal(in.Raw, &i); err != nil {
		return nil, err
	}
	m := &messages.Mapping{Rules: "cultures@1"}
	add := func(typ, id, part, body string) string {
		m.Resources = append(m.Resources, messages.Resource{Name: hub.Name{Type: typ, ID: id}, Part: part, Body: fmt.Appendf(nil, `{"resourceType":%q,%s}`, typ, body)})
		return typ + "/" + id
	}
	patient := add("Patient", member+"-"+i.Patient, "", `"active":true`)
	order := add("ServiceRequest", member+"-"+i.Order, "", fmt.Sprintf(`"status":"completed","intent":"order","subject":{"reference":%q},"identifier":[{"system":"urn:lis","value":%q}]`, patient, i.Order))
	from := ""
	if i.From != "" {
		from = fmt.Sprintf(`,"derivedFrom":[{"type":"Observation","identifier":{"system":%q,"value":%q}}]`, laboratory.ParentSystem, i.From)
	}
	add("Observation", member+"-"+i.Order+"-"+i.Code+"-"+i.Sub, i.Order+" "+i.Sub, fmt.Sprintf(`"status":%q,"code":{"coding":[{"system":"urn:lis","code":%q}]},"subject":{"reference":%q},"basedOn":[{"reference":%q}],
		"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/observation-v2-subid","valueString":%q}]%s`, i.Status, i.Code, patient, order, i.Sub, from))
	return m, nil
}

func (w *world) isolate(member string, i isolate) *messages.Message {
	w.t.Helper()
	if i.Patient == "" {
		i.Patient = "p1"
	}
	if i.Status == "" {
		i.Status = "final"
	}
	if i.Sub == "" {
		i.Sub = "0"
	}
	raw, _ := json.Marshal(i)
	out, err := w.intake.Take(w.t.Context(), as(member), messages.Incoming{Format: "cultures", Type: "R", Sender: "LIS", Raw: raw, Control: string(raw)})
	if err != nil {
		w.t.Fatal(err)
	}
	if out.Message.Status != messages.Mapped {
		w.t.Fatalf("%s: %+v", out.Message.Status, out.Message.Faults)
	}
	return &out.Message
}

// from is what a result says that it was made from.
func (w *world) from(order string) string {
	w.t.Helper()
	for _, body := range w.find("Observation", "code=OXA") {
		if strings.Contains(body, `"ServiceRequest/`+order+`"`) {
			_, from, _ := strings.Cut(body, `"derivedFrom":`)
			return from
		}
	}
	w.t.Fatalf("no result of %s", order)
	return ""
}

func newCultures(t *testing.T) *world {
	w := newWorld(t, newHouse(t))
	w.intake.Mappers["cultures"] = cultures{}
	w.intake.Refiners = append(w.intake.Refiners, &laboratory.Parents{Follower: w.follower})
	return w
}

func TestAResultIsLinkedWithItsParentOfAnEarlierMessage(t *testing.T) {
	for name, c := range map[string]struct {
		from, patient string
		fault         string
		linked        bool
	}{
		"by the number of its order":                        {from: "ORG|2|F1", linked: true},
		"by code and sub-id alone, where only one has them": {from: "ORG|3|", linked: true},
		"but not where two have them":                       {from: "ORG|1|", fault: "several results"},
		"nor with that of another order":                    {from: "ORG|2|F9", fault: "no message"},
		"nor with another isolate":                          {from: "ORG|7|F1", fault: "no message"},
		"nor with another patient's":                        {from: "ORG|2|F1", patient: "p2", fault: "no message"},
		"nor by a code that is another's search parameter":  {from: "ORG,XX|2|F1", fault: "no message"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCultures(t)
			for _, one := range []isolate{{Order: "F1", Sub: "1"}, {Order: "F1b", Sub: "2"}, {Order: "F1c", Sub: "3"}, {Order: "F8", Sub: "1"}} {
				one.Code = "ORG"
				w.isolate("county", one)
			}
			w.isolate("county", isolate{Order: "F1", Code: "ORG", Sub: "2"})
			w.isolate("village", isolate{Order: "F1", Code: "ORG", Sub: "3"})
			m := w.isolate("county", isolate{Order: "F2", Code: "OXA", From: c.from, Patient: c.patient})
			got := w.from("county-F2")
			if linked := strings.Contains(got, `"reference":"Observation/county-`); linked != c.linked || !strings.Contains(got, c.from) {
				t.Errorf("it is made from %s", got)
			}
			if c.fault == "" != (len(m.Faults) == 0) || c.fault != "" && !strings.HasPrefix(m.Faults[0].Msg, c.fault) {
				t.Errorf("faults: %+v", m.Faults)
			}
		})
	}
}

func TestALinkWithAParentOutlivesItsCorrectionAndAnEarlierChildFindsItWhenMappedAgain(t *testing.T) {
	w := newCultures(t)
	child := w.isolate("county", isolate{Order: "F2", Code: "OXA", From: "ORG|2|F1"})
	if len(child.Faults) != 1 || child.Faults[0].Fatal || child.Faults[0].Place != "OBR-26" {
		t.Fatalf("a parent that has not come is no note: %+v", child.Faults)
	}
	w.isolate("county", isolate{Order: "F1", Code: "ORG", Sub: "2"})
	again, err := w.intake.Replay(t.Context(), as("county"), child.ID, "county")
	if err != nil || len(again.Faults) != 0 {
		t.Fatalf("%v: %+v", err, again.Faults)
	}
	const parent = `"reference":"Observation/county-F1-ORG-2"`
	if got := w.from("county-F2"); !strings.Contains(got, parent) {
		t.Errorf("mapped again it is made from %s", got)
	}
	w.isolate("county", isolate{Order: "F1", Code: "ORG", Sub: "2", Status: "corrected"})
	if got := w.from("county-F2"); !strings.Contains(got, parent) {
		t.Errorf("after the parent's correction it is made from %s", got)
	}
	if got := w.find("Observation", "_id=county-F1-ORG-2"); len(got) != 1 || !strings.Contains(got[0], `"corrected"`) {
		t.Errorf("the parent is %s", got)
	}
	if got := w.find("Observation", "derived-from=Observation/county-F1-ORG-2"); len(got) != 1 {
		t.Errorf("%d results are found by what they are made from", len(got))
	}
	if p, err := w.intake.PreviewAgain(t.Context(), as("county"), child.ID); err != nil || len(p.Differences) != 0 {
		t.Errorf("mapping it once more would change %+v (%v)", p.Differences, err)
	}
}
