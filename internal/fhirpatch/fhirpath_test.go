package fhirpatch

import (
	"strings"
	"testing"

	"concord/hub"
	"concord/internal/fhir"
)

func parse(t testing.TB, text string) *fhir.Doc {
	t.Helper()
	doc, err := fhir.Parse([]byte(text), fhir.Limits{})
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return doc
}

// op writes one operation; the parts are name, JSON member, name, JSON member, …
func op(typ, path string, parts ...string) string {
	var b strings.Builder
	b.WriteString(`{"name":"operation","part":[{"name":"type","valueCode":"` + typ + `"},{"name":"path","valueString":"` + path + `"}`)
	for i := 0; i+1 < len(parts); i += 2 {
		b.WriteString(`,{"name":"` + parts[i] + `",` + parts[i+1] + `}`)
	}
	return b.String() + `]}`
}

func parameters(ops ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(ops, ",") + `]}`
}

const patient = `{"resourceType":"Patient","id":"p","active":true,` +
	`"identifier":[{"system":"urn:a","value":"1"},{"system":"urn:b","value":"2"}],` +
	`"name":[{"family":"Zh\u0061ng","given":["W","X"],"_given":[null,{"extension":[{"url":"u","valueString":"v"}]}]}],` +
	`"birthDate":"1970-05-01","_birthDate":{"extension":[{"url":"t","valueDateTime":"1970-05-01T01:00:00Z"}]},` +
	`"deceasedBoolean":false,"contact":[{"gender":"male"}],"extension":[{"url":"w","valueDecimal":70.10}]}`

