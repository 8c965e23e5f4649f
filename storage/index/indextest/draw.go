package indextest

import (
	"fmt"
	"math"
	"strings"

	"pgregory.net/rapid"

	"concord/hub"
)

// Random logs and queries are drawn from few values, so that they meet often.

var (
	params = []string{"code", "name", "date", "a:b", "identifier"}
	texts  = []string{"", "a", "ab", "abc", "b", "a\x00b", "王", "王小", "王小明", "\xff", "\xffa", "#a", strings.Repeat("long", 30), "a*", "%3A:"}
	points = []float64{math.Inf(-1), -5.5, -1, 0, 1, 2, 3, 1e12 + 1, 1e12 + 5e7, 1e12 + 2e8,
		begin, begin + 1500, begin + 1e9, math.Inf(1)}
)

// begin is the time of a log's first commit; one a second follows.
var begin = hub.Instant(firstCommit)

func newDrawnLog(t *rapid.T) *Log {
	l := NewLog(records)
	l.nums = rapid.SampledFrom([]uint64{0, 1<<19 - 10, 1<<22 - 10}).Draw(t, "numbers after") // where pages become finer
	return l
}

// drawCommit puts some records; the caller commits.
func drawCommit(t *rapid.T, l *Log) {
	for range rapid.IntRange(1, 12).Draw(t, "records") {
		name := hub.Name{Type: rapid.SampledFrom([]string{"Observation", "Observation", "Observation", "Patient"}).Draw(t, "type"),
			ID: fmt.Sprint(rapid.IntRange(0, 25).Draw(t, "id"))}
		if rapid.IntRange(0, 7).Draw(t, "fate") == 0 {
			l.Put(name, nil)
			continue
		}
		e := &hub.Entry{Route: route(rapid.IntRange(0, 5).Draw(t, "route"))}
		if rapid.Bool().Draw(t, "says where it is") {
			e.Terms = append(e.Terms, exact("at", e.Route))
		}
		for range rapid.IntRange(0, 5).Draw(t, "terms") {
			e.Terms = append(e.Terms, drawTerm(t))
		}
		e.Terms = append(e.Terms, exact(hub.ID, name.ID))
		l.Put(name, e)
	}
}

func drawTerm(t *rapid.T) hub.Term {
	term := hub.Term{Param: rapid.SampledFrom(params).Draw(t, "param"), Kind: hub.TermKind(rapid.IntRange(0, 2).Draw(t, "kind"))}
	if term.Kind != hub.Range {
		term.Text = rapid.SampledFrom(texts).Draw(t, "text")
		return term
	}
	lo, hi := rapid.SampledFrom(points).Draw(t, "lo"), rapid.SampledFrom(points).Draw(t, "hi")
	term.Lo, term.Hi = min(lo, hi), max(lo, hi)
	if rapid.Bool().Draw(t, "point") {
		term.Hi = term.Lo
	}
	return term
}

func drawQuery(t *rapid.T) hub.Query {
	q := hub.Query{Type: "Observation", Limit: rapid.SampledFrom([]int{1, 2, 5, 50}).Draw(t, "limit"), Count: rapid.Bool().Draw(t, "count")}
	if q.Count && rapid.IntRange(0, 3).Draw(t, "only count") == 0 {
		q.Limit = 0
	}
	q.Skip = max(0, rapid.IntRange(-8, 4).Draw(t, "skip"))
	for range rapid.IntRange(0, 2).Draw(t, "sorts") {
		q.Sort = append(q.Sort, hub.Sort{Param: rapid.SampledFrom(append(params, hub.LastUpdated)).Draw(t, "by"), Desc: rapid.Bool().Draw(t, "desc")})
	}
	q.All = drawClauses(t, 2)
	if rapid.IntRange(0, 5).Draw(t, "routed") == 0 {
		q.Routes = []string{route(1), route(4)}
		q.All = append(q.All, hub.Clause{Param: "at", Any: []hub.Match{{Text: route(1)}, {Text: route(4), Route: route(4)}}})
	}
	return q
}

// drawClauses makes a conjunction whose alternatives are nested up to depth.
func drawClauses(t *rapid.T, depth int) []hub.Clause {
	var all []hub.Clause
	for range rapid.IntRange(0, 3).Draw(t, "clauses") {
		c := hub.Clause{Param: rapid.SampledFrom(append(params, hub.LastUpdated)).Draw(t, "of"), Not: rapid.IntRange(0, 3).Draw(t, "not") == 0}
		switch form := rapid.IntRange(0, 7).Draw(t, "form"); {
		case form < 2 && depth > 0:
			for range rapid.IntRange(1, 3).Draw(t, "alternatives") {
				c.Either = append(c.Either, drawClauses(t, depth-1))
			}
		case form == 2: // what only the things of some routes can have
			c.Param = "at"
			for range rapid.IntRange(0, 3).Draw(t, "routes") {
				r := route(rapid.IntRange(0, 7).Draw(t, "route"))
				c.Any = append(c.Any, hub.Match{Text: r, Route: r})
			}
		case form == 3:
			c.Param = hub.ID
			for range rapid.IntRange(0, 3).Draw(t, "ids") {
				c.Any = append(c.Any, hub.Match{Text: fmt.Sprint(rapid.IntRange(0, 26).Draw(t, "id"))})
			}
		default:
			for range rapid.IntRange(0, 3).Draw(t, "matches") {
				c.Any = append(c.Any, drawMatch(t))
			}
		}
		all = append(all, c)
	}
	return all
}

func route(i int) string { return fmt.Sprint("Patient/", i) }

func drawMatch(t *rapid.T) hub.Match {
	m := hub.Match{Kind: hub.MatchKind(rapid.IntRange(0, 3).Draw(t, "match")), Text: rapid.SampledFrom(texts).Draw(t, "for")}
	switch m.Kind {
	case hub.Equals:
		m.Term = hub.TermKind(rapid.IntRange(0, 1).Draw(t, "term"))
	case hub.Pattern:
		m.Text = rapid.SampledFrom([]string{"*", "a*", "*b", "?", "a?c", "王*明", `a\*`, "ab", "*a*", ""}).Draw(t, "pattern")
	case hub.Within:
		at := func(name string) float64 { return rapid.SampledFrom(points).Draw(t, name) }
		m.LoMin, m.LoMax, m.HiMin, m.HiMax = math.Inf(-1), math.Inf(1), math.Inf(-1), math.Inf(1)
		switch x := at("x"); rapid.IntRange(0, 5).Draw(t, "comparison") {
		case 0: // eq
			m.LoMin, m.HiMax = x, at("to")
		case 1: // ge
			m.HiMin = x
		case 2: // le
			m.LoMax = x
		case 3: // sa
			m.LoMin = x
		case 4: // eb
			m.HiMax = x
		case 5:
			m.LoMin, m.LoMax, m.HiMin, m.HiMax = x, at("b"), at("c"), at("d")
		}
	}
	return m
}
