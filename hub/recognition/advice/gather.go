package advice

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/internal/fhir"
)

// wanted is an order in the terms of the catalogue in force.
type wanted struct {
	*Order
	request recognition.Request
	codes   []recognition.Coding // under which results of it are known
	items   []*recognition.Item  // its own, or those of its panel; none where the catalogue knows neither
	images  bool                 // it may be images
	data    bool                 // it may be measurements or curves
	since   time.Time            // when the longest window that may count begins
}

// want reads an order. Deciding it for no results at all tells what the catalogue takes it for.
func want(o *Order, request recognition.Request, c *recognition.Catalogue, at time.Time) wanted {
	w := wanted{Order: o, request: request, codes: slices.Clone(o.Exam.Codes)}
	switch d := recognition.Decide(request, nil, c, at); {
	case d.Panel != nil:
		for _, id := range d.Panel.Members {
			w.items = append(w.items, c.Item(id))
		}
	case d.Item != nil:
		w.items = []*recognition.Item{d.Item}
	}
	longest := time.Duration(0)
	reach := func(windows recognition.Windows) {
		_, most := windows.For(request.Class)
		longest = max(longest, most)
	}
	for _, item := range w.items {
		w.codes = append(w.codes, item.Codes...)
		w.images = w.images || item.Kind != recognition.Laboratory
		w.data = w.data || item.Kind != recognition.Imaging
		reach(item.Windows)
	}
	if len(w.items) == 0 {
		w.images, w.data = true, true
		for _, windows := range c.Fallback {
			reach(windows)
		}
	}
	w.since = at.Add(-longest)
	return w
}

// gathering is one snapshot being made: what the caller may read of one person.
type gathering struct {
	*Adviser
	who        access.Caller
	asked      *Question
	person     []string // all Patients, sorted, as they were before anything was read
	moved      bool     // they are others now
	results    []Result
	candidates []recognition.Candidate // at the places of results
	images     []bool                  // which of them are images
	// cut says of images and of data from when on not all was read; zero where everything was.
	cutImages, cutData time.Time
	there              map[string]recognition.Fact // whether the images of a study can be fetched
	specimens          map[int]hub.Name            // of candidates that refer to one and say no more
}

// gather reads the results that the orders may be about, in one search for images and one for data. The newest come first,
// and what was taken before every window began is not read on.
func (g *gathering) gather(ctx context.Context, orders []wanted) error {
	images, data := reach(orders, func(w *wanted) bool { return w.images }), reach(orders, func(w *wanted) bool { return w.data })
	patients := strings.Join(g.person, ",")
	if !images.IsZero() && g.who.May(access.Search, "ImagingStudy") == nil {
		q, err := compile("ImagingStudy", "-started", fhir.Pair{Name: "patient", Value: patients})
		if err == nil {
			g.cutImages, err = g.read(ctx, q, images, g.study)
		}
		if err != nil {
			return fmt.Errorf("search for images: %w", err)
		}
	}
	if !data.IsZero() && g.who.May(access.Search, "Observation") == nil {
		q, err := measurements(patients, orders)
		if err == nil {
			g.cutData, err = g.read(ctx, q, data, g.observation)
		}
		if err != nil {
			return fmt.Errorf("search for data: %w", err)
		}
	}
	return g.readSpecimens(ctx)
}

// readSpecimens learns of results that only refer to their specimen of what kind that is.
func (g *gathering) readSpecimens(ctx context.Context) error {
	if len(g.specimens) == 0 || g.who.May(access.Read, "Specimen") != nil {
		return nil
	}
	names := slices.Collect(maps.Values(g.specimens))
	slices.SortFunc(names, func(a, b hub.Name) int { return strings.Compare(a.ID, b.ID) })
	recs, err := g.Reader.Many(ctx, g.who, g.Records, slices.Compact(names))
	if err != nil {
		return fmt.Errorf("read specimens: %w", err)
	}
	kinds := map[hub.Name]string{}
	for i := range recs {
		doc, err := fhir.Parse(recs[i].Body, fhir.Limits{})
		if err != nil {
			return fmt.Errorf("read %s: %w", recs[i].Name.Type, err)
		}
		kinds[recs[i].Name] = specimenKind(doc.Root())
	}
	for i, name := range g.specimens {
		g.candidates[i].Exam.Specimen = kinds[name]
	}
	return nil
}

