package ecg

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/hub/messages"
	"concord/internal/dicom"
	"concord/internal/ecg"
	"concord/internal/fhir"
)

// Library finds recordings and hands out what they are made of. All it gives passes through its Reader: what policy denies,
// of the resource or of the bytes behind it, is NotFound.
type Library struct {
	Reader      *lookup.Reader
	Records     hub.Partition
	PartitionOf func(study string) hub.Partition
	// Largest is how many bytes of an original are read to draw or convert it: TooLarge beyond it.
	Largest int64
	Limits  ecg.Limits
}

// Entry is what a recording's DocumentReference says, without a look at its bytes.
type Entry struct {
	ID          string `json:"id"`
	Member      string `json:"member,omitempty"`
	Format      string `json:"format"`
	Patient     string `json:"patient,omitempty"` // a reference, where there is one
	PatientName string `json:"patientName,omitempty"`
	Date        string `json:"date,omitempty"`
	Description string `json:"description,omitempty"`
	Size        int    `json:"size,omitempty"`
	// Read tells whether the hub can read it; of others there is the original alone.
	Read    bool   `json:"read"`
	Changed string `json:"lastUpdated"`

	study, sop string // of a DICOM instance
}

// Original are the bytes of a recording as they were sent.
type Original struct {
	Entry
	Media  string
	Size   int64
	SHA256 string
	// Study and Instance are the UIDs of one that lies in a DICOM instance.
	Study, Instance string
	open            func(ctx context.Context) (io.ReadCloser, error)
}

// Open reads the bytes.
func (o *Original) Open(ctx context.Context) (io.ReadCloser, error) { return o.open(ctx) }

// Original finds a recording. Nothing of it is read before Open.
func (l *Library) Original(ctx context.Context, who access.Caller, id string) (*Original, error) {
	if !fhir.ValidID(id) {
		return nil, notFound("of that name")
	}
	rec, err := l.Reader.Read(ctx, who, l.Records, hub.Name{Type: "DocumentReference", ID: id})
	if err != nil {
		return nil, hidden(err, id)
	}
	e, ok := entryOf(&rec)
	if !ok {
		return nil, notFound(id)
	}
	var o *Original
	if e.sop != "" {
		o, err = l.instance(ctx, who, e)
	} else {
		o, err = l.message(ctx, who, e)
	}
	return o, hidden(err, id)
}

func notFound(id string) *hub.Error {
	return &hub.Error{Kind: hub.NotFound, Msg: "there is no recording " + id}
}

// hidden makes what is missing or denied behind a recording look as if the recording were: nobody learns which it was.
func hidden(err error, id string) error {
	if hub.Is(err, hub.NotFound) || hub.Is(err, hub.Forbidden) {
		return notFound(id)
	}
	return err
}

// message is the original of a recording that was sent as a file.
func (l *Library) message(ctx context.Context, who access.Caller, e Entry) (*Original, error) {
	rec, err := l.Reader.Read(ctx, who, l.Records, hub.Name{Type: messages.Type, ID: e.ID})
	if err != nil {
		return nil, err
	}
	m, err := messages.Read(&rec)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(MessageFormats(), m.Format) { // a message of another kind is not read by this door
		return nil, notFound(e.ID)
	}
	return &Original{Entry: e, Media: m.Media, Size: m.Size, SHA256: m.SHA256, open: func(ctx context.Context) (io.ReadCloser, error) {
		if m.Blob == nil {
			return io.NopCloser(strings.NewReader(string(m.Raw))), nil
		}
		return l.Reader.Blob(ctx, who, &rec, 0, -1)
	}}, nil
}

// instance is the original of a recording that is a DICOM instance.
func (l *Library) instance(ctx context.Context, who access.Caller, e Entry) (*Original, error) {
	if err := who.May(access.Read, access.ImagingStudy); err != nil {
		return nil, err
	}
	rec, err := l.Reader.Read(ctx, who, l.PartitionOf(e.study), dicom.InstanceName(e.study, e.sop))
	if err != nil {
		return nil, err
	}
	if rec.Blob == nil {
		return nil, notFound(e.ID)
	}
	return &Original{Entry: e, Media: rec.Blob.Media, Size: rec.Blob.Size, SHA256: rec.Blob.SHA256, Study: e.study, Instance: e.sop,
		open: func(ctx context.Context) (io.ReadCloser, error) { return l.Reader.Blob(ctx, who, &rec, 0, -1) }}, nil
}

// Recording reads an original: Unsupported where the hub has no reader for it, TooLarge where it is longer than is read.
func (l *Library) Recording(ctx context.Context, o *Original) (*ecg.Recording, error) {
	if o.Size > l.Largest {
		return nil, tooLong(o.Size, l.Largest)
	}
	body, err := o.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	rec, err := ecg.Read(io.LimitReader(body, o.Size), l.Limits)
	if err != nil {
		return nil, fmt.Errorf("read recording %s: %w", o.ID, err)
	}
	return rec, nil
}

// entryOf reads a DocumentReference; ok is false when it is none of a recording.
func entryOf(rec *hub.Record) (e Entry, ok bool) {
	var r models.DocumentReference
	if json.Unmarshal(rec.Body, &r) != nil || len(r.Content) == 0 {
		return e, false
	}
	for _, category := range r.Category {
		for _, c := range category.Coding {
			ok = ok || text(c.System) == System && text(c.Code) == Category
		}
	}
	e = Entry{ID: rec.Name.ID, Date: text(r.Date), Description: text(r.Description), Read: len(r.Content) > 1, Changed: rec.Time.Format("2006-01-02T15:04:05.999Z07:00")}
	if r.Meta != nil {
		e.Member = strings.TrimPrefix(text(r.Meta.Source), sourcePrefix)
	}
	if r.Subject != nil {
		e.Patient, e.PatientName = text(r.Subject.Reference), text(r.Subject.Display)
	}
	first := r.Content[0]
	if first.Format != nil {
		e.Format = text(first.Format.Display)
	}
	if first.Attachment.Size != nil {
		e.Size = *first.Attachment.Size
	}
	if r.Context != nil && len(r.Context.Related) > 0 {
		if study, is := strings.CutPrefix(text(r.Context.Related[0].Reference), "ImagingStudy/"); is {
			for _, id := range r.Identifier {
				if sop, is := strings.CutPrefix(text(id.Value), "urn:oid:"); is && text(id.System) == systemUID {
					e.study, e.sop = study, sop
				}
			}
		}
	}
	if e.sop != "" && (dicom.CheckUID("", e.study) != nil || dicom.CheckUID("", e.sop) != nil) {
		return e, false
	}
	return e, ok
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// uids are the Study and the SOP Instance UID of an instance's record.
func uids(rec *hub.Record) (study, sop string, err error) {
	study, sop, ok := strings.Cut(rec.Name.ID, "/")
	if !ok {
		return "", "", &hub.Error{Kind: hub.Internal, Msg: "the name of an instance is not study/instance"}
	}
	return study, sop, nil
}
