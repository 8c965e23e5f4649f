package lookup_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/storage/index"
	"concord/storage/keeper"
)

var drawnTypes = []string{"Patient", "Observation", "Practitioner", "Canon"}

func drawName(t *rapid.T) hub.Name {
	return hub.Name{Type: rapid.SampledFrom(drawnTypes).Draw(t, "type"), ID: fmt.Sprint(rapid.IntRange(0, 7).Draw(t, "id"))}
}

func drawContent(t *rapid.T, typ string) *content {
	c := &content{Code: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "code"), N: rapid.IntRange(0, 5).Draw(t, "n"),
		Label: rapid.SampledFrom([]string{"", "x", "xy", "y", "王"}).Draw(t, "label"), Secret: rapid.IntRange(0, 4).Draw(t, "secret") == 0}
	if d := float64(rapid.IntRange(-2, 5).Draw(t, "date")); d < 4 {
		c.Date = &d
	}
	if typ == "Canon" {
		c.URL, c.Version = rapid.SampledFrom([]string{"http://u/1", "http://u/2"}).Draw(t, "url"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version")
	}
	if typ == "Observation" && rapid.Bool().Draw(t, "has a subject") {
		c.Refs = append(c.Refs, pointer{Param: "subject", To: fmt.Sprint("Patient/", rapid.IntRange(0, 9).Draw(t, "subject"))})
	}
	for range rapid.IntRange(0, 3).Draw(t, "references") {
		p := pointer{Param: rapid.SampledFrom([]string{"author", "part"}).Draw(t, "by")}
		if rapid.IntRange(0, 3).Draw(t, "canonical") == 0 {
			p.URL, p.Version = rapid.SampledFrom([]string{"http://u/1", "http://u/2", "http://u/3"}).Draw(t, "to url"), rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "of version")
			if slices.ContainsFunc(c.Refs, func(o pointer) bool { return o.Param == p.Param && o.URL == p.URL }) {
				continue // a URL with and without its version cannot be told apart in the index
			}
		} else {
			p.To = drawName(t).String()
		}
		c.Refs = append(c.Refs, p)
	}
	return c
}

func drawWorld(t *rapid.T, tb testing.TB) *world {
	w := newWorld()
	w.fill(t, tb)
	return w
}

func (w *world) fill(t *rapid.T, tb testing.TB) {
	for range rapid.IntRange(1, 5).Draw(t, "commits") {
		var drafts []draft
		taken := map[hub.Name]bool{}
		for range rapid.IntRange(1, 12).Draw(t, "records") {
			d := draft{name: drawName(t)}
			if taken[d.name] {
				continue
			}
			taken[d.name] = true
			if last := w.last(d.name); last == nil || last.Deleted || rapid.IntRange(0, 5).Draw(t, "fate") > 0 {
				d.c = drawContent(t, d.name.Type)
			}
			drafts = append(drafts, d)
		}
		w.commit(tb, drafts...)
	}
}

func drawClauses(t *rapid.T, typ string, depth int) (all []hub.Clause) {
	for range rapid.IntRange(0, 2).Draw(t, "clauses") {
		all = append(all, drawClause(t, typ, depth))
	}
	return all
}

func drawClause(t *rapid.T, typ string, depth int) hub.Clause {
	c := hub.Clause{Not: rapid.IntRange(0, 3).Draw(t, "not") == 0}
	form := rapid.IntRange(0, 6).Draw(t, "form")
	if depth == 0 {
		form %= 3
	}
	switch form {
	case 0:
		c.Param = "code"
		for _, code := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "codes") {
			c.Any = append(c.Any, hub.Match{Term: hub.Exact, Text: code})
		}
	case 1:
		low := float64(rapid.IntRange(-2, 4).Draw(t, "from"))
		c.Param, c.Any = "date", []hub.Match{{Kind: hub.Within, LoMin: low, LoMax: 9, HiMin: low, HiMax: 9}}
		if rapid.IntRange(0, 3).Draw(t, "of writing") == 0 {
			from := hub.Instant(at(uint64(rapid.IntRange(1, 5).Draw(t, "commit"))))
			c.Param, c.Any = hub.LastUpdated, []hub.Match{{Kind: hub.Within, LoMin: from, LoMax: 1e9, HiMin: from, HiMax: 1e9}}
		}
	case 2:
		most := rapid.IntRange(0, 5).Draw(t, "most")
		c.Test = func(rec *hub.Record) (bool, error) { return contentOf(rec).N <= most, nil }
	case 3:
		for range rapid.IntRange(1, 3).Draw(t, "alternatives") {
			c.Either = append(c.Either, drawClauses(t, typ, depth-1))
		}
	default:
		inner := &hub.Query{Type: rapid.SampledFrom(drawnTypes).Draw(t, "of type")}
		inner.All = drawClauses(t, inner.Type, depth-1)
		c.Param = rapid.SampledFrom([]string{"subject", "author", "part"}).Draw(t, "through")
		if form == 4 {
			c.Referred = inner
			c.Routed, c.Beside = typ != "Observation", c.Param == "subject"
		} else {
			c.Refers = inner
			c.Routed = c.Param == "subject"
		}
	}
	return c
}

