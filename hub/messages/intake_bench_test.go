package messages_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"concord/hub/messages"
	"concord/storage/index"
	"concord/storage/keeper"
	"concord/storage/object/disk"
)

// BenchmarkTake takes reports of eight results from 200 senders at a time, each about a patient of its own, on a disk and the
// embedded keeper.
func BenchmarkTake(b *testing.B) {
	objects, err := disk.Open(b.TempDir(), disk.Options{})
	if err != nil {
		b.Fatal(err)
	}
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	b.Cleanup(func() { conn.Close(); k.Close() })
	w := openWorld(b, objects, index.Open(conn, index.StandardLayout(0)))
	var next, results atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for s := range 200 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				out, err := w.intake.Take(b.Context(), as("m"), incoming(fmt.Sprint(i), "", benchReport(s, i)))
				if err != nil || out.Message.Status != messages.Mapped {
					b.Error(err, out.Message.Faults)
					return
				}
				results.Add(int64(len(out.Message.Made)))
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(results.Load())/float64(b.N), "resources/message")
}

func benchReport(patient int, number int64) string {
	list := fmt.Sprintf(`{"body":{"resourceType":"Patient","id":"p%d","identifier":[{"system":"urn:mr","value":"%d"}],"name":[{"family":"张","given":["伟"],"text":"张伟"}],"gender":"male","birthDate":"1970-01-01"}}`, patient, patient)
	refs := ""
	for r := range 8 {
		list += fmt.Sprintf(`,{"part":"%[1]d","body":{"resourceType":"Observation","id":"o-%[1]d-%[2]d","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"code":{"coding":[{"system":"urn:lab","code":"C%[2]d","display":"Analyte %[2]d"},{"system":"http://loinc.org","code":"2823-3"}]},"subject":{"reference":"Patient/m-p%[3]d"},"effectiveDateTime":"2026-03-01T08:00:00+08:00","valueQuantity":{"value":4.%[2]d,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"},"referenceRange":[{"low":{"value":3.5},"high":{"value":5.3},"text":"3.5-5.3"}],"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"N"}]}]}}`, number, r, patient)
		refs += fmt.Sprintf(`,{"reference":"Observation/m-o-%d-%d"}`, number, r)
	}
	return `{"resources":[` + list + fmt.Sprintf(`,{"part":"%[1]d","body":{"resourceType":"DiagnosticReport","id":"r-%[1]d","identifier":[{"system":"urn:filler","value":"%[1]d"}],"status":"final","code":{"text":"panel"},"subject":{"reference":"Patient/m-p%[2]d"},"issued":"2026-03-01T08:10:00+08:00","result":[%[3]s]}}`, number, patient, refs[1:]) + `]}`
}
