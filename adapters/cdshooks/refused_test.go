package cdshooks_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAMalformedHookIsToldWhatIsWrong(t *testing.T) {
	w := clinic(t)
	good := selecting("p1", order("d", "p1", "14682-9", ""))
	many := make([]string, 1000)
	for i := range many {
		many[i] = order(fmt.Sprintf("d%d", i), "p1", "14682-9", "")
	}
	for _, c := range []struct {
		say, from, to string
		status        int
		path          string
	}{
		{"another hook", `"order-select"`, `"order-sign"`, 400, "hook"},
		{"a hook that is no text", `"order-select"`, `1`, 400, "hook"},
		{"no instance", `"hookInstance":"` + instance + `",`, ``, 400, "hookInstance"},
		{"an instance that is no UUID", instance, "x", 400, "hookInstance"},
		{"no context", `"context":`, `"contexts":`, 400, "context"},
		{"no user", `"userId":"Practitioner/d1",`, ``, 400, "context.userId"},
		{"a user of no type", `Practitioner/d1`, `d1`, 400, "context.userId"},
		{"no patient", `"patientId":"p1",`, ``, 400, "context.patientId"},
		{"a patient with a path", `"patientId":"p1"`, `"patientId":"../p1"`, 400, "context.patientId"},
		{"a patient that is a number", `"patientId":"p1"`, `"patientId":{}`, 400, "context.patientId"},
		{"no selections", `"selections":["ServiceRequest/d"],`, ``, 400, "context.selections"},
		{"a selection that is not there", `["ServiceRequest/d"]`, `["ServiceRequest/e"]`, 400, "context.selections[0]"},
		{"no drafts", `"draftOrders":`, `"drafts":`, 400, "context.draftOrders"},
		{"drafts that are no Bundle", `"Bundle"`, `"List"`, 400, "context.draftOrders"},
		{"a draft without an id", `"id":"d",`, ``, 400, "context.draftOrders.entry[0].resource.id"},
		{"a draft for another patient", `"Patient/p1"`, `"Patient/p2"`, 400, "context.draftOrders.entry[0].resource.subject"},
		{"an authorization without a server", `"hook":`, `"fhirAuthorization":{"access_token":"x"},"hook":`, 400, "fhirServer"},
		{"a server that is a file", `"hook":`, `"fhirServer":"file:///etc/passwd","hook":`, 400, "fhirServer"},
		{"prefetch that is a list", `"hook":`, `"prefetch":[],"hook":`, 400, "prefetch"},
		{"a name twice", `"hook":`, `"hook":"order-select","hook":`, 400, ""},
		{"no JSON", good, `{"hook":`, 400, ""},
		{"a list", good, `[]`, 400, ""},
		{"nothing", good, ``, 400, ""},
		{"JSON that is deep", `"hook":`, `"extension":` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat(`}`, 5000) + `,"hook":`, 413, ""},
		{"a thousand drafts", good, selecting("p1", many...), 413, "order"},
		{"a context that is huge", `"context":{`, `"context":{"x":"` + strings.Repeat("x", 6<<20) + `",`, 413, ""},
	} {
		t.Run(c.say, func(t *testing.T) {
			body := strings.Replace(good, c.from, c.to, 1)
			if body == good {
				t.Fatal("nothing was changed")
			}
			r := w.ask("county", selectAt, body)
			if r.status != c.status || len(r.Cards) != 0 || len(r.Issue) != 1 || r.Issue[0].Diagnostics == "" {
				t.Fatalf("status %d, want %d: %.500s", r.status, c.status, r.body)
			}
			if c.path != "" && (len(r.Issue[0].Expression) != 1 || r.Issue[0].Expression[0] != c.path) {
				t.Errorf("the fault is at %v, want %s: %s", r.Issue[0].Expression, c.path, r.Issue[0].Diagnostics)
			}
		})
	}
	if r := w.ask("county", "/nothing", good); r.status != 404 {
		t.Errorf("an unknown service: %d", r.status)
	}
	if r := w.ask("county", selectAt, good, "Content-Type: text/plain"); r.status != 415 {
		t.Errorf("plain text: %d", r.status)
	}
	if r := w.ask("county", selectAt, good, "Test-Scope: system/Patient.rs"); r.status != 403 {
		t.Errorf("without the scope: %d", r.status)
	}
}

func TestResultsOfTypesOutsideTheScopeAreNotTold(t *testing.T) {
	w := clinic(t)
	body := selecting("p1", order("d", "p1", "14682-9", ""))
	w.cards(0, "county", selectAt, body, "Test-Scope: system/Patient.rs system/ServiceRequest.rs system/ImagingStudy.rs")
	w.cards(1, "county", selectAt, body, "Test-Scope: system/Patient.rs system/ServiceRequest.rs system/Observation.rs")
}

