package messages

import (
	"testing"

	"concord/internal/fhir"
)

func TestIdentifiersThatAreMerged(t *testing.T) {
	const placer, filler = `{"type":{"text":"PLAC"},"system":"s","value":"1"}`, `{"type":{"text":"FILL"},"system":"s","value":"1"}`
	const bare, other = `{"system":"s","value":"1"}`, `{"system":"s","value":"2"}`
	list := func(items ...string) (s string) {
		for i, item := range items {
			if i > 0 {
				s += ","
			}
			s += item
		}
		return "[" + s + "]"
	}
	for say, c := range map[string]struct{ was, is, want string }{
		"what was sent again stays as it is":              {list(placer, filler), list(placer, filler), list(placer, filler)},
		"one of two that share their value is sent again": {list(placer, filler), list(filler), list(placer, filler)},
		"one more that shares a value comes":              {list(placer), list(placer, filler), list(placer, filler)},
		"what is said of a number is replaced":            {list(bare, other), list(placer), list(placer, other)},
		"the one of the same type is replaced": {list(placer, filler), list(`{"type":{"text":"FILL"},"system":"s","value":"1","use":"official"}`),
			list(placer, `{"type":{"text":"FILL"},"system":"s","value":"1","use":"official"}`)},
		"a new one that comes twice is once":                     {list(other), list(bare, bare), list(other, bare)},
		"another number is added":                                {list(bare), list(other), list(bare, other)},
		"the same twice is once":                                 {list(bare), list(bare, bare), list(bare)},
		"one that says the same is met before one that does not": {list(bare, placer), list(placer, filler), list(filler, placer)},
	} {
		t.Run(say, func(t *testing.T) {
			was, err := fhir.Parse([]byte(c.was), fhir.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			is, err := fhir.Parse([]byte(c.is), fhir.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(unite(was.Root(), is.Root(), unions["identifier"])); got != c.want {
				t.Errorf("%s", got)
			}
		})
	}
}
