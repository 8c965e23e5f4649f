package register

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"concord/hub"
)

// Item is one row as it stands, and by which release; 0 for the starter's.
type Item struct {
	Row     Row       `json:"row"`
	Release int       `json:"release"`
	Retired bool      `json:"retired,omitempty"`
	By      *Proposal `json:"-"`
}

// Items are all rows at a moment (zero: now), retired ones too: the starter's in their order, then those added, by id.
func (r *Register) Items(at time.Time) []Item {
	s := r.now()
	if at.IsZero() {
		at = r.present(s)
	}
	over := s.rows(s.inForce(at))
	all := make([]Item, 0, len(r.Starter.Rows)+len(over))
	for _, row := range r.Starter.Rows {
		all = append(all, s.item(row, over))
		delete(over, row.ID())
	}
	for _, id := range sorted(over) {
		all = append(all, s.item(nil, map[string]overlay{id: over[id]}, id))
	}
	return all
}

func (s *State) item(starter Row, over map[string]overlay, ids ...string) Item {
	id := starter.ID()
	if starter == nil {
		id = ids[0]
	}
	o, is := over[id]
	if !is {
		return Item{Row: starter}
	}
	one := Item{Row: o.row, Release: o.release, By: s.releases[o.release-1]}
	if one.Row == nil {
		one.Retired, one.Row = true, starter
		for n := o.release - 1; n > 0; n-- {
			if row := s.releases[n-1].row(id); row != nil {
				one.Row = row
				break
			}
		}
	}
	return one
}

func (p *Proposal) row(item string) Row {
	for i := range p.Changes {
		if p.Changes[i].Item == item {
			return p.Changes[i].Row
		}
	}
	return nil
}

// Item is one row at a moment; zero: now.
func (r *Register) Item(id string, at time.Time) (Item, error) {
	for _, one := range r.Items(at) {
		if one.Row.ID() == id {
			return one, nil
		}
	}
	return Item{}, &hub.Error{Kind: hub.NotFound, Path: "id", Msg: fmt.Sprintf("there is no item %.64q", id)}
}

// Proposals are those in a state (open, released, rejected, withdrawn; empty: all), the newest first. They must not be changed.
func (r *Register) Proposals(state string) []*Proposal {
	var all []*Proposal
	for _, p := range slices.Backward(r.now().proposals) {
		if state == "" || p.State() == state {
			all = append(all, p)
		}
	}
	return all
}

// Proposal finds one by its id.
func (r *Register) Proposal(id string) (*Proposal, error) {
	if p := r.now().byID[id]; p != nil {
		return p, nil
	}
	return nil, noProposal(id)
}

// Releases are all, the newest first.
func (r *Register) Releases() []*Proposal {
	all := slices.Clone(r.now().releases)
	slices.Reverse(all)
	return all
}

// History are the releases that changed an item, the newest first.
func (r *Register) History(item string) []*Proposal {
	return slices.DeleteFunc(r.Releases(), func(p *Proposal) bool {
		return !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Item == item })
	})
}

// Asked narrows a list of qualifications; what is empty does not.
type Asked struct{ Institution, Item, Day string }

// Qualifications are the lines there are, withdrawn ones left out, by institution, item and first day, the latest first.
func (r *Register) Qualifications(a Asked) []Qualification {
	var all []Qualification
	for at, lines := range r.now().lines {
		if a.Institution != "" && at[0] != a.Institution || a.Item != "" && at[1] != a.Item {
			continue
		}
		for _, q := range lines {
			if !q.Withdrawn && (a.Day == "" || q.in(a.Day)) {
				all = append(all, *q)
			}
		}
	}
	slices.SortFunc(all, func(a, b Qualification) int {
		return cmp.Or(strings.Compare(a.Institution, b.Institution), strings.Compare(a.Item, b.Item), latestFirst(&a, &b))
	})
	return all
}
