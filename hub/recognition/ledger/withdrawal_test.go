package ledger_test

import (
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/recognition/ledger"
)

func TestWhoReliedIsToldWhenTheResultDoesNotHold(t *testing.T) {
	taken := morning.Add(-time.Hour)
	const study = `{"resourceType":"ImagingStudy","status":"available","subject":{"reference":"Patient/p"},"numberOfInstances":`
	for _, c := range []struct {
		say   string
		then  func(*world)
		cause ledger.Cause // empty: nobody is told
	}{
		{"corrected", func(w *world) { w.potassium("k", "Patient/p", "corrected", "6.9", taken) }, ledger.Corrected},
		{"amended", func(w *world) { w.potassium("k", "Patient/p", "amended", "4.2", taken) }, ledger.Amended},
		{"entered in error", func(w *world) { w.potassium("k", "Patient/p", "entered-in-error", "4.1", taken) }, ledger.InError},
		{"cancelled", func(w *world) { w.potassium("k", "Patient/p", "cancelled", "4.1", taken) }, ledger.Cancelled},
		{"another value without a word", func(w *world) { w.potassium("k", "Patient/p", "final", "6.9", taken) }, ledger.Changed},
		{"another time without a word", func(w *world) { w.potassium("k", "Patient/p", "final", "4.1", taken.Add(-48*time.Hour)) }, ledger.Changed},
		{"deleted", func(w *world) { w.put("village", "Observation", "k", "") }, ledger.Deleted},
		{"moved to another patient", func(w *world) { w.potassium("k", "Patient/q", "final", "4.1", taken) }, ledger.OtherPatient},
		{"the same sent again", func(w *world) { w.potassium("k", "Patient/p", "final", "4.1", taken) }, ""},
		{"a code was added", func(w *world) {
			w.put("village", "Observation", "k", `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"},{"system":"urn:lis","code":"K"}]},"subject":{"reference":"Patient/p"},
				"effectiveDateTime":"`+taken.Format(time.RFC3339)+`","valueQuantity":{"value":4.1,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`)
		}, ""},
		{"another result was corrected", func(w *world) { w.potassium("k2", "Patient/p", "corrected", "6.9", taken) }, ""},
		{"images were deleted", func(w *world) { w.put("village", "ImagingStudy", "1.2.3", study+"3}") }, ledger.Fewer},
		{"images came to it", func(w *world) { w.put("village", "ImagingStudy", "1.2.3", study+"30}") }, ""},
		{"the study was deleted", func(w *world) {
			w.put("village", "ImagingStudy", "1.2.3", `{"resourceType":"ImagingStudy","status":"entered-in-error","subject":{"reference":"Patient/p"}}`)
		}, ledger.InError},
	} {
		t.Run(c.say, func(t *testing.T) {
			w := newWorld(t, newHouse(t))
			w.potassium("k", "Patient/p", "final", "4.1", taken)
			w.put("village", "ImagingStudy", "1.2.3", study+"20}")
			result := "Observation/k"
			if strings.Contains(c.say, "images") || strings.Contains(c.say, "study") {
				result = "ImagingStudy/1.2.3"
			}
			card := w.offer("county", offer{result: result})
			other := w.offer("lead", offer{result: result})
			w.settle()
			w.accept("county", card)
			w.decline("lead", other, "other") // did not rely
			w.settle()
			c.then(w)
			w.settle()
			again := newWorld(t, w.house) // another hub follows the same
			again.settle()
			list, err := again.Withdrawals(t.Context(), as("county"), "", false)
			if err != nil {
				t.Fatal(err)
			}
			if c.cause == "" {
				if len(list) != 0 {
					t.Errorf("told: %+v", list)
				}
				return
			}
			if len(list) != 1 || list[0].Cause != c.cause || list[0].Result != result || list[0].Member != "county" || list[0].Producer != "village" {
				t.Fatalf("withdrawals %+v, want one that is %s", list, c.cause)
			}
			if n := len(again.find("Flag", "patient=Patient/p&_tag:not=x")); n != 1 {
				t.Errorf("%d flags on the patient", n)
			}
			again.find("CommunicationRequest", "")
			if n := len(again.find("Basic", "_tag=urn:concord:recognition:state|withdrawn")); n != 1 {
				t.Errorf("%d decisions are marked", n)
			}
			if got := counted(again.report(engineer, ledger.Filter{}).Total); got != "offered 2, accepted 1, declined 1, withdrawn 1" {
				t.Error(got)
			}
			if others, err := again.Withdrawals(t.Context(), as("lead"), "", true); err != nil || len(others) != 0 {
				t.Errorf("who did not rely is told, too: %v %v", others, err)
			}
		})
	}
}

