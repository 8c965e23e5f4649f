package fhir

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/hub"
)

var options = SearchOptions{Base: "https://hub.example/fhir", Now: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}

func compile(t testing.TB, typ, query string) *Search {
	t.Helper()
	pairs, err := Pairs(query)
	if err != nil {
		t.Fatal(err)
	}
	s, err := CompileSearch(typ, pairs, options)
	if err != nil {
		t.Fatalf("%s?%s: %v", typ, query, err)
	}
	return s
}

func TestSearchesFindWhatTheyShould(t *testing.T) {
	const heart = `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://c","code":"vital-signs"}]}],
		"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/7","identifier":{"system":"s","value":"v"}},
		"effectiveDateTime":"2020-03-01T10:00:00+08:00","valueQuantity":{"value":80,"unit":"beats/min","system":"http://unitsofmeasure.org","code":"/min"}}`
	const wang = `{"resourceType":"Patient","active":true,"identifier":[{"system":"http://id","value":"1,2"}],
		"name":[{"family":"Wang","given":["Xiǎo Míng"]}],"gender":"female","birthDate":"1970-05"}`
	const risk = `{"resourceType":"RiskAssessment","status":"final","prediction":[{"probabilityDecimal":0.25}]}`
	for _, c := range []struct {
		body string
		hit  bool
		q    string
	}{
		{heart, true, "code=8867-4"},
		{heart, true, "code=http://loinc.org|8867-4"},
		{heart, true, "code=http://loinc.org|"},
		{heart, false, "code=|8867-4"},
		{heart, false, "code=http://snomed.info/sct|8867-4"},
		{heart, true, "code=1-1,8867-4"},
		{heart, false, "code=8867-4&code=1-1"},
		{heart, true, "code:not=1-1"},
		{heart, false, "code:not=8867-4,1-1"},
		{heart, true, "status=final"},
		{heart, true, "status=|final"},
		{heart, true, "status=http://hl7.org/fhir/observation-status|final"},
		{heart, false, "status=http://other|final"},
		{heart, true, "patient=7"},
		{heart, true, "patient=Patient/7"},
		{heart, true, "subject:Patient=7"},
		{heart, false, "subject:Device=7"},
		{heart, true, "subject=7"},
		{heart, true, "subject=https://hub.example/fhir/Patient/7"},
		{heart, false, "subject=https://other.example/fhir/Patient/7"},
		{heart, true, "subject:identifier=s|v"},
		{heart, false, "subject:identifier=v2"},
		{heart, true, "date=2020-03-01"},
		{heart, true, "date=2020"},
		{heart, false, "date=2020-03-02"},
		{heart, true, "date=2020-03-01T10:00:00%2B08:00"},
		{heart, true, "date=2020-03-01T10:00:00+08:00"},
		{heart, true, "date=2020-03-01T02:00Z"},
		{heart, true, "date=ge2020-03-01&date=lt2020-03-02"},
		{heart, false, "date=gt2020-03-01"},
		{heart, false, "date=sa2020-03-01"},
		{heart, true, "date=sa2020-02-29"},
		{heart, true, "date=eb2020-03-02"},
		{heart, true, "date=le2020-03-01"},
		{heart, true, "date=ne2020-03-02"},
		{heart, false, "date=ne2020-03-01"},
		{heart, true, "date=ap2020-04"},
		{heart, false, "date=ap2023-04"},
		{heart, true, "value-quantity=80"},
		{heart, true, "value-quantity=8e1"},
		{heart, false, "value-quantity=81"},
		{heart, false, "value-quantity=80.6"},
		{heart, true, "value-quantity=gt79.9"},
		{heart, false, "value-quantity=gt80"},
		{heart, true, "value-quantity=ge80"},
		{heart, true, "value-quantity=ap75"},
		{heart, true, "value-quantity=80|http://unitsofmeasure.org|/min"},
		{heart, true, "value-quantity=80||beats/min"},
		{heart, true, "value-quantity=lt100||/min"},
		{heart, false, "value-quantity=80|http://unitsofmeasure.org|mg"},
		{heart, true, "value-quantity:missing=false"},
		{heart, true, "code-value-quantity=http://loinc.org|8867-4$gt70"},
		{heart, false, "code-value-quantity=http://loinc.org|8867-4$gt90"},
		{heart, false, "code-value-quantity=1-1$gt70"},
		{heart, true, "performer:missing=true"},
		{heart, false, "performer:missing=false"},
		{heart, true, "code:missing=false"},
		{heart, true, "_id=1"},
		{heart, false, "_id=2"},
		{wang, true, "name=wang"},
		{wang, true, "name=xiao%20m"},
		{wang, true, "family=WAN"},
		{wang, false, "family=ang"},
		{wang, true, "family:contains=ANG"},
		{wang, false, "family:contains=*"},
		{wang, true, "family:exact=Wang"},
		{wang, false, "family:exact=wang"},
		{wang, false, "family:exact=Wan"},
		{wang, true, `identifier=http://id|1\,2`},
		{wang, false, `identifier=http://id|1,2`},
		{wang, true, "active=true&gender=female,male"},
		{wang, true, "birthdate=1970"},
		{wang, true, "birthdate=ge1970-05-15"}, // the month reaches beyond
		{wang, false, "birthdate=1970-05-15"},
		{wang, false, "deceased=true"},
		{risk, true, "probability=gt0.2"},
		{risk, true, "probability=0.25"},
		{risk, true, "probability=0.3"}, // 0.3 stands for [0.25, 0.35)
		{risk, false, "probability=0.250001"},
	} {
		e := project(t, c.body)
		s := compile(t, parse(t, c.body).Type(), c.q)
		if s.Query.Matches(&e) != c.hit {
			t.Errorf("%s: hit is %v, want %v", c.q, !c.hit, c.hit)
		}
		if c.hit && len(s.Query.Routes) > 0 && !slices.Contains(s.Query.Routes, e.Route) {
			t.Errorf("%s: hit lies in %s, the query asks %v", c.q, e.Route, s.Query.Routes)
		}
	}
}