func drawSort(t *rapid.T) (sorts []hub.Sort) {
	label := func(rec *hub.Record) (string, bool) { l := contentOf(rec).Label; return l, l != "" }
	for range rapid.IntRange(0, 2).Draw(t, "sorts") {
		s := hub.Sort{Param: rapid.SampledFrom([]string{"date", hub.LastUpdated, "label"}).Draw(t, "by"), Desc: rapid.Bool().Draw(t, "desc")}
		if s.Param == "label" {
			s.Key = label
		}
		sorts = append(sorts, s)
	}
	return sorts
}

func drawQuery(t *rapid.T, typ string) hub.Query {
	q := hub.Query{Type: typ, All: drawClauses(t, typ, 3), Sort: drawSort(t),
		Limit: rapid.SampledFrom([]int{1, 2, 5, 50}).Draw(t, "limit"), Count: rapid.Bool().Draw(t, "count")}
	return q
}

func drawLimits(t *rapid.T) lookup.Limits {
	return lookup.Limits{Join: rapid.SampledFrom([]int{0, 1, 2, 5}).Draw(t, "join")}
}

// pages walks all pages. A page must be full unless short ones are expected.
func pages(t *rapid.T, limit int, short bool, ask func(after *hub.Position) (lookup.Result, error)) (names []string, total int64) {
	var after *hub.Position
	for n := 0; ; n++ {
		res, err := ask(after)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && total != res.Total {
			t.Fatalf("page %d says there are %d, the one before %d", n, res.Total, total)
		}
		if len(res.Records) > limit || res.Next != nil && !short && len(res.Records) < limit {
			t.Fatalf("page %d has %d of %d, and another follows: %v", n, len(res.Records), limit, res.Next != nil)
		}
		total, names = res.Total, append(names, namesOf(res.Records)...)
		if after = res.Next; after == nil {
			return names, total
		}
		if n > 200 {
			t.Fatal("the pages do not end")
		}
	}
}

func TestSearchesAgreeWithAPlainReadingOfTheQuery(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		w.reader.Limits = drawLimits(rt)
		w.questioned(rt)
	})
}

func TestSearchesAgreeWithItOnTheRealIndex(t *testing.T) {
	k := keeper.New(keeper.Options{})
	client := index.ConnectLocal(k)
	defer func() { client.Close(); k.Close() }()
	ix := index.Open(client, index.StandardLayout(0))
	rapid.Check(t, func(rt *rapid.T) {
		if err := ix.Reset(rt.Context(), records); err != nil {
			rt.Fatal(err)
		}
		w := newWorldOn(ix)
		w.fill(rt, t)
		w.reader.Limits = drawLimits(rt)
		w.questioned(rt)
	})
}

// questioned compares the answers to drawn queries with what they mean.
func (w *world) questioned(t *rapid.T) {
	for range 4 {
		q := drawQuery(t, rapid.SampledFrom(drawnTypes).Draw(t, "search"))
		who := rapid.SampledFrom([]access.Caller{lead, centre}).Draw(t, "who")
		want := w.answer(who, q)
		got, total := pages(t, q.Limit, false, func(after *hub.Position) (lookup.Result, error) {
			q.After = after
			return w.reader.Search(t.Context(), who, []hub.Partition{records}, q, "drawn")
		})
		if !slices.Equal(got, want) || q.Count && total != int64(len(want)) {
			t.Fatalf("%s asks for %s: %v (%d), expected %v", who.Member, show(q.All), got, total, want)
		}
	}
}

func TestSeveralTypesAreUnitedInOneOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		w.reader.Limits = drawLimits(rt)
		who := rapid.SampledFrom([]access.Caller{lead, centre}).Draw(rt, "who")
		sorts, limit, count := drawSort(rt), rapid.SampledFrom([]int{1, 3, 50}).Draw(rt, "limit"), rapid.Bool().Draw(rt, "count")
		var qs []hub.Query
		for _, typ := range append(drawnTypes, "Unheard") {
			qs = append(qs, hub.Query{Type: typ, All: drawClauses(rt, typ, 2), Sort: sorts, Limit: limit, Count: count})
		}
		want := w.answer(who, qs...)
		got, total := pages(rt, limit, false, func(after *hub.Position) (lookup.Result, error) {
			qs[0].After = after
			return w.reader.SearchAll(rt.Context(), who, records, qs, "drawn")
		})
		if !slices.Equal(got, want) || count && total != int64(len(want)) {
			rt.Fatalf("%v (%d), expected %v", got, total, want)
		}
	})
}

