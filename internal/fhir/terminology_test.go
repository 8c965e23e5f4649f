package fhir

import (
	"strings"
	"testing"

	"concord/hub"
)

// shelf is what a hub has of terminology, by type and canonical URL.
var shelf = map[string]string{
	"CodeSystem|http://x/cs": `{"resourceType":"CodeSystem","content":"complete","concept":[{"code":"a","concept":[{"code":"a1","display":"one","concept":[{"code":"a11"}]},{"code":"a2"}]},
		{"code":"b","property":[{"code":"colour","valueCode":"red"},{"code":"parent","valueCode":"a2"}]}]}`,
	"ValueSet|http://x/isa":     `{"resourceType":"ValueSet","compose":{"include":[{"system":"http://x/cs","filter":[{"property":"concept","op":"is-a","value":"a1"}]}]}}`,
	"ValueSet|http://x/under":   `{"resourceType":"ValueSet","compose":{"include":[{"system":"http://x/cs","filter":[{"property":"concept","op":"descendent-of","value":"a"}]}],"exclude":[{"system":"http://x/cs","concept":[{"code":"a11"}]}]}}`,
	"ValueSet|http://x/red":     `{"resourceType":"ValueSet","compose":{"include":[{"system":"http://x/cs","filter":[{"property":"colour","op":"=","value":"red"}]}]}}`,
	"ValueSet|http://x/regex":   `{"resourceType":"ValueSet","compose":{"include":[{"system":"http://x/cs","filter":[{"property":"code","op":"regex","value":"a1."}]}]}}`,
	"ValueSet|http://x/nested":  `{"resourceType":"ValueSet","compose":{"include":[{"valueSet":["http://x/isa","http://x/under"]}]}}`,
	"ValueSet|http://x/some":    `{"resourceType":"ValueSet","compose":{"include":[{"system":"http://other","concept":[{"code":"z"}]}]}}`,
	"ValueSet|http://x/whole":   `{"resourceType":"ValueSet","compose":{"include":[{"system":"http://other"}],"exclude":[{"system":"http://other","concept":[{"code":"y"}]}]}}`,
	"ValueSet|http://x/expands": `{"resourceType":"ValueSet","expansion":{"contains":[{"system":"s","code":"1","abstract":true,"contains":[{"system":"s","code":"2"}]}]}}`,
	"ValueSet|http://x/loop":    `{"resourceType":"ValueSet","compose":{"include":[{"valueSet":["http://x/loop"]}]}}`,
	"ValueSet|http://x/guess":   `{"resourceType":"ValueSet","compose":{"include":[{"system":"http://other","filter":[{"property":"concept","op":"is-a","value":"q"}]}]}}`,
	"ValueSet|ValueSet/mine":    `{"resourceType":"ValueSet","compose":{"include":[{"system":"s","concept":[{"code":"m"}]}]}}`,
}

func onShelf(typ, canonical string) (*Doc, error) {
	if text := shelf[typ+"|"+canonical]; text != "" {
		return Parse([]byte(text), Limits{})
	}
	return nil, nil
}

