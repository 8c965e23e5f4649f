package indextest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"concord/hub"
	"concord/storage/index"
)

func appliesOnceInOrder(t *testing.T, r *room) {
	l := NewLog(records)
	l.Put(obs("a"), entry("Patient/1", exact("status", "final")))
	_, first := l.Commit()
	l.Put(obs("a"), entry("Patient/1", exact("status", "amended")))
	_, second := l.Commit()
	if err := r.Apply(r.ctx, records, 2, second); !hub.Is(err, hub.Conflict) {
		t.Fatalf("commit 2 before commit 1: %v, want a conflict", err)
	}
	for range 2 {
		must(t, r.Apply(r.ctx, records, 1, first))
	}
	must(t, r.Apply(r.ctx, records, 2, second))
	before := r.dump(t, records)
	must(t, r.Apply(r.ctx, records, 1, first))
	if r.dump(t, records) != before {
		t.Fatal("applying an old commit again changed the index")
	}
	m, err := r.Marks(r.ctx, records)
	must(t, err)
	if m.Applied != 2 || m.Generation == "" || m.Stamp != r.Stamp(records) {
		t.Fatalf("marks %+v", m)
	}
	checkHeads(t, r, l)
}

func appliersAgree(t *testing.T, r *room) {
	l := randomLog(records, 30)
	for limit, lim := range limits {
		r.fresh(t, records)
		hubs := []*room{r.with(lim), r.with(lim), r.with(lim), r.with(lim)}
		side(len(hubs), func(i int) {
			for seq, changes := range l.Commits {
				for {
					err := hubs[i].Apply(r.ctx, records, uint64(seq+1), changes)
					if err == nil {
						break
					}
					if !hub.Is(err, hub.Unavailable) {
						t.Errorf("%s: commit %d: %v", limit, seq+1, err)
						return
					}
				}
			}
		})
		together := r.dump(t, records)
		checkHeads(t, r, l)
		r.fresh(t, records)
		for seq, changes := range l.Commits {
			must(t, r.Apply(r.ctx, records, uint64(seq+1), changes))
		}
		if alone := r.dump(t, records); alone != together {
			t.Fatalf("%s: four hubs made another index than one:\n%s", limit, difference(alone, together))
		}
	}
}

func replacesWhole(t *testing.T, r *room) {
	l := NewLog(records)
	l.Put(obs("a"), entry("Patient/1", exact("status", "final"), exact("code", "x"), text("name", "wang"), between("date", 1, 2), between("date", 5, 5)))
	r.apply(t, l)
	l.Put(obs("a"), entry("Patient/1", exact("code", "x"), between("date", 5, 5)))
	r.apply(t, l)
	for q, want := range map[*hub.Query]int{
		{Type: "Observation", All: []hub.Clause{having("status", "final")}}:                                                                                0,
		{Type: "Observation", All: []hub.Clause{having("code", "x")}}:                                                                                      1,
		{Type: "Observation", All: []hub.Clause{{Param: "name", Any: []hub.Match{{Kind: hub.Prefix, Text: "w"}}}}}:                                         0,
		{Type: "Observation", All: []hub.Clause{{Param: "date", Any: []hub.Match{{Kind: hub.Within, LoMin: 0, LoMax: 9, HiMin: 0, HiMax: 3}}}}}:            0,
		{Type: "Observation", All: []hub.Clause{{Param: "date", Any: []hub.Match{{Kind: hub.Within, LoMin: 0, LoMax: 9, HiMin: 5, HiMax: 9}}}}}:            1,
		{Type: "Observation", All: []hub.Clause{{Param: "date", Not: true, Any: []hub.Match{{Kind: hub.Within, LoMin: 5, LoMax: 5, HiMin: 5, HiMax: 5}}}}}: 0,
	} {
		if got := r.nums(t, *q, records); len(got) != want {
			t.Fatalf("%+v: %v, want %d hits", q.All, got, want)
		}
	}
	for _, gone := range []string{"status", "name", ":m:", "}:o:", "}:w:", "}:y:"} {
		if d := r.dump(t, records); strings.Contains(d, gone) {
			t.Fatalf("%q was left behind:\n%s", gone, d)
		}
	}
}

