package laboratory_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/laboratory"
)

const taken = "2026-03-05T07:30:00Z"

func TestAMessageIsCompletedBesideWhatWasSent(t *testing.T) {
	w := newWorld(t, newHouse(t))
	m := w.send("village", report{Number: "1", Specimen: "B1", Kind: "血清", Taken: taken, Results: []item{
		{Code: "0021", Name: "血清钾", Value: "4.10", Unit: "mmol/l"}, {Code: "0099", Name: "某某因子", Value: "7", Unit: "×10⁹/L"}}})
	k := w.find("Observation", "code=http://loinc.org|2823-3")
	if len(k) != 1 {
		t.Fatalf("%d observations of potassium", len(k))
	}
	for _, want := range []string{`"code":{"coding":[{"system":"urn:lis","code":"0021","display":"血清钾"},{"system":"http://loinc.org","code":"2823-3","display":"Potassium"}]}`,
		`"valueQuantity":{"value":4.10,"unit":"mmol/l","system":"http://unitsofmeasure.org","code":"mmol/L"}`,
		`"referenceRange":[{"low":{"value":1,"unit":"mmol/l","system":"http://unitsofmeasure.org","code":"mmol/L"}}]`} {
		if !strings.Contains(k[0], want) {
			t.Errorf("%s is not in\n%s", want, k[0])
		}
	}
	if strings.Contains(k[0], "unmapped") {
		t.Errorf("it is said to be unmapped: %s", k[0])
	}
	if len(m.Unmapped) != 1 || m.Unmapped[0].Code != "0099" {
		t.Errorf("unmapped: %+v", m.Unmapped)
	}
	other := w.find("Observation", "code=urn:lis|0099")
	if len(other) != 1 || !strings.Contains(other[0], `"code":"10*9/L"`) || !strings.Contains(other[0], laboratory.UnmappedSystem) {
		t.Errorf("%s", other)
	}
}

func TestTheReportsNameTellsTheSpecimenOfItsResults(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.send("village", report{Number: "1", Panel: "尿液电解质", Results: []item{{Code: "K", Name: "钾", Value: "40", Unit: "mmol/L"}}})
	w.send("village", report{Number: "2", Panel: "急诊生化", Results: []item{{Code: "K", Name: "钾", Value: "4", Unit: "mmol/L"}}})
	if got := w.find("Observation", "code=http://loinc.org|2823-3"); len(got) != 1 || !strings.Contains(got[0], `"value":4,`) && !strings.Contains(got[0], `"value":4}`) {
		t.Errorf("potassium in blood: %s", got)
	}
}

