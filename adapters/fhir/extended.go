package fhir

import (
	"cmp"
	"slices"
	"strings"

	"concord/hub"
	"concord/internal/fhir"
)

// level is where an operation can be called (R4 operations.html).
type level uint8

const (
	onSystem level = 1 << iota
	onType
	onInstance
	onVersion
)

// extended is one extended operation.
type extended struct {
	name       string // with the $
	definition string // canonical URL of its OperationDefinition
	// types are those on which it can be called, nil for all; levels says where.
	types  []string
	levels level
	// changes says that it writes: it takes POST only.
	changes bool
	answer  handler
}

// operations is every operation there is. The CapabilityStatement is made of it.
func operations() []extended {
	const core = "http://hl7.org/fhir/OperationDefinition/"
	return []extended{
		{"$everything", core + "Patient-everything", []string{"Patient"}, onInstance, false, (*Server).everything},
		{"$everything", core + "Encounter-everything", []string{"Encounter"}, onInstance, false, (*Server).everything},
		{"$lastn", core + "Observation-lastn", []string{"Observation"}, onType, false, (*Server).lastn},
		{"$match", core + "Patient-match", []string{"Patient"}, onType, false, (*Server).match},
		{"$ihe-pix", "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix", []string{"Patient"}, onType, false, (*Server).crossReference},
		{"$meta", core + "Resource-meta", nil, onSystem | onType | onInstance | onVersion, false, (*Server).meta},
		{"$meta-add", core + "Resource-meta-add", nil, onInstance | onVersion, true, (*Server).changeMeta},
		{"$meta-delete", core + "Resource-meta-delete", nil, onInstance | onVersion, true, (*Server).changeMeta},
		{"$find-recognisable", "urn:concord:operation:find-recognisable", []string{"ServiceRequest"}, onType, false, (*Server).findRecognisable},
		{"$explain", "urn:concord:operation:explain", []string{"ServiceRequest"}, onType, false, (*Server).explain},
		{"$explain", "urn:concord:operation:explain-decision", []string{"GuidanceResponse"}, onInstance, false, (*Server).explainDecision},
		{"$evaluate-measure", core + "Measure-evaluate-measure", []string{"Measure"}, onInstance, false, (*Server).evaluateMeasure},
	}
}

// operation finds the operation that is called on the address that path is.
func (q *question) operation(name string, path []string) (handler, error) {
	at, err := q.level(path)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, op := range operations() {
		if op.levels&at == 0 || q.typ != "" && op.types != nil && !slices.Contains(op.types, q.typ) {
			continue
		}
		if op.name != name {
			known = append(known, op.name)
			continue
		}
		if op.changes && !q.post {
			return nil, notAllowed("GET", "POST")
		}
		return op.answer, nil
	}
	return nil, &hub.Error{Kind: hub.NotFound, Msg: "there is no operation " + quote(name) + " here", Hint: cmp.Or(fhir.Nearest(name, known), "known are "+strings.Join(known, ", "))}
}

// level reads what an operation is called on.
func (q *question) level(path []string) (level, error) {
	if len(path) == 0 {
		return onSystem, nil
	}
	if !fhir.IsResourceType(path[0]) {
		return 0, unknownType(path[0])
	}
	q.typ = path[0]
	if len(path) == 1 {
		return onType, nil
	}
	q.id = path[1]
	switch {
	case !idGrammar.MatchString(q.id):
	case len(path) == 2:
		return onInstance, nil
	case len(path) == 4 && path[2] == "_history":
		return onVersion, nil
	}
	return 0, &hub.Error{Kind: hub.NotFound, Msg: "there is nothing at this address"}
}

// inputs turns the Parameters that were posted into parameters of the question: an operation may be given either
// (R4 operations.html#request). Those named in but are left to the operation; a value that has no text form is refused.
func (q *question) inputs(but ...string) error {
	if q.given == nil {
		return nil
	}
	if q.given.Type() != "Parameters" {
		return &hub.Error{Kind: hub.Invalid, Path: "resourceType", Msg: "the operation takes Parameters"}
	}
	for p := range q.given.Root().Get("parameter").Items() {
		name := p.Get("name").Text()
		if slices.Contains(but, name) {
			continue
		}
		text, ok := textOf(p)
		if !ok {
			return &hub.Error{Kind: hub.Invalid, Path: "Parameters.parameter", Msg: "the parameter " + quote(name) + " has no value that could stand in a URL"}
		}
		q.params = append(q.params, fhir.Pair{Name: name, Value: text})
	}
	return nil
}

// textOf is the value of a parameter as it would stand in a search.
func textOf(p fhir.Value) (text string, ok bool) {
	for name, v := range p.Members() {
		typ, isValue := strings.CutPrefix(name, "value")
		if !isValue {
			continue
		}
		switch {
		case v.Text() != "":
			return v.Text(), true
		case typ == "Reference":
			return v.Get("reference").Text(), v.Get("reference").Text() != ""
		case typ == "Coding":
			return token(v.Get("system"), v.Get("code")), true
		case typ == "Identifier":
			return token(v.Get("system"), v.Get("value")), true
		case typ == "CodeableConcept":
			var all []string
			for c := range v.Get("coding").Items() {
				all = append(all, token(c.Get("system"), c.Get("code")))
			}
			return strings.Join(all, ","), len(all) > 0
		}
	}
	return "", false
}

func token(system, code fhir.Value) string {
	if system.Text() == "" {
		return fhir.Escape(code.Text())
	}
	return fhir.Escape(system.Text()) + "|" + fhir.Escape(code.Text())
}