func movesWithRoute(t *testing.T, r *room) {
	routes := apart(3)
	l := NewLog(records)
	for round := range 7 {
		l.Put(obs("a"), entry(routes[round%3], exact("subject", routes[round%3]), between("date", float64(round), float64(round+1)), text("name", "a")))
		l.Put(obs("b"), entry(routes[0], exact("subject", routes[0])))
		r.apply(t, l)
		checkHeads(t, r, l)
		for i, route := range routes {
			want := []uint64{}
			if i == round%3 {
				want = append(want, 1)
			}
			if i == 0 {
				want = append(want, 2)
			}
			same(t, "hits of "+route, r.nums(t, hub.Query{Type: "Observation", Routes: []string{route}, All: []hub.Clause{having("subject", route)}}, records), want)
		}
	}
	l.Put(obs("a"), nil)
	l.Put(obs("b"), nil)
	r.apply(t, l)
	onlyHeadsLeft(t, r)
}

// onlyHeadsLeft: nothing lives, so there are no postings.
func onlyHeadsLeft(t *testing.T, r *room) {
	t.Helper()
	for line := range strings.Lines(r.dump(t, records)) {
		_, key, _ := strings.Cut(line, "}:")
		if strings.HasPrefix(key, "types") || strings.HasPrefix(key, "mark") || strings.HasPrefix(key, "meta") {
			continue
		}
		if !strings.ContainsRune("khvNOWYU", rune(key[0])) {
			t.Fatalf("left behind: %s", line)
		}
	}
}

func swapsPlaces(t *testing.T, r *room) {
	routes := apart(2)
	for name, lim := range limits {
		r := r.with(lim)
		r.fresh(t, records)
		l := NewLog(records)
		for round := range 6 {
			l.Put(obs("a"), entry(routes[round%2], exact("code", "x")))
			l.Put(obs("b"), entry(routes[1-round%2], exact("code", "x")))
			if name == "small limits" {
				for i := range 30 {
					l.Put(obs(fmt.Sprint("filler", i)), entry(routes[i%2], exact("code", "y")))
				}
			}
			r.apply(t, l)
			checkHeads(t, r, l)
		}
		same(t, "hits", r.nums(t, hub.Query{Type: "Observation", All: []hub.Clause{having("code", "x")}}, records), []uint64{1, 2})
	}
}

func deletesAndReturns(t *testing.T, r *room) {
	l := NewLog(records)
	terms := []hub.Term{exact("code", "x"), text("name", "li"), between("date", 1, 3)}
	for round := range 3 {
		l.Put(obs("a"), entry(fmt.Sprint("Patient/", round), terms...))
		r.apply(t, l)
		checkHeads(t, r, l)
		same(t, "hits", r.nums(t, hub.Query{Type: "Observation"}, records), []uint64{1})
		l.Put(obs("a"), nil)
		r.apply(t, l)
		checkHeads(t, r, l)
		same(t, "hits", r.nums(t, hub.Query{Type: "Observation"}, records), []uint64{})
		onlyHeadsLeft(t, r)
	}
}

func foldsVersions(t *testing.T, r *room) {
	routes := apart(2)
	l := NewLog(records)
	l.Put(obs("a"), entry(routes[0], exact("code", "1")))
	l.Put(obs("a"), entry(routes[1], exact("code", "2")))
	l.Put(obs("b"), entry(routes[0], exact("code", "1")))
	l.Put(obs("b"), nil)
	r.apply(t, l)
	checkHeads(t, r, l)
	l.Put(obs("a"), entry(routes[0], exact("code", "3")))
	l.Put(obs("a"), entry(routes[0], exact("code", "4")))
	l.Put(obs("b"), entry(routes[0], exact("code", "4")))
	l.Put(obs("a"), entry(routes[1], exact("code", "4")))
	r.apply(t, l)
	checkHeads(t, r, l)
	for code, want := range map[string][]uint64{"1": {}, "2": {}, "3": {}, "4": {1, 2}} {
		same(t, "hits of code "+code, r.nums(t, hub.Query{Type: "Observation", All: []hub.Clause{having("code", code)}}, records), want)
	}
}

