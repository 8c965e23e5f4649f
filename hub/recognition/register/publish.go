package register

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/internal/fhir"
)

// batch is how many resources are written in one commit.
const batch = 500

// Publish writes the resources that follow from releases that have none yet. It may be called on several hubs at once, and
// again: what is there already is left alone.
func (r *Register) Publish(ctx context.Context) error {
	s := r.now()
	for n := int(r.published.Load()) + 1; n <= len(s.releases); n++ {
		done, err := r.isPublished(ctx, n)
		if err != nil {
			return err
		}
		if !done {
			if err := r.publish(ctx, s, s.releases[n-1]); err != nil {
				return err
			}
		}
		r.published.Store(int64(n))
	}
	return nil
}

func releaseName(n int) hub.Name {
	return hub.Name{Type: "Provenance", ID: releasePrefix + strconv.Itoa(n)}
}

// isPublished: the Provenance of a release is written last.
func (r *Register) isPublished(ctx context.Context, n int) (bool, error) {
	heads, err := r.Follower.Heads(ctx, []hub.Name{releaseName(n)})
	return err == nil && heads[0].Version > 0, err
}

// resource is one that a release brings about.
type resource struct {
	name hub.Name
	body []byte
}

func (r *Register) publish(ctx context.Context, s *State, p *Proposal) error {
	list := make([]resource, 0, len(p.Changes))
	for i := range p.Changes {
		if one, ok := r.resourceOf(s, p, &p.Changes[i]); ok {
			list = append(list, one)
		}
	}
	for at := 0; at < len(list); at += batch {
		if err := r.write(ctx, p.Ruling.Number, list[at:min(at+batch, len(list))]); err != nil {
			return err
		}
	}
	return r.write(ctx, p.Ruling.Number, []resource{{releaseName(p.Ruling.Number), p.provenance(list)}})
}

func (r *Register) resourceOf(s *State, p *Proposal, c *Change) (resource, bool) {
	if q := c.Qualification; q != nil {
		return resource{q.name(), q.Resource(p)}, true
	}
	row, retired := c.Row, c.Retire
	if row == nil {
		row = r.starter(c.Item)
	}
	if retired {
		for n := p.Ruling.Number - 1; n > 0; n-- { // what it said last
			for i := range s.releases[n-1].Changes {
				if old := &s.releases[n-1].Changes[i]; old.Item == c.Item && old.Row != nil {
					return resource{ResourceOf(old.Row.Kind(), c.Item), old.Row.Resource(p, true)}, true
				}
			}
		}
	}
	if row == nil {
		return resource{}, false
	}
	return resource{ResourceOf(row.Kind(), c.Item), row.Resource(p, retired)}, true
}

// write commits resources of a release, but for those that a later one has written.
func (r *Register) write(ctx context.Context, number int, list []resource) error {
	names := make([]hub.Name, len(list))
	docs := make([]*fhir.Doc, len(list))
	for i := range list {
		doc, err := fhir.Parse(list[i].body, fhir.Limits{})
		if err != nil {
			return err
		}
		names[i], docs[i] = list[i].name, doc
	}
	_, err := r.Writer.Submit(ctx, commit.Write{Member: access.Hub, Names: names, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		var drafts []commit.Draft
		for i, name := range names {
			if v.Changed(name) {
				return []commit.Draft{{Name: name}}, nil
			}
			head, err := v.Head(ctx, name)
			if err != nil {
				return nil, err
			}
			if head.Version > 0 {
				rec, err := v.Record(ctx, name)
				if err != nil {
					return nil, err
				}
				if rec.Member == access.Hub && releaseOf(rec.Body) >= number {
					continue
				}
			}
			doc := docs[i]
			drafts = append(drafts, commit.Draft{Name: name, Body: func(version uint64, at time.Time) []byte { return doc.Splice(name.ID, version, at) }})
		}
		return drafts, nil
	}})
	return err
}

// releaseOf is the number of the release that a resource follows from.
func releaseOf(body json.RawMessage) int {
	doc, err := fhir.Parse(body, fhir.Limits{})
	if err != nil {
		return 0
	}
	for e := range doc.Root().Get("extension").Items() {
		if e.Get("url").Text() == System+":release" {
			n, _ := strconv.Atoi(e.Get("valuePositiveInt").Text())
			return n
		}
	}
	return 0
}

// mostTargets is how many resources the Provenance of a release names.
const mostTargets = 1000

// provenance says who has asked for a release and who has let it through (R4 provenance.html).
func (p *Proposal) provenance(list []resource) []byte {
	targets := []any{}
	for _, one := range list[:min(len(list), mostTargets)] {
		targets = append(targets, object{"reference": one.name.String()})
	}
	agent := func(role string, by Person) object {
		return object{"type": object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": role}}},
			"who":        object{"identifier": object{"system": access.MemberSystem + ":" + by.Member, "value": by.Name}},
			"onBehalfOf": object{"identifier": object{"system": access.MemberSystem, "value": by.Member}}}
	}
	body, _ := encode(object{"resourceType": "Provenance", "id": releaseName(p.Ruling.Number).ID, "target": targets,
		"recorded":         p.Ruling.At.UTC().Format(fhir.InstantFormat),
		"occurredDateTime": p.Ruling.Effective.UTC().Format(fhir.InstantFormat),
		"reason":           []any{object{"text": p.Reason}},
		"agent":            []any{agent("author", p.By), agent("verifier", p.Ruling.By)},
		"extension":        []any{object{"url": System + ":release", "valuePositiveInt": p.Ruling.Number}}})
	return body
}
