package cdshooks_test

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkOrderSelect is what eight draft orders cost, of a patient with forty results of eight items and ten of others.
func BenchmarkOrderSelect(b *testing.B) {
	w := start(b)
	w.write("county", `{"resourceType":"Patient","id":"p1"}`)
	codes := []string{"14682-9", "22664-7", "14933-6", "1742-6", "1920-8", "2324-2", "14647-2", "14927-8"}
	var drafts []string
	for i, code := range codes {
		drafts = append(drafts, order(fmt.Sprintf("d%d", i), "p1", code, ""))
		for n := range 5 {
			w.write("county", coded(fmt.Sprintf("o%d-%d", i, n), "p1", code, time.Duration(n*5*24+1)*time.Hour))
		}
	}
	for n := range 10 {
		w.write("county", coded(fmt.Sprintf("x%d", n), "p1", "8867-4", time.Duration(n)*time.Hour))
	}
	body := selecting("p1", drafts...)
	w.cards(len(codes), "county", selectAt, body)
	b.ReportAllocs()
	for b.Loop() {
		w.ask("county", selectAt, body)
	}
}
