package story

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

type object = map[string]any

// exam is a thing to order.
type exam struct{ loinc, display, text string }

func chestCT() exam { return exam{"29252-4", "CT Chest WO contrast", "胸部CT平扫"} }
func headCT() exam  { return exam{"30799-1", "CT Head WO contrast", "头颅CT平扫"} }
func creatinine() exam {
	return exam{"14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "肌酐"}
}

// question is the body of $find-recognisable: the order as a draft that is not sent anywhere, and the class of the
// encounter by HL7 v3 ActCode.
func question(e exam, patient, class string, now time.Time) []byte {
	order := object{
		"resourceType": "ServiceRequest", "status": "draft", "intent": "order",
		"code":       object{"coding": []any{object{"system": "http://loinc.org", "code": e.loinc, "display": e.display}}, "text": e.text},
		"subject":    object{"reference": patient},
		"authoredOn": now.Format(time.RFC3339),
	}
	body, _ := json.Marshal(object{"resourceType": "Parameters", "parameter": []any{
		object{"name": "order", "resource": order},
		object{"name": "encounter-class", "valueCode": class},
	}})
	return body
}

// parameter is one of the answer's.
type parameter struct {
	Name    string `json:"name"`
	Code    string `json:"valueCode"`
	Text    string `json:"valueString"`
	Time    string `json:"valueDateTime"`
	URL     string `json:"valueUrl"`
	Subject struct {
		Reference string `json:"reference"`
	} `json:"valueReference"`
	Part []parameter `json:"part"`
}

func (p parameter) part(name string) parameter {
	for _, c := range p.Part {
		if c.Name == name {
			return c
		}
	}
	return parameter{}
}

// ask asks the hub about an order, prints its answer as a table, all of it or only what did not simply pass, and checks
// the outcome. It returns the first candidate.
func (t *teller) ask(ctx context.Context, who Institution, e exam, class, want string, all bool) (parameter, error) {
	a, err := t.do(ctx, call{who: who, method: http.MethodPost, path: "/fhir/ServiceRequest/$find-recognisable",
		headers: []string{"Content-Type", fhirJSON}, body: question(e, t.patient, class, t.Now), want: []int{200}, lines: -1})
	if err != nil {
		return parameter{}, err
	}
	var got struct {
		Parameter []parameter `json:"parameter"`
	}
	if err := a.decode(&got); err != nil {
		return parameter{}, err
	}
	decision := parameter{Part: got.Parameter}
	outcome := decision.part("outcome").Code
	t.line("")
	t.line("      " + t.bold("outcome "+outcome) + "   " + says(outcome))
	t.reasons(decision, true)
	first := decision.part("candidate")
	if first.Name != "" {
		t.line("      " + first.part("result").Subject.Reference)
		head := "      " + first.part("outcome").Code
		if until := first.part("expires").Time; until != "" {
			head += "   时限至 window ends " + until
		}
		t.line(head)
		t.reasons(first, all)
	}
	if outcome != want {
		return first, fmt.Errorf("the order of %s (%s) should be %s, the hub says %q", e.display, class, want, outcome)
	}
	return first, nil
}

// reasons prints the reasons of a decision or a candidate, one a row; unless all are asked for, those passed are counted.
func (t *teller) reasons(of parameter, all bool) {
	marks := map[string]string{"pass": "✓", "fail": "✗", "warn": "!", "unknown": "?"}
	var rows [][]string
	passed := 0
	for _, p := range of.Part {
		if p.Name != "reason" {
			continue
		}
		effect := p.part("effect").Code
		if effect == "pass" && !all {
			passed++
			continue
		}
		rows = append(rows, []string{marks[effect], p.part("code").Code, p.part("zh").Text, p.part("en").Text})
	}
	if passed > 0 {
		rows = append(rows, []string{"✓", fmt.Sprintf("(%d)", passed), "其余各条符合", "the other rules passed"})
	}
	t.table("      ", []int{1, 21, 30, 34}, rows)
}

func says(outcome string) string {
	return map[string]string{
		"recognisable":     "可以互认，不必重做 · recognised, no need to repeat",
		"reference-only":   "仅供参考 · for reference only",
		"not-recognisable": "不能互认，照常开单 · not recognised, order it",
		"exempt":           "可以重做 · may be repeated",
	}[outcome]
}
