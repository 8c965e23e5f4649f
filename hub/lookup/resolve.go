package lookup

import (
	"context"
	"fmt"
	"slices"

	"concord/hub"
	"concord/hub/access"
)

// firstPage is how many candidates an inner search may have to be carried out without further thought.
const firstPage = 256

// Plain turns q into one that an index alone can answer, by carrying out the chains and _has in it: what they meet now is
// written into the query by name. It means the Patients that it names, not their persons: it is for conditions of writes. Clauses with a Test stay, as they need no other records. A clause whose inner search
// has more candidates than Limits.Join is TooCostly.
func (r *Reader) Plain(ctx context.Context, who access.Caller, p hub.Partition, q hub.Query) (hub.Query, error) {
	a := r.ask(who, p)
	a.exact = true
	q, err := a.resolve(ctx, q)
	if err != nil {
		return q, err
	}
	_, err = eachChain(q.All, func(c hub.Clause) (hub.Clause, error) {
		in, err := a.begin(ctx, innerOf(&c))
		if err != nil {
			return c, err
		}
		if in.count <= a.limits.Join {
			return a.carriedOut(ctx, in, c, q.Type)
		}
		return c, tooCostly(c.Param, fmt.Sprintf("add a condition on %s", in.query.Type),
			"more %s have to be looked at for the condition on %s than the limit of %d", in.query.Type, c.Param, a.limits.Join)
	})
	return q, err
}

// inner is a search inside another one, as far as it was carried out.
type inner struct {
	query hub.Query // with its own chains resolved
	met   []*thing
	more  bool // there are candidates behind after
	after *hub.Position
	count int // of all candidates; −1 not counted
}

// beyond are the clauses that the index cannot answer.
func (in *inner) beyond() []hub.Clause { return beyond(&in.query) }

func beyond(q *hub.Query) []hub.Clause {
	if q.Type == golden {
		return q.All
	}
	return slices.DeleteFunc(slices.Clone(q.All), func(c hub.Clause) bool { return c.Plain() })
}

// begin carries an inner search out as far as its first page.
func (a *asking) begin(ctx context.Context, q *hub.Query) (*inner, error) {
	if in := a.inner[q]; in != nil {
		return in, nil
	}
	resolved, err := a.resolve(ctx, *q)
	if err == nil && !a.exact {
		resolved, err = a.widen(ctx, resolved)
	}
	if err != nil {
		return nil, err
	}
	in := &inner{query: resolved, more: true, count: -1}
	a.inner[q] = in
	return in, a.carryOn(ctx, in, min(firstPage, a.limits.Join))
}

// carryOn reads the next candidates of an inner search and keeps what meets it.
func (a *asking) carryOn(ctx context.Context, in *inner, limit int) error {
	q := asIndexed(in.query.Candidates())
	q.Sort, q.After, q.Skip, q.Limit, q.Count = nil, in.after, 0, limit, false
	page, err := a.page(ctx, q)
	if err != nil {
		return err
	}
	in.more = page.More && len(page.Hits) > 0
	if len(page.Hits) == 0 {
		return nil
	}
	in.after = &page.Hits[len(page.Hits)-1].Pos
	things, err := a.admit(ctx, thingsOf(page.Hits))
	if err == nil {
		things, err = a.judge(ctx, things, in.beyond())
	}
	in.met = append(in.met, things...)
	return err
}

// resolve replaces the chains and _has of q by the names of what they meet. One that meets many things stays when
// the candidates of q are fewer, or when it is over the limit: it must then be judged on each candidate.
func (a *asking) resolve(ctx context.Context, q hub.Query) (hub.Query, error) {
	all, err := a.possible(ctx, q.Type, q.All)
	if err != nil {
		return q, err
	}
	if q.All = all; !slices.ContainsFunc(q.All, func(c hub.Clause) bool { return c.Reaches() }) {
		return q, nil
	}
	all, err = eachChain(q.All, func(c hub.Clause) (hub.Clause, error) {
		in, err := a.begin(ctx, innerOf(&c))
		if err != nil || in.more {
			return c, err
		}
		return a.carriedOut(ctx, in, c, q.Type)
	})
	if err != nil {
		return q, err
	}
	q.All = all
	outer := -1
	q.All, err = eachChain(all, func(c hub.Clause) (hub.Clause, error) {
		in, err := a.begin(ctx, innerOf(&c))
		if err == nil && in.count < 0 {
			in.count, err = a.count(ctx, in.query)
		}
		if err == nil && outer < 0 {
			outer, err = a.count(ctx, q)
		}
		if err != nil || in.count > a.limits.Join || outer <= in.count && outer <= a.limits.Scan {
			return c, err
		}
		return a.carriedOut(ctx, in, c, q.Type)
	})
	q.Routes = routes(&q)
	return q, err
}

// possible leaves out the alternatives that need a Trait which nothing of the type has. What is left alone is no alternative any more,
// so that it can tell its routes.
func (a *asking) possible(ctx context.Context, typ string, all []hub.Clause) ([]hub.Clause, error) {
	var made []hub.Clause
	for _, c := range all {
		if !slices.ContainsFunc(c.Either, needsTrait) {
			made = append(made, c)
			continue
		}
		if a.types == nil {
			types, err := a.index.Types(ctx, a.ps[0])
			if err != nil {
				return nil, a.before.refused(err)
			}
			a.types = append([]string{""}, types...)
		}
		left := slices.DeleteFunc(slices.Clone(c.Either), func(all []hub.Clause) bool {
			return needsTrait(all) && !slices.Contains(a.types, typ+"#"+all[0].Any[0].Text)
		})
		if len(left) == 1 && len(left[0]) == 1 && !c.Not {
			made = append(made, left[0][0])
			continue
		}
		c.Either = left
		made = append(made, c)
	}
	return made, nil
}