func TestSearchIsRoutedOnlyWhereEveryHitLies(t *testing.T) {
	for _, c := range []struct{ typ, q, want string }{
		{"Observation", "patient=7", "[Patient/7]"},
		{"Observation", "patient=9,7,Patient/9", "[Patient/7 Patient/9]"},
		{"Observation", "code=x&subject=Patient/7", "[Patient/7]"},
		{"Observation", "subject=7", "[]"}, // also Group, Device, Location
		{"Observation", "subject:Patient=7", "[Patient/7]"},
		{"Observation", "subject:Device=7", "[]"},
		{"Observation", "patient:missing=true", "[]"},
		{"Observation", "patient=7,http://x/Patient/1", "[]"},
		{"Observation", "patient:identifier=7", "[]"},
		{"Observation", "performer=Patient/7", "[]"},
		{"Observation", "_id=7", "[]"},
		{"Patient", "_id=7", "[Patient/7]"},
		{"Organization", "_id=7,8", "[Organization/7 Organization/8]"},
		{"Patient", "_id:not=7", "[]"},
		{"Appointment", "patient=7", "[]"},
		{"Coverage", "beneficiary=7", "[Patient/7]"},
	} {
		if got := fmt.Sprint(compile(t, c.typ, c.q).Query.Routes); got != c.want {
			t.Errorf("%s?%s: routes %s, want %s", c.typ, c.q, got, c.want)
		}
	}
}

