package dimse

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
	"concord/internal/upperlayer"
)

// Statuses of the query and retrieve services (PS3.4 Tables C.4-1 to C.4-3).
const (
	outOfResources     upperlayer.Status = 0xA700 // C-FIND; of C-MOVE and C-GET: the number of matches cannot be told
	noSubOperations    upperlayer.Status = 0xA702
	unknownDestination upperlayer.Status = 0xA801
	identifierMismatch upperlayer.Status = 0xA900
	unableToProcess    upperlayer.Status = 0xC001
	withFailures       upperlayer.Status = 0xB000
)

const (
	studyRootFind   = "1.2.840.10008.5.1.4.1.2.2.1"
	patientRootFind = "1.2.840.10008.5.1.4.1.2.1.1"
)

// maxIdentifier bounds the identifier of a request: a list of 10,000 UIDs fits.
const maxIdentifier = 1 << 20

// query are the services that find studies (PS3.4 C.4.1).
func (s *Server) query() []Service {
	line := func(name, class string, root dicom.Root) Service {
		return Service{Name: name, SOPClass: class, Extended: queryExtensions,
			Commands: map[upperlayer.Field]Command{upperlayer.CFindRQ: {access.Search, s.find(root)}}}
	}
	return []Service{
		line("Study Root Query/Retrieve Information Model – FIND", studyRootFind, dicom.StudyRoot),
		line("Patient Root Query/Retrieve Information Model – FIND", patientRootFind, dicom.PatientRoot),
	}
}

// queryExtensions agrees to what is asked for and supported of PS3.4 Table C.5-1: relational queries, dates combined with
// times, fuzzy matching of names, matching of empty and of multiple values; neither conversion of time zones nor of
// multi-frame instances.
func queryExtensions(info []byte) []byte { return agreeTo(info, 1, 1, 1, 0, 0, 1, 1) }

// retrieveExtensions: relational retrieval, and no conversion of multi-frame instances (PS3.4 Table C.5-3).
func retrieveExtensions(info []byte) []byte { return agreeTo(info, 1, 0) }

// agreeTo answers each byte of an extended negotiation that the hub knows with 1 where it is asked for and supported.
func agreeTo(info []byte, supported ...byte) []byte {
	answer := make([]byte, min(len(info), len(supported)))
	for i := range answer {
		if info[i] == 1 {
			answer[i] = supported[i]
		}
	}
	return answer
}

// agreed tells whether byte i of a service's extended negotiation was agreed to for the request's context.
func (s *Server) agreed(r *upperlayer.Request, i int) bool {
	service := s.service(r.Context.Abstract)
	for _, e := range r.Association.Negotiated().Extended {
		if e.SOPClass == r.Context.Abstract && service != nil && service.Extended != nil {
			answer := service.Extended(e.Info)
			return i < len(answer) && answer[i] == 1
		}
	}
	return false
}

// find answers C-FIND with a response for each match as it is found, and ends with A700 when there are more than
// Holdings.Results.
func (s *Server) find(root dicom.Root) Handler {
	return func(ctx context.Context, r *upperlayer.Request) {
		q, err := question(r, root, dicom.Rules{Combined: s.agreed(r, 1), Fuzzy: s.agreed(r, 2), Multiple: s.agreed(r, 6)})
		if err != nil {
			refuse(r, err)
			return
		}
		who, _ := access.CallerFrom(ctx)
		s.answer(ctx, r, matching(q), func(yield func([]byte, error) bool) {
			for found, err := range s.Finder.All(ctx, who, q) {
				if err == nil {
					found.Body, err = q.Answer(nil, found.Body, r.Context.Transfer, s.AETitle)
				}
				if !yield(found.Body, err) {
					return
				}
			}
		})
	}
}

// mostNamed is how many unsupported keys are named: a question may have thousands.
const mostNamed = 32

