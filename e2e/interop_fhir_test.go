package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// clientOf is what an interop test needs from the environment; without it the test is skipped, where everything has to be
// there it fails.
func clientOf(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		missing(t, variable+" is not set; `scripts/services.sh interop` fetches the clients")
	}
	return value
}

// TestInteropFHIRClients lets the field's FHIR clients do what applications do with them: see the programs in
// testdata/fhirclients. Each begins with nothing of its own in the hub and can be run again.
func TestInteropFHIRClients(t *testing.T) {
	clientOf(t, "CONCORD_TEST_NODE")
	python := clientOf(t, "CONCORD_TEST_PYTHON")
	for name, stores := range map[string]func(*testing.T) hubproc.Stores{
		"embedded": func(t *testing.T) hubproc.Stores { return hubproc.Embedded(t) },
		"MinIO and Redis": func(t *testing.T) hubproc.Stores {
			return hubproc.Stores{Data: t.TempDir(), S3: startMinio(t).URL, Redis: startRedis(t).URL}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := stores(t)
			token := on.Member(t, "village")
			added := strings.Fields(on.Must(t, "member", "add", "county", "--name", "County hospital"))
			secret := added[len(added)-1]
			base := hubproc.Start(t, on).URL + "/fhir"
			runClient(t, "fhir-kit-client", "node", "kit.mjs", base, token)
			runClient(t, "fhirclient for JavaScript", "node", "smart.cjs", base, "county", secret)
			runClient(t, "fhirpy and fhirclient for Python", python, "clients.py", base, token)
		})
	}
}

// runClient runs one of the programs against a hub. It says nothing when all is well.
func runClient(t *testing.T, name, interpreter, program string, args ...string) {
	t.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, interpreter, append([]string{filepath.Join("testdata", "fhirclients", program)}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
