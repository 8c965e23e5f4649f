package lookup

import (
	"context"
	"maps"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
)

// Follow reads what includes ask for, given the hits of a page: each record once, none that is among the hits, only what
// the caller may read, and of the types that may allows. It is complete, or TooCostly beyond Limits.Included and Limits.Reverse.
//
// In the first round every include is applied to the hits; in each further one those with Iterate to what the round
// before brought in, until nothing new comes. A canonical reference leads to what has that URL, and that version if it
// names one; a reference to a version of a resource leads to the current one.
func (r *Reader) Follow(ctx context.Context, who access.Caller, p hub.Partition, hits []hub.Record, includes []hub.Include, may func(typ string) bool) ([]hub.Record, error) {
	if len(hits) == 0 || len(includes) == 0 {
		return nil, nil
	}
	f := following{asking: r.ask(who, p), may: may, seen: map[hub.Name]bool{}}
	front := make([]*thing, len(hits))
	for i := range hits {
		front[i] = f.thingOf(p, hits[i])
		f.seen[hits[i].Name] = true
	}
	for len(front) > 0 && len(includes) > 0 {
		var err error
		if front, err = f.round(ctx, front, includes); err != nil {
			return nil, err
		}
		f.brought = append(f.brought, front...)
		includes = slices.DeleteFunc(slices.Clone(includes), func(i hub.Include) bool { return !i.Iterate })
	}
	recs := recordsOf(f.brought)
	if len(recs) == 0 {
		return nil, nil
	}
	return recs, r.noteRecords(ctx, who, audit.Search, "", recs, "_include")
}

// following is one call of Follow.
type following struct {
	*asking
	may     func(typ string) bool
	seen    map[hub.Name]bool // hits, and what was brought in
	brought []*thing
	spent   int // records read
	asked   int // searches made for what refers to something
}

// round applies includes to front and returns what is new.
func (f *following) round(ctx context.Context, front []*thing, includes []hub.Include) ([]*thing, error) {
	fresh, err := f.forward(ctx, front, includes)
	if err != nil {
		return nil, err
	}
	for i := range includes {
		inc := &includes[i]
		if !inc.Reverse || !f.may(inc.Type) {
			continue
		}
		sources, err := f.reverse(ctx, front, inc)
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, f.unseen(sources)...)
	}
	return fresh, nil
}

// unseen leaves what was not brought in before, and remembers it.
func (f *following) unseen(things []*thing) []*thing {
	return slices.DeleteFunc(things, func(t *thing) bool {
		known := f.seen[t.rec.Name]
		f.seen[t.rec.Name] = true
		return known
	})
}

func (f *following) spend(n int) error {
	if f.spent += n; f.spent > f.limits.Included {
		return tooCostly("_include", "ask for smaller pages with _count, or for fewer includes",
			"bring in what is referred to: more than %d records", f.limits.Included)
	}
	return nil
}

// forward reads what front refers to: all names at once, and URLs type by type.
func (f *following) forward(ctx context.Context, front []*thing, includes []hub.Include) ([]*thing, error) {
	var names []hub.Name
	asked := map[hub.Name]bool{}
	canonical := map[string][]reference{} // by target type; "" is any
	for _, t := range front {
		for i := range includes {
			inc := &includes[i]
			if inc.Reverse || inc.Type != t.rec.Name.Type {
				continue
			}
			e, err := t.entry()
			if err != nil {
				return nil, err
			}
			for _, r := range references(&e, inc.Param) {
				switch {
				case r.url != "":
					canonical[inc.Target] = append(canonical[inc.Target], r)
				case (inc.Target == "" || inc.Target == r.name.Type) && !asked[r.name] && !f.seen[r.name] && f.may(r.name.Type):
					asked[r.name] = true
					names = append(names, r.name)
				}
			}
		}
	}
	if err := f.spend(len(names)); err != nil {
		return nil, err
	}
	fresh, err := f.fetch(ctx, names)
	if err != nil {
		return nil, err
	}
	fresh = f.unseen(fresh)
	byType, err := f.spread(ctx, canonical)
	if err != nil {
		return nil, err
	}
	for _, typ := range slices.Sorted(maps.Keys(byType)) {
		some, err := f.resolveURLs(ctx, typ, byType[typ])
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, f.unseen(some)...)
	}
	return fresh, nil
}

// spread assigns the references by URL whose target may be of any type to all types that there are.
func (f *following) spread(ctx context.Context, canonical map[string][]reference) (map[string][]reference, error) {
	any := canonical[""]
	delete(canonical, "")
	if len(any) > 0 {
		types, err := f.Types(ctx, f.ps[0])
		if err != nil {
			return nil, err
		}
		for _, typ := range types {
			canonical[typ] = append(canonical[typ], any...)
		}
	}
	for typ := range canonical {
		if !f.may(typ) {
			delete(canonical, typ)
		}
	}
	return canonical, nil
}

// resolveURLs reads the things of a type to which refs lead.
func (f *following) resolveURLs(ctx context.Context, typ string, refs []reference) ([]*thing, error) {
	var urls []string
	for _, r := range refs {
		urls = append(urls, r.url)
	}
	slices.Sort(urls)
	things, err := f.byURL(ctx, typ, slices.Compact(urls), f.spend)
	if err != nil {
		return nil, err
	}
	var meant []*thing
	for _, t := range things {
		e, err := t.entry()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(refs, func(r reference) bool { return r.leadsTo(t.rec.Name, &e) }) {
			meant = append(meant, t)
		}
	}
	return meant, nil
}

// reverse reads what refers to front.
func (f *following) reverse(ctx context.Context, front []*thing, inc *hub.Include) ([]*thing, error) {
	var targets []*thing
	for _, t := range front {
		if inc.Target == "" || inc.Target == t.rec.Name.Type {
			targets = append(targets, t)
		}
	}
	if len(targets) == 0 {
		return nil, nil
	}
	if f.asked++; f.asked > f.limits.Reverse {
		return nil, tooCostly("_revinclude", "name types and parameters instead of *, or leave :iterate out",
			"bring in what refers to the hits: more than %d searches", f.limits.Reverse)
	}
	to, canonical, err := pointer(&hub.Clause{Param: inc.Param, Beside: inc.Routed}, targets)
	if err != nil {
		return nil, err
	}
	q := hub.Query{Type: inc.Type, All: []hub.Clause{to}}
	q.Routes = routes(&q)
	sources, err := f.all(ctx, q, f.spend)
	if err != nil || !canonical {
		return sources, err
	}
	var meant []*thing // the URL may be right and the version another
	for _, s := range sources {
		met := map[*thing]bool{}
		if err := mark(met, targets, []*thing{s}, inc.Param); err != nil {
			return nil, err
		}
		if len(met) > 0 {
			meant = append(meant, s)
		}
	}
	return meant, nil
}
