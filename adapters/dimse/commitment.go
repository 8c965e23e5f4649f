package dimse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/imaging"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

const (
	commitmentClass    = "1.2.840.10008.1.20.1"
	commitmentInstance = "1.2.840.10008.1.20.1.1"

	requestCommitment  = 1 // action type (PS3.4 J.3.2)
	committed          = 1 // event types (J.3.3)
	committedInPart    = 2
	maxCommitmentBytes = 16 << 20
)

// Failure reasons of instances (PS3.3 C.14.1.1).
const (
	reasonProcessing = 0x0110
	reasonNotThere   = 0x0112
	reasonOtherClass = 0x0119
)

// commitment is the service that vouches for instances (PS3.4 annex J, push model).
func (s *Server) commitment() []Service {
	return []Service{{Name: "Storage Commitment Push Model", SOPClass: commitmentClass,
		Commands: map[upperlayer.Field]Command{upperlayer.NActionRQ: {access.Read, s.commit}}}}
}

// commit takes on to vouch for instances. When it has answered, the promise is in the log; the report follows on the same
// association while that is open, else on one that the hub opens, again and again until it is taken.
func (s *Server) commit(ctx context.Context, r *upperlayer.Request) {
	c := upperlayer.Command{Status: upperlayer.Success, ActionType: r.Command.ActionType}
	fail := func(status upperlayer.Status, why error) {
		c.Status, c.ErrorComment, c.Offending = status, comment(why), offending(why)
		r.Respond(c, nil)
	}
	switch {
	case r.Command.ActionType != requestCommitment:
		fail(upperlayer.NoSuchActionType, &hub.Error{Kind: hub.Invalid, Path: "ActionTypeID", Msg: "1, request storage commitment, is the only one"})
		return
	case r.Command.SOPInstance != commitmentInstance:
		fail(upperlayer.NoSuchObjectInstance, &hub.Error{Kind: hub.Invalid, Path: "RequestedSOPInstanceUID", Msg: "is not " + commitmentInstance})
		return
	}
	errand, err := commitmentOf(r)
	if err != nil {
		fail(upperlayer.InvalidArgumentValue, err)
		return
	}
	who, _ := access.CallerFrom(ctx)
	errand.Member, errand.Title = who.Member, r.Association.Peer().Calling
	errand.Due = s.Now().Add(lease)
	errand, err = s.Errands.Promise(ctx, errand)
	switch {
	case hub.Is(err, hub.Conflict):
		fail(upperlayer.InvalidArgumentValue, &hub.Error{Kind: hub.Invalid, Path: "TransactionUID", Msg: "is in use"})
		return
	case err != nil:
		fail(upperlayer.ProcessingFailure, &hub.Error{Kind: hub.Unavailable, Msg: "the request cannot be kept; send it again"})
		return
	}
	if r.Respond(c, nil) != nil {
		return
	}
	a := r.Association
	// Not in the handler: a peer that releases now must not wait for it. What ends with the process is in the log.
	go s.pursue(context.WithoutCancel(ctx), &errand, func(ctx context.Context) error { return s.reportCommitment(ctx, &errand, a, r.Context) })
}

// commitmentOf reads the action information (PS3.4 Table J.3-1).
func commitmentOf(r *upperlayer.Request) (imaging.Errand, error) {
	var e imaging.Errand
	data, err := identifier(r, maxCommitmentBytes)
	if err != nil {
		return e, err
	}
	h, err := dicom.ReadDataSet(bytes.NewReader(data), r.Context.Transfer, dicom.Limits{})
	if err != nil {
		return e, err
	}
	e.Transaction = h.Text(0x00081195)
	if err := dicom.CheckUID("TransactionUID", e.Transaction); err != nil {
		return e, err
	}
	for a := range dicom.Attributes(dicom.AppendJSON(nil, h, dicom.JSONOptions{})) {
		if a.Tag != 0x00081199 {
			continue
		}
		for item := range a.Items() {
			i := imaging.Instance{Class: textOf(item, 0x00081150), UID: textOf(item, 0x00081155)}
			if dicom.CheckUID("ReferencedSOPInstanceUID", i.UID) != nil || dicom.CheckUID("ReferencedSOPClassUID", i.Class) != nil {
				return e, &hub.Error{Kind: hub.Invalid, Path: "ReferencedSOPSequence", Msg: "has an item without valid UIDs"}
			}
			e.Instances = append(e.Instances, i)
		}
	}
	if len(e.Instances) == 0 {
		return e, &hub.Error{Kind: hub.Invalid, Path: "ReferencedSOPSequence", Msg: "names no instance"}
	}
	return e, nil
}

// textOf is the first value of an attribute of a DICOM JSON object.
func textOf(body []byte, tag dicom.Tag) string {
	for a := range dicom.Attributes(body) {
		if a.Tag == tag {
			for _, v := range a.Strings() {
				return v
			}
		}
	}
	return ""
}

