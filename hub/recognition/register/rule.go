package register

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"concord/hub"
	"concord/hub/access"
)

// Rule releases or rejects what another person has proposed, or withdraws what oneself has. Of several rulings on one proposal
// the first holds; the others are a Conflict. A release is refused when something it changes was released after it was
// proposed: its author did not know. A rejection needs a reason.
func (r *Register) Rule(ctx context.Context, who access.Caller, id string, verdict Verdict, reason string) (*Proposal, error) {
	if err := who.MayCatalogue(); err != nil {
		return nil, err
	}
	reason = strings.TrimSpace(reason)
	switch {
	case utf8.RuneCountInString(reason) > mostReason || !utf8.ValidString(reason):
		return nil, &hub.Error{Kind: hub.Invalid, Path: "reason", Msg: fmt.Sprintf("a reason has at most %d characters", mostReason)}
	case verdict == Rejected && reason == "":
		return nil, &hub.Error{Kind: hub.Invalid, Path: "reason", Msg: "who rejects says why"}
	}
	by := Person{who.Member, who.Person}
	err := r.append(ctx, who.Member, func(s *State, now time.Time) (event, error) {
		p := s.byID[id]
		if p == nil {
			return event{}, noProposal(id)
		}
		if err := p.mayRule(by, verdict); err != nil {
			return event{}, err
		}
		ruling := &Ruling{Proposal: id, Verdict: verdict, By: by, Reason: reason}
		if verdict == Released {
			if err := s.stale(p); err != nil {
				return event{}, err
			}
			if err := r.check(s, p, now); err != nil {
				return event{}, err
			}
			ruling.Number, ruling.Effective = len(s.releases)+1, p.Effective
		}
		return event{Ruling: ruling}, nil
	})
	if err != nil {
		return nil, err
	}
	if verdict == Released {
		if err := r.Publish(ctx); err != nil && !hub.Is(err, hub.Unavailable) { // Run does it then
			return nil, err
		}
	}
	return r.now().byID[id], nil
}

func noProposal(id string) error {
	return &hub.Error{Kind: hub.NotFound, Path: "id", Msg: fmt.Sprintf("there is no proposal %.32q", id)}
}

// mayRule keeps dual control: two persons, whatever institutions and tokens they have.
func (p *Proposal) mayRule(by Person, verdict Verdict) error {
	own := p.By.same(by)
	switch {
	case p.Ruling != nil:
		return &hub.Error{Kind: hub.Conflict, Path: "id", Msg: fmt.Sprintf("the proposal is %s already, by %s of %s", p.Ruling.Verdict, p.Ruling.By.Name, p.Ruling.By.Member)}
	case own && verdict != Withdrawn:
		return &hub.Error{Kind: hub.Forbidden, Path: "id", Msg: "nobody rules on a proposal of their own", Hint: "another person with the scope catalogue does; its author may withdraw it"}
	case !own && verdict == Withdrawn:
		return &hub.Error{Kind: hub.Forbidden, Path: "id", Msg: "only its author withdraws a proposal", Hint: "reject it"}
	}
	return nil
}

// stale tells whether something that a proposal changes was released after it was made.
func (s *State) stale(p *Proposal) error {
	mine := map[string]bool{}
	for i := range p.Changes {
		mine[p.Changes[i].key()] = true
	}
	for n := p.Base; n < len(s.releases); n++ {
		for i := range s.releases[n].Changes {
			if c := &s.releases[n].Changes[i]; mine[c.key()] {
				return &hub.Error{Kind: hub.Conflict, Path: "changes", Msg: fmt.Sprintf("release %d has changed %s since this was proposed", n+1, c.plain()),
					Hint: "reject it, and have it proposed again on what is in force now"}
			}
		}
	}
	return nil
}

func (c *Change) plain() string {
	if q := c.Qualification; q != nil {
		return "the qualification of " + q.Institution + " for " + q.Item + " from " + q.Start
	}
	return "item " + c.Item
}

// Conflicts are the ids of other open proposals that change something that p does.
func (r *Register) Conflicts(p *Proposal) []string {
	mine := map[string]bool{}
	for i := range p.Changes {
		mine[p.Changes[i].key()] = true
	}
	var all []string
	for _, other := range r.now().open() {
		for i := range other.Changes {
			if other.ID != p.ID && mine[other.Changes[i].key()] {
				all = append(all, other.ID)
				break
			}
		}
	}
	return all
}

// RollBack proposes what takes a release back: each thing it changed becomes what it was before, unless a later release has
// changed it again, which is a Conflict.
func (r *Register) RollBack(ctx context.Context, who access.Caller, number int, reason string) (*Proposal, error) {
	if err := who.MayCatalogue(); err != nil {
		return nil, err
	}
	return r.propose(ctx, who, func(s *State) (*Proposal, error) {
		if number < 1 || number > len(s.releases) {
			return nil, &hub.Error{Kind: hub.NotFound, Path: "number", Msg: fmt.Sprintf("there is no release %d", number)}
		}
		released := s.releases[number-1]
		if err := s.stale(&Proposal{Base: number, Changes: released.Changes}); err != nil {
			return nil, err
		}
		p := &Proposal{Reason: reason, Reverts: number}
		before := &State{releases: s.releases[:number-1]}
		before.qualify(before.releases)
		rows := before.rows(version{last: number - 1})
		for i := range released.Changes {
			p.Changes = append(p.Changes, before.inverse(&released.Changes[i], rows, r.starter(released.Changes[i].Item) != nil))
		}
		return p, nil
	})
}

// inverse is what makes a change undone in the state before it.
func (s *State) inverse(c *Change, rows map[string]overlay, starter bool) Change {
	if q := c.Qualification; q != nil {
		if old := s.line(q); old != nil {
			return Change{Qualification: old}
		}
		gone := *q
		gone.Withdrawn = true
		return Change{Qualification: &gone}
	}
	over, is := rows[c.Item]
	switch {
	case is && over.row != nil:
		return Change{Item: c.Item, Row: over.row}
	case !is && starter:
		return Change{Item: c.Item, Restore: true}
	}
	return Change{Item: c.Item, Retire: true}
}
