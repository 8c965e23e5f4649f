package fhir

import (
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// fullURLs are the entries of a bundle by their fullUrl.
type fullURLs struct {
	base string // the hub's own
	ops  map[string]*operation
}

// link is a reference inside an entry to another entry, or to what a search met.
type link struct {
	ref  string
	to   *operation
	name hub.Name // where to is nil; empty as long as it is not known
	err  error    // why it cannot be known
}

func (l *link) target() hub.Name {
	if l.to != nil {
		return l.to.target()
	}
	return l.name
}

// bundled gathers the entries that others may refer to. Two with one fullUrl are an error.
func bundled(base string, ops []*operation) (*fullURLs, error) {
	u := &fullURLs{base, map[string]*operation{}}
	err := each(ops, func(op *operation) error {
		op.bundle = u
		if op.fullURL == "" || op.source == nil {
			return nil
		}
		if first := u.ops[op.fullURL]; first != nil {
			return &hub.Error{Kind: hub.Invalid, Msg: first.path + " has the same fullUrl"}
		}
		u.ops[op.fullURL] = op
		return nil
	})
	return u, err
}

// find is the entry that a reference inside of the entry from means (R4 bundle.html#references): by its fullUrl, or
// relative to the server that from comes from. A reference to a version is none.
func (u *fullURLs) find(from *operation, ref string) *operation {
	if u == nil {
		return nil
	}
	if to := u.ops[ref]; to != nil {
		return to
	}
	typ, id, ok := strings.Cut(ref, "/")
	if !ok || !fhir.IsResourceType(typ) || !idGrammar.MatchString(id) {
		return nil
	}
	root := u.base
	if from.fullURL != "" {
		if root, ok = rootOf(from.fullURL); !ok {
			return nil
		}
	}
	return u.ops[root+"/"+ref]
}

// rootOf is the service root of a RESTful fullUrl: http://h/fhir of http://h/fhir/Patient/1.
func rootOf(fullURL string) (string, bool) {
	rest, id, _ := cutLast(fullURL, "/")
	root, typ, ok := cutLast(rest, "/")
	return root, ok && fhir.IsResourceType(typ) && idGrammar.MatchString(id)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// link finds what the references of the operations lead to. A conditional reference (Type?criteria) means the one thing
// that meets it among what the hub has and what the transaction itself creates: R4 lists resolving them last
// (http.html#trules). The search is made here, before the transaction has its place in the log.
func (s *Server) link(c *gin.Context, who access.Caller, ops []*operation) error {
	sought := map[string]*link{}
	for _, op := range ops {
		if op.source == nil {
			continue
		}
		for _, ref := range op.references(op.source) {
			if to := op.bundle.find(op, ref); to != nil {
				op.links = append(op.links, &link{ref: ref, to: to})
			} else if conditional(ref) {
				if sought[ref] == nil {
					sought[ref] = &link{ref: ref}
				}
				op.links = append(op.links, sought[ref])
			}
		}
	}
	if len(sought) == 0 {
		return nil
	}
	if err := each(ops, s.resolve); err != nil { // so that searches find what the transaction creates
		return err
	}
	m := newMade(nil)
	for _, op := range ops {
		if op.verb == create || op.verb == update {
			m.add(op)
		}
	}
	var g errgroup.Group
	g.SetLimit(8)
	for _, l := range sought {
		g.Go(func() error {
			l.err = s.refer(c, who, m, l)
			return nil
		})
	}
	g.Wait()
	return each(ops, func(op *operation) error {
		for _, l := range op.links {
			if l.err != nil {
				return l.err
			}
		}
		return nil
	})
}

// references lists each reference of doc once.
func (op *operation) references(doc *fhir.Doc) []string {
	var refs []string
	for span := range doc.References() {
		if (op.bundle != nil || span.Literal) && !slices.Contains(refs, span.Target) {
			refs = append(refs, span.Target)
		}
	}
	return refs
}

func conditional(ref string) bool {
	typ, _, ok := strings.Cut(ref, "?")
	return ok && fhir.IsResourceType(typ)
}

// refer resolves one conditional reference.
func (s *Server) refer(c *gin.Context, who access.Caller, m *made, l *link) error {
	typ, query, _ := strings.Cut(l.ref, "?")
	q, err := s.criteria(c, who, typ, query)
	if err != nil {
		return err
	}
	own, err := m.find(q, nil)
	if err != nil {
		return err
	}
	q.Limit = 2 + len(own)
	res, err := s.Reader.Search(c.Request.Context(), who, []hub.Partition{s.Partition}, *q, "conditional reference")
	if err != nil {
		return err
	}
	var there []hub.Name
	for i := range res.Records {
		name := res.Records[i].Name
		if !slices.ContainsFunc(own, func(op *operation) bool { return op.name == name }) {
			there = append(there, name)
		}
	}
	switch {
	case len(own) == 0 && len(there) == 1:
		l.name = there[0]
		return nil
	case len(own) == 1 && (len(there) == 0 || len(there) == 1 && own[0].when != nil): // which meets just that one
		l.to = own[0]
		return nil
	case len(own)+len(there) == 0:
		return &hub.Error{Kind: hub.PreconditionFailed, Msg: "the conditional reference to a " + typ + " meets nothing"}
	}
	return &hub.Error{Kind: hub.MultipleMatches, Msg: "the conditional reference to a " + typ + " meets more than one"}
}

// resolution is what a document was rewritten and projected for.
type resolution struct {
	name    hub.Name
	targets []hub.Name // of the links, in their order
}

// resolve rewrites the references of op to where they lead now and projects the document. It does nothing when that was
// done for the same names before.
func (s *Server) resolve(op *operation) error {
	if op.source == nil || op.met != nil {
		return nil
	}
	now := resolution{op.name, make([]hub.Name, len(op.links))}
	for i := range op.links {
		now.targets[i] = op.links[i].target()
	}
	if op.doc != nil && op.resolved.name == now.name && slices.Equal(op.resolved.targets, now.targets) {
		return nil
	}
	doc, err := rewrite(op.source, op.links)
	if err != nil {
		return err
	}
	e, err := s.Project.Entry(doc, op.name)
	if err != nil {
		return err
	}
	op.doc, op.entry, op.resolved = doc, &e, now
	return nil
}

// rewrite replaces references; a document without any is returned as it is.
func rewrite(doc *fhir.Doc, links []*link) (*fhir.Doc, error) {
	targets := make(map[string]string, len(links))
	for _, l := range links {
		if to := l.target(); to != (hub.Name{}) {
			targets[l.ref] = to.String()
		}
	}
	if len(targets) == 0 {
		return doc, nil
	}
	return fhir.Parse(doc.RewriteReferences(targets), fhir.Limits{})
}
