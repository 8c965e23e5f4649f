package dimse

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
	"concord/internal/pixels"
	"concord/internal/upperlayer"
)

const (
	implicitLittle = "1.2.840.10008.1.2"
	explicitLittle = "1.2.840.10008.1.2.1"
)

// maxRetrieved is how many instances one retrieval may come to: sub-operations are counted in 16 bits.
const maxRetrieved = 65535

// item is an instance on its way out.
type item struct {
	class, instance, study string
	syntax                 string // as stored
	record                 hub.Record
}

// items finds the instances that a C-GET or C-MOVE asks for. One that names nothing at its level is Invalid (PS3.4
// C.4.2.1.4.1: the unique key of its level is required).
func (s *Server) items(ctx context.Context, who access.Caller, q *dicom.Find) ([]item, error) {
	unique := map[dicom.Level]dicom.Tag{dicom.Patient: 0x00100020, dicom.Study: 0x0020000D, dicom.Series: 0x0020000E, dicom.Instance: 0x00080018}[q.Level]
	if key := q.Keys.Value(unique); key == "" || strings.ContainsAny(key, "*?") {
		return nil, &hub.Error{Kind: hub.Invalid, Path: dict.Name(unique), Msg: "must be given at the " + q.Keys.Value(dicom.TagLevel) + " level"}
	}
	var all []item
	for found, err := range s.Finder.All(ctx, who, q.Below(dicom.Instance)) {
		switch {
		case err != nil:
			return nil, err
		case len(all) == maxRetrieved:
			return nil, &hub.Error{Kind: hub.TooCostly, Msg: fmt.Sprintf("more than %d instances; ask by series", maxRetrieved)}
		case found.Record.Blob != nil:
			it := itemOf(found.Record)
			if it.class == "" {
				if it.class, err = s.mediaClass(ctx, who, &it.record); err != nil {
					return nil, err
				}
			}
			all = append(all, it)
		}
	}
	return all, nil
}

// mediaClass is the SOP class that group 2 of the stored file names, for instances whose data set names none.
func (s *Server) mediaClass(ctx context.Context, who access.Caller, rec *hub.Record) (string, error) {
	file, err := s.Reader.Blob(ctx, who, rec, 0, -1)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h, err := dicom.ScanFile(file, dicom.Limits{Lenient: true})
	if err != nil {
		return "", err
	}
	return h.SOPClassUID, nil
}

func itemOf(rec *hub.Record) item {
	it := item{record: *rec}
	_, it.syntax, _ = strings.Cut(rec.Blob.Media, "transfer-syntax=")
	it.study, it.instance, _ = strings.Cut(rec.Name.ID, "/")
	for a := range dicom.Attributes(rec.Body) {
		if a.Tag == 0x00080016 {
			if all := a.Strings(); len(all) > 0 {
				it.class = all[0]
			}
			break
		}
	}
	return it
}

func namesOf(items []item) []hub.Name {
	names := make([]hub.Name, len(items))
	for i := range items {
		names[i] = items[i].record.Name
	}
	return names
}

// origin says for whom a C-STORE is done: the C-MOVE's caller, or nobody.
type origin struct {
	title   string
	message uint16
}

// errNoContext: the peer takes the instance in no form that the hub could send.
var errNoContext = errors.New("no presentation context for the instance")

// deliver sends one instance over an association and returns the peer's verdict. It goes as it is stored where the peer
// takes that; else decoded, where it takes an uncompressed syntax.
func (s *Server) deliver(ctx context.Context, who access.Caller, a *upperlayer.Association, it *item, from origin) (upperlayer.Status, error) {
	in, data, err := s.open(ctx, who, a, it)
	if err != nil {
		return 0, err
	}
	defer data.Close()
	call, err := a.Call(ctx, in, upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: it.class, SOPInstance: it.instance,
		Originator: from.title, OriginatorID: from.message}, data)
	if err != nil {
		return 0, err
	}
	defer call.Close()
	m, err := call.Next(ctx)
	if err != nil {
		return 0, err
	}
	return m.Command.Status, nil
}

// open finds the context in which an instance can go, and its data set in that context's transfer syntax.
func (s *Server) open(ctx context.Context, who access.Caller, a *upperlayer.Association, it *item) (upperlayer.Context, io.ReadCloser, error) {
	if in, ok := a.ContextFor(it.class, it.syntax); ok {
		file, err := s.Reader.Blob(ctx, who, &it.record, 0, -1)
		if err != nil {
			return in, nil, err
		}
		set, _, err := dicom.DataSetOf(file)
		if err != nil {
			file.Close()
			return in, nil, err
		}
		return in, readCloser{set, file}, nil
	}
	for _, syntax := range []string{explicitLittle, implicitLittle} {
		if in, ok := a.ContextFor(it.class, syntax); ok {
			data, err := s.decoded(ctx, who, it, syntax)
			return in, data, err
		}
	}
	return upperlayer.Context{}, nil, errNoContext
}