func TestCodesAreFoundByValueSetAndHierarchy(t *testing.T) {
	coded := func(system, code string) string {
		return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"` + system + `","code":"` + code + `"}]}}`
	}
	for _, c := range []struct {
		search, system string
		found, not     string // codes
	}{
		{"code:in=http://x/isa", "http://x/cs", "a1 a11", "a a2 b"},
		{"code:not-in=http://x/isa", "http://x/cs", "a a2 b", "a1 a11"},
		{"code:in=http://x/isa,http://x/some", "http://other", "z", "y"},
		{"code:in=http://x/under", "http://x/cs", "a1 a2 b", "a a11"},
		{"code:in=http://x/red", "http://x/cs", "b", "a"},
		{"code:in=http://x/regex", "http://x/cs", "a11", "a1 a2"},
		{"code:in=http://x/nested", "http://x/cs", "a1", "a11 a2"},
		{"code:in=http://x/whole", "http://other", "x z", "y"},
		{"code:in=http://x/expands", "s", "2", "1"},
		{"code:in=ValueSet/mine", "s", "m", "n"},
		{"code:below=http://x/cs|a", "http://x/cs", "a a1 a11 a2 b", "c"},
		{"code:below=http://x/cs|a1", "http://x/cs", "a1 a11", "a a2"},
		{"code:above=http://x/cs|a11", "http://x/cs", "a11 a1 a", "a2 b"},
		{"code:above=http://x/cs|b", "http://x/cs", "b a2 a", "a1"},
		{"status:in=http://hl7.org/fhir/ValueSet/observation-status", "s", "any", ""},
		{"code:in=http://hl7.org/fhir/ValueSet/administrative-gender", "http://hl7.org/fhir/administrative-gender", "male female", "man"},
		{"code:below=http://terminology.hl7.org/CodeSystem/v3-ActCode|ACUTE", "http://terminology.hl7.org/CodeSystem/v3-ActCode", "ACUTE", "AMB"},
		{"code:below=http://terminology.hl7.org/CodeSystem/v3-RoleCode|FAMMEMB", "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "FAMMEMB MTH CHILD", "ONESELF_"},
	} {
		for want, codes := range map[bool]string{true: c.found, false: c.not} {
			for code := range strings.FieldsSeq(codes) {
				if got := meets(t, c.search, coded(c.system, code), SearchOptions{Load: onShelf}); got != want {
					t.Errorf("%s: %s is found: %v", c.search, code, got)
				}
			}
		}
	}
}

func TestUnknownTerminologyIsRefused(t *testing.T) {
	for search, hint := range map[string]string{
		"code:in=http://x/none":        "is not known here",
		"code:in=http://x/loop":        "includes itself",
		"code:in=http://x/guess":       "not all known here",
		"code:below=http://none|a":     "is not known here",
		"code:below=a":                 "system|code is due",
		"status:in=http://x/none":      "is not known here",
		"code:not-in=http://x/none":    "is not known here",
		"code:above=http://x/cs|a|b|c": "system|code is due",
	} {
		name, value, _ := strings.Cut(search, "=")
		_, err := CompileSearch("Observation", []Pair{{name, value}}, SearchOptions{Load: onShelf})
		if !hub.Is(err, hub.Invalid) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v", search, err)
		}
	}
}

// meets reports whether body is found by a search on its type.
func meets(t testing.TB, search, body string, o SearchOptions) bool {
	t.Helper()
	name, value, _ := strings.Cut(search, "=")
	rec := hub.Record{Name: hub.Name{Type: parse(t, body).Type(), ID: "1"}, Body: []byte(body)}
	s, err := CompileSearch(rec.Name.Type, []Pair{{name, value}}, o)
	if err != nil {
		t.Fatalf("%s: %v", search, err)
	}
	e, err := NewProjection(o.Zone).At(o.Base).Project(&rec)
	if err != nil {
		t.Fatal(err)
	}
	return all(t, s.Query.All, &e, &rec)
}

func all(t testing.TB, clauses []hub.Clause, e *hub.Entry, rec *hub.Record) bool {
	t.Helper()
	for i := range clauses {
		if !holds(t, &clauses[i], e, rec) {
			return false
		}
	}
	return true
}

func holds(t testing.TB, c *hub.Clause, e *hub.Entry, rec *hub.Record) bool {
	t.Helper()
	switch {
	case c.Test != nil:
		ok, err := c.Test(rec)
		if err != nil {
			t.Fatal(err)
		}
		return ok != c.Not
	case len(c.Either) > 0:
		for _, list := range c.Either {
			if all(t, list, e, rec) {
				return !c.Not
			}
		}
		return c.Not
	}
	return c.Matches(e)
}
