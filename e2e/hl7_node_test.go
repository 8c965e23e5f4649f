package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// leastByNode is how many messages of the corpus node-hl7-client sends, at least.
const leastByNode = 1000

// TestTheCorpusOfANodeClientIsAnswered lets node-hl7-client send all that it can of the corpus; what it does not send, and why,
// is in the test's log.
func TestTheCorpusOfANodeClientIsAnswered(t *testing.T) {
	clientOf(t, "CONCORD_TEST_NODE")
	all, _, senders := hl7Corpus(t)
	_, address, _ := startHL7(t, strings.Join(senders, ","))
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	args := []string{filepath.Join("testdata", "hl7clients", "send.cjs"), host, port}
	for i, raw := range all {
		file := filepath.Join(folder, fmt.Sprintf("%04d.hl7", i))
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var complaints bytes.Buffer
	client := exec.CommandContext(ctx, "node", args...)
	client.Stderr = &complaints
	out, err := client.Output()
	if err != nil {
		t.Fatalf("the client: %v\n%.2000s%s", err, out, &complaints)
	}
	codes, unsent := map[string]int{}, map[string]int{}
	for line := range strings.Lines(string(out)) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(fields) == 3 && fields[1] == "unsent" {
			unsent[fields[2]]++
		} else if len(fields) > 1 {
			codes[fields[1]]++
		}
	}
	t.Logf("of %d messages these were answered %v and these not sent %v", len(all), codes, unsent)
	if sent := codes["AA"] + codes["CA"] + codes["AE"] + codes["CE"]; sent < leastByNode || codes["AR"]+codes["CR"]+codes["CE"] > 0 {
		t.Errorf("%d messages were sent and answered %v", sent, codes)
	}
}