func TestAWithheldResultLeavesNoTraceButAnEvent(t *testing.T) {
	w := clinic(t)
	w.write("village", `{"resourceType":"Patient","id":"v1"}`)
	w.write("village", creatinine("v-own", "v1", 72*time.Hour, ""))
	w.write("county", creatinine("secret", "v1", time.Hour, `,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}`))
	r := w.cards(1, "village", selectAt, selecting("v1", order("d", "v1", "14682-9", "")))
	if strings.Contains(string(r.body), "secret") || strings.Contains(string(r.body), "县人民医院") {
		t.Errorf("the withheld result shows: %s", r.body)
	}
	found := false
	for _, e := range w.events {
		for _, n := range e.Names {
			found = found || n.ID == "secret" && e.Outcome == "withheld"
		}
	}
	if !found {
		t.Errorf("there is no event about what was withheld: %+v", w.events)
	}
}

func TestFeedbackIsKeptAsItIsTold(t *testing.T) {
	w := clinic(t)
	const card = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
	at := selectAt + "/feedback"
	for _, body := range []string{
		`{"feedback":[{"card":"` + card + `","outcome":"accepted","acceptedSuggestions":[{"id":"e56e1945-20b3-4393-8503-a1a20fd73152"}],"outcomeTimestamp":"2026-11-20T10:05:31Z"}]}`,
		`{"feedback":[{"card":"` + card + `","outcome":"overridden","overrideReason":{"reason":{"code":"decisive","system":"urn:concord:recognition:reason"},"userComment":"术前复查"},"outcomeTimestamp":"2026-11-20T10:05:31.52Z"}]}`,
		`{"feedback":[{"card":"` + card + `","outcome":"overridden","outcomeTimestamp":"2026-11-20T00:00:00Z"}]}`,
	} {
		if r := w.ask("county", at, body); r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	got := w.book.feedback
	if len(got) != 3 || got[0].Outcome != "accepted" || got[1].Reason != "decisive" || got[1].Text != "术前复查" || got[1].At.IsZero() || got[2].Reason != "" {
		t.Errorf("kept %+v", got)
	}
	for say, c := range map[string]struct{ body, path string }{
		"no array":           {`{"feedback":{}}`, "feedback"},
		"nothing":            {`{"feedback":[]}`, "feedback"},
		"a card of no UUID":  {`{"feedback":[{"card":"x","outcome":"overridden","outcomeTimestamp":"2026-11-20T00:00:00Z"}]}`, "feedback[0].card"},
		"another outcome":    {`{"feedback":[{"card":"` + card + `","outcome":"ignored","outcomeTimestamp":"2026-11-20T00:00:00Z"}]}`, "feedback[0].outcome"},
		"accepted nothing":   {`{"feedback":[{"card":"` + card + `","outcome":"accepted","outcomeTimestamp":"2026-11-20T00:00:00Z"}]}`, "feedback[0].acceptedSuggestions"},
		"no time":            {`{"feedback":[{"card":"` + card + `","outcome":"overridden"}]}`, "feedback[0].outcomeTimestamp"},
		"a comment too long": {`{"feedback":[{"card":"` + card + `","outcome":"overridden","overrideReason":{"userComment":"` + strings.Repeat("字", 201) + `"},"outcomeTimestamp":"2026-11-20T00:00:00Z"}]}`, "feedback[0].overrideReason.userComment"},
	} {
		r := w.ask("county", at, c.body)
		if r.status != 400 || len(r.Issue) != 1 || r.Issue[0].Expression[0] != c.path {
			t.Errorf("%s: %d %s", say, r.status, r.body)
		}
	}
	if len(w.book.feedback) != 3 {
		t.Error("wrong feedback was kept")
	}
}

// FuzzHooksAreAnsweredOrRefused holds that no call makes the hub fail.
func FuzzHooksAreAnsweredOrRefused(f *testing.F) {
	w := clinic(f)
	good := selecting("p1", order("d", "p1", "14682-9", ""))
	for _, seed := range []string{good, strings.Replace(good, `"hook"`, `"prefetch":{"patient":{"resourceType":"Patient"}},"hook"`, 1), `{}`, `[]`, `{"hook":"order-select","context":{"draftOrders":{"entry":[null]}}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		req, err := http.NewRequest(http.MethodPost, w.url+selectAt, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Test-Member", "county")
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if s := res.StatusCode; s != http.StatusOK && s != http.StatusBadRequest && s != http.StatusRequestEntityTooLarge {
			t.Errorf("%q is answered %d", body, s)
		}
	})
}
