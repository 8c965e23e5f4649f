package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"concord/internal/dicom"
	"concord/internal/hl7"
	"concord/internal/sample"
	"concord/internal/upperlayer"
)

// send has the scanner of the centre send its series as scanners do: over one association (PS3.4 annex B).
func (t *teller) send(ctx context.Context) error {
	const class, syntax = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
	from := t.Cast.Linjiang
	t.line("")
	t.line("  → " + t.bold("C-STORE "+t.Title+" @ "+t.DICOM) + "   " + from.AET)
	started := time.Now()
	dialer := upperlayer.Dialer{}
	a, err := dialer.Dial(ctx, t.DICOM, upperlayer.Proposal{Called: t.Title, Calling: from.AET,
		Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: class, Transfer: []string{syntax}}}})
	if err != nil {
		return fmt.Errorf("associate with the hub: %w", err)
	}
	defer a.Abort()
	in, _ := a.ContextFor(class, "")
	for _, f := range t.ct {
		set, _, err := dicom.DataSetOf(f.Reader())
		if err != nil {
			return err
		}
		call, err := a.Call(ctx, in, upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: class, SOPInstance: f.InstanceUID}, set)
		if err != nil {
			return fmt.Errorf("send an instance: %w", err)
		}
		m, err := call.Next(ctx)
		call.Close()
		if err != nil {
			return fmt.Errorf("send an instance: %w", err)
		}
		if status := m.Command.Status; status != 0 && status>>12 != 0xB {
			return fmt.Errorf("the hub answers status %04X to an instance", uint16(status))
		}
	}
	if err := a.Release(ctx); err != nil {
		return fmt.Errorf("release the association: %w", err)
	}
	t.line(t.bold(fmt.Sprintf("  ← %d × 0000 Success   %.1f ms", len(t.ct), float64(time.Since(started).Microseconds())/1000)))
	return nil
}

// message has the laboratory of the other centre send its results as laboratories do: HL7 v2 over MLLP. The centre knows the patient by
// a registration of its own.
func (t *teller) message(ctx context.Context) error {
	t.scene("另一家机构用 HL7 v2 发送检验", "another centre's laboratory speaks HL7 v2")
	if t.MLLP == "" {
		t.both("本次未开启 MLLP，略过。", "There is no MLLP listener this time.")
		return nil
	}
	p, from := t.person, t.Cast.Heping
	t.both(fmt.Sprintf("%s的检验系统只会 HL7 v2。它按自己的登记发送糖化血红蛋白与促甲状腺激素，患者只带身份证号。", from.Name),
		fmt.Sprintf("The laboratory system of %s sends HbA1c and TSH, for a patient that it knows by the identity card.", from.English))
	taken := t.taken.Add(-40 * time.Hour)
	sex := map[bool]string{true: "M", false: "F"}[p.Gender() == "male"]
	number := fmt.Sprintf("HP%d", t.seed)
	text := strings.Join([]string{
		`MSH|^~\&|LIS|HEPING|CONCORD|HUB|` + hl7.FormatTime(taken.Add(3*time.Hour)) + `||ORU^R01^ORU_R01|` + number + `|P|2.5.1|||||CHN|UNICODE UTF-8`,
		`PID|1||` + p.ResidentID + `^^^&2.16.156.10011.1.3&ISO^NI||` + p.Family + `^` + p.Given + `||` + p.Birth.Format("20060102") + `|` + sex + `|||` + p.Address + `||` + p.Phone,
		`ORC|RE|` + number + `|` + number + `-F`,
		`OBR|1|` + number + `|` + number + `-F|GLYTHY^糖化与甲功^L|||` + hl7.FormatTime(taken) + `|||||||||||||||` + hl7.FormatTime(taken.Add(3*time.Hour)) + `||LAB|F`,
		`OBX|1|NM|4548-4^糖化血红蛋白^LN||5.6|%|4.0-6.0|N|||F|||` + hl7.FormatTime(taken),
		`OBX|2|NM|3016-3^促甲状腺激素^LN||2.31|m[IU]/L|0.27-4.2|N|||F|||` + hl7.FormatTime(taken),
	}, "\r") + "\r"
	answer, err := t.exchangeMessage(ctx, text)
	if err != nil {
		return err
	}
	if !strings.Contains(string(answer), "MSA|AA|"+number) {
		return fmt.Errorf("the hub answers the message with %.300q", answer)
	}
	t.check("AA：报文、由它生成的资源与来源说明已在同一次提交中落盘。", "AA: the message, the resources made of it and their provenance are durable, in one commit.")
	return nil
}

