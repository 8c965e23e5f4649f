// Package fhirpatch changes FHIR R4 JSON as a patch says and keeps every byte that the patch does not touch: numbers to
// their last digit, escapes, the order of members.
//
// The words:
//
//   - A Patch is a list of operations, compiled once and applied to any number of versions. There are two languages: JSON
//     Patch (RFC 6902) and FHIRPath Patch (R4 fhirpatch.html).
//   - A node is one JSON value of the resource under the patch: the bytes as sent until something inside it changes.
//   - A place is one FHIR element that a path found: its value and, of a primitive, its id and extensions aside.
//
// An object or array that a patch empties is left out of the result, as FHIR's JSON has none that are empty.
//
// Kinds of errors: Invalid for a patch that is wrong whatever it is applied to, Unprocessable for one that does not fit
// the version at hand, Conflict for a JSON Patch test that does not hold, TooLarge and TooCostly beyond the limits.
package fhirpatch

import (
	"errors"
	"fmt"

	"concord/hub"
	"concord/internal/fhir"
)

// Limits of a patch.
const (
	maxOperations = 1000
	maxVisits     = 2_000_000 // elements that paths pass through
	maxCopied     = 10 << 20  // bytes that copy operations multiply
)

// Patch is a compiled list of operations. It is immutable and safe for concurrent use.
type Patch struct{ operations []operation }

// operation is one step of a patch.
type operation struct {
	where string // of the operation in the patch: "Parameters.parameter[2]"
	verb  string // add, insert, delete, remove, replace, move, copy, test
	path  string // as sent
	apply func(*editor) error
}

// editor is a resource under a patch.
type editor struct {
	root   *node
	visits int
	copied int
}

// Apply carries all operations out, in order, or none: the result is another Doc. Its structure is not checked.
func (p *Patch) Apply(doc *fhir.Doc) (*fhir.Doc, error) {
	e := &editor{root: sent(doc.Root())}
	for i := range p.operations {
		op := &p.operations[i]
		if err := op.apply(e); err != nil {
			return nil, op.failed(err)
		}
	}
	return fhir.Parse(e.root.render(nil), fhir.Limits{})
}

// failed names the operation and its path.
func (op *operation) failed(err error) error {
	var e *hub.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Path = op.where
	named.Msg = fmt.Sprintf("%s %s: %s", op.verb, op.path, e.Msg)
	return &named
}

func invalid(format string, args ...any) error {
	return &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf(format, args...)}
}

// unfit is the error of an operation that does not fit the resource.
func unfit(format string, args ...any) error {
	return &hub.Error{Kind: hub.Unprocessable, Msg: fmt.Sprintf(format, args...)}
}
