package fhir

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"concord/hub"
)

// within is R4's table of prefixes, written down: a target interval [l, h] and the one asked for, [lo, hi].
func within[T any](c comparator, compare func(a, b T) int, l, h, lo, hi T) bool {
	contained := compare(l, lo) >= 0 && compare(h, hi) <= 0
	switch c {
	case "eq":
		return contained
	case "ne":
		return !contained
	case "gt":
		return compare(h, hi) > 0
	case "ge":
		return compare(h, hi) > 0 || contained
	case "lt":
		return compare(l, lo) < 0
	case "le":
		return compare(l, lo) < 0 || contained
	case "sa":
		return compare(l, hi) > 0
	case "eb":
		return compare(h, lo) < 0
	}
	return compare(l, hi) <= 0 && compare(h, lo) >= 0 // ap, once it is widened
}

var prefixes = []comparator{"eq", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap"}

func TestDatesCompareAsTheTableSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	date := func() string {
		year, month, day := 2019+random.IntN(2), 12-11*random.IntN(2), []int{1, 2, 31}[random.IntN(3)]
		form := []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.0Z07:00"}[random.IntN(6)]
		at := time.Date(year, time.Month(month), day, []int{0, 0, 16, 23}[random.IntN(4)], 59*random.IntN(2), 59*random.IntN(2), []int{0, 0, 999, 500}[random.IntN(4)]*1e6,
			[]*time.Location{time.UTC, ChinaTime()}[random.IntN(2)])
		return at.Format(form)
	}
	compare := func(a, b float64) int {
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	}
	for range 12_000 {
		body := `{"resourceType":"Observation","effectiveDateTime":"` + date() + `"}`
		switch random.IntN(5) {
		case 0:
			body = `{"resourceType":"Observation","effectivePeriod":{"start":"` + date() + `","end":"` + date() + `"}}`
		case 1:
			body = `{"resourceType":"Observation","effectivePeriod":{"end":"` + date() + `"}}`
		case 2:
			body = `{"resourceType":"Observation","effectiveInstant":"` + time.UnixMilli(1577836800000+[]int64{0, -1, 1, 1000, 500}[random.IntN(5)]).UTC().Format(InstantFormat) + `"}`
		}
		doc := parse(t, body).Root()
		l, h, ok := interval(doc.Get("effectivePeriod"), "Period", ChinaTime())
		if v := doc.Get("effectiveDateTime"); v.Kind() == String {
			l, h, ok = interval(v, "dateTime", ChinaTime())
		} else if v := doc.Get("effectiveInstant"); v.Kind() == String {
			l, h, ok = interval(v, "instant", ChinaTime())
		}
		asked := date()
		c := prefixes[random.IntN(len(prefixes))]
		lo, hi, _ := parseDate(asked, ChinaTime())
		if c == "ap" {
			tenth := (hub.Instant(now) - (lo+hi)/2) / 10
			lo, hi = lo-max(tenth, -tenth), hi+max(tenth, -tenth)
		}
		want := ok && l <= h && within(c, compare, l, h, lo, hi)
		if got := meets(t, "date="+string(c)+asked, body, SearchOptions{Now: now}); got != want {
			t.Fatalf("%s%s on %s: %v, want %v", c, asked, body, got, want)
		}
	}
}

func TestQuantitiesCompareAsTheTableSays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	units := []string{"mmol/L", "umol/L", "nmol/L", "mol/mm3", "mg/dL", "g/L", "ng/cL", "{x}"}
	number := func() string {
		return []string{"5.35", "5.4", "5.40", "5.45", "5.449999999999", "5400", "5.4e3", "0.0054", "-5.4", "5", "5.0", "1e1", "54e-1", "0"}[random.IntN(14)]
	}
	for range 6_000 {
		value, unit := number(), units[random.IntN(len(units))]
		body := fmt.Sprintf(`{"resourceType":"Observation","valueQuantity":{"value":%s,"system":"http://unitsofmeasure.org","code":%q}}`, value, unit)
		if random.IntN(3) == 0 { // among components of other units
			body = fmt.Sprintf(`{"resourceType":"Observation","component":[{"valueQuantity":{"value":7,"unit":"u"}},{"valueQuantity":{"value":%s,"system":"http://unitsofmeasure.org","code":%q}}]}`, value, unit)
		}
		c, asked, in := prefixes[random.IntN(len(prefixes))], number(), units[random.IntN(len(units))]
		from, to := unitOf("http://unitsofmeasure.org", unit), unitOf("http://unitsofmeasure.org", in)
		want := false
		if from.dimension == to.dimension {
			n, _ := new(big.Rat).SetString(value)
			n = to.FromCanonical(from.Canonical(n))
			s, _ := readSpan(c, asked)
			want = within(c, func(a, b *big.Rat) int {
				if order := a.Cmp(b); order != 0 || !s.open || b != s.hi {
					return order
				}
				return 1 // what is at an open end lies beyond it
			}, n, n, s.lo, s.hi)
		}
		search := "combo-value-quantity=" + string(c) + asked + "|http://unitsofmeasure.org|" + in
		if got := meets(t, search, body, SearchOptions{}); got != want {
			t.Fatalf("%s on %s: %v, want %v", search, body, got, want)
		}
	}
}