// matching is the response to each match: FF01 names the keys that the hub passes over.
func matching(q *dicom.Find) upperlayer.Command {
	n := len(q.Unsupported)
	if n == 0 {
		return upperlayer.Command{Status: upperlayer.Pending}
	}
	c := upperlayer.Command{Status: upperlayer.PendingWarning, ErrorComment: dict.Name(q.Unsupported[0])}
	if n > 1 {
		c.ErrorComment += fmt.Sprintf(" and %d more", n-1)
	}
	c.ErrorComment += ": no key of the " + q.Keys.Value(dicom.TagLevel) + " level"
	for _, tag := range q.Unsupported[:min(n, mostNamed)] {
		c.Offending = append(c.Offending, uint32(tag))
	}
	return c
}

// answer sends identifiers as they come, each with the response match, and the end.
func (s *Server) answer(ctx context.Context, r *upperlayer.Request, match upperlayer.Command, identifiers iter.Seq2[[]byte, error]) {
	sent, most := 0, cmp.Or(s.Results, defaultResults)
	for identifier, err := range identifiers {
		switch {
		case cancelled(ctx):
			r.Respond(upperlayer.Command{Status: upperlayer.Cancelled}, nil)
			return
		case err != nil:
			refuse(r, err)
			return
		case sent == most:
			refuse(r, &hub.Error{Kind: hub.TooCostly, Msg: fmt.Sprintf("more than %d matches; narrow the query", sent)})
			return
		}
		if r.Respond(match, bytes.NewReader(identifier)) != nil {
			return
		}
		sent++
	}
	final := upperlayer.Success
	if cancelled(ctx) {
		final = upperlayer.Cancelled
	}
	r.Respond(upperlayer.Command{Status: final}, nil)
}

// cancelled reports whether the peer sent C-CANCEL.
func cancelled(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), upperlayer.ErrCancelled)
}

// question reads the identifier of a query or a retrieval.
func question(r *upperlayer.Request, root dicom.Root, rules dicom.Rules) (*dicom.Find, error) {
	data, err := identifier(r, maxIdentifier)
	if err != nil {
		return nil, err
	}
	return dicom.CompileFind(root, data, r.Context.Transfer, rules)
}

// identifier reads the data set of a request that has to have one.
func identifier(r *upperlayer.Request, most int64) ([]byte, error) {
	if r.Data == nil {
		return nil, errNoDataSet
	}
	data, err := io.ReadAll(io.LimitReader(r.Data, most+1))
	if err == nil && int64(len(data)) > most {
		err = &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the identifier is longer than %d bytes", most)}
	}
	return data, err
}

// refuse ends an operation with what err is in the terms of the service.
func refuse(r *upperlayer.Request, err error) {
	r.Respond(refusal(err), nil)
}

// refusal is the status of an error, and an Error Comment that names what is at fault.
func refusal(err error) upperlayer.Command {
	kind := hub.KindOf(err)
	for _, line := range refusals() {
		if slices.Contains(line.kinds, kind) || line.kinds == nil {
			return upperlayer.Command{Status: line.status, ErrorComment: comment(err), Offending: offending(err)}
		}
	}
	return upperlayer.Command{Status: unableToProcess}
}

// verdictOn is a line of a table of statuses.
type verdictOn struct {
	status  upperlayer.Status
	meaning string
	kinds   []hub.ErrKind // nil: all others
}

// refusals is the table of errors of queries and retrievals.
func refusals() []verdictOn {
	return []verdictOn{
		{identifierMismatch, "the identifier has no level, no unique key where one is needed, or a value that cannot be understood", []hub.ErrKind{hub.Invalid, hub.Unprocessable}},
		{outOfResources, "there are more matches than the limit, or the index is catching up: ask for less, or again", []hub.ErrKind{hub.TooCostly, hub.TooLarge, hub.TooMany, hub.Unavailable}},
		{upperlayer.NotAuthorized, "the caller's token does not cover it, or its member is disabled", []hub.ErrKind{hub.Forbidden, hub.Unauthenticated}},
		{unableToProcess, "a fault of the hub, which is in its log", nil},
	}
}
