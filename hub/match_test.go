package hub

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"
)

// asRegexp writes a pattern as a regular expression: the oracle of MatchPattern.
func asRegexp(pattern string) *regexp.Regexp {
	var b strings.Builder
	for i, rs := 0, []rune(pattern); i < len(rs); i++ {
		switch {
		case rs[i] == '*':
			b.WriteString(`(?s:.*)`)
		case rs[i] == '?':
			b.WriteString(`(?s:.)`)
		case rs[i] == '\\' && i+1 < len(rs):
			i++
			b.WriteString(regexp.QuoteMeta(string(rs[i])))
		default:
			b.WriteString(regexp.QuoteMeta(string(rs[i])))
		}
	}
	return regexp.MustCompile(`^(?:` + b.String() + `)$`)
}

func FuzzPatternsMatchAsTheRegularExpressionOfTheSameMeaning(f *testing.F) {
	for _, s := range [][2]string{{"*x*", "axb"}, {"?", "张"}, {"zhang*wei", "zhang^san^wei"}, {`\*a\?`, "*a?"}, {"**a*", "aaab"}, {"", ""}, {"*", ""}, {"a?c*", "abcd"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if strings.ToValidUTF8(pattern, "") != pattern || strings.ToValidUTF8(s, "") != s || strings.HasSuffix(pattern, `\`) || len(pattern) > 64 || len(s) > 256 {
			return
		}
		if got, want := MatchPattern(pattern, s), asRegexp(pattern).MatchString(s); got != want {
			t.Errorf("MatchPattern(%q, %q) = %v, want %v", pattern, s, got, want)
		}
		if MatchPattern(pattern, s) && !strings.HasPrefix(s, LiteralPrefix(pattern)) {
			t.Errorf("%q matches %q but does not begin with the literal prefix %q", s, pattern, LiteralPrefix(pattern))
		}
	})
}

func TestAPatternOfManyStarsIsNoWayToKeepTheHubBusy(t *testing.T) {
	if MatchPattern(strings.Repeat("*a", 50)+"b", strings.Repeat("a", 10_000)) {
		t.Error("matched")
	}
}

func TestClausesMatchAsTheyAreMeant(t *testing.T) {
	inf := math.Inf(1)
	e := &Entry{Terms: []Term{
		{Param: "code", Text: "a"}, {Param: "code", Text: "s|a"},
		{Param: "name", Kind: Text, Text: "zhang wei"},
		{Param: "date", Kind: Range, Lo: 10, Hi: 20},
	}}
	exact := func(param, text string) Clause {
		return Clause{Param: param, Any: []Match{{Kind: Equals, Term: Exact, Text: text}}}
	}
	within := func(loMin, loMax, hiMin, hiMax float64) Clause {
		return Clause{Param: "date", Any: []Match{{Kind: Within, LoMin: loMin, LoMax: loMax, HiMin: hiMin, HiMax: hiMax}}}
	}
	for _, c := range []struct {
		say    string
		clause Clause
		want   bool
	}{
		{"a token that is there", exact("code", "s|a"), true},
		{"a token that is not", exact("code", "b"), false},
		{"one of two tokens", Clause{Param: "code", Any: []Match{{Text: "b"}, {Text: "a"}}}, true},
		{"not a token that is there", Clause{Param: "code", Not: true, Any: []Match{{Text: "a"}}}, false},
		{"not a token of a parameter that has none", Clause{Param: "other", Not: true, Any: []Match{{Text: "a"}}}, true},
		{"text is no token", exact("name", "zhang wei"), false},
		{"the beginning of a text", Clause{Param: "name", Any: []Match{{Kind: Prefix, Text: "zhang"}}}, true},
		{"a range inside", within(10, inf, -inf, 20), true},
		{"a range that ends too late", within(10, inf, -inf, 19), false},
		{"a range that reaches a point", within(-inf, inf, 20, inf), true},
		{"nothing to choose from", Clause{Param: "code"}, false},
	} {
		if got := c.clause.Matches(e); got != c.want {
			t.Errorf("%s: %v, want %v", c.say, got, c.want)
		}
	}
}

func TestCandidatesAreWhatAnIndexCanTell(t *testing.T) {
	a, b := Clause{Param: "code", Any: []Match{{Text: "a"}}}, Clause{Param: "code", Any: []Match{{Text: "b"}}}
	long := Clause{Test: func(rec *Record) (bool, error) { return len(rec.Body) > 2, nil }}
	chain := Clause{Param: "subject", Refers: &Query{Type: "Patient"}}
	for _, c := range []struct {
		say  string
		all  []Clause
		want int // clauses left
	}{
		{"a test is not known", []Clause{a, long}, 1},
		{"a chain is not known", []Clause{chain, a}, 1},
		{"of alternatives the known parts", []Clause{{Either: [][]Clause{{a, long}, {b}}}}, 1},
		{"nothing, when one alternative is not known at all", []Clause{{Either: [][]Clause{{a}, {long}}}}, 0},
		{"nothing of what must not be", []Clause{{Not: true, Either: [][]Clause{{a, long}}}}, 0},
	} {
		got := (&Query{All: c.all}).Candidates()
		if len(got.All) != c.want || !got.Plain() {
			t.Errorf("%s: %d clauses", c.say, len(got.All))
		}
	}
	e := &Entry{Terms: []Term{{Param: "code", Text: "a"}}}
	either := (&Query{All: []Clause{{Either: [][]Clause{{a, long}, {b}}}}}).Candidates()
	if !either.Matches(e) || either.Matches(&Entry{}) {
		t.Error("the known parts of alternatives do not narrow")
	}
}

func TestARecordTellsWhatItsEntryDoesNot(t *testing.T) {
	rec := &Record{Body: []byte(`{"x":1}`), Time: time.UnixMilli(50)}
	at := func(lo, hi float64) Clause {
		return Clause{Param: LastUpdated, Any: []Match{{Kind: Within, LoMin: lo, LoMax: hi, HiMin: lo, HiMax: hi}}}
	}
	long := Clause{Test: func(rec *Record) (bool, error) { return len(rec.Body) > 2, nil }}
	for _, c := range []struct {
		say    string
		clause Clause
		want   bool
	}{
		{"when it was written", at(0, 60), true},
		{"when it was not written", at(60, 90), false},
		{"not when it was written", Clause{Not: true, Param: LastUpdated, Any: at(0, 60).Any}, false},
		{"a test", long, true},
		{"one of two, the second a test", Clause{Either: [][]Clause{{at(60, 90)}, {at(0, 60), long}}}, true},
	} {
		if got, err := c.clause.Meets(rec, &Entry{}); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", c.say, got, err)
		}
	}
	chain := Clause{Param: "subject", Not: true, Refers: &Query{Type: "Patient"}}
	if got, err := chain.Meets(rec, &Entry{}); got || !Is(err, Internal) {
		t.Errorf("a chain that was not carried out: %v, %v", got, err)
	}
}