func TestDecimalsMeetAtTheEndsOfTheirPrecision(t *testing.T) {
	for asked, want := range map[string][2]string{"5.4": {"5.35", "5.45"}, "5.40": {"5.395", "5.405"}, "100": {"99.5", "100.5"}, "1e2": {"50", "150"}, "1.0e2": {"95", "105"}, "-5.4": {"-5.45", "-5.35"}} {
		lo, _ := new(big.Rat).SetString(want[0])
		hi, _ := new(big.Rat).SetString(want[1])
		if s, ok := readSpan("eq", asked); !ok || s.lo.Cmp(lo) != 0 || s.hi.Cmp(hi) != 0 {
			t.Errorf("%s is [%s, %s)", asked, s.lo.FloatString(4), s.hi.FloatString(4))
		}
	}
	for value, want := range map[string]bool{"5.35": true, "5.349999999999999": false, "5.45": false, "5.449999999999999": true} {
		body := `{"resourceType":"Observation","valueQuantity":{"value":` + value + `}}`
		if got := meets(t, "value-quantity=5.4", body, SearchOptions{}); got != want {
			t.Errorf("5.4 meets %s: %v", value, got)
		}
	}
}

func TestValuesAreFound(t *testing.T) {
	patient := `{"resourceType":"Patient","active":true,"gender":"male","name":[{"family":"单","given":["雄 信"]},{"family":"O'Müller","given":["Ａnna"]}],
		"identifier":[{"type":{"text":"Ｍedical record","coding":[{"system":"t","code":"MR"}]},"system":"s","value":"Ab|1"}],
		"telecom":[{"system":"phone","value":"+86 1"}],"generalPractitioner":[{"reference":"http://hub/fhir/Practitioner/7/_history/2"},{"reference":"urn:uuid:1"}],"maritalStatus":{"text":"已婚"}}`
	observation := `{"resourceType":"Observation","code":{"text":"Body Height","coding":[{"system":"l","code":"1","display":"Körpergröße"}]},"valueQuantity":{"value":37,"system":"http://unitsofmeasure.org","code":"Cel","unit":"°C"},
		"component":[{"valueQuantity":{"value":120,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}],"method":{"text":"by hand"}}`
	measure := `{"resourceType":"Measure","url":"http://acme.org/fhir/Measure/9","library":["http://x/L|1.0.2"]}`
	for _, c := range []struct {
		body, search string
		want         bool
	}{
		{patient, "name=单", true}, {patient, "name=shan", true}, {patient, "name=SXX", true}, {patient, "name=shan xiong xin", true}, {patient, "name=sx", true},
		{patient, "name:exact=shan", false}, {patient, "name:contains=hanxiong", false}, {patient, "name:contains=雄", true}, {patient, "name=xin", false},
		{patient, "name=o'mu", true}, {patient, "name=OMU", false}, {patient, "name=anna", true}, {patient, "phonetic=anna", true}, {patient, "name:exact=Ａnna", true}, {patient, "name:exact=anna", false},
		{patient, "gender=male", true}, {patient, "gender=http://hl7.org/fhir/administrative-gender|male", true}, {patient, "gender=|male", true},
		{patient, "gender=http://hl7.org/fhir/administrative-gender|", true}, {patient, "gender=x|male", false}, {patient, "gender:not=female", true}, {patient, "active=true", true},
		{patient, `identifier=s|Ab\|1`, true}, {patient, `identifier=ab\|1`, false}, {patient, "identifier=s|", true}, {patient, `identifier=|Ab\|1`, false},
		{patient, `identifier:of-type=t|MR|Ab\|1`, true}, {patient, `identifier:of-type=t|PI|Ab\|1`, false}, {patient, "identifier:text=medical", true}, {patient, "identifier:text=record", false},
		{patient, "phone=+86 1", true}, {patient, "general-practitioner=Practitioner/7", true}, {patient, "general-practitioner=7", true}, {patient, "general-practitioner:Practitioner=7", true},
		{patient, "general-practitioner=http://hub/fhir/Practitioner/7", true}, {patient, "general-practitioner=http://other/fhir/Practitioner/7", false}, {patient, "general-practitioner=urn:uuid:1", true},
		{patient, "name:missing=false", true}, {patient, "address:missing=true", true}, {patient, "phonetic:missing=false", true},
		{observation, "code:text=körper", true}, {observation, "code:text=body h", true}, {observation, "code:text=height", false}, {observation, "method:missing=false", true},
		{observation, "value-quantity=98.6|http://unitsofmeasure.org|[degF]", true}, {observation, "value-quantity=310.15|http://unitsofmeasure.org|K", true}, {observation, "value-quantity=37||°C", true},
		{observation, "value-quantity=37||Cel", true}, {observation, "value-quantity=37||K", false}, {observation, "value-quantity=37", true}, {observation, "value-quantity=ap35", true}, {observation, "value-quantity=ap40.7", true},
		{observation, "value-quantity=ap30", false}, {observation, "combo-value-quantity=120||mmHg", true}, {observation, "combo-value-quantity=16.0|http://unitsofmeasure.org|kPa", true},
		{observation, "combo-value-quantity=15.9|http://unitsofmeasure.org|kPa", false}, {observation, "value-quantity=120", false}, {observation, "value-quantity=1,37", true},
		{measure, "url=http://acme.org/fhir/Measure/9", true}, {measure, "url=http://acme.org/fhir/measure/9", false}, {measure, "url:below=http://acme.org/fhir", true}, {measure, "url:below=http://acme.org/fhi", false},
		{measure, "url:above=http://acme.org/fhir/Measure/9/x", true}, {measure, "url:above=http://acme.org/fhir", false},
		{measure, "depends-on=http://x/L", true}, {measure, "depends-on=http://x/L|1.0.2", true}, {measure, "depends-on=http://x/L|1.0", false}, {measure, "depends-on:below=http://x/L|1.0", true},
		{measure, "depends-on:below=http://x/L|1.0.20", false}, {measure, "depends-on:above=http://x/L|1.0.2.5", true}, {measure, "depends-on:above=http://x/L|1.0", false},
	} {
		if got := meets(t, c.search, c.body, SearchOptions{Base: "http://hub/fhir"}); got != c.want {
			t.Errorf("%s: %v", c.search, got)
		}
	}
}

