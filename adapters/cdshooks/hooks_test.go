package cdshooks_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"concord/adapters/cdshooks"
	"concord/hub"
	"concord/hub/recognition"
)

const (
	selectAt = "/recognition-order-select"
	signAt   = "/recognition-order-sign"
	viewAt   = "/recognition-patient-view"
)

// clinic has a patient of the county hospital, with a creatinine that the hospital itself measured two days ago.
func clinic(t testing.TB, change ...func(*cdshooks.Deps)) *world {
	w := start(t, change...)
	w.write("county", `{"resourceType":"Patient","id":"p1","gender":"female","birthDate":"1980-01-02","identifier":[{"system":"urn:mrn","value":"M-1"}]}`)
	w.write("county", creatinine("o1", "p1", 48*time.Hour, ""))
	return w
}

func TestADraftOrderThatHasARecognisableResultGetsACard(t *testing.T) {
	w := clinic(t)
	r := w.cards(1, "county", selectAt, selecting("p1", order("draft1", "p1", "14682-9", "")))
	c := r.Cards[0]
	if !strings.Contains(c.Summary, "肌酐") || !strings.Contains(c.Summary, "78 umol/L") || !strings.Contains(c.Summary, "县人民医院") {
		t.Errorf("summary %q", c.Summary)
	}
	if c.Indicator != "warning" || c.Source.Label == "" || c.Source.Topic.Code == "" || c.SelectionBehavior != "at-most-one" {
		t.Errorf("card %+v", c)
	}
	if len(c.Suggestions) != 1 || len(c.Suggestions[0].Actions) != 2 || c.Suggestions[0].Actions[0].Type != "delete" || c.Suggestions[0].Actions[0].ResourceID != "ServiceRequest/draft1" ||
		c.Suggestions[0].Actions[1].Type != "create" || !strings.Contains(string(c.Suggestions[0].Actions[1].Resource), "https://hub.example/fhir/Observation/o1") {
		t.Errorf("suggestions %+v", c.Suggestions)
	}
	codes := map[string]bool{}
	for _, o := range c.OverrideReasons {
		codes[o.Code] = o.Display != "" && o.System != ""
	}
	for _, code := range []string{"condition-changed", "rapid-change", "decisive", "emergency", "forensic", "other"} {
		if !codes[code] {
			t.Errorf("the reason %s is not offered with words: %v", code, c.OverrideReasons)
		}
	}
	if len(w.book.offers) != 1 || w.book.offers[0].Card != c.UUID || w.book.offers[0].Instance != instance {
		t.Errorf("offers %+v", w.book.offers)
	}
	if strings.Contains(string(r.body), "systemActions") {
		t.Error("there are system actions")
	}
}

func TestSigningDecidesAgainAndShowsTheSameCard(t *testing.T) {
	w := clinic(t)
	first := w.cards(1, "county", selectAt, selecting("p1", order("draft1", "p1", "14682-9", ""))).Cards[0]
	signing := strings.Replace(selecting("p1", order("draft1", "p1", "14682-9", "")), "order-select", "order-sign", 1)
	if again := w.cards(1, "county", signAt, signing).Cards[0]; again.UUID != first.UUID || again.Suggestions[0].UUID != first.Suggestions[0].UUID {
		t.Errorf("the card of the same order is %s, then %s", first.UUID, again.UUID)
	}
	w.write("county", strings.Replace(creatinine("o1", "p1", 48*time.Hour, ""), `"final"`, `"entered-in-error"`, 1))
	w.cards(0, "county", signAt, signing)
}

func TestOnlyWhatWasSelectedIsAdvisedOn(t *testing.T) {
	w := clinic(t)
	body := selecting("p1", order("a", "p1", "14682-9", ""), order("b", "p1", "14682-9", ""))
	w.cards(1, "county", selectAt, strings.Replace(body, `"selections":["ServiceRequest/a","ServiceRequest/b"]`, `"selections":["ServiceRequest/b"]`, 1))
	w.cards(0, "county", selectAt, strings.Replace(body, `"selections":["ServiceRequest/a","ServiceRequest/b"]`, `"selections":[]`, 1))
}

func TestTheOlderVersionDeletesByResource(t *testing.T) {
	w := clinic(t)
	c := w.cards(1, "county", "/1.1/cds-services"+selectAt, selecting("p1", order("draft1", "p1", "14682-9", ""))).Cards[0]
	if a := c.Suggestions[0].Actions[0]; string(a.Resource) != `"ServiceRequest/draft1"` || a.ResourceID != "" {
		t.Errorf("delete %+v", a)
	}
}

