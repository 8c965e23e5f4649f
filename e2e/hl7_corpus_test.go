package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/internal/hl7"
)

// hl7Corpus splits the corpus into single messages whose sender is named, and lists the senders. special are those that the client cannot
// send: by what MSH-15 and MSH-16 ask, there is no answer or there are two, or they have fewer delimiters than usual.
func hl7Corpus(t *testing.T) (usual, special [][]byte, senders []string) {
	t.Helper()
	root := filepath.Join(corpusDir(t), "hl7v2")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && strings.HasPrefix(d.Name(), "expected") {
				return filepath.SkipDir
			}
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.HasSuffix(path, ".gz") {
			var z *gzip.Reader
			if z, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
				data, err = io.ReadAll(z)
			}
		}
		if err != nil {
			return err
		}
		batch, err := hl7.Split(data, 100_000)
		if err != nil {
			return nil // no HL7 v2: others test how that is refused
		}
		for _, raw := range batch.Messages {
			m, err := hl7.Parse(raw, hl7.Limits{})
			if err != nil || m.Text("MSH-3.1") == "" || strings.ContainsAny(m.Text("MSH-3.1"), ",^") || m.Text("MSH-9.1") == "ACK" { // an answer is not answered
				continue
			}
			switch commit, application := m.Text("MSH-15"), m.Text("MSH-16"); {
			case len(m.Text("MSH-2")) < 4: // which the client's library does not read
				special = append(special, raw)
			case commit == application && commit == "", commit == "AL" && application != "AL" && application != "SU", commit == "NE" && application == "AL":
				usual = append(usual, raw)
			default:
				special = append(special, raw)
			}
			if !slices.Contains(senders, m.Text("MSH-3.1")) {
				senders = append(senders, m.Text("MSH-3.1"))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return usual, special, senders
}

// TestTheCorpusOverMLLPIsKeptToItsLastByte lets a client of the field send every message, and reads each one back as it was sent.
func TestTheCorpusOverMLLPIsKeptToItsLastByte(t *testing.T) {
	python := clientOf(t, "CONCORD_TEST_PYTHON")
	all, special, senders := hl7Corpus(t)
	if len(all) < 1000 {
		t.Fatalf("the corpus has %d messages with a sender", len(all))
	}
	h, address, token := startHL7(t, strings.Join(senders, ","))
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	args := []string{filepath.Join("testdata", "hl7clients", "send.py"), host, port}
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
	client := exec.CommandContext(ctx, python, args...)
	client.Stderr = &complaints
	out, err := client.Output()
	if err != nil {
		t.Fatalf("the client: %v\n%s%s", err, out, &complaints)
	}
	codes := map[string]int{}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 1 {
			codes[fields[1]]++
			if fields[1] != "AA" && fields[1] != "CA" {
				t.Logf("not accepted: %s", strings.TrimSpace(line))
			}
		}
	}
	t.Logf("%d messages of %d senders were answered %v", len(all), len(senders), codes)
	answered := 0
	for _, n := range codes {
		answered += n
	}
	if answered != len(all) || codes["AR"]+codes["CR"] > 0 {
		t.Errorf("%d of %d messages were answered: %v", answered, len(all), codes)
	}
	sendUnanswered(t, address, special, string(all[0]))
	all = append(all, special...)
	kept := map[string]bool{}
	reader := h.Client(token)
	for after := ""; ; {
		a, err := reader.Get("/integration/messages?_count=500&_after=" + after)
		if err != nil || a.Status != 200 {
			t.Fatal(err, a)
		}
		var page struct {
			Messages []struct{ ID string }
			After    string
		}
		if err := json.Unmarshal(a.Body, &page); err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			raw, err := reader.Get("/integration/messages/" + m.ID + "/raw")
			if err != nil || raw.Status != 200 {
				t.Fatalf("message %s: %v %s", m.ID, err, raw)
			}
			kept[string(raw.Body)] = true
		}
		if after = page.After; after == "" {
			break
		}
	}
	lost := 0
	for i, raw := range all {
		if !kept[string(raw)] {
			if lost++; lost <= 3 {
				t.Errorf("message %d is not kept as it was sent: %.80q", i, raw)
			}
		}
	}
	t.Logf("%d different messages are kept; %d are not there", len(kept), lost)
}

// sendUnanswered sends messages over one connection and behind them one that is answered, when those before are done with.
func sendUnanswered(t *testing.T, address string, all [][]byte, last string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	for _, raw := range all {
		if _, err := c.Write(hl7.AppendFrame(nil, raw)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := hl7.Parse([]byte(last), hl7.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(hl7.AppendFrame(nil, []byte(last))); err != nil {
		t.Fatal(err)
	}
	for frames := hl7.NewFrames(c, 1<<20); ; {
		raw, err := frames.Next()
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := hl7.Parse(raw, hl7.Limits{}); err == nil && answer.Text("MSA-2") == m.Text("MSH-10") {
			return
		}
	}
}