// reach is when the earliest window begins of those orders that some holds for; zero where it holds for none.
func reach(orders []wanted, some func(*wanted) bool) (since time.Time) {
	for i := range orders {
		if w := &orders[i]; some(w) && (since.IsZero() || w.since.Before(since)) {
			since = w.since
		}
	}
	return since
}

func compile(typ, sort string, params ...fhir.Pair) (hub.Query, error) {
	params = append(params, fhir.Pair{Name: "_sort", Value: sort})
	s, err := fhir.CompileSearch(typ, params, fhir.SearchOptions{MaxValues: 10_000})
	if err != nil {
		return hub.Query{}, err
	}
	return s.Query, nil
}

// loinc is the system of codes that are never local: what has one is known for what it is.
const loinc = "http://loinc.org"

// measurements asks for Observations with one of the orders' codes, and for those that nobody has coded so that they are
// known to be something else: their words may name an item. Where an order has no code at all, everything is asked for.
func measurements(patients string, orders []wanted) (hub.Query, error) {
	var codes []string
	all := false
	for i := range orders {
		if w := &orders[i]; w.data {
			all = all || len(w.codes) == 0
			for _, c := range w.codes {
				codes = append(codes, token(c))
			}
		}
	}
	patient := fhir.Pair{Name: "patient", Value: patients}
	if all {
		return compile("Observation", "-date", patient)
	}
	slices.Sort(codes)
	q, err := compile("Observation", "-date", patient, fhir.Pair{Name: "combo-code", Value: strings.Join(slices.Compact(codes), ",")})
	if err != nil {
		return q, err
	}
	for i := range q.All {
		if c := q.All[i]; c.Param == "combo-code" {
			coded := hub.Clause{Param: c.Param, Not: true, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: loinc + "|"}}}
			q.All[i] = hub.Clause{Either: [][]hub.Clause{{c}, {coded}}}
		}
	}
	return q, nil
}

func token(c recognition.Coding) string {
	if c.System == "" {
		return fhir.Escape(c.Code)
	}
	return fhir.Escape(c.System) + "|" + fhir.Escape(c.Code)
}

// read hands the records that meet q to take, newest first, until those are reached that were taken before since. cut is
// when the last one was taken where there are more that the limit left unread.
func (g *gathering) read(ctx context.Context, q hub.Query, since time.Time, take func(*hub.Record, fhir.Value) recognition.Span) (cut time.Time, err error) {
	q.Limit = 64
	for left := g.Limits.Records; ; {
		q.Limit = min(q.Limit, left)
		res, err := g.Reader.Search(ctx, g.who, []hub.Partition{g.Records}, q, "recognition")
		if err != nil {
			return cut, err
		}
		var last recognition.Span
		for i := range res.Records {
			doc, err := fhir.Parse(res.Records[i].Body, fhir.Limits{})
			if err != nil {
				return cut, fmt.Errorf("read %s: %w", res.Records[i].Name.Type, err)
			}
			last = take(&res.Records[i], doc.Root())
		}
		left -= len(res.Records)
		switch {
		case res.Next == nil || last.Known() && last.Latest.Before(since):
			return time.Time{}, nil
		case left <= 0:
			return last.Latest, nil
		}
		q.After, q.Limit = res.Next, min(2*q.Limit, 1000)
	}
}

// of picks the results that an order is about: of its kind and, where they are data, known by one of its codes or taken
// for one of its items. The newest of them are judged; more tells that there are others.
func (g *gathering) of(w *wanted, c *recognition.Catalogue, most int) (places []int, more bool) {
	for i := range g.candidates {
		switch exam := g.candidates[i].Exam; {
		case g.images[i] && !w.images, !g.images[i] && !w.data:
			continue
		case !g.images[i] && !slices.ContainsFunc(exam.Codes, func(code recognition.Coding) bool { return slices.Contains(w.codes, code) }):
			if item := c.ItemShown(exam); item == nil || !slices.Contains(w.items, item) {
				continue
			}
		}
		places = append(places, i)
	}
	slices.SortStableFunc(places, func(i, j int) int {
		return g.candidates[j].Taken.Latest.Compare(g.candidates[i].Taken.Latest)
	})
	if len(places) > most {
		more = g.candidates[places[most]].Taken.Latest.After(w.since)
		places = places[:most]
	}
	for _, cut := range []struct {
		may bool
		at  time.Time
	}{{w.images, g.cutImages}, {w.data, g.cutData}} {
		more = more || cut.may && cut.at.After(w.since)
	}
	return places, more
}