// needsTrait: the first clause asks for a trait.
func needsTrait(all []hub.Clause) bool {
	return len(all) > 0 && all[0].Param == hub.Trait && !all[0].Not && len(all[0].Any) == 1
}

func innerOf(c *hub.Clause) *hub.Query {
	if c.Refers != nil {
		return c.Refers
	}
	return c.Referred
}

// eachChain replaces each chain and _has of all, at any depth of Either, by what f makes of it.
func eachChain(all []hub.Clause, f func(hub.Clause) (hub.Clause, error)) ([]hub.Clause, error) {
	made := slices.Clone(all)
	for i, c := range made {
		var err error
		switch {
		case innerOf(&c) != nil:
			made[i], err = f(c)
		case c.Reaches():
			made[i].Either = make([][]hub.Clause, len(c.Either))
			for j := range c.Either {
				if made[i].Either[j], err = eachChain(c.Either[j], f); err != nil {
					return nil, err
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return made, nil
}

// carriedOut finishes an inner search and makes of what it meets the clause that stands for c in a query for outer.
func (a *asking) carriedOut(ctx context.Context, in *inner, c hub.Clause, outer string) (hub.Clause, error) {
	for in.more {
		if err := a.carryOn(ctx, in, 2000); err != nil {
			return c, err
		}
	}
	if c.Refers != nil {
		return a.pointsAt(ctx, in, c)
	}
	return a.pointedAt(in, c, outer)
}

// pointsAt is the clause of what refers by c.Param to one of the things met.
func (a *asking) pointsAt(ctx context.Context, in *inner, c hub.Clause) (hub.Clause, error) {
	made := hub.Clause{Param: c.Param, Any: make([]hub.Match, 0, len(in.met)), Not: c.Not}
	for _, t := range in.met {
		made.Any = append(made.Any, named(t.rec.Name, c.Routed))
	}
	if some, err := a.anyCanonical(ctx, in); !some || err != nil {
		return made, err
	}
	targets, urls := map[string][]*thing{}, hub.Clause{Param: c.Param}
	for _, t := range in.met {
		e, err := t.entry()
		if err != nil {
			return c, err
		}
		for _, u := range canonicals(&e) {
			if targets[u] == nil {
				urls.Any = append(urls.Any, exactly(u))
			}
			targets[u] = append(targets[u], t)
		}
	}
	if len(urls.Any) == 0 {
		return made, nil
	}
	fits := hub.Clause{Test: func(rec *hub.Record) (bool, error) { return a.refersToOneOf(rec, c.Param, targets) }}
	return hub.Clause{Not: c.Not, Either: [][]hub.Clause{{{Param: made.Param, Any: made.Any}}, {urls, fits}}}, nil
}

// anyCanonical reports whether one of the things met may have a canonical URL.
func (a *asking) anyCanonical(ctx context.Context, in *inner) (bool, error) {
	if len(in.met) <= 64 { // a look at each is cheaper than the question
		return len(in.met) > 0, nil
	}
	n, err := a.count(ctx, hub.Query{Type: in.query.Type, All: []hub.Clause{{Param: presence, Any: []hub.Match{exactly(urlParam)}}}})
	return n > 0, err
}

// refersToOneOf reports whether rec refers by param to one of the things, by a canonical URL and the version it may name.
func (a *asking) refersToOneOf(rec *hub.Record, param string, targets map[string][]*thing) (bool, error) {
	e, err := a.followers[a.ps[0]].Project(rec)
	if err != nil {
		return false, err
	}
	for _, r := range references(&e, param) {
		for _, t := range targets[r.url] {
			target, err := t.entry()
			if err != nil {
				return false, err
			}
			if r.leadsTo(t.rec.Name, &target) {
				return true, nil
			}
		}
	}
	return false, nil
}

// pointedAt is the clause of the things of type outer to which those met refer by c.Param.
func (a *asking) pointedAt(in *inner, c hub.Clause, outer string) (hub.Clause, error) {
	ids, seen := hub.Clause{Param: idParam}, map[reference]bool{}
	either := [][]hub.Clause{nil}
	for _, t := range in.met {
		e, err := t.entry()
		if err != nil {
			return c, err
		}
		for _, r := range references(&e, c.Param) {
			switch {
			case seen[r] || r.url == "" && r.name.Type != outer:
			case r.url == "":
				m := named(r.name, c.Routed)
				m.Text = r.name.ID
				ids.Any = append(ids.Any, m)
			case r.version == "":
				either = append(either, []hub.Clause{{Param: urlParam, Any: []hub.Match{exactly(r.url)}}})
			default:
				either = append(either, []hub.Clause{{Param: urlParam, Any: []hub.Match{exactly(r.url)}}, {Param: versionParam, Any: []hub.Match{exactly(r.version)}}})
			}
			seen[r] = true
		}
	}
	if len(either) == 1 {
		ids.Not = c.Not
		return ids, nil
	}
	either[0] = []hub.Clause{ids}
	return hub.Clause{Not: c.Not, Either: either}, nil
}

// routes are those of q, or those to which a clause limits it.
func routes(q *hub.Query) []string {
	if len(q.Routes) > 0 {
		return q.Routes
	}
	for i := range q.All {
		c := &q.All[i]
		if c.Not || len(c.Any) == 0 || len(c.Any) > 64 {
			continue
		}
		var rs []string
		for _, m := range c.Any {
			if m.Route != "" {
				rs = append(rs, m.Route)
			}
		}
		if len(rs) == len(c.Any) {
			slices.Sort(rs)
			return slices.Compact(rs)
		}
	}
	return nil
}
