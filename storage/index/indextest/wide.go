package indextest

import (
	"fmt"
	"testing"

	"concord/hub"
	"concord/storage/index"
)

func listsTypes(t *testing.T, r *room) {
	same(t, "types of an empty index", types(t, r), []string{})
	for name, lim := range limits {
		r := r.with(lim)
		r.fresh(t, records)
		l := NewLog(records)
		l.Put(obs("a"), entry("Patient/1"))
		r.apply(t, l)
		same(t, name+": types", types(t, r), []string{"Observation"})
		l.Put(hub.Name{Type: "Account", ID: "1"}, entry("Patient/1"))
		l.Put(obs("a"), nil)
		r.apply(t, l)
		same(t, name+": types", types(t, r), []string{"Account", "Observation"})
		l.Put(obs("b"), &hub.Entry{Route: "Patient/1", Terms: []hub.Term{{Param: hub.Trait, Text: "odd"}}})
		r.apply(t, l)
		same(t, name+": types and a trait", types(t, r), []string{"Account", "Observation", "Observation#odd"})
		before := r.dump(t, records)
		r.fresh(t, records)
		same(t, name+": types of an index that was emptied", types(t, r), []string{})
		for seq, changes := range l.Commits {
			must(t, r.Apply(r.ctx, records, uint64(seq+1), changes))
		}
		if again := r.dump(t, records); again != before {
			t.Fatalf("%s: rebuilt by the same process it differs:\n%s", name, difference(before, again))
		}
	}
}

func types(t *testing.T, r *room) []string {
	t.Helper()
	got, err := r.Types(r.ctx, records)
	must(t, err)
	return got
}

func refusesWhatIsNotPlain(t *testing.T, r *room) {
	beyond := hub.Clause{Test: func(*hub.Record) (bool, error) { return true, nil }}
	for name, q := range map[string]hub.Query{
		"a test":               {All: []hub.Clause{beyond}},
		"a test in an either":  {All: []hub.Clause{{Either: [][]hub.Clause{{having("code", "x")}, {beyond}}}}},
		"a reference":          {All: []hub.Clause{{Param: "subject", Refers: &hub.Query{Type: "Patient"}}}},
		"what is referred to":  {All: []hub.Clause{{Param: "subject", Referred: &hub.Query{Type: "Patient"}}}},
		"an order by a string": {Sort: []hub.Sort{{Key: func(*hub.Record) (string, bool) { return "", false }}}},
	} {
		q.Type, q.Limit = "Observation", 1
		if _, err := r.Search(r.ctx, []hub.Partition{records}, q); err == nil || hub.KindOf(err) != hub.Internal {
			t.Errorf("%s: %v, want an internal error", name, err)
		}
	}
}

// asksThousands: references with and without their routes, among many that nothing has.
func asksThousands(t *testing.T, r *room) {
	l := NewLog(records)
	for i := range 300 {
		l.Put(obs(fmt.Sprint(i)), entry(route(i), exact("subject", route(i)), exact("code", fmt.Sprint(i%3)), between("date", float64(i%50), float64(i%50))))
	}
	r.apply(t, l)
	refs := func(routed bool) hub.Clause {
		c := hub.Clause{Param: "subject"}
		for i := range 1200 {
			m := hub.Match{Text: route(2*i - i%2)}
			if routed {
				m.Route = m.Text
			}
			c.Any = append(c.Any, m)
		}
		return c
	}
	for _, routed := range []bool{true, false} {
		for _, lim := range []index.Limits{{}, {Fetch: 8}} {
			for _, c := range [][]hub.Clause{
				{refs(routed)},
				{refs(routed), having("code", "1")},
				{{Either: [][]hub.Clause{{refs(routed), having("code", "2")}, {having("code", "0")}}}},
				{having("code", "1"), {Param: "subject", Any: refs(routed).Any, Not: true}},
			} {
				q := hub.Query{Type: "Observation", All: c, Limit: 100, Count: true, Sort: []hub.Sort{{Param: "date", Desc: true}}}
				checkPages(t, r.with(lim), []hub.Partition{records}, q, expect(q, l))
			}
		}
	}
	one := hub.Query{Type: "Observation", Limit: 9, Count: true, All: []hub.Clause{{Param: "subject", Any: []hub.Match{{Text: route(7), Route: route(7)}}}, {Param: "subject", Any: []hub.Match{{Text: route(8), Route: route(8)}}}}}
	checkPages(t, r, []hub.Partition{records}, one, nil)
}
