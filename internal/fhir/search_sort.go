package fhir

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"concord/hub"
)

// sort compiles _sort (R4 search.html#sort): of several values that counts which comes first in the order asked for, and
// what has none comes last. Dates, numbers and quantities alone are an order of the index, by the least value: the
// greatest of an element that repeats is computed, as other types are; and when one key is, all are. Of a Timing's
// events the first counts both ways.
func (s scope) sort(value string) error {
	var keys []hub.Sort
	computed := false
	for key := range strings.SplitSeq(value, ",") {
		code, desc := strings.CutPrefix(key, "-")
		p := s.resource.byCode[code]
		switch {
		case p == nil:
			return notKnown("_sort", s.resource.name+" has no search parameter "+strconv.Quote(code), didYouMean(code, s.known()))
		case !p.Served():
			return unsupported("_sort", "sorting by "+strconv.Quote(code)+" of type "+string(p.Type)+" is not supported")
		case len(keys) == mostKeys:
			return tooLarge("_sort", "more keys than", mostKeys, "")
		}
		computed = computed || !p.ordered(desc)
		for _, other := range s.options.Among { // types searched together have one order
			q := definitions().resources[other].byCode[code]
			computed = computed || q != nil && !q.ordered(desc)
		}
		keys = append(keys, hub.Sort{Param: code, Desc: desc})
	}
	for i := range keys {
		if computed {
			keys[i].Key = s.resource.byCode[keys[i].Param].sortKey(s.projection(), keys[i].Desc)
		}
	}
	s.Query.Sort = keys
	return nil
}

const mostKeys = 8

// ordered reports whether the index has the order of the parameter's values.
func (p *Param) ordered(desc bool) bool {
	return p.ranged() && len(p.union) == 0 && !(desc && slices.ContainsFunc(p.walks, walk.repeats))
}

func (p *Param) ranged() bool {
	return p.Type == DateParam || p.Type == NumberParam || p.Type == QuantityParam
}

// sortKey makes the function that computes what a record is ordered by: valid UTF-8 whose bytes compare as the values do.
func (p *Param) sortKey(as *Projection, desc bool) func(*hub.Record) (string, bool) {
	switch p.Code {
	case "_id":
		return func(rec *hub.Record) (string, bool) { return rec.Name.ID, true }
	case hub.LastUpdated:
		return func(rec *hub.Record) (string, bool) { return orderedNumber(hub.Instant(rec.Time)), true }
	}
	return func(rec *hub.Record) (key string, ok bool) {
		doc, err := Parse(rec.Body, Limits{})
		if err != nil {
			return "", false
		}
		first := func(one string) {
			if one != "" && (!ok || (one < key) != desc) {
				key, ok = one, true
			}
		}
		if p.Type == TokenParam {
			for i := range p.walks {
				w := &p.walks[i]
				w.run(doc.Root(), func(v Value) { tokenKeys(v, w.typ, first) })
			}
			return key, ok
		}
		for _, t := range p.terms(doc.Root(), as) {
			switch {
			case t.Param != p.Code:
			case t.Kind == hub.Range:
				first(orderedNumber(t.Lo))
			case t.Kind == hub.Exact && p.Type == StringParam:
				first(Normalise(t.Text)) // Text terms may be other ways to find the same
			case t.Kind == hub.Exact:
				first(t.Text)
			}
		}
		return key, ok
	}
}

// tokenKeys gives the codes of a value, each with its system behind it.
func tokenKeys(v Value, typ string, key func(string)) {
	coded := func(code, system string) {
		if code != "" {
			key(code + "\x00" + system)
		}
	}
	switch typ {
	case "CodeableConcept":
		for c := range v.Get("coding").Items() {
			coded(c.Get("code").Text(), c.Get("system").Text())
		}
	case "Coding":
		coded(v.Get("code").Text(), v.Get("system").Text())
	case "Identifier":
		coded(v.Get("value").Text(), v.Get("system").Text())
	case "ContactPoint":
		coded(v.Get("value").Text(), "")
	default:
		coded(v.Text(), "")
	}
}

// orderedNumber writes a number so that its bytes compare as the numbers do.
func orderedNumber(x float64) string {
	bits := math.Float64bits(x + 0) // −0 is 0
	if bits>>63 == 1 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return fmt.Sprintf("%016x", bits)
}
