// Package e2e tests whole hubs: real processes, real stores, real network, power cuts included.
package e2e

import (
	"testing"

	"concord/e2e/hubproc"
)

func TestMain(m *testing.M) { hubproc.Main(m) }

func TestAHubKeepsWhatItAcknowledgedOverAKill(t *testing.T) {
	stores := hubproc.Embedded(t)
	token := stores.Member(t, "village")
	h := hubproc.Start(t, stores)
	c := h.Client(token)
	made, err := c.JSON("PUT", "/fhir/Patient/one", []byte(`{"resourceType":"Patient","id":"one","gender":"female"}`))
	if err != nil || made.Status != 201 {
		t.Fatal(made, err)
	}
	h.Kill()
	h.Restart()
	read, err := c.Get("/fhir/Patient/one")
	if err != nil || read.Status != 200 || string(read.Body) != string(made.Body) {
		t.Errorf("after the kill: %s %v, expected what was acknowledged: %s", read, err, made)
	}
}
