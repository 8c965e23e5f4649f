package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/ecg/export"
	"concord/internal/hl7"
	"concord/internal/sample"
)

// TestFourInstitutionsAndOneOrder is the consortium's day in the formats that are spoken there: a chest CT by storescu from one member, an
// ORU over MLLP from another, an aECG file from a third; the EHR of a fourth is told while a doctor orders, and what the doctor chose is
// counted.
func TestFourInstitutionsAndOneOrder(t *testing.T) {
	if _, err := exec.LookPath("storescu"); err != nil {
		missing(t, "storescu is not in PATH")
	}
	on := hubproc.Embedded(t)
	dimse, mllp := hubproc.FreeAddress(t), hubproc.FreeAddress(t)
	on.Must(t, "member", "add", "centre", "--name", "中心", "--aet", "CT1", "--network", "127.0.0.0/8")
	on.Must(t, "member", "add", "village", "--name", "村", "--hl7-sender", "LIS")
	tokens := map[string]string{"centre": on.Token(t, "centre"), "village": on.Token(t, "village"), "township": on.Member(t, "township"), "county": on.Member(t, "county")}
	h := hubproc.Start(t, on, "--dimse", dimse, "--mllp", mllp, "--cds-budget", "10s")

	p := sample.NewPerson(77)
	enrol := func(member string) string {
		t.Helper()
		a, err := h.Client(tokens[member]).JSON("POST", "/fhir/Patient", sample.PatientResource(p))
		if err != nil || a.Status != http.StatusCreated {
			t.Fatal(member, a, err)
		}
		return nameOf(a.Body)
	}
	enrol("centre")
	enrol("township")
	patient := enrol("county")

	folder, yesterday := t.TempDir(), time.Now().Add(-26*time.Hour)
	for f, err := range sample.CTSeries(77, sample.Options{Slices: 4, Rows: 64, Columns: 64, Person: &p, Time: yesterday}) {
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(f.Reader())
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.dcm", f.Number)), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	host, port, _ := net.SplitHostPort(dimse)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "storescu", "-aet", "CT1", "-aec", "CONCORD", host, port, "+sd", folder).CombinedOutput(); err != nil {
		t.Fatalf("storescu: %v\n%s", err, out)
	}

	taken := yesterday.UTC().Format("20060102150405-0700")
	conn, err := net.Dial("tcp", mllp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := exchange(conn, hl7.NewFrames(conn, 1<<20), fmt.Sprintf("MSH|^~\\&|LIS|LAB|HUB|C|%s||ORU^R01^ORU_R01|M1|P|2.5.1||||||UNICODE UTF-8\r"+
		"PID|1||%s^^^&2.16.156.10011.1.3&ISO^NI||%s^%s||%s|%s\rOBR|1|O1|F1|3016-3^促甲状腺激素^LN|||%[1]s|||||||||||||||%[1]s||LAB|F\rOBX|1|NM|3016-3^促甲状腺激素^LN||2.31|m[IU]/L|0.27-4.2|N|||F|||%[1]s\r",
		taken, p.ResidentID, p.Family, p.Given, p.Birth.Format("20060102"), strings.ToUpper(p.Gender()[:1])))
	if err != nil || answer.Text("MSA-1") != "AA" {
		t.Fatal(answer, err)
	}

	var file bytes.Buffer
	if err := export.AECG(&file, sample.ECG(77, p, time.Now().Add(-2*time.Hour)), sample.UUID(77, "ecg", 0)); err != nil {
		t.Fatal(err)
	}
	if a, err := h.Client(tokens["township"]).Do("POST", "/ecg", file.Bytes(), "Content-Type: application/xml"); err != nil || a.Status != http.StatusCreated {
		t.Fatal(a, err)
	}

	county := h.Client(tokens["county"])
	var drafts, selections []string
	for i, code := range []string{"29252-4", "3016-3", "11524-6", "30799-1"} { // nobody made a CT of the head
		selections = append(selections, fmt.Sprintf(`"ServiceRequest/d%d"`, i))
		drafts = append(drafts, fmt.Sprintf(`{"resource":{"resourceType":"ServiceRequest","id":"d%d","status":"draft","intent":"order","subject":{"reference":"%s"},"code":{"coding":[{"system":"http://loinc.org","code":"%s"}]}}}`, i, patient, code))
	}
	call := fmt.Sprintf(`{"hook":"order-select","hookInstance":"d1577c69-dfbe-44ad-ba6d-3e05e953b2ea","context":{"userId":"Practitioner/d","patientId":"%s","selections":[%s],"draftOrders":{"resourceType":"Bundle","entry":[%s]}}}`,
		strings.TrimPrefix(patient, "Patient/"), strings.Join(selections, ","), strings.Join(drafts, ","))
	var got answerOf
	await(t, "three cards", func() bool {
		a, err := county.Do("POST", "/cds-services/recognition-order-select", []byte(call), "Content-Type: application/json")
		if err != nil || a.Status != http.StatusOK {
			t.Fatal(a, err)
		}
		got = hubproc.Decode[answerOf](t, a)
		return len(got.Cards) == 3
	})
	for i, want := range []string{"中心", "村", "township"} {
		if !strings.Contains(got.Cards[i].Summary, want) || len([]rune(got.Cards[i].Summary)) >= 140 {
			t.Errorf("card %d does not name %s: %s", i, want, got.Cards[i].Summary)
		}
	}
	var feedback []map[string]any
	for _, c := range got.Cards {
		feedback = append(feedback, map[string]any{"card": c.UUID, "outcome": "accepted", "outcomeTimestamp": time.Now().UTC().Format(time.RFC3339), "acceptedSuggestions": []any{map[string]any{"id": c.Suggestions[0].UUID}}})
	}
	body, _ := json.Marshal(map[string]any{"feedback": feedback})
	if a, err := county.Do("POST", "/cds-services/recognition-order-select/feedback", body, "Content-Type: application/json"); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	await(t, "three accepted in the statistics", func() bool {
		a, err := county.Do("GET", "/recognition/statistics", nil)
		if err != nil || a.Status != http.StatusOK {
			return false
		}
		total := hubproc.Decode[struct {
			Total struct {
				Counts map[string]struct{ Count int }
			}
		}](t, a).Total.Counts
		return total["offered"].Count == 3 && total["accepted"].Count == 3
	})
}
