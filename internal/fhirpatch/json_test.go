package fhirpatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/hub"
	"concord/internal/fhir"
)

func TestJSONPatchOperations(t *testing.T) {
	for say, c := range map[string]struct{ doc, patch, want string }{
		"add a member":                  {`{"a":1.00}`, `[{"op":"add","path":"/b","value":2.50}]`, `{"a":1.00,"b":2.50}`},
		"add replaces a member":         {`{"a":1,"b":2}`, `[{"op":"add","path":"/a","value":3}]`, `{"a":3,"b":2}`},
		"add into an array":             {`{"a":[1,2]}`, `[{"op":"add","path":"/a/1","value":9}]`, `{"a":[1,9,2]}`},
		"add at the end":                {`{"a":[1]}`, `[{"op":"add","path":"/a/-","value":[true]}]`, `{"a":[1,[true]]}`},
		"add the whole":                 {`{"a":1}`, `[{"op":"add","path":"","value":{"b":1}}]`, `{"b":1}`},
		"remove":                        {`{"a":1,"b":[1,2]}`, `[{"op":"remove","path":"/a"},{"op":"remove","path":"/b/0"}]`, `{"b":[2]}`},
		"what is emptied goes":          {`{"a":[1],"b":{"c":{"d":1}},"e":1}`, `[{"op":"remove","path":"/a/0"},{"op":"remove","path":"/b/c/d"}]`, `{"e":1}`},
		"what is emptied can be filled": {`{"a":[1],"e":1}`, `[{"op":"remove","path":"/a/0"},{"op":"add","path":"/a/-","value":2}]`, `{"a":[2],"e":1}`},
		"an empty value stays":          {`{"a":1}`, `[{"op":"add","path":"/b","value":[]}]`, `{"a":1,"b":[]}`},
		"replace":                       {`{"a":1,"b":{"c":"x"}}`, `[{"op":"replace","path":"/b/c","value":null}]`, `{"a":1,"b":{"c":null}}`},
		"move":                          {`{"a":{"x":1e3},"b":{}}`, `[{"op":"move","from":"/a/x","path":"/b/y"}]`, `{"b":{"y":1e3}}`},
		"move in an array":              {`{"a":[1,2,3]}`, `[{"op":"move","from":"/a/0","path":"/a/2"}]`, `{"a":[2,3,1]}`},
		"copy is another value":         {`{"a":{"x":1}}`, `[{"op":"copy","from":"/a","path":"/b"},{"op":"replace","path":"/b/x","value":2}]`, `{"a":{"x":1},"b":{"x":2}}`},
		"test by value":                 {`{"a":[1.00,{"b":"\u0061","c":null}]}`, `[{"op":"test","path":"/a","value":[10e-1,{"c":null,"b":"a"}]}]`, `{"a":[1.00,{"b":"\u0061","c":null}]}`},
		"escapes in pointers":           {`{"a/b":1,"~":2,"\u0063":3}`, `[{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/~0"},{"op":"add","path":"/d","value":0}]`, `{"\u0063":3,"d":0}`},
	} {
		t.Run(say, func(t *testing.T) {
			p, err := JSON(parse(t, c.patch))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, err := p.Apply(parse(t, c.doc))
				if err != nil {
					t.Fatal(err)
				}
				if string(got.Root().Raw()) != c.want {
					t.Fatalf("got %s, want %s", got.Root().Raw(), c.want)
				}
			}
		})
	}
}

func TestJSONPatchesAreRefused(t *testing.T) {
	for say, c := range map[string]struct {
		patch string
		kind  hub.ErrKind
	}{
		"no array":                 {`{"op":"add"}`, hub.Invalid},
		"an unknown operation":     {`[{"op":"x","path":"/a"}]`, hub.Invalid},
		"no path":                  {`[{"op":"remove"}]`, hub.Invalid},
		"a path without slash":     {`[{"op":"remove","path":"a"}]`, hub.Invalid},
		"a wrong escape":           {`[{"op":"remove","path":"/~2"}]`, hub.Invalid},
		"no value":                 {`[{"op":"add","path":"/x"}]`, hub.Invalid},
		"a missing member":         {`[{"op":"remove","path":"/x"}]`, hub.Unprocessable},
		"replacing what is not":    {`[{"op":"replace","path":"/x","value":1}]`, hub.Unprocessable},
		"a position beyond":        {`[{"op":"add","path":"/a/3","value":1}]`, hub.Unprocessable},
		"a position with a zero":   {`[{"op":"replace","path":"/a/00","value":1}]`, hub.Unprocessable},
		"the end where none is":    {`[{"op":"remove","path":"/a/-"}]`, hub.Unprocessable},
		"a step into a number":     {`[{"op":"add","path":"/a/0/x","value":1}]`, hub.Unprocessable},
		"moving into itself":       {`[{"op":"move","from":"/a","path":"/a/0"}]`, hub.Invalid},
		"removing the whole":       {`[{"op":"remove","path":""}]`, hub.Unprocessable},
		"a test that fails":        {`[{"op":"test","path":"/a/0","value":1.01}]`, hub.Conflict},
		"a test of another kind":   {`[{"op":"test","path":"/a/0","value":"1"}]`, hub.Conflict},
		"a test of nothing":        {`[{"op":"test","path":"/x","value":null}]`, hub.Conflict},
		"copies that double":       {"[" + strings.Repeat(`{"op":"copy","from":"/a","path":"/a/-"},`, 40) + `{"op":"remove","path":"/a"}]`, hub.TooLarge},
		"more operations than 1e3": {"[" + strings.Repeat(`{"op":"remove","path":"/b"},`, 1000) + `{"op":"remove","path":"/b"}]`, hub.TooLarge},
	} {
		t.Run(say, func(t *testing.T) {
			p, err := JSON(parse(t, c.patch))
			if err == nil {
				_, err = p.Apply(parse(t, `{"a":[1,2],"pad":"`+strings.Repeat("x", 1000)+`"}`))
			}
			if !hub.Is(err, c.kind) {
				t.Errorf("got %v (%v), want kind %v", err, hub.KindOf(err), c.kind)
			}
		})
	}
}