type readCloser struct {
	io.Reader
	io.Closer
}

// decoded is the instance's data set written anew in syntax with native pixels. It fails before the first byte, or not at
// all unless the stored bytes are broken.
func (s *Server) decoded(ctx context.Context, who access.Caller, it *item, syntax string) (io.ReadCloser, error) {
	if s.Decoder == nil {
		return nil, errNoContext
	}
	source := func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return s.Reader.Blob(ctx, who, &it.record, offset, length)
	}
	file, err := source(ctx, 0, -1)
	if err != nil {
		return nil, err
	}
	header, err := dicom.ScanFile(file, dicom.Limits{Lenient: true})
	file.Close()
	if err != nil {
		return nil, err
	}
	out, in := io.Pipe()
	go func() {
		in.CloseWithError(s.Decoder.Transcode(ctx, in, header, source, pixels.Form{Implicit: syntax == implicitLittle, Bare: true}))
	}()
	ahead := bufio.NewReaderSize(out, 64<<10)
	if _, err := ahead.Peek(1); err != nil {
		out.CloseWithError(err)
		return nil, err
	}
	return readCloser{ahead, out}, nil
}

// retrieval is a C-GET or C-MOVE under way: it counts its sub-operations and tells the requestor about them.
type retrieval struct {
	r                          *upperlayer.Request
	total                      int
	completed, failed, warning int
	lost                       []string // SOP Instance UIDs of those that failed
	why                        error    // of the last that failed
}

func (t *retrieval) counts(final bool) *upperlayer.SubOperations {
	done := t.completed + t.failed + t.warning
	return &upperlayer.SubOperations{Remaining: uint16(t.total - done), Completed: uint16(t.completed), Failed: uint16(t.failed), Warning: uint16(t.warning), Final: final}
}

// count notes what became of one instance.
func (t *retrieval) count(it *item, status upperlayer.Status, err error) {
	switch {
	case err != nil || status.Failed():
		t.failed++
		t.lost = append(t.lost, it.instance)
		if t.why = err; err == nil {
			t.why = &hub.Error{Kind: hub.Unprocessable, Msg: "a C-STORE was answered " + status.String()}
		}
	case status.Warning():
		t.warning++
	default:
		t.completed++
	}
}

// progress tells how far it is (PS3.4 C.4.2.1.6). The last sub-operation is told with the end.
func (t *retrieval) progress() error {
	if t.completed+t.failed+t.warning == t.total {
		return nil
	}
	return t.r.Respond(upperlayer.Command{Status: upperlayer.Pending, Sub: t.counts(false)}, nil)
}

// comment says how many failed and, of the last of them, why.
func (t *retrieval) comment() string {
	why := "the C-STORE was not answered"
	var known *hub.Error
	switch {
	case t.why == errNoContext || t.why == errNoAssociation || t.why == upperlayer.ErrUnanswered:
		why = t.why.Error()
	case errors.As(t.why, &known):
		why = comment(t.why)
	}
	return fmt.Sprintf("%d of %d failed: %s", t.failed, t.total, why)
}

// end sends the final response: cancelled, all done, some failed (B000) or all (A702), with the list of those that failed.
func (t *retrieval) end(ctx context.Context) {
	c := upperlayer.Command{Status: upperlayer.Success, Sub: t.counts(true)}
	switch {
	case cancelled(ctx):
		c.Status, c.Sub = upperlayer.Cancelled, t.counts(false)
	case t.failed > 0 && t.failed == t.total:
		c.Status = noSubOperations
	case t.failed > 0 || t.warning > 0:
		c.Status = withFailures
	}
	if t.failed == 0 {
		t.r.Respond(c, nil)
		return
	}
	c.ErrorComment = t.comment()
	body := []byte(`{"00080058":{"vr":"UI","Value":[`)
	for i, uid := range t.lost {
		if i > 0 {
			body = append(body, ',')
		}
		body = strconv.AppendQuote(body, uid)
	}
	list, err := dicom.AppendDataSet(nil, append(body, `]}}`...), t.r.Context.Transfer, nil)
	if err != nil {
		t.r.Respond(c, nil)
		return
	}
	t.r.Respond(c, bytes.NewReader(list))
}
