package messages

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/internal/fhir"
)

// present is what there is now: a commit.View where a message is taken in, the index where it is only looked what one would
// change.
type present interface {
	Head(ctx context.Context, n hub.Name) (hub.Head, error)
	Record(ctx context.Context, n hub.Name) (hub.Record, error)
	Find(ctx context.Context, q hub.Query) ([]hub.Name, error)
}

// change is one thing that a message makes otherwise.
type change struct {
	name   hub.Name
	before *hub.Record // nil where there was nothing
	after  *resource   // nil where it is deleted
}

// settle finds what a prepared message changes and completes its Message. It has no effects on p, so that it can be called
// again when somebody else was faster.
func (in *Intake) settle(ctx context.Context, v present, who access.Caller, p *prepared) (Message, []change, error) {
	s := &settling{Intake: in, present: v, who: who, prepared: p, message: p.message}
	s.message.Faults = slices.Clone(p.message.Faults)
	err := s.all(ctx)
	var refused *hub.Error
	switch {
	case err == nil:
	case hub.Is(err, hub.Forbidden):
		refused = &hub.Error{Kind: hub.Forbidden, Path: s.at.Type, Msg: "a resource that the message speaks of is another member's"}
	default:
		return Message{}, nil, err
	}
	if refused != nil {
		s.changes, s.message.Status = nil, Dead
		s.message.Made, s.message.Removed = nil, nil
		s.message.Faults = append(s.message.Faults, FaultsOf(refused, true)...)
	}
	if p.answer != nil {
		s.message.Answer = p.answer(Verdict{s.message.Status, s.message.Faults})
	}
	return s.message, s.changes, nil
}

type settling struct {
	*Intake
	present
	who      access.Caller
	prepared *prepared
	message  Message
	changes  []change
	at       hub.Name // what is being looked at
	kept     int      // parts and shared resources that the message was not too late for
	late     int
}

func (s *settling) all(ctx context.Context) error {
	for _, one := range s.prepared.parts {
		if err := s.part(ctx, one); err != nil {
			return err
		}
	}
	parts, late := len(s.prepared.parts), s.late
	var noted []*resource
	for _, r := range s.prepared.shared {
		written, err := s.share(ctx, r)
		if err != nil {
			return err
		}
		if written {
			noted = append(noted, r)
		}
	}
	if len(noted) > 0 {
		note := *s.prepared.note
		if err := s.provenance(&note, &s.message, noted[0].at, noted); err != nil {
			return err
		}
		before, err := s.current(ctx, note.name)
		if err != nil {
			return err
		}
		s.changes = append(s.changes, change{note.name, before, &note})
	}
	if parts > 0 && late == parts || parts == 0 && s.late > 0 && s.kept == 0 {
		s.message.Status = Late
	}
	return nil
}

// tooLate notes that a newer message has had its say.
func (s *settling) tooLate(n hub.Name) {
	s.late++
	s.message.Faults = append(s.message.Faults, Fault{Kind: hub.Conflict.String(), Place: n.Type, Msg: "a newer message has told of this: it stays as that one said"})
}

// part replaces a part unless a newer message has done so.
func (s *settling) part(ctx context.Context, one *part) error {
	note, err := s.current(ctx, one.note.name)
	if err != nil {
		return err
	}
	var last origin
	if note != nil {
		if last, err = originOf(note); err != nil {
			return err
		}
		if last.after(one.at, s.message.Received) {
			s.tooLate(one.list[0].name)
			return nil
		}
	}
	s.kept++
	for _, r := range one.list {
		before, err := s.current(ctx, r.name)
		if err != nil {
			return err
		}
		s.message.Made = append(s.message.Made, r.name.String())
		if before != nil && unchanged(before, r) {
			continue
		}
		if newer, err := s.toldSince(ctx, before, one); newer || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := s.mayChange(before); err != nil {
			return err
		}
		s.changes = append(s.changes, change{r.name, before, r})
	}
	for _, n := range last.targets {
		if s.prepared.speaksOf(n) {
			continue
		}
		others, err := s.claimed(ctx, n)
		if err != nil {
			return err
		}
		before, err := s.current(ctx, n)
		if err != nil {
			return err
		}
		if !others && before != nil && s.mayChange(before) == nil {
			s.message.Removed = append(s.message.Removed, n.String())
			s.changes = append(s.changes, change{n, before, nil})
		}
	}
	s.changes = append(s.changes, change{one.note.name, note, one.note})
	return nil
}

// toldSince reports whether another part that has a resource, too, such as the report that brought a result once more, is
// newer than this one: then the resource stays as that one said.
func (s *settling) toldSince(ctx context.Context, before *hub.Record, one *part) (bool, error) {
	if before == nil {
		return false, nil
	}
	notes, err := s.notesOf(ctx, before.Name)
	for _, n := range notes {
		if n == one.note.name || err != nil {
			continue
		}
		var note *hub.Record
		if note, err = s.current(ctx, n); err != nil || note == nil {
			continue
		}
		var last origin
		if last, err = originOf(note); err == nil && last.after(one.at, s.message.Received) {
			return true, nil
		}
	}
	return false, err
}