func TestAnUnmappedCodeIsCountedAndSettled(t *testing.T) {
	h := newHouse(t)
	w := newWorld(t, h)
	for i := range 3 {
		w.send("village", report{Number: fmt.Sprint(i), Specimen: fmt.Sprint("B", i), Kind: "血清", Taken: taken, Results: []item{{Code: "0077", Name: "血清肌干", Value: "80", Unit: "umol/L"}}})
	}
	w.send("county", report{Number: "9", Results: []item{{Code: "0077", Name: "别的", Value: "80", Unit: "umol/L"}}})
	w.send("village", report{Number: "3", Specimen: "B3", Kind: "血清", Taken: taken, Results: []item{{Code: "0077", Name: "血清肌干", Value: "80", Unit: "umol/L"}}})
	page, err := w.follower.Search(t.Context(), hub.Query{Type: laboratory.SightingType, Limit: 10})
	if err != nil || len(page.Hits) != 2 {
		t.Errorf("%d sightings for two members' codes: %v", len(page.Hits), err)
	}
	list, err := w.queue.List(t.Context(), as("village"), "", 3)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	one := list[0]
	if one.Member != "village" || one.Count != 4 || one.Code.Code != "0077" || one.Unit != "umol/L" || !strings.HasPrefix(one.Example, "Observation/") || one.Settled {
		t.Errorf("%+v", one)
	}
	if len(one.Suggestions) == 0 || one.Suggestions[0].Code != "14682-9" {
		t.Errorf("suggested: %+v", one.Suggestions)
	}
	if all, err := w.queue.List(t.Context(), access.NewCaller("county", "integration system/*.cruds", "t"), "", 0); err != nil || len(all) != 2 {
		t.Errorf("the engineer sees %d, %v", len(all), err)
	}
	if _, err := w.queue.List(t.Context(), as("county"), "village", 0); !hub.Is(err, hub.Forbidden) {
		t.Errorf("another member sees it: %v", err)
	}
	mean := laboratory.Meaning{To: []laboratory.Coding{{System: laboratory.LOINC, Code: "14682-9"}, {System: "urn:yibao", Code: "250307001"}}}
	if _, err := w.queue.Settle(t.Context(), as("county"), "village", one.Code, mean); !hub.Is(err, hub.Forbidden) {
		t.Errorf("another member settles it: %v", err)
	}
	if _, err := w.queue.Settle(t.Context(), as("village"), "village", one.Code, laboratory.Meaning{To: []laboratory.Coding{{System: laboratory.LOINC, Code: "14682-8"}}}); !hub.Is(err, hub.Invalid) {
		t.Errorf("a wrong check digit: %v", err)
	}
	if _, err := w.queue.Settle(t.Context(), as("village"), "village", one.Code, mean); err != nil {
		t.Fatal(err)
	}
	second := newWorld(t, h) // another hub on the same store
	second.send("village", report{Number: "4", Specimen: "B4", Kind: "血清", Taken: taken, Results: []item{{Code: "0077", Name: "血清肌干", Value: "81", Unit: "umol/L"}}})
	if got := second.find("Observation", "code=http://loinc.org|14682-9"); len(got) != 1 || !strings.Contains(got[0], "250307001") {
		t.Errorf("after it was settled: %s", got)
	}
	if list, err = second.queue.List(t.Context(), as("village"), "", 3); err != nil || len(list) != 1 || !list[0].Settled || list[0].Count != 4 {
		t.Errorf("those of before are counted until they are mapped again: %+v, %v", list, err)
	}
	// Said again, it is said otherwise.
	if _, err := w.queue.Settle(t.Context(), as("village"), "village", one.Code, laboratory.Meaning{None: true}); err != nil {
		t.Fatal(err)
	}
	maps := w.find("ConceptMap", "")
	if len(maps) != 1 || !strings.Contains(maps[0], "unmatched") || strings.Contains(maps[0], "14682-9") || strings.Contains(maps[0], "yibao") {
		t.Errorf("%s", maps)
	}
}

func TestASpecimenSentAgainIsNotDoubled(t *testing.T) {
	w := newWorld(t, newHouse(t))
	first := report{Number: "1", Specimen: "B1", Kind: "血清", Taken: taken, Results: []item{{Code: "K", Name: "钾", Value: "4.1", Unit: "mmol/L"}, {Code: "NA", Name: "钠", Value: "140", Unit: "mmol/L"}}}
	w.send("village", first)
	again := first
	again.Number, again.Results = "2", []item{first.Results[1], {Code: "K", Name: "钾", Value: "4.4", Unit: "mmol/L", Status: "corrected"}}
	w.send("village", again)
	k := w.find("Observation", "code=http://loinc.org|2823-3")
	if len(k) != 1 || !strings.Contains(k[0], `"value":4.4`) || !strings.Contains(k[0], `"versionId":"2"`) {
		t.Errorf("potassium: %s", k)
	}
	if na := w.find("Observation", "code=http://loinc.org|2951-2"); len(na) != 1 {
		t.Errorf("sodium: %s", na)
	}
	for _, r := range w.find("DiagnosticReport", "") {
		if id := idOf(k[0]); !strings.Contains(r, "Observation/"+id) {
			t.Errorf("a report does not refer to %s: %s", id, r)
		}
	}
	other := first
	other.Number, other.Taken = "3", "2026-03-05T07:45:00Z"
	w.send("village", other)
	other.Number, other.Specimen, other.Taken = "4", "B2", taken
	w.send("village", other)
	if k := w.find("Observation", "code=http://loinc.org|2823-3"); len(k) != 3 {
		t.Errorf("taken at another time, and of another specimen, there are %d", len(k))
	}
	twice := report{Number: "5", Specimen: "B5", Kind: "血清", Taken: taken, Results: []item{{Code: "K", Name: "钾", Value: "4.1", Unit: "mmol/L"}, {Code: "K", Name: "钾", Value: "4.2", Unit: "mmol/L"}}}
	w.send("village", twice)
	if k := w.find("Observation", "code=http://loinc.org|2823-3"); len(k) != 5 {
		t.Errorf("measured twice in one report, there are %d", len(k))
	}
}

