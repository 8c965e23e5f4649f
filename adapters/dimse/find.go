package dimse

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/dicom"
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

// supportedExtensions are the bytes of PS3.4 Table C.5-1 that the hub agrees to: relational queries, dates combined with
// times, fuzzy matching of names; neither conversion of time zones nor of multi-frame instances.
var supportedExtensions = [...]byte{1, 1, 1, 0, 0}

// queryExtensions agrees to what is asked for and supported (PS3.4 C.5.1.1 and C.5.2.1).
func queryExtensions(info []byte) []byte {
	answer := make([]byte, min(len(info), len(supportedExtensions)))
	for i := range answer {
		if info[i] == 1 {
			answer[i] = supportedExtensions[i]
		}
	}
	return answer
}

// rules are the kinds of matching that were negotiated for the request's context.
func rules(r *upperlayer.Request) dicom.Rules {
	for _, e := range r.Association.Negotiated().Extended {
		if e.SOPClass == r.Context.Abstract {
			agreed := append(queryExtensions(e.Info), 0, 0, 0)
			return dicom.Rules{Combined: agreed[1] == 1, Fuzzy: agreed[2] == 1}
		}
	}
	return dicom.Rules{}
}

// find answers C-FIND with a response for each match as it is found, and ends with A700 when there are more than
// Holdings.Results.
func (s *Server) find(root dicom.Root) Handler {
	return func(ctx context.Context, r *upperlayer.Request) {
		q, err := question(r, root)
		if err != nil {
			refuse(r, err)
			return
		}
		who, _ := access.CallerFrom(ctx)
		status := upperlayer.Pending
		if len(q.Unsupported) > 0 {
			status = upperlayer.PendingWarning
		}
		s.answer(ctx, r, status, func(yield func([]byte, error) bool) {
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

// answer sends identifiers as they come, and the end.
func (s *Server) answer(ctx context.Context, r *upperlayer.Request, status upperlayer.Status, identifiers iter.Seq2[[]byte, error]) {
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
		if r.Respond(upperlayer.Command{Status: status}, bytes.NewReader(identifier)) != nil {
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
func question(r *upperlayer.Request, root dicom.Root) (*dicom.Find, error) {
	data, err := identifier(r, maxIdentifier)
	if err != nil {
		return nil, err
	}
	return dicom.CompileFind(root, data, r.Context.Transfer, rules(r))
}

// identifier reads the data set of a request that has to have one.
func identifier(r *upperlayer.Request, most int64) ([]byte, error) {
	if r.Data == nil {
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "the request has no identifier"}
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

// refusal is the table of errors: the status and an Error Comment that names what is at fault.
func refusal(err error) upperlayer.Command {
	status := unableToProcess
	switch hub.KindOf(err) {
	case hub.Invalid, hub.Unprocessable:
		status = identifierMismatch
	case hub.TooCostly, hub.TooLarge, hub.TooMany, hub.Unavailable:
		status = outOfResources
	case hub.Forbidden, hub.Unauthenticated:
		status = upperlayer.NotAuthorized
	}
	return upperlayer.Command{Status: status, ErrorComment: comment(err)}
}
