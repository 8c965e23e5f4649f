package persons

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/identity"
	"concord/hub/lookup"
	"concord/hub/projection"
)

// Board is the work list of those who decide who is who. They need the scope access.Integration, since they see Patients of all
// members.
type Board struct {
	Reader   *lookup.Reader
	Records  hub.Partition
	Follower *projection.Follower
	Writer   *commit.Committer
	Model    *identity.Model
	Trail    lookup.Trail
	Now      func() time.Time
}

// Filter chooses Pairs. State is Open, Contradiction, Linked, Separate, or "decided": those that a person decided; empty: all
// that wait for somebody, Open and Contradiction.
type Filter struct {
	State   State
	Member  string // whose Patient one of the two is
	Patient string // "Patient/a": one of the two
	Limit   int
	After   *hub.Position
}

// MostReason is how many characters a reason may have.
const MostReason = 500

// List lists Pairs, those that were judged last first.
func (b *Board) List(ctx context.Context, who access.Caller, f Filter) (pairs []Pair, next *hub.Position, err error) {
	if err := who.MayIntegrate(); err != nil {
		return nil, nil, err
	}
	states := []string{string(f.State)}
	if f.State == "" {
		states = []string{string(Open), string(Contradiction)}
	}
	q := hub.Query{Type: PairType, Limit: f.Limit, After: f.After, Sort: []hub.Sort{{Param: hub.LastUpdated, Desc: true}}, All: []hub.Clause{exactly("state", states...)}}
	if f.Member != "" {
		q.All = append(q.All, exactly("member", f.Member))
	}
	if f.Patient != "" {
		q.All = append(q.All, exactly(pairParam, f.Patient))
	}
	res, err := b.Reader.Search(ctx, who, []hub.Partition{b.Records}, q, "state")
	if err != nil {
		return nil, nil, err
	}
	for i := range res.Records {
		p, err := readPair(&res.Records[i])
		if err != nil {
			return nil, nil, err
		}
		pairs = append(pairs, *p)
	}
	return pairs, res.Next, nil
}

func exactly(param string, values ...string) hub.Clause {
	c := hub.Clause{Param: param}
	for _, v := range values {
		c.Any = append(c.Any, hub.Match{Kind: hub.Equals, Text: v})
	}
	return c
}

// Read reads one Pair.
func (b *Board) Read(ctx context.Context, who access.Caller, id string) (Pair, error) {
	if err := who.MayIntegrate(); err != nil {
		return Pair{}, err
	}
	rec, err := b.Reader.Read(ctx, who, b.Records, hub.Name{Type: PairType, ID: id})
	if err != nil {
		return Pair{}, err
	}
	p, err := readPair(&rec)
	if err != nil {
		return Pair{}, err
	}
	return *p, nil
}

// History reads all versions of a Pair, newest first; one that was deleted has the State Gone.
func (b *Board) History(ctx context.Context, who access.Caller, id string, limit int) ([]Pair, error) {
	if err := who.MayIntegrate(); err != nil {
		return nil, err
	}
	recs, _, err := b.Reader.Versions(ctx, who, b.Records, hub.Name{Type: PairType, ID: id}, 0, limit)
	var all []Pair
	for i := range recs {
		if recs[i].Deleted {
			all = append(all, Pair{ID: id, State: Gone, Version: recs[i].Version, Updated: recs[i].Time})
			continue
		}
		p, err := readPair(&recs[i])
		if err != nil {
			return nil, err
		}
		all = append(all, *p)
	}
	return all, err
}

// Link says that two Patients ("Patient/a" or their ids) are one person. Two that have different valid citizen numbers in force
// cannot be: Conflict.
func (b *Board) Link(ctx context.Context, who access.Caller, x, y, reason string) (Pair, error) {
	return b.decide(ctx, who, x, y, reason, func(w *world, p *Pair, d Decision) error {
		d.Link = true
		if why, is := w.model.Contradiction(w.patients[p.A].traits, w.patients[p.B].traits); is && why == "different-citizen-numbers" {
			return &hub.Error{Kind: hub.Conflict, Msg: "the two Patients have different valid citizen numbers",
				Hint: "correct the number, or mark the former one as old (use=old), where the person got a new one"}
		}
		p.Decision, p.Undone = &d, nil
		return nil
	})
}

