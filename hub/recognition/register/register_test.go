package register_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition/register"
)

func TestWhatOneProposesAnotherReleases(t *testing.T) {
	w := newWorld(t)
	r, other := w.hub(), w.hub()
	before := r.Catalogue()
	p := propose(t, r, zhang, changes(with(r, "alt", map[string]any{"window": "21d"})))
	if p.State() != "open" || r.Catalogue() != before {
		t.Fatalf("a proposal alone is in force: %s", r.Catalogue().Version)
	}
	again := person("village", "ＺＨＡＮＧ") // the same name in wide letters, with a token of another member
	for say, who := range map[string]access.Caller{"the author": zhang, "the author of another member": again} {
		if _, err := r.Rule(t.Context(), who, p.ID, register.Released, "ok"); !hub.Is(err, hub.Forbidden) {
			t.Errorf("%s releases: %v", say, err)
		}
		if _, err := r.Rule(t.Context(), who, p.ID, register.Rejected, "no"); !hub.Is(err, hub.Forbidden) {
			t.Errorf("%s rejects: %v", say, err)
		}
	}
	if _, err := r.Rule(t.Context(), access.NewCaller("village", "system/*.*", "1"), p.ID, register.Released, ""); !hub.Is(err, hub.Forbidden) {
		t.Errorf("without the scope: %v", err)
	}
	done, err := other.Rule(t.Context(), li, p.ID, register.Released, "checked")
	if err != nil {
		t.Fatal(err)
	}
	if done.Ruling.Number != 1 || done.Ruling.By != (register.Person{Member: "village", Name: "li"}) || done.By.Name != "zhang" || done.Reason == "" {
		t.Errorf("%+v %+v", done, done.Ruling)
	}
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, hub := range []*register.Register{r, other, w.hub()} {
		if got := window(t, hub, w.clock(), "alt"); got != before.Version+"+1 504h0m0s" {
			t.Errorf("after the release: %s", got)
		}
	}
	if old, err := r.CatalogueAt(before.Version); err != nil || old.Item("alt").Windows.Default != 14*24*time.Hour {
		t.Errorf("the version before: %v", err)
	}
	if _, err := r.Rule(t.Context(), li, p.ID, register.Rejected, "late"); !hub.Is(err, hub.Conflict) {
		t.Errorf("a second ruling: %v", err)
	}
}

