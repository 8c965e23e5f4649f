package lookup

import (
	"context"
	"slices"

	"concord/hub"
)

// judge leaves those things that meet all clauses, in their order. The things must have been read.
func (a *asking) judge(ctx context.Context, things []*thing, all []hub.Clause) ([]*thing, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cheapFirst := slices.Clone(all)
	slices.SortStableFunc(cheapFirst, func(b, c hub.Clause) int { return cost(&b) - cost(&c) })
	for i := range cheapFirst {
		if len(things) == 0 {
			break
		}
		holds, err := a.holds(ctx, things, &cheapFirst[i])
		if err != nil {
			return nil, err
		}
		var left []*thing
		for j, t := range things {
			if holds[j] {
				left = append(left, t)
			}
		}
		things = left
	}
	return things, nil
}

// cost ranks clauses by what evaluating them on a record takes: nothing, reading other records, asking the index, too.
func cost(c *hub.Clause) int {
	switch {
	case c.Refers != nil:
		return 2
	case c.Referred != nil:
		return 3
	case c.Test != nil:
		return 1
	}
	most := 0
	for _, all := range c.Either {
		for i := range all {
			most = max(most, cost(&all[i]))
		}
	}
	return most
}

// holds says of each thing whether c is met.
func (a *asking) holds(ctx context.Context, things []*thing, c *hub.Clause) (holds []bool, err error) {
	switch {
	case !c.Reaches():
		return holdsAlone(things, c)
	case c.Refers != nil:
		holds, err = a.refers(ctx, things, c)
	case c.Referred != nil:
		holds, err = a.referred(ctx, things, c)
	default:
		holds, err = a.either(ctx, things, c.Either)
	}
	for i := range holds {
		holds[i] = holds[i] != c.Not
	}
	return holds, err
}

func holdsAlone(things []*thing, c *hub.Clause) ([]bool, error) {
	holds := make([]bool, len(things))
	for i, t := range things {
		var e hub.Entry
		var err error
		if c.Test == nil {
			if e, err = t.entry(); err != nil {
				return nil, err
			}
		}
		if holds[i], err = c.Meets(t.rec, &e); err != nil {
			return nil, err
		}
	}
	return holds, nil
}

func (a *asking) either(ctx context.Context, things []*thing, alternatives [][]hub.Clause) ([]bool, error) {
	met := map[*thing]bool{}
	for _, all := range alternatives {
		var open []*thing
		for _, t := range things {
			if !met[t] {
				open = append(open, t)
			}
		}
		some, err := a.judge(ctx, open, all)
		if err != nil {
			return nil, err
		}
		for _, t := range some {
			met[t] = true
		}
	}
	holds := make([]bool, len(things))
	for i, t := range things {
		holds[i] = met[t]
	}
	return holds, nil
}

// refers says which things refer by c.Param to something that meets c.Refers: what they refer to is read and judged.
func (a *asking) refers(ctx context.Context, things []*thing, c *hub.Clause) ([]bool, error) {
	refs := make([][]reference, len(things))
	for i, t := range things {
		e, err := t.entry()
		if err != nil {
			return nil, err
		}
		refs[i] = references(&e, c.Param)
	}
	if c.Routed { // the one it belongs to
		if err := a.persons(ctx, refs); err != nil {
			return nil, err
		}
	}
	meets, err := a.verdicts(ctx, c.Refers, slices.Concat(refs...))
	holds := make([]bool, len(things))
	for i := range things {
		holds[i] = slices.ContainsFunc(refs[i], func(r reference) bool { return meets[r] })
	}
	return holds, err
}

// verdicts says of references whether they lead to something that meets q.
func (a *asking) verdicts(ctx context.Context, q *hub.Query, refs []reference) (map[reference]bool, error) {
	in, err := a.begin(ctx, q)
	if err != nil {
		return nil, err
	}
	known := a.verdict[q]
	if known == nil {
		known = map[reference]bool{}
		a.verdict[q] = known
	}
	var open []reference
	var names []hub.Name
	var urls []string
	for _, r := range refs {
		if _, ok := known[r]; ok || r.url == "" && r.name.Type != q.Type {
			continue
		}
		known[r] = false
		open = append(open, r)
		if r.url != "" {
			urls = append(urls, r.url)
		} else {
			names = append(names, r.name)
		}
	}
	if len(open) == 0 {
		return known, nil
	}
	if err := a.spend(len(names)); err != nil {
		return nil, err
	}
	things, err := a.fetch(ctx, names)
	if err != nil {
		return nil, err
	}
	others, err := a.byURL(ctx, q.Type, urls, a.spend)
	if err != nil {
		return nil, err
	}
	met, err := a.judge(ctx, slices.Concat(things, others), in.query.All)
	if err != nil {
		return nil, err
	}
	hits := map[hub.Name]bool{}
	var canonical []*thing
	for _, t := range met {
		hits[t.rec.Name] = true
		if slices.Contains(others, t) {
			canonical = append(canonical, t)
		}
	}
	for _, r := range open {
		if r.url == "" {
			known[r] = hits[r.name]
			continue
		}
		for _, t := range canonical {
			e, err := t.entry()
			if err != nil {
				return nil, err
			}
			known[r] = known[r] || r.leadsTo(t.rec.Name, &e)
		}
	}
	return known, nil
}