// idOf is the id of a resource.
func idOf(body string) string {
	_, rest, _ := strings.Cut(body, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

func plan(drafts ...commit.Draft) func(context.Context, *commit.View) ([]commit.Draft, error) {
	return func(context.Context, *commit.View) ([]commit.Draft, error) { return drafts, nil }
}

func TestACriticalValueIsNotifiedUntilItIsClosed(t *testing.T) {
	w := newWorld(t, newHouse(t))
	high := report{Number: "1", Specimen: "B1", Kind: "血清", Taken: taken, Results: []item{{Code: "K", Name: "钾", Value: "7.1", Unit: "mmol/L", Flag: "H"}, {Code: "NA", Name: "钠", Value: "140", Unit: "mmol/L"}}}
	w.send("village", high)
	obs := w.find("Observation", "code=http://loinc.org|2823-3")
	if len(obs) != 1 || !strings.Contains(obs[0], `"code":"H"`) || !strings.Contains(obs[0], `"code":"HH"`) {
		t.Errorf("%s", obs)
	}
	list, err := w.board.List(t.Context(), as("county"), laboratory.Wanted{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	a := list[0]
	if a.State != laboratory.Notified || a.Member != "village" || !strings.Contains(a.Text, "7.1 mmol/L") || !strings.Contains(a.Text, "potassium ≥ 6.2 mmol/L") || a.Patient != "Patient/village-p1" {
		t.Errorf("%+v", a)
	}
	if flags := w.find("Flag", "patient=Patient/village-p1"); len(flags) != 1 || !strings.Contains(flags[0], a.Observation) || !strings.Contains(flags[0], `"active"`) {
		t.Errorf("flags: %s", flags)
	}
	// The same again raises nothing.
	again := high
	again.Number = "2"
	w.send("village", again)
	if list, _ = w.board.List(t.Context(), as("county"), laboratory.Wanted{}); len(list) != 1 || !list[0].Raised.Equal(a.Raised) {
		t.Errorf("sent again: %+v", list)
	}
	if n, err := w.alarms.Escalate(t.Context()); n != 0 || err != nil {
		t.Errorf("escalated at once: %d, %v", n, err)
	}
	w.pass(10*time.Minute + time.Second)
	if n, err := w.alarms.Escalate(t.Context()); n != 1 || err != nil {
		t.Errorf("after ten minutes: %d, %v", n, err)
	}
	if n, _ := w.alarms.Escalate(t.Context()); n != 0 {
		t.Error("escalated twice at once")
	}
	if over, _ := w.board.List(t.Context(), as("county"), laboratory.Wanted{Overdue: true}); len(over) != 1 || over[0].Escalations != 1 {
		t.Errorf("overdue: %+v", over)
	}
	who := laboratory.Doing{Member: "county", Who: "李医生", Note: "已复查"}
	if _, err := w.alarms.Step(t.Context(), a.ID, laboratory.Close, who); !hub.Is(err, hub.Conflict) {
		t.Errorf("closed before anybody acted: %v", err)
	}
	for _, step := range []laboratory.Step{laboratory.Acknowledge, laboratory.Act, laboratory.Close} {
		if _, err := w.alarms.Step(t.Context(), a.ID, step, who); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	if list, _ = w.board.List(t.Context(), as("county"), laboratory.Wanted{}); len(list) != 0 {
		t.Errorf("open after it was closed: %+v", list)
	}
	if list, _ = w.board.List(t.Context(), as("county"), laboratory.Wanted{Closed: true}); len(list) != 1 || list[0].State != laboratory.Closed {
		t.Errorf("%+v", list)
	}
	said := w.find("Communication", "based-on=CommunicationRequest/"+a.ID)
	if len(said) != 4 {
		t.Errorf("%d communications, not one for the escalation and three steps", len(said))
	}
	if flags := w.find("Flag", ""); len(flags) != 1 || !strings.Contains(flags[0], `"inactive"`) {
		t.Errorf("%s", flags)
	}
	w.find("CommunicationRequest", "")
}

func TestACorrectionWithdrawsACriticalValue(t *testing.T) {
	w := newWorld(t, newHouse(t))
	rep := report{Number: "1", Specimen: "B1", Kind: "血清", Taken: taken, Results: []item{{Code: "K", Name: "钾", Value: "7.1", Unit: "mmol/L"}}}
	w.send("village", rep)
	rep.Results = []item{{Code: "K", Name: "钾", Value: "4.1", Unit: "mmol/L", Status: "corrected"}}
	w.send("village", rep)
	list, err := w.board.List(t.Context(), as("village"), laboratory.Wanted{Closed: true})
	if err != nil || len(list) != 1 || list[0].State != laboratory.Withdrawn {
		t.Fatalf("%+v, %v", list, err)
	}
	rep.Results[0].Value = "8.2"
	w.send("village", rep)
	if list, _ = w.board.List(t.Context(), as("village"), laboratory.Wanted{}); len(list) != 1 || !strings.Contains(list[0].Text, "8.2") {
		t.Errorf("critical once more: %+v", list)
	}
}

func TestAnOldResultIsHistoryAndNoAlarm(t *testing.T) {
	w := newWorld(t, newHouse(t))
	for i, at := range []string{"2026-03-04T08:00:00Z", "2026-03-04T07:59:00Z"} {
		w.send("village", report{Number: fmt.Sprint(i), Specimen: fmt.Sprint("B", i), Kind: "血清", Taken: at, Results: []item{{Code: "K", Name: "钾", Value: "7.1", Unit: "mmol/L"}}})
	}
	list, err := w.board.List(t.Context(), as("village"), laboratory.Wanted{})
	if err != nil || len(list) > 0 {
		t.Errorf("more than a day old: %+v, %v", list, err)
	}
	w.send("village", report{Number: "3", Specimen: "B3", Kind: "血清", Taken: "2026-03-04T09:00:00Z", Results: []item{{Code: "K", Name: "钾", Value: "7.1", Unit: "mmol/L"}}})
	if list, _ = w.board.List(t.Context(), as("village"), laboratory.Wanted{}); len(list) != 1 {
		t.Errorf("of 23 hours: %+v", list)
	}
}

func TestNobodyForgesAnAlarm(t *testing.T) {
	w := newWorld(t, newHouse(t))
	rep := report{Number: "1", Specimen: "B1", Kind: "血清", Taken: taken, Results: []item{{Code: "K", Name: "钾", Value: "7.1", Unit: "mmol/L"}}}
	w.send("village", rep)
	list, _ := w.board.List(t.Context(), as("village"), laboratory.Wanted{})
	name := hub.Name{Type: "CommunicationRequest", ID: list[0].ID}
	body := w.find("CommunicationRequest", "")[0]
	forged := strings.ReplaceAll(strings.ReplaceAll(body, `"valueCode":"notified"`, `"valueCode":"closed"`), `"active"`, `"completed"`)
	h := newHouse(t)
	other := newWorld(t, h) // where the name is taken before the result comes
	_, err := other.writer.Submit(t.Context(), commit.Write{Member: "rogue", Names: []hub.Name{name}, Plan: plan(commit.Draft{Name: name, Body: func(uint64, time.Time) []byte { return []byte(forged) }})})
	if err != nil {
		t.Fatal(err)
	}
	other.send("village", rep)
	if list, err := other.board.List(t.Context(), as("village"), laboratory.Wanted{}); err != nil || len(list) != 1 || list[0].State != laboratory.Notified {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestOfTenHubsOneEscalatesAndOneAcknowledges(t *testing.T) {
	h := newHouse(t)
	hubs := make([]*world, 10)
	for i := range hubs {
		hubs[i] = newWorld(t, h)
	}
	hubs[0].send("village", report{Number: "1", Specimen: "B1", Kind: "血清", Taken: taken, Results: []item{{Code: "K", Name: "钾", Value: "7.1", Unit: "mmol/L"}}})
	var wg sync.WaitGroup
	for _, w := range hubs {
		wg.Go(func() {
			for _, watch := range w.watches {
				if _, err := watch.Advance(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list, err := hubs[3].board.List(t.Context(), as("village"), laboratory.Wanted{Closed: true})
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	var mu sync.Mutex
	escalated, acknowledged := 0, 0
	for _, w := range hubs {
		w.pass(11 * time.Minute)
		wg.Go(func() {
			n, err := w.alarms.Escalate(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			escalated += n
			mu.Unlock()
		})
	}
	wg.Wait()
	for i, w := range hubs {
		wg.Go(func() {
			_, err := w.alarms.Step(t.Context(), list[0].ID, laboratory.Acknowledge, laboratory.Doing{Member: "county", Who: fmt.Sprint("nurse ", i)})
			if err != nil && !hub.Is(err, hub.Conflict) {
				t.Error(err)
			}
			mu.Lock()
			if err == nil {
				acknowledged++
			}
			mu.Unlock()
		})
	}
	wg.Wait()
	if escalated != 1 || acknowledged != 1 {
		t.Errorf("escalated %d times, acknowledged %d times", escalated, acknowledged)
	}
	if said := hubs[5].find("Communication", ""); len(said) != 2 {
		t.Errorf("%d communications", len(said))
	}
}

func TestADeltaIsTold(t *testing.T) {
	w := newWorld(t, newHouse(t))
	send := func(member, number, at, value string) {
		w.send(member, report{Number: number, Specimen: "B" + number, Kind: "血清", Taken: at, Results: []item{{Code: "K", Name: "钾", Value: value, Unit: "mmol/L"}}})
	}
	send("village", "1", "2026-03-04T18:00:00Z", "3.0")
	send("village", "2", "2026-03-05T06:00:00Z", "4.0")
	if got := w.find("DetectedIssue", ""); len(got) != 0 {
		t.Errorf("within the limit: %s", got)
	}
	send("village", "3", "2026-03-05T07:00:00Z", "5.6")
	got := w.find("DetectedIssue", "patient=Patient/village-p1")
	if len(got) != 1 || !strings.Contains(got[0], "+1.6 mmol/L (+40.0 %)") {
		t.Fatalf("%s", got)
	}
	send("village", "3", "2026-03-05T07:00:00Z", "4.2") // corrected
	if got := w.find("DetectedIssue", ""); len(got) != 0 {
		t.Errorf("after the correction: %s", got)
	}
}

func TestAWatchGoesOnWhereItsMarkIs(t *testing.T) {
	h := newHouse(t)
	w := newWorld(t, h)
	rep := report{Number: "1", Specimen: "B1", Kind: "血清", Taken: taken, Results: []item{{Code: "K", Name: "钾", Value: "7.1", Unit: "mmol/L"}, {Code: "X", Name: "某某", Value: "1", Unit: "g"}}}
	w.send("village", rep)
	list, _ := w.board.List(t.Context(), as("village"), laboratory.Wanted{})
	w.alarms.Step(t.Context(), list[0].ID, laboratory.Acknowledge, laboratory.Doing{Member: "village", Who: "n"})
	fresh := newWorld(t, h) // has no mark: follows all again
	fresh.derive()
	after, err := fresh.board.List(t.Context(), as("village"), laboratory.Wanted{})
	if err != nil || len(after) != 1 || after[0].State != laboratory.Acknowledged {
		t.Errorf("%+v, %v", after, err)
	}
	marks, err := h.index.Marks(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	fresh.derive()
	if now, _ := h.index.Marks(t.Context(), records); now.Applied != marks.Applied {
		t.Errorf("following again wrote %d commits", now.Applied-marks.Applied)
	}
}

func TestACriticalValueIsAddressedToWhoOrderedItAndWhoAttends(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.write("village",
		`{"resourceType":"ServiceRequest","id":"order","status":"active","intent":"order","subject":{"reference":"Patient/p"},"requester":{"reference":"Practitioner/orders"}}`,
		`{"resourceType":"Encounter","id":"stay","status":"in-progress","class":{"code":"IMP"},"subject":{"reference":"Patient/p"},"participant":[
			{"type":[{"coding":[{"code":"ATND"}]}],"individual":{"reference":"Practitioner/attends"}},{"type":[{"coding":[{"code":"REF"}]}],"individual":{"reference":"Practitioner/refers"}}]}`,
		`{"resourceType":"Observation","id":"k","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"subject":{"reference":"Patient/p"},
			"basedOn":[{"reference":"ServiceRequest/order"}],"encounter":{"reference":"Encounter/stay"},"valueQuantity":{"value":7.9,"unit":"mmol/L"}}`,
		`{"resourceType":"Observation","id":"na","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2951-2"}]},"subject":{"reference":"Patient/p"},
			"basedOn":[{"reference":"ServiceRequest/none"}],"valueQuantity":{"value":190,"unit":"mmol/L"}}`)
	w.derive()
	all := w.find("CommunicationRequest", "")
	if len(all) != 2 {
		t.Fatalf("%d critical values are told", len(all))
	}
	to := map[bool]string{true: `"recipient":[{"reference":"Practitioner/orders"},{"reference":"Practitioner/attends"}]`, false: ""}
	for _, one := range all {
		ordered := strings.Contains(one, "Observation/k")
		if !strings.Contains(one, to[ordered]) || strings.Contains(one, "recipient") != ordered {
			t.Errorf("told is %s", one)
		}
	}
}