func TestOfTwoReleasesAtOnceThereIsOne(t *testing.T) {
	w := newWorld(t)
	hubs := []*register.Register{w.hub(), w.hub(), w.hub()}
	for range 5 {
		p := propose(t, hubs[0], zhang, register.Request{Reason: w.clock().String(), Changes: []register.Change{with(hubs[0], "alt", map[string]any{"note": w.clock().String()})}})
		before := len(hubs[0].Releases())
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 6 {
			wg.Go(func() {
				verdict := []register.Verdict{register.Released, register.Released, register.Rejected}[i%3]
				_, err := hubs[i%3].Rule(t.Context(), person("village", []string{"li", "wang", "zhao"}[i/2]), p.ID, verdict, "x")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !hub.Is(err, hub.Conflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, h := range hubs {
			if err := h.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if now, _ := h.Proposal(p.ID); won != 1 || now.State() == "open" || len(h.Releases()) > before+1 || h.Catalogue().Version != hubs[0].Catalogue().Version {
				t.Fatalf("%d rulings held; %s, %d releases", won, now.State(), len(h.Releases()))
			}
		}
		w.pass(time.Second)
	}
}

func TestDifferentProposalsAtOnceAreAllKept(t *testing.T) {
	w := newWorld(t)
	hubs := []*register.Register{w.hub(), w.hub()}
	var wg sync.WaitGroup
	for i, item := range []string{"alt", "ast", "ggt", "alp", "urea", "urate"} {
		wg.Go(func() {
			r := hubs[i%2]
			p, err := r.Propose(t.Context(), zhang, register.Request{Reason: item, Changes: []register.Change{with(r, item, map[string]any{"window": "9d"})}})
			if err == nil {
				_, err = r.Rule(t.Context(), li, p.ID, register.Released, "")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	fresh := w.hub()
	if got := fresh.Catalogue().Version; got != fresh.Starter.Version+"+6" {
		t.Errorf("version %s", got)
	}
	for n, p := range fresh.Releases() {
		if p.Ruling.Number != 6-n {
			t.Errorf("release %d is at %d", p.Ruling.Number, n)
		}
	}
}

func TestAReleaseTakesForceWhenItSays(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	v := r.Starter.Version
	day := 24 * time.Hour
	tomorrow := w.clock().Add(day)
	release(t, r, register.Request{Effective: tomorrow, Changes: []register.Change{with(r, "alt", map[string]any{"window": "7d"})}})
	release(t, r, changes(with(r, "ast", map[string]any{"window": "5d"})))
	if got, want := window(t, r, w.clock(), "alt"), v+"+2.without.1 336h0m0s"; got != want {
		t.Errorf("today %s, want %s", got, want)
	}
	if got, want := window(t, r, tomorrow, "alt"), v+"+2 168h0m0s"; got != want {
		t.Errorf("tomorrow %s, want %s", got, want)
	}
	if got := window(t, r, tomorrow.Add(-time.Millisecond), "alt"); !strings.Contains(got, "without") {
		t.Errorf("a moment before: %s", got)
	}
	if c, err := r.CatalogueAt(v + "+2.without.1"); err != nil || c.Item("ast").Windows.Default != 5*day || c.Item("alt").Windows.Default != 14*day {
		t.Errorf("by its version: %v", err)
	}
	for _, text := range []string{v + "+3", v + "+", v + "+0", v + "+02", "other-1+1", v + "+2.without.", v + "+x", ""} {
		if _, err := r.CatalogueAt(text); !hub.Is(err, hub.NotFound) {
			t.Errorf("%q: %v", text, err)
		}
	}
	w.pass(2 * day)
	if got := r.Catalogue().Version; got != v+"+2" {
		t.Errorf("after two days %s", got)
	}
	// One that is released after the day it names does not reach back.
	p := propose(t, r, zhang, register.Request{Effective: w.clock().Add(time.Hour), Changes: []register.Change{with(r, "ggt", map[string]any{"window": "6d"})}})
	w.pass(day)
	if _, err := r.Rule(t.Context(), li, p.ID, register.Released, ""); err != nil {
		t.Fatal(err)
	}
	if got := window(t, r, w.clock().Add(-time.Hour), "ggt"); got != v+"+2 336h0m0s" {
		t.Errorf("an hour before its release: %s", got)
	}
}

func TestRowsAreLintedWhenProposedAndWhenReleased(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	for say, c := range map[string]register.Change{
		"a wrong check digit":        with(r, "alt", map[string]any{"loinc": []any{"1742-7"}}),
		"another item's name":        with(r, "alt", map[string]any{"aliases": []any{"AST"}}),
		"no such column":             with(r, "alt", map[string]any{"windw": "3d"}),
		"no window":                  with(r, "alt", map[string]any{"window": "soon"}),
		"a class that there is not":  with(r, "alt", map[string]any{"window": map[string]any{"default": "3d", "INPATIENT": "1d"}}),
		"no provenance":              with(r, "alt", map[string]any{"source": ""}),
		"a price that is none":       with(r, "alt", map[string]any{"prices": []any{map[string]any{"amount": "cheap", "source": "D"}}}),
		"a price of no form":         with(r, "alt", map[string]any{"prices": "12.50"}),
		"a price twice":              with(r, "alt", map[string]any{"prices": []any{map[string]any{"amount": "1", "source": "D"}, map[string]any{"amount": "2", "source": "D"}}}),
		"an id that is another's":    {Item: "alt", Row: register.Row{"id": "ast"}},
		"no item to retire":          {Item: "nothing", Retire: true},
		"two things":                 {Item: "alt", Retire: true, Restore: true},
		"nothing":                    {Item: "alt"},
		"an institution from abroad": qualified("mars", "alt", "2026-01-01", "2026-12-31", register.Passed),
		"an item from abroad":        qualified("county", "mars", "2026-01-01", "2026-12-31", register.Passed),
		"an end before the start":    qualified("county", "alt", "2026-01-02", "2026-01-01", register.Passed),
		"a day that there is not":    qualified("county", "alt", "2026-02-30", "2026-12-31", register.Passed),
		"a mark without a pass":      qualified("county", "alt", "2026-01-01", "2026-12-31", register.Failed, mark("全国", "全国HR")),
		"a formula":                  qualified("county", "alt", "2026-01-01", "2026-12-31", register.Passed, mark("", "=1+1")),
		"a line break":               qualified("county", "alt", "2026-01-01", "2026-12-31", register.Passed, mark("", "a\nb")),
	} {
		if _, err := r.Propose(t.Context(), zhang, register.Request{Reason: "x", Changes: []register.Change{c}}); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", say, err)
		}
	}
	for say, q := range map[string]register.Request{
		"no reason":         {Changes: []register.Change{with(r, "alt", map[string]any{"window": "1d"})}},
		"a reason too long": {Reason: strings.Repeat("长", 501), Changes: []register.Change{with(r, "alt", map[string]any{"window": "1d"})}},
		"no change":         {Reason: "x"},
		"one row twice":     {Reason: "x", Changes: []register.Change{with(r, "alt", map[string]any{"window": "1d"}), {Item: "alt", Retire: true}}},
		"too far ahead":     {Reason: "x", Effective: w.clock().AddDate(6, 0, 0), Changes: []register.Change{with(r, "alt", map[string]any{"window": "1d"})}},
	} {
		if _, err := r.Propose(t.Context(), zhang, q); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", say, err)
		}
	}
	// Each alone is right, both together are not: the second is refused at its release.
	one := propose(t, r, zhang, changes(with(r, "alt", map[string]any{"aliases": []any{"同名"}})))
	two := propose(t, r, zhang, changes(with(r, "ast", map[string]any{"aliases": []any{"同名"}})))
	if _, err := r.Rule(t.Context(), li, one.ID, register.Released, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rule(t.Context(), li, two.ID, register.Released, ""); !hub.Is(err, hub.Invalid) {
		t.Errorf("released against the one before: %v", err)
	}
	if len(r.Releases()) != 1 || len(r.Proposals("open")) != 1 {
		t.Error("what was refused left a trace")
	}
}

func TestPricesAreReleasedWithTheirRow(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	release(t, r, changes(with(r, "alt", map[string]any{"prices": []any{map[string]any{"region": "340000", "amount": "8.50", "source": "V"}, map[string]any{"amount": "10", "source": "D"}}})))
	for regions, want := range map[string]string{"340321": "8.50 CNY", "110105": "10.00 CNY"} {
		if got := r.Catalogue().Price("alt", []string{regions}).String(); got != want {
			t.Errorf("in %s: %s, want %s", regions, got, want)
		}
	}
	if d := r.Differences(r.Releases()[0]); len(d) != 1 || len(d[0].Columns) != 1 || !strings.Contains(d[0].Columns[0].Chinese, "分地区价格") {
		t.Errorf("%+v", d)
	}
}

func TestTwoProposalsOnOneRowAreToldAndOnlyOneIsReleased(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	one := propose(t, r, zhang, changes(with(r, "alt", map[string]any{"window": "7d"})))
	two := propose(t, r, li, changes(with(r, "alt", map[string]any{"window": "10d"})))
	if c := r.Conflicts(two); len(c) != 1 || c[0] != one.ID {
		t.Errorf("conflicts %v", c)
	}
	if _, err := r.Rule(t.Context(), li, one.ID, register.Released, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rule(t.Context(), zhang, two.ID, register.Released, ""); !hub.Is(err, hub.Conflict) {
		t.Errorf("the second: %v", err)
	}
	if _, err := r.Rule(t.Context(), zhang, two.ID, register.Rejected, ""); !hub.Is(err, hub.Invalid) {
		t.Errorf("rejected without a reason: %v", err)
	}
	if _, err := r.Rule(t.Context(), zhang, two.ID, register.Rejected, "overtaken"); err != nil {
		t.Error(err)
	}
	three := propose(t, r, li, register.Request{Reason: "again", Changes: []register.Change{with(r, "alt", map[string]any{"window": "10d"})}})
	if _, err := r.Rule(t.Context(), zhang, three.ID, register.Withdrawn, ""); !hub.Is(err, hub.Forbidden) {
		t.Errorf("another's is withdrawn: %v", err)
	}
	if p, err := r.Rule(t.Context(), li, three.ID, register.Withdrawn, ""); err != nil || p.State() != "withdrawn" {
		t.Errorf("its own: %v", err)
	}
	if again := propose(t, r, li, changes(with(r, "alt", map[string]any{"window": "7d"}))); again.ID != "" || len(again.Changes) != 0 {
		t.Errorf("what is in force is proposed: %+v", again)
	}
}

func TestRetiredRestoredAndRolledBack(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	now := func(item string) string { return strings.TrimPrefix(window(t, r, w.clock(), item), r.Starter.Version) }
	added := register.Row{"id": "ck", "kind": "laboratory", "zh": "肌酸激酶", "en": "Creatine kinase", "loinc": []any{"2157-6"}, "window": "3d", "source": "D"}
	release(t, r, changes(register.Change{Item: "alt", Retire: true}, register.Change{Item: "ck", Row: added}))
	if now("alt") != "+1 none" || now("ck") != "+1 72h0m0s" {
		t.Fatalf("%s %s", now("alt"), now("ck"))
	}
	if one, err := r.Item("alt", w.clock()); err != nil || !one.Retired || one.Release != 1 || one.Row["window"] != "14d" {
		t.Errorf("a retired row: %+v, %v", one, err)
	}
	release(t, r, changes(register.Change{Item: "alt", Restore: true}))
	if now("alt") != "+2 336h0m0s" {
		t.Errorf("restored: %s", now("alt"))
	}
	if _, err := r.RollBack(t.Context(), zhang, 1, "mistake"); !hub.Is(err, hub.Conflict) {
		t.Errorf("a release with a later one upon it is rolled back: %v", err)
	}
	back, err := r.RollBack(t.Context(), zhang, 2, "mistake")
	if err != nil || back.Reverts != 2 {
		t.Fatalf("%+v, %v", back, err)
	}
	if now("alt") != "+2 336h0m0s" {
		t.Error("rolled back without a second person")
	}
	if _, err := r.Rule(t.Context(), li, back.ID, register.Released, ""); err != nil {
		t.Fatal(err)
	}
	if now("alt") != "+3 none" {
		t.Errorf("rolled back: %s", now("alt"))
	}
	var story []int
	for _, p := range r.History("alt") {
		story = append(story, p.Ruling.Number)
	}
	if len(story) != 3 || story[0] != 3 {
		t.Errorf("history %v", story)
	}
}

func TestQualifiedWhenTheResultWasTaken(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	release(t, r, changes(
		qualified("county", "alt", "2025-01-01", "2025-12-31", register.Passed, mark("全国", "全国HR")),
		qualified("county", "ast", "2025-01-01", "2025-12-31", register.Passed, mark("北京市", "北京市HR")),
		qualified("county", "ggt", "2025-01-01", "2025-12-31", register.Passed, mark("340000", "安徽HR")),
		qualified("county", "alp", "2025-01-01", "2025-06-30", register.Passed),
		qualified("county", "alp", "2025-07-01", "2025-12-31", register.Failed),
		qualified("county", "urea", "2025-01-01", "2025-12-31", register.Pending),
		qualified("county", "urate", "2025-01-01", "2025-12-31", register.Passed, mark("", "县HR")),
		qualified("county", "urate", "2025-06-01", "2025-12-31", register.Pending),
		qualified("county", "tsh", "2025-01-01", "2025-12-31", register.Passed, mark("", "县HR")),
		qualified("county", "tsh", "2025-06-01", "2025-12-31", register.Failed, mark("北京市", "")),
	))
	china := time.FixedZone("", 8*3600)
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2025, month, day, hour, 0, 0, 0, china)
	}
	beijing := register.Asker{Regions: []string{"110105", "北京市"}}
	for _, c := range []struct {
		say, item string
		taken     time.Time
		asker     register.Asker
		want      string
	}{
		{"on the first day", "alt", at(1, 1, 0), register.Asker{}, "Yes 全国HR"},
		{"a moment before", "alt", at(1, 1, 0).Add(-time.Millisecond), register.Asker{}, "Unknown "},
		{"on the last day, late in China, in another zone's words", "alt", at(12, 31, 23).UTC(), register.Asker{}, "Yes 全国HR"},
		{"on the day after, in China, though not yet in UTC", "alt", time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC), register.Asker{}, "Unknown "},
		{"in a scope elsewhere", "ast", at(3, 1, 9), register.Asker{}, "Unknown "},
		{"in a scope elsewhere, asked from there", "ast", at(3, 1, 9), beijing, "Yes 北京市HR"},
		{"in the province's scope, by code", "ggt", at(3, 1, 9), register.Asker{}, "Yes 安徽HR"},
		{"in another province's scope, by code", "ggt", at(3, 1, 9), beijing, "Unknown "},
		{"passed before it failed", "alp", at(6, 30, 9), register.Asker{}, "Yes "},
		{"failed after it passed", "alp", at(7, 1, 9), register.Asker{}, "No "},
		{"not known yet", "urea", at(3, 1, 9), register.Asker{}, "Unknown "},
		{"a new round is pending, the old one holds", "urate", at(7, 1, 9), register.Asker{}, "Yes 县HR"},
		{"failed later, wherever", "tsh", at(7, 1, 9), register.Asker{}, "No "},
		{"another item", "tc", at(3, 1, 9), register.Asker{}, "Unknown "},
		{"at no known time", "alt", time.Time{}, register.Asker{}, "Unknown "},
	} {
		fact, mark := r.Qualification("county", c.item, c.taken, c.asker)
		if got := []string{"Unknown", "Yes", "No"}[fact] + " " + mark; got != c.want {
			t.Errorf("%s: %s, want %s", c.say, got, c.want)
		}
	}
	if fact, _ := r.Qualification("village", "alt", at(3, 1, 9), register.Asker{}); fact != 0 {
		t.Error("another institution is qualified")
	}
	// Ended early from today on: what was taken before stays as it was. Entered in error: it never was.
	release(t, r, changes(qualified("county", "alt", "2025-01-01", "2025-05-31", register.Passed, mark("全国", "全国HR")),
		qualified("county", "alp", "2025-01-01", "2025-06-30", register.Passed, func(q *register.Qualification) { q.Withdrawn = true })))
	for taken, want := range map[time.Time]int{at(5, 31, 9): 1, at(6, 1, 9): 0} {
		if fact, _ := r.Qualification("county", "alt", taken, register.Asker{}); int(fact) != want {
			t.Errorf("%v: %v", taken, fact)
		}
	}
	if fact, _ := r.Qualification("county", "alp", at(3, 1, 9), register.Asker{}); fact != 0 {
		t.Errorf("withdrawn: %v", fact)
	}
}

func TestWhatExpiresIsToldOnce(t *testing.T) {
	w := newWorld(t) // 2026-03-01
	r := w.hub()
	release(t, r, changes(
		qualified("county", "alt", "2025-04-01", "2026-03-31", register.Passed),
		qualified("county", "ast", "2025-04-01", "2026-03-31", register.Passed),
		qualified("county", "ast", "2026-04-01", "2027-03-31", register.Passed), // follows without a gap
		qualified("county", "ggt", "2025-04-01", "2026-04-01", register.Passed), // one day too far
		qualified("county", "alp", "2025-04-01", "2026-03-31", register.Failed),
		qualified("county", "urea", "2025-01-01", "2026-02-20", register.Passed),
		qualified("county", "urate", "2024-01-01", "2024-12-31", register.Passed),
	))
	var got []string
	for _, e := range r.Expiring(30) {
		got = append(got, e.Item, e.End)
	}
	if strings.Join(got, " ") != "urea 2026-02-20 alt 2026-03-31" {
		t.Errorf("%v", got)
	}
	if list := r.Expiring(30); list[0].Days != -9 || list[1].Days != 30 {
		t.Errorf("%+v", list)
	}
}
