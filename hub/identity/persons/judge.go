package persons

import (
	"context"
	"slices"

	"concord/hub"
	"concord/hub/identity"
	"concord/hub/projection"
	"concord/internal/fhir"
)

// Bounds of what is looked at for one Patient.
const (
	mostCandidates = 300
	mostPairs      = 500
	mostVisited    = 200 // Patients of a group that is formed anew
)

// patient is a Patient as it is now; nil traits: it is not there, or is out of use.
type patient struct {
	node
	member  string
	version uint64
	body    []byte
	keys    []string
	// replacedBy are Patients of the same member that took its place.
	replacedBy []string
}

// world is what is known of Patients, Pairs and Persons while a batch is judged: what was read, and what the batch changed.
type world struct {
	follower *projection.Follower
	model    *identity.Model
	patients map[string]*patient
	pairs    map[hub.Name]*Pair // all that were read or made
	stored   map[hub.Name]Pair  // as they are in the log
	asked    map[string]bool    // Patients whose Pairs were read
	persons  map[string]*person // by id
	of       map[string]*person // by Patient; nil: none
}

func newWorld(f *projection.Follower, m *identity.Model) *world {
	return &world{follower: f, model: m, patients: map[string]*patient{}, pairs: map[hub.Name]*Pair{}, stored: map[hub.Name]Pair{},
		asked: map[string]bool{}, persons: map[string]*person{}, of: map[string]*person{}}
}

// load reads Patients that are not known yet.
func (w *world) load(ctx context.Context, ids ...string) error {
	var names []hub.Name
	for _, id := range ids {
		if w.patients[id] == nil {
			w.patients[id] = &patient{node: node{id: id}}
			names = append(names, hub.Name{Type: "Patient", ID: id})
		}
	}
	if len(names) == 0 {
		return nil
	}
	heads, err := w.follower.Heads(ctx, names)
	if err != nil {
		return err
	}
	var locs []hub.Loc
	for _, h := range heads {
		if h.Version > 0 && !h.Deleted {
			locs = append(locs, h.Loc)
		}
	}
	recs, err := w.follower.Log().Records(ctx, locs)
	for i := range recs {
		w.read(&recs[i])
	}
	return err
}

// read takes a Patient in. One that its sender says is out of use, and that nothing replaced, is as good as gone.
func (w *world) read(rec *hub.Record) {
	p := &patient{node: node{id: rec.Name.ID}, member: rec.Member, version: rec.Version}
	w.patients[rec.Name.ID] = p
	if rec.Deleted {
		return
	}
	doc, err := fhir.DocOf(rec)
	if err != nil {
		return
	}
	t := w.model.Traits(doc.Root())
	for _, ref := range t.ReplacedBy {
		if id := patientID(ref); id != "" && id != p.id {
			p.replacedBy = append(p.replacedBy, id)
		}
	}
	if !t.Active && len(p.replacedBy) == 0 {
		return
	}
	p.traits, p.body, p.keys = &t, rec.Body, w.model.Keys(&t)
}

// candidates are the Patients that may be the person whom the keys are of. A key that is shared by many says nothing, unless it is a
// number's, and is passed over.
func candidates(ctx context.Context, f *projection.Follower, m *identity.Model, keys []string) ([]hub.Record, error) {
	locs, err := locate(ctx, f, "Patient", identity.KeyParam, keys, mostCandidates)
	if err != nil {
		return nil, err
	}
	if len(locs) > mostCandidates {
		locs = locs[:0]
		for _, key := range keys {
			holders, err := locate(ctx, f, "Patient", identity.KeyParam, []string{key}, m.KeyHolders)
			if err != nil {
				return nil, err
			}
			if len(holders) > m.KeyHolders && !identity.IsNumberKey(key) {
				continue
			}
			for _, loc := range holders {
				if !slices.Contains(locs, loc) {
					locs = append(locs, loc)
				}
			}
		}
	}
	return f.Log().Records(ctx, locs)
}