func TestFHIRPathOperations(t *testing.T) {
	for say, c := range map[string]struct {
		ops  string
		want []string // old, new
	}{
		"add to an element that is not there":            {op("add", "Patient", "name", `"valueString":"gender"`, "value", `"valueCode":"male"`), []string{`70.10}]}`, `70.10}],"gender":"male"}`}},
		"add appends to a list":                          {op("add", "Patient", "name", `"valueString":"identifier"`, "value", `"valueIdentifier":{"value":"3"}`), []string{`"value":"2"}]`, `"value":"2"},{"value":"3"}]`}},
		"add into an element found by where":             {op("add", "Patient.identifier.where(system = 'urn:b')", "name", `"valueString":"use"`, "value", `"valueCode":"usual"`), []string{`"value":"2"}`, `"value":"2","use":"usual"}`}},
		"add a backbone element by parts":                {op("add", "Patient", "name", `"valueString":"contact"`, "value", `"part":[{"name":"name","valueHumanName":{"text":"a"}},{"name":"gender","valueCode":"female"}]`), []string{`{"gender":"male"}]`, `{"gender":"male"},{"name":{"text":"a"},"gender":"female"}]`}},
		"add to a primitive that repeats keeps places":   {op("add", "Patient.name[0]", "name", `"valueString":"given"`, "value", `"valueString":"Y"`), []string{`["W","X"],"_given":[null,{"extension":[{"url":"u","valueString":"v"}]}]`, `["W","X","Y"],"_given":[null,{"extension":[{"url":"u","valueString":"v"}]},null]`}},
		"add an extension to a primitive":                {op("add", "Patient.active", "name", `"valueString":"extension"`, "value", `"valueExtension":{"url":"q","valueCode":"z"}`), []string{`70.10}]}`, `70.10}],"_active":{"extension":[{"url":"q","valueCode":"z"}]}}`}},
		"add an extension to the first of many":          {op("add", "Patient.name.given.first()", "name", `"valueString":"extension"`, "value", `"valueExtension":{"url":"q","valueCode":"z"}`), []string{`[null,{"ext`, `[{"extension":[{"url":"q","valueCode":"z"}]},{"ext`}},
		"add a choice":                                   {op("add", "Patient", "name", `"valueString":"multipleBirth"`, "value", `"valueInteger":2`), []string{`70.10}]}`, `70.10}],"multipleBirthInteger":2}`}},
		"add keeps a decimal as it was sent":             {op("add", "Patient", "name", `"valueString":"extension"`, "value", `"valueExtension":{"url":"n","valueDecimal":1.2300}`), []string{`70.10}]}`, `70.10},{"url":"n","valueDecimal":1.2300}]}`}},
		"insert in front":                                {op("insert", "Patient.identifier", "index", `"valueInteger":0`, "value", `"valueIdentifier":{"value":"0"}`), []string{`"identifier":[`, `"identifier":[{"value":"0"},`}},
		"insert among primitives moves their extensions": {op("insert", "Patient.name[0].given", "index", `"valueInteger":1`, "value", `"valueString":"V"`), []string{`["W","X"],"_given":[null,`, `["W","V","X"],"_given":[null,null,`}},
		"insert into a list that is not there":           {op("insert", "Patient.telecom", "index", `"valueInteger":0`, "value", `"valueContactPoint":{"value":"0"}`), []string{`70.10}]}`, `70.10}],"telecom":[{"value":"0"}]}`}},
		"delete one of a list":                           {op("delete", "Patient.identifier[0]"), []string{`{"system":"urn:a","value":"1"},`, ``}},
		"delete a list's only value and the list":        {op("delete", "Patient.contact[0]"), []string{`"contact":[{"gender":"male"}],`, ``}},
		"delete the only element of a value":             {op("delete", "Patient.contact[0].gender"), []string{`"contact":[{"gender":"male"}],`, ``}},
		"delete a primitive with its extensions":         {op("delete", "Patient.birthDate"), []string{`"birthDate":"1970-05-01","_birthDate":{"extension":[{"url":"t","valueDateTime":"1970-05-01T01:00:00Z"}]},`, ``}},
		"delete an extension of a primitive":             {op("delete", "Patient.birthDate.extension('t')"), []string{`"_birthDate":{"extension":[{"url":"t","valueDateTime":"1970-05-01T01:00:00Z"}]},`, ``}},
		"delete an extension in a list of primitives":    {op("delete", "Patient.name[0].given[1].extension[0]"), []string{`,"_given":[null,{"extension":[{"url":"u","valueString":"v"}]}]`, ``}},
		"delete what is not there":                       {op("delete", "Patient.gender"), []string{`"id"`, `"id"`}},
		"replace a primitive":                            {op("replace", "Patient.active", "value", `"valueBoolean":false`), []string{`"active":true`, `"active":false`}},
		"replace one type of a choice by another":        {op("replace", "Patient.deceased", "value", `"valueDateTime":"2020"`), []string{`"deceasedBoolean":false`, `"deceasedDateTime":"2020"`}},
		"replace inside of an extension":                 {op("replace", "Patient.extension('w').value.ofType(decimal)", "value", `"valueDecimal":70.100`), []string{`70.10}`, `70.100}`}},
		"replace one of a primitive's values":            {op("replace", "Patient.name.given[1]", "value", `"valueString":"Z"`), []string{`["W","X"],"_given":[null,{"extension":[{"url":"u","valueString":"v"}]}]`, `["W","Z"]`}},
		"move up":                                        {op("move", "Patient.identifier", "source", `"valueInteger":1`, "destination", `"valueInteger":0`), []string{`{"system":"urn:a","value":"1"},{"system":"urn:b","value":"2"}`, `{"system":"urn:b","value":"2"},{"system":"urn:a","value":"1"}`}},
		"move a primitive":                               {op("move", "Patient.name[0].given", "source", `"valueInteger":1`, "destination", `"valueInteger":0`), []string{`["W","X"],"_given":[null,{"extension":[{"url":"u","valueString":"v"}]}]`, `["X","W"],"_given":[{"extension":[{"url":"u","valueString":"v"}]},null]`}},
		"one after the other":                            {op("delete", "Patient.identifier[0]") + "," + op("replace", "Patient.identifier[0].value", "value", `"valueString":"9"`), []string{`{"system":"urn:a","value":"1"},{"system":"urn:b","value":"2"}`, `{"system":"urn:b","value":"9"}`}},
		"conditions with and, or and exists":             {op("delete", "Patient.identifier.where((system = 'urn:x' or value = '2') and use.empty() and system.exists())"), []string{`,{"system":"urn:b","value":"2"}`, ``}},
	} {
		t.Run(say, func(t *testing.T) {
			p, err := FHIRPath(parse(t, parameters(c.ops)))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a patch may be applied again, when another hub was faster
				got, err := p.Apply(parse(t, patient))
				if err != nil {
					t.Fatal(err)
				}
				want := strings.Replace(patient, c.want[0], c.want[1], 1)
				if string(got.Root().Raw()) != want {
					t.Fatalf("got  %s\nwant %s", got.Root().Raw(), want)
				}
				if err := got.Check(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestFHIRPathPatchesAreRefused(t *testing.T) {
	for say, c := range map[string]struct {
		ops  string
		kind hub.ErrKind
		msg  string
	}{
		"an unknown element":              {op("delete", "Patient.nmae"), hub.Invalid, "no element nmae"},
		"an unknown type of operation":    {op("change", "Patient.name"), hub.Invalid, "change"},
		"a path that finds many":          {op("replace", "Patient.identifier.value", "value", `"valueString":"x"`), hub.Unprocessable, "finds 2 elements"},
		"a path that finds none":          {op("replace", "Patient.gender", "value", `"valueCode":"male"`), hub.Unprocessable, "finds 0 elements"},
		"deleting many at once":           {op("delete", "Patient.identifier"), hub.Unprocessable, "one at a time"},
		"adding what is there":            {op("add", "Patient", "name", `"valueString":"active"`, "value", `"valueBoolean":true`), hub.Unprocessable, "already"},
		"adding another type of a choice": {op("add", "Patient", "name", `"valueString":"deceased"`, "value", `"valueDateTime":"2020"`), hub.Unprocessable, "already"},
		"a choice of the wrong type":      {op("replace", "Patient.deceased", "value", `"valueString":"x"`), hub.Invalid, "takes no string"},
		"a value of the wrong type":       {op("add", "Patient", "name", `"valueString":"identifier"`, "value", `"valuePeriod":{"start":"2020"}`), hub.Invalid, "Identifier"},
		"inserting beyond the end":        {op("insert", "Patient.identifier", "index", `"valueInteger":3`, "value", `"valueIdentifier":{"value":"0"}`), hub.Unprocessable, "beyond"},
		"moving from beyond the end":      {op("move", "Patient.identifier", "source", `"valueInteger":2`, "destination", `"valueInteger":0`), hub.Unprocessable, "cannot be moved"},
		"inserting into one value":        {op("insert", "Patient.birthDate", "index", `"valueInteger":0`, "value", `"valueDate":"2020"`), hub.Invalid, "does not repeat"},
		"deleting the resource":           {op("delete", "Patient"), hub.Unprocessable, "itself"},
		"a function that is not offered":  {op("delete", "Patient.name.repeat(x)"), hub.Invalid, "repeat()"},
		"a path that does not end":        {op("delete", "Patient.name.where(use = 'x'"), hub.Invalid, "byte"},
		"no value":                        {op("replace", "Patient.active"), hub.Invalid, "no value"},
		"an unknown part":                 {op("delete", "Patient.active", "why", `"valueString":"x"`), hub.Invalid, "why"},
	} {
		t.Run(say, func(t *testing.T) {
			p, err := FHIRPath(parse(t, parameters(op("delete", "Patient.language"), c.ops)))
			if err == nil {
				_, err = p.Apply(parse(t, patient))
			}
			if !hub.Is(err, c.kind) || !strings.Contains(err.Error(), c.msg) || !strings.Contains(err.Error(), "Parameters.parameter[1]") {
				t.Errorf("got %v (%v), want %v with %q", err, hub.KindOf(err), c.kind, c.msg)
			}
		})
	}
}

func FuzzPathsAreReadOrRefused(f *testing.F) {
	for _, seed := range []string{"Patient.name[0].given.first()", "a.where(b='x' and (c or d.exists())).as(Quantity)",
		"(Observation.value as FHIR.Quantity).unit", "`div`.extension('u\\'\\u0041')", "x.where((y as Z).w != -1.0)", "$this[9999999999999999999]", "((((((((("} {
		f.Add(seed)
	}
	doc := parse(f, patient)
	f.Fuzz(func(t *testing.T, path string) {
		steps, err := parsePath(path)
		if err != nil {
			if !hub.Is(err, hub.Invalid) {
				t.Fatalf("%q: %v", path, err)
			}
			return
		}
		e := &editor{root: sent(doc.Root())}
		if _, err := e.find(e.resource(), steps); err != nil && hub.KindOf(err) == hub.Internal {
			t.Fatalf("%q: %v", path, err)
		}
		if e.root.changed {
			t.Fatalf("%q: looking changed the resource", path)
		}
	})
}
