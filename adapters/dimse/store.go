package dimse

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/imaging"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
	"concord/internal/upperlayer"
)

// storageFamily begins the UIDs of all standard storage SOP classes (PS3.4 B.5).
const storageFamily = "1.2.840.10008.5.1.4.1.1."

// Statuses of C-STORE besides outOfResources (PS3.4 Table B.2-1).
const (
	notSOPClass      upperlayer.Status = 0xA900
	cannotUnderstand upperlayer.Status = 0xC000
	otherThanSent    upperlayer.Status = 0xB000 // closest: what is shown is not what was sent
	elementsDiffer   upperlayer.Status = 0xB007 // closest: the data set does not match
)

func (s *Server) storage() []Service {
	commands := map[upperlayer.Field]Command{upperlayer.CStoreRQ: {Needs: access.Create, Do: s.store}}
	services := []Service{{Name: "Storage", SOPClass: storageFamily, Family: true, Transfers: anySyntax, Roles: true, Commands: commands}}
	for _, class := range s.Private {
		services = append(services, Service{Name: "Private storage", SOPClass: class, Transfers: anySyntax, Roles: true, Commands: commands})
	}
	return services
}

// store answers C-STORE (PS3.4 B): the data set streams to its blob as it arrives, and success is told when the commit is
// durable.
func (s *Server) store(ctx context.Context, r *upperlayer.Request) {
	outcome := s.take(ctx, r)
	if outcome.Status.Failed() {
		slog.Info("instance refused", "status", outcome.Status.String(), "why", outcome.ErrorComment, "member", memberOf(ctx))
	}
	r.Respond(outcome, nil) // what fails ends the association
}

func (s *Server) take(ctx context.Context, r *upperlayer.Request) upperlayer.Command {
	c := &r.Command
	switch {
	case r.Data == nil:
		return failure(errNoDataSet)
	case c.SOPClass != r.Context.Abstract:
		return verdict(notSOPClass, 0x00000002, "is not that of the presentation context")
	}
	if err := dicom.CheckUID("AffectedSOPInstanceUID", c.SOPInstance); err != nil {
		return failure(err)
	}
	head := dicom.AppendMeta(make([]byte, 0, 512), r.Context.Transfer, c.SOPClass, c.SOPInstance, dicom.ImplementationUID)
	d, err := s.Archive.Delivery(ctx)
	if err != nil {
		return failure(err)
	}
	defer d.Discard()
	in, err := d.Receive(&part10{head, r.Data})
	if err != nil {
		return failure(err)
	}
	h := in.Header
	if h.SOPInstanceUID != c.SOPInstance {
		return verdict(notSOPClass, 0x00080018, "is not that of the command")
	}
	var kept *imaging.Kept
	err = s.patiently(ctx, func() (err error) {
		kept, err = d.Keep(ctx, in)
		return err
	})
	if err == nil {
		err = d.Publish(ctx)
	}
	if err != nil {
		return failure(err)
	}
	switch o := s.Archive.Commit(ctx, memberOf(ctx), []*imaging.Kept{kept})[0]; {
	case o.Err != nil:
		return failure(o.Err)
	case o.Result == imaging.Duplicate:
		return verdict(otherThanSent, 0x00080018, "is here with other bytes; stored beside them")
	case o.Warning != imaging.Sound:
		return upperlayer.Command{Status: elementsDiffer, ErrorComment: o.Warning.String(), Offending: []uint32{uint32(o.Warning.Element())}}
	case h.SOPClassUID != c.SOPClass:
		return verdict(elementsDiffer, 0x00080016, "is not that of the command; stored all the same")
	}
	return upperlayer.Command{Status: upperlayer.Success}
}

// verdict is an answer about one element.
func verdict(s upperlayer.Status, element dicom.Tag, what string) upperlayer.Command {
	return upperlayer.Command{Status: s, ErrorComment: dict.Name(element) + ": " + what, Offending: []uint32{uint32(element)}}
}

var errNoDataSet = &hub.Error{Kind: hub.Invalid, Path: "CommandDataSetType", Msg: "says that no data set follows"}

// failure is the answer to an instance that could not be stored. Whatever may be better later is "out of resources", which
// senders try again.
func failure(err error) upperlayer.Command {
	status := outOfResources
	switch hub.KindOf(err) {
	case hub.Invalid, hub.Unsupported, hub.TooLarge:
		status = cannotUnderstand
	case hub.Unprocessable, hub.Conflict:
		status = notSOPClass
	case hub.Forbidden, hub.Unauthenticated:
		status = upperlayer.NotAuthorized
	}
	return upperlayer.Command{Status: status, ErrorComment: comment(err), Offending: offending(err)}
}

// offending is the element that an error is about, where it names one.
func offending(err error) []uint32 {
	var e *hub.Error
	if !errors.As(err, &e) {
		return nil
	}
	a, ok := dict.ByKeyword(e.Path)
	if !ok {
		return nil
	}
	return []uint32{uint32(a.Tag)}
}

// comment is an error in words for an Error Comment; the upper layer cuts it to size. Faults of the hub itself are in its
// log only.
func comment(err error) string {
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind == hub.Internal || e.Kind == hub.Corrupt {
		if !errors.Is(err, context.Canceled) {
			slog.Error("answer a DIMSE request", "err", err)
		}
		return "the hub met a fault of its own"
	}
	if e.Path != "" {
		return e.Path + ": " + e.Msg
	}
	return e.Msg
}

func memberOf(ctx context.Context) string {
	who, _ := access.CallerFrom(ctx)
	return who.Member
}

// part10 is a data set behind a preamble and group 2 that were made for it (PS3.10 7.1). It implements imaging.Taker.
type part10 struct {
	head []byte
	data *upperlayer.DataSet
}

var _ imaging.Taker = (*part10)(nil)
var _ io.Reader = (*part10)(nil)

// Read implements io.Reader.
func (p *part10) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.data.Read(b)
}

// Take implements imaging.Taker.
func (p *part10) Take(max int) ([]byte, error) {
	if len(p.head) > 0 {
		piece := p.head[:min(len(p.head), max)]
		p.head = p.head[len(piece):]
		return piece, nil
	}
	return p.data.Take(max)
}
