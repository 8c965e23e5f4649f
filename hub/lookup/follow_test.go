package lookup_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
)

// included is what includes mean, said as plainly as can be.
func included(w *world, who access.Caller, hits []hub.Record, includes []hub.Include, may func(string) bool) (names []string) {
	all := w.visible(who)
	seen := map[hub.Name]bool{}
	var front []*hub.Record
	for i := range hits {
		seen[hits[i].Name] = true
		front = append(front, &hits[i])
	}
	leads := func(from, to *hub.Record, param string) bool {
		return slices.ContainsFunc(contentOf(from).Refs, func(p pointer) bool { return p.Param == param && p.leads(to) })
	}
	for round := 0; len(front) > 0; round++ {
		var next []*hub.Record
		for _, inc := range includes {
			for _, here := range front {
				for _, there := range all {
					from, to := here, there
					if inc.Reverse {
						from, to = there, here
					}
					if (round == 0 || inc.Iterate) && !seen[there.Name] && may(there.Name.Type) && from.Name.Type == inc.Type &&
						(inc.Target == "" || to.Name.Type == inc.Target) && leads(from, to, inc.Param) {
						seen[there.Name] = true
						next = append(next, there)
					}
				}
			}
		}
		for _, rec := range next {
			names = append(names, rec.Name.String())
		}
		front = next
	}
	slices.Sort(names)
	return names
}

func TestIncludesBringInAllThatIsAskedForOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		who := rapid.SampledFrom([]access.Caller{lead, centre}).Draw(rt, "who")
		typ := rapid.SampledFrom(drawnTypes).Draw(rt, "search")
		res, err := w.reader.Search(rt.Context(), who, []hub.Partition{records}, hub.Query{Type: typ, Limit: rapid.IntRange(1, 5).Draw(rt, "limit")}, "")
		if err != nil {
			rt.Fatal(err)
		}
		var includes []hub.Include
		for range rapid.IntRange(1, 4).Draw(rt, "includes") {
			inc := hub.Include{Type: rapid.SampledFrom(drawnTypes).Draw(rt, "of"), Param: rapid.SampledFrom([]string{"subject", "author", "part"}).Draw(rt, "by"),
				Target:  rapid.SampledFrom(append(drawnTypes, "", "", "")).Draw(rt, "target"),
				Reverse: rapid.Bool().Draw(rt, "reverse"), Iterate: rapid.Bool().Draw(rt, "iterate")}
			inc.Routed = inc.Param == "subject"
			includes = append(includes, inc)
		}
		hidden := rapid.SampledFrom(append(drawnTypes, "")).Draw(rt, "a type out of scope")
		may := func(typ string) bool { return typ != hidden }
		w.trail.events = nil
		got, err := w.reader.Follow(rt.Context(), who, records, res.Records, includes, may)
		if err != nil {
			rt.Fatal(err)
		}
		names := namesOf(got)
		noted := 0
		for _, e := range w.trail.events {
			noted += len(e.Names)
		}
		slices.Sort(names)
		if want := included(w, who, res.Records, includes, may); !slices.Equal(names, want) || noted != len(names) {
			rt.Fatalf("%v of %v bring in %v, expected %v; %d noted", includes, namesOf(res.Records), names, want, noted)
		}
	})
}