func appliesLongCommit(t *testing.T, r *room) {
	l := NewLog(records)
	for i := range 6000 {
		l.Put(obs(fmt.Sprint(i)), entry(fmt.Sprint("Patient/", i%50), exact("code", fmt.Sprint(i%7)), text("name", fmt.Sprint("n", i)), between("date", float64(i), float64(i+1))))
	}
	r.apply(t, l)
	q := hub.Query{Type: "Observation", All: []hub.Clause{having("code", "3")}, Count: true}
	page, err := r.Search(r.ctx, []hub.Partition{records}, q)
	must(t, err)
	if want := int64(len(expect(q, l))); page.Total != want {
		t.Fatalf("%d hits, want %d", page.Total, want)
	}
	pieces := r.dump(t, records)
	r.fresh(t, records)
	must(t, r.with(index.Limits{Whole: 1 << 30}).Apply(r.ctx, records, 1, l.Commits[0]))
	if whole := r.dump(t, records); whole != pieces {
		t.Fatalf("in one piece the index is another one:\n%s", difference(whole, pieces))
	}
}

func rebuildEqualsLive(t *testing.T, r *room) {
	l := randomLog(records, 25)
	live := r.with(index.Limits{Whole: 40})
	for seq, changes := range l.Commits {
		must(t, live.Apply(r.ctx, records, uint64(seq+1), changes))
	}
	before := r.dump(t, records)
	old, err := r.Marks(r.ctx, records)
	must(t, err)
	must(t, r.Reset(r.ctx, records))
	if d := r.dump(t, records); d != "" {
		t.Fatalf("left behind:\n%s", d)
	}
	var e *hub.Error
	_, err = r.Search(r.ctx, []hub.Partition{records}, hub.Query{Type: "Observation", Limit: 1})
	if !errors.As(err, &e) || e.Kind != hub.Unavailable || e.Retry == 0 {
		t.Fatalf("search of an empty index: %v, want to be told to come back", err)
	}
	_, err = r.Heads(r.ctx, records, l.names())
	if !hub.Is(err, hub.Unavailable) {
		t.Fatalf("heads of an empty index: %v", err)
	}
	if err := r.Apply(r.ctx, records, 1, l.Commits[0]); !hub.Is(err, hub.Unavailable) {
		t.Fatalf("apply to an index without a stamp: %v", err)
	}
	marks := make([]hub.Marks, 4)
	side(4, func(i int) { marks[i], _ = r.Begin(r.ctx, records) })
	for _, m := range marks {
		if m != marks[0] || m.Generation == "" || m.Generation == old.Generation {
			t.Fatalf("hubs that begin together got %+v", marks)
		}
	}
	for seq, changes := range l.Commits {
		must(t, r.Apply(r.ctx, records, uint64(seq+1), changes))
	}
	if again := r.dump(t, records); again != before {
		t.Fatalf("rebuilt differs from live:\n%s", difference(before, again))
	}
	checkHeads(t, r, l)
}

func refusesForeignStamp(t *testing.T, r *room) {
	other := layout(index.Limits{})
	other.Projection = "2"
	ix := index.Open(r.client, other)
	for doing, err := range map[string]error{
		"search": second(ix.Search(r.ctx, []hub.Partition{records}, hub.Query{Type: "Observation", Limit: 1})),
		"heads":  second(ix.Heads(r.ctx, records, []hub.Name{obs("a")})),
		"begin":  second(ix.Begin(r.ctx, records)),
		"apply":  ix.Apply(r.ctx, records, 1, nil),
		"counts": third(ix.Counts(r.ctx, []hub.Tally{{Partition: records, Type: "Observation", Param: "code", Text: "x"}}, "", nil)),
	} {
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != hub.Unavailable || !strings.Contains(e.Hint, "concord rebuild") {
			t.Errorf("%s: %v, want the remedy", doing, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func third[S, T any](_ S, _ T, err error) error { return err }

// difference shows the first lines that differ.
func difference(a, b string) string {
	in := map[string]int{}
	for line := range strings.Lines(a) {
		in[line]++
	}
	for line := range strings.Lines(b) {
		in[line]--
	}
	var out strings.Builder
	n := 0
	for line, count := range in {
		if count != 0 && n < 20 {
			fmt.Fprintf(&out, "%+d %s", -count, line)
			n++
		}
	}
	return out.String()
}
