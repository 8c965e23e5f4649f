package commit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/memobjects"
	"concord/storage/index"
	"concord/storage/keeper"
)

// ward projects {"ward":"…","text":"…"} to the ward.
type ward struct{}

func (ward) Project(rec *hub.Record) (hub.Entry, error) {
	var w, text string
	_, err := fmt.Sscanf(string(rec.Body), `{"ward":%q,"text":%q}`, &w, &text)
	return hub.Entry{Terms: []hub.Term{{Param: "ward", Text: w}}}, err
}

func says(word string) hub.Clause {
	return hub.Clause{Test: func(rec *hub.Record) (bool, error) { return strings.Contains(string(rec.Body), word), nil }}
}

func inWard(w string) hub.Clause {
	return hub.Clause{Param: "ward", Any: []hub.Match{{Text: w}}}
}

func TestAConditionMayLookIntoRecordsAndSeesTheBatch(t *testing.T) {
	k := keeper.New(keeper.Options{})
	client := index.ConnectDialer(k.Dial)
	defer func() { client.Close(); k.Close() }()
	log := &projection.Log{Objects: &memobjects.Store{}, Partition: people}
	follower := projection.NewFollower(log, index.Open(client, index.StandardLayout(0)), &projection.Projectors{Default: ward{}})
	c := commit.New(log, follower, commit.Options{})
	defer c.Close()
	note := func(id, w, text string) commit.Draft {
		return commit.Draft{Name: hub.Name{Type: "Note", ID: id}, Body: func(uint64, time.Time) []byte { return fmt.Appendf(nil, `{"ward":%q,"text":%q}`, w, text) }}
	}
	put := func(d commit.Draft) commit.Write {
		return commit.Write{Member: "m", Names: []hub.Name{d.Name}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) { return []commit.Draft{d}, nil }}
	}
	for i := range 150 { // more than one page of candidates
		if _, err := c.Submit(t.Context(), put(note(fmt.Sprint("old-", i), "a", "calm"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []commit.Draft{note("1", "a", "fever"), note("2", "a", "fever"), note("3", "b", "fever")} {
		if _, err := c.Submit(t.Context(), put(d)); err != nil {
			t.Fatal(err)
		}
	}
	// In one batch: 2 is calmed, 4 gets fever; then somebody looks.
	for _, q := range []struct {
		say  string
		all  []hub.Clause
		want []string
	}{
		{"a test", []hub.Clause{inWard("a"), says("fever")}, []string{"Note/1", "Note/4"}},
		{"not a test", []hub.Clause{inWard("a"), {Not: true, Test: says("calm").Test}}, []string{"Note/1", "Note/4"}},
		{"either a test or the ward", []hub.Clause{{Either: [][]hub.Clause{{inWard("a"), says("fever")}, {inWard("b")}}}}, []string{"Note/1", "Note/3", "Note/4"}},
		{"written just now", []hub.Clause{{Param: hub.LastUpdated, Any: []hub.Match{{Kind: hub.Within, LoMax: 1e18, HiMax: 1e18}}}, says("fever")}, []string{"Note/1", "Note/3", "Note/4"}},
	} {
		var found []string
		look := commit.Write{Member: "m", Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
			names, err := v.Find(ctx, hub.Query{Type: "Note", All: q.all, Limit: 10})
			found = nil
			for _, n := range names {
				found = append(found, n.String())
			}
			slices.Sort(found)
			return nil, err
		}}
		for i, o := range c.SubmitAll(t.Context(), []commit.Write{put(note("2", "a", "calm")), put(note("4", "a", "fever")), look}) {
			if o.Err != nil {
				t.Fatalf("%s, write %d: %v", q.say, i, o.Err)
			}
		}
		if !slices.Equal(found, q.want) {
			t.Errorf("%s: found %v, expected %v", q.say, found, q.want)
		}
	}
}