// exchangeMessage sends a message in MLLP's frame, prints both, and returns the answer.
func (t *teller) exchangeMessage(ctx context.Context, text string) ([]byte, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", t.MLLP)
	if err != nil {
		return nil, fmt.Errorf("connect by MLLP: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		return nil, err
	}
	t.line("")
	t.line("  → " + t.bold("MLLP "+t.MLLP))
	for _, segment := range strings.Split(strings.TrimSuffix(text, "\r"), "\r") {
		for _, l := range wrap(segment, columns-6) {
			t.line("      " + l)
		}
	}
	started := time.Now()
	if _, err := conn.Write(hl7.AppendFrame(nil, []byte(text))); err != nil {
		return nil, err
	}
	answer, err := hl7.NewFrames(conn, 1<<20).Next()
	if err != nil {
		return nil, fmt.Errorf("read the acknowledgement: %w", err)
	}
	t.line(t.bold(fmt.Sprintf("  ← %s   %.1f ms", firstOf(strings.Split(string(answer), "\r"), "MSA|"), float64(time.Since(started).Microseconds())/1000)))
	return answer, nil
}

func firstOf(segments []string, prefix string) string {
	for _, s := range segments {
		if strings.HasPrefix(s, prefix) {
			return s
		}
	}
	return "?"
}

// enrol registers the person at an institution, under a number of its own besides those that everybody asks for.
func (t *teller) enrol(ctx context.Context, at Institution, lines int) (a answer, id string, err error) {
	own := object{"system": ownSystem, "value": at.ID + "-" + t.person.Number}
	var body map[string]any
	if err := json.Unmarshal(sample.PatientResource(t.person), &body); err != nil {
		return a, "", err
	}
	numbers, _ := body["identifier"].([]any)
	body["identifier"] = append(numbers, own)
	sent, err := json.Marshal(body)
	if err != nil {
		return a, "", err
	}
	if a, err = t.do(ctx, call{who: at, method: http.MethodPost, path: "/fhir/Patient", body: sent, want: []int{200, 201}, lines: lines,
		headers: []string{"Content-Type", fhirJSON, "If-None-Exist", fmt.Sprintf("identifier=%s|%s", ownSystem, own["value"])}}); err != nil {
		return a, "", err
	}
	var got resource
	if err := a.decode(&got); err != nil {
		return a, "", err
	}
	if got.Type != "Patient" || got.ID == "" {
		return a, "", fmt.Errorf("the hub answered a %s %q where the patient was expected", got.Type, got.ID)
	}
	return a, "Patient/" + got.ID, nil
}

// ownSystem is the system of the numbers that the institutions of the story give to their patients.
const ownSystem = "urn:concord:sample:own-number"

// one shows that the hub knows the registrations of several institutions as one person.
func (t *teller) one(ctx context.Context) error {
	t.scene("四家机构，同一个人", "four institutions, one person")
	t.both(t.Cast.Lead.Name+"的门诊也登记了这位患者。各机构各有自己的患者记录，谁也不改谁的；枢纽判断这些记录是同一个人。",
		"The outpatient desk of "+t.Cast.Lead.English+" registers the patient as well. Each institution keeps its own record, and the hub finds that they are one person.")
	var err error
	if _, t.outpatient, err = t.enrol(ctx, t.Cast.Lead, -1); err != nil {
		return err
	}
	want := 3
	if t.MLLP != "" {
		want = 4
	}
	deadline := time.Now().Add(15 * time.Second)
	for {
		a, err := t.quiet(ctx, t.Cast.Lead, "/fhir/Person?link="+t.outpatient)
		if err != nil {
			return err
		}
		var got struct {
			Entry []struct {
				Resource struct {
					ID   string
					Link []struct {
						Target    struct{ Reference string }
						Assurance string
					}
				}
			}
		}
		if a.status == http.StatusOK && a.decode(&got) == nil && len(got.Entry) == 1 && len(got.Entry[0].Resource.Link) >= want {
			return t.linked(ctx, got.Entry[0].Resource.ID, len(got.Entry[0].Resource.Link))
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the hub does not find that %s is known elsewhere: %d %.400s", t.outpatient, a.status, a.body)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (t *teller) linked(ctx context.Context, person string, n int) error {
	if _, err := t.do(ctx, call{who: t.Cast.Lead, method: http.MethodGet, path: "/fhir/Person/" + person, want: []int{200}, lines: 3}); err != nil {
		return err
	}
	t.check(fmt.Sprintf("%d 份患者记录属于同一人，依据身份证号；每个要素都注明出处。", n), fmt.Sprintf("%d Patients are one person, by the identity card; each element says where it is from.", n))
	if t.MLLP == "" {
		return nil
	}
	a, err := t.do(ctx, call{who: t.Cast.Lead, method: http.MethodGet, path: "/fhir/Observation?patient=" + t.outpatient + "&code=http://loinc.org|3016-3", want: []int{200}})
	if err != nil {
		return err
	}
	var got resource
	if err := a.decode(&got); err != nil {
		return err
	}
	if len(got.Entry) != 1 || got.Entry[0].Resource.Subject.Reference == t.outpatient {
		return fmt.Errorf("by its own patient the lead hospital finds %d results of the other centre, one was expected", len(got.Entry))
	}
	t.check("按本院患者号查询，就查到了和平的促甲状腺激素。", "Asked by the hospital's own Patient, the hub finds the TSH of the other centre.")
	return nil
}

// card is one of a hook's answer.
type card struct {
	UUID        string
	Summary     string
	Indicator   string
	Suggestions []struct{ UUID string }
}

// hook has the lead hospital's record system ask while a doctor orders (CDS Hooks 2.0, order-select), prints the cards, and sends back what
// the doctor makes of them.
func (t *teller) hook(ctx context.Context) error {
	t.scene("开单时提醒：CDS Hooks", "told while ordering: CDS Hooks")
	t.both("医生在电子病历里勾选三项：胸部 CT、促甲状腺激素、心电图。病历系统调用 order-select，枢纽回卡片；没有可说的就不说。",
		"A doctor ticks three tests: a chest CT, TSH and an electrocardiogram. The record system calls order-select and gets cards; the hub says nothing where there is nothing to say.")
	var drafts, selections []any
	exams := []exam{chestCT(), {"3016-3", "Thyrotropin", "促甲状腺激素"}, {"11524-6", "EKG study", "心电图"}}
	for i, e := range exams {
		id := fmt.Sprintf("draft%d", i+1)
		selections = append(selections, "ServiceRequest/"+id)
		drafts = append(drafts, object{"resource": object{"resourceType": "ServiceRequest", "id": id, "status": "draft", "intent": "order", "subject": object{"reference": t.outpatient},
			"code": object{"coding": []any{object{"system": "http://loinc.org", "code": e.loinc, "display": e.display}}, "text": e.text}}})
	}
	body, err := json.Marshal(object{"hook": "order-select", "hookInstance": sample.UUID(t.seed, "hook", 0),
		"context": object{"userId": "Practitioner/li", "patientId": strings.TrimPrefix(t.outpatient, "Patient/"), "selections": selections,
			"draftOrders": object{"resourceType": "Bundle", "type": "collection", "entry": drafts}}})
	if err != nil {
		return err
	}
	const service = "/cds-services/recognition-order-select"
	a, err := t.do(ctx, call{who: t.Cast.Lead, method: http.MethodPost, path: service, body: body, want: []int{200}, headers: []string{"Content-Type", "application/json"}, lines: -1})
	if err != nil {
		return err
	}
	var got struct{ Cards []card }
	if err := a.decode(&got); err != nil {
		return err
	}
	for _, c := range got.Cards {
		t.line("      " + t.bold(map[string]string{"warning": "! ", "info": "i "}[c.Indicator]+c.Summary))
	}
	want := len(exams)
	if t.MLLP == "" {
		want--
	}
	if len(got.Cards) != want {
		return fmt.Errorf("%d cards were expected, the hub gave %d: %.600s", want, len(got.Cards), a.body)
	}
	for i, name := range []string{"CT", "促甲状腺", "心电图"}[:want] {
		if !anyOf(got.Cards, func(c card) bool { return strings.Contains(c.Summary, name) }) && t.MLLP != "" {
			return fmt.Errorf("no card speaks of %s (order %d): %.600s", name, i+1, a.body)
		}
	}
	return t.choose(ctx, service, got.Cards)
}

func anyOf(cards []card, holds func(card) bool) bool {
	for _, c := range cards {
		if holds(c) {
			return true
		}
	}
	return false
}

// choose sends the doctor's choice: all are accepted but the last.
func (t *teller) choose(ctx context.Context, service string, cards []card) error {
	var feedback []any
	now := time.Now().UTC().Format(time.RFC3339)
	for i, c := range cards {
		f := object{"card": c.UUID, "outcomeTimestamp": now, "outcome": "accepted"}
		if i == len(cards)-1 {
			f["outcome"] = "overridden"
			f["overrideReason"] = object{"reason": object{"code": "condition-changed", "system": "urn:concord:recognition:reason"}, "userComment": "胸痛复发"}
		} else if len(c.Suggestions) == 0 {
			return errors.New("a card that may be accepted has no suggestion")
		} else {
			f["acceptedSuggestions"] = []any{object{"id": c.Suggestions[0].UUID}}
		}
		feedback = append(feedback, f)
	}
	body, err := json.Marshal(object{"feedback": feedback})
	if err != nil {
		return err
	}
	t.line("")
	t.both("医生认可前几项，最后一项因病情变化仍要做；病历系统把选择送回。", "The doctor accepts all but the last, which is to be made again since the condition has changed. The record system sends that back.")
	if _, err := t.do(ctx, call{who: t.Cast.Lead, method: http.MethodPost, path: service + "/feedback", body: body, want: []int{200}, headers: []string{"Content-Type", "application/json"}}); err != nil {
		return err
	}
	t.check("选择已成为记录，原因在册。", "The choice is a record, with its reason.")
	return nil
}

// counted shows the choice in the statistics.
func (t *teller) counted(ctx context.Context) error {
	t.scene("互认率", "the recognition rate")
	deadline := time.Now().Add(10 * time.Second)
	for {
		a, err := t.quiet(ctx, t.Cast.Lead, "/recognition/statistics?by=item")
		if err != nil {
			return err
		}
		var got struct {
			Total struct {
				Counts map[string]struct{ Count int }
			}
		}
		offered, accepted, declined := 0, 0, 0
		if a.status == http.StatusOK && a.decode(&got) == nil {
			c := got.Total.Counts
			offered, accepted, declined = c["offered"].Count, c["accepted"].Count, c["declined"].Count
		}
		if accepted > 0 && declined > 0 {
			if _, err := t.do(ctx, call{who: t.Cast.Lead, method: http.MethodGet, path: "/recognition/statistics?by=item", want: []int{200}, lines: 4}); err != nil {
				return err
			}
			t.check(fmt.Sprintf("提示 %d 次，认可 %d，未认可 %d；每个数字都能打开其清单。", offered, accepted, declined),
				fmt.Sprintf("%d offered, %d accepted, %d declined; every number opens its list.", offered, accepted, declined))
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the choice is not in the statistics: %d %.600s", a.status, a.body)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
