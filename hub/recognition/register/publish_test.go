package register_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/recognition/register"
	"concord/internal/fhir"
)

// stored reads a resource of the store; nil where there is none.
func stored(t testing.TB, r *register.Register, name hub.Name) *fhir.Doc {
	t.Helper()
	heads, err := r.Follower.Heads(t.Context(), []hub.Name{name})
	if err != nil {
		t.Fatal(err)
	}
	if heads[0].Version == 0 {
		return nil
	}
	rec, err := r.Follower.Log().Record(t.Context(), heads[0].Loc)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err == nil {
		err = doc.Check()
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, rec.Body)
	}
	if rec.Member != access.Hub {
		t.Errorf("%s is written by %s", name, rec.Member)
	}
	return doc
}

func TestEveryRowOfTheStarterGoesThroughFHIRUnchanged(t *testing.T) {
	r := newWorld(t).hub()
	for _, row := range r.Starter.Rows {
		doc, err := fhir.Parse(row.Resource(nil, false), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		change, err := register.ReadResource(doc)
		if err != nil {
			t.Fatalf("%v\n%s", err, doc.Root().Raw())
		}
		was, _ := json.Marshal(row)
		is, _ := json.Marshal(change.Row)
		if strings.Replace(string(was), `"window":0,`, `"window":"0",`, 1) != string(is) {
			t.Errorf("was %s\nis  %s", was, is)
		}
	}
}

func TestARowOfEveryColumnGoesThroughFHIRUnchanged(t *testing.T) {
	row := register.Row{"id": "x", "kind": "imaging", "zh": "某项", "en": "Some item", "loinc": []any{"1742-6", "1920-8"}, "sop": []any{"1.2.3"},
		"codes": map[string]any{"urn:a": []any{"1", "2"}, "urn:b": []any{"3"}}, "insurance": []any{"27000000"}, "mutual": []any{"HR 1"}, "modalities": []any{"CT"},
		"regions": []any{"CHEST", "NECK"}, "contrast": "plain", "paired": true, "side": "left", "specimens": []any{"serum"}, "unit": []any{"g/L", "g/dL"}, "per_mmol": json.Number("18.016"),
		"window": map[string]any{"default": "7d", "IMP": "24h", "EMER": "0"}, "rapid": true, "exact": true, "delta": map[string]any{"within": "72h", "absolute": json.Number("5"), "percent": json.Number("20.50")},
		"price": "12.50", "prices": []any{map[string]any{"region": "340000", "amount": "11.00", "source": "D"}, map[string]any{"amount": "13"}}, "aliases": []any{"甲"}, "source": "D", "note": "a <note> & \"more\"", "later": map[string]any{"a": []any{json.Number("1")}}}
	doc, err := fhir.Parse(row.Resource(nil, false), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	change, err := register.ReadResource(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"unit", "window", "delta", "price", "prices", "later", "codes"} {
		if strings.Contains(string(doc.Root().Raw()), `"valueCode":"`+column+`"`) != (column == "later") {
			t.Errorf("column %s lies elsewhere than it should", column)
		}
	}
	if !reflect.DeepEqual(change.Row, row) {
		t.Errorf("was %v\nis  %v", row, change.Row)
	}
}

func TestResourcesFollowFromReleases(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	alt := hub.Name{Type: "ObservationDefinition", ID: "concord.item.alt"}
	chest := hub.Name{Type: "ActivityDefinition", ID: "concord.item.dr-chest"}
	if stored(t, r, alt) != nil {
		t.Fatal("there is a resource without a release")
	}
	first := release(t, r, register.Request{Reason: "<理由>", Changes: []register.Change{with(r, "alt", map[string]any{"window": "21d"}), with(r, "dr-chest", map[string]any{"price": "60.00"}),
		qualified("county", "alt", "2026-01-01", "2026-12-31", register.Passed, mark("全国", "全国HR"))}})
	doc := stored(t, r, alt)
	change, err := register.ReadResource(doc)
	if err != nil || change.Row["window"] != "21d" {
		t.Errorf("%v, %v", change, err)
	}
	text := string(doc.Root().Raw())
	for _, want := range []string{`"valueString":"zhang (county)"`, `"valueString":"li (village)"`, `"valueString":"<理由>"`, `"valuePositiveInt":1`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if got := stored(t, r, chest).Root(); got.Get("version").Text() != "1" || got.Get("status").Text() != "active" {
		t.Errorf("%s", got.Raw())
	}
	note := stored(t, r, hub.Name{Type: "Provenance", ID: "concord.release.1"}).Root()
	targets := 0
	for range note.Get("target").Items() {
		targets++
	}
	if targets != 3 || !strings.Contains(string(note.Raw()), "verifier") || first.Ruling.Number != 1 {
		t.Errorf("%s", note.Raw())
	}
	// A resource that was read, edited and sent back is a proposal like any other.
	edited, err := fhir.Parse([]byte(strings.Replace(text, `"value":21}`, `"value":28}`, 1)), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if change, err = register.ReadResource(edited); err != nil {
		t.Fatal(err)
	}
	release(t, r, changes(change))
	if got := window(t, r, w.clock(), "alt"); !strings.HasSuffix(got, "672h0m0s") {
		t.Errorf("edited through FHIR: %s", got)
	}
	release(t, r, changes(register.Change{Item: "dr-chest", Retire: true}))
	if got := stored(t, r, chest).Root(); got.Get("status").Text() != "retired" || got.Get("version").Text() != "3" || got.Get("title").Text() != "胸部X线摄影" {
		t.Errorf("retired: %s", got.Raw())
	}
}

func TestAReleaseWhoseHubDiedIsPublishedByAnotherAndOnce(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	var many []register.Change
	for day := range 1200 {
		many = append(many, qualified("county", "alt", time.Date(2020, 1, 1+day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), "2026-12-31", register.Passed))
	}
	p := propose(t, r, zhang, register.Request{Changes: many})
	dead := w.hubThat(func(member string, _ hub.Name, _ []byte) error { // the log gets the release and nothing after it
		if member == access.Hub {
			return &hub.Error{Kind: hub.Unavailable, Msg: "the hub died"}
		}
		return nil
	})
	if _, err := dead.Rule(t.Context(), li, p.ID, register.Released, ""); err != nil {
		t.Fatal(err)
	}
	other := w.hub()
	if got := other.Catalogue().Version; got != other.Starter.Version+"+1" {
		t.Fatal(got)
	}
	for range 2 {
		if err := other.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	page, err := other.Follower.Search(t.Context(), hub.Query{Type: "Basic", Limit: 1, Count: true})
	if err != nil || page.Total != 1200 {
		t.Fatalf("%d qualifications, %v", page.Total, err)
	}
	marks, err := w.ix.Marks(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.hub().Publish(t.Context()); err != nil { // a third hub has nothing to do
		t.Fatal(err)
	}
	if again, _ := w.ix.Marks(t.Context(), records); again.Applied != marks.Applied {
		t.Error("published again")
	}
}

func TestNobodyWritesWhatTheRegisterHas(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	release(t, r, changes(with(r, "alt", map[string]any{"window": "21d"}), qualified("county", "alt", "2026-01-01", "2026-12-31", register.Passed)))
	qualification := `{"resourceType":"Basic","id":"%s","code":{"coding":[{"system":"urn:concord:recognition","code":"recognition-qualification"}]}}`
	for say, c := range map[string]struct {
		name hub.Name
		body string
	}{
		"another version of an item":   {hub.Name{Type: "ObservationDefinition", ID: "concord.item.alt"}, `{"resourceType":"ObservationDefinition","id":"concord.item.alt"}`},
		"a deletion":                   {hub.Name{Type: "ObservationDefinition", ID: "concord.item.alt"}, ""},
		"an item before it has one":    {hub.Name{Type: "ActivityDefinition", ID: "concord.item.ct-head-plain"}, `{"resourceType":"ActivityDefinition"}`},
		"an item by another name":      {hub.Name{Type: "ObservationDefinition", ID: "mine"}, `{"resourceType":"ObservationDefinition","identifier":[{"system":"urn:concord:recognition:item","value":"alt"}]}`},
		"with its identifier escaped":  {hub.Name{Type: "ObservationDefinition", ID: "mine"}, `{"identifier":[{"system":"urn:concord:recognitio\u006e:item","value":"alt"}]}`},
		"a qualification":              {hub.Name{Type: "Basic", ID: "mine"}, fmt.Sprintf(qualification, "mine")},
		"a qualification of its names": {hub.Name{Type: "Basic", ID: "concord.qualification.0123"}, `{"resourceType":"Basic"}`},
		"a release":                    {hub.Name{Type: "Provenance", ID: "concord.release.9"}, `{"resourceType":"Provenance"}`},
	} {
		_, err := r.Writer.Submit(t.Context(), commit.Write{Member: "county", Names: []hub.Name{c.name}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
			return []commit.Draft{{Name: c.name, Delete: c.body == "", Body: func(uint64, time.Time) []byte { return []byte(c.body) }}}, nil
		}})
		if !hub.Is(err, hub.Forbidden) || !strings.Contains(err.Error(), "/recognition/proposals") {
			t.Errorf("%s: %v", say, err)
		}
	}
	other := hub.Name{Type: "Basic", ID: "own"}
	if _, err := r.Writer.Submit(t.Context(), commit.Write{Member: "county", Names: []hub.Name{other}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: other, Body: func(uint64, time.Time) []byte {
			return []byte(`{"resourceType":"Basic","id":"own","code":{"text":"urn:concord:recognition"}}`)
		}}}, nil
	}}); err != nil {
		t.Errorf("a Basic of another kind: %v", err)
	}
}