// notesOf are the Provenances of the parts that have a resource; of more than there are parts here and one, some.
func (s *settling) notesOf(ctx context.Context, n hub.Name) ([]hub.Name, error) {
	return s.Find(ctx, hub.Query{Type: "Provenance", Limit: len(s.prepared.parts) + 1,
		All: []hub.Clause{{Param: "target", Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: n.String()}}}}})
}

// claimed reports whether another part has a resource, too: what two reports have is not one's to take away.
func (s *settling) claimed(ctx context.Context, n hub.Name) (bool, error) {
	notes, err := s.notesOf(ctx, n)
	ours := func(note hub.Name) bool {
		return slices.ContainsFunc(s.prepared.parts, func(one *part) bool { return one.note.name == note })
	}
	return slices.ContainsFunc(notes, func(note hub.Name) bool { return !ours(note) }), err
}

// share merges a shared resource into what is there.
func (s *settling) share(ctx context.Context, r *resource) (written bool, err error) {
	before, err := s.current(ctx, r.name)
	if err != nil {
		return false, err
	}
	merged, old := *r, fhir.Value{}
	if before != nil {
		doc, err := fhir.Parse(before.Body, fhir.Limits{})
		if err != nil {
			return false, &hub.Error{Kind: hub.Corrupt, Msg: "read " + r.name.String(), Err: err}
		}
		if old = doc.Root(); r.adds(old) {
			last := originIn(doc, before.Time)
			if last.after(r.at, s.message.Received) {
				s.tooLate(r.name)
				return false, nil
			}
		} else {
			s.kept++
			s.message.Made = append(s.message.Made, r.name.String())
			return false, nil
		}
	}
	if err := s.mayChange(before); err != nil {
		return false, err
	}
	if err := merged.mergeOnto(old, sourceOf(&s.message, r.at)); err != nil {
		return false, err
	}
	if before != nil {
		merged.blob = before.Blob
	}
	if err := s.project(&merged); err != nil {
		return false, err
	}
	s.kept++
	s.message.Made = append(s.message.Made, r.name.String())
	s.changes = append(s.changes, change{r.name, before, &merged})
	return true, nil
}

// adds reports whether merging r into old changes it.
func (r *resource) adds(old fhir.Value) bool {
	doc, err := fhir.Parse(append(merge(r.name.Type, old, r.doc.Root(), r.cleared, r.yields, ""), '}'), fhir.Limits{})
	return err != nil || !same(old, doc.Root())
}

// current is what there is of a thing; nil where there is nothing or it was deleted.
func (s *settling) current(ctx context.Context, n hub.Name) (*hub.Record, error) {
	s.at = n
	head, err := s.Head(ctx, n)
	if err != nil || head.Version == 0 || head.Deleted {
		return nil, err
	}
	rec, err := s.Record(ctx, n)
	return &rec, err
}

func (s *settling) mayChange(before *hub.Record) error {
	if before == nil {
		return nil
	}
	return s.Policy.MayChange(s.who, before.Member)
}

// unchanged reports whether a resource is, byte for byte, what the hub has.
func unchanged(before *hub.Record, r *resource) bool {
	if (before.Blob == nil) != (r.blob == nil) || r.blob != nil && before.Blob.SHA256 != r.blob.SHA256 {
		return false
	}
	return bytes.Equal(r.doc.Splice(r.name.ID, before.Version, before.Time), before.Body)
}

// speaksOf reports whether a message makes a resource, in whatever part.
func (p *prepared) speaksOf(n hub.Name) bool {
	named := func(r *resource) bool { return r.name == n }
	return slices.ContainsFunc(p.shared, named) || slices.ContainsFunc(p.parts, func(one *part) bool { return slices.ContainsFunc(one.list, named) })
}

// names are those whose heads settle will ask for.
func (p *prepared) names() []hub.Name {
	var all []hub.Name
	for _, one := range p.parts {
		all = append(all, one.note.name)
		for _, r := range one.list {
			all = append(all, r.name)
		}
	}
	for _, r := range p.shared {
		all = append(all, r.name)
	}
	if p.note != nil && len(p.shared) > 0 {
		all = append(all, p.note.name)
	}
	return all
}

// drafts are the changes as a commit takes them.
func drafts(changes []change) []commit.Draft {
	all := make([]commit.Draft, 0, len(changes)+1)
	for i := range changes {
		c := &changes[i]
		d := commit.Draft{Name: c.name, Delete: c.after == nil}
		if r := c.after; r != nil {
			d.Entry, d.Blob = r.entry, r.blob
			d.Body = func(version uint64, at time.Time) []byte { return r.doc.Splice(r.name.ID, version, at) }
		}
		all = append(all, d)
	}
	return all
}

// draft is the message's own record.
func (m *Message) draft() commit.Draft {
	body, entry := m.body(), m.entry()
	return commit.Draft{Name: m.name(), Blob: m.Blob, Entry: &entry, Body: func(uint64, time.Time) []byte { return body }}
}

func stored(rec *hub.Record, err error) (Message, error) {
	if err != nil {
		return Message{}, fmt.Errorf("read a message: %w", err)
	}
	return Read(rec)
}
