package fhir

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/hub"
)

func TestProjectedTerms(t *testing.T) {
	for _, c := range []struct{ what, body, param, want string }{
		{"a coding by code, system and both", `{"resourceType":"Observation","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]}}`,
			"code", "=8867-4 =http://loinc.org|8867-4 =http://loinc.org|"},
		{"a coding without system", `{"resourceType":"Observation","code":{"coding":[{"code":"a|b"}]}}`, "code", `=a\|b =|a\|b`},
		{"a bound code only bare", `{"resourceType":"Observation","status":"final"}`, "status", "=final"},
		{"a boolean", `{"resourceType":"Patient","active":true}`, "active", "=true"},
		{"deceased by boolean", `{"resourceType":"Patient","deceasedBoolean":false}`, "deceased", "=false"},
		{"deceased by date", `{"resourceType":"Patient","deceasedDateTime":"2015"}`, "deceased", "=true"},
		{"a phone among telecoms", `{"resourceType":"Patient","telecom":[{"system":"email","value":"e"},{"system":"phone","value":"1"}]}`, "phone", "=1"},
		{"a versioned reference", `{"resourceType":"Observation","subject":{"reference":"Patient/1/_history/2"}}`, "subject", "=Patient/1"},
		{"a subject that is a patient", `{"resourceType":"Observation","subject":{"reference":"Patient/1"}}`, "patient", "=Patient/1"},
		{"a subject that is none", `{"resourceType":"Observation","subject":{"reference":"Device/1"}}`, "patient", ""},
		{"a logical reference", `{"resourceType":"Observation","subject":{"type":"Patient","identifier":{"system":"s","value":"v"}}}`, "patient:identifier", "=v =s|v =s|"},
		{"a contained reference", `{"resourceType":"Observation","subject":{"reference":"#p"}}`, "subject", ""},
		{"a canonical with version", `{"resourceType":"Measure","library":["http://x/L|2"]}`, "depends-on", "=http://x/L|2 =http://x/L"},
		{"a Chinese name", `{"resourceType":"Patient","name":[{"family":"张","given":["三丰"]}]}`, "name", "~张三丰 =张三丰"},
		{"a Latin name", `{"resourceType":"Patient","name":[{"family":"Müller","given":["Ａnna"]}]}`, "name", "~anna muller =Ａnna Müller"},
		{"a year", `{"resourceType":"Patient","birthDate":"1970"}`, "birthdate", "[1969-12-31T16:00:00.000Z,1970-12-31T15:59:59.999Z]"},
		{"a day", `{"resourceType":"Patient","birthDate":"2024-02-29"}`, "birthdate", "@2024-02-28T16:00:00.000Z"},
		{"no such day", `{"resourceType":"Patient","birthDate":"2023-02-29"}`, "birthdate", ""},
		{"seconds with a zone", `{"resourceType":"Observation","effectiveDateTime":"2020-01-01T00:00:00+08:00"}`, "date", "[2019-12-31T16:00:00.000Z,2019-12-31T16:00:00.999Z]"},
		{"seconds that are no midnight", `{"resourceType":"Observation","effectiveDateTime":"2020-01-01T00:00:00Z"}`, "date", "@2020-01-01T00:00:00.000Z"},
		{"a millisecond at which a second begins", `{"resourceType":"Observation","effectiveDateTime":"2020-01-01T00:00:00.000Z"}`, "date", "@2020-01-01T00:00:00.000Z+¼"},
		{"a leap second", `{"resourceType":"Observation","effectiveDateTime":"2016-12-31T23:59:60Z"}`, "date", ""},
		{"hundredths", `{"resourceType":"Observation","effectiveDateTime":"2020-01-01T00:00:00.12Z"}`, "date", "[2020-01-01T00:00:00.120Z,2020-01-01T00:00:00.129Z]"},
		{"an instant", `{"resourceType":"Observation","effectiveInstant":"2020-01-01T00:00:00.12Z"}`, "date", "@2020-01-01T00:00:00.120Z"},
		{"an open period", `{"resourceType":"Observation","effectivePeriod":{"start":"2020-01-01T00:00:00Z"}}`, "date", "[2020-01-01T00:00:00.000Z,∞]"},
		{"a timing", `{"resourceType":"ServiceRequest","occurrenceTiming":{"event":["2020-01-01T00:00:00Z"],"repeat":{"boundsPeriod":{"end":"2020-01-02T00:00:00Z"}}}}`,
			"occurrence", "[-∞,2020-01-02T00:00:00.999Z]"},
		{"a quantity", `{"resourceType":"Observation","valueQuantity":{"value":5.40,"system":"s","code":"mg","unit":"milli"}}`, "value-quantity", "[5.4]"},
		{"a quantity's unit", `{"resourceType":"Observation","valueQuantity":{"value":5.40,"system":"s","code":"mg","unit":"milli"}}`, "value-quantity:unit", "=s|mg =|mg =|milli"},
		{"a unit's name", mmol("mmol/L"), "value-quantity:unit", "=|mmol/L"},
		{"a unit of UCUM", mmol("mmol/L"), "value-quantity:ucum|m-3.mol", "[5.6]"},
		{"another unit of the dimension", mmol("mol/mm3"), "value-quantity:ucum|m-3.mol", "[5.6e+09]"},
		{"no unit of UCUM", mmol("mmol per L"), "value-quantity:unit", "=http://unitsofmeasure.org|mmol per L =|mmol per L"},
		{"less than a quantity", `{"resourceType":"Observation","valueQuantity":{"value":5,"comparator":"<"}}`, "value-quantity", "[-1.7976931348623157e+308,4.999999999999999]"},
		{"components of one unit", pressure("mm[Hg]"), "component-value-quantity:ucum|g.m-1.s-2", "[1.599864e+07] [1.066576e+07]"},
		{"components of one unit by number", pressure("mm[Hg]"), "component-value-quantity", "[120] [80]"},
		{"components of several units by name", pressure("kPa"), "component-value-quantity||kPa", "[80]"},
		{"components of several units by dimension", pressure("kPa"), "component-value-quantity:ucum|g.m-1.s-2", "[1.599864e+07] [8e+07]"},
		{"what is value or component", pressure("kPa"), "combo-value-quantity", ""},
		{"a uri", `{"resourceType":"ValueSet","url":"http://x"}`, "url", "=http://x"},
		{"a tag", `{"resourceType":"Observation","meta":{"tag":[{"system":"s","code":"c"}]}}`, "_tag", "=c =s|c =s|"},
		{"the id of the record", `{"resourceType":"Observation","id":"other"}`, "_id", "=1"},
		{"a component", `{"resourceType":"Observation","component":[{"code":{"coding":[{"system":"s","code":"a"}]}},{"code":{"coding":[{"system":"s","code":"b"}]}}]}`,
			"component-code", "=a =s|a =s| =b =s|b"},
		{"a name in pinyin", `{"resourceType":"Patient","name":[{"family":"单","given":["雄"]}]}`, "name:pinyin", "~chanxiong ~cx ~danxiong ~dx ~shanxiong ~sx"},
		{"a Latin name has no pinyin", `{"resourceType":"Patient","name":[{"family":"Dan"}]}`, "name:pinyin", ""},
		{"an extension's value", `{"resourceType":"Observation","extension":[{"url":"http://x","valueString":"no"},{"url":"http://hl7.org/fhir/StructureDefinition/observation-geneticsDnaVariant","valueString":"NG_1"}]}`,
			"dna-variant", "~ng_1 =NG_1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var got []string
			for _, term := range project(t, c.body).Terms {
				if term.Param == c.param {
					got = append(got, show(term))
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
}

func TestRouteFollowsThePatient(t *testing.T) {
	for _, c := range []struct{ what, body, want string }{
		{"an observation of a patient", `{"resourceType":"Observation","subject":{"reference":"Patient/7/_history/1"}}`, "Patient/7"},
		{"an observation of a device", `{"resourceType":"Observation","subject":{"reference":"Device/7"}}`, "Observation/1"},
		{"a patient elsewhere", `{"resourceType":"Observation","subject":{"reference":"http://x/Patient/7"}}`, "Observation/1"},
		{"a coverage", `{"resourceType":"Coverage","beneficiary":{"reference":"Patient/7"}}`, "Patient/7"},
		{"a patient", `{"resourceType":"Patient"}`, "Patient/1"},
		{"an appointment", `{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/7"}}]}`, "Appointment/1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := project(t, c.body).Route; got != c.want {
				t.Errorf("route %s, want %s", got, c.want)
			}
		})
	}
}

func TestPresenceNamesTokensReferencesAndURIs(t *testing.T) {
	var got []string
	for _, term := range project(t, `{"resourceType":"Observation","status":"final","subject":{"reference":"Patient/1"},"effectiveDateTime":"2020"}`).Terms {
		if term.Param == presence {
			got = append(got, term.Text)
		}
	}
	if !slices.Equal(got, []string{"patient", "status", "subject"}) {
		t.Errorf("got %v", got)
	}
}

func TestProjectRefusesWhatIsNoResource(t *testing.T) {
	for _, rec := range []hub.Record{
		{Name: hub.Name{Type: "Nothing", ID: "1"}, Body: []byte(`{}`)},
		{Name: hub.Name{Type: "Patient", ID: "1"}, Body: []byte(`[]`)},
		{Name: hub.Name{Type: "Patient", ID: "1"}, Body: []byte(`{`)},
	} {
		if _, err := NewProjection(nil).Project(&rec); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s %s: %v", rec.Name, rec.Body, err)
		}
	}
}

func TestNormaliseMakesSpellingsAlike(t *testing.T) {
	for in, want := range map[string]string{"  Ｌi \t Na ": "li na", "Straße": "strasse", "Ångström": "angstrom", "が": "が", "ﾊﾝ": "ハン", "張三": "張三"} {
		if got := Normalise(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if n := len(Normalise(strings.Repeat("张", 1000))); n > maxText {
		t.Errorf("%d bytes", n)
	}
}

func FuzzProjectAnyJSON(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Observation","code":{"coding":[{"system":1,"code":[]}]},"effectiveDateTime":"20","valueQuantity":{"value":1e999},"subject":[{"reference":"Patient/1"}]}`))
	f.Add([]byte(`{"resourceType":"Patient","name":[{"family":["x"],"given":{"a":"b"}}],"birthDate":"2020-01-01T00:00:00.+08:00"}`))
	f.Add([]byte(referring))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data, Limits{})
		if err != nil {
			return
		}
		d.Check()
		if again, err := Parse(d.RewriteReferences(map[string]string{"urn:uuid:1": `"
`}), Limits{}); err != nil || again.Type() != d.Type() {
			t.Fatalf("rewriting %q: %v", data, err)
		}
		for _, typ := range []string{"Observation", "Patient", "ServiceRequest"} {
			e, err := NewProjection(nil).Entry(d, hub.Name{Type: typ, ID: "1"})
			if err != nil {
				continue
			}
			for _, term := range e.Terms {
				if term.Param == "" || term.Kind == hub.Range && !(term.Lo <= term.Hi) || math.IsInf(term.Lo, 0) || math.IsInf(term.Hi, 0) {
					t.Fatalf("%q: %+v", data, term)
				}
			}
		}
	})
}

