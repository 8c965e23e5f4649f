package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// publicHub is where the hubs of these tests say that they are; nobody goes there.
const publicHub = "https://hub.example"

// ward is hubs with a county hospital, a village and a patient of each with a creatinine measured by the village.
type ward struct {
	*hubproc.Hub
	county, village string // tokens
}

func startWard(t *testing.T, on hubproc.Stores, flags ...string) ward {
	t.Helper()
	w := ward{county: on.Member(t, "county"), village: on.Member(t, "village")}
	w.Hub = hubproc.Start(t, on, append([]string{"--public-url", publicHub}, flags...)...)
	w.put(t, w.county, "Patient/c1", `{"resourceType":"Patient","id":"c1","gender":"male","birthDate":"1970-05-01","identifier":[{"system":"urn:mrn","value":"77"}]}`)
	w.put(t, w.county, "Observation/o1", fmt.Sprintf(`{"resourceType":"Observation","id":"o1","status":"final","subject":{"reference":"Patient/c1"},"effectiveDateTime":"%s",
		"code":{"coding":[{"system":"http://loinc.org","code":"14682-9"}],"text":"肌酐"},"valueQuantity":{"value":78,"unit":"umol/L","system":"http://unitsofmeasure.org","code":"umol/L"}}`,
		time.Now().Add(-30*time.Hour).UTC().Format(time.RFC3339)))
	return w
}

func (w ward) put(t *testing.T, token, name, body string) {
	t.Helper()
	if a, err := w.Client(token).JSON("PUT", "/fhir/"+name, []byte(body)); err != nil || a.Status/100 != 2 {
		t.Fatal(name, a, err)
	}
}

func hookCall(hook, patient string) string {
	return fmt.Sprintf(`{"hook":"%s","hookInstance":"d1577c69-dfbe-44ad-ba6d-3e05e953b2ea","context":{"userId":"Practitioner/d1","patientId":"%[2]s","selections":["ServiceRequest/draft1"],
		"draftOrders":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"ServiceRequest","id":"draft1","status":"draft","intent":"order","subject":{"reference":"Patient/%[2]s"},
		"code":{"coding":[{"system":"http://loinc.org","code":"14682-9"}]}}}]}}}`, hook, patient)
}

// answerOf is what a hook is answered with.
type answerOf struct {
	Cards []struct {
		UUID, Summary string
		Suggestions   []struct{ UUID string }
	}
}

