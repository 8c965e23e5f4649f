package messages

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/fhir"
)

// prepared is a message with all that can be done before its place in the log is known.
type prepared struct {
	message Message // as it will be kept, without what only the tail can tell
	parts   []*part
	shared  []*resource
	note    *resource // the Provenance of what is shared
	answer  func(Verdict) []byte
}

// part is the resources that are replaced together.
type part struct {
	at   time.Time
	list []*resource
	note *resource // its Provenance
}

// resource is one ready to be written.
type resource struct {
	name    hub.Name
	at      time.Time
	cleared []string
	yields  []string
	doc     *fhir.Doc
	entry   *hub.Entry
	blob    *hub.Blob
	whole   *fhir.Doc // with its large attachments, where doc has them no more
}

// attempt maps a message and makes its resources ready. What is wrong with the message is a fault of the attempt; an error
// is something that may be better the next time.
func (in *Intake) attempt(ctx context.Context, m *Message, inc *Incoming) (*prepared, error) {
	p := &prepared{answer: inc.Answer}
	m.Attempt = Attempt{At: millis(in.Now()), Status: Mapped}
	mapping := &Mapping{}
	err := inc.Refused
	if err == nil {
		mapping, err = in.meaning(ctx, m.Member, inc)
	}
	m.Mapping, m.Unmapped, m.Unread, m.Faults = mapping.Rules, mapping.Unmapped, mapping.Unread, mapping.Faults
	if err == nil {
		err = in.ready(ctx, p, m, mapping)
	}
	switch {
	case err == nil:
	case hub.Is(err, hub.Unavailable) || ctx.Err() != nil:
		return nil, err
	default:
		if hub.Is(err, hub.Internal) {
			slog.Error("map a message", "member", m.Member, "format", m.Format, "message", m.ID, "err", err)
		}
		p.parts, p.shared, p.note = nil, nil, nil
		m.Faults = append(m.Faults, FaultsOf(err, true)...)
		if m.Status = Dead; inc.Refused != nil {
			m.Status = Refused
		}
	}
	p.message = *m
	return p, nil
}

// meaning asks the mapper of the format and those who refine what it says. One of them that panics has met a message it
// was not made for: that is the message's misfortune and not the hub's.
func (in *Intake) meaning(ctx context.Context, member string, inc *Incoming) (m *Mapping, err error) {
	m = &Mapping{}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("map a message: panic: %v\n%s", r, debug.Stack())
		}
	}()
	mapper, ok := in.Mappers[inc.Format]
	if !ok {
		return m, &hub.Error{Kind: hub.Unsupported, Path: "format", Msg: fmt.Sprintf("no mapping is known for %.32q", inc.Format)}
	}
	made, err := mapper.Map(ctx, member, inc)
	if made != nil {
		m = made
	}
	for _, r := range in.Refiners {
		if err == nil {
			err = r.Refine(ctx, member, inc, m)
		}
	}
	return m, err
}

