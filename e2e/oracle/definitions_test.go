package oracle

import (
	"strings"
	"testing"
)

// TestEveryExpressionYieldsWhatItsTypeCanMatch runs all expressions on all examples: none may fail, and of each type of
// parameter many must find something.
func TestEveryExpressionYieldsWhatItsTypeCanMatch(t *testing.T) {
	d := definitions(t)
	s := NewStore(d, "http://hub.example/fhir")
	for _, body := range examples(t) {
		s.Add(body)
	}
	all, lively := map[string]int{}, map[string]int{}
	for _, typ := range d.types {
		for _, p := range d.Params(typ) {
			all[p.Type]++
			for _, r := range s.Of(typ) {
				if f := s.Facts(r, p); f.count()+len(f.Groups) > 0 {
					lively[p.Type]++
					break
				}
			}
		}
	}
	t.Logf("parameters by type: %v, with values in the examples: %v", all, lively)
	for typ, n := range all {
		if typ != "special" && lively[typ]*10 < n {
			t.Errorf("of %d parameters of type %s only %d find anything", n, typ, lively[typ])
		}
	}
	if n := all["token"] + all["reference"]; n < 1000 {
		t.Errorf("only %d token and reference parameters", n)
	}
}

func TestExpressionsAreReadWithTheirPrecedence(t *testing.T) {
	d := definitions(t)
	body, err := decode([]byte(`{"resourceType":"Patient","active":true,"name":[{"family":"A","given":["b","c"]},{"family":"D"}],"deceasedDateTime":"2020",
		"link":[{"other":{"reference":"Patient/1"}},{"other":{"reference":"RelatedPerson/2"}}],"extension":[{"url":"u","valueString":"x"},{"url":"v","valueCode":"y"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		"Patient.name.given":                                       "b c",
		"Patient.name[1].family | Patient.name[0].given":           "D b c",
		"(Patient.deceased as dateTime)":                           "2020",
		"Patient.deceased.as(boolean)":                             "",
		"Patient.deceased.ofType(dateTime)":                        "2020",
		"Observation.status | Patient.active":                      "true",
		"Patient.name.where(family='D').family":                    "D",
		"Patient.link.other.where(resolve() is Patient).reference": "Patient/1",
		"Patient.extension('u').value":                             "x",
		"Patient.extension.where(url = 'v').value":                 "y",
		"Patient.deceased.exists() and Patient.deceased != false":  "true",
		"Patient.name.exists()":                                    "true",
		"%resource.active":                                         "true",
	} {
		e, err := parsePath(expression)
		if err != nil {
			t.Error(err)
			continue
		}
		root := Node{Type: "Patient", Value: body}
		var got []string
		for _, n := range (evaluator{d, root}).eval(e, root) {
			got = append(got, n.text())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s yields %v, want %s", expression, got, want)
		}
	}
	for _, bad := range []string{"", "Patient.", "(Patient", "Patient.name[0", "Patient name", "a |"} {
		if _, err := parsePath(bad); err == nil {
			t.Errorf("%q is no expression", bad)
		}
	}
}

func TestNamesAreComparedWithoutCaseAccentAndWidth(t *testing.T) {
	for in, want := range map[string]string{
		"Ｗａｎｇ  Müller": "wang muller", "Straße": "strasse", "E\u0301cole": "ecole", "张 伟": "张 伟", "　A\tB ": "a b",
	} {
		if got := normalise(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