// TestCDSHooksAreAnsweredToAnEHRWithKeysOfItsOwn registers an EHR's key, calls as the EHR does, and uses each token once.
func TestCDSHooksAreAnsweredToAnEHRWithKeysOfItsOwn(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, _ := key.PublicKey.Bytes()
	b64 := base64.RawURLEncoding.EncodeToString
	set := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(set, fmt.Appendf(nil, `{"keys":[{"kty":"EC","crv":"P-384","kid":"k1","use":"sig","x":"%s","y":"%s"}]}`, b64(point[1:49]), b64(point[49:])), 0o600); err != nil {
		t.Fatal(err)
	}
	sign := func(claims map[string]any) string {
		head, _ := json.Marshal(map[string]any{"alg": "ES384", "typ": "JWT", "kid": "k1", "jku": "https://ehr.example/jwks"})
		now := time.Now().Unix()
		body := map[string]any{"iss": "https://ehr.example/", "aud": publicHub + "/cds-services/recognition-order-select", "iat": now, "exp": now + 120, "jti": rand.Text()}
		for k, v := range claims {
			body[k] = v
		}
		payload, _ := json.Marshal(body)
		text := b64(head) + "." + b64(payload)
		sum := sha512.Sum384([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + b64(append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...))
	}
	w := startWard(t, hubproc.Embedded(t))
	call := func(token string) hubproc.Answer {
		t.Helper()
		a, err := w.Client(token).Do("POST", "/cds-services/recognition-order-select", []byte(hookCall("order-select", "c1")), "Content-Type: application/json")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := call(sign(nil)); a.Status != http.StatusUnauthorized {
		t.Fatalf("before the key is known: %s", a)
	}
	w.Stores.Must(t, "member", "cds", "county", "--issuer", "https://ehr.example/", "--jwks", set)
	await(t, "the key to be known", func() bool { return call(sign(nil)).Status == http.StatusOK })
	token := sign(nil)
	got := hubproc.Decode[answerOf](t, call(token))
	if len(got.Cards) != 1 || !strings.Contains(got.Cards[0].Summary, "肌酐") {
		t.Fatalf("%+v", got)
	}
	for say, bad := range map[string]string{
		"the same token again":   token,
		"for another service":    sign(map[string]any{"aud": publicHub + "/cds-services/recognition-order-sign"}),
		"for another hub":        sign(map[string]any{"aud": w.URL + "/cds-services/recognition-order-select"}),
		"of another issuer":      sign(map[string]any{"iss": "https://other.example/"}),
		"that is good for hours": sign(map[string]any{"exp": time.Now().Add(3 * time.Hour).Unix()}),
	} {
		if a := call(bad); a.Status != http.StatusUnauthorized {
			t.Errorf("a token %s: %s", say, a)
		}
	}
	if a, err := w.Client(sign(nil)).Get("/fhir/Observation/o1"); err != nil || a.Status != http.StatusUnauthorized {
		t.Errorf("the EHR's token opens /fhir: %s %v", a, err)
	}
	if a, err := http.Get(w.URL + "/cds-services"); err != nil || a.StatusCode != http.StatusOK {
		t.Errorf("discovery: %v %v", a, err)
	}
	if a, err := http.Post(w.URL+"/cds-services/recognition-order-select", "application/json", strings.NewReader(hookCall("order-select", "c1"))); err != nil || a.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a credential: %v %v", a, err)
	}
}

// TestCDSHooksAClientThatOthersWrote has healthchain's models make the calls and read the answers.
func TestCDSHooksAClientThatOthersWrote(t *testing.T) {
	python := clientOf(t, "CONCORD_TEST_PYTHON")
	w := startWard(t, hubproc.Embedded(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, filepath.Join("testdata", "cdshooks", "client.py"), w.URL, w.county, "c1", "14682-9").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	await(t, "the doctor's choice in the records", func() bool {
		a, err := w.Client(w.county).Get("/fhir/Basic?code=recognition-decision")
		return err == nil && strings.Contains(string(a.Body), "decisive") || err == nil && strings.Contains(string(a.Body), "condition-changed")
	})
}

// TestFindRecognisableAnswersSeveralOrdersAndExplains asks the operations that the hooks are made of.
func TestFindRecognisableAnswersSeveralOrdersAndExplains(t *testing.T) {
	w := startWard(t, hubproc.Embedded(t))
	order := func(code string) string {
		return `{"name":"order","resource":{"resourceType":"ServiceRequest","status":"draft","intent":"order","subject":{"reference":"Patient/c1"},"code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]}}}`
	}
	ask := func(op string, status int, parameters ...string) string {
		t.Helper()
		a, err := w.Client(w.county).JSON("POST", "/fhir/ServiceRequest/"+op, []byte(`{"resourceType":"Parameters","parameter":[`+strings.Join(parameters, ",")+`]}`))
		if err != nil || a.Status != status {
			t.Fatal(op, a, err)
		}
		return string(a.Body)
	}
	two := ask("$find-recognisable", 200, order("14682-9"), order("2823-3"))
	for _, want := range []string{`"name":"answer"`, `"recognisable"`, `"not-recognisable"`, `"name":"expires"`, publicHub + `/fhir/Observation/o1`, `"78 umol/L"`} {
		if !strings.Contains(two, want) {
			t.Errorf("the answer has no %s: %s", want, two)
		}
	}
	explained := ask("$explain", 200, order("14682-9"))
	for _, want := range []string{`"name":"rule"`, `"name":"finding"`, `"name":"input"`, `时限`, `"in-window"`} {
		if !strings.Contains(explained, want) {
			t.Errorf("the explanation has no %s: %s", want, explained)
		}
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = order("14682-9")
	}
	if body := ask("$find-recognisable", 413, many...); !strings.Contains(body, "the limit is 50") {
		t.Errorf("a thousand orders: %s", body)
	}
	if body := ask("$find-recognisable", 400, `{"name":"order","resource":{"resourceType":"ServiceRequest","status":"draft","intent":"order","subject":{"reference":"Patient/c1"}}}`); !strings.Contains(body, "order[0].code") {
		t.Errorf("an order without a code: %s", body)
	}
	if body := ask("$find-recognisable", 400, order("14682-9"), strings.Replace(order("14682-9"), "c1", "c2", 1)); !strings.Contains(body, "parameter[1].resource.subject") {
		t.Errorf("orders for two patients: %s", body)
	}
}
