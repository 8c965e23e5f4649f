package laboratory

import (
	"context"
	"encoding/json"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/lookup"
	"concord/hub/projection"
)

// Queue is the list of local codes that somebody should say the meaning of, and the place to say it.
type Queue struct {
	Reader   *lookup.Reader
	Index    hub.Index
	Follower *projection.Follower // of the records
	Writer   *commit.Committer
	Rules    func() *Rules
	Maps     *MapsFile
	Policy   interface {
		MayChange(who access.Caller, owner string) error
	}
}

// Waiting is a sighting in the queue.
type Waiting struct {
	ID string `json:"id"`
	Sighting
	// Count is how many Observations have the code and no standard one.
	Count int64 `json:"count"`
	// Settled: a map or the rules answer it now; mapping the messages again completes the Observations counted.
	Settled     bool         `json:"settled"`
	Suggestions []Suggestion `json:"suggestions,omitempty"`
}

// mostWaiting is how many sightings are listed.
const mostWaiting = 5000

// List tells the sightings of a member (empty: of all), the most frequent first; those that are settled and have no
// Observation left are not told.
func (s *Queue) List(ctx context.Context, who access.Caller, member string, suggest int) ([]Waiting, error) {
	if err := who.May(access.Search, "ConceptMap"); err != nil {
		return nil, err
	}
	q := hub.Query{Type: SightingType, Limit: 1000}
	if member != "" {
		q.All = []hub.Clause{{Param: "member", Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: member}}}}
	}
	p := s.Follower.Log().Partition
	var all []Waiting
	for {
		page, err := s.Reader.Search(ctx, who, []hub.Partition{p}, q, "member")
		if err != nil {
			return nil, err
		}
		for i := range page.Records {
			one, err := waiting(&page.Records[i])
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		if page.Next == nil || len(all) >= mostWaiting {
			break
		}
		q.After = page.Next
	}
	if err := s.complete(ctx, all, suggest); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(w Waiting) bool { return w.Settled && w.Count == 0 })
	slices.SortStableFunc(all, func(a, b Waiting) int { return int(b.Count - a.Count) })
	return all, nil
}

// One tells one sighting, with more suggestions.
func (s *Queue) One(ctx context.Context, who access.Caller, id string) (Waiting, error) {
	if err := who.May(access.Read, "ConceptMap"); err != nil {
		return Waiting{}, err
	}
	rec, err := s.Reader.Read(ctx, who, s.Follower.Log().Partition, hub.Name{Type: SightingType, ID: id})
	if err != nil {
		return Waiting{}, err
	}
	one, err := waiting(&rec)
	if err != nil {
		return Waiting{}, err
	}
	list := []Waiting{one}
	err = s.complete(ctx, list, 10)
	return list[0], err
}

func waiting(rec *hub.Record) (Waiting, error) {
	w := Waiting{ID: rec.Name.ID}
	if err := json.Unmarshal(rec.Body, &w.Sighting); err != nil {
		return w, &hub.Error{Kind: hub.Corrupt, Msg: "the sighting is unreadable", Err: err}
	}
	return w, nil
}

func (s *Queue) complete(ctx context.Context, all []Waiting, suggest int) error {
	rules := s.Rules()
	maps, err := s.Maps.Current(ctx)
	if err != nil {
		return err
	}
	tallies := make([]hub.Tally, len(all))
	for i := range all {
		tallies[i] = hub.Tally{Partition: s.Follower.Log().Partition, Type: "Observation", Param: "_tag", Text: UnmappedSystem + "|" + all[i].ID}
	}
	if len(all) == 0 {
		return nil
	}
	counts, _, err := s.Index.Counts(ctx, tallies)
	if err != nil {
		return err
	}
	for i := range all {
		w := &all[i]
		w.Count, w.Settled = counts[i], Resolve(rules, maps, w.question()).Settled
		if !w.Settled {
			w.Suggestions = Suggest(rules, w.question(), suggest)
		}
	}
	return nil
}

func (s *Sighting) question() Question {
	q := Question{Member: s.Member, Name: s.Name, Specimen: s.Specimen, Unit: s.Unit}
	if s.Code.Code != s.Name || s.Code.System != "" {
		q.Codings = []Coding{s.Code}
	}
	return q
}
