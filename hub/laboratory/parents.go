package laboratory

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/messages"
	"concord/hub/projection"
	"concord/internal/fhir"
)

// ParentSystem is the system of the identifier by which a mapping names a result that another was made from and that its
// message does not have (HL7 v2.5.1 4.5.3.26): the code, the sub-id and the number of the order, with bars between them;
// the last two may be empty.
const ParentSystem = "urn:concord:hl7v2:parent-result"

const subIDExtension = "http://hl7.org/fhir/StructureDefinition/observation-v2-subid"

// Parents finds the results that others were made from in what the same member has sent of the same patient, as a culture
// of Monday for its antibiogram of Wednesday. It is a messages.Refiner.
//
// One that is found becomes the reference of Observation.derivedFrom, next to the identifier that it was named by. None, or
// several, leave that identifier alone and are a Fault that keeps nothing from being taken: mapping the message again when
// the parent has come finds it. The parent is not written: who made it corrects it, and it keeps its name.
type Parents struct {
	Follower *projection.Follower // of the records
}

// parent is what a message tells of a result that it does not have.
type parent struct{ patient, code, sub, order string }

// mostAlike is how many results of one code of a patient, the latest, are looked through for a parent.
const mostAlike = 100

// Refine implements messages.Refiner.
func (p *Parents) Refine(ctx context.Context, member string, _ *messages.Incoming, m *messages.Mapping) error {
	known := map[parent][]hub.Name{}
	for i := range m.Resources {
		r := &m.Resources[i]
		if r.Name.Type != "Observation" || !bytes.Contains(r.Body, []byte(ParentSystem)) {
			continue
		}
		doc, err := fhir.Parse(r.Body, fhir.Limits{})
		if err != nil {
			continue // it is refused with its place when it is checked
		}
		root := doc.Root()
		found := map[string]hub.Name{} // by what it is named by
		for ref := range root.Get("derivedFrom").Items() {
			asked, ok := parentOf(root, ref)
			if !ok {
				continue
			}
			names, asking := known[asked]
			if !asking {
				if names, err = p.find(ctx, member, asked, m); err != nil {
					return err
				}
				if known[asked] = names; len(names) != 1 {
					m.Faults = append(m.Faults, missing(len(names)))
				}
			}
			if len(names) == 1 {
				found[ref.Get("identifier").Get("value").Text()] = names[0]
			}
		}
		if len(found) > 0 {
			r.Body, r.Doc = inside(edit{"derivedFrom", linked(found)})(make([]byte, 0, len(r.Body)+128), root), nil
		}
	}
	return nil
}

func missing(found int) messages.Fault {
	f := messages.Fault{Kind: hub.NotFound.String(), Place: "OBR-26", Msg: "no message of this patient has the parent result yet: the result names it and is not linked (map this message again when it has come)"}
	if found > 1 {
		f.Kind, f.Msg = hub.Conflict.String(), "several results may be the parent: the result names it and is not linked (OBR-29 tells the parent's order)"
	}
	return f
}

// parentOf is the parent that a reference names and that is not linked.
func parentOf(result, ref fhir.Value) (parent, bool) {
	id := ref.Get("identifier")
	parts := strings.Split(id.Get("value").Text(), "|")
	patient := result.Get("subject").Get("reference").Text()
	if id.Get("system").Text() != ParentSystem || ref.Get("reference").Kind() != fhir.Absent || len(parts) != 3 || parts[0] == "" || patient == "" {
		return parent{}, false
	}
	return parent{patient, parts[0], parts[1], parts[2]}, true
}

// linked writes references with those that were found.
func linked(found map[string]hub.Name) func([]byte, fhir.Value) []byte {
	return func(buf []byte, old fhir.Value) []byte {
		buf = append(buf, '[')
		for ref := range old.Items() {
			if buf[len(buf)-1] != '[' {
				buf = append(buf, ',')
			}
			id := ref.Get("identifier")
			name, ok := found[id.Get("value").Text()]
			if !ok || id.Get("system").Text() != ParentSystem {
				buf = append(buf, ref.Raw()...)
				continue
			}
			buf = inside(edit{"reference", instead(quote(name.String()))})(buf, ref)
		}
		return append(buf, ']')
	}
}

// find is all that may be the parent: of the member and patient, of its code and sub-id, and of its order if that is told.
func (p *Parents) find(ctx context.Context, member string, asked parent, m *messages.Mapping) ([]hub.Name, error) {
	pairs := []fhir.Pair{{Name: "subject", Value: asked.patient}, {Name: "code", Value: fhir.Escape(asked.code)}, {Name: "_sort", Value: "-_lastUpdated"}}
	if asked.order != "" {
		orders, err := p.search(ctx, "ServiceRequest", asked.patient, []fhir.Pair{{Name: "subject", Value: asked.patient}, {Name: "identifier", Value: fhir.Escape(asked.order)}})
		if err != nil {
			return nil, err
		}
		var names []string
		for i := range orders {
			if orders[i].Member == member {
				names = append(names, orders[i].Name.String())
			}
		}
		if len(names) == 0 {
			return nil, nil
		}
		pairs = append(pairs, fhir.Pair{Name: "based-on", Value: strings.Join(names, ",")})
	}
	recs, err := p.search(ctx, "Observation", asked.patient, pairs)
	if err != nil {
		return nil, err
	}
	var all []hub.Name
	for i := range recs {
		doc, err := fhir.DocOf(&recs[i])
		if err != nil {
			continue
		}
		ours := slices.ContainsFunc(m.Resources, func(r messages.Resource) bool { return r.Name == recs[i].Name })
		if recs[i].Member == member && !ours && subID(doc.Root()) == asked.sub {
			all = append(all, recs[i].Name)
		}
	}
	return all, nil
}

func subID(o fhir.Value) string {
	for e := range o.Get("extension").Items() {
		if e.Get("url").Text() == subIDExtension {
			return strings.TrimSpace(e.Get("valueString").Text())
		}
	}
	return ""
}

func (p *Parents) search(ctx context.Context, typ, patient string, pairs []fhir.Pair) ([]hub.Record, error) {
	search, err := fhir.CompileSearch(typ, pairs, fhir.SearchOptions{Count: mostAlike})
	if err != nil {
		return nil, err
	}
	search.Query.Limit, search.Query.Routes = mostAlike, []string{patient}
	page, err := p.Follower.Search(ctx, search.Query)
	if err != nil {
		return nil, err
	}
	locs := make([]hub.Loc, len(page.Hits))
	for i := range page.Hits {
		locs[i] = page.Hits[i].Head.Loc
	}
	return p.Follower.Log().Records(ctx, locs)
}
