package lookup_test

import (
	"slices"
	"testing"

	"concord/hub"
	"concord/hub/lookup"
)

// library has two versions of one canonical, and references to either, to whichever, and to one that is not there.
func library(t *testing.T) *world {
	w := newWorld()
	w.commit(t,
		draft{hub.Name{Type: "Canon", ID: "first"}, &content{Code: "a", URL: "http://u", Version: "1"}},
		draft{hub.Name{Type: "Canon", ID: "second"}, &content{Code: "b", URL: "http://u", Version: "2"}},
		draft{hub.Name{Type: "Canon", ID: "other"}, &content{Code: "b", URL: "http://v", Version: "1"}},
		draft{hub.Name{Type: "Answer", ID: "to-1"}, &content{Code: "x1", Refs: []pointer{{Param: "part", URL: "http://u", Version: "1"}}}},
		draft{hub.Name{Type: "Answer", ID: "to-2"}, &content{Code: "x2", Refs: []pointer{{Param: "part", URL: "http://u", Version: "2"}}}},
		draft{hub.Name{Type: "Answer", ID: "to-3"}, &content{Code: "x3", Refs: []pointer{{Param: "part", URL: "http://u", Version: "3"}}}},
		draft{hub.Name{Type: "Answer", ID: "to-any"}, &content{Code: "x", Refs: []pointer{{Param: "part", URL: "http://u"}}}},
	)
	return w
}

func TestCanonicalReferencesMeanTheVersionTheyName(t *testing.T) {
	w := library(t)
	code := func(typ, code string) *hub.Query {
		return &hub.Query{Type: typ, All: []hub.Clause{{Param: "code", Any: []hub.Match{{Text: code}}}}}
	}
	chain := func(c string) hub.Query {
		return hub.Query{Type: "Answer", Limit: 9, All: []hub.Clause{{Param: "part", Refers: code("Canon", c)}}}
	}
	has := func(c string) hub.Query {
		return hub.Query{Type: "Canon", Limit: 9, All: []hub.Clause{{Param: "part", Referred: code("Answer", c)}}}
	}
	for _, c := range []struct {
		say   string
		query hub.Query
		want  []string
	}{
		{"a chain to the first version", chain("a"), []string{"Answer/to-1", "Answer/to-any"}},
		{"a chain to the second", chain("b"), []string{"Answer/to-2", "Answer/to-any"}},
		{"referred to in its first version", has("x1"), []string{"Canon/first"}},
		{"referred to in whichever", has("x"), []string{"Canon/first", "Canon/second"}},
		{"referred to in one that is not there", has("x3"), nil},
	} {
		for _, l := range []lookup.Limits{{}, {Join: 1}} {
			w.reader.Limits = l
			res, err := w.reader.Search(t.Context(), lead, []hub.Partition{records}, c.query, "")
			if got := namesOf(res.Records); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s, %+v: %v, %v; expected %v", c.say, l, got, err, c.want)
			}
		}
	}
}

func TestCanonicalReferencesBringInTheVersionTheyName(t *testing.T) {
	w := library(t)
	for _, c := range []struct {
		hits    string
		include hub.Include
		want    []string
	}{
		{"Answer/to-2", hub.Include{Type: "Answer", Param: "part", Target: "Canon"}, []string{"Canon/second"}},
		{"Answer/to-any", hub.Include{Type: "Answer", Param: "part"}, []string{"Canon/first", "Canon/second"}},
		{"Answer/to-3", hub.Include{Type: "Answer", Param: "part"}, nil},
		{"Canon/first", hub.Include{Type: "Answer", Param: "part", Reverse: true}, []string{"Answer/to-1", "Answer/to-any"}},
		{"Canon/other", hub.Include{Type: "Answer", Param: "part", Reverse: true}, nil},
	} {
		var hits []hub.Record
		for _, rec := range w.visible(lead) {
			if rec.Name.String() == c.hits {
				hits = append(hits, *rec)
			}
		}
		got, err := w.reader.Follow(t.Context(), lead, records, hits, []hub.Include{c.include}, func(string) bool { return true })
		if err != nil || !slices.Equal(namesOf(got), c.want) {
			t.Errorf("%s: %v, %v; expected %v", c.hits, namesOf(got), err, c.want)
		}
	}
}
