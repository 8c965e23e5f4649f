package messages

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// Preview is what a message would come to if it were mapped now.
type Preview struct {
	Message Message `json:"-"` // as it would be kept
	// Resources are those that the mapping makes, in its order, without what is merged into them.
	Resources []json.RawMessage `json:"resources"`
	// Differences are what would change in the hub; nothing of Provenance.
	Differences []Difference `json:"differences"`
}

// Preview maps a message of who's own as Take would, and looks what that would change, but changes nothing.
func (in *Intake) Preview(ctx context.Context, who access.Caller, inc Incoming) (Preview, error) {
	dry := *in
	dry.Blobs = nowhere{in.Blobs}
	m, err := dry.message(ctx, who, &inc)
	if err != nil {
		return Preview{}, err
	}
	p, err := dry.attempt(ctx, &m, &inc)
	if err != nil {
		return Preview{}, err
	}
	return dry.preview(ctx, who, p)
}

// PreviewAgain is Preview for a message that is kept.
func (in *Intake) PreviewAgain(ctx context.Context, who access.Caller, id string) (Preview, error) {
	dry := *in
	dry.Blobs = nowhere{in.Blobs}
	m, p, err := dry.again(ctx, who, id, access.Read)
	if err != nil {
		return Preview{}, err
	}
	out, err := dry.preview(ctx, access.NewCaller(m.Member, access.AllResources, who.TokenID), p)
	if err == nil && len(out.Differences) == 0 && !differs(&m, &out.Message, nil) {
		out.Message = m
	}
	return out, err
}

func (in *Intake) preview(ctx context.Context, who access.Caller, p *prepared) (Preview, error) {
	m, changes, err := in.settle(ctx, tail{in}, who, p)
	if err != nil {
		return Preview{}, err
	}
	out := Preview{Message: m, Resources: p.json(), Differences: []Difference{}}
	for i := range changes {
		if changes[i].name.Type == "Provenance" {
			continue
		}
		d, err := differenceOf(&changes[i])
		if err != nil {
			return Preview{}, err
		}
		out.Differences = append(out.Differences, d)
	}
	return out, nil
}

// json is all resources.
func (p *prepared) json() []json.RawMessage {
	list := append([]*resource{}, p.shared...)
	for _, one := range p.parts {
		list = append(list, one.list...)
	}
	all := make([]json.RawMessage, len(list))
	for i, r := range list {
		all[i] = r.json()
	}
	return all
}

// json is the resource with its id and without a meta of the hub's.
func (r *resource) json() []byte {
	w := objectWriter{buf: []byte{'{'}}
	w.member("resourceType", []byte(`"`+r.name.Type+`"`))
	w.member("id", []byte(`"`+r.name.ID+`"`))
	for name, v := range cmp.Or(r.whole, r.doc).Root().Members() {
		if name != "resourceType" && name != "id" {
			w.member(name, v.Compact())
		}
	}
	return append(w.buf, '}')
}

// tail is what the index knows.
type tail struct{ *Intake }

func (t tail) Head(ctx context.Context, n hub.Name) (hub.Head, error) {
	heads, err := t.Follower.Heads(ctx, []hub.Name{n})
	if err != nil {
		return hub.Head{}, err
	}
	return heads[0], nil
}

func (t tail) Record(ctx context.Context, n hub.Name) (hub.Record, error) {
	head, err := t.Head(ctx, n)
	if err != nil {
		return hub.Record{}, err
	}
	return t.Follower.Log().Record(ctx, head.Loc)
}

func (t tail) Find(ctx context.Context, q hub.Query) ([]hub.Name, error) {
	page, err := t.Follower.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	names := make([]hub.Name, len(page.Hits))
	for i, hit := range page.Hits {
		rec, err := t.Follower.Log().Record(ctx, hit.Head.Loc)
		if err != nil {
			return nil, err
		}
		names[i] = rec.Name
	}
	return names, nil
}

// nowhere are blobs that can be read and are not written.
type nowhere struct{ Blobs }

func (nowhere) Stage(context.Context) (hub.Stage, error) { return discarded{}, nil }

type discarded struct{}

func (discarded) Write(p []byte) (int, error)           { return len(p), nil }
func (discarded) Reader(int64) io.Reader                { return strings.NewReader("") }
func (discarded) Truncate(int64) error                  { return nil }
func (discarded) Publish(context.Context, string) error { return nil }
func (discarded) Discard()                              {}

// Difference is how one resource would change.
type Difference struct {
	Name string `json:"name"` // "Observation/id"
	// How is "new", "changed" or "removed".
	How string `json:"how"`
	// Elements are those that change; all of a new or removed resource is not told.
	Elements []Element `json:"elements,omitempty"`
}

// ID is the resource's name.
func (d *Difference) ID() hub.Name {
	typ, id, _ := strings.Cut(d.Name, "/")
	return hub.Name{Type: typ, ID: id}
}

// Element is a value that changes; Before or After is absent where there is none.
type Element struct {
	Path   string          `json:"path"` // "Observation.valueQuantity.value"
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

func differenceOf(c *change) (Difference, error) {
	d := Difference{Name: c.name.String()}
	switch {
	case c.before == nil:
		d.How = "new"
	case c.after == nil:
		d.How = "removed"
	default:
		doc, err := fhir.Parse(c.before.Body, fhir.Limits{})
		if err != nil {
			return d, &hub.Error{Kind: hub.Corrupt, Msg: "read " + d.Name, Err: err}
		}
		d.How, d.Elements = "changed", Compare(c.name.Type, doc.Root(), c.after.doc.Root())
	}
	return d, nil
}

// Show maps a message without a hub: what it would make is checked and not compared with anything.
func Show(ctx context.Context, mapper Mapper, member string, inc *Incoming) (Preview, error) {
	now := time.Now()
	in := &Intake{Project: fhir.NewProjection(nil), Blobs: nowhere{}, Mappers: map[string]Mapper{inc.Format: mapper}, Now: func() time.Time { return now }}
	m, err := in.message(ctx, access.Caller{Member: member}, inc)
	if err != nil {
		return Preview{}, err
	}
	p, err := in.attempt(ctx, &m, inc)
	if err != nil {
		return Preview{}, err
	}
	return Preview{Message: p.message, Resources: p.json()}, nil
}
