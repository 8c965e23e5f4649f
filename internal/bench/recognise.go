package bench

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"concord/internal/sample"
)

// A district whose doctors order: each patient has five results of the laboratory, every second one an imaging study.
const (
	resultsEach   = 5
	perRecognise  = 20 // patients of one transaction
	recogniseName = "rcg"
)

// recognised are the items ordered, by LOINC with a unit: five of the laboratory, of which each patient has results, and images
// and a tracing, of which some have.
func recognised() [][2]string {
	return [][2]string{{"14682-9", "umol/L"}, {"14933-6", "umol/L"}, {"1742-6", "U/L"}, {"1920-8", "U/L"}, {"14647-2", "mmol/L"}, {"29252-4", ""}, {"30799-1", ""}, {"11524-6", ""}}
}

// recogniseWorks loads Options.Resources results with their patients and studies, and asks what an EHR asks while a doctor
// selects eight orders.
func (b *bench) recogniseWorks(ctx context.Context) ([]Work, error) {
	total := b.Resources
	if total <= 0 {
		total = 1_000_000
		if b.Quick {
			total = 5_000
		}
	}
	patients := max(perRecognise, total/resultsEach)
	before, err := b.judged(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.loadRecognise(ctx, patients); err != nil {
		return nil, err
	}
	if err := b.linked(ctx, before, patients); err != nil {
		return nil, err
	}
	on := func(path, mark string, body func(patient string) []byte) turn {
		return func(ctx context.Context, clients, round int) (Sample, error) {
			return load(ctx, b.hub, clients, b.reading(round), func(i int) call {
				q := b.hub.request("POST", path, []string{"Content-Type", "application/json", "Accept", "application/json"}, body(recogniseID(i*7919%patients)))
				return call{q, 1, func(a answer) error {
					if a.Status == 200 && bytes.Contains(a.Body, []byte(mark)) {
						return nil
					}
					return holds(a, mark, 1)
				}}
			})
		}
	}
	selecting := on("/cds-services/recognition-order-select", `"uuid"`, orderSelect)
	return []Work{
		{Title: "order-select, 8 drafts", Unit: "req", Clients: b.clients(8), Goal: Goal{Of: "ms", AtMost: 10}, hub: selecting},
		{Title: "order-select, 8 drafts", Unit: "req", Clients: b.clients(8), Goal: Goal{Of: "p99", AtMost: 50}, hub: selecting},
		{Title: "order-select, 8 drafts", Unit: "req", Clients: 1, Goal: Goal{Of: "ms", AtMost: 10}, hub: selecting},
		{Title: "$match of one that is there", Unit: "req", Clients: b.clients(8), Goal: Goal{Of: "ms", AtMost: 10}, hub: b.matching(patients)},
		{Title: "patient-view", Unit: "req", Clients: b.clients(8), hub: on("/cds-services/recognition-patient-view", `"uuid"`, patientView)},
	}, nil
}

func recogniseID(i int) string { return fmt.Sprintf("%s%d", recogniseName, i) }

// loadRecognise sends the district, some patients a transaction.
func (b *bench) loadRecognise(ctx context.Context, patients int) error {
	n := (patients + perRecognise - 1) / perRecognise
	tenth := max(1, n/10)
	for from := 0; from < n; from += tenth {
		sent, err := load(ctx, b.hub, 2, bounds{count: min(tenth, n-from), time: time.Hour}, func(i int) call {
			body, entries := district((from+i)*perRecognise, perRecognise)
			q := b.hub.request("POST", "/fhir", []string{"Content-Type", fhirJSON, "Accept", fhirJSON, "Prefer", "return=minimal"}, body)
			return call{q, entries, func(a answer) error { return holds(a, `"201 Created"`, entries) }}
		})
		if err != nil {
			return fmt.Errorf("load patients: %w", err)
		}
		b.say("loaded %d of %d patients: %.0f resources/s", min(n, from+tenth)*perRecognise, patients, sent.Rate())
	}
	return nil
}

// judged is how many Patients the hub has compared with the others since it was started.
func (b *bench) judged(ctx context.Context) (n int, err error) {
	const metric = "\nconcord_identity_judged_total "
	_, err = load(ctx, b.hub, 1, bounds{count: 1, time: time.Minute}, func(int) call {
		return call{b.hub.get("/metrics", "text/plain"), 1, func(a answer) error {
			_, text, ok := strings.Cut(string(a.Body), metric)
			text, _, _ = strings.Cut(text, "\n")
			value, bad := strconv.ParseFloat(text, 64)
			if n = int(value); a.Status != 200 || !ok || bad != nil {
				return fmt.Errorf("read how many patients were judged: status %d without a number", a.Status)
			}
			return nil
		}}
	})
	return n, err
}

// linked waits until the hub has judged the patients that were sent: a district is asked at rest, not while it is filled.
func (b *bench) linked(ctx context.Context, before, patients int) error {
	began, told := time.Now(), time.Now()
	for {
		n, err := b.judged(ctx)
		if err != nil || n-before >= patients {
			b.say("%d patients were compared with the others %v after the last of them came", n-before, time.Since(began).Round(time.Second))
			return err
		}
		if time.Since(told) > 20*time.Second {
			told = time.Now()
			b.say("%d of %d patients are compared with the others", n-before, patients)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		if time.Since(began) > 2*time.Hour {
			return fmt.Errorf("wait until patients are compared: not done after %v", time.Since(began).Round(time.Second))
		}
	}
}

// district is a transaction with patients from first on, and how many entries it has.
func district(first, n int) (bundle []byte, entries int) {
	var out bytes.Buffer
	put := func(typ, id, rest string, args ...any) {
		if entries++; entries > 1 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"request":{"method":"PUT","url":"%s/%s"},"resource":{"resourceType":"%[1]s","id":"%[2]s",`, typ, id)
		fmt.Fprintf(&out, rest+"}}", args...)
	}
	now := time.Now().UTC()
	out.WriteString(`{"resourceType":"Bundle","type":"transaction","entry":[`)
	for i := first; i < first+n; i++ {
		id := recogniseID(i)
		p := sample.NewPerson(uint64(i))
		put("Patient", id, `"active":true,"identifier":[{"system":"%s","value":"%s"}],%s`, sample.ResidentIDSystem, p.ResidentID, described(p))
		for k, of := range recognised()[:resultsEach] {
			at := now.Add(-time.Duration(1+(i+k*31)%(20*24)) * time.Hour).Format(time.RFC3339)
			if k == 0 {
				at = now.Add(-time.Duration(1+i%48) * time.Hour).Format(time.RFC3339)
			}
			put("Observation", fmt.Sprintf("%s-%d", id, k), `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"%s"}]},"subject":{"reference":"Patient/%s"},"effectiveDateTime":"%s",
				"valueQuantity":{"value":%d,"unit":"%s","system":"http://unitsofmeasure.org","code":"%[5]s"}`, of[0], id, at, 20+(i+k)%80, of[1])
		}
		if i%2 == 0 {
			at := now.Add(-time.Duration(1+i%(40*24)) * time.Hour).Format(time.RFC3339)
			put("ImagingStudy", fmt.Sprintf("2.25.7.%d", i+1), `"status":"available","subject":{"reference":"Patient/%s"},"started":"%s","modality":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"}],
				"description":"胸部CT平扫","series":[{"uid":"2.25.8.%d","modality":{"code":"CT"},"bodySite":{"system":"http://snomed.info/sct","code":"51185008"}}]`, id, at, i+1)
		}
	}
	out.WriteString(`]}`)
	return bytes.ReplaceAll(out.Bytes(), []byte("\n\t\t\t\t"), nil), entries
}

// described is what a Patient says of a person besides the number.
func described(p sample.Person) string {
	return fmt.Sprintf(`"gender":"%s","birthDate":"%s","name":[{"text":"%s%s","family":"%[3]s","given":["%[4]s"]}],"telecom":[{"system":"phone","value":"%[5]s"}],"address":[{"text":"%[6]s"}]`,
		p.Gender(), p.Birth.Format(time.DateOnly), p.Family, p.Given, p.Phone, p.Address)
}

// matching asks who people are whose number is not at hand.
func (b *bench) matching(patients int) turn {
	return func(ctx context.Context, clients, round int) (Sample, error) {
		return load(ctx, b.hub, clients, b.reading(round), func(i int) call {
			at := i * 7919 % patients
			body := `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":"Patient",` + described(sample.NewPerson(uint64(at))) + `}},{"name":"count","valueInteger":5}]}`
			q := b.hub.request("POST", "/fhir/Patient/$match", []string{"Content-Type", "application/fhir+json"}, []byte(body))
			return call{q, 1, func(a answer) error { return holds(a, `"id":"`+recogniseID(at)+`"`, 1) }}
		})
	}
}

const hookInstance = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"

// orderSelect is the hook of an EHR where a doctor has selected one draft of each item.
func orderSelect(patient string) []byte {
	var names, drafts []string
	for k, of := range recognised() {
		names = append(names, fmt.Sprintf(`"ServiceRequest/d%d"`, k))
		drafts = append(drafts, fmt.Sprintf(`{"resource":{"resourceType":"ServiceRequest","id":"d%d","status":"draft","intent":"order","subject":{"reference":"Patient/%s"},"code":{"coding":[{"system":"http://loinc.org","code":"%s"}]}}}`, k, patient, of[0]))
	}
	return fmt.Appendf(nil, `{"hook":"order-select","hookInstance":"%s","context":{"userId":"Practitioner/d","patientId":"%s","selections":[%s],"draftOrders":{"resourceType":"Bundle","entry":[%s]}}}`,
		hookInstance, patient, strings.Join(names, ","), strings.Join(drafts, ","))
}

func patientView(patient string) []byte {
	return fmt.Appendf(nil, `{"hook":"patient-view","hookInstance":"%s","context":{"userId":"Practitioner/d","patientId":"%s"}}`, hookInstance, patient)
}