// reportCommitment verifies what a commitment is about and sends the report, over a if that is open, else over an
// association to the requestor.
func (s *Server) reportCommitment(ctx context.Context, e *imaging.Errand, a *upperlayer.Association, in upperlayer.Context) error {
	faults, err := s.verify(ctx, e)
	if err != nil {
		return err
	}
	if a != nil {
		if err = s.report(ctx, e, faults, a, in); err == nil {
			return nil
		}
	}
	to, err := s.destination(e.Title)
	if err != nil || to.who.Member != e.Member {
		return &hub.Error{Kind: hub.NotFound, Msg: "the requestor has no known address to report to", Err: err}
	}
	b, err := s.dial(ctx, to, upperlayer.Proposal{
		Contexts:        []upperlayer.ProposedContext{{ID: 1, Abstract: commitmentClass, Transfer: []string{explicitLittle, implicitLittle}}},
		UserInformation: upperlayer.UserInformation{Roles: []upperlayer.Role{{SOPClass: commitmentClass, SCP: true}}},
	})
	if err != nil {
		return err
	}
	defer b.Abort()
	if len(b.Contexts()) == 0 {
		return &hub.Error{Kind: hub.Unsupported, Msg: "the requestor does not take reports"}
	}
	if err := s.report(ctx, e, faults, b, b.Contexts()[0]); err != nil {
		return err
	}
	return b.Release(ctx)
}

// verify reads each instance again and compares its digest; what is not as it must be has a reason.
func (s *Server) verify(ctx context.Context, e *imaging.Errand) (faults map[string]int, err error) {
	who := access.NewCaller(e.Member, "system/"+access.ImagingStudy+".rs", "")
	faults = map[string]int{}
	for some := range slices.Chunk(e.Instances, 100) {
		clause := hub.Clause{Param: dicom.Tag(0x00080018).Hex()}
		classes := map[string]string{}
		for _, i := range some {
			clause.Any = append(clause.Any, hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: i.UID})
			classes[i.UID] = i.Class
			faults[i.UID] = reasonNotThere
		}
		q := hub.Query{Type: dicom.Instance.Type(), All: []hub.Clause{clause}, Limit: 1000}
		recs, err := s.all(ctx, who, q, "commitment")
		if err != nil {
			return nil, err
		}
		for i := range recs {
			rec := &recs[i]
			uid := textOf(rec.Body, 0x00080018)
			switch faults[uid] {
			case 0: // of the same UID in two studies one is enough
				continue
			case reasonProcessing:
			default:
				faults[uid] = reasonOtherClass
			}
			class := textOf(rec.Body, 0x00080016)
			if class == "" {
				if class, err = s.mediaClass(ctx, who, rec); hub.Is(err, hub.Unavailable) {
					return nil, err
				}
			}
			if class != classes[uid] {
				continue
			}
			if err := s.intact(ctx, who, rec); err != nil {
				if hub.Is(err, hub.Unavailable) {
					return nil, err
				}
				slog.Error("a stored instance is not what it was", "partition", s.PartitionOf(textOf(rec.Body, 0x0020000D)), "blob", rec.Blob.Key, "err", err)
				faults[uid] = reasonProcessing
				continue
			}
			faults[uid] = 0
		}
	}
	return faults, nil
}

// all is what a search finds, of all its pages.
func (s *Server) all(ctx context.Context, who access.Caller, q hub.Query, note string) (recs []hub.Record, err error) {
	for {
		page, err := s.Reader.Search(ctx, who, s.Partitions, q, note)
		if err != nil {
			return nil, err
		}
		if recs = append(recs, page.Records...); page.Next == nil {
			return recs, nil
		}
		q.After = page.Next
	}
}

// intact reads a blob to its end and compares its digest.
func (s *Server) intact(ctx context.Context, who access.Caller, rec *hub.Record) error {
	body, err := s.Reader.Blob(ctx, who, rec, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, body)
	if err != nil {
		return fmt.Errorf("read a blob again: %w", err)
	}
	if n != rec.Blob.Size || hex.EncodeToString(sum.Sum(nil)) != rec.Blob.SHA256 {
		return &hub.Error{Kind: hub.Corrupt, Msg: "the bytes have another digest"}
	}
	return nil
}

// report sends an N-EVENT-REPORT and waits until it is taken (PS3.4 Table J.3-2).
func (s *Server) report(ctx context.Context, e *imaging.Errand, faults map[string]int, a *upperlayer.Association, in upperlayer.Context) error {
	type element struct {
		VR    string `json:"vr"`
		Value []any  `json:"Value,omitempty"`
	}
	event, good, bad := uint16(committed), []any{}, []any{}
	for _, i := range e.Instances {
		item := map[string]element{"00081150": {"UI", []any{i.Class}}, "00081155": {"UI", []any{i.UID}}}
		if reason := faults[i.UID]; reason != 0 {
			item["00081197"] = element{"US", []any{reason}}
			bad = append(bad, item)
			continue
		}
		good = append(good, item)
	}
	information := map[string]element{"00080054": {"AE", []any{s.AETitle}}, "00081195": {"UI", []any{e.Transaction}}}
	if len(good) > 0 {
		information["00081199"] = element{"SQ", good}
	}
	if len(bad) > 0 {
		event, information["00081198"] = committedInPart, element{"SQ", bad}
	}
	body, err := json.Marshal(information)
	if err != nil {
		return err
	}
	data, err := dicom.AppendDataSet(nil, body, in.Transfer, nil)
	if err != nil {
		return err
	}
	call, err := a.Call(ctx, in, upperlayer.Command{Field: upperlayer.NEventReportRQ, SOPClass: commitmentClass, SOPInstance: commitmentInstance, EventType: event}, bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer call.Close()
	m, err := call.Next(ctx)
	if err != nil {
		return err
	}
	if m.Command.Status.Failed() {
		return &hub.Error{Kind: hub.Unprocessable, Msg: "the requestor refused the report with status " + m.Command.Status.String()}
	}
	return nil
}
