package lookup_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
)

func drawSpan(t *rapid.T) (s lookup.Span) {
	moment := func(name string) time.Time { // on a commit, and between two
		return time.UnixMilli(int64(rapid.IntRange(0, 12).Draw(t, name)) * 5).UTC()
	}
	if rapid.Bool().Draw(t, "has since") {
		s.Since = moment("since")
	}
	if rapid.Bool().Draw(t, "has from") {
		s.From = moment("from")
	}
	if rapid.Bool().Draw(t, "has to") {
		s.To = moment("to")
	}
	s.Limit = rapid.SampledFrom([]int{1, 3, 50}).Draw(t, "limit")
	return s
}

// past is what a span means: the versions that were current within it.
func (w *world) past(who access.Caller, s lookup.Span) (recs []hub.Record) {
	for i, rec := range slices.Backward(w.versions) {
		end := time.Unix(1<<40, 0)
		if j := slices.IndexFunc(w.versions[i+1:], func(later hub.Record) bool { return later.Name == rec.Name }); j >= 0 {
			end = w.versions[i+1+j].Time
		}
		inSpan := !rec.Time.Before(s.Since) && (s.To.IsZero() || !rec.Time.After(s.To)) && (s.From.IsZero() || end.After(s.From))
		if inSpan && (len(s.Types) == 0 || slices.Contains(s.Types, rec.Name.Type)) && (discreet{}).MayRead(who, &rec) == nil {
			recs = append(recs, rec)
		}
	}
	return recs
}

func TestHistoryIsTheLogReadBackwards(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		w.reader.Limits.Walk = rapid.SampledFrom([]int{0, 1, 2}).Draw(rt, "walk")
		s := drawSpan(rt)
		s.Types = rapid.SampledFrom([][]string{nil, {"Patient"}, {"Observation", "Canon"}}).Draw(rt, "types")
		who := rapid.SampledFrom([]access.Caller{lead, centre}).Draw(rt, "who")
		want := versionsOf(w.past(who, s))
		var got []string
		for n := 0; n == 0 || s.Before != (hub.Loc{}); n++ {
			recs, more, err := w.reader.History(rt.Context(), who, records, s)
			if err != nil || len(recs) > s.Limit || n > 100 {
				rt.Fatalf("page %d: %d records, %v", n, len(recs), err)
			}
			got, s.Before = append(got, versionsOf(recs)...), more
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("%+v: %v, expected %v", s, got, want)
		}
	})
}

func TestTheVersionsOfOneThingInASpan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		name := w.versions[rapid.IntRange(0, len(w.versions)-1).Draw(rt, "of")].Name
		s := drawSpan(rt)
		who := rapid.SampledFrom([]access.Caller{lead, centre}).Draw(rt, "who")
		of := func(s lookup.Span) []string {
			return versionsOf(slices.DeleteFunc(w.past(who, s), func(rec hub.Record) bool { return rec.Name != name }))
		}
		want, known := of(s), len(of(lookup.Span{})) > 0
		var got []string
		for n := 0; n == 0 || s.Before != (hub.Loc{}); n++ {
			recs, total, more, err := w.reader.VersionsIn(rt.Context(), who, records, name, s)
			if !known && hub.Is(err, hub.NotFound) {
				return
			}
			if err != nil || total != len(want) || n > 100 {
				rt.Fatalf("page %d: %d in total, %v; expected %d", n, total, err, len(want))
			}
			got, s.Before = append(got, versionsOf(recs)...), more
		}
		if !known || !slices.Equal(got, want) {
			rt.Fatalf("%+v: %v, expected %v", s, got, want)
		}
	})
}

func TestHistoryIsNotToldFromAnIndexThatIsBehind(t *testing.T) {
	w := newWorld()
	w.commit(t, draft{hub.Name{Type: "Patient", ID: "1"}, &content{}})
	w.commit(t, draft{hub.Name{Type: "Patient", ID: "2"}, &content{}})
	if err := w.index.Reset(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if _, err := w.index.Begin(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if recs, _, err := w.reader.History(t.Context(), lead, records, lookup.Span{Limit: 5}); !hub.Is(err, hub.Unavailable) {
		t.Errorf("%v, %v", versionsOf(recs), err)
	}
}

func TestPagesOfOneCommitReadItOnce(t *testing.T) {
	w := newWorld()
	var drafts []draft
	for i := range 30 {
		drafts = append(drafts, draft{hub.Name{Type: "Patient", ID: fmt.Sprint(i)}, &content{}})
	}
	w.commit(t, drafts...)
	opened := 0
	w.objects.BeforeOpen = func(context.Context, string) error { opened++; return nil }
	s := lookup.Span{Limit: 4}
	for n := 0; n == 0 || s.Before != (hub.Loc{}); n++ {
		var err error
		if _, s.Before, err = w.reader.History(t.Context(), lead, records, s); err != nil {
			t.Fatal(err)
		}
	}
	if opened > 1 {
		t.Errorf("the commit was opened %d times", opened)
	}
}
