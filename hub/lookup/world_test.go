package lookup_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/lookup"
	"concord/hub/projection"
	"concord/internal/memobjects"
)

const records hub.Partition = "records"

// content is the body of the records in these tests: what a resource would say.
type content struct {
	Code, Label  string
	Date         *float64
	N            int
	Secret       bool
	URL, Version string
	Refs         []pointer
}

// pointer is a reference: to a name, or to a canonical URL with or without a version.
type pointer struct {
	Param        string
	To           string
	URL, Version string
}

func contentOf(rec *hub.Record) (c content) {
	_ = json.Unmarshal(rec.Body, &c)
	return c
}

type projector struct{}

// Project implements hub.Projector. By subject a thing lies with what it refers to.
func (projector) Project(rec *hub.Record) (hub.Entry, error) {
	c := contentOf(rec)
	e := hub.Entry{Route: rec.Name.String()}
	exact := func(param, text string) { e.Terms = append(e.Terms, hub.Term{Param: param, Text: text}) }
	exact("_id", rec.Name.ID)
	exact("code", c.Code)
	if c.Date != nil {
		e.Terms = append(e.Terms, hub.Term{Param: "date", Kind: hub.Range, Lo: *c.Date, Hi: *c.Date + 1})
	}
	if c.URL != "" {
		exact("url", c.URL)
		exact("version", c.Version)
		exact("_has", "url")
	}
	for _, r := range c.Refs {
		switch {
		case r.To != "":
			exact(r.Param, r.To)
		default:
			exact(r.Param, r.URL)
			if r.Version != "" {
				exact(r.Param, r.URL+"|"+r.Version)
			}
		}
		if r.Param == "subject" {
			e.Route = r.To
		}
	}
	return e, nil
}

// discreet lets the lead read everything, and others what is not secret.
type discreet struct{}

func (discreet) MayRead(who access.Caller, rec *hub.Record) error {
	if who != lead && contentOf(rec).Secret {
		return &hub.Error{Kind: hub.Forbidden, Msg: "secret"}
	}
	return nil
}

func (discreet) MayReadAll(who access.Caller) bool { return who == lead }

var (
	lead   = access.Caller{Member: "lead"}
	centre = access.Caller{Member: "centre"}
)

type notebook struct {
	mu     sync.Mutex
	events []audit.Event
}

func (n *notebook) Note(_ context.Context, e audit.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
	return nil
}

// world is a log, an index of it, and the same facts in plain slices.
type world struct {
	objects  *memobjects.Store
	index    *memindex // nil on another one
	follower *projection.Follower
	reader   *lookup.Reader
	trail    *notebook

	prev string
	seq  uint64
	nums uint64
	// versions of everything, oldest first.
	versions []hub.Record
}

func newWorld() *world {
	ix := &memindex{}
	w := newWorldOn(ix)
	w.index = ix
	return w
}

func newWorldOn(ix hub.Index) *world {
	w := &world{objects: &memobjects.Store{}, trail: &notebook{}}
	w.follower = projection.NewFollower(&projection.Log{Objects: w.objects, Partition: records, Cache: projection.NewCache(1 << 20)}, ix,
		&projection.Projectors{Default: projector{}})
	w.reader = lookup.New(ix, w.objects, map[hub.Partition]*projection.Follower{records: w.follower}, discreet{}, w.trail)
	return w
}

func at(seq uint64) time.Time { return time.UnixMilli(int64(seq) * 10).UTC() }

// draft is a version to be; nil content deletes.
type draft struct {
	name hub.Name
	c    *content
}

