package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/hl7"
)

// startHL7 runs a hub that takes messages of a laboratory from loopback.
func startHL7(t *testing.T, senders string, flags ...string) (h *hubproc.Hub, address, token string) {
	t.Helper()
	stores := hubproc.Embedded(t)
	stores.Must(t, "member", "add", "village", "--name", "Village", "--hl7-sender", senders)
	address = hubproc.FreeAddress(t)
	return hubproc.Start(t, stores, append(flags, "--mllp", address)...), address, stores.Token(t, "village")
}

// report is a result with the control id n, of a patient that every tenth report is of.
func report(n string, patient int) string {
	return fmt.Sprintf("MSH|^~\\&|LIS|LAB|HUB|C|20260105083000+0800||ORU^R01^ORU_R01|%s|P|2.5.1||||||UNICODE UTF-8\rPID|1||P%d^^^LAB^MR||张^三\r"+
		"OBR|1|O%[1]s|F%[1]s|2345-7^葡萄糖^LN|||20260105080000+0800|||||||||||||||20260105082500+0800|||F\rOBX|1|NM|2345-7^葡萄糖^LN||5.1|mmol/L|3.9-6.1|N|||F\r", n, patient)
}

// exchange sends one message over a connection and reads its answer.
func exchange(c net.Conn, frames *hl7.Frames, message string) (*hl7.Message, error) {
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Write(hl7.AppendFrame(nil, []byte(message))); err != nil {
		return nil, err
	}
	raw, err := frames.Next()
	if err != nil {
		return nil, err
	}
	return hl7.Parse(raw, hl7.Limits{})
}

// TestEveryReportThatWasAcceptedIsThereOnceWhenTheHubIsKilled has laboratories send, and repeat what was not answered, while
// the hub is killed again and again.
func TestEveryReportThatWasAcceptedIsThereOnceWhenTheHubIsKilled(t *testing.T) {
	const kills, laboratories, each = 4, 6, 40
	h, address, token := startHL7(t, "LIS", "--snapshot", "150ms")
	var all sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for k := range laboratories {
		all.Go(func() {
			for next := 0; next < each && ctx.Err() == nil; {
				c, err := net.Dial("tcp", address)
				if err != nil {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				frames := hl7.NewFrames(c, 1<<20)
				for next < each && ctx.Err() == nil {
					answer, err := exchange(c, frames, report(fmt.Sprintf("%d-%d", k, next), next/10))
					if err != nil {
						break // not answered: repeated over the next connection
					}
					switch code := answer.Text("MSA-1"); code {
					case "AA":
						next++
					case "AR": // the hub has just begun
						time.Sleep(10 * time.Millisecond)
					default:
						t.Errorf("answered %s: %s", code, answer.Text("MSA-3"))
						next++
					}
				}
				c.Close()
			}
			if ctx.Err() != nil {
				t.Error("not all reports were accepted in time")
			}
		})
	}
	dice := rand.New(rand.NewPCG(7, 8))
	for range kills {
		time.Sleep(time.Duration(100+dice.IntN(300)) * time.Millisecond)
		h.Kill()
		h.Restart()
	}
	all.Wait()
	client := h.Client(token)
	for resource, want := range map[string]int{"DiagnosticReport": laboratories * each, "Patient": each / 10} {
		a, err := client.Get("/fhir/" + resource + "?_summary=count")
		if err != nil {
			t.Fatal(err)
		}
		var found struct{ Total int }
		if err := json.Unmarshal(a.Body, &found); err != nil || found.Total != want {
			t.Errorf("%d of %s, want %d (%v)", found.Total, resource, want, err)
		}
	}
	h.Stop()
	logged := map[string]int{}
	for _, line := range hl7Messages(t, h) {
		logged[line]++
	}
	if len(logged) != laboratories*each {
		t.Errorf("%d messages were kept, want %d", len(logged), laboratories*each)
	}
	for control, n := range logged {
		if n != 1 {
			t.Errorf("message %s was kept %d times", control, n)
		}
	}
}

// hl7Messages are the control ids in the log of records, one for each record of a message.
func hl7Messages(t *testing.T, h *hubproc.Hub) (controls []string) {
	t.Helper()
	folder := filepath.Join(h.Stores.Data, "objects", "log", "records")
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for line := range bytes.Lines(data) {
			if _, rest, ok := bytes.Cut(line, []byte(`"control":"`)); ok && bytes.Contains(line, []byte("hub.message")) {
				control, _, _ := bytes.Cut(rest, []byte(`"`))
				controls = append(controls, string(control))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return controls
}

// TestInteropHL7Clients lets the field's clients send real messages: see the programs in testdata/hl7clients.
func TestInteropHL7Clients(t *testing.T) {
	clientOf(t, "CONCORD_TEST_NODE")
	python := clientOf(t, "CONCORD_TEST_PYTHON")
	h, address, token := startHL7(t, "SomeSystem,MESA_RPT_MGR")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	corpus := filepath.Join(corpusDir(t), "hl7v2")
	for _, c := range []struct {
		interpreter, program string
		files                []string
		want                 string
	}{
		{"node", "send.cjs", []string{"derived-charset/oru_utf8.hl7"}, "oru_utf8.hl7 AA 182"},
		{python, "send.py", []string{"derived-charset/oru_gbk_undeclared.hl7", "dcm4che/ORU_R01-PDF.hl7", "derived-charset/oru_gb18030_delimiter_trap.hl7"},
			"oru_gbk_undeclared.hl7 AA 182 MSH^1^18^1\nORU_R01-PDF.hl7 AA 1001128 OBX^4^5^1\noru_gb18030_delimiter_trap.hl7 AA 182 OBR^1^26^1"},
	} {
		args := []string{filepath.Join("testdata", "hl7clients", c.program), host, port}
		for _, f := range c.files {
			args = append(args, filepath.Join(corpus, f))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		out, err := exec.CommandContext(ctx, c.interpreter, args...).CombinedOutput()
		cancel()
		var got []string
		for line := range strings.Lines(string(out)) {
			got = append(got, strings.TrimSpace(line))
		}
		if err != nil || strings.Join(got, "\n") != c.want {
			t.Errorf("%s: %v\n%s", c.program, err, out)
		}
	}
	a, err := h.Client(token).Get("/fhir/Patient?birthdate=1924-10-10")
	if err != nil || !bytes.Contains(a.Body, []byte("亅乛亊乗")) {
		t.Errorf("the name whose bytes look like delimiters is not there: %v, %v", a, err)
	}
}
