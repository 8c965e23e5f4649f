package dicom

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/dicom/dict"
)

// clauses makes of one key what an index can answer of it. exact tells that this is all that the key asks; else it is more
// than what matches, and a test on the record must follow. No clause means that nothing is narrowed.
func (k *Key) clauses(rules Rules) (clauses []hub.Clause, exact bool, err error) {
	if k.VR == dict.SQ {
		return k.itemClauses(rules)
	}
	in, ok := indexed(k.Tag, 0)
	return k.clausesOf(in, ok, rules)
}

// itemClauses narrow by the keys inside a sequence, each for itself: that one item has them all is for the test.
func (k *Key) itemClauses(rules Rules) (all []hub.Clause, exact bool, err error) {
	selecting := 0
	exact = true
	for i := range k.Items {
		inner := &k.Items[i]
		if !inner.Selects() {
			continue
		}
		selecting++
		in, ok := indexed(k.Tag, inner.Tag)
		clauses, whole, err := inner.clausesOf(in, ok, rules)
		if err != nil {
			return nil, false, err
		}
		all, exact = append(all, clauses...), exact && whole
	}
	return all, exact && selecting <= 1, nil
}

func (k *Key) clausesOf(in *matchKey, ok bool, rules Rules) (clauses []hub.Clause, exact bool, err error) {
	switch {
	case !ok || emptyWanted(k):
		return nil, false, nil
	case in.match == byName:
		clauses, exact = k.nameClauses(in.param(), rules)
		return clauses, exact, nil
	case in.match == byCode && slices.ContainsFunc(k.Values, wild):
		return nil, false, nil
	}
	if in.match == byDay && len(k.Values) == 1 {
		if days, err := forwardRange(k.Name(), k.Values[0], dateHint, date); err == nil && days.hi-days.lo < day { // more of them are walked
			return []hub.Clause{{Param: in.param(), Any: []hub.Match{exactly(dayTerm(days.lo))}}}, true, nil
		}
	}
	any := make([]hub.Match, len(k.Values))
	exact = true
	for i, v := range k.Values {
		var whole bool
		if any[i], whole, err = k.match(in.match, v); err != nil {
			return nil, false, err
		}
		exact = exact && whole
	}
	if !rules.Multiple || !multiple(k.VR) {
		return []hub.Clause{{Param: in.param(), Any: any}}, exact, nil
	}
	for i := range any {
		clauses = append(clauses, hub.Clause{Param: in.param(), Any: any[i : i+1]})
	}
	return clauses, exact, nil
}

// match is what one value asks of one term.
func (k *Key) match(how matching, v string) (m hub.Match, exact bool, err error) {
	switch how {
	case byUID:
		return exactly(v), true, CheckUID(k.Name(), v)
	case byCode:
		return exactly(v), true, nil
	case byText:
		if wild(v) {
			return hub.Match{Kind: hub.Pattern, Text: escapeBackslash(v)}, len(v) <= longestTerm, nil
		}
		return hub.Match{Kind: hub.Equals, Term: hub.Text, Text: cut(v)}, len(v) <= longestTerm, nil
	case byID:
		if wild(v) {
			return k.match(byText, v)
		}
		return exactly(cut(v)), len(v) <= longestTerm, nil
	case byNumber:
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return m, false, invalid(k.Name(), "is matched by a number only")
		}
		return overlaps(interval{n, n}), true, nil
	case byDate, byDay:
		days, err := forwardRange(k.Name(), v, dateHint, date)
		return overlaps(days), true, err
	}
	hours, err := forwardRange(k.Name(), v, timeHint, parseTime)
	_, fraction, _ := strings.Cut(v, ".")
	return overlaps(hours), len(fraction) <= 3, err // terms are of milliseconds
}

func exactly(v string) hub.Match { return hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: v} }

const day = 24 * 3600_000 // ms

// dayTerm is the Exact term of a day.
func dayTerm(ms float64) string { return time.UnixMilli(int64(ms)).UTC().Format("20060102") }

// overlaps matches every term that has something in common with an interval.
func overlaps(i interval) hub.Match {
	return hub.Match{Kind: hub.Within, LoMin: math.Inf(-1), LoMax: i.hi, HiMin: i.lo, HiMax: math.Inf(1)}
}

// nameClauses narrow by names. Terms do not tell the place of their component group.
func (k *Key) nameClauses(param string, rules Rules) (clauses []hub.Clause, exact bool) {
	if rules.Fuzzy && len(k.Values) == 1 {
		for _, word := range nameWords(k.Values[0]) {
			clauses = append(clauses, wordClause(param, word))
		}
		return clauses, true
	}
	if rules.Fuzzy || rules.Multiple && len(k.Values) > 1 {
		return nil, false
	}
	if len(k.Values) > 1 {
		clause := hub.Clause{Param: param}
		exact = true
		for _, v := range k.Values {
			groups := nameGroups(v)
			exact = exact && !strings.Contains(v, "=")
			for i := range 3 {
				if patterns, ok := groups[i]; ok { // one of the groups that must match
					clause.Any = append(clause.Any, nameMatches(patterns)...)
					break
				}
			}
		}
		return []hub.Clause{clause}, exact
	}
	groups := nameGroups(k.Values[0])
	for i := range 3 {
		if patterns, ok := groups[i]; ok {
			clauses = append(clauses, hub.Clause{Param: param, Any: nameMatches(patterns)})
		}
	}
	return clauses, !strings.Contains(k.Values[0], "=")
}

func nameMatches(patterns []string) []hub.Match {
	var any []hub.Match
	for _, p := range patterns {
		switch {
		case strings.HasSuffix(p, "*") && !wild(p[:len(p)-1]) && len(p) > 1:
			any = append(any, hub.Match{Kind: hub.Prefix, Text: p[:len(p)-1]})
		case wild(p):
			any = append(any, hub.Match{Kind: hub.Pattern, Text: escapeBackslash(p)})
		default:
			any = append(any, hub.Match{Kind: hub.Equals, Term: hub.Text, Text: p})
		}
	}
	return any
}

// wordClause is what wordOf tests.
func wordClause(param, word string) hub.Clause {
	pattern := escapeBackslash(word)
	if ideographic(word) {
		return hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Pattern, Text: "*" + pattern + "*"}}}
	}
	own := hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Prefix, Text: word}, {Kind: hub.Pattern, Text: "*^" + pattern + "*"}}}
	if param != spelledNames {
		return own
	}
	typed := hub.Clause{Param: param + spelled, Any: []hub.Match{{Kind: hub.Prefix, Text: word}, {Kind: hub.Pattern, Text: "* " + pattern + "*"}}}
	return hub.Clause{Either: [][]hub.Clause{{own}, {typed}}}
}

// Names of patients have terms of their spellings, too, under a parameter of their own.
const (
	spelledNames = "00100010"
	spelled      = ".spelled"
)

// cut shortens a value to what a term holds.
func cut(v string) string {
	if len(v) > longestTerm {
		return strings.ToValidUTF8(v[:longestTerm], "")
	}
	return v
}