// referred says which things are referred to, by c.Param, by something that meets c.Referred. One page of what does is read
// for all of them; each thing that is not among what that refers to is then asked after by itself.
func (a *asking) referred(ctx context.Context, things []*thing, c *hub.Clause) ([]bool, error) {
	in, err := a.begin(ctx, c.Referred)
	if err != nil {
		return nil, err
	}
	found := map[*thing]bool{}
	more, _, err := a.pointing(ctx, in, c, things, found, nil, min(500, a.limits.Join))
	for i := 0; more && err == nil && i < len(things); i++ {
		var after *hub.Position
		for again := true; again && err == nil && !found[things[i]]; {
			again, after, err = a.pointing(ctx, in, c, things[i:i+1], found, after, min(50, a.limits.Join))
		}
	}
	holds := make([]bool, len(things))
	for i, t := range things {
		holds[i] = found[t]
	}
	return holds, err
}

// pointing reads a page of what meets the inner search and refers to one of things, and notes in found which. more tells
// that another page begins behind last.
func (a *asking) pointing(ctx context.Context, in *inner, c *hub.Clause, things []*thing, found map[*thing]bool, after *hub.Position, limit int) (more bool, last *hub.Position, err error) {
	q := asIndexed(in.query.Candidates())
	to, canonical, err := pointer(c, things)
	if err != nil {
		return false, nil, err
	}
	q.All, q.Sort, q.After, q.Skip, q.Limit, q.Count = append(slices.Clip(q.All), to), nil, after, 0, limit, false
	if c.Beside && len(things) == 1 {
		q.Routes = []string{things[0].rec.Name.String()}
	}
	beyond := in.beyond()
	enough := len(things) == 1 && q.Type != golden && len(beyond) == 0 && !canonical // that there is one is all we ask
	if enough {
		if enough, err = a.sees(ctx, &q); err != nil {
			return false, nil, err
		}
	}
	if enough {
		q.Limit = 1
	}
	page, err := a.page(ctx, q)
	if err == nil {
		err = a.spend(len(page.Hits))
	}
	switch {
	case err != nil || len(page.Hits) == 0:
		return false, nil, err
	case enough:
		found[things[0]] = true
		return false, nil, nil
	}
	sources, err := a.admit(ctx, thingsOf(page.Hits))
	if err == nil {
		sources, err = a.judge(ctx, sources, beyond)
	}
	if err == nil {
		err = mark(found, things, sources, c.Param)
	}
	return page.More, &page.Hits[len(page.Hits)-1].Pos, err
}

// pointer is the clause of what refers to one of things; canonical tells that some may be referred to by URL.
func pointer(c *hub.Clause, things []*thing) (to hub.Clause, canonical bool, err error) {
	to.Param = c.Param
	for _, t := range things {
		to.Any = append(to.Any, named(t.rec.Name, c.Beside))
		e, err := t.entry()
		if err != nil {
			return to, false, err
		}
		for _, u := range canonicals(&e) {
			to.Any, canonical = append(to.Any, exactly(u)), true
		}
	}
	return to, canonical, nil
}

// mark notes which things the sources refer to.
func mark(found map[*thing]bool, things, sources []*thing, param string) error {
	byName, byURL := map[hub.Name]*thing{}, map[string][]*thing{}
	for _, t := range things {
		byName[t.rec.Name] = t
		e, err := t.entry()
		if err != nil {
			return err
		}
		for _, u := range canonicals(&e) {
			byURL[u] = append(byURL[u], t)
		}
	}
	for _, s := range sources {
		e, err := s.entry()
		if err != nil {
			return err
		}
		for _, r := range references(&e, param) {
			if t := byName[r.name]; t != nil {
				found[t] = true
			}
			for _, t := range byURL[r.url] {
				target, err := t.entry()
				if err != nil {
					return err
				}
				if r.leadsTo(t.rec.Name, &target) {
					found[t] = true
				}
			}
		}
	}
	return nil
}
