package dicom

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/hub"
)

// ProjectStudy says what a study's stored DICOM JSON adds to the index: terms whose Param is the tag in eight digits.
// UIDs, identifiers and codes are Exact, and what PS3.4 C.2.2.2.4 allows wildcards for is Text, both as sent; names are Text
// folded, one for each component group, and patients' ones as they are spelled, under a parameter of their own; dates are a Range in milliseconds of their UTC midnight, times one in
// milliseconds of the day, as wide as they are imprecise. The route is the Study Instance UID.
func ProjectStudy(body []byte) (hub.Entry, error) { return project(Study, body) }

// ProjectSeries is ProjectStudy for a series; the study's UID is an Exact term too.
func ProjectSeries(body []byte) (hub.Entry, error) { return project(Series, body) }

// ProjectInstance is ProjectStudy for an instance; the UIDs of study and series are Exact terms too.
func ProjectInstance(body []byte) (hub.Entry, error) { return project(Instance, body) }

func project(level Level, body []byte) (hub.Entry, error) {
	p := projection{keys: projected()[level]}
	p.entry.Terms = make([]hub.Term, 0, 16)
	for a := range Attributes(body) {
		p.attribute(a, [2]Tag{a.Tag}, 1)
	}
	if p.entry.Route == "" {
		return hub.Entry{}, &hub.Error{Kind: hub.Corrupt, Path: "StudyInstanceUID", Msg: "the stored " + level.String() + " has none"}
	}
	return p.entry, nil
}

// projection gathers the terms of one body; keys are those of its level and the UIDs above it.
type projection struct {
	keys  []matchKey
	entry hub.Entry
}

// attribute adds the terms of one attribute; at is how much of path is set.
func (p *projection) attribute(a Attribute, path [2]Tag, at int) {
	for i := range p.keys {
		k := &p.keys[i]
		if k.path[0] != path[0] || at == 2 && k.path[1] != path[1] {
			continue
		}
		if at == 1 && k.path[1] != 0 {
			p.items(a)
			return
		}
		p.terms(k, a.Strings())
		return
	}
}

// items looks for keys inside the items of a sequence.
func (p *projection) items(a Attribute) {
	for item := range a.Items() {
		for inner := range Attributes(item) {
			p.attribute(inner, [2]Tag{a.Tag, inner.Tag}, 2)
		}
	}
}

func (p *projection) terms(k *matchKey, values []string) {
	param := k.param()
	for _, v := range values {
		switch k.match {
		case byUID:
			p.add(hub.Term{Param: param, Kind: hub.Exact, Text: v})
			if k.path[0] == tagStudy {
				p.entry.Route = v
			}
		case byCode:
			p.add(hub.Term{Param: param, Kind: hub.Exact, Text: v})
		case byID:
			p.add(hub.Term{Param: param, Kind: hub.Exact, Text: v})
			p.add(hub.Term{Param: param, Kind: hub.Text, Text: v})
		case byText:
			p.add(hub.Term{Param: param, Kind: hub.Text, Text: v})
		case byName:
			var typed []string
			for group := range strings.SplitSeq(v, "=") {
				if form := nameForm(group); form != "" {
					p.add(hub.Term{Param: param, Kind: hub.Text, Text: form})
				}
				if param != spelledNames {
					continue
				}
				typed = append(typed, spellings(group)...)
			}
			for _, words := range typed { // but for what another begins with
				if !slices.ContainsFunc(typed, func(other string) bool { return strings.HasPrefix(other, words+" ") }) {
					p.add(hub.Term{Param: param + spelled, Kind: hub.Text, Text: words})
				}
			}
		case byDate, byDay:
			ms, ok := parseDate(v)
			if !ok {
				continue
			}
			p.add(hub.Term{Param: param, Kind: hub.Range, Lo: ms, Hi: ms})
			if k.match == byDay {
				p.add(hub.Term{Param: param, Kind: hub.Exact, Text: dayTerm(ms)})
			}
		case byTime:
			if lo, hi, ok := parseTime(v); ok {
				p.add(hub.Term{Param: param, Kind: hub.Range, Lo: lo, Hi: hi})
			}
		case byNumber:
			if n, err := strconv.ParseFloat(v, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
				p.add(hub.Term{Param: param, Kind: hub.Range, Lo: n, Hi: n}) // orders series and instances
			}
		}
	}
}

// longestTerm bounds what one value may put into the index; it is far beyond what LO, SH and PN allow.
const longestTerm = 1024

func (p *projection) add(t hub.Term) {
	t.Text = cut(t.Text)
	if !slices.Contains(p.entry.Terms, t) {
		p.entry.Terms = append(p.entry.Terms, t)
	}
}

// parseDate reads a DA, also in its old form with dots (PS3.5 6.2).
func parseDate(s string) (ms float64, ok bool) {
	layout := "20060102"
	if len(s) == 10 {
		layout = "2006.01.02"
	}
	t, err := time.Parse(layout, s)
	return hub.Instant(t), err == nil
}

// parseTime reads a TM, also in its old form with colons, as the milliseconds of the day that it covers: "10" is an hour.
func parseTime(s string) (lo, hi float64, ok bool) {
	s = strings.ReplaceAll(s, ":", "")
	whole, fraction, hasFraction := strings.Cut(s, ".")
	if len(whole) == 0 || len(whole) > 6 || len(whole)%2 != 0 || hasFraction && (len(whole) != 6 || fraction == "" || len(fraction) > 6) {
		return 0, 0, false
	}
	units := [...]struct{ ms, top int }{{3600_000, 23}, {60_000, 59}, {1000, 60}}
	at, width := 0, 0
	for i := 0; i < len(whole); i += 2 {
		n, err := strconv.ParseUint(whole[i:i+2], 10, 8)
		if err != nil || int(n) > units[i/2].top {
			return 0, 0, false
		}
		at, width = at+int(n)*units[i/2].ms, units[i/2].ms
	}
	if hasFraction {
		n, err := strconv.ParseUint((fraction + "00")[:3], 10, 16)
		if err != nil {
			return 0, 0, false
		}
		at += int(n)
		if width = 1; len(fraction) < 3 {
			width = [...]int{100, 10}[len(fraction)-1]
		}
	}
	return float64(at), float64(at + width - 1), true
}