// commit writes drafts, each name once, as one commit and applies it.
func (w *world) commit(t testing.TB, drafts ...draft) {
	w.seq++
	c := hub.Commit{Partition: records, Seq: w.seq, Prev: w.prev, Time: at(w.seq), Nums: w.nums}
	for _, d := range drafts {
		rec := hub.Record{Name: d.name, Version: 1, Deleted: d.c == nil, Member: "m", Time: at(w.seq)}
		if last := w.last(d.name); last != nil {
			rec.Num, rec.Version, rec.Prev = last.Num, last.Version+1, last.Loc
		} else {
			w.nums++
			rec.Num = w.nums
		}
		if d.c != nil {
			rec.Body, _ = json.Marshal(d.c)
		}
		c.Records = append(c.Records, rec)
	}
	data, err := c.Encode()
	if err == nil {
		err = w.objects.PutNew(context.Background(), hub.LogKey(records, w.seq), int64(len(data)), bytes.NewReader(data))
	}
	if err == nil {
		err = w.follower.CatchUp(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.prev = hub.Digest(data)
	w.versions = append(w.versions, c.Records...)
}

func (w *world) last(n hub.Name) *hub.Record {
	for i := range slices.Backward(w.versions) {
		if w.versions[i].Name == n {
			return &w.versions[i]
		}
	}
	return nil
}

// visible is what who may know to be there now.
func (w *world) visible(who access.Caller) (recs []*hub.Record) {
	for i := range w.versions {
		rec := &w.versions[i]
		if w.last(rec.Name).Version == rec.Version && !rec.Deleted && (discreet{}).MayRead(who, rec) == nil {
			recs = append(recs, rec)
		}
	}
	return recs
}

// leads reports whether p leads to rec.
func (p pointer) leads(rec *hub.Record) bool {
	if p.To != "" {
		return p.To == rec.Name.String()
	}
	c := contentOf(rec)
	return c.URL == p.URL && (p.Version == "" || p.Version == c.Version)
}

// meets is what a query means, said as plainly as can be.
func meets(q *hub.Query, rec *hub.Record, all []*hub.Record) bool {
	if q.Type != rec.Name.Type {
		return false
	}
	for i := range q.All {
		if !holds(&q.All[i], rec, all) {
			return false
		}
	}
	return true
}

// holds is one clause of it. Matching of terms is the hub's own.
func holds(c *hub.Clause, rec *hub.Record, all []*hub.Record) (ok bool) {
	refers := func(from, to *hub.Record) bool {
		return slices.ContainsFunc(contentOf(from).Refs, func(p pointer) bool { return p.Param == c.Param && p.leads(to) })
	}
	switch {
	case c.Refers != nil:
		ok = slices.ContainsFunc(all, func(to *hub.Record) bool { return refers(rec, to) && meets(c.Refers, to, all) })
	case c.Referred != nil:
		ok = slices.ContainsFunc(all, func(from *hub.Record) bool { return refers(from, rec) && meets(c.Referred, from, all) })
	case c.Test != nil:
		ok, _ = c.Test(rec)
	case len(c.Either) > 0:
		ok = slices.ContainsFunc(c.Either, func(alt []hub.Clause) bool { return meets(&hub.Query{Type: rec.Name.Type, All: alt}, rec, all) })
	case c.Param == hub.LastUpdated:
		ok = slices.ContainsFunc(c.Any, func(m hub.Match) bool { return m.LoMin <= hub.Instant(rec.Time) && m.HiMax >= hub.Instant(rec.Time) })
	default:
		e, _ := projector{}.Project(rec)
		ok = c.Matches(&e) != c.Not
	}
	return ok != c.Not
}

// answer is all that meets q, in its order.
func (w *world) answer(who access.Caller, qs ...hub.Query) (names []string) {
	all := w.visible(who)
	var hits []*hub.Record
	for _, rec := range all {
		if slices.ContainsFunc(qs, func(q hub.Query) bool { return meets(&q, rec, all) }) {
			hits = append(hits, rec)
		}
	}
	slices.SortFunc(hits, func(a, b *hub.Record) int { return cmp.Or(byDrawn(qs[0].Sort, a, b), cmp.Compare(a.Num, b.Num)) })
	for _, h := range hits {
		names = append(names, h.Name.String())
	}
	return names
}

func byDrawn(sorts []hub.Sort, a, b *hub.Record) int {
	if len(sorts) == 0 {
		return a.Time.Compare(b.Time)
	}
	for _, s := range sorts {
		var c int
		switch ca, cb := contentOf(a), contentOf(b); {
		case s.Key != nil && (ca.Label == "" || cb.Label == ""):
			c = cmp.Compare(cb.Label, ca.Label) // the missing one last
			if c != 0 {
				return c
			}
		case s.Key != nil:
			c = cmp.Compare(ca.Label, cb.Label)
		case s.Param == hub.LastUpdated:
			c = a.Time.Compare(b.Time)
		case ca.Date == nil || cb.Date == nil:
			if (ca.Date == nil) != (cb.Date == nil) {
				return map[bool]int{true: 1, false: -1}[ca.Date == nil]
			}
		default:
			c = cmp.Compare(*ca.Date, *cb.Date)
		}
		if s.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func namesOf(recs []hub.Record) (names []string) {
	for _, r := range recs {
		names = append(names, r.Name.String())
	}
	return names
}

func versionsOf(recs []hub.Record) (names []string) {
	for _, r := range recs {
		names = append(names, fmt.Sprint(r.Name, "/", r.Version))
	}
	return names
}
