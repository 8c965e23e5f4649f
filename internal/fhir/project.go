package fhir

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"concord/hub"
)

// Projection turns FHIR records into entries; it is a hub.Projector.
//
// The terms of an entry, for each parameter that is served:
//
//	type             kind   param                  text
//	token            Exact  code                   "c", "system|c" and "system|", or "|c" where a Coding or Identifier has no system
//	reference        Exact  subject                "Patient/1", an absolute URL or URN as it is, never a version
//	                 Exact  subject:identifier     as a token
//	string           Text   family                 normalised (see Normalise)
//	                 Exact  family                 as sent, for :exact
//	                 Text   family:pinyin          spelled in pinyin, and in the initials of pinyin
//	date             Range  date                   first and last millisecond of the value, by its precision (see compact)
//	number           Range  probability            the number
//	quantity         Range  value-quantity         the number
//	                 Exact  value-quantity:unit    "system|code" where it is not of UCUM, "|code", and "|unit" where it is another
//	                 Range  value-quantity:ucum|d  the number in canonical units of dimension d, where the unit is one of UCUM
//	uri              Exact  url                    as sent
//	any              Exact  _has                   the parameter's code, for :missing; of string, date, number and quantity only for
//	                                               values without any other term
//
// Quantities of several units in one parameter have Ranges instead: value-quantity:ucum|d for all of UCUM's, and
// value-quantity|system|code and value-quantity||c by name. Parameters whose values are those of others together
// (combo-code) have no terms, name has none of what family and given have. A backslash stands before | and \ inside of a code.
type Projection struct {
	zone *time.Location
	base string
	more func(typ string, root Value) []hub.Term
}

// ChinaTime is the zone of dates and times that name none, unless another is configured (R4 search.html#date: the
// server's local time).
func ChinaTime() *time.Location { return chinaTime }

var chinaTime = time.FixedZone("UTC+8", 8*3600)

// NewProjection makes a projection that reads dates without a zone in zone, or in ChinaTime when zone is nil. Searches
// must be compiled with the same zone.
func NewProjection(zone *time.Location) *Projection {
	if zone == nil {
		zone = ChinaTime()
	}
	return &Projection{zone: zone}
}

// At makes a projection that takes references to the hub's own FHIR base URL as relative. It is part of the stamp.
func (p *Projection) At(base string) *Projection {
	other := *p
	other.base = strings.TrimSuffix(base, "/")
	return &other
}

// With makes a projection that adds the terms that more finds. They must be the same whenever it is asked; what they are
// made by belongs into the stamp of the index.
func (p *Projection) With(more func(typ string, root Value) []hub.Term) *Projection {
	other := *p
	other.more = more
	return &other
}

// Stamp names the rules by which terms are made, for the stamp of the index: another stamp means other terms.
func (p *Projection) Stamp() string {
	stamp := "fhir-4.0.1/7/" + p.zone.String()
	if p.base != "" {
		stamp += "/" + p.base
	}
	return stamp
}

// Project implements hub.Projector. A value that is not of the form its type has adds no term; a record that is no
// JSON object, or of an unknown type, is an Invalid error.
func (p *Projection) Project(rec *hub.Record) (hub.Entry, error) {
	doc, err := Parse(rec.Body, Limits{})
	if err != nil {
		return hub.Entry{}, err
	}
	return p.entry(doc, rec.Name, math.MaxInt) // what was taken in stays readable
}

// Entry projects a parsed resource under the name that it will have, as Project does. One of more than 250,000 terms is a
// TooLarge error.
func (p *Projection) Entry(doc *Doc, name hub.Name) (hub.Entry, error) {
	return p.entry(doc, name, mostTerms)
}

// mostTerms bounds what one resource adds to the index: some ten megabytes. A code system of 100,000 concepts stays below.
const mostTerms = 250_000