func TestResultParametersShapeTheQuery(t *testing.T) {
	s := compile(t, "Observation", "_count=10&code=x&_sort=-date,_lastUpdated&_total=accurate&_elements=code,value&_summary=false&_pretty=true&_format=json")
	if s.Query.Limit != 10 || !s.Query.Count || len(s.Elements) != 2 || s.Summary != "false" || s.Pretty != "true" || s.Format != "json" ||
		fmt.Sprint(s.Query.Sort) != "[{date <nil> true} {_lastUpdated <nil> false}]" {
		t.Errorf("%+v", s)
	}
	if got := fmt.Sprint(s.Applied); got != "[{code x} {_sort -date,_lastUpdated} {_count 10} {_total accurate} {_summary false} {_elements code,value}]" {
		t.Errorf("applied %s", got)
	}
	if s := compile(t, "Observation", "_summary=count"); s.Query.Limit != 0 || !s.Query.Count {
		t.Errorf("count only: %+v", s.Query)
	}
	if s := compile(t, "Observation", "_count=100000"); s.Query.Limit != 1000 {
		t.Errorf("page size %d", s.Query.Limit)
	}
}

func TestWhatIsNotUnderstoodIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		typ, q string
		kind   hub.ErrKind
		says   string
	}{
		{"Observation", "pateint=7", hub.Invalid, "did you mean patient?"},
		{"Observatoin", "", hub.NotFound, "did you mean Observation?"},
		{"Observation", "code:exakt=7", hub.Invalid, "code:exakt"},
		{"Patient", "family:exakt=7", hub.Invalid, "did you mean exact?"},
		{"Observation", "code:in=http://x", hub.Invalid, "code:in"},
		{"Observation", "code=", hub.Invalid, "empty"},
		{"Observation", "code=a|b|c", hub.Invalid, "token"},
		{"Observation", "date=yesterday", hub.Invalid, "date"},
		{"Observation", "date=2020-02-30", hub.Invalid, "date"},
		{"Observation", "value-quantity=much", hub.Invalid, "number"},
		{"Observation", "value-quantity=NaN", hub.Invalid, "number"},
		{"Observation", "subject:Patient=Device/1", hub.Invalid, "another type"},
		{"Observation", "_has:Observation:patient:code=x", hub.Invalid, "does not refer to Observation"},
		{"Observation", "code-value-quantity=a", hub.Invalid, "joined by $"},
		{"Observation", "_sort=dat", hub.Invalid, "did you mean date?"},
		{"Observation", "_count=-1", hub.Invalid, "_count"},
		{"Observation", "_count=1&_count=2", hub.Invalid, "once"},
		{"Observation", "_total=many", hub.Invalid, "_total"},
		{"Observation", "_elements=colour", hub.Invalid, "colour"},
		{"Observation", "code:missing=maybe", hub.Invalid, "missing"},
	} {
		pairs, _ := Pairs(c.q)
		_, err := CompileSearch(c.typ, pairs, options)
		if !hub.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s?%s: %v", c.typ, c.q, err)
		}
	}
}

func TestLenientSearchCollectsWhatItDoesNotUnderstand(t *testing.T) {
	o := options
	o.Lenient = true
	s, err := CompileSearch("Observation", []Pair{{"pateint", "7"}, {"code", "x"}, {"_include", "a"}, {"code:exakt", "y"}, {"_sort", "cod"}}, o)
	if err != nil || len(s.Ignored) != 4 || len(s.Query.All) != 1 || len(s.Applied) != 2 {
		t.Errorf("%v %+v", err, s)
	}
	var e *hub.Error
	if !errors.As(s.Ignored[0], &e) || e.Path != "pateint" {
		t.Errorf("first ignored %v", s.Ignored[0])
	}
	if _, err := CompileSearch("Observation", []Pair{{"nix", "7"}, {"date", "x"}}, o); !hub.Is(err, hub.Invalid) {
		t.Errorf("a bad value must stay an error: %v", err)
	}
}