// Separate says that two Patients are two people, and not to be linked by anything.
func (b *Board) Separate(ctx context.Context, who access.Caller, x, y, reason string) (Pair, error) {
	return b.decide(ctx, who, x, y, reason, func(_ *world, p *Pair, d Decision) error {
		p.Decision, p.Undone = &d, nil
		return nil
	})
}

// Undo takes a person's word about two Patients back. They are what the model says they are.
func (b *Board) Undo(ctx context.Context, who access.Caller, x, y, reason string) (Pair, error) {
	return b.decide(ctx, who, x, y, reason, func(w *world, p *Pair, d Decision) error {
		if p.Decision == nil {
			return &hub.Error{Kind: hub.Conflict, Msg: "nobody has decided about these two Patients"}
		}
		p.Decision, p.Undone = nil, &d
		return nil
	})
}

// tries is how often a decision is made anew because the groups were changed meanwhile.
const tries = 20

func (b *Board) decide(ctx context.Context, who access.Caller, x, y, reason string, set func(*world, *Pair, Decision) error) (Pair, error) {
	if err := who.MayIntegrate(); err != nil {
		return Pair{}, err
	}
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n == 0 || n > MostReason || !utf8.ValidString(reason) {
		return Pair{}, &hub.Error{Kind: hub.Invalid, Path: "reason", Msg: fmt.Sprintf("a decision has a reason of at most %d characters, this one has %d", MostReason, n)}
	}
	x, y = strings.TrimPrefix(x, "Patient/"), strings.TrimPrefix(y, "Patient/")
	if x == y || x == "" || y == "" {
		return Pair{}, &hub.Error{Kind: hub.Invalid, Path: "patient", Msg: "a decision is about two Patients"}
	}
	d := Decision{Member: who.Member, Person: who.Person, Reason: reason, At: b.Now().UTC().Truncate(time.Millisecond)}
	for try := 0; ; try++ {
		p, err := b.once(ctx, x, y, func(w *world, p *Pair) error { return set(w, p, d) })
		if errors.Is(err, errOvertaken) && try < tries {
			continue
		}
		if errors.Is(err, errOvertaken) {
			err = &hub.Error{Kind: hub.Unavailable, Retry: time.Second, Msg: "other patients are being linked without pause"}
		}
		if err != nil {
			return Pair{}, err
		}
		return p, b.Trail.Note(ctx, audit.Event{Action: audit.Update, Member: who.Member, Token: who.TokenID, Type: PairType, Names: []hub.Name{p.name()}, Count: 1})
	}
}

func (b *Board) once(ctx context.Context, x, y string, set func(*world, *Pair) error) (Pair, error) {
	m, err := readMark(ctx, b.Follower)
	if err != nil {
		return Pair{}, err
	}
	w := newWorld(b.Follower, b.Model)
	if err := w.load(ctx, x, y); err != nil {
		return Pair{}, err
	}
	for _, id := range []string{x, y} {
		if w.patients[id].traits == nil {
			return Pair{}, &hub.Error{Kind: hub.NotFound, Path: patientRef(id), Msg: "there is no such Patient, or it is out of use"}
		}
		if err := w.readPairs(ctx, id); err != nil {
			return Pair{}, err
		}
	}
	name := pairName(x, y)
	p := w.pairs[name]
	if p == nil {
		p = &Pair{ID: name.ID, A: min(x, y), B: max(x, y)}
		w.pairs[name] = p
	}
	w.compare(w.patients[x], w.patients[y])
	before, err := w.around(ctx, []string{x, y}) // also what only the link held together
	if err != nil {
		return Pair{}, err
	}
	if err := set(w, p); err != nil {
		return Pair{}, err
	}
	if err := w.regroup(ctx, before...); err != nil {
		return Pair{}, err
	}
	if p.Decision != nil && p.Decision.Link && p.State != Linked {
		why := identity.RuleText(p.Why)
		return Pair{}, &hub.Error{Kind: hub.Conflict, Msg: "the two Patients cannot be linked, for the others of their persons: " + why.English,
			Hint: "decide about these first"}
	}
	if err := w.commit(ctx, b.Writer, m); err != nil {
		return Pair{}, err
	}
	return *p, nil
}
