package oracle

import (
	"strings"
	"sync"
	"time"
)

// Store is what is searched. It must not change while it is asked; asking is safe for concurrent use.
type Store struct {
	Defs *Definitions
	// Base is the hub's own URL: references that begin with it are relative ones.
	Base string
	// Now is the moment from which ap measures the distance of a date.
	Now time.Time
	// Flat keeps chains out of contained resources, against search.html#contained.
	Flat bool

	byType map[string][]*Resource
	byName map[string]*Resource   // Type/id
	byURL  map[string][]*Resource // url of canonical resources
	total  int
}

// Resource is one current resource, or one that is contained in another.
type Resource struct {
	Type, ID string
	Body     map[string]any // decoded with json.Number
	seq      int            // order of creation
	within   *Resource

	mu    sync.Mutex
	facts map[*Param]*Facts
}

// Name is Type/id.
func (r *Resource) Name() string { return r.Type + "/" + r.ID }

// NewStore makes an empty store.
func NewStore(d *Definitions, base string) *Store {
	return &Store{Defs: d, Base: base, Now: time.Now(), byType: map[string][]*Resource{}, byName: map[string]*Resource{}, byURL: map[string][]*Resource{}}
}

// Add takes a resource in, after those that were created before it.
func (s *Store) Add(body map[string]any) *Resource {
	n := Node{Value: body}
	r := &Resource{Type: n.get("resourceType"), ID: n.get("id"), Body: body, seq: s.total, facts: map[*Param]*Facts{}}
	s.total++
	s.byType[r.Type] = append(s.byType[r.Type], r)
	s.byName[r.Name()] = r
	if url := n.get("url"); url != "" && s.Defs.elements[r.Type+".url"] != nil {
		s.byURL[url] = append(s.byURL[url], r)
	}
	return r
}

// Of lists the resources of a type in the order of their creation.
func (s *Store) Of(typ string) []*Resource { return s.byType[typ] }

// Get finds a resource by Type/id, nil when there is none.
func (s *Store) Get(name string) *Resource { return s.byName[name] }

// Facts are what parameter p says about r, read when they are first asked for.
func (s *Store) Facts(r *Resource, p *Param) *Facts {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.facts[p]
	if f == nil {
		root := Node{Type: r.Type, Value: r.Body}
		ev := evaluator{s.Defs, root}
		if r.within != nil {
			ev.resource = Node{Type: r.within.Type, Value: r.within.Body}
		}
		f = ev.facts(p, p.expr, root)
		for i := range f.Refs {
			s.relative(&f.Refs[i])
		}
		r.facts[p] = f
	}
	return f
}

// relative turns a reference that begins with the hub's own URL into a relative one (search.html#reference).
func (s *Store) relative(ref *Ref) {
	rest, own := strings.CutPrefix(ref.Text, s.Base+"/")
	if typ, id, ok := typeAndID(rest); own && ok && rest == typ+"/"+id && s.Defs.IsType(typ) {
		ref.Text, ref.Type, ref.ID = rest, typ, id
	}
}

// resolve finds what a reference in r leads to; contained resources only where they are asked for.
func (s *Store) resolve(r *Resource, ref Ref, contained bool) []*Resource {
	switch {
	case ref.Type != "":
		if t := s.byName[ref.Type+"/"+ref.ID]; t != nil {
			return []*Resource{t}
		}
	case ref.Canonical:
		if t := s.byName[ref.Text]; t != nil {
			return []*Resource{t}
		}
		url, version, versioned := strings.Cut(ref.Text, "|")
		var all []*Resource
		for _, t := range s.byURL[url] {
			if !versioned || (Node{Value: t.Body}).get("version") == version {
				all = append(all, t)
			}
		}
		return all
	case ref.Local != "" && contained && !s.Flat:
		outer := r
		if r.within != nil {
			outer = r.within
		}
		id := strings.TrimPrefix(ref.Local, "#")
		if id == "" {
			return []*Resource{outer}
		}
		if body := containedIn(outer.Body, id); body != nil {
			n := Node{Value: body}
			return []*Resource{{Type: n.get("resourceType"), ID: id, Body: body, within: outer, facts: map[*Param]*Facts{}}}
		}
	}
	return nil
}