// judge compares a Patient with all that may be the same person, and brings its Pairs up to date.
func (w *world) judge(ctx context.Context, id string) error {
	if err := w.load(ctx, id); err != nil {
		return err
	}
	if err := w.readPairs(ctx, id); err != nil {
		return err
	}
	me := w.patients[id]
	if me.traits == nil {
		return nil
	}
	recs, err := candidates(ctx, w.follower, w.model, me.keys)
	if err != nil {
		return err
	}
	others := map[string]bool{}
	for i := range recs {
		if other := recs[i].Name.ID; other != id {
			if w.patients[other] == nil {
				w.read(&recs[i])
			}
			others[other] = true
		}
	}
	for _, other := range me.replacedBy {
		others[other] = true
	}
	for name, p := range w.pairs {
		if (p.A == id || p.B == id) && w.pairs[name] != nil {
			others[p.other(id)] = true
		}
	}
	for other := range others {
		if err := w.load(ctx, other); err != nil {
			return err
		}
		w.compare(me, w.patients[other])
	}
	return nil
}

// compare judges a pair and keeps what is worth keeping.
func (w *world) compare(a, b *patient) {
	if a.traits == nil || b.traits == nil {
		return
	}
	if b.id < a.id {
		a, b = b, a
	}
	e := w.model.Compare(a.traits, b.traits)
	if a.member == b.member && (slices.Contains(a.replacedBy, b.id) || slices.Contains(b.replacedBy, a.id)) {
		e.Verdict, e.Grade, e.Rule, e.Probability = identity.Link, identity.Certain, ruleReplaced, 1
	}
	name := pairName(a.id, b.id)
	p := w.pairs[name]
	if p == nil {
		if e.Verdict == identity.Leave {
			return
		}
		p = &Pair{ID: name.ID, A: a.id, B: b.id}
		w.pairs[name] = p
	}
	p.MemberA, p.MemberB, p.Verdict, p.Evidence = a.member, b.member, e.Verdict, e
}

// readPairs reads the Pairs of a Patient once.
func (w *world) readPairs(ctx context.Context, id string) error {
	if w.asked[id] {
		return nil
	}
	w.asked[id] = true
	recs, err := find(ctx, w.follower, PairType, pairParam, []string{patientRef(id)}, mostPairs)
	if err != nil {
		return err
	}
	for i := range recs {
		if w.pairs[recs[i].Name] != nil {
			continue
		}
		p, err := readPair(&recs[i])
		if err != nil {
			return err
		}
		w.pairs[recs[i].Name], w.stored[recs[i].Name] = p, *p
	}
	return nil
}

// around are the Patients that links join to some, whatever State the links have, and all that stand in a Person with them.
func (w *world) around(ctx context.Context, ids []string) ([]string, error) {
	met, open := map[string]bool{}, slices.Clone(ids)
	for len(open) > 0 {
		id := open[0]
		open = open[1:]
		if met[id] {
			continue
		}
		met[id] = true
		if len(met) > mostVisited {
			break
		}
		if err := w.readPairs(ctx, id); err != nil {
			return nil, err
		}
		if err := w.readPerson(ctx, id); err != nil {
			return nil, err
		}
		for _, p := range w.pairs {
			if (p.A == id || p.B == id) && p.wantsLink() {
				open = append(open, p.other(id))
			}
		}
		if p := w.of[id]; p != nil {
			open = append(open, p.members...)
		}
	}
	var all []string
	for id := range met {
		all = append(all, id)
	}
	slices.Sort(all)
	return all, w.load(ctx, all...)
}

// regroup forms the groups around some Patients anew, with the Pairs and Persons that follow.
func (w *world) regroup(ctx context.Context, ids ...string) error {
	all, err := w.around(ctx, ids)
	if err != nil {
		return err
	}
	nodes := map[string]*node{}
	for _, id := range all {
		nodes[id] = &w.patients[id].node
	}
	var pairs []*Pair
	for _, p := range w.pairs {
		a, b := nodes[p.A] != nil, nodes[p.B] != nil
		switch {
		case a && b:
			pairs = append(pairs, p)
		case (a || b) && !p.wantsLink(): // it joins nobody, and its other side need not be known
			w.settleAlone(p)
		case (a || b) && p.State == "":
			p.State, p.Why = Open, whyTooMany
		}
	}
	return w.assign(ctx, all, groups(w.model, nodes, pairs))
}

// settleAlone settles a Pair that wants no link.
func (w *world) settleAlone(p *Pair) {
	for _, id := range []string{p.A, p.B} {
		if q := w.patients[id]; q != nil && q.traits == nil {
			p.State = Gone
			return
		}
	}
	if p.Decision != nil {
		p.State = Separate
		return
	}
	p.State, p.Why = stateOf(p.Verdict), p.Evidence.Rule
}