// element is a place in a random resource: its JSON Pointer, its FHIRPath and where its bytes lie.
type element struct {
	pointer, path string
	start, end    int
}

// observation draws an Observation whose numbers and texts have unusual forms, and lists its components' quantities.
func observation(t *rapid.T) (string, []element) {
	decimals := rapid.SampledFrom([]string{"1", "1.0", "1.00", "0.10", "-0.0", "1e3", "1E+3", "123456789.123456789123456789", "0.000000000000000000000001"})
	texts := rapid.SampledFrom([]string{`"a"`, `"\u0061"`, `"\/"`, `"<b>&"`, `"\ud83d\ude00"`, `"张伟"`, `"\t"`})
	space := rapid.SampledFrom([]string{"", " ", "\n", "\t "})
	var b bytes.Buffer
	var list []element
	fmt.Fprintf(&b, `{%s"resourceType":"Observation","status":"final","code":{%s"text":%s},%s"component":[`, space.Draw(t, "s"), space.Draw(t, "s"), texts.Draw(t, "t"), space.Draw(t, "s"))
	for i := range rapid.IntRange(1, 6).Draw(t, "n") {
		if i > 0 {
			b.WriteString("," + space.Draw(t, "s"))
		}
		fmt.Fprintf(&b, `{"code":{"text":%s},%s"valueQuantity":{"value":`, texts.Draw(t, "t"), space.Draw(t, "s"))
		start := b.Len()
		b.WriteString(decimals.Draw(t, "d"))
		list = append(list, element{fmt.Sprintf("/component/%d/valueQuantity/value", i), fmt.Sprintf("Observation.component[%d].value.value", i), start, b.Len()})
		fmt.Fprintf(&b, `,"unit":%s}}`, texts.Draw(t, "t"))
	}
	b.WriteString(`]}`)
	return b.String(), list
}

// TestPatchesKeepWhatTheyDoNotTouch: a replaced value changes its own bytes only, apart from blanks between the values
// around it, in both languages.
func TestPatchesKeepWhatTheyDoNotTouch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, places := observation(t)
		at := rapid.SampledFrom(places).Draw(t, "at")
		value := rapid.SampledFrom([]string{"7", "7.0", "7.000", "0.70", "7e-10"}).Draw(t, "value")
		want := compact(text[:at.start] + value + text[at.end:])
		doc, err := fhir.Parse([]byte(text), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		jp := `[{"op":"replace","path":"` + at.pointer + `","value":` + value + `}]`
		fp := parameters(op("replace", at.path, "value", `"valueDecimal":`+value))
		for language, compile := range map[string]func() (*Patch, error){
			"JSON": func() (*Patch, error) { d, _ := fhir.Parse([]byte(jp), fhir.Limits{}); return JSON(d) },
			"FHIR": func() (*Patch, error) { d, _ := fhir.Parse([]byte(fp), fhir.Limits{}); return FHIRPath(d) },
		} {
			p, err := compile()
			if err != nil {
				t.Fatal(language, err)
			}
			got, err := p.Apply(doc)
			if err != nil {
				t.Fatal(language, err)
			}
			if out := string(got.Root().Compact()); out != want {
				t.Fatalf("%s\ngot  %s\nwant %s", language, out, want)
			}
			// What lies beside the changed branch keeps even its blanks.
			code := doc.Root().Get("code").Raw()
			if !bytes.Equal(got.Root().Get("code").Raw(), code) {
				t.Fatalf("%s changed a neighbour", language)
			}
		}
	})
}

// compact drops blanks outside of strings and nothing else.
func compact(text string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		panic(err)
	}
	return b.String()
}
