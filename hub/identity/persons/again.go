package persons

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/identity"
	"concord/hub/projection"
)

// Again has all Patients judged again, as after a change of the model: the linkers of the consortium begin at the log's beginning.
// What persons decided stays.
func Again(ctx context.Context, f *projection.Follower, w *commit.Committer) error {
	m, err := readMark(ctx, f)
	if err != nil || m.Through == 0 {
		return err
	}
	body, err := json.Marshal(mark{})
	if err != nil {
		return err
	}
	_, err = w.Submit(ctx, commit.Write{Member: Origin, Names: []hub.Name{markName()}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: markName(), Body: func(uint64, time.Time) []byte { return body }}}, nil
	}})
	return err
}

// Preview is what judging again would change.
type Preview struct {
	Patients int // judged
	// Pairs counts, by "before → after", the states of pairs that would change; a pair that is not there is gone.
	Pairs map[string]int
	// Made, Changed and Ended are Persons.
	Made, Changed, Ended int
}

// Ahead judges all Patients with a model and writes nothing. tell, if set, hears of the progress. Each Patient is judged beside what is
// stored of the others, so that a change that only follows from another change is not counted.
func Ahead(ctx context.Context, f *projection.Follower, m *identity.Model, tell func(done int)) (Preview, error) {
	p := Preview{Pairs: map[string]int{}}
	seen := map[hub.Name]bool{}
	q := hub.Query{Type: "Patient", Limit: 200}
	for {
		page, err := f.Search(ctx, q)
		if err != nil {
			return p, err
		}
		locs := make([]hub.Loc, len(page.Hits))
		for i, h := range page.Hits {
			locs[i] = h.Head.Loc
		}
		recs, err := f.Log().Records(ctx, locs)
		if err != nil {
			return p, err
		}
		w := newWorld(f, m)
		for i := range recs {
			w.read(&recs[i])
		}
		for i := range recs {
			if err := w.judge(ctx, recs[i].Name.ID); err != nil {
				return p, err
			}
			if err := w.regroup(ctx, recs[i].Name.ID); err != nil {
				return p, err
			}
		}
		if err := p.count(w, seen); err != nil {
			return p, err
		}
		p.Patients += len(recs)
		if tell != nil {
			tell(p.Patients)
		}
		if !page.More || len(page.Hits) == 0 {
			return p, nil
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
}

func (p *Preview) count(w *world, seen map[hub.Name]bool) error {
	drafts, err := w.drafts()
	if err != nil {
		return err
	}
	for _, d := range drafts {
		if seen[d.Name] {
			continue
		}
		seen[d.Name] = true
		switch stored, has := w.stored[d.Name]; {
		case d.Name.Type == PairType:
			before, after := Gone, w.pairs[d.Name].State
			if has {
				before = stored.State
			}
			if before != after {
				p.Pairs[string(before)+" → "+string(after)]++
			}
		case d.Delete:
			p.Ended++
		case w.persons[d.Name.ID].stored == nil:
			p.Made++
		case !slices.Equal(targetIDs(w.persons[d.Name.ID].stored), w.persons[d.Name.ID].members):
			p.Changed++
		}
	}
	return nil
}

func targetIDs(rec *hub.Record) []string {
	ids := targets(rec)
	for i := range ids {
		ids[i] = strings.TrimPrefix(ids[i], "Patient/")
	}
	return ids
}
