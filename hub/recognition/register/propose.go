package register

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"concord/hub"
	"concord/hub/access"
)

// Request is what somebody asks to be changed.
type Request struct {
	Reason    string
	Effective time.Time // zero: as soon as it is released
	Changes   []Change
}

// Limits of what one proposal holds.
const (
	mostChanges = 100_000
	mostRows    = 2_000
	mostReason  = 500
	farthest    = 5 * 366 * 24 * time.Hour // ahead that something may take force
)

// Propose keeps a proposal for another person to rule on. What changes nothing is left out, and when nothing is left, nothing
// is kept: the proposal that comes back then has no ID. Who asks the same again at the same point gets the one that is there.
func (r *Register) Propose(ctx context.Context, who access.Caller, q Request) (*Proposal, error) {
	if err := who.MayCatalogue(); err != nil {
		return nil, err
	}
	return r.propose(ctx, who, func(s *State) (*Proposal, error) {
		return &Proposal{Reason: q.Reason, Effective: q.Effective.UTC().Truncate(time.Millisecond), Changes: q.Changes}, nil
	})
}

func (r *Register) propose(ctx context.Context, who access.Caller, draft func(s *State) (*Proposal, error)) (*Proposal, error) {
	var p *Proposal
	errSame := fmt.Errorf("nothing to write")
	err := r.append(ctx, who.Member, func(s *State, now time.Time) (event, error) {
		var err error
		if p, err = draft(s); err != nil {
			return event{}, err
		}
		p.By, p.Base = Person{who.Member, who.Person}, len(s.releases)
		if err := r.check(s, p, now); err != nil {
			return event{}, err
		}
		if p.Changes = r.effects(s, p, now); len(p.Changes) == 0 {
			return event{}, errSame
		}
		if err := p.identify(); err != nil {
			return event{}, err
		}
		if old := s.byID[p.ID]; old != nil {
			if p = old; old.Ruling == nil {
				return event{}, errSame
			}
			return event{}, &hub.Error{Kind: hub.Conflict, Path: "changes", Msg: "the same was proposed before, and " + string(old.Ruling.Verdict), Hint: "give another reason"}
		}
		return event{Proposal: p}, nil
	})
	if err == errSame {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	return r.now().byID[p.ID], nil
}

// check refuses what could never be released. It is asked again at the release, of the state then.
func (r *Register) check(s *State, p *Proposal, now time.Time) error {
	bad := func(path, format string, args ...any) error {
		return &hub.Error{Kind: hub.Invalid, Path: path, Msg: fmt.Sprintf(format, args...)}
	}
	reason := strings.TrimSpace(p.Reason)
	switch {
	case reason == "" || utf8.RuneCountInString(reason) > mostReason || !utf8.ValidString(reason):
		return bad("reason", "a proposal needs a reason of at most %d characters", mostReason)
	case len(p.Changes) == 0:
		return bad("changes", "a proposal changes something")
	case len(p.Changes) > mostChanges:
		return &hub.Error{Kind: hub.TooLarge, Path: "changes", Msg: fmt.Sprintf("a proposal has at most %d changes", mostChanges)}
	case p.Effective.After(now.Add(farthest)):
		return bad("effective", "a release takes force within five years")
	}
	known := r.items(s)
	seen, rows := map[string]bool{}, 0
	var faults hub.Faults
	fault := func(i int, err error) {
		if len(faults) < 100 {
			faults = append(faults, atChange(i, err))
		}
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if key := c.key(); seen[key] {
			fault(i, bad("", "changes the same as one before it"))
		} else {
			seen[key] = true
		}
		if c.Qualification != nil {
			switch _, ok := r.Institution(c.Qualification.Institution); {
			case c.Item != "" || c.Row != nil || c.Retire || c.Restore:
				fault(i, bad("", "a change is of an item or of a qualification"))
			case !p.Effective.IsZero():
				fault(i, bad("effective", "a qualification says by its period from when on it holds"))
			case !ok:
				fault(i, bad("institution", "%.64q is no institution of the consortium", c.Qualification.Institution))
			case !known[c.Qualification.Item]:
				fault(i, bad("item", "%.64q is no item of the catalogue", c.Qualification.Item))
			default:
				if err := c.Qualification.check(); err != nil {
					fault(i, err)
				}
			}
			continue
		}
		rows++
		if err := r.checkItem(c, known); err != nil {
			fault(i, err)
		}
	}
	if rows > mostRows {
		return &hub.Error{Kind: hub.TooLarge, Path: "changes", Msg: fmt.Sprintf("a proposal changes at most %d items", mostRows)}
	}
	if len(faults) > 0 {
		return faults
	}
	if rows == 0 {
		return nil
	}
	return r.lint(s, p, now)
}

// longestID leaves room for what stands before it in the id of a resource.
const longestID = 48

func (r *Register) checkItem(c *Change, known map[string]bool) error {
	bad := func(path, format string, args ...any) error {
		return &hub.Error{Kind: hub.Invalid, Path: path, Msg: fmt.Sprintf(format, args...)}
	}
	said := 0
	for _, is := range []bool{c.Row != nil, c.Retire, c.Restore} {
		if is {
			said++
		}
	}
	switch {
	case said != 1:
		return bad("row", "a change of an item has a row, or retires it, or restores the starter's")
	case c.Item == "" || len(c.Item) > longestID:
		return bad("item", "an item's id has 1 to %d characters", longestID)
	case c.Row != nil && c.Row.ID() != c.Item:
		return bad("row.id", "the row's id is not that of the change")
	case c.Row == nil && !known[c.Item]:
		return bad("item", "%.64q is no item of the catalogue", c.Item)
	case c.Restore && r.starter(c.Item) == nil:
		return bad("item", "the starter has no item %.64q", c.Item)
	}
	return nil
}

// lint composes every catalogue that the proposal would bring about, from now on.
func (r *Register) lint(s *State, p *Proposal, now time.Time) error {
	trial := *p
	trial.Ruling = &Ruling{Proposal: p.ID, Verdict: Released, Number: len(s.releases) + 1, Effective: p.Effective}
	if trial.Ruling.Effective.Before(now) {
		trial.Ruling.Effective = now
	}
	after := &State{releases: append(slices.Clone(s.releases), &trial)}
	after.timetable()
	for _, m := range after.moments {
		if m.from.Before(trial.Ruling.Effective) {
			continue
		}
		if _, err := r.compose(after.rows(m.version), m.version.of(r.Starter.Version)); err != nil {
			return linted(err)
		}
	}
	return nil
}

// linted makes of what a composer found an answer to who proposed it.
func linted(err error) error {
	if hub.Is(err, hub.Invalid) {
		return err
	}
	return &hub.Error{Kind: hub.Invalid, Path: "changes", Msg: "the rows make no catalogue", Err: err}
}

// effects are the changes that would change something when the proposal takes force.
func (r *Register) effects(s *State, p *Proposal, now time.Time) []Change {
	at := p.Effective
	if at.Before(now) {
		at = now
	}
	then := s.rows(s.versionAt(at))
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool {
		if q := c.Qualification; q != nil {
			old := s.line(q)
			return old != nil && *old == *q
		}
		over, is := then[c.Item]
		switch {
		case c.Restore:
			return !is
		case c.Retire:
			return is && over.row == nil
		case is:
			return over.row != nil && over.row.same(c.Row)
		}
		starter := r.starter(c.Item)
		return starter != nil && starter.same(c.Row)
	})
}

// items are the ids of all items that there are or ever were.
func (r *Register) items(s *State) map[string]bool {
	known := map[string]bool{}
	for _, row := range r.Starter.Rows {
		known[row.ID()] = true
	}
	for _, p := range s.releases {
		for i := range p.Changes {
			if p.Changes[i].Row != nil {
				known[p.Changes[i].Item] = true
			}
		}
	}
	return known
}

func (r *Register) starter(item string) Row {
	i := slices.IndexFunc(r.Starter.Rows, func(row Row) bool { return row.ID() == item })
	if i < 0 {
		return nil
	}
	return r.Starter.Rows[i]
}

func atChange(i int, err error) *hub.Error {
	e, ok := err.(*hub.Error)
	if !ok {
		return &hub.Error{Kind: hub.KindOf(err), Path: fmt.Sprintf("changes[%d]", i), Msg: err.Error()}
	}
	placed := *e
	placed.Path = strings.TrimSuffix(fmt.Sprintf("changes[%d].%s", i, e.Path), ".")
	return &placed
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// encode writes JSON on one line, with < and > as they are.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), err
}