func TestWhatMayBeRepeatedSaysSoWithItsReasonFirst(t *testing.T) {
	w := clinic(t)
	w.write("county", `{"resourceType":"Encounter","id":"e1","status":"in-progress","class":{"code":"EMER"},"subject":{"reference":"Patient/p1"}}`)
	body := strings.Replace(selecting("p1", order("draft1", "p1", "14682-9", "")), `"patientId":"p1"`, `"patientId":"p1","encounterId":"e1"`, 1)
	c := w.cards(1, "county", selectAt, body).Cards[0]
	if c.Indicator != "info" || c.OverrideReasons[0].Code != "emergency" || len(c.Suggestions) != 1 || c.Suggestions[0].Actions[0].Type != "update" {
		t.Errorf("card %+v", c)
	}
	flagged := order("draft1", "p1", "14682-9", `,"extension":[{"url":"urn:concord:recognition:exception","valueCode":"forensic"}]`)
	if c := w.cards(1, "county", selectAt, selecting("p1", flagged)).Cards[0]; c.OverrideReasons[0].Code != "forensic" {
		t.Errorf("reasons %+v", c.OverrideReasons)
	}
}

func TestWhereThereIsNothingToSayNothingIsSaid(t *testing.T) {
	w := clinic(t)
	for say, body := range map[string]string{
		"another item":                   selecting("p1", order("d", "p1", "2823-3", "")),
		"a code that nobody knows":       selecting("p1", order("d", "p1", "99999-9", "")),
		"a patient whom nobody knows":    selecting("nobody", order("d", "nobody", "14682-9", "")),
		"an order without a code as yet": selecting("p1", `{"resource":{"resourceType":"ServiceRequest","id":"d","status":"draft","intent":"order","subject":{"reference":"Patient/p1"}}}`),
		"an order of another kind":       selecting("p1", `{"resource":{"resourceType":"MedicationRequest","id":"d","status":"draft","intent":"order","subject":{"reference":"Patient/p1"}}}`),
	} {
		t.Run(say, func(t *testing.T) {
			if r := w.ask("county", selectAt, body); r.status != 200 || string(r.body) != `{"cards":[]}` {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
}

// An EHR that never sent its patients to the hub sees no cards; whoever runs the hub has to see why.
func TestThatAPatientIsUnknownIsToldApartFromNothingToSay(t *testing.T) {
	var told []string
	w := start(t, func(d *cdshooks.Deps) {
		d.Observe = func(_, what string, _ time.Duration) { told = append(told, what) }
	})
	w.write("county", `{"resourceType":"Patient","id":"p1"}`)
	for _, member := range []string{"county", "village"} {
		w.cards(0, member, selectAt, selecting("p1", order("d", "p1", "14682-9", "")))
	}
	if !slices.Equal(told, []string{"none", "unknown"}) {
		t.Errorf("told %q", told)
	}
}

// A patient's id is the EHR's own. Where another member has a patient of the same id, that is somebody else.
func TestAnotherMembersPatientOfTheSameIdIsNotTaken(t *testing.T) {
	w := clinic(t)
	w.cards(0, "village", selectAt, selecting("p1", order("d", "p1", "14682-9", "")))
	w.write("village", `{"resourceType":"Patient","id":"v9","identifier":[{"system":"urn:village","value":"V-1"}]}`)
	w.write("village", creatinine("o9", "v9", time.Hour, ""))
	body := strings.TrimSuffix(selecting("p1", order("d", "p1", "14682-9", "")), "}") + `,"prefetch":{"patient":{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:village","value":"V-1"}]}}}`
	c := w.cards(1, "village", selectAt, body).Cards[0]
	if strings.Contains(c.Detail, "o1") || !strings.Contains(c.Summary, "柳林村") {
		t.Errorf("card %+v", c)
	}
}

func TestAPrefetchedPatientWhoIsSomebodyElseStopsRecognition(t *testing.T) {
	w := clinic(t)
	with := func(patient string) string {
		return strings.TrimSuffix(selecting("p1", order("d", "p1", "14682-9", "")), "}") + `,"prefetch":{"patient":` + patient + `}}`
	}
	w.cards(1, "county", selectAt, with(`{"resourceType":"Patient","id":"p1","gender":"female","birthDate":"1980-01-02","identifier":[{"system":"urn:mrn","value":"M-1"},{"system":"urn:other","value":"x"}]}`))
	w.cards(1, "county", selectAt, with(`null`))
	w.cards(1, "county", selectAt, with(`{"resourceType":"OperationOutcome","issue":[]}`))
	for say, patient := range map[string]string{
		"another birth date": `{"resourceType":"Patient","id":"p1","birthDate":"1981-01-02"}`,
		"another gender":     `{"resourceType":"Patient","id":"p1","gender":"male"}`,
		"another number":     `{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"M-2"}]}`,
		"another id":         `{"resourceType":"Patient","id":"p2"}`,
	} {
		t.Run(say, func(t *testing.T) {
			for _, c := range w.ask("county", selectAt, with(patient)).Cards {
				if len(c.Suggestions) > 0 || c.Indicator != "info" {
					t.Errorf("card %+v", c)
				}
			}
		})
	}
}

func TestPrefetchThatContradictsTheHubIsToldAndNotBelieved(t *testing.T) {
	w := clinic(t)
	forged := strings.Replace(creatinine("o1", "p1", 48*time.Hour, ""), `"value":78`, `"value":500`, 1)
	strange := creatinine("o-forged", "p1", time.Minute, "")
	body := strings.TrimSuffix(selecting("p1", order("d", "p1", "14682-9", "")), "}") + `,"prefetch":{"results":{"resourceType":"Bundle","entry":[{"resource":` + forged + `},{"resource":` + strange + `}]}}}`
	c := w.cards(1, "county", selectAt, body).Cards[0]
	if strings.Contains(c.Summary, "500") || !strings.Contains(c.Summary, "78") || !strings.Contains(c.Detail, "未采用") || strings.Contains(string(w.ask("county", selectAt, body).body), "forged") {
		t.Errorf("card %+v", c)
	}
}

func TestWhatSendersWriteMeansNothingOnACard(t *testing.T) {
	w := start(t)
	w.write("evil", `{"resourceType":"Patient","id":"p1"}`)
	w.write("evil", strings.Replace(creatinine("o1", "p1", time.Hour, ""), `"肌酐"`, `"肌酐 <script>alert(1)</script> [x](javascript:alert(1)) \u202e**b** http://e.example"`, 1))
	d := w.cards(1, "evil", selectAt, selecting("p1", order("d", "p1", "14682-9", ""))).Cards[0].Detail
	for _, bad := range []string{"<script", "](javascript", "<img", "![x]", "http://e", "\u202e"} {
		if strings.Contains(d, bad) {
			t.Errorf("the detail holds %q:\n%s", bad, d)
		}
	}
}

func TestASummaryIsShort(t *testing.T) {
	w := start(t)
	w.write("county", `{"resourceType":"Patient","id":"p1"}`)
	w.write("county", strings.Replace(creatinine("o1", "p1", time.Hour, ""), `"value":78,"unit":"umol/L"`, `"value":78,"unit":"`+strings.Repeat("😀字", 200)+`"`, 1))
	for _, c := range w.cards(1, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", ""))).Cards {
		if n := len(utf16.Encode([]rune(c.Summary))); n >= 140 {
			t.Errorf("a summary of %d characters: %s", n, c.Summary)
		}
	}
}

func TestACardIsInTheLanguageThatIsAskedFor(t *testing.T) {
	w := clinic(t)
	c := w.cards(1, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", "")), "Accept-Language: en-GB,en;q=0.8").Cards[0]
	if !strings.HasPrefix(c.Summary, "May be recognised") || !strings.Contains(c.Detail, "within") {
		t.Errorf("%s\n%s", c.Summary, c.Detail)
	}
}

func TestThePatientViewListsWhatMayBeRecognised(t *testing.T) {
	w := clinic(t)
	view := fmt.Sprintf(`{"hook":"patient-view","hookInstance":"%s","context":{"userId":"Practitioner/d1","patientId":"p1"}}`, instance)
	c := w.cards(1, "county", viewAt, view).Cards[0]
	if !strings.Contains(c.Summary, "肌酐") || len(c.Suggestions) != 0 {
		t.Errorf("card %+v", c)
	}
	w.write("county", `{"resourceType":"Patient","id":"p2"}`)
	w.cards(0, "county", viewAt, strings.Replace(view, "p1", "p2", 1))
}

func TestALinkedPatientsResultsCountAndADoubtfulOnesDoNot(t *testing.T) {
	w := clinic(t)
	w.write("village", `{"resourceType":"Patient","id":"v1"}`)
	w.write("village", creatinine("o2", "v1", time.Hour, ""))
	doubtful := ""
	w.adviser.Linked = func(context.Context, string) ([]string, error) { return []string{"Patient/p1", "Patient/v1"}, nil }
	w.adviser.Quarantined = func(_ context.Context, p string) (bool, error) { return p == doubtful, nil }
	if c := w.cards(1, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", ""))).Cards[0]; !strings.Contains(c.Summary, "柳林村") {
		t.Errorf("the newest result is not the other member's: %s", c.Summary)
	}
	doubtful = "Patient/v1"
	if c := w.cards(1, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", ""))).Cards[0]; !strings.Contains(c.Summary, "县人民医院") {
		t.Errorf("a doubtful result is shown: %s", c.Summary)
	}
	doubtful = "Patient/p1"
	w.cards(0, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", "")))
}

func TestAPatientUnlinkedDuringTheCallIsNotRecognised(t *testing.T) {
	w := clinic(t)
	w.write("village", `{"resourceType":"Patient","id":"v1"}`)
	w.write("village", creatinine("o2", "v1", time.Hour, ""))
	asked := 0
	w.adviser.Linked = func(context.Context, string) ([]string, error) {
		if asked++; asked == 1 {
			return []string{"Patient/p1", "Patient/v1"}, nil
		}
		return []string{"Patient/p1"}, nil
	}
	if c := w.cards(1, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", ""))).Cards[0]; strings.Contains(c.Summary+c.Detail, "柳林村") {
		t.Errorf("the unlinked patient's result is shown: %s", c.Summary)
	}
	w.adviser.Linked = func(context.Context, string) ([]string, error) {
		if asked++; asked%2 == 0 {
			return []string{"Patient/p1", "Patient/v1"}, nil
		}
		return []string{"Patient/p1"}, nil
	}
	w.cards(0, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", ""))) // it never ends: nothing is said
}

func TestASlowOrBusyHubSaysNothing(t *testing.T) {
	w := clinic(t, func(d *cdshooks.Deps) { d.Limits = cdshooks.Limits{Budget: 50 * time.Millisecond, Calls: 1} })
	release := make(chan struct{})
	w.adviser.Linked = func(ctx context.Context, _ string) ([]string, error) {
		<-release
		return nil, ctx.Err()
	}
	body := selecting("p1", order("d", "p1", "14682-9", ""))
	w.cards(0, "county", selectAt, body) // late
	w.cards(0, "county", selectAt, body) // the first is still at it
	close(release)
}

func TestAFaultOfTheHubSaysNothing(t *testing.T) {
	w := clinic(t)
	w.adviser.Linked = func(context.Context, string) ([]string, error) {
		return nil, &hub.Error{Kind: hub.Unavailable, Msg: "the index is behind"}
	}
	w.cards(0, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", "")))
}

func TestAPanelIsShownItemByItem(t *testing.T) {
	w := start(t)
	w.write("county", `{"resourceType":"Patient","id":"p1"}`)
	c := w.adviser.Catalogue()
	if len(c.Panels) == 0 {
		t.Skip("skipped: the catalogue has no panels")
	}
	p := c.Panels[0]
	for i, id := range p.Members {
		item := c.Item(id)
		unit := "1"
		if len(item.Units) > 0 {
			unit = item.Units[0]
		}
		w.write("county", fmt.Sprintf(`{"resourceType":"Observation","id":"m%d","status":"final","code":{"coding":[{"system":"%s","code":"%s"}]},"subject":{"reference":"Patient/p1"},
			"effectiveDateTime":"%s","valueQuantity":{"value":1,"system":"http://unitsofmeasure.org","unit":"%s","code":"%[5]s"}}`, i, item.Codes[0].System, item.Codes[0].Code, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), unit))
	}
	code := recognition.Coding{}
	draft := strings.Replace(order("d", "p1", "x", ""), `"coding":[{"system":"http://loinc.org","code":"x"}]`, `"text":"`+p.Chinese+`"`, 1)
	if len(p.Codes) > 0 {
		code = p.Codes[0]
		draft = strings.Replace(order("d", "p1", "x", ""), `"system":"http://loinc.org","code":"x"`, `"system":"`+code.System+`","code":"`+code.Code+`"`, 1)
	}
	card := w.cards(1, "county", selectAt, selecting("p1", draft)).Cards[0]
	n := len(p.Members)
	if !strings.Contains(card.Summary, fmt.Sprintf("%d/%d", n, n)) || len(card.Suggestions[0].Actions) != n+1 {
		t.Errorf("%s\n%s", card.Summary, card.Detail)
	}
}

func TestAnotherKindOfSpecimenIsAnotherTest(t *testing.T) {
	for kind, cards := range map[string]int{"SER": 1, "UR": 0} {
		w := start(t)
		w.write("county", `{"resourceType":"Patient","id":"p1"}`)
		w.write("county", `{"resourceType":"Specimen","id":"s1","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0487","code":"`+kind+`"}]}}`)
		w.write("county", creatinine("o1", "p1", time.Hour, `,"specimen":{"reference":"Specimen/s1"}`))
		w.cards(cards, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", "")))
	}
}

func TestAComponentIsAResultOfItsOwn(t *testing.T) {
	w := start(t)
	w.write("county", `{"resourceType":"Patient","id":"p1"}`)
	w.write("county", fmt.Sprintf(`{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"生化"},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"%s",
		"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"14682-9"}]},"valueQuantity":{"value":81,"unit":"umol/L","system":"http://unitsofmeasure.org","code":"umol/L"}}]}`,
		time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
	c := w.cards(1, "county", selectAt, selecting("p1", order("d", "p1", "14682-9", ""))).Cards[0]
	if c.Indicator != "warning" || !strings.Contains(c.Summary, "81 umol/L") {
		t.Errorf("card %+v", c)
	}
}
