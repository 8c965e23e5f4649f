package lookup

import (
	"context"
	"slices"
	"strings"

	"concord/hub"
)

// The parameters by which things are found that references lead to. All entries of FHIR resources have an Exact term
// idParam; those of canonical resources have url and version, too (R4 references.html#canonical).
const (
	idParam      = "_id"
	urlParam     = "url"
	versionParam = "version"
	presence     = "_has" // its terms name the parameters that an entry has
)

// reference is what an Exact term of a reference parameter says: the name of a thing, or the canonical URL of one that
// may have several versions, each a thing of its own.
type reference struct {
	name         hub.Name
	url, version string
}

// references reads the terms of param. A canonical that names a version has a second term without it, which is not
// another reference.
func references(e *hub.Entry, param string) []reference {
	var refs []reference
	versioned := map[string]bool{}
	for i := range e.Terms {
		t := &e.Terms[i]
		if t.Param != param || t.Kind != hub.Exact {
			continue
		}
		typ, id, ok := strings.Cut(t.Text, "/")
		switch {
		case strings.Contains(t.Text, ":"):
			url, version, some := strings.Cut(t.Text, "|")
			if some {
				versioned[url] = true
			}
			refs = append(refs, reference{url: url, version: version})
		case ok && typ != "" && id != "" && !strings.Contains(id, "/"):
			refs = append(refs, reference{name: hub.Name{Type: typ, ID: id}})
		}
	}
	return slices.DeleteFunc(refs, func(r reference) bool { return r.url != "" && r.version == "" && versioned[r.url] })
}

// leadsTo reports whether r means the thing with this name and entry.
func (r reference) leadsTo(name hub.Name, e *hub.Entry) bool {
	if r.url == "" {
		return r.name == name
	}
	return hasExact(e, urlParam, r.url) && (r.version == "" || hasExact(e, versionParam, r.version))
}

func hasExact(e *hub.Entry, param, text string) bool {
	return slices.ContainsFunc(e.Terms, func(t hub.Term) bool { return t.Kind == hub.Exact && t.Param == param && t.Text == text })
}

// canonicals are the URLs by which others may refer to the thing with entry e.
func canonicals(e *hub.Entry) (urls []string) {
	for _, t := range e.Terms {
		if t.Kind == hub.Exact && t.Param == urlParam {
			urls = append(urls, t.Text)
		}
	}
	return urls
}

func exactly(text string) hub.Match { return hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: text} }

// named matches a reference to the thing with this name; routed: which lies in that one's slot.
func named(n hub.Name, routed bool) hub.Match {
	m := exactly(n.String())
	if routed {
		m.Route = m.Text
	}
	return m
}

// byURL reads the things of a type that have one of the canonical URLs, all versions of them.
func (a *asking) byURL(ctx context.Context, typ string, urls []string, spend func(n int) error) ([]*thing, error) {
	if len(urls) == 0 {
		return nil, nil
	}
	c := hub.Clause{Param: urlParam}
	for _, u := range urls {
		c.Any = append(c.Any, exactly(u))
	}
	return a.all(ctx, hub.Query{Type: typ, All: []hub.Clause{c}}, spend)
}

// all reads every page of q, which must be Plain; spend is told of each page's size before its records are read.
func (a *asking) all(ctx context.Context, q hub.Query, spend func(n int) error) ([]*thing, error) {
	var all []*thing
	q.Limit = 1000
	for {
		page, err := a.page(ctx, q)
		if err == nil {
			err = spend(len(page.Hits))
		}
		if err != nil {
			return nil, err
		}
		things, err := a.admit(ctx, thingsOf(page.Hits))
		if err != nil {
			return nil, err
		}
		all = append(all, things...)
		if !page.More || len(page.Hits) == 0 {
			return all, nil
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
}