func TestACorrectionBeforeTheFeedbackIsFoundAtTheFeedback(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.potassium("k", "Patient/p", "final", "4.1", morning)
	card := w.offer("county", offer{})
	w.settle()
	w.potassium("k", "Patient/p", "corrected", "6.9", morning)
	w.settle()
	w.accept("county", card)
	w.settle()
	w.wants("offered 1, accepted 1, withdrawn 1")
}

func TestPatientsThatAreUnlinkedTakeWhatWasReliedOnAcrossThem(t *testing.T) {
	h := newHouse(t)
	h.persons["Patient/p"] = []string{"Patient/p2"}
	w := newWorld(t, h)
	const person = `{"resourceType":"Person","link":[{"target":{"reference":"Patient/p"}},{"target":{"reference":"Patient/p2"}}]}`
	w.put("concord", "Person", "x", person)
	w.potassium("k", "Patient/p2", "final", "4.1", morning)
	card := w.offer("county", offer{of: "Patient/p2"})
	w.settle()
	w.accept("county", card)
	w.put("concord", "Person", "x", person)
	w.settle()
	w.wants("offered 1, accepted 1")
	w.mu.Lock()
	delete(h.persons, "Patient/p")
	w.mu.Unlock()
	w.put("concord", "Person", "x", "")
	w.settle()
	w.wants("offered 1, accepted 1, withdrawn 1")
	list, err := w.Withdrawals(t.Context(), as("county"), "", false)
	if err != nil || len(list) != 1 || list[0].Cause != ledger.OtherPatient {
		t.Errorf("%+v %v", list, err)
	}
}

func TestTheMemberThatReliedAcknowledgesOnce(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.potassium("k", "Patient/p", "final", "4.1", morning)
	card := w.offer("county", offer{})
	w.settle()
	w.accept("county", card)
	w.potassium("k", "Patient/p", "corrected", "6.9", morning)
	w.settle()
	list, err := w.Withdrawals(t.Context(), as("county"), "", false)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	id := list[0].ID
	if _, err := w.Acknowledge(t.Context(), as("village"), id, ledger.Doing{Who: "张三"}); !hub.Is(err, hub.Forbidden) {
		t.Errorf("another member acknowledges: %v", err)
	}
	if _, err := w.Acknowledge(t.Context(), as("county"), id, ledger.Doing{Who: "李四", Note: "已通知患者"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Acknowledge(t.Context(), as("county"), id, ledger.Doing{Who: "李四"}); !hub.Is(err, hub.Conflict) {
		t.Errorf("twice: %v", err)
	}
	if list, err := w.Withdrawals(t.Context(), as("county"), "", false); err != nil || len(list) != 0 {
		t.Errorf("still open: %v %v", list, err)
	}
	if said := w.find("Communication", ""); len(said) != 1 || !strings.Contains(said[0], "已通知患者") {
		t.Errorf("%v", said)
	}
	w.potassium("k", "Patient/p", "corrected", "5.5", morning) // corrected once more: they were told that it does not hold
	w.settle()
	if list, _ := w.Withdrawals(t.Context(), as("county"), "", false); len(list) != 0 {
		t.Errorf("told twice: %v", list)
	}
}
