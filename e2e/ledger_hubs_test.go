package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// TestTwoHubsKeepOneLedger tells the story of one result on two hubs that share a MinIO and a Redis: each chapter happens at one
// hub and is read at the other.
func TestTwoHubsKeepOneLedger(t *testing.T) {
	minio, redis := startMinio(t), startRedis(t)
	first := keepBooks(t, hubproc.Stores{Data: t.TempDir(), S3: minio.URL, Redis: redis.URL})
	second := *first
	second.Hub = hubproc.Start(t, first.Stores, "--cds-budget", "10s")

	first.send("1", "4.1", "F")
	const patient = "c1"
	second.put("Patient/c1", `{"resourceType":"Patient","id":"c1","gender":"male","birthDate":"1985-03-12","name":[{"family":"欧阳","given":["铭哲"]}],"identifier":[{"system":"urn:concord:resident-id","value":"340181198503124215"}]}`)
	card := second.order("order-select", patient)
	if again := first.order("order-sign", patient); again != card {
		t.Errorf("one opportunity has two cards, %s and %s", card, again)
	}
	for _, b := range []*bookkeeping{first, &second} {
		b.counted("offered", 1)
		b.counted("unanswered", 1)
	}

	feedback := fmt.Sprintf(`{"feedback":[{"card":%q,"outcome":"accepted","acceptedSuggestions":[{"id":%[1]q}],"outcomeTimestamp":%q}]}`, card, time.Now().UTC().Format(time.RFC3339))
	for _, b := range []*bookkeeping{first, &second} { // the answer of the first was lost, so the client asks the other
		if a, err := b.Client(b.county).Do("POST", "/cds-services/recognition-order-sign/feedback", []byte(feedback), "Content-Type: application/json"); err != nil || a.Status != http.StatusOK {
			t.Fatal(a, err)
		}
	}
	for _, b := range []*bookkeeping{&second, first} {
		b.counted("accepted", 1)
		b.counted("offered", 1)
	}

	first.send("2", "6.9", "C") // the village corrects what the county relied on
	var raised struct {
		Withdrawals []struct{ ID, Cause, Giving string }
	}
	await(t, "the withdrawal", func() bool {
		raised.Withdrawals = nil
		return json.Unmarshal(second.get(second.county, "/recognition/withdrawals").Body, &raised) == nil && len(raised.Withdrawals) == 1
	})
	if w := raised.Withdrawals[0]; w.Cause != "corrected" || w.Giving != "village" {
		t.Errorf("%+v", w)
	}
	acknowledge := func(b *bookkeeping) int {
		a, err := b.Client(b.county).Do("POST", "/recognition/withdrawals/"+raised.Withdrawals[0].ID+"/acknowledge", []byte(`{"who":"李医生","note":"已复查"}`), "Content-Type: application/json")
		if err != nil {
			t.Fatal(err)
		}
		return a.Status
	}
	if got := [2]int{acknowledge(&second), acknowledge(first)}; got != [2]int{200, 409} {
		t.Errorf("acknowledged at one hub and at the other: %v", got)
	}
	for _, b := range []*bookkeeping{first, &second} {
		b.counted("withdrawn", 1)
	}
	kept := hubproc.Decode[struct {
		Entry []struct{ Resource struct{ ID string } }
	}](t, first.get(first.county, "/fhir/GuidanceResponse?identifier="+card))
	if len(kept.Entry) != 1 {
		t.Fatalf("%d decisions are kept under the card", len(kept.Entry))
	}
	why := string(first.get(first.county, "/fhir/GuidanceResponse/"+kept.Entry[0].Resource.ID+"/$explain").Body)
	for _, part := range []string{`"starter-`, `"in-window"`, "距检查（采样）", "within 1 d", "同一医联体内不限机构级别", `"valueReference":{"reference":"Observation/`} {
		if !strings.Contains(why, part) {
			t.Errorf("the decision's explanation does not say %s: %s", part, why)
		}
	}
	if strings.Contains(why, "4.1") {
		t.Error("the explanation tells the value")
	}
	numbers := func(b *bookkeeping) string {
		return strings.TrimSpace(string(b.get(b.county, "/recognition/statistics?by=item,giving&format=csv").Body))
	}
	await(t, "the same numbers at both hubs", func() bool { return numbers(first) == numbers(&second) })
	if a := second.get(second.county, "/fhir/GuidanceResponse?patient="+patient); !strings.Contains(string(a.Body), `"total":1`) {
		t.Errorf("two hubs wrote more than one opportunity: %s", a)
	}
}