func mmol(code string) string {
	return `{"resourceType":"Observation","valueQuantity":{"value":5.6,"system":"http://unitsofmeasure.org","code":"` + code + `"}}`
}

func pressure(second string) string {
	part := `{"valueQuantity":{"value":%d,"system":"http://unitsofmeasure.org","code":"%s"}}`
	return `{"resourceType":"Observation","component":[` + fmt.Sprintf(part, 120, "mm[Hg]") + "," + fmt.Sprintf(part, 80, second) + `]}`
}

// project projects body as record 1 of its type.
func project(t testing.TB, body string) hub.Entry {
	t.Helper()
	e, err := NewProjection(nil).Project(&hub.Record{Name: hub.Name{Type: parse(t, body).Type(), ID: "1"}, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// show writes a term as =exact, ~text, [number], [lo,hi] or @moment.
func show(t hub.Term) string {
	switch {
	case t.Kind == hub.Exact:
		return "=" + t.Text
	case t.Kind == hub.Text:
		return "~" + t.Text
	}
	dates := slices.Contains([]string{"birthdate", "date", "occurrence"}, t.Param)
	at := func(x float64) string {
		switch {
		case x == endOfTime:
			return "∞"
		case x == -endOfTime:
			return "-∞"
		case dates:
			return time.UnixMilli(int64(x)).UTC().Format(InstantFormat)
		}
		return fmt.Sprint(x)
	}
	switch {
	case dates && t.Lo == t.Hi:
		return "@" + at(t.Lo)
	case dates && t.Hi == t.Lo+quarter:
		return "@" + at(t.Lo) + "+¼"
	case t.Lo == t.Hi:
		return "[" + at(t.Lo) + "]"
	}
	return "[" + at(t.Lo) + "," + at(t.Hi) + "]"
}

func TestAResourceHasSoManyTerms(t *testing.T) {
	concepts := func(n int) *Doc {
		var b strings.Builder
		b.WriteString(`{"resourceType":"CodeSystem","url":"urn:x","status":"active","content":"complete","concept":[{"code":"c"}`)
		for i := range n {
			fmt.Fprintf(&b, `,{"code":"%d"}`, i)
		}
		doc, err := Parse([]byte(b.String()+"]}"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	name := hub.Name{Type: "CodeSystem", ID: "1"}
	if e, err := NewProjection(nil).Entry(concepts(100_000), name); err != nil || len(e.Terms) < 100_000 {
		t.Errorf("100,000 concepts have %d terms: %v", len(e.Terms), err)
	}
	many := concepts(300_000)
	if _, err := NewProjection(nil).Entry(many, name); !hub.Is(err, hub.TooLarge) {
		t.Errorf("300,000 concepts: %v", err)
	}
	if _, err := NewProjection(nil).Project(&hub.Record{Name: name, Body: many.Root().Raw()}); err != nil {
		t.Errorf("what is stored is not refused: %v", err)
	}
}
