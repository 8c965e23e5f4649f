package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/hub/recognition/ledger"
)

// recount counts from the log alone: the last version of each opportunity, measure by measure, as the words of the measures say.
func (w *world) recount(in func(o *ledger.Opportunity) bool) map[ledger.Measure]int {
	w.t.Helper()
	tail, err := w.Follower.Log().Tail(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	last := map[string]ledger.Opportunity{}
	err = w.Follower.Log().Commits(w.t.Context(), 1, tail, func(c *hub.Commit, _ []byte) error {
		for i := range c.Records {
			if o, ok := ledger.ReadOpportunity(&c.Records[i]); ok {
				last[o.ID] = o
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	n := map[ledger.Measure]int{}
	unqualified := map[string]bool{}
	for _, o := range last {
		if !in(&o) {
			continue
		}
		for _, s := range o.Shown {
			if s.Unqualified {
				unqualified[s.Result] = true
			}
		}
		switch o.Outcome {
		case recognition.Exempt:
			n[ledger.Exemptions]++
			continue
		case recognition.ReferenceOnly:
			n[ledger.References]++
			continue
		case recognition.NotRecognisable:
			n[ledger.Impossible]++
			continue
		}
		n[ledger.Opportunities]++
		switch o.Choice.Verdict {
		case ledger.Recognised:
			n[ledger.Acceptances]++
			if len(o.Withdrawn) > 0 {
				n[ledger.Withdrawals]++
			}
			continue
		case "":
			n[ledger.Silences]++
		default:
			n[ledger.Refusals]++
		}
		if o.Repeat.What != "" {
			n[ledger.Repeats]++
		}
	}
	n[ledger.UnqualifiedAre] = len(unqualified)
	return n
}

// many makes n opportunities of all sorts.
func (w *world) many(n int) {
	w.t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	members := []string{"county", "lead", "village", "town"}
	outcomes := []recognition.Outcome{recognition.Recognisable, recognition.Recognisable, recognition.Recognisable, recognition.Exempt, recognition.ReferenceOnly, recognition.NotRecognisable}
	for i := range n {
		o := offer{patient: fmt.Sprintf("Patient/p%d", i), result: fmt.Sprintf("Observation/k%d", i), department: []string{"内科", "外科", ""}[r.IntN(3)],
			producer: members[r.IntN(4)], outcome: outcomes[r.IntN(6)], unqualified: r.IntN(4) == 0, item: []string{"potassium", "sodium", "urea"}[r.IntN(3)],
			at: morning.AddDate(0, 0, -r.IntN(90))}
		o.unqualified = o.unqualified || o.outcome == recognition.NotRecognisable
		member := members[r.IntN(4)]
		card := w.offer(member, o)
		if o.outcome == recognition.NotRecognisable {
			continue
		}
		switch r.IntN(3) {
		case 0:
			w.accept(member, card)
		case 1:
			w.decline(member, card, []string{"other", "decisive"}[r.IntN(2)])
		}
	}
	w.settle()
}

func TestCountsEqualARecount(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.pass(time.Hour)
	w.many(300)
	w.put("county", "ServiceRequest", "s1", `{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"Patient/p7"},"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]}}`)
	w.settle()
	zone := time.FixedZone("", 8*3600)
	for _, c := range []struct {
		say string
		f   ledger.Filter
		in  func(o *ledger.Opportunity) bool
	}{
		{"all", ledger.Filter{}, func(*ledger.Opportunity) bool { return true }},
		{"of one that orders", ledger.Filter{Where: map[ledger.Dimension]string{ledger.ByUsing: "lead"}}, func(o *ledger.Opportunity) bool { return o.Member == "lead" }},
		{"of one item and month", ledger.Filter{Where: map[ledger.Dimension]string{ledger.ByItem: "urea", ledger.ByMonth: "2026-02"}},
			func(o *ledger.Opportunity) bool {
				return o.Item == "urea" && o.First.In(zone).Format("2006-01") == "2026-02"
			}},
		{"of a period", ledger.Filter{From: morning.AddDate(0, 0, -20), To: morning.AddDate(0, 0, -10)},
			func(o *ledger.Opportunity) bool {
				return !o.First.Before(morning.AddDate(0, 0, -20)) && o.First.Before(morning.AddDate(0, 0, -10))
			}},
	} {
		r := w.report(engineer, c.f)
		for m, n := range w.recount(c.in) {
			if r.Total.Of[m] != n {
				t.Errorf("%s: %d %s, the log has %d", c.say, r.Total.Of[m], m, n)
			}
		}
		for _, m := range ledger.Measures() {
			n, after := 0, ""
			for {
				page, err := w.List(t.Context(), engineer, c.f, m, after, 17)
				if err != nil {
					t.Fatal(err)
				}
				n += len(page.Opportunities) + len(page.Results)
				if after = page.Next; after == "" {
					break
				}
			}
			if n != r.Total.Of[m] {
				t.Errorf("%s: the list of %s has %d, the number is %d", c.say, m, n, r.Total.Of[m])
			}
		}
	}
	for _, by := range [][]ledger.Dimension{{ledger.ByUsing}, {ledger.ByDepartment, ledger.ByReason}, {ledger.ByMonth, ledger.ByItem, ledger.ByUsing}} {
		r := w.report(engineer, ledger.Filter{By: by})
		sum := map[ledger.Measure]int{}
		for _, row := range r.Rows {
			if len(row.Values) != len(by) {
				t.Fatalf("%v: a row of %v", by, row.Values)
			}
			for m, n := range row.Of {
				sum[m] += n
			}
		}
		for m, n := range r.Total.Of {
			if sum[m] != n {
				t.Errorf("%v: rows have %d %s together, the total is %d", by, sum[m], m, n)
			}
		}
	}
}

func TestAnotherHubAndARebuiltIndexCountTheSame(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.many(60)
	f := ledger.Filter{By: []ledger.Dimension{ledger.ByMonth, ledger.ByUsing}}
	want := fmt.Sprint(w.report(engineer, f).Rows)
	second := newWorld(t, w.house)
	if got := fmt.Sprint(second.report(engineer, f).Rows); got != want {
		t.Errorf("another hub: %s, want %s", got, want)
	}
	if err := w.house.index.Reset(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if err := w.Follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	third := newWorld(t, w.house)
	if got := fmt.Sprint(third.report(engineer, f).Rows); got != want {
		t.Errorf("of a rebuilt index: %s, want %s", got, want)
	}
	if got := fmt.Sprint(w.report(engineer, f).Rows); got != want {
		t.Errorf("after the rebuild: %s, want %s", got, want)
	}
	if err := second.Follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What one hub writes the others count.
	w.offer("county", offer{patient: "Patient/new"})
	w.settle()
	if a, b := w.report(engineer, f), second.report(engineer, f); fmt.Sprint(a.Rows) != fmt.Sprint(b.Rows) || a.Through != b.Through {
		t.Errorf("%v\n%v", a.Rows, b.Rows)
	}
}

func TestTheMonthIsThatOfChina(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.offer("county", offer{at: time.Date(2026, 2, 28, 15, 59, 59, 0, time.UTC)})
	w.offer("county", offer{at: time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC), patient: "Patient/q"})
	w.settle()
	r := w.report(engineer, ledger.Filter{By: []ledger.Dimension{ledger.ByMonth}})
	if len(r.Rows) != 2 || r.Rows[0].Values[0] != "2026-02" || r.Rows[1].Values[0] != "2026-03" {
		t.Errorf("%+v", r.Rows)
	}
}

func TestAMemberIsToldOfItsOwnAndNothingSmallOfOthers(t *testing.T) {
	w := newWorld(t, newHouse(t))
	for i := range 7 { // county orders, village gives
		w.offer("county", offer{patient: fmt.Sprintf("Patient/a%d", i), department: "内科"})
	}
	secret := w.offer("lead", offer{patient: "Patient/s", producer: "town", department: "肿瘤科"})
	w.settle()
	w.decline("lead", secret, "forensic")
	town := w.report(as("town"), ledger.Filter{By: []ledger.Dimension{ledger.ByUsing, ledger.ByDepartment}})
	if len(town.Rows) != 1 || strings.Join(town.Rows[0].Values, ",") != "lead," {
		t.Errorf("town is told of what it gave, not of the other's department: %+v", town.Rows)
	}
	if got := counted(w.report(as("village"), ledger.Filter{}).Total); got != "offered 7, unanswered 7" {
		t.Errorf("village gave: %s", got)
	}
	if got := counted(w.report(as("stranger"), ledger.Filter{}).Total); got != "" {
		t.Errorf("a stranger is told %s", got)
	}
	whole := w.report(as("county"), ledger.Filter{Consortium: true, By: []ledger.Dimension{ledger.ByReason}})
	if got := counted(whole.Total); got != "offered 7, unanswered 7" || whole.Rounded != 5 {
		t.Errorf("county of the consortium: %s, rounded to %d", got, whole.Rounded)
	}
	for _, row := range whole.Rows {
		if row.Values[0] == "forensic" {
			t.Errorf("the single case of another shows: %+v", row)
		}
	}
	if got := counted(w.report(engineer, ledger.Filter{Consortium: true}).Total); got != "offered 8, declined 1, unanswered 7" {
		t.Errorf("the engineer of all: %s", got)
	}
	for say, f := range map[string]ledger.Filter{
		"by institution": {Consortium: true, By: []ledger.Dimension{ledger.ByUsing}},
		"two dimensions": {Consortium: true, By: []ledger.Dimension{ledger.ByItem, ledger.ByMonth}},
		"a condition":    {Consortium: true, Where: map[ledger.Dimension]string{ledger.ByItem: "potassium"}},
		"a day":          {Consortium: true, From: morning, To: morning.Add(24 * time.Hour)},
	} {
		if _, err := w.Statistics(t.Context(), as("county"), f); !hub.Is(err, hub.Forbidden) {
			t.Errorf("%s of the whole consortium: %v", say, err)
		}
	}
	if _, err := w.List(t.Context(), as("county"), ledger.Filter{Consortium: true}, ledger.Opportunities, "", 10); !hub.Is(err, hub.Forbidden) {
		t.Errorf("the list of the whole consortium: %v", err)
	}
	if _, err := w.List(t.Context(), access.NewCaller("county", "system/Patient.rs", "t"), ledger.Filter{}, ledger.Opportunities, "", 10); !hub.Is(err, hub.Forbidden) {
		t.Errorf("without the scope: %v", err)
	}
	page, err := w.List(t.Context(), as("village"), ledger.Filter{}, ledger.Opportunities, "", 10)
	if err != nil || len(page.Opportunities) != 7 || page.Opportunities[0].Department != "" {
		t.Errorf("%+v %v", page, err)
	}
}

func TestWhatALabelKeepsIsInNoList(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.put("village", "Observation", "k", `{"resourceType":"Observation","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"status":"final",
		"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2026-03-05T08:00:00+08:00","valueQuantity":{"value":4}}`)
	w.offer("village", offer{}) // its own
	w.settle()
	if page, err := w.List(t.Context(), as("village"), ledger.Filter{}, ledger.Opportunities, "", 10); err != nil || len(page.Opportunities) != 1 {
		t.Errorf("whose it is: %+v %v", page, err)
	}
	if page, err := w.List(t.Context(), engineer, ledger.Filter{}, ledger.Opportunities, "", 10); err != nil || len(page.Opportunities) != 0 {
		t.Errorf("another: %+v %v", page, err)
	}
}

func TestAFullQueueSaysSoAndAnOrderlyStopLosesNothing(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.Limits.Queue = 50
	var offers []ledger.Offer
	for i := range 51 {
		offers = append(offers, w.made(offer{patient: fmt.Sprintf("Patient/p%d", i)}))
	}
	if err := w.Offer(t.Context(), as("county"), offers); !hub.Is(err, hub.Unavailable) {
		t.Errorf("51 offers where 50 have room: %v", err)
	}
	if err := w.Offer(t.Context(), as("county"), offers[:50]); err != nil {
		t.Fatal(err)
	}
	w.stop()
	if got := counted(w.report(engineer, ledger.Filter{}).Total); got != "offered 50, unanswered 50" {
		t.Errorf("after the stop: %s", got)
	}
	if err := w.Offer(context.Background(), as("county"), offers[:1]); !hub.Is(err, hub.Unavailable) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestAnOfferWaitsForAPlaceAsLongAsItsAnswerMay(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.Limits.Queue = 10
	var offers []ledger.Offer
	for i := range 15 {
		offers = append(offers, w.made(offer{patient: fmt.Sprintf("Patient/p%d", i)}))
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for i := 0; i < len(offers); i++ { // however fast they are written meanwhile, each of these has a place
		if err := w.Offer(t.Context(), as("county"), offers[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Offer(short, as("county"), append(slices.Clone(offers), offers...)[:11]); !hub.Is(err, hub.Unavailable) {
		t.Errorf("more than ever has room: %v", err)
	}
	w.stop()
	if got := counted(w.report(engineer, ledger.Filter{}).Total); got != "offered 15, unanswered 15" {
		t.Errorf("after the stop: %s", got)
	}
}

func TestAnUnqualifiedResultCountsOnceWhereverItComesUp(t *testing.T) {
	w := newWorld(t, newHouse(t))
	for _, member := range []string{"county", "lead"} {
		w.offer(member, offer{outcome: recognition.NotRecognisable, unqualified: true})
	}
	w.offer("county", offer{patient: "Patient/q", outcome: recognition.NotRecognisable}) // nothing to be said of it
	w.settle()
	w.wants("not-recognisable 2, unqualified 1")
	r := w.report(as("village"), ledger.Filter{By: []ledger.Dimension{ledger.ByGiving}})
	if i := slices.IndexFunc(r.Rows, func(row ledger.Row) bool { return row.Values[0] == "village" }); i < 0 || r.Rows[i].Of[ledger.UnqualifiedAre] != 1 {
		t.Errorf("the producer is not told: %+v", r.Rows)
	}
}
