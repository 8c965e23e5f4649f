package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"concord/hub"
)

// elementRule is what a mutant breaks, read from the StructureDefinitions themselves and not from the tables under test.
type elementRule struct {
	Path, Max, ContentReference string
	Min                         int
	Type                        []struct {
		Code          string
		TargetProfile []string
	}
	Binding struct{ Strength, ValueSet string }
}

// rules are the elements by parent and name.
type rules map[string]map[string]*elementRule

func readRules(t *testing.T) rules {
	t.Helper()
	all := rules{}
	for _, path := range published(t) {
		if !strings.HasPrefix(filepath.Base(path), "StructureDefinition-") {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(`"derivation" : "constraint"`)) { // a profile: not worth the reading
			continue
		}
		var s struct {
			Derivation, Kind string
			Snapshot         struct{ Element []*elementRule }
		}
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		if s.Derivation == "constraint" || s.Kind == "logical" {
			continue
		}
		for _, e := range s.Snapshot.Element {
			if i := strings.LastIndexByte(e.Path, '.'); i >= 0 {
				parent, name := e.Path[:i], e.Path[i+1:]
				if all[parent] == nil {
					all[parent] = map[string]*elementRule{}
				}
				all[parent][name] = e
			}
		}
	}
	return all
}

// member finds the rule of a member in JSON and the type of its value.
func (r rules) member(parent, key string) (rule *elementRule, typ string) {
	if e := r[parent][key]; e != nil {
		return e, e.typeOf(0)
	}
	for name, e := range r[parent] {
		stem, choice := strings.CutSuffix(name, "[x]")
		if !choice || !strings.HasPrefix(key, stem) {
			continue
		}
		for i, t := range e.Type {
			if key == stem+strings.ToUpper(t.Code[:1])+t.Code[1:] {
				return e, e.typeOf(i)
			}
		}
	}
	return nil, ""
}

func (e *elementRule) typeOf(i int) string {
	if e.ContentReference != "" {
		return e.ContentReference[1:]
	}
	switch code := e.Type[i].Code; code {
	case "BackboneElement", "Element":
		return e.Path
	case "http://hl7.org/fhirpath/System.String":
		return "string"
	default:
		return code
	}
}

// mutant is one way to make an example wrong: make changes it and returns how to change it back.
type mutant struct {
	kind, path string
	make       func() (undo func())
}

// mutants finds ways to make an example wrong.
type mutants struct {
	rules
	rand *rand.Rand
	list []mutant
}

func (m *mutants) add(kind, path string, object map[string]any, key string, value any) {
	m.list = append(m.list, mutant{kind, path, func() func() {
		old, had := object[key]
		if object[key] = value; value == gone {
			delete(object, key)
		}
		return func() {
			if object[key] = old; !had {
				delete(object, key)
			}
		}
	}})
}

// gone as a value takes the member away.
const gone = "\x00gone"

// object looks for what can go wrong in an object of a type.
func (m *mutants) object(object map[string]any, typ, path string) {
	if typ == "Resource" {
		typ = object["resourceType"].(string)
	}
	m.add("extra element", path+".noSuchElement", object, "noSuchElement", "x")
	for _, key := range slices.Sorted(maps.Keys(object)) {
		e, valueType := m.member(typ, key)
		if e == nil { // resourceType, extensions of primitives
			continue
		}
		at, value := path+"."+key, object[key]
		name := e.Path[strings.LastIndexByte(e.Path, '.')+1:]
		if _, extended := object["_"+key]; e.Min > 0 && !extended {
			m.add("required element dropped", path+"."+name, object, key, gone)
		}
		list, many := value.([]any)
		switch {
		case !many:
			m.add("array for a single value", at, object, key, []any{value})
		case list[0] != nil:
			m.add("single value for an array", at, object, key, list[0])
			m.add("empty array", at, object, key, []any{})
		}
		if stem, choice := strings.CutSuffix(name, "[x]"); choice {
			for i, t := range e.Type {
				if other := stem + strings.ToUpper(t.Code[:1]) + t.Code[1:]; other > key && e.typeOf(i) != valueType {
					// the later of the two in the text is at fault, and the text is sorted
					m.add("second value of a choice", path+"."+other, object, other, sampleOf[t.Code])
				}
			}
		}
		if !many {
			m.value(object, key, value, e, valueType, at)
			continue
		}
		for i, item := range list {
			if item != nil {
				m.value(map[string]any{}, "", item, e, valueType, at+"["+strconv.Itoa(i)+"]")
			}
		}
		if list[0] != nil && len(list) == 1 {
			m.wrap(object, key, list[0], e, valueType, at+"[0]")
		}
	}
}

// sampleOf are values that are right by themselves.
var sampleOf = map[string]any{"boolean": true, "string": "x", "integer": json.Number("1"), "dateTime": "2020", "Quantity": map[string]any{"value": json.Number("1")},
	"CodeableConcept": map[string]any{"text": "x"}, "Reference": map[string]any{"display": "x"}, "Period": map[string]any{"start": "2020"}, "uri": "urn:x:y"}

// value finds what can be wrong with a single value, and looks inside.
func (m *mutants) value(object map[string]any, key string, value any, e *elementRule, typ, path string) {
	inner, complex := value.(map[string]any)
	if complex {
		m.object(inner, typ, path)
		m.inside(inner, e, typ, path)
	}
	if key != "" {
		m.broken(e, typ, value, func(kind string, wrong any) { m.add(kind, path, object, key, wrong) })
	}
}

