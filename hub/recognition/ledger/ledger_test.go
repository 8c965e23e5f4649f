package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/recognition"
	"concord/hub/recognition/ledger"
)

func TestTypingLookingAgainAndSigningIsOneOpportunity(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.potassium("k", "Patient/p", "final", "4.1", morning.Add(-time.Hour))
	var card string
	for range 10 {
		card = w.offer("county", offer{})
		w.settle()
	}
	if n := w.versions(card); n != 1 {
		t.Errorf("ten times the same offer made %d versions", n)
	}
	signed := w.made(offer{})
	signed.Hook = "order-sign"
	if err := w.Offer(t.Context(), as("county"), []ledger.Offer{signed}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.wants("offered 1, unanswered 1")
	if n := w.versions(card); n != 2 {
		t.Errorf("signing said something new, in %d versions", n)
	}
}

func TestWhatMakesTwoOpportunities(t *testing.T) {
	evening := time.Date(2026, 3, 5, 15, 59, 0, 0, time.UTC) // a minute before midnight in China
	for _, c := range []struct {
		say    string
		member string
		second offer
		want   int
	}{
		{"the same again", "county", offer{}, 1},
		{"under another name of the order", "county", offer{order: "ServiceRequest/draft-77"}, 1},
		{"from another department", "county", offer{department: "内科"}, 1},
		{"with another result", "county", offer{result: "Observation/k2"}, 1},
		{"another member", "lead", offer{}, 2},
		{"another Patient", "county", offer{patient: "Patient/q"}, 2},
		{"another item", "county", offer{item: "sodium"}, 2},
		{"another encounter", "county", offer{encounter: "Encounter/e2"}, 2},
		{"the next day", "county", offer{at: evening.Add(9 * time.Hour)}, 2},
		{"just after midnight", "county", offer{at: evening.Add(2 * time.Minute)}, 1},
		{"in the same night, hours later", "county", offer{at: evening.Add(3 * time.Hour)}, 2},
	} {
		t.Run(c.say, func(t *testing.T) {
			w := newWorld(t, newHouse(t))
			w.pass(48 * time.Hour)
			w.offer("county", offer{at: evening})
			w.settle()
			if c.second.at.IsZero() {
				c.second.at = evening.Add(time.Second)
			}
			w.offer(c.member, c.second)
			w.settle()
			if n := w.report(engineer, ledger.Filter{}).Total.Of[ledger.Opportunities]; n != c.want {
				t.Errorf("%d opportunities, want %d", n, c.want)
			}
		})
	}
}

func TestAChoiceIsKeptOnceAndChangedWithTheMind(t *testing.T) {
	w := newWorld(t, newHouse(t))
	card := w.offer("county", offer{department: "心内科"})
	w.settle()
	f := ledger.Feedback{Card: card, Outcome: ledger.Overridden, Reason: "condition-changed", Text: "病情变化", At: morning.Add(time.Minute)}
	w.pass(time.Hour)
	for range 2 {
		if err := w.Feedback(t.Context(), as("county"), f); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.versions(card); n != 2 {
		t.Errorf("the same feedback twice made %d versions of the opportunity, want 2", n)
	}
	w.wants("offered 1, declined 1")
	late := f
	late.Outcome, late.At = ledger.Accepted, morning
	if err := w.Feedback(t.Context(), as("county"), late); err != nil {
		t.Fatal(err)
	}
	w.wants("offered 1, declined 1") // what was chosen earlier does not undo what was chosen later
	w.accept("county", card)
	w.wants("offered 1, accepted 1")
	found := w.find("Basic", "code=urn:concord:recognition|recognition-decision&patient=Patient/p&_tag=urn:concord:recognition:choice|recognised&created=2026-03-05")
	if len(found) != 1 || !strings.Contains(found[0], card) {
		t.Errorf("%d decisions: %v", len(found), found)
	}
	// A choice stands for what was shown before it.
	w.offer("county", offer{outcome: recognition.Exempt})
	w.settle()
	w.wants("offered 1, accepted 1")
}

func TestFeedbackThatComesBeforeItsCardIsNotLost(t *testing.T) {
	w := newWorld(t, newHouse(t))
	card := w.CardID("county", w.made(offer{}))
	w.decline("county", card, "decisive")
	w.wants("")
	w.offer("county", offer{})
	w.settle()
	w.wants("offered 1, declined 1")
	if loose := w.find("Basic", "code=urn:concord:recognition|unmatched-feedback"); len(loose) != 0 {
		t.Errorf("what was taken up still waits: %v", loose)
	}
}

func TestFeedbackThatMeetsItsCardOnTheWayIsNotLost(t *testing.T) {
	for range 25 {
		w := newWorld(t, newHouse(t))
		card := w.CardID("county", w.made(offer{}))
		said := make(chan error)
		go func() {
			said <- w.Feedback(t.Context(), as("county"), ledger.Feedback{Card: card, Outcome: ledger.Overridden, Reason: "decisive", At: morning})
		}()
		w.offer("county", offer{})
		w.settle()
		if err := <-said; err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.wants("offered 1, declined 1")
		if loose := w.find("Basic", "code=urn:concord:recognition|unmatched-feedback"); len(loose) != 0 {
			t.Errorf("what was taken up still waits: %v", loose)
		}
	}
}

func TestFeedbackIsRefusedWithAClearWord(t *testing.T) {
	w := newWorld(t, newHouse(t))
	card := w.offer("county", offer{})
	w.settle()
	for _, c := range []struct {
		say, member string
		f           ledger.Feedback
		kind        hub.ErrKind
	}{
		{"of another member", "lead", ledger.Feedback{Card: card, Outcome: ledger.Accepted}, hub.NotFound},
		{"an outcome that there is not", "county", ledger.Feedback{Card: card, Outcome: "ignored"}, hub.Invalid},
		{"a text of 201 characters", "county", ledger.Feedback{Card: card, Outcome: ledger.Overridden, Text: strings.Repeat("病", 201)}, hub.Invalid},
		{"no card", "county", ledger.Feedback{Outcome: ledger.Accepted}, hub.Invalid},
		{"a card that is a path", "county", ledger.Feedback{Card: "../x", Outcome: ledger.Accepted}, hub.Invalid},
	} {
		if err := w.Feedback(t.Context(), as(c.member), c.f); !hub.Is(err, c.kind) {
			t.Errorf("%s: %v", c.say, err)
		}
	}
	if err := w.Feedback(t.Context(), as("county"), ledger.Feedback{Card: card, Outcome: ledger.Overridden, Text: strings.Repeat("病", 200)}); err != nil {
		t.Errorf("a text of 200 characters: %v", err)
	}
}

func TestACardOfAnotherNameFindsItsOpportunity(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.offer("county", offer{card: "5a9d0c0e-8f5b-4b39-9c4e-000000000001"})
	w.settle()
	w.accept("county", "5a9d0c0e-8f5b-4b39-9c4e-000000000001")
	w.wants("offered 1, accepted 1")
}

func TestAnOrderIsAttachedWheneverItComes(t *testing.T) {
	const order = `{"resourceType":"ServiceRequest","status":"draft","intent":"order","subject":{"reference":"Patient/p"},"identifier":[{"system":"urn:his","value":"A-1"}],
		"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]}}`
	for _, c := range []struct {
		say    string
		before bool
		id     string
	}{
		{"after the decision, by its identifier", false, "sr9"},
		{"before the decision was written, by its identifier", true, "sr9"},
		{"after the decision, by its id", false, "draft-1"},
	} {
		t.Run(c.say, func(t *testing.T) {
			w := newWorld(t, newHouse(t))
			if c.before {
				w.put("county", "ServiceRequest", c.id, order)
				w.settle()
			}
			made := w.made(offer{})
			made.Identifiers = []ledger.Identifier{{System: "urn:his", Value: "A-1"}}
			if err := w.Offer(t.Context(), as("county"), []ledger.Offer{made}); err != nil {
				t.Fatal(err)
			}
			w.settle()
			w.accept("county", w.CardID("county", made))
			w.settle()
			if !c.before {
				w.put("county", "ServiceRequest", c.id, order)
				w.settle()
			}
			found := w.find("DetectedIssue", "implicated=ServiceRequest/"+c.id)
			if len(found) != 1 {
				t.Errorf("no issue refers to the order: %v", w.find("DetectedIssue", ""))
			}
			if found := w.find("Basic", "identifier=urn:his|A-1"); len(found) != 1 || !strings.Contains(found[0], "ServiceRequest/"+c.id) {
				t.Errorf("no decision refers to the order: %v", found)
			}
			if found := w.find("GuidanceResponse", "identifier=urn:concord:cds-card|"+w.CardID("county", made)); len(found) != 1 {
				t.Errorf("by its card: %v", found)
			}
		})
	}
}

func TestAnOrderOfAnotherMemberIsNotAttached(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.offer("county", offer{order: "1"})
	w.settle()
	w.put("village", "ServiceRequest", "1", `{"resourceType":"ServiceRequest","status":"draft","intent":"order","subject":{"reference":"Patient/p"}}`)
	w.settle()
	if found := w.find("DetectedIssue", "implicated=ServiceRequest/1"); len(found) != 0 {
		t.Errorf("%v", found)
	}
}

func TestARepeatIsAnOrderOrAResultOfTheItemWithinTheWindow(t *testing.T) {
	order := func(status, intent, code, patient string) func(*world) {
		return func(w *world) {
			w.put("county", "ServiceRequest", "again", fmt.Sprintf(`{"resourceType":"ServiceRequest","status":%q,"intent":%q,"subject":{"reference":%q},"code":{"coding":[{"system":"http://loinc.org","code":%q}]}}`,
				status, intent, patient, code))
		}
	}
	result := func(patient string, after time.Duration) func(*world) {
		return func(w *world) { w.potassium("again", patient, "final", "4.2", morning.Add(after)) }
	}
	for _, c := range []struct {
		say    string
		choice string
		then   func(*world)
		want   string
	}{
		{"an order after no feedback", "", order("active", "order", "2823-3", "Patient/p"), "offered 1, unanswered 1, repeats 1"},
		{"an order after not recognising", "declined", order("active", "order", "2823-3", "Patient/p"), "offered 1, declined 1, repeats 1"},
		{"an order although it was recognised", "accepted", order("active", "order", "2823-3", "Patient/p"), "offered 1, accepted 1"},
		{"a draft", "", order("draft", "order", "2823-3", "Patient/p"), "offered 1, unanswered 1"},
		{"a proposal", "", order("active", "proposal", "2823-3", "Patient/p"), "offered 1, unanswered 1"},
		{"an order of another item", "", order("active", "order", "2951-2", "Patient/p"), "offered 1, unanswered 1"},
		{"an order for somebody else", "", order("active", "order", "2823-3", "Patient/q"), "offered 1, unanswered 1"},
		{"an order for another Patient of the person", "", order("active", "order", "2823-3", "Patient/p2"), "offered 1, unanswered 1, repeats 1"},
		{"a result within the window", "", result("Patient/p", 48*time.Hour), "offered 1, unanswered 1, repeats 1"},
		{"a result after the window", "", result("Patient/p", 7*24*time.Hour), "offered 1, unanswered 1"},
		{"an older result that comes late", "", result("Patient/p", -48*time.Hour), "offered 1, unanswered 1"},
	} {
		t.Run(c.say, func(t *testing.T) {
			h := newHouse(t)
			h.persons["Patient/p"], h.persons["Patient/p2"] = []string{"Patient/p2"}, []string{"Patient/p"}
			w := newWorld(t, h)
			card := w.offer("county", offer{at: morning})
			w.settle()
			switch c.choice {
			case "accepted":
				w.accept("county", card)
			case "declined":
				w.decline("county", card, "other")
			}
			c.then(w)
			w.settle()
			w.wants(c.want)
			before := w.versions(card)
			again := newWorld(t, h) // follows all of it once more
			again.settle()
			if after := again.versions(card); after != before {
				t.Errorf("another hub wrote what was there already: version %d, %d before", after, before)
			}
			again.wants(c.want)
		})
	}
}
