package messages_test

import (
	"fmt"
	"slices"
	"testing"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/messages"
)

func engineer() access.Caller { return access.NewCaller("lead", "integration", "t") }

// controls are the control ids of what a filter lets through, newest first, page by page.
func (w *world) controls(who access.Caller, f messages.Filter) (ids []string) {
	w.t.Helper()
	var after *hub.Position
	for {
		page, err := w.log.Search(w.t.Context(), who, f, after, 2, false)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range page.Messages {
			ids = append(ids, m.Control)
		}
		if after = page.Next; after == nil {
			return ids
		}
	}
}

func TestTheLogIsSearchedByWhatAMessageIs(t *testing.T) {
	w := newWorld(t)
	w.send("m", "1", "10:00:00", report("7", "K=4.1"))                                          // received 12:00:01 or a little later
	w.send("m", "2", "10:00:00", shared(`{"resourceType":"Patient","id":"p1"}`))                // of a patient
	w.send("m", "3", "10:00:00", "nonsense")                                                    // dead
	w.send("n", "4", "10:00:00", shared(`{"resourceType":"Patient","id":"p1","active":false}`)) // another member's
	typed := incoming("5", "", shared(`{"resourceType":"Patient","id":"p2"}`))
	typed.Type = "ADT^A08"
	if _, err := w.intake.Take(t.Context(), as("m"), typed); err != nil {
		t.Fatal(err)
	}
	first, err := w.log.Search(t.Context(), as("m"), messages.Filter{Control: "2"}, nil, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	received := first.Messages[0].Received
	for name, c := range map[string]struct {
		who    access.Caller
		filter messages.Filter
		want   []string
	}{
		"all of a member's own":         {as("m"), messages.Filter{}, []string{"5", "3", "2", "1"}},
		"all for the engineer":          {engineer(), messages.Filter{}, []string{"5", "4", "3", "2", "1"}},
		"a member for the engineer":     {engineer(), messages.Filter{Member: "n"}, []string{"4"}},
		"dead letters":                  {as("m"), messages.Filter{Status: "dead"}, []string{"3"}},
		"several statuses":              {as("m"), messages.Filter{Status: "dead,mapped", Type: "F01"}, []string{"3", "2", "1"}},
		"a patient":                     {as("m"), messages.Filter{Patient: "Patient/m-p1"}, []string{"2"}},
		"what it made":                  {as("m"), messages.Filter{Made: "Observation/m-o-7-K"}, []string{"1"}},
		"a type":                        {as("m"), messages.Filter{Type: "ADT^A08"}, []string{"5"}},
		"the first word of a type":      {as("m"), messages.Filter{Type: "ADT"}, []string{"5"}},
		"from a time on":                {as("m"), messages.Filter{Since: received}, []string{"5", "3", "2"}},
		"until before a time":           {as("m"), messages.Filter{Until: received}, []string{"1"}},
		"nothing where nothing matches": {as("m"), messages.Filter{Sender: "other"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.controls(c.who, c.filter); !slices.Equal(got, c.want) {
				t.Errorf("found %v, not %v", got, c.want)
			}
		})
	}
}

func TestAMemberSeesItsOwnMessagesOnly(t *testing.T) {
	w := newWorld(t)
	id := w.send("m", "1", "10:00:00", report("7", "K=4.1")).Message.ID
	if _, err := w.log.Message(t.Context(), as("n"), id); !hub.Is(err, hub.NotFound) {
		t.Errorf("another member reads it: %v", err)
	}
	if _, err := w.log.Search(t.Context(), as("n"), messages.Filter{Member: "m"}, nil, 10, false); !hub.Is(err, hub.Forbidden) {
		t.Errorf("another member finds it: %v", err)
	}
	if _, err := w.intake.Replay(t.Context(), as("n"), id, "n"); !hub.Is(err, hub.NotFound) {
		t.Errorf("another member has it mapped again: %v", err)
	}
	if _, err := w.intake.PreviewAgain(t.Context(), as("n"), id); !hub.Is(err, hub.NotFound) {
		t.Errorf("another member sees what it would make: %v", err)
	}
	narrow := access.NewCaller("m", "system/Observation.rs", "t")
	if _, err := w.log.Message(t.Context(), narrow, id); !hub.Is(err, hub.Forbidden) {
		t.Errorf("a token for observations reads it: %v", err)
	}
	if _, err := w.log.Message(t.Context(), engineer(), id); err != nil {
		t.Errorf("the engineer does not read it: %v", err)
	}
	if n := len(w.events); n == 0 || w.events[n-1].Names[0].ID != id {
		t.Error("reading it left no event in the trail")
	}
}

func TestFailuresAreCountedWithTheirReasons(t *testing.T) {
	w := newWorld(t)
	w.send("m", "ok", "10:00:00", report("7", "K=4.1"))
	for i := range 3 {
		w.send("m", fmt.Sprint(i), "", "nonsense")
	}
	w.send("m", "x", "", shared(`{"resourceType":"Patient","id":"p","birthDate":"soon"}`))
	got, err := w.log.Failures(t.Context(), as("m"), messages.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Statuses[messages.Dead] != 4 || got.Statuses[messages.Mapped] != 1 || len(got.Reasons) != 2 || got.Reasons[0].Count != 3 || got.Reasons[0].Fault.Place != "$" {
		t.Errorf("counted %+v", got)
	}
}