// wrap is value for the only item of an array.
func (m *mutants) wrap(object map[string]any, key string, value any, e *elementRule, typ, path string) {
	m.broken(e, typ, value, func(kind string, wrong any) { m.add(kind, path, object, key, []any{wrong}) })
}

// broken lists wrong values for a right one.
func (m *mutants) broken(e *elementRule, typ string, value any, add func(kind string, wrong any)) {
	switch v := value.(type) {
	case string:
		add("wrong JSON type", json.Number("7"))
		add("empty value", "")
		add("null", nil)
	case bool:
		add("wrong JSON type", strconv.FormatBool(v))
	case json.Number:
		add("wrong JSON type", v.String())
	default:
		add("wrong JSON type", "x")
		if typ != "Resource" { // an empty one lacks its type first
			add("empty value", map[string]any{})
		}
	}
	wrong := map[string][]string{"date": {"2021-02-29", "2020-13", "20200101"}, "dateTime": {"2020-04-31", "2020-01-01T10:00:00", "2020-01-01 10:00"},
		"instant": {"2020-01-01", "2020-01-01T24:00:00Z"}, "time": {"24:00:00", "10:00"}, "id": {"a_b", "a b"}, "uri": {"a b", "urn:oid:x"}, "url": {"a b"},
		"canonical": {"a b"}, "oid": {"1.2.3"}, "uuid": {"1"}, "base64Binary": {"QQ=A"}, "code": {" a", "a  b"}, "string": {"\x01"}, "markdown": {"\x01"},
		"decimal": {"1.5"}, "xhtml": {`<div xmlns="http://www.w3.org/1999/xhtml"><script/></div>`, "<div>x</div>"}}
	for _, w := range wrong[typ] {
		add("bad "+typ, w)
	}
	if typ == "integer" || typ == "positiveInt" || typ == "unsignedInt" {
		add("bad "+typ, json.Number("1.5"))
		add("bad "+typ, json.Number("99999999999"))
	}
	if typ == "code" && e.Binding.Strength == "required" {
		add("unknown code", "no_such code")
	}
}

// inside finds what can be wrong with the content of a Reference or CodeableConcept as its element is defined.
func (m *mutants) inside(object map[string]any, e *elementRule, typ, path string) {
	switch typ {
	case "Reference":
		var allowed []string
		for _, t := range e.Type {
			for _, p := range t.TargetProfile {
				allowed = append(allowed, p[strings.LastIndexByte(p, '/')+1:])
			}
		}
		if len(allowed) == 0 || slices.Contains(allowed, "Resource") {
			return
		}
		types := ResourceTypes()
		other := types[m.rand.IntN(len(types))]
		if !slices.Contains(allowed, other) {
			m.add("wrong reference target", path+".reference", object, "reference", other+"/1")
			m.add("wrong reference target", path+".reference", object, "reference", "http://example.org/fhir/"+other+"/1/_history/2")
		}
		m.add("bad reference", path+".reference", object, "reference", "no type")
		m.add("bad reference", path+".reference", object, "reference", "#no-such-id")
	case "CodeableConcept":
		set, _, _ := strings.Cut(e.Binding.ValueSet, "|")
		if _, coded := object["coding"]; coded && e.Binding.Strength == "required" && !slices.Contains([]string{"http://loinc.org/vs/LL379-9", "http://hl7.org/fhir/ValueSet/ucum-units"}, set) {
			m.add("unknown code", path, object, "coding", []any{map[string]any{"system": "http://example.org", "code": "x"}})
		}
	}
}

func TestMutantsOfTheExamplesAreRefusedWhereTheyAreWrong(t *testing.T) {
	all := readRules(t)
	random := rand.New(rand.NewPCG(1, 2))
	made, refused, pathed := map[string]int{}, map[string]int{}, 0
	total := 0
	for _, path := range published(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		typ, _, _ := strings.Cut(filepath.Base(path), "-")
		if strings.Contains(definitionTypes, " "+typ+" ") || len(data) > 50_000 || wrongExamples[filepath.Base(path)][0] != "" {
			continue
		}
		example := decode(t, data)
		m := mutants{rules: all, rand: random}
		m.object(example, "Resource", example["resourceType"].(string))
		// of each kind one place in the example
		random.Shuffle(len(m.list), func(i, j int) { m.list[i], m.list[j] = m.list[j], m.list[i] })
		done := map[string]bool{}
		for _, mutant := range m.list {
			if done[mutant.kind] {
				continue
			}
			done[mutant.kind] = true
			undo := mutant.make()
			text, err := json.Marshal(example)
			undo()
			if err != nil {
				t.Fatal(err)
			}
			total++
			made[mutant.kind]++
			d, err := Parse(text, Limits{})
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			faults, _ := d.Check().(hub.Faults)
			if len(faults) > 0 {
				refused[mutant.kind]++
			}
			if slices.ContainsFunc(faults, func(f *hub.Error) bool { return f.Path == mutant.path }) {
				pathed++
			} else {
				t.Errorf("%s: %s at %s: %v", filepath.Base(path), mutant.kind, mutant.path, faults)
			}
		}
	}
	var lines []string
	sum := 0
	for kind, n := range made {
		lines = append(lines, fmt.Sprintf("%s %d of %d", kind, refused[kind], n))
		sum += refused[kind]
	}
	slices.Sort(lines)
	t.Logf("%d mutants, %d refused, %d at the right path:\n%s", total, sum, pathed, strings.Join(lines, "\n"))
	if total < 2000 || sum*100 < total*99 || pathed*100 < total*99 {
		t.Errorf("%d of %d mutants refused, %d at the right path", sum, total, pathed)
	}
}
