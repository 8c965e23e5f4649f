package fhir

import (
	"slices"
	"strings"
	"time"

	"concord/hub"
)

// Projection turns FHIR records into entries; it is a hub.Projector.
//
// The terms of an entry, for each parameter that is served:
//
//	type             kind   param                text
//	token            Exact  code                 "c", "system|c" and "system|", or "|c" where a Coding or Identifier has no system
//	reference        Exact  subject              "Patient/1", an absolute URL or URN as it is, never a version
//	                 Exact  subject:identifier   as a token
//	string           Text   family               normalised (see Normalise)
//	                 Exact  family               as sent, for :exact
//	date             Range  date                 first and last millisecond of the value, by its precision
//	number           Range  probability          the number
//	quantity         Range  value-quantity       the number
//	                 Range  value-quantity|system|code
//	                 Range  value-quantity||c    c is the code or the unit
//	uri              Exact  url                  as sent
//	token, reference Exact  _has                 the parameter's code, for :missing; also for uri
//
// A backslash stands before | and \ inside of a code.
type Projection struct {
	zone *time.Location
}

// ChinaTime is the zone of dates and times that name none, unless another is configured (R4 search.html#date: the
// server's local time).
func ChinaTime() *time.Location { return time.FixedZone("UTC+8", 8*3600) }

// NewProjection makes a projection that reads dates without a zone in zone, or in ChinaTime when zone is nil. Searches
// must be compiled with the same zone.
func NewProjection(zone *time.Location) *Projection {
	if zone == nil {
		zone = ChinaTime()
	}
	return &Projection{zone}
}

// Stamp names the rules by which terms are made, for the stamp of the index: another stamp means other terms.
func (p *Projection) Stamp() string { return "fhir-4.0.1/1/" + p.zone.String() }

// Project implements hub.Projector. A value that is not of the form its type has adds no term; a record that is no
// JSON object, or of an unknown type, is an Invalid error.
func (p *Projection) Project(rec *hub.Record) (hub.Entry, error) {
	doc, err := Parse(rec.Body, Limits{})
	if err != nil {
		return hub.Entry{}, err
	}
	return p.Entry(doc, rec.Name)
}

// Entry projects a parsed resource under the name it has or will have.
func (p *Projection) Entry(doc *Doc, name hub.Name) (hub.Entry, error) {
	r := definitions().resources[name.Type]
	switch {
	case r == nil:
		return hub.Entry{}, &hub.Error{Kind: hub.Invalid, Path: name.Type, Msg: "project: R4 has no such resource type"}
	case doc.Root().Kind() != Object:
		return hub.Entry{}, &hub.Error{Kind: hub.Invalid, Path: name.Type, Msg: "project: the resource is no JSON object"}
	}
	t := terms{zone: p.zone, list: make([]hub.Term, 0, 48)}
	t.list = append(t.list, hub.Term{Param: "_id", Text: name.ID})
	for _, param := range r.params {
		if param.Served() && param.Code != "_id" && param.Code != hub.LastUpdated {
			t.project(param, doc.Root())
		}
	}
	return hub.Entry{Route: r.routeOf(doc, name), Terms: t.list}, nil
}

// routeOf is the one patient a resource belongs to, by a literal relative reference, else its own name.
func (r *resourceType) routeOf(doc *Doc, name hub.Name) string {
	route := name.String()
	if r.route != nil {
		r.route.walks[0].run(doc.Root(), func(v Value) {
			ref := unversioned(v.Get("reference").Text())
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
	list  []hub.Term
	param *Param
}

func (t *terms) project(p *Param, root Value) {
	t.param = p
	start := len(t.list)
	for i := range p.walks {
		w := &p.walks[i]
		w.run(root, func(v Value) {
			switch p.Type {
			case TokenParam:
				t.token(v, w.typ)
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
	if len(t.list) == start {
		return
	}
	t.list = append(t.list[:start], distinct(t.list[start:])...)
	switch p.Type {
	case TokenParam, ReferenceParam, URIParam:
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
