package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/recognition/ledger"
)

// BenchmarkStatistics counts 100,000 opportunities: all of them by member and month, and one page of a list. What a hub that
// starts reads is told beside.
func BenchmarkStatistics(b *testing.B) {
	w := newWorld(b, newHouse(b))
	const n = 100_000
	for i := 0; i < n; {
		var offers []ledger.Offer
		for range 1000 {
			offers = append(offers, w.made(offer{patient: fmt.Sprintf("Patient/%d", i), result: fmt.Sprintf("Observation/%d", i), at: morning.AddDate(0, 0, -i%300), department: "内科"}))
			i++
		}
		for hub.Is(w.Offer(b.Context(), as([]string{"county", "lead", "town"}[i%3]), offers), hub.Unavailable) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	for w.Waiting() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	start := time.Now()
	if got := w.report(engineer, ledger.Filter{}).Total.Of[ledger.Opportunities]; got != n {
		b.Fatalf("%d opportunities", got)
	}
	b.Logf("read %d opportunities in %s", n, time.Since(start).Round(time.Millisecond))
	f := ledger.Filter{By: []ledger.Dimension{ledger.ByUsing, ledger.ByMonth}}
	b.Run("counts", func(b *testing.B) {
		for b.Loop() {
			w.report(engineer, f)
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.List(b.Context(), engineer, ledger.Filter{}, ledger.Opportunities, "", 50); err != nil {
				b.Fatal(err)
			}
		}
	})
}
