package e2e

import (
	"testing"

	"concord/e2e/hubproc"
)

// TestIdentityAFHIRClientAsksWhoIsWho has a client that others wrote call $match and $ihe-pix.
func TestIdentityAFHIRClientAsksWhoIsWho(t *testing.T) {
	clientOf(t, "CONCORD_TEST_NODE")
	on := hubproc.Embedded(t)
	token := on.Member(t, "county")
	runClient(t, "fhir-kit-client", "node", "identity.mjs", hubproc.Start(t, on).URL+"/fhir", token)
}
