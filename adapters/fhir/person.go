package fhir

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/identity/persons"
	"concord/internal/fhir"
)

// A Person that the hub made gathers what several Patients say. It shows a caller no more than these Patients would: its
// elements name the Patient they came from, and those of a Patient that the caller may not read, or that is not there any
// more, are left out, as are the links to it. A Person of which nothing is left is not there.

// own reduces Persons among recs to what the caller may see, drops those of which nothing is left, and tells whether any was
// touched.
func (s *Server) own(ctx context.Context, who access.Caller, recs []hub.Record) ([]hub.Record, map[hub.Name]bool, error) {
	var names []hub.Name
	sources := map[int][]string{}
	for i := range recs {
		if rec := &recs[i]; rec.Name.Type == "Person" && rec.Member == access.Hub && !rec.Deleted {
			of := patientsIn(rec.Body)
			sources[i] = of
			for _, ref := range of {
				if n := (hub.Name{Type: "Patient", ID: ref[len("Patient/"):]}); !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		}
	}
	if len(sources) == 0 {
		return recs, nil, nil
	}
	may := map[string]bool{}
	if who.May(access.Read, "Patient") == nil {
		patients, err := s.Reader.Many(ctx, who, s.Partition, names)
		if err != nil {
			return nil, nil, err
		}
		for i := range patients {
			may[patients[i].Name.String()] = true
		}
	}
	touched := map[hub.Name]bool{}
	kept := make([]hub.Record, 0, len(recs))
	for i, rec := range recs {
		if of, is := sources[i]; is && slices.ContainsFunc(of, func(ref string) bool { return !may[ref] }) {
			touched[rec.Name] = true
			body, left, err := withoutHidden(rec.Body, may)
			if err != nil {
				return nil, nil, err
			}
			if !left {
				continue
			}
			rec.Body = body
		}
		kept = append(kept, rec)
	}
	return kept, touched, nil
}

// patientsIn are the Patients that a Person links or has elements of, as "Patient/a".
func patientsIn(body []byte) (of []string) {
	doc, err := fhir.Parse(body, fhir.Limits{})
	if err != nil {
		return nil
	}
	for span := range doc.References() {
		if ref := patientOf(span.Target); ref != "" && !slices.Contains(of, ref) {
			of = append(of, ref)
		}
	}
	return of
}

// patientOf is the Patient that a reference means, without its version; empty where it means something else.
func patientOf(ref string) string {
	if !strings.HasPrefix(ref, "Patient/") {
		return ""
	}
	ref, _, _ = strings.Cut(ref, "/_history/")
	return ref
}

// withoutHidden leaves of a Person what came from Patients that may be seen; left tells whether it still links any.
func withoutHidden(body []byte, may map[string]bool) (out []byte, left bool, err error) {
	var person map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&person); err != nil {
		return nil, false, &hub.Error{Kind: hub.Corrupt, Msg: "read a Person", Err: err}
	}
	for name, v := range person {
		switch x := v.(type) {
		case []any:
			x = slices.DeleteFunc(x, func(item any) bool { return fromHidden(item, may) })
			if person[name] = x; len(x) == 0 {
				delete(person, name)
			}
		case map[string]any:
			if plain, ok := strings.CutPrefix(name, "_"); ok && fromHidden(x, may) { // of a sex or a birth date
				extensions, _ := x["extension"].([]any)
				x["extension"] = slices.DeleteFunc(extensions, func(e any) bool { return fromHidden(map[string]any{"extension": []any{e}}, may) })
				if list := x["extension"].([]any); len(list) == 0 {
					delete(person, name)
					delete(person, plain)
				}
			}
		}
	}
	links, _ := person["link"].([]any)
	out, err = json.Marshal(person)
	return out, len(links) > 0, err
}

// fromHidden tells whether an element links a Patient that may not be seen, or says that it came from one.
func fromHidden(element any, may map[string]bool) bool {
	o, _ := element.(map[string]any)
	hidden := func(reference any) bool {
		r, _ := reference.(map[string]any)
		text, _ := r["reference"].(string)
		ref := patientOf(text)
		return ref != "" && !may[ref]
	}
	if hidden(o["target"]) {
		return true
	}
	extensions, _ := o["extension"].([]any)
	return slices.ContainsFunc(extensions, func(e any) bool {
		x, _ := e.(map[string]any)
		return x["url"] == persons.SourceURL && hidden(x["valueReference"])
	})
}

// ownHits is own for hits of a search: a Person that was reduced must meet the query by what is left of it, or whoever asks
// would learn what is left out. The total is not told then.
func (s *Server) ownHits(ctx context.Context, who access.Caller, queries []hub.Query, recs []hub.Record, total int64) ([]hub.Record, int64, error) {
	kept, touched, err := s.own(ctx, who, recs)
	if err != nil || len(touched) == 0 {
		return kept, total, err
	}
	var fault error
	kept = slices.DeleteFunc(kept, func(rec hub.Record) bool {
		if !touched[rec.Name] {
			return false
		}
		for i := range queries {
			if queries[i].Type != "Person" {
				continue
			}
			doc, err := fhir.Parse(rec.Body, fhir.Limits{})
			if err != nil {
				fault = err
				return true
			}
			e, err := s.Project.Entry(doc, rec.Name)
			if err != nil {
				fault = err
				return true
			}
			plain := queries[i].Candidates()
			if meets, err := (&hub.Query{Type: "Person", All: plain.All}).Meets(&rec, &e); err != nil || !meets {
				fault = err
				return true
			}
		}
		return false
	})
	return kept, -1, fault
}

// countOwn counts the Persons that meet a condition by reading them, where they are to be counted and something may be hidden from the
// caller: the index counts that, too. counted is false where the index may count. A total of more than a page is not told.
func (s *Server) countOwn(ctx context.Context, who access.Caller, found *fhir.Search, query *hub.Query) (total int64, counted bool, err error) {
	if query.Type != "Person" || len(query.All) == 0 || !query.Count {
		return 0, false, nil
	}
	if withholds, err := s.Reader.Withholds(ctx); err != nil || !withholds && who.May(access.Read, "Patient") == nil {
		return 0, false, err
	}
	query.Count = false
	all := *query
	all.After, all.Skip, all.Limit = nil, 0, s.Limits.Page+1
	recs, err := s.Reader.Weigh(ctx, who, s.Partition, all)
	if err != nil {
		return 0, false, err
	}
	if len(recs) > s.Limits.Page {
		if found.Summary == "count" {
			err = &hub.Error{Kind: hub.TooCostly, Msg: "the condition meets more Persons than are counted", Hint: "narrow it"}
		}
		return -1, true, err
	}
	kept, _, err := s.ownHits(ctx, who, []hub.Query{all}, recs, 0)
	return int64(len(kept)), true, err
}
