package indextest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"concord/hub"
	"concord/storage/index"
)

func pagesStay(t *testing.T, r *room) {
	for name, lim := range limits {
		r := r.with(lim)
		r.fresh(t, records)
		l := NewLog(records)
		for i := range 60 {
			l.Put(obs(fmt.Sprint(i)), entry(fmt.Sprint("Patient/", i%9), exact("code", "x"), between("date", float64(i%13), float64(i%13))))
		}
		r.apply(t, l)
		q := hub.Query{Type: "Observation", All: []hub.Clause{having("code", "x")}, Sort: []hub.Sort{{Param: "date", Desc: true}}, Limit: 7}
		want := expect(q, l)
		var got []uint64
		for more := true; more; {
			page, err := r.Search(r.ctx, []hub.Partition{records}, q)
			must(t, err)
			for _, h := range page.Hits {
				if h.Head.Num <= 60 {
					got = append(got, h.Head.Num)
				}
				q.After = &h.Pos
			}
			more = page.More
			l.Put(obs(fmt.Sprint("new", len(l.Commits))), entry("Patient/3", exact("code", "x"), between("date", float64(len(l.Commits)%13), 20)))
			l.Put(hub.Name{Type: "Patient", ID: "3"}, entry("Patient/3", text("name", fmt.Sprint(len(l.Commits)))))
			r.apply(t, l)
		}
		nums := make([]uint64, len(want))
		for i, h := range want {
			nums[i] = h.num
		}
		same(t, name+": the things of the first hour, page by page", got, nums)
	}
}

