package fhir

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/identity"
	"concord/internal/fhir"
)

// Persons knows which Patients are one person.
type Persons interface {
	// Linked are all Patients of the person that a Patient ("Patient/a") is of, itself among them.
	Linked(ctx context.Context, patient string) ([]string, error)
	// Quarantined tells whether a Patient has a number that clearly somebody else has, too.
	Quarantined(ctx context.Context, patient string) (bool, error)
}

// How many Patients $match answers with when it is not told, at most, and how many it compares.
const (
	matchesUnasked = 20
	mostMatches    = 100
	mostCompared   = 1000
)

// evidenceURL is the extension of search that says why a Patient matches: rule, model, bits and points.
const evidenceURL = "urn:concord:extension:match-evidence"

const matchGradeURL = "http://hl7.org/fhir/StructureDefinition/match-grade"

// wanted is what $match is asked.
type wanted struct {
	traits   identity.Traits
	certain  bool // onlyCertainMatches
	count    int
	evidence bool
}

// matched is a Patient that may be the one asked for.
type matched struct {
	rec      hub.Record
	evidence identity.Evidence
}

// match answers POST /Patient/$match (R4 patient-operation-match.html; IHE PDQm ITI-119): which Patients may be the one
// described, likeliest first, each with a score from 0 to 1 and a grade.
//
// In (Parameters, or a bare Patient): resource (Patient), onlyCertainMatches (boolean), count (integer, 20 unless given, at
// most 100), evidence (boolean: say why). onlyCertainMatches gives one Patient or none: none where several people come
// into question; where several Patients of one person are certain, the one that agrees best.
//
// Out: a searchset, possibly empty. A Patient that says too little to be looked for is an error.
func (s *Server) match(ctx context.Context, q *question) (*answer, error) {
	if err := q.who.May(access.Search, "Patient"); err != nil {
		return nil, err
	}
	if !q.post {
		return nil, notAllowed("GET", "POST")
	}
	w, err := s.wanted(q)
	if err != nil {
		return nil, err
	}
	found, err := s.matches(ctx, q.who, &w)
	if err != nil {
		return nil, err
	}
	remark := ""
	if w.certain {
		if found, remark, err = s.onlyCertain(ctx, found); err != nil {
			return nil, err
		}
	} else if len(found) > w.count {
		remark = fmt.Sprintf("%d more came into question", len(found)-w.count)
		found = found[:w.count]
	}
	names, recs := make([]hub.Name, len(found)), make([]hub.Record, len(found))
	for i := range found {
		names[i], recs[i] = found[i].rec.Name, found[i].rec
	}
	if err := s.Reader.Disclose(ctx, q.who, "Patient", names, len(names), "$match"); err != nil {
		return nil, err
	}
	sub, err := q.subset("Patient")
	if err == nil {
		err = cut(sub, recs)
	}
	if err != nil {
		return nil, err
	}
	b := newBundle("searchset", int64(len(found)))
	for i := range found {
		b.matched(q.base, &recs[i], searchOf(&found[i].evidence, w.evidence))
	}
	if remark != "" {
		b.remark(remark)
	}
	return b.answer()
}

// wanted reads the question.
func (s *Server) wanted(q *question) (w wanted, err error) {
	patient := q.given
	if patient != nil && patient.Type() == "Parameters" {
		if err := q.inputs("resource"); err != nil {
			return w, err
		}
		if patient, err = resourceIn(q.given, "resource"); err != nil {
			return w, err
		}
	}
	if patient == nil || patient.Type() != "Patient" {
		return w, &hub.Error{Kind: hub.Invalid, Path: "Parameters.parameter", Msg: "$match needs the Patient to look for", Hint: "as the parameter resource, or as it is"}
	}
	if w.certain, err = q.boolean("onlyCertainMatches"); err != nil {
		return w, err
	}
	if w.evidence, err = q.boolean("evidence"); err != nil {
		return w, err
	}
	if w.count, err = q.atLeastOne("count", matchesUnasked); err != nil {
		return w, err
	}
	if err := q.rest("resource", "onlyCertainMatches", "count", "evidence"); err != nil {
		return w, err
	}
	w.count = min(w.count, mostMatches)
	w.traits = s.Identity.Traits(patient.Root())
	return w, nil
}

