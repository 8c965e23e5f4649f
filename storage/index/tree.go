package index

import (
	"slices"

	"concord/hub"
)

// question is a clause made ready for the slots of a partition: which of its matches can hold in which slot.
type question struct {
	clause     *hub.Clause
	everywhere []*hub.Match
	routed     map[int][]*hub.Match
	names      []name // the directory answers them
	either     [][]*question
}

// questionsOf prepares a conjunction.
func (p *partition) questionsOf(clauses []hub.Clause) []*question {
	qs := make([]*question, len(clauses))
	for i := range clauses {
		c := &clauses[i]
		q := &question{clause: c}
		qs[i] = q
		for _, all := range c.Either {
			q.either = append(q.either, p.questionsOf(all))
		}
		for j := range c.Any {
			m := &c.Any[j]
			switch {
			case len(c.Either) > 0:
				continue
			case isNamed(c.Param, m):
				q.names = append(q.names, name{c.Param, m.Text})
				continue
			case m.Route == "":
				q.everywhere = append(q.everywhere, m)
				continue
			}
			if q.routed == nil {
				q.routed = map[int][]*hub.Match{}
			}
			slot := p.slotOf(m.Route)
			q.routed[slot] = append(q.routed[slot], m)
		}
	}
	return qs
}

// within lists, of the given slots, those where all of qs can hold, as far as the directory tells.
func (d *directory) within(qs []*question, slots []int) []int {
	for _, q := range qs {
		if q.isNames() {
			slots = d.slots(q.names, slots)
		}
	}
	return slots
}

// isNames: only what has one of its names can fulfil it.
func (q *question) isNames() bool {
	return len(q.names) > 0 && !q.clause.Not && len(q.everywhere)+len(q.routed)+len(q.either) == 0
}

// look calls each for every clause of a tree.
func look(clauses []hub.Clause, each func(*hub.Clause)) {
	for i := range clauses {
		each(&clauses[i])
		for _, all := range clauses[i].Either {
			look(all, each)
		}
	}
}

// all is the conjunction of qs; nil when nothing in the slot can fulfil it.
func (sh *shard) all(qs []*question) *allOf {
	a := &allOf{everything: sh.everything}
	for _, q := range qs {
		c := sh.any(q)
		switch {
		case q.clause.Not && c != nil:
			a.never = append(a.never, c)
		case !q.clause.Not && c == nil:
			return nil
		case !q.clause.Not:
			a.must = append(a.must, c)
		}
	}
	return a
}

// any is one clause without its Not; nil when nothing in the slot can fulfil it.
func (sh *shard) any(q *question) posting {
	a := &anyOf{open: func(m *hub.Match) posting { return sh.postingOf(q.clause.Param, m) }}
	for _, all := range q.either {
		if c := sh.all(all); c != nil {
			a.of = append(a.of, c)
		}
	}
	a.matches = q.everywhere
	if routed := q.routed[sh.slot]; len(routed) > 0 {
		a.matches = slices.Concat(q.everywhere, routed)
	}
	if len(q.names) > 0 {
		a.of = append(a.of, &namedPosting{sh: sh, names: q.names})
	}
	if len(a.of)+len(a.matches) == 0 {
		return nil
	}
	return a
}

func isEmpty(p posting) bool { n, _ := p.size(); return n == 0 }

// measureAll measures side by side. pending: something was queued that the caller wants to come back, too.
func measureAll(t *trips, await func() bool, ps []posting, pending bool) {
	var tasks []task
	for _, p := range ps {
		if q, is := p.(quick); is {
			q.queueSize(t)
			pending = true
			continue
		}
		tasks = append(tasks, func(await func() bool) { p.measure(t, await) })
	}
	t.together(func() bool { pending = false; return await() }, tasks...)
	if pending {
		await()
	}
}
