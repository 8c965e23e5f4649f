package laboratory

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/projection"
	"concord/internal/fhir"
)

// MapsFile reads ConceptMaps and remembers them for as long as none has changed. It is safe for concurrent use.
//
// A ConceptMap (R4 conceptmap.html) is in force when it is active and written by a member, for that member's own codes, or
// by the hub's operator for the consortium's (its member is Origin); a member's own goes first. Of a target, equivalence
// must be equal or equivalent; unmatched says that there is none. dependsOn narrows it: property "specimen" or "unit" with
// the value as sent. A group without source is for codes of any system.
type MapsFile struct {
	Follower *projection.Follower // of the records
	// Every is how often changes are looked for, at most; default 200 ms.
	Every time.Duration
	Now   func() time.Time

	mu      sync.Mutex
	maps    *Maps
	state   mapsState
	checked time.Time
}

// mapsState tells the ConceptMaps of one moment from those of another.
type mapsState struct {
	count  int64
	newest hub.Head
}

// mostMaps is how many ConceptMaps are read; the most recently changed go first.
const mostMaps = 2000

// Current are the maps in force now, those known last when they cannot be read now; an error where none ever were.
func (f *MapsFile) Current(ctx context.Context) (*Maps, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	every := f.Every
	if every == 0 {
		every = 200 * time.Millisecond
	}
	now := f.Now()
	if f.maps != nil && now.Sub(f.checked) < every && !now.Before(f.checked) {
		return f.maps, nil
	}
	if err := f.refresh(ctx); err != nil {
		if f.maps == nil {
			return nil, err
		}
		if !hub.Is(err, hub.Unavailable) && ctx.Err() == nil {
			slog.Error("read the concept maps", "err", err)
		}
	}
	f.checked = now
	return f.maps, nil
}

// Changed has the next Current look for changes at once.
func (f *MapsFile) Changed() {
	f.mu.Lock()
	f.checked = time.Time{}
	f.mu.Unlock()
}

func (f *MapsFile) refresh(ctx context.Context) error {
	q := hub.Query{Type: "ConceptMap", Sort: []hub.Sort{{Param: hub.LastUpdated, Desc: true}}, Limit: 1, Count: true}
	page, err := f.Follower.Search(ctx, q)
	if err != nil {
		return err
	}
	state := mapsState{count: page.Total}
	if len(page.Hits) > 0 {
		state.newest = page.Hits[0].Head
	}
	if f.maps != nil && state == f.state {
		return nil
	}
	q.Limit, q.Count = mostMaps, false
	if page, err = f.Follower.Search(ctx, q); err != nil {
		return err
	}
	locs := make([]hub.Loc, len(page.Hits))
	for i := range page.Hits {
		locs[i] = page.Hits[i].Head.Loc
	}
	recs, err := f.Follower.Log().Records(ctx, locs)
	if err != nil {
		return err
	}
	if page.More {
		slog.Warn("more concept maps than are read; those changed longest ago are left out", "read", mostMaps)
	}
	f.maps, f.state = NewMaps(recs), state
	return nil
}

// NewMaps reads the ConceptMaps among records. Those that are not active, and what is not of the form, say nothing.
func NewMaps(recs []hub.Record) *Maps {
	m := &Maps{byCode: map[codeKey][]target{}}
	for i := range recs {
		doc, err := fhir.Parse(recs[i].Body, fhir.Limits{})
		if err != nil || recs[i].Name.Type != "ConceptMap" || doc.Root().Get("status").Text() != "active" {
			continue
		}
		for group := range doc.Root().Get("group").Items() {
			for element := range group.Get("element").Items() {
				m.element(&recs[i], group, element)
			}
		}
	}
	return m
}

func (m *Maps) element(rec *hub.Record, group, element fhir.Value) {
	code := element.Get("code").Text()
	if code == "" {
		code = element.Get("display").Text() // of a sender that has no codes
	}
	key := codeKey{rec.Member, group.Get("source").Text(), code}
	for t := range element.Get("target").Items() {
		to := target{By: rec.Name, Coding: Coding{group.Get("target").Text(), t.Get("code").Text(), t.Get("display").Text()}}
		switch t.Get("equivalence").Text() {
		case "equal", "equivalent":
			if to.Code == "" || to.System == "" {
				continue
			}
		case "unmatched":
			to.None = true
		default:
			continue
		}
		for on := range t.Get("dependsOn").Items() {
			switch on.Get("property").Text() {
			case "specimen":
				to.Specimen = on.Get("value").Text()
			case "unit":
				to.Unit = on.Get("value").Text()
			}
		}
		m.byCode[key] = append(m.byCode[key], to)
	}
}