// resourceIn finds the resource of a parameter, which is given once.
func resourceIn(given *fhir.Doc, name string) (doc *fhir.Doc, err error) {
	for p := range given.Root().Get("parameter").Items() {
		if p.Get("name").Text() != name {
			continue
		}
		if doc != nil {
			return nil, &hub.Error{Kind: hub.Invalid, Path: "Parameters.parameter", Msg: "the parameter " + name + " may be given once"}
		}
		if doc, err = fhir.Parse(p.Get("resource").Raw(), fhir.Limits{}); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

// boolean takes a parameter that is true or false; false without it.
func (q *question) boolean(name string) (bool, error) {
	text, err := q.takeOne(name)
	switch {
	case err != nil:
		return false, err
	case text != "" && text != "true" && text != "false":
		return false, &hub.Error{Kind: hub.Invalid, Path: name, Msg: name + " is true or false, not " + quote(text)}
	}
	return text == "true", nil
}

// matches compares the Patient asked for with all that share a key with it and that the caller may read, likeliest first.
// Those that are certainly others are left out, but for whoever has its number and clearly is somebody else.
func (s *Server) matches(ctx context.Context, who access.Caller, w *wanted) ([]matched, error) {
	keys := s.Identity.Keys(&w.traits)
	if len(keys) == 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "Patient", Msg: "too little to look for a person by",
			Hint: "add an identity number, a phone, or a name with a birth date that not many share; 请补充证件号、电话，或姓名与完整出生日期"}
	}
	asked := hub.Query{Type: "Patient", Limit: mostCompared}
	if err := s.sharing(ctx, who, keys, &asked); err != nil || len(asked.All) == 0 {
		return nil, err
	}
	recs, err := s.Reader.Weigh(ctx, who, s.Partition, asked)
	if err != nil {
		return nil, err
	}
	var found []matched
	for _, rec := range recs {
		doc, err := fhir.Parse(rec.Body, fhir.Limits{})
		if err != nil {
			return nil, fmt.Errorf("read a Patient: %w", &hub.Error{Kind: hub.Corrupt, Err: err})
		}
		t := s.Identity.Traits(doc.Root())
		if !t.Active && len(t.ReplacedBy) > 0 {
			continue // the one it was merged into speaks for it (ITI-119, case 8)
		}
		e := s.Identity.Compare(&w.traits, &t)
		if e.Grade == identity.CertainlyNot && e.Verdict != identity.Contradiction {
			continue
		}
		found = append(found, matched{rec, e})
	}
	if err := s.doubt(ctx, found); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b matched) int {
		return cmp.Or(cmp.Compare(b.evidence.Probability, a.evidence.Probability), cmp.Compare(b.evidence.Bits, a.evidence.Bits), cmp.Compare(a.rec.Name.ID, b.rec.Name.ID))
	})
	return found, nil
}

// doubt takes the certainty from those whose number is somebody else's, too, until a person has looked whose it is.
func (s *Server) doubt(ctx context.Context, found []matched) error {
	if s.Persons == nil {
		return nil
	}
	for i := range found {
		e := &found[i].evidence
		if e.Grade != identity.Certain {
			continue
		}
		in, err := s.Persons.Quarantined(ctx, found[i].rec.Name.String())
		if err != nil {
			return err
		}
		if in {
			e.Grade, e.Verdict, e.Probability = identity.Possible, identity.Ask, .5
		}
	}
	return nil
}

