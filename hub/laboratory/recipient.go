package laboratory

import (
	"context"
	"slices"
	"strings"

	"concord/hub"
	"concord/internal/fhir"
)

// recipients are whom a result concerns first, as references: who ordered it (ServiceRequest.requester), and, of a stay,
// who attends to the patient (Encounter.participant of type ATND). None where nobody said.
func (s *Alarms) recipients(ctx context.Context, o fhir.Value) ([]string, error) {
	var all []string
	add := func(ref string) {
		typ, id, _ := strings.Cut(ref, "/")
		if mayReceive[typ] && fhir.ValidID(id) && !slices.Contains(all, ref) {
			all = append(all, ref)
		}
	}
	for on := range o.Get("basedOn").Items() {
		order, err := s.told(ctx, "ServiceRequest", on.Get("reference").Text())
		if err != nil {
			return nil, err
		}
		add(order.Get("requester").Get("reference").Text())
	}
	stay, err := s.told(ctx, "Encounter", o.Get("encounter").Get("reference").Text())
	if err != nil {
		return nil, err
	}
	for p := range stay.Get("participant").Items() {
		for kind := range p.Get("type").Items() {
			for c := range kind.Get("coding").Items() {
				if c.Get("code").Text() == "ATND" {
					add(p.Get("individual").Get("reference").Text())
				}
			}
		}
	}
	return all, nil
}

// mayReceive are those types that CommunicationRequest.recipient may refer to and that somebody answers for.
var mayReceive = map[string]bool{"Practitioner": true, "PractitionerRole": true, "Organization": true}

// told is a resource of a type that is referred to; nothing where there is none.
func (s *Alarms) told(ctx context.Context, typ, ref string) (fhir.Value, error) {
	id, ok := strings.CutPrefix(ref, typ+"/")
	if !ok || !fhir.ValidID(id) {
		return fhir.Value{}, nil
	}
	heads, err := s.Follower.Heads(ctx, []hub.Name{{Type: typ, ID: id}})
	if err != nil || heads[0].Version == 0 || heads[0].Deleted {
		return fhir.Value{}, err
	}
	rec, err := s.Follower.Log().Record(ctx, heads[0].Loc)
	if err != nil {
		return fhir.Value{}, err
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return fhir.Value{}, nil // whoever reads it is told; an alarm does not wait for it
	}
	return doc.Root(), nil
}