func TestCommonUnitsAreUnits(t *testing.T) {
	for code := range strings.FieldsSeq(commonUnits) {
		if readUnit(code) == nil {
			t.Errorf("%s is none", code)
		}
	}
}

func FuzzSearchValues(f *testing.F) {
	for _, v := range []string{"5.4|http://unitsofmeasure.org|mg/dL", "ge2020-01-01T00:00:00.5+08:00", "a|b|c", "1e400", "ap-0", "\\,|\\|", "http://x/y/|1.0", "单 x"} {
		f.Add(v)
	}
	body := `{"resourceType":"Observation","valueQuantity":{"value":37,"system":"http://unitsofmeasure.org","code":"Cel"},"effectiveDateTime":"2020","code":{"text":"x"},"valueString":"单"}`
	f.Fuzz(func(t *testing.T, value string) {
		rec := hub.Record{Name: hub.Name{Type: "Observation", ID: "1"}, Body: []byte(body)}
		e, err := NewProjection(nil).Project(&rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"value-quantity", "date", "code", "code:text", "code:in", "code:below", "identifier:of-type", "subject", "subject:identifier", "value-string", "value-string:contains", "_profile:below", "_source:above", "_lastUpdated"} {
			s, err := CompileSearch("Observation", []Pair{{name, value}}, SearchOptions{Load: onShelf, Now: time.Unix(0, 0)})
			if err == nil {
				all(t, s.Query.All, &e, &rec)
			}
		}
	})
}