// sharing makes asked look for those who have one of the keys, leaving out keys that too many have to say anything.
func (s *Server) sharing(ctx context.Context, who access.Caller, keys []string, asked *hub.Query) error {
	tallies := make([]hub.Tally, len(keys))
	for i, key := range keys {
		tallies[i] = hub.Tally{Partition: s.Partition, Type: "Patient", Param: identity.KeyParam, Text: key}
	}
	holders, err := s.Reader.Counts(ctx, who, tallies, nil)
	if err != nil {
		return err
	}
	any := hub.Clause{Param: identity.KeyParam}
	for i, key := range keys {
		if holders[i] > 0 && holders[i] <= int64(s.Identity.KeyHolders) {
			any.Any = append(any.Any, hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: key})
		}
	}
	if len(any.Any) > 0 {
		asked.All = []hub.Clause{any}
	}
	return nil
}

// onlyCertain leaves the best of the certain matches, if all of them are known to be one person.
func (s *Server) onlyCertain(ctx context.Context, found []matched) (one []matched, remark string, err error) {
	var certain []matched
	for _, m := range found {
		switch {
		case m.evidence.Grade == identity.Certain:
			certain = append(certain, m)
		case m.evidence.Verdict == identity.Contradiction:
			return nil, "the number belongs to somebody else, too", nil
		}
	}
	if len(certain) < 2 {
		return certain, "", nil
	}
	linked, err := s.personOf(ctx, []string{certain[0].rec.Name.String()})
	if err != nil {
		return nil, "", err
	}
	for _, m := range certain[1:] {
		if !slices.Contains(linked, m.rec.Name.String()) {
			return nil, "several Patients match that are not known to be one person", nil
		}
	}
	return certain[:1], "", nil
}

// searchOf is Bundle.entry.search of a match. Only what is certain has the score 1.
func searchOf(e *identity.Evidence, evidence bool) object {
	score := min(max(math.Floor(e.Probability*1e4)/1e4, 0), 1)
	extensions := []object{{"url": matchGradeURL, "valueCode": e.Grade}}
	if evidence {
		extensions = append(extensions, evidenceOf(e))
	}
	return object{"mode": "match", "score": json.Number(strconv.FormatFloat(score, 'f', -1, 64)), "extension": extensions}
}

// evidenceOf says why, for machines and, in Chinese and English, for people.
func evidenceOf(e *identity.Evidence) object {
	parts := append([]object{{"url": "rule", "valueCode": e.Rule}, {"url": "model", "valueString": e.Model}, {"url": "bits", "valueDecimal": weight(e.Bits)}}, inWords(e.Why())...)
	for _, p := range e.Points {
		of := []object{{"url": "field", "valueCode": p.Field}, {"url": "level", "valueCode": p.Level}, {"url": "bits", "valueDecimal": weight(p.Bits)}}
		parts = append(parts, object{"url": "point", "extension": append(of, inWords(p.Text())...)})
	}
	return object{"url": evidenceURL, "extension": parts}
}

func inWords(w identity.Words) []object {
	return []object{{"url": "zh", "valueString": w.Chinese}, {"url": "en", "valueString": w.English}}
}

// weight is a weight in bits with one digit behind the point.
func weight(bits float64) json.Number { return json.Number(strconv.FormatFloat(bits, 'f', 1, 64)) }

// matched adds a Patient with what $match says of it.
func (b *bundleWriter) matched(base string, rec *hub.Record, search object) {
	b.begin()
	b.text.WriteString(`"fullUrl":`)
	b.quoted(base + "/" + rec.Name.String())
	b.text.WriteString(`,"resource":`)
	b.record(rec)
	said, _ := json.Marshal(search) // texts and numbers: always possible
	b.text.WriteString(`,"search":`)
	b.text.Write(said)
	b.text.WriteByte('}')
}

// remark adds an OperationOutcome that informs.
func (b *bundleWriter) remark(text string) {
	b.begin()
	b.text.WriteString(`"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational","diagnostics":`)
	b.quoted(text)
	b.text.WriteString(`}]},"search":{"mode":"outcome"}}`)
}
