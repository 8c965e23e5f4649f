package e2e

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/hl7"
)

// bookkeeping is a hub with a village whose laboratory sends over MLLP, and a county hospital that orders.
type bookkeeping struct {
	*hubproc.Hub
	t               *testing.T
	address         string // of MLLP
	county, village string // tokens
	taken           time.Time
}

func startBookkeeping(t *testing.T) *bookkeeping {
	t.Helper()
	return keepBooks(t, hubproc.Embedded(t))
}

// keepBooks starts it on given stores.
func keepBooks(t *testing.T, on hubproc.Stores) *bookkeeping {
	t.Helper()
	on.Must(t, "member", "add", "village", "--name", "Village", "--hl7-sender", "LIS")
	b := &bookkeeping{t: t, county: on.Member(t, "county"), village: on.Token(t, "village"), address: hubproc.FreeAddress(t), taken: time.Now().Add(-3 * time.Hour)}
	b.Hub = hubproc.Start(t, on, "--mllp", b.address, "--cds-budget", "10s")
	return b
}

// send sends a potassium of the village with a status of table 0085.
func (b *bookkeeping) send(control, value, status string) {
	b.t.Helper()
	const layout = "20060102150405-0700"
	taken := b.taken.UTC().Format(layout)
	message := fmt.Sprintf("MSH|^~\\&|LIS|LAB|HUB|C|%s||ORU^R01^ORU_R01|%s|P|2.5.1||||||UNICODE UTF-8\rPID|1||P7^^^LAB^MR~340181198503124215^^^MOI^NI||欧阳^铭哲||19850312|M\r"+
		"OBR|1|O7|F7|2823-3^钾^LN|||%[3]s|||||||||||||||%[1]s|||%[4]s\rOBX|1|NM|2823-3^钾^LN||%[5]s|mmol/L|3.5-5.3|N|||%[4]s|||%[3]s\r",
		time.Now().UTC().Format(layout), control, taken, status, value)
	await(b.t, "the message to be taken", func() bool {
		c, err := net.Dial("tcp", b.address)
		if err != nil {
			return false
		}
		defer c.Close()
		answer, err := exchange(c, hl7.NewFrames(c, 1<<20), message)
		return err == nil && answer.Text("MSA-1") == "AA"
	})
}

func (b *bookkeeping) get(token, path string) hubproc.Answer {
	b.t.Helper()
	a, err := b.Client(token).Do("GET", path, nil)
	if err != nil || a.Status != http.StatusOK {
		b.t.Fatal(path, a, err)
	}
	return a
}

// count is a number of the county's statistics, and the list that it opens.
func (b *bookkeeping) count(what string) (int, string) {
	b.t.Helper()
	a, err := b.Client(b.county).Do("GET", "/recognition/statistics", nil)
	if err != nil || a.Status == http.StatusServiceUnavailable { // the hub has just begun
		return -1, ""
	}
	r := hubproc.Decode[struct {
		Total struct {
			Counts map[string]struct {
				Count int
				List  string
			}
		}
	}](b.t, a)
	return r.Total.Counts[what].Count, r.Total.Counts[what].List
}

func (b *bookkeeping) counted(what string, n int) {
	b.t.Helper()
	await(b.t, fmt.Sprintf("%d to be %s", n, what), func() bool { got, _ := b.count(what); return got == n })
}

// order calls a hook as the county's system does, and returns the card; the Patients may have to be linked first.
func (b *bookkeeping) order(hook, patient string) string {
	b.t.Helper()
	call := fmt.Sprintf(`{"hook":"%s","hookInstance":"d1577c69-dfbe-44ad-ba6d-%012d","context":{"userId":"Practitioner/d1","patientId":"%s","encounterId":"e1","selections":["ServiceRequest/draft1"],
		"draftOrders":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"ServiceRequest","id":"draft1","status":"draft","intent":"order","subject":{"reference":"Patient/%[3]s"},
		"identifier":[{"system":"urn:his","value":"A-1"}],"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]}}}]}}}`, hook, time.Now().UnixNano()%1e12, patient)
	card := ""
	await(b.t, "a card", func() bool {
		a, err := b.Client(b.county).Do("POST", "/cds-services/recognition-"+hook, []byte(call), "Content-Type: application/json")
		if err != nil || a.Status != http.StatusOK {
			b.t.Fatal(hook, a, err)
		}
		if cards := hubproc.Decode[answerOf](b.t, a).Cards; len(cards) == 1 && strings.Contains(cards[0].Summary, "互认") {
			card = cards[0].UUID
		}
		return card != ""
	})
	return card
}

