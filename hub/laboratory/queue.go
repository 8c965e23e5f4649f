package laboratory

import (
	"context"
	"encoding/json"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/lookup"
)

// Queue is the list of local codes that somebody should say the meaning of, and the place to say it. A member's token sees
// and settles its own codes and needs the right to ConceptMaps; one of scope integration may do so for all.
type Queue struct {
	Reader  *lookup.Reader
	Records hub.Partition
	Writer  *commit.Committer // of the records
	Rules   func() *Rules
	Maps    *MapsFile
	// Read tells whether a description of images is understood by now; nil: none is.
	Read func(description string) bool
}

// Waiting is a sighting in the queue.
type Waiting struct {
	ID string `json:"id"`
	Sighting
	// Count is how many Observations have the code and no standard one; images are not counted.
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
	if member == "" && who.MayIntegrate() != nil {
		member = who.Member
	}
	if err := may(who, access.Search, member); err != nil {
		return nil, err
	}
	q := hub.Query{Type: SightingType, Limit: 1000}
	if member != "" {
		q.All = []hub.Clause{{Param: "member", Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: member}}}}
	}
	var all []Waiting
	for {
		page, err := s.Reader.Search(ctx, who, []hub.Partition{s.Records}, q, "member")
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
	if err := s.complete(ctx, who, all, suggest); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(w Waiting) bool { return w.Settled && w.Count == 0 })
	slices.SortStableFunc(all, func(a, b Waiting) int { return int(b.Count - a.Count) })
	return all, nil
}

// One tells one sighting, with more suggestions.
func (s *Queue) One(ctx context.Context, who access.Caller, id string) (Waiting, error) {
	rec, err := s.Reader.Read(ctx, who, s.Records, hub.Name{Type: SightingType, ID: id})
	if err != nil {
		return Waiting{}, err
	}
	one, err := waiting(&rec)
	if err != nil {
		return Waiting{}, err
	}
	if err := may(who, access.Read, one.Member); err != nil {
		return Waiting{}, err
	}
	list := []Waiting{one}
	err = s.complete(ctx, who, list, 10)
	return list[0], err
}

// may tells whether a caller may do something with a member's codes.
func may(who access.Caller, a access.Action, member string) error {
	if who.MayIntegrate() == nil {
		return nil
	}
	if err := who.May(a, "ConceptMap"); err != nil {
		return err
	}
	if member != who.Member {
		return &hub.Error{Kind: hub.Forbidden, Path: "member", Msg: "a member sees and settles its own codes", Hint: "a token of scope integration sees all"}
	}
	return nil
}

func waiting(rec *hub.Record) (Waiting, error) {
	w := Waiting{ID: rec.Name.ID}
	if err := json.Unmarshal(rec.Body, &w.Sighting); err != nil {
		return w, &hub.Error{Kind: hub.Corrupt, Msg: "the sighting is unreadable", Err: err}
	}
	return w, nil
}

func (s *Queue) complete(ctx context.Context, who access.Caller, all []Waiting, suggest int) error {
	rules := s.Rules()
	maps, err := s.Maps.Current(ctx)
	if err != nil {
		return err
	}
	tallies := make([]hub.Tally, len(all))
	for i := range all {
		tallies[i] = hub.Tally{Partition: s.Records, Type: "Observation", Param: "_tag", Text: UnmappedSystem + "|" + all[i].ID}
	}
	if len(all) == 0 {
		return nil
	}
	counts, err := s.Reader.Counts(ctx, who, tallies, nil)
	if err != nil {
		return err
	}
	for i := range all {
		w := &all[i]
		if w.Kind == Images {
			w.Settled = s.Read != nil && s.Read(w.Name)
			continue
		}
		w.Count, w.Settled = counts[i], Resolve(rules, maps, w.question()).Settled
		if !w.Settled {
			w.Suggestions = Suggest(rules, w.question(), suggest)
		}
	}
	return nil
}

// Resolve tells what a question is answered, for trying out maps and rules.
func (s *Queue) Resolve(ctx context.Context, who access.Caller, q Question) (Answer, []Suggestion, error) {
	if err := may(who, access.Read, q.Member); err != nil {
		return Answer{}, nil, err
	}
	maps, err := s.Maps.Current(ctx)
	if err != nil {
		return Answer{}, nil, err
	}
	a := Resolve(s.Rules(), maps, q)
	if a.Settled {
		return a, nil, nil
	}
	return a, Suggest(s.Rules(), q, 5), nil
}

func (s *Sighting) question() Question {
	q := Question{Member: s.Member, Name: s.Name, Specimen: s.Specimen, Unit: s.Unit}
	if s.Code.Code != s.Name || s.Code.System != "" {
		q.Codings = []Coding{s.Code}
	}
	return q
}