func TestASearchBeyondItsLimitsIsRefusedOrGoesOnAndLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		w.reader.Limits = lookup.Limits{Join: 1, Scan: rapid.IntRange(1, 6).Draw(rt, "scan"), Sort: 4}
		q := drawQuery(rt, "Observation")
		want := w.answer(centre, q)
		var got []string
		for {
			res, err := w.reader.Search(rt.Context(), centre, []hub.Partition{records}, q, "drawn")
			if hub.Is(err, hub.TooCostly) {
				return
			}
			if err != nil {
				rt.Fatal(err)
			}
			if q.Count && res.Total != int64(len(want)) {
				rt.Fatalf("%d in total, expected %d", res.Total, len(want))
			}
			got = append(got, namesOf(res.Records)...)
			if q.After = res.Next; q.After == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("%v, expected %v", got, want)
		}
	})
}

func TestSeveralTypesBeyondTheirLimitsLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		w.reader.Limits = lookup.Limits{Scan: rapid.IntRange(1, 4).Draw(rt, "scan")}
		var qs []hub.Query
		for _, typ := range drawnTypes {
			qs = append(qs, hub.Query{Type: typ, Sort: []hub.Sort{{Param: "date"}}, Limit: 3})
		}
		want := w.answer(centre, qs...)
		var got []string
		for {
			res, err := w.reader.SearchAll(rt.Context(), centre, records, qs, "drawn")
			if hub.Is(err, hub.TooCostly) {
				return
			}
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, namesOf(res.Records)...)
			if qs[0].After = res.Next; res.Next == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("%v, expected %v", got, want)
		}
	})
}

func TestAPlainQueryMeansTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		q := hub.Query{Type: "Observation", All: drawClauses(rt, "Observation", 3), Limit: 100}
		want := w.answer(centre, q)
		plain, err := w.reader.Plain(rt.Context(), centre, records, q)
		if err != nil {
			rt.Fatal(err)
		}
		if slices.ContainsFunc(plain.All, func(c hub.Clause) bool { return c.Reaches() }) {
			rt.Fatalf("a chain is left in %s", show(plain.All))
		}
		if got := w.answer(centre, plain); !slices.Equal(got, want) {
			rt.Fatalf("%v, expected %v", got, want)
		}
	})
}

func TestWhateverHappensToTheIndexMeanwhileNoAnswerIsIncomplete(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		w.reader.Limits = drawLimits(rt)
		q := drawQuery(rt, "Observation")
		q.Limit = 50
		want := w.answer(centre, q)
		calls, moment := 0, rapid.IntRange(1, 6).Draw(rt, "moment")
		whole := rapid.Bool().Draw(rt, "rebuilt at once")
		w.index.before = func(string) {
			if calls++; calls != moment {
				return
			}
			ctx := context.Background()
			_ = w.index.Reset(ctx, records)
			if whole {
				_ = w.follower.CatchUp(ctx)
			} else {
				_, _ = w.index.Begin(ctx, records)
			}
		}
		res, err := w.reader.Search(rt.Context(), centre, []hub.Partition{records}, q, "drawn")
		switch {
		case hub.Is(err, hub.Unavailable):
		case err != nil:
			rt.Fatal(err)
		case !slices.Equal(namesOf(res.Records), want):
			rt.Fatalf("%v, expected %v", namesOf(res.Records), want)
		case calls >= moment:
			rt.Fatalf("the index was emptied before reading %d, and answered", moment)
		}
	})
}

// show writes clauses for a failing test's log.
func show(all []hub.Clause) string {
	var s []string
	for _, c := range all {
		not := map[bool]string{true: "not "}[c.Not]
		switch {
		case c.Refers != nil:
			s = append(s, fmt.Sprintf("%s%s:%s(%s)", not, c.Param, c.Refers.Type, show(c.Refers.All)))
		case c.Referred != nil:
			s = append(s, fmt.Sprintf("%shas %s:%s(%s)", not, c.Referred.Type, c.Param, show(c.Referred.All)))
		case c.Test != nil:
			s = append(s, not+"test")
		case len(c.Either) > 0:
			var alts []string
			for _, alt := range c.Either {
				alts = append(alts, "("+show(alt)+")")
			}
			s = append(s, not+strings.Join(alts, "|"))
		default:
			s = append(s, fmt.Sprintf("%s%s=%v", not, c.Param, c.Any))
		}
	}
	return strings.Join(s, " & ")
}