func TestIncludesBeyondTheLimitAreRefused(t *testing.T) {
	w := newWorld()
	w.reader.Limits.Included = 30
	drafts := []draft{{hub.Name{Type: "Patient", ID: "p"}, &content{}}}
	for i := range 40 {
		drafts = append(drafts, draft{hub.Name{Type: "Observation", ID: fmt.Sprint(i)}, &content{Refs: []pointer{{Param: "subject", To: "Patient/p"}}}})
	}
	w.commit(t, drafts...)
	res, err := w.reader.Search(t.Context(), lead, []hub.Partition{records}, hub.Query{Type: "Patient", Limit: 1}, "")
	if err != nil {
		t.Fatal(err)
	}
	include := []hub.Include{{Type: "Observation", Param: "subject", Reverse: true}}
	_, err = w.reader.Follow(t.Context(), lead, records, res.Records, include, func(string) bool { return true })
	if !hub.Is(err, hub.TooCostly) {
		t.Errorf("%v, expected it to be too costly", err)
	}
	w.reader.Limits.Included = 40
	got, err := w.reader.Follow(t.Context(), lead, records, res.Records, include, func(string) bool { return true })
	if err != nil || len(got) != 40 {
		t.Errorf("%d records, %v", len(got), err)
	}
	w.reader.Limits.Reverse = 1
	_, err = w.reader.Follow(t.Context(), lead, records, res.Records, append(include, include...), func(string) bool { return true })
	if !hub.Is(err, hub.TooCostly) {
		t.Errorf("two searches where one may be: %v", err)
	}
}

// clinic has n observations by as many practitioners, of whom each third has the code a.
func clinic(t *testing.T, n int) *world {
	w := newWorld()
	var drafts []draft
	for i := range n {
		drafts = append(drafts, draft{hub.Name{Type: "Practitioner", ID: fmt.Sprint(i)}, &content{Code: []string{"a", "b", "c"}[i%3]}},
			draft{hub.Name{Type: "Observation", ID: fmt.Sprint(i)}, &content{Code: "a", Refs: []pointer{{Param: "author", To: fmt.Sprint("Practitioner/", i)}}}})
	}
	w.commit(t, drafts...)
	return w
}

func byAuthor(code string) hub.Query {
	inner := &hub.Query{Type: "Practitioner"}
	if code != "" {
		inner.All = []hub.Clause{{Param: "code", Any: []hub.Match{{Text: code}}}}
	}
	return hub.Query{Type: "Observation", Limit: 1000, Count: true, All: []hub.Clause{{Param: "author", Refers: inner}}}
}

func TestALargeInnerSearchIsReadToItsEnd(t *testing.T) {
	w := clinic(t, 1200)
	for _, l := range []lookup.Limits{{}, {Join: 300}} { // carried out first; judged on each candidate
		w.reader.Limits = l
		res, err := w.reader.Search(t.Context(), lead, []hub.Partition{records}, byAuthor("b"), "")
		if err != nil || res.Total != 400 || len(res.Records) != 400 {
			t.Errorf("%+v: %d records of %d, %v", l, len(res.Records), res.Total, err)
		}
	}
}

func TestWhatNeitherSideCanNarrowIsRefusedWithNumbers(t *testing.T) {
	w := clinic(t, 900)
	w.reader.Limits = lookup.Limits{Join: 300, Scan: 500}
	_, err := w.reader.Search(t.Context(), lead, []hub.Partition{records}, byAuthor(""), "")
	want := "count what meets the search: more Observation would have to be read than the limit of 500" +
		" (add a condition on Observation, or one on Practitioner, which a chain leads to)"
	if !hub.Is(err, hub.TooCostly) || err.Error() != want {
		t.Errorf("%v, expected: %s", err, want)
	}
	if _, err = w.reader.Plain(t.Context(), lead, records, byAuthor("")); !hub.Is(err, hub.TooCostly) {
		t.Errorf("a conditional write: %v", err)
	}
	plain, err := w.reader.Plain(t.Context(), lead, records, byAuthor("c"))
	if err != nil || len(plain.All[0].Any) != 300 {
		t.Errorf("a conditional write: %v, %v", plain.All, err)
	}
	q := byAuthor("")
	q.Count, q.Limit = false, 10
	res, err := w.reader.Search(t.Context(), lead, []hub.Partition{records}, q, "")
	if err != nil || len(res.Records) != 10 || res.Next == nil {
		t.Errorf("a page is found without a total: %d records, %v", len(res.Records), err)
	}
}