// ready checks the resources and puts them in their parts.
func (in *Intake) ready(ctx context.Context, p *prepared, m *Message, mapping *Mapping) error {
	parts := map[string]*part{}
	seen := map[hub.Name]*resource{}
	var all hub.Faults
	for i := range mapping.Resources {
		given := &mapping.Resources[i]
		r, err := in.resource(given, m)
		if err != nil {
			all = append(all, faultErrors(err)...)
			continue
		}
		if given.Name.Type == "Patient" {
			m.Patients = appendNew(m.Patients, given.Name.String())
		}
		before := seen[r.name]
		seen[r.name] = r
		switch {
		case before != nil && given.Part == "":
			if err := r.mergeOnto(before.doc.Root(), ""); err != nil {
				return err
			}
			*before = *r
		case before != nil:
			*before = *r
		case given.Part == "":
			p.shared = append(p.shared, r)
		default:
			one := parts[given.Part]
			if one == nil {
				one = &part{note: &resource{name: hub.Name{Type: "Provenance", ID: identify("part", m.Member, given.Part)}}}
				parts[given.Part], p.parts = one, append(p.parts, one)
			}
			if one.list = append(one.list, r); r.at.After(one.at) {
				one.at = r.at
			}
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, one := range p.parts {
		for _, r := range one.list {
			if err := in.finish(ctx, r); err != nil {
				return err
			}
		}
		if err := in.provenance(one.note, m, one.at, one.list); err != nil {
			return err
		}
	}
	p.note = &resource{name: hub.Name{Type: "Provenance", ID: identify("shared", m.ID)}}
	return nil
}

// resource reads and checks one.
func (in *Intake) resource(given *Resource, m *Message) (*resource, error) {
	r := &resource{name: given.Name, at: millis(given.At), cleared: given.Cleared, yields: given.Yields}
	if given.At.IsZero() {
		r.at = m.Sent
	}
	if r.at.IsZero() || r.at.After(m.Received) { // a clock that is ahead must not keep later messages out
		r.at = m.Received
	}
	var err error
	if r.doc = given.Doc; r.doc == nil {
		if r.doc, err = fhir.Parse(given.Body, fhir.Limits{}); err != nil {
			return nil, err
		}
	}
	if typ := r.doc.Type(); typ != given.Name.Type || !fhir.IsResourceType(typ) || !fhir.ValidID(given.Name.ID) {
		return nil, &hub.Error{Kind: hub.Invalid, Path: given.Name.Type, Msg: "the mapping names a resource as none can be named"}
	}
	return r, r.doc.Check()
}

// finish takes large attachments out and projects the resource.
func (in *Intake) finish(ctx context.Context, r *resource) error {
	d, err := r.doc.Detach(InlineBytes, nil)
	if err != nil {
		return err
	}
	if len(d.Data) > 0 {
		r.doc, r.whole = d.Doc, r.doc
		if r.blob, err = in.keepAll(ctx, d.Data); err != nil {
			return err
		}
	}
	return in.project(r)
}

func (in *Intake) project(r *resource) error {
	entry, err := in.Project.Entry(r.doc, r.name)
	r.entry = &entry
	return err
}

// keepAll puts attachments into one new blob.
func (in *Intake) keepAll(ctx context.Context, all []fhir.Attachment) (*hub.Blob, error) {
	parts, at := &hub.Parts{}, int64(0)
	blob, err := in.keep(ctx, "application/octet-stream", func(w io.Writer) error {
		for _, one := range all {
			if _, err := w.Write(one.Bytes); err != nil {
				return err
			}
			parts.List = append(parts.List, []int64{at, int64(len(one.Bytes))})
			at += int64(len(one.Bytes))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	blob.Parts = parts
	return blob, nil
}

// keep makes a new blob of what write writes. If nothing comes to refer to it, it is collected some day.
func (in *Intake) keep(ctx context.Context, media string, write func(io.Writer) error) (*hub.Blob, error) {
	stage, err := in.Blobs.Stage(ctx)
	if err != nil {
		return nil, unavailable("keep the bytes of a message", err)
	}
	defer stage.Discard()
	sum, size := sha256.New(), counter(0)
	if err := write(io.MultiWriter(stage, sum, &size)); err != nil {
		return nil, unavailable("keep the bytes of a message", err)
	}
	key := fmt.Sprintf("blob/messages/%s/%s", in.Now().UTC().Format("20060102/15"), strings.ToLower(rand.Text()))
	if err := stage.Publish(ctx, key); err != nil {
		return nil, unavailable("keep the bytes of a message", err)
	}
	return &hub.Blob{Key: key, Size: int64(size), SHA256: hex.EncodeToString(sum.Sum(nil)), Media: media}, nil
}

func unavailable(attempt string, err error) error {
	return &hub.Error{Kind: hub.Unavailable, Msg: attempt, Retry: time.Second, Err: err}
}

// counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func appendNew(list []string, s string) []string {
	for _, one := range list {
		if one == s {
			return list
		}
	}
	return append(list, s)
}