func (p *Projection) entry(doc *Doc, name hub.Name, most int) (hub.Entry, error) {
	r := definitions().resources[name.Type]
	switch {
	case r == nil:
		return hub.Entry{}, &hub.Error{Kind: hub.Invalid, Path: name.Type, Msg: "project: R4 has no such resource type"}
	case doc.Root().Kind() != Object:
		return hub.Entry{}, &hub.Error{Kind: hub.Invalid, Path: name.Type, Msg: "project: the resource is no JSON object"}
	}
	room := rooms.Get().(*[]hub.Term)
	t := terms{zone: p.zone, base: p.base, most: most, list: (*room)[:0]}
	defer func() {
		if cap(t.list) <= mostRoom {
			clear(t.list)
			*room = t.list
			rooms.Put(room)
		}
	}()
	t.list = append(t.list, hub.Term{Param: "_id", Text: name.ID})
	if IsRestricted(doc.Root()) {
		t.list = append(t.list, hub.Term{Param: hub.Trait, Text: Restricted})
	}
	for _, param := range r.kept {
		t.elsewhere = param.elsewhere
		t.project(param, doc.Root())
		if len(t.list) > most {
			return hub.Entry{}, tooManyTerms(name.Type, most)
		}
	}
	if doc.Root().Get("contained").Kind() == Array {
		t.contained(r, doc.Root(), nestedContained)
		if len(t.list) > most {
			return hub.Entry{}, tooManyTerms(name.Type, most)
		}
	}
	if p.more != nil {
		t.list = append(t.list, p.more(name.Type, doc.Root())...)
	}
	return hub.Entry{Route: r.routeOf(doc, name, p.base), Terms: slices.Clone(t.list)}, nil
}

// rooms are where terms are gathered: how many a resource has is only known in the end.
var rooms = sync.Pool{New: func() any { return new([]hub.Term) }}

const mostRoom = 1000

func tooManyTerms(typ string, most int) error {
	return &hub.Error{Kind: hub.TooLarge, Path: typ, Msg: "the resource has more than " + strconv.Itoa(most) + " values that searches look at", Hint: "divide it into several"}
}

// routeOf is the one patient a resource belongs to, by a literal relative reference, else its own name.
func (r *resourceType) routeOf(doc *Doc, name hub.Name, base string) string {
	route := name.String()
	if r.route != nil {
		r.route.walks[0].run(doc.Root(), func(v Value) {
			ref := unversioned(relative(v.Get("reference").Text(), base))
			if first := route == name.String(); first && isLiteral(ref, "Patient") {
				route = ref
			}
		})
	}
	return route
}

// terms gathers the terms of one entry.
type terms struct {
	zone  *time.Location
	base  string
	list  []hub.Term
	most  int // how many terms are worth gathering
	param *Param
	// elsewhere are the members of names and addresses that other parameters have.
	elsewhere []string
	root      Value  // that marks are of
	marks     uint64 // what members it may have: see Value.marks
	// measures and spelled are what the parameter's values add together.
	measures []measure
	spelled  []string
}

// project adds the terms of a parameter, also of one whose values are those of others.
func (t *terms) project(p *Param, root Value) {
	t.param = p
	t.measures, t.spelled = t.measures[:0], t.spelled[:0]
	start, values := len(t.list), 0
	if t.root != root {
		t.root, t.marks = root, root.marks()
	}
	for i := range p.walks {
		w := &p.walks[i]
		if w.misses(t.marks) {
			continue
		}
		w.run(root, func(v Value) {
			if v.Kind() == Null || len(t.list) > t.most {
				return
			}
			values++
			switch p.Type {
			case TokenParam:
				t.token(v, w)
			case ReferenceParam:
				t.reference(v, w.typ)
			case StringParam:
				t.text(v, w.typ)
			case DateParam:
				t.date(v, w.typ)
			case NumberParam, QuantityParam:
				t.quantity(v, w.typ)
			case URIParam:
				t.uri(v)
			}
		})
	}
	if values == 0 {
		return
	}
	t.measured()
	t.spellings()
	if values > 1 || len(t.list)-start > 3 {
		t.list = append(t.list[:start], distinct(t.list[start:])...)
	}
	if len(t.list) == start || p.Type == TokenParam || p.Type == ReferenceParam || p.Type == URIParam {
		t.list = append(t.list, hub.Term{Param: presence, Text: p.Code})
	}
}

// presence is the parameter whose Exact terms name the parameters that an entry has.
const presence = "_has"

func (t *terms) exact(text string) {
	t.list = append(t.list, hub.Term{Param: t.param.Code, Text: text})
}

// distinct drops repetitions, in place.
func distinct(list []hub.Term) []hub.Term {
	if len(list) > 16 {
		slices.SortStableFunc(list, func(a, b hub.Term) int {
			if c := strings.Compare(a.Param, b.Param); c != 0 {
				return c
			}
			return strings.Compare(a.Text, b.Text)
		})
		return slices.Compact(list)
	}
	kept := list[:0]
	for _, t := range list {
		if !slices.Contains(kept, t) {
			kept = append(kept, t)
		}
	}
	return kept
}