// seesWholeCommits: every commit rewrites all things with one tag, so that whoever sees two tags saw half a commit.
func seesWholeCommits(t *testing.T, r *room) {
	routes := apart(4)
	const things, commits = 12, 60
	l := NewLog(records)
	for c := range commits {
		for i := range things {
			l.Put(obs(fmt.Sprint(i)), entry(routes[(i+c/10)%4], exact("tag", fmt.Sprint(c)), exact("all", "x")))
		}
		l.Commit()
	}
	for name, lim := range limits {
		r := r.with(lim)
		r.fresh(t, records)
		must(t, r.Apply(r.ctx, records, 1, l.Commits[0]))
		var done atomic.Bool
		searches, refused := 0, 0
		side(2, func(i int) {
			if i == 0 {
				defer done.Store(true)
				for c := 1; c < commits; c++ {
					if err := r.Apply(r.ctx, records, uint64(c+1), l.Commits[c]); err != nil {
						t.Error(err)
						return
					}
				}
				return
			}
			for !done.Load() {
				page, err := r.Search(r.ctx, []hub.Partition{records}, hub.Query{Type: "Observation", All: []hub.Clause{having("all", "x")}, Limit: 50})
				searches++
				if hub.Is(err, hub.Unavailable) {
					refused++
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				seqs := map[uint64]bool{}
				for _, h := range page.Hits {
					seqs[h.Head.Loc.Seq] = true
				}
				if len(page.Hits) != things || len(seqs) != 1 {
					t.Errorf("%s: a search saw %d things of commits %v", name, len(page.Hits), seqs)
					return
				}
				one := fmt.Sprint(searches % things)
				page, err = r.Search(r.ctx, []hub.Partition{records}, hub.Query{Type: "Observation", Limit: 5,
					All: []hub.Clause{having("all", "x"), {Param: hub.ID, Any: []hub.Match{{Text: one}}}}})
				if hub.Is(err, hub.Unavailable) {
					refused++
					continue
				}
				if err != nil || len(page.Hits) != 1 {
					t.Errorf("%s: a search by id while things move found %d, %v", name, len(page.Hits), err)
					return
				}
				heads, err := r.Heads(r.ctx, records, l.names())
				if err != nil {
					t.Error(err)
					return
				}
				for _, h := range heads {
					if h.Version == 0 || h.Loc.Seq != heads[0].Loc.Seq {
						t.Errorf("%s: heads of commits %d and %d together", name, h.Loc.Seq, heads[0].Loc.Seq)
						return
					}
				}
			}
		})
		t.Logf("%s: %d searches while %d commits came, %d told to come back", name, searches, commits, refused)
	}
}

func countsExactly(t *testing.T, r *room) {
	logs := []*Log{randomLog(records, 20), randomLog("dicom-00", 12)}
	var of []hub.Tally
	for _, l := range logs {
		for seq, changes := range l.Commits {
			must(t, r.Apply(r.ctx, l.Partition, uint64(seq+1), changes))
		}
		for _, text := range []string{"a", "b", "c", "never"} {
			of = append(of, hub.Tally{Partition: l.Partition, Type: "Observation", Param: "code", Text: text})
		}
	}
	got, marks, err := r.Counts(r.ctx, of, "", nil)
	must(t, err)
	for i, tally := range of {
		l := logs[i/4]
		want := int64(len(expect(hub.Query{Type: "Observation", All: []hub.Clause{having("code", tally.Text)}}, l)))
		if got[i] != want || marks[l.Partition].Applied != uint64(len(l.Commits)) {
			t.Errorf("count of %q in %s is %d at commit %d, want %d at %d", tally.Text, l.Partition, got[i], marks[l.Partition].Applied, want, len(l.Commits))
		}
	}
}

func tellsBeside(t *testing.T, r *room) {
	of := []hub.Tally{{Partition: "dicom-00", Type: "Observation", Param: "code", Text: "a"}}
	qs := []hub.Query{{Type: "Observation", Limit: 5}, {Type: "Observation", Count: true}, {Type: "Nothing", Limit: 1}}
	ask := func(beside hub.Partition) (all []map[hub.Partition]hub.Marks, err error) {
		for _, q := range qs {
			q.Beside = beside
			page, err := r.Search(r.ctx, []hub.Partition{"dicom-00"}, q)
			if err != nil {
				return nil, err
			}
			all = append(all, page.Marks)
		}
		_, marks, err := r.Counts(r.ctx, of, beside, nil)
		return append(all, marks), err
	}
	beside, searched := randomLog(records, 5), randomLog("dicom-00", 3)
	for seq, changes := range searched.Commits {
		must(t, r.Apply(r.ctx, "dicom-00", uint64(seq+1), changes))
	}
	for seq, changes := range beside.Commits {
		must(t, r.Apply(r.ctx, records, uint64(seq+1), changes))
		want, err := r.Marks(r.ctx, records)
		must(t, err)
		all, err := ask(records)
		must(t, err)
		for i, marks := range all {
			if marks[records] != want || marks["dicom-00"].Applied != uint64(len(searched.Commits)) {
				t.Errorf("question %d: %v, want the records at %v", i, marks, want)
			}
		}
	}
	all, err := ask("")
	must(t, err)
	for i, marks := range all {
		if _, has := marks[records]; has {
			t.Errorf("question %d tells of what was not asked: %v", i, marks)
		}
	}
	if _, err := ask("nowhere"); err == nil {
		t.Error("a partition that is not there was no error")
	}
}

func mergesPartitions(t *testing.T, r *room) {
	logs := []*Log{randomLog(records, 8), randomLog("dicom-00", 8), randomLog("dicom-01", 8)}
	ps := []hub.Partition{"dicom-01", records, "dicom-00"}
	for _, l := range logs {
		for seq, changes := range l.Commits {
			must(t, r.Apply(r.ctx, l.Partition, uint64(seq+1), changes))
		}
	}
	for _, sort := range [][]hub.Sort{nil, {{Param: "date"}}, {{Param: "date", Desc: true}, {Param: hub.LastUpdated}}} {
		q := hub.Query{Type: "Observation", Sort: sort, Limit: 5, Count: true}
		checkPages(t, r, ps, q, expect(q, logs...))
	}
}

func refusesWidePatterns(t *testing.T, r *room) {
	l := NewLog(records)
	for i := range 50 {
		l.Put(obs(fmt.Sprint(i)), entry("Patient/1", text("name", fmt.Sprint("n", i))))
	}
	r.apply(t, l)
	q := hub.Query{Type: "Observation", Limit: 5, All: []hub.Clause{{Param: "name", Any: []hub.Match{{Kind: hub.Pattern, Text: "*3"}}}}}
	if _, err := r.with(index.Limits{Terms: 40}).Search(r.ctx, []hub.Partition{records}, q); !hub.Is(err, hub.TooLarge) {
		t.Fatalf("a pattern over 50 values where 40 may be read: %v", err)
	}
	same(t, "hits", r.nums(t, q, records), []uint64{4, 14, 24, 34, 44})
}

// checkPages reads all pages of q and compares them with what is expected.
func checkPages(t tb, r *room, ps []hub.Partition, q hub.Query, want []hit) {
	t.Helper()
	rest := want
	for pages := 0; ; pages++ {
		page, err := r.Search(r.ctx, ps, q)
		must(t, err)
		if q.Count && page.Total != int64(len(want)) {
			t.Fatalf("%+v: total %d, want %d", q, page.Total, len(want))
		}
		rest = rest[min(q.Skip, len(rest)):]
		n := min(q.Limit, len(rest))
		if len(page.Hits) != n || page.More != (len(rest) > n && q.Limit > 0) {
			t.Fatalf("%+v: page %d has %d hits (more: %v), want %d of %d", q, pages, len(page.Hits), page.More, n, len(rest))
		}
		for i, h := range page.Hits {
			if h.Head.Num != rest[i].num || h.Head.Partition != rest[i].p || h.Head.Version == 0 {
				t.Fatalf("%+v: page %d, hit %d is %+v, want number %d of %s", q, pages, i, h.Head, rest[i].num, rest[i].p)
			}
			for k, v := range rest[i].values {
				missing := h.Pos.Missing != nil && h.Pos.Missing[k]
				if missing != math.IsNaN(v) || (!missing && h.Pos.Values[k] != max(-math.MaxFloat64, min(math.MaxFloat64, v))) {
					t.Fatalf("%+v: position %+v, want %v", q, h.Pos, rest[i].values)
				}
			}
		}
		if rest = rest[n:]; !page.More || pages == 5 {
			return
		}
		q.After, q.Skip = &page.Hits[n-1].Pos, 0
	}
}

// agreesWithOracle asks after each commit, so that what an index remembers of the commits before is put to the test.
func agreesWithOracle(t *testing.T, r *room) {
	rooms := []*room{r.with(limits["usual limits"]), r.with(limits["small limits"])}
	for range 5 {
		rapid.Check(t, func(t *rapid.T) { asksAfterEachCommit(t, rooms) })
	}
}

func asksAfterEachCommit(t *rapid.T, rooms []*room) {
	l := newDrawnLog(t)
	at := func(what string) *room { return rooms[rapid.IntRange(0, 1).Draw(t, what)] }
	begins := at("begins")
	must(t, begins.Reset(begins.ctx, records))
	_, err := begins.Begin(begins.ctx, records)
	must(t, err)
	for range rapid.IntRange(1, 5).Draw(t, "commits") {
		drawCommit(t, l)
		at("writes").apply(t, l)
		for range 4 {
			q := drawQuery(t)
			checkPages(t, at("reads"), []hub.Partition{records}, q, expect(q, l))
		}
	}
	checkHeads(t, at("reads heads"), l)
}

// walksLongOrders asks for short pages of many things, with many equal and many missing sort values.
func walksLongOrders(t *testing.T, r *room) {
	terms := rapid.Custom(drawTerm)
	rnd := rand.New(rand.NewPCG(3, 3))
	l := NewLog(records)
	put := func(i int) {
		e := entry(fmt.Sprint("Patient/", i%17), exact(hub.ID, fmt.Sprint(i)), exact("common", fmt.Sprint(i%2)), text("word", fmt.Sprint("w", i%3)), between("number", float64(i/7), float64(i/7+i%2)))
		for k := range rnd.IntN(4) {
			e.Terms = append(e.Terms, terms.Example(10*i+k))
		}
		l.Put(obs(fmt.Sprint(i)), e)
	}
	made := 0
	for _, many := range []int{1, 150, 3, 1, 40, 140, 1, 20, 129, 15} { // commits of all sizes, 500 things in all
		for range many {
			put(made)
			made++
		}
		r.apply(t, l)
	}
	for _, again := range []int{3, 17, 130, 1} {
		for range again {
			put(rnd.IntN(500))
		}
		r.apply(t, l)
	}
	for _, fetch := range []int{1, 32} {
		r := r.with(index.Limits{Fetch: fetch})
		rapid.Check(t, func(t *rapid.T) {
			q := drawQuery(t)
			q.Count, q.Limit = false, rapid.IntRange(1, 9).Draw(t, "page")
			switch rapid.IntRange(0, 3).Draw(t, "likely") {
			case 0:
				q.All, q.Routes = []hub.Clause{having("common", "1")}, nil
			case 1:
				q.All = append(q.All, hub.Clause{Param: "word", Any: []hub.Match{{Kind: hub.Equals, Term: hub.Text, Text: "w1"}}})
			case 2:
				q.All = append(q.All, hub.Clause{Param: "word", Any: []hub.Match{{Kind: hub.Prefix, Text: "w"}}})
			}
			if x := float64(rapid.IntRange(0, 80).Draw(t, "from")); rapid.Bool().Draw(t, "in an interval") {
				q.Sort = []hub.Sort{{Param: "number", Desc: x > 40}}
				q.All = append(q.All, hub.Clause{Param: "number", Any: []hub.Match{{Kind: hub.Within, LoMin: x, LoMax: math.Inf(1), HiMin: math.Inf(-1), HiMax: x + 30}}})
			}
			checkPages(t, r, []hub.Partition{records}, q, expect(q, l))
		})
	}
}

// randomLog is a log of n commits that always is the same.
func randomLog(p hub.Partition, n int) *Log {
	rnd := rand.New(rand.NewPCG(7, 7))
	l := NewLog(p)
	for range n {
		for range 1 + rnd.IntN(12) {
			name := obs(fmt.Sprint(rnd.IntN(25)))
			if rnd.IntN(6) == 0 {
				l.Put(name, nil)
				continue
			}
			e := entry(fmt.Sprint("Patient/", rnd.IntN(6)), exact("code", string(rune('a'+rnd.IntN(3)))))
			for range rnd.IntN(3) {
				lo := float64(rnd.IntN(9))
				e.Terms = append(e.Terms, between("date", lo, lo+float64(rnd.IntN(3))), text("name", fmt.Sprint("n", rnd.IntN(30))))
			}
			l.Put(name, e)
		}
		l.Commit()
	}
	return l
}
