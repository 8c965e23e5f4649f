package hub

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Matches evaluates the clauses of q on one entry. It is what the index does with postings, written plainly;
// it serves writes of a batch that no index has yet, and hits that changed while a search ran. q must be Plain but for its Sort.
func (q *Query) Matches(e *Entry) bool {
	for i := range q.All {
		if !q.All[i].Matches(e) {
			return false
		}
	}
	return true
}

// Matches evaluates one clause on one entry. The clause must be Plain.
func (c *Clause) Matches(e *Entry) bool { return c.holds(e) != c.Not }

func (c *Clause) holds(e *Entry) bool {
	if len(c.Either) > 0 {
		for _, all := range c.Either {
			if (&Query{All: all}).Matches(e) {
				return true
			}
		}
		return false
	}
	for i := range e.Terms {
		t := &e.Terms[i]
		if t.Param != c.Param {
			continue
		}
		for j := range c.Any {
			if c.Any[j].Matches(t) {
				return true
			}
		}
	}
	return false
}

// Plain reports whether an index alone can answer q: no clause reaches beyond one entry and no sort key is computed.
func (q *Query) Plain() bool {
	for i := range q.All {
		if !q.All[i].Plain() {
			return false
		}
	}
	for i := range q.Sort {
		if q.Sort[i].Key != nil {
			return false
		}
	}
	return true
}

// Plain reports whether one entry is enough to evaluate c.
func (c *Clause) Plain() bool {
	if c.Refers != nil || c.Referred != nil || c.Test != nil {
		return false
	}
	for _, all := range c.Either {
		if !(&Query{All: all}).Plain() {
			return false
		}
	}
	return true
}

// Reaches reports whether c looks at other entries than the one it is asked about: whether it is a Refers or Referred,
// at any depth of Either.
func (c *Clause) Reaches() bool {
	for _, all := range c.Either {
		if slices.ContainsFunc(all, func(c Clause) bool { return c.Reaches() }) {
			return true
		}
	}
	return c.Refers != nil || c.Referred != nil
}

// Candidates is a Plain query that everything meets that meets q: as much of q as an index can answer. An order with a
// computed key is left out.
func (q *Query) Candidates() Query {
	c := *q
	c.All = candidates(q.All)
	if slices.ContainsFunc(q.Sort, func(s Sort) bool { return s.Key != nil }) {
		c.Sort = nil
	}
	return c
}

func candidates(all []Clause) []Clause {
	var known []Clause
	for i := range all {
		c := &all[i]
		if c.Plain() {
			known = append(known, *c)
			continue
		}
		if c.Not || len(c.Either) == 0 {
			continue
		}
		wide := Clause{Either: make([][]Clause, len(c.Either))}
		for j, alternative := range c.Either {
			wide.Either[j] = candidates(alternative)
		}
		if !slices.ContainsFunc(wide.Either, func(all []Clause) bool { return len(all) == 0 }) {
			known = append(known, wide)
		}
	}
	return known
}

// Meets evaluates q on a record and its entry, and so knows what the entry alone does not tell: LastUpdated and Tests.
// Refers and Referred must have been carried out before; one that was not is an Internal error.
func (q *Query) Meets(rec *Record, e *Entry) (bool, error) {
	for i := range q.All {
		if ok, err := q.All[i].Meets(rec, e); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// Meets is Query.Meets for one clause. A Test does not look at e, which may be nil for it.
func (c *Clause) Meets(rec *Record, e *Entry) (bool, error) {
	ok, err := c.met(rec, e)
	return ok != c.Not && err == nil, err
}

func (c *Clause) met(rec *Record, e *Entry) (bool, error) {
	switch {
	case len(c.Either) > 0:
		for _, all := range c.Either {
			if ok, err := (&Query{All: all}).Meets(rec, e); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case c.Test != nil:
		return c.Test(rec)
	case c.Refers != nil || c.Referred != nil:
		return false, &Error{Kind: Internal, Path: c.Param, Msg: "evaluate a condition on other records than the one at hand"}
	case c.Param == LastUpdated:
		at := Term{Param: LastUpdated, Kind: Range, Lo: Instant(rec.Time), Hi: Instant(rec.Time)}
		return slices.ContainsFunc(c.Any, func(m Match) bool { return m.Matches(&at) }), nil
	}
	return c.holds(e), nil
}

// Matches compares one term, whose Param is the clause's.
func (m *Match) Matches(t *Term) bool {
	switch m.Kind {
	case Equals:
		return t.Kind == m.Term && t.Text == m.Text
	case Prefix:
		return t.Kind == Text && strings.HasPrefix(t.Text, m.Text)
	case Pattern:
		return t.Kind == Text && MatchPattern(m.Text, t.Text)
	case Within:
		return t.Kind == Range && t.Lo >= m.LoMin && t.Lo <= m.LoMax && t.Hi >= m.HiMin && t.Hi <= m.HiMax
	}
	return false
}

// MatchPattern reports whether s fits the whole pattern: * stands for any run of characters, ? for one,
// a backslash takes the next one literally. It runs in O(len(pattern)·len(s)) at worst.
func MatchPattern(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '*':
				star, mark = p, i
				p++
				continue
			case c == '?':
				_, w := utf8.DecodeRuneInString(s[i:])
				p, i = p+1, i+w
				continue
			case c == '\\' && p+1 < len(pattern) && pattern[p+1] == s[i]:
				p, i = p+2, i+1
				continue
			case c != '\\' && c == s[i]:
				p, i = p+1, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, w := utf8.DecodeRuneInString(s[mark:])
		mark += w
		p, i = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// LiteralPrefix is the part of a pattern before its first wildcard, unescaped.
func LiteralPrefix(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '?':
			return b.String()
		case '\\':
			i++
			if i < len(pattern) {
				b.WriteByte(pattern[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
