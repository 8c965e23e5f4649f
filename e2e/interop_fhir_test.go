package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// TestTheExamplesOfTheDocumentsRun executes the shell examples of docs/fhir.md, in one shell on an empty hub, and compares what
// they print with what the page says. The Chinese page has the same examples.
func TestTheExamplesOfTheDocumentsRun(t *testing.T) {
	on := hubproc.Embedded(t)
	token := on.Member(t, "village")
	hub := hubproc.Start(t, on)
	runExamples(t, "fhir", "HUB="+hub.URL+"/fhir", "TOKEN="+token)
}

// runExamples executes the shell examples of a page with these variables.
func runExamples(t *testing.T, page string, env ...string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		missing(t, "curl is not in PATH")
	}
	english, chinese := "../docs/"+page+".md", "../docs/"+page+".zh-CN.md"
	examples, expected := fenced(t, english, "sh"), fenced(t, english, "output")
	if len(examples) == 0 || len(examples) != len(expected) {
		t.Fatalf("%s has %d examples and %d outputs", english, len(examples), len(expected))
	}
	if !slices.Equal(fenced(t, chinese, "sh"), examples) || !slices.Equal(fenced(t, chinese, "output"), expected) {
		t.Errorf("the examples of %s differ", chinese)
	}
	const end = "\x1e\n"
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.Join(examples, "printf '\\036\\n'\n"))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %s", err, stderr.String())
	}
	for i, got := range strings.Split(string(out), end) {
		if i < len(expected) && got != expected[i] {
			t.Errorf("%s\nprints\n%s\nand not\n%s", examples[i], got, expected[i])
		}
	}
}

// fenced are the blocks of a language in a Markdown file.
func fenced(t *testing.T, path, language string) []string {
	t.Helper()
	var blocks []string
	for _, part := range strings.Split(string(readFile(t, path)), "\n```"+language+"\n")[1:] {
		block, _, closed := strings.Cut(part, "\n```\n")
		if !closed {
			t.Fatalf("%s: a block of %s is not closed", path, language)
		}
		blocks = append(blocks, block+"\n")
	}
	return blocks
}
