package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// TestNothingAcknowledgedIsLostWhenTheHubIsKilled cuts the power of an embedded hub again and again under load. Its
// index is restored from snapshots that are a few commits old, from a damaged one and from none.
func TestNothingAcknowledgedIsLostWhenTheHubIsKilled(t *testing.T) {
	const kills = 22
	stores := hubproc.Embedded(t)
	token := stores.Member(t, "village")
	h := hubproc.Start(t, stores, "--snapshot", "150ms")
	c := h.Client(token)
	if a, err := c.JSON("PUT", "/fhir/"+shared, []byte(`{"resourceType":"Patient","id":"shared","identifier":[{"value":"first"}]}`)); err != nil || a.Status != 201 {
		t.Fatal(a, err)
	}
	l := newLedger("load")
	stop := startLoad(t, l, 8, c)
	defer stop()

	dice := rand.New(rand.NewPCG(1, 2))
	snapshot := filepath.Join(stores.Data, "keeper.snapshot")
	for k := range kills {
		time.Sleep(time.Duration(20+dice.IntN(480)) * time.Millisecond)
		h.Kill()
		switch k {
		case 5, 11:
			damage(t, snapshot, dice)
		case 8:
			if err := os.Truncate(snapshot, 1000); err != nil {
				t.Error(err)
			}
		case 14:
			os.Remove(snapshot)
		}
		h.Restart()
	}
	stop()
	t.Logf("%d kills, %d writes acknowledged, %d identifiers unknown", kills, l.writes.Load(), len(l.unknown))
	if l.writes.Load() < 10*kills {
		t.Errorf("only %d writes were acknowledged: this was no load", l.writes.Load())
	}
	l.check(t, c)
	l.awaitImagingStudies(t, c)
	h.Kill()
	checkStores(t, stores)
}

// damage turns a few bits somewhere in a file.
func damage(t *testing.T, path string, dice *rand.Rand) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		data[dice.IntN(len(data))] ^= 1 << dice.IntN(8)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