func TestEverySearchParameterCanBeAsked(t *testing.T) {
	value := func(typ ParamType) string {
		switch typ {
		case DateParam:
			return "2020"
		case NumberParam, QuantityParam:
			return "1"
		}
		return "x"
	}
	n, composites := 0, 0
	for _, typ := range ResourceTypes() {
		if typ == "Parameters" {
			continue // are not kept, so nothing refers to them
		}
		for _, p := range SearchParams(typ) {
			query := p.Code + "=" + value(p.Type)
			switch {
			case p.Type == CompositeParam:
				composites++
				var values []string
				for _, part := range p.combinations[0].parts {
					values = append(values, value(part.Type))
				}
				query = p.Code + "=" + strings.Join(values, "$")
			case p.Code == hasParam:
				query = "_has:Provenance:target:_id=x"
			case p.Code == filterParam:
				query = "_filter=_id+eq+x"
			case p.Code == nearParam:
				query = "near=1|1"
			}
			compile(t, typ, query)
			if slices.Contains(p.Modifiers(), "missing") {
				compile(t, typ, p.Code+":missing=true")
			}
			n++
		}
	}
	if n < 3000 || composites < 70 {
		t.Errorf("only %d, of them %d composites", n, composites)
	}
	t.Log(n, composites)
	if SearchParams("Nothing") != nil {
		t.Error("parameters of no type")
	}
}

func TestWhatSearchesDoNotDoIsAShortList(t *testing.T) {
	var not []string
	for _, typ := range ResourceTypes() {
		for _, p := range definitions().resources[typ].params {
			if !p.Searchable() && p.Code != "_query" {
				not = append(not, typ+"."+p.Code)
			}
		}
	}
	// R4's package has three examples of definitions among the real ones.
	const want = "Patient.age Patient.birthOrderBoolean Patient.part-agree"
	if got := strings.Join(not, " "); got != want {
		t.Error(got)
	}
}

// written is a query in full: what pointers lead to, and where functions are.
func written(q *hub.Query) string {
	var clauses func(all []hub.Clause) string
	clauses = func(all []hub.Clause) string {
		text := ""
		for _, c := range all {
			text += fmt.Sprint(c.Param, c.Any, c.Not, c.Routed, c.Test != nil)
			for _, inner := range []*hub.Query{c.Refers, c.Referred} {
				if inner != nil {
					text += "{" + written(inner) + "}"
				}
			}
			for _, list := range c.Either {
				text += "(" + clauses(list) + ")"
			}
		}
		return text
	}
	text := fmt.Sprint(q.Type, q.Routes, q.Limit, q.Count) + clauses(q.All)
	for _, key := range q.Sort {
		text += fmt.Sprint(key.Param, key.Desc, key.Key != nil)
	}
	return text
}

func FuzzCompileSearch(f *testing.F) {
	for _, q := range []string{"code=a|b,c", "date=ge2020-01-01T00:00:00.123+08:00", `value-quantity=ap5.4|s|u`, `family:contains=\*`, "_sort=-date&_count=0", "subject:Patient=1", "patient:identifier=|x",
		"subject:Patient.name:exact=x&_include=*", "_has:Observation:subject:code=x", "_filter=code+eq+x", "combo-code-value-quantity=a$1,b$2", "_text=a+b", "_list=1", "_revinclude:iterate=*", "_sort=code,-_id"} {
		f.Add(q)
	}
	e := project(f, `{"resourceType":"Observation","valueQuantity":{"value":5}}`)
	f.Fuzz(func(t *testing.T, query string) {
		pairs, err := Pairs(query)
		if err != nil {
			return
		}
		for _, typ := range []string{"Observation", "Patient"} {
			s, err := CompileSearch(typ, pairs, options)
			if err != nil {
				var e *hub.Error
				if !errors.As(err, &e) || e.Kind == hub.Internal {
					t.Fatalf("%q: %v", query, err)
				}
				continue
			}
			if s.Query.Plain() {
				s.Query.Matches(&e)
			}
			again, err := CompileSearch(typ, s.Applied, options)
			if err != nil || written(&again.Query) != written(&s.Query) {
				t.Fatalf("%q: the applied parameters give another query: %v", query, err)
			}
		}
	})
}