func BenchmarkProjectTypical(b *testing.B) {
	for name, body := range typical {
		b.Run(name, func(b *testing.B) {
			rec := hub.Record{Name: hub.Name{Type: parse(b, body).Type(), ID: "5fa1"}, Body: []byte(body)}
			p := NewProjection(nil)
			if _, err := p.Project(&rec); err != nil { // reads the tables
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Project(&rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// typical are resources as hospitals send them.
var typical = map[string]string{
	"lab Observation": `{"resourceType":"Observation","id":"5fa1","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"laboratory"}]}],
		"code":{"coding":[{"system":"http://loinc.org","code":"2339-0","display":"Glucose"}],"text":"Glucose"},"subject":{"reference":"Patient/1"},"encounter":{"reference":"Encounter/2"},
		"effectiveDateTime":"2012-05-17T01:15:22-04:00","issued":"2012-05-17T01:15:22.123-04:00","valueQuantity":{"value":84.37,"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"}}`,
	"blood pressure": `{"resourceType":"Observation","id":"5fa1","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
		"code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}],"text":"Blood Pressure"},"subject":{"reference":"Patient/1"},"encounter":{"reference":"Encounter/2"},"effectiveDateTime":"2012-05-17T01:15:22-04:00",
		"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":80,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
		{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":120,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}`,
	"Patient": `{"resourceType":"Patient","id":"5fa1","identifier":[{"system":"urn:id","value":"110101199003070011"},{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"system":"urn:mrn","value":"M1"}],
		"name":[{"use":"official","text":"张三丰","family":"张","given":["三丰"]}],"telecom":[{"system":"phone","value":"13800000000"}],"gender":"male","birthDate":"1990-03-07",
		"address":[{"line":["长安街1号"],"city":"北京","state":"北京市","postalCode":"100000","country":"CN"}]}`,
	"DiagnosticReport": `{"resourceType":"DiagnosticReport","id":"5fa1","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"LAB"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"51990-0"}]},
		"subject":{"reference":"Patient/1"},"encounter":{"reference":"Encounter/2"},"effectiveDateTime":"2012-05-17T01:15:22-04:00","issued":"2012-05-17T01:15:22.123-04:00","performer":[{"reference":"Organization/3"}],"result":[{"reference":"Observation/4"},{"reference":"Observation/5"}]}`,
}

// TestTermsOfTypicalResources keeps what a resource costs in an index: members of integer sets, of sorted sets for texts, and
// of sorted sets for numbers, twice where an interval has two ends.
func TestTermsOfTypicalResources(t *testing.T) {
	for name, want := range map[string][3]int{"lab Observation": {18, 0, 3}, "blood pressure": {24, 0, 5}, "Patient": {24, 21, 1}, "DiagnosticReport": {22, 0, 2}} {
		var got [3]int
		for _, term := range project(t, typical[name]).Terms {
			got[term.Kind]++
			if term.Kind == hub.Range && term.Lo != term.Hi {
				got[term.Kind]++
			}
		}
		if got != want {
			t.Errorf("%s has %d exact terms, %d texts, %d numbers, want %v", name, got[0], got[1], got[2], want)
		}
	}
}

func TestSampledDataIsFoundByItsBounds(t *testing.T) {
	for search, want := range map[string]bool{"ge15": true, "gt16": false, "sa5.9": true, "sa6": false, "eb16.1": true, "lt6": false, "le7": true} {
		for _, unit := range []string{"|http://unitsofmeasure.org|mV", "||mV", ""} {
			for data, factor := range map[string]string{"10 E 30": "0.5", "-10 -30 E": "-0.5", "6 16": "1", "E 20 10 30": "5e-1"} {
				origin := "1"
				if factor == "1" {
					origin = "0"
				}
				body := fmt.Sprintf(`{"resourceType":"Observation","valueSampledData":{"origin":{"value":%s,"system":"http://unitsofmeasure.org","code":"mV"},"factor":%s,"data":%q}}`, origin, factor, data)
				if got := meets(t, "value-quantity="+search+unit, body, SearchOptions{}); got != want {
					t.Errorf("%s%s on %s: %v", search, unit, body, got)
				}
			}
		}
	}
	for data, want := range map[string]bool{"1 U": true, "1 L": false, "E": false, "": false, "x 30": false} {
		body := fmt.Sprintf(`{"resourceType":"Observation","valueSampledData":{"origin":{"value":0},"data":%q}}`, data)
		if got := meets(t, "value-quantity=gt5", body, SearchOptions{}); got != want {
			t.Errorf("gt5 on %q: %v", data, got)
		}
	}
}
