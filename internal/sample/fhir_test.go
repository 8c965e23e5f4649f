package sample

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/internal/cnid"
)

func TestEveryPersonIsConsistent(t *testing.T) {
	ids := map[string]bool{}
	for seed := range uint64(2000) {
		p := NewPerson(seed)
		r, err := cnid.ParseResident(p.ResidentID)
		if err != nil || !r.Birth.Equal(p.Birth) || r.Male != p.Male {
			t.Fatalf("seed %d: the resident id says %+v (%v) of %+v", seed, r, err, p)
		}
		ids[p.ResidentID] = true
	}
	if len(ids) < 1999 {
		t.Errorf("%d resident ids for 2000 people", len(ids))
	}
}

func TestResourcesAreReadAsR4(t *testing.T) {
	p, err := fhir.UnmarshalPatient(PatientResource(NewPerson(1)))
	if err != nil || len(p.Identifier) != 3 || p.Gender == nil || len(p.Name) != 2 {
		t.Errorf("patient: %+v, %v", p, err)
	}
	if o, err := fhir.UnmarshalOrganization(Organization("临江社区卫生服务中心", "91350100M000100Y43")); err != nil || *o.Name != "临江社区卫生服务中心" {
		t.Errorf("organization: %v", err)
	}
	if s, err := fhir.UnmarshalServiceRequest(ServiceRequest(1, "Patient/1", noon)); err != nil || *s.Code.Text != "胸部CT平扫" {
		t.Errorf("service request: %v", err)
	}
	if d, err := fhir.UnmarshalDiagnosticReport(DiagnosticReport(1, "Patient/1", UID(1, "study", 0), noon)); err != nil || d.Status != fhir.DiagnosticReportStatusFinal {
		t.Errorf("report: %v", err)
	}
}

func TestResultsArePlausible(t *testing.T) {
	high, low := 0, 0
	for seed := range uint64(20) {
		for _, raw := range LabObservations(seed, "Patient/1", 60, noon) {
			o, err := fhir.UnmarshalObservation(raw)
			if err != nil {
				t.Fatal(err)
			}
			v, err := o.ValueQuantity.Value.Float64()
			if err != nil || v < 0 || len(o.ReferenceRange) != 1 || *o.ValueQuantity.Code != *o.ReferenceRange[0].High.Code {
				t.Fatalf("%s", raw)
			}
			top, _ := o.ReferenceRange[0].High.Value.Float64()
			switch flag := *o.Interpretation[0].Coding[0].Code; {
			case (flag == "H") != (v > top):
				t.Fatalf("flag %s at %g of %g", flag, v, top)
			case flag == "H":
				high++
			case flag == "L":
				low++
			}
		}
	}
	if high < 30 || low < 30 || high+low > 500 {
		t.Errorf("of 1200 values %d are high and %d low", high, low)
	}
}

func TestAnalytesHaveCodesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range Analytes() {
		if seen[a.LOINC] || a.Chinese == "" || a.Panel == "" || a.UCUM == "" || a.Men[1] <= a.Men[0] || a.Women[1] <= a.Women[0] {
			t.Errorf("%+v", a)
		}
		seen[a.LOINC] = true
	}
}

func TestATransactionIsTiedTogether(t *testing.T) {
	raw := Transaction(3, 0, noon)
	if string(raw) != string(Transaction(3, 0, noon)) {
		t.Error("the same seed gives other bytes")
	}
	var b struct {
		Type  string
		Entry []struct {
			FullURL  string `json:"fullUrl"`
			Resource struct {
				ResourceType string
				Subject      struct{ Reference string }
			}
			Request struct{ Method, URL string }
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil || b.Type != "transaction" || len(b.Entry) != 51 {
		t.Fatalf("%v, %d entries", err, len(b.Entry))
	}
	urls := map[string]bool{}
	for i, e := range b.Entry {
		if urls[e.FullURL] || !strings.HasPrefix(e.FullURL, "urn:uuid:") || e.Request.URL != e.Resource.ResourceType {
			t.Errorf("entry %d: %+v", i, e)
		}
		if i > 0 && e.Resource.Subject.Reference != b.Entry[0].FullURL {
			t.Errorf("entry %d belongs to %s", i, e.Resource.Subject.Reference)
		}
		urls[e.FullURL] = true
	}
}

func BenchmarkTransaction(b *testing.B) {
	for seed := uint64(0); b.Loop(); seed++ {
		b.SetBytes(int64(len(Transaction(seed, 50, noon))))
	}
}