// TestWhatIsOfferedIsCountedAndWithdrawn tells the story of one result: offered, accepted, counted, corrected. The hub is killed
// between its chapters.
func TestWhatIsOfferedIsCountedAndWithdrawn(t *testing.T) {
	b := startBookkeeping(t)
	b.send("1", "4.1", "F")
	const patient = "c1" // the county's own; the village's is linked to it
	b.put("Patient/c1", `{"resourceType":"Patient","id":"c1","gender":"male","birthDate":"1985-03-12","name":[{"family":"欧阳","given":["铭哲"]}],"identifier":[{"system":"urn:concord:resident-id","value":"340181198503124215"}]}`)
	for range 3 {
		b.order("order-select", patient)
	}
	card := b.order("order-sign", patient)
	b.counted("offered", 1)
	b.Kill()
	b.Restart()
	b.counted("unanswered", 1)

	feedback := fmt.Sprintf(`{"feedback":[{"card":%q,"outcome":"accepted","acceptedSuggestions":[{"id":%[1]q}],"outcomeTimestamp":%q}]}`, card, time.Now().UTC().Format(time.RFC3339))
	for range 2 { // the answer to the first was lost, as far as the client knows
		if a, err := b.Client(b.county).Do("POST", "/cds-services/recognition-order-sign/feedback", []byte(feedback), "Content-Type: application/json"); err != nil || a.Status != http.StatusOK {
			t.Fatal(a, err)
		}
	}
	b.Kill()
	b.Restart()
	b.counted("accepted", 1)
	_, list := b.count("accepted")
	if a := b.get(b.county, list); strings.Count(string(a.Body), `"choice":"recognised"`) != 1 || !strings.Contains(string(a.Body), `"results":["Observation/`) {
		t.Errorf("the list behind the number: %s", a)
	}
	for _, search := range []string{"GuidanceResponse?patient=" + patient, "DetectedIssue?patient=" + patient, "Basic?code=recognition-decision&patient=" + patient + "&_tag=recognised"} {
		if a := b.get(b.county, "/fhir/"+search); !strings.Contains(string(a.Body), `"total":1`) {
			t.Errorf("%s: %s", search, a)
		}
	}
	b.put("ServiceRequest/sr1", fmt.Sprintf(`{"resourceType":"ServiceRequest","id":"sr1","status":"revoked","intent":"order","subject":{"reference":"Patient/%s"},"identifier":[{"system":"urn:his","value":"A-1"}],
		"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]}}`, patient))
	await(t, "the decision at the order", func() bool {
		return strings.Contains(string(b.get(b.county, "/fhir/DetectedIssue?implicated=ServiceRequest/sr1").Body), `"total":1`)
	})
	b.tables()

	b.send("2", "6.9", "C")
	var raised struct {
		Withdrawals []struct{ ID, Cause, Giving string }
	}
	await(t, "the withdrawal", func() bool {
		raised.Withdrawals = nil
		return json.Unmarshal(b.get(b.county, "/recognition/withdrawals").Body, &raised) == nil && len(raised.Withdrawals) == 1
	})
	if w := raised.Withdrawals[0]; w.Cause != "corrected" || w.Giving != "village" {
		t.Errorf("%+v", w)
	}
	b.Kill()
	b.Restart()
	acknowledge := func(token string) int {
		a, err := b.Client(token).Do("POST", "/recognition/withdrawals/"+raised.Withdrawals[0].ID+"/acknowledge", []byte(`{"who":"李医生","note":"已复查"}`), "Content-Type: application/json")
		if err != nil {
			t.Fatal(err)
		}
		return a.Status
	}
	await(t, "the hub", b.Ready)
	if got := [3]int{acknowledge(b.village), acknowledge(b.county), acknowledge(b.county)}; got != [3]int{403, 200, 409} {
		t.Errorf("acknowledged with %v", got)
	}
	b.counted("withdrawn", 1)
	b.send("3", "7.0", "C")
	monitor := b.Stores.Token(t, "county", "--scope", "metrics")
	if a := b.get(monitor, "/metrics"); !strings.Contains(string(a.Body), `concord_recognition_events_total{event="acknowledged"`) || strings.Contains(string(a.Body), patient) {
		t.Error("the metrics do not tell, or name a patient")
	}
	out, err := exec.CommandContext(t.Context(), hubproc.Binary(t), "statistics", "--url", b.URL, "--token", b.county, "--by", "using,giving").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "county  village  1") || !strings.Contains(string(out), "100.0%") {
		t.Errorf("at the command line: %v\n%s", err, out)
	}
}

func (b *bookkeeping) put(name, body string) {
	b.t.Helper()
	if a, err := b.Client(b.county).JSON("PUT", "/fhir/"+name, []byte(body)); err != nil || a.Status/100 != 2 {
		b.t.Fatal(name, a, err)
	}
}

// tables has what is served as tables and as a MeasureReport read by software that others wrote.
func (b *bookkeeping) tables() {
	t := b.t
	t.Helper()
	text := strings.TrimPrefix(string(b.get(b.county, "/recognition/statistics?by=item&format=csv").Body), "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != "potassium" || rows[2][1] != "1" || rows[2][2] != "1" {
		t.Errorf("%v %v", rows, err)
	}
	python := os.Getenv("CONCORD_TEST_PYTHON")
	if python == "" {
		t.Log("CONCORD_TEST_PYTHON is not set: nobody else reads the workbook and the report")
		return
	}
	folder := t.TempDir()
	keep := func(name string, a hubproc.Answer) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, a.Body, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	today := time.Now().In(time.FixedZone("", 8*3600))
	report := "/fhir/Measure/recognition-rate/$evaluate-measure?periodStart=" + today.AddDate(0, 0, -1).Format(time.DateOnly) + "&periodEnd=" + today.Format(time.DateOnly) + "&reportType="
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, filepath.Join("testdata", "ledger", "read.py"),
		keep("book.xlsx", b.get(b.county, "/recognition/statistics?by=using,month&format=xlsx")), keep("report.json", b.get(b.county, report+"summary")),
		keep("lists.json", b.get(b.county, report+"subject-list"))).CombinedOutput()
	const want = "workbook offered 1 accepted 1 rate 1\nreport summary initial-population=1 denominator=1 denominator-exclusion=0 numerator=1 score=1.0\nlists initial-population=1 denominator=1 numerator=1\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, out)
	}
	if a := b.get(b.county, "/fhir/Measure?url=urn:concord:recognition:measure:recognition-rate"); !strings.Contains(string(a.Body), `"total":1`) {
		t.Errorf("the measure: %s", a)
	}
}
