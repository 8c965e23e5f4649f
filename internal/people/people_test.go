package people

import (
	"bytes"
	"testing"

	"concord/internal/cnid"
	"concord/internal/fhir"
)

func TestRecordsAreTheSameForTheSameSeed(t *testing.T) {
	var first []Record
	for r := range Records(Options{Seed: 7, People: 300}) {
		first = append(first, r)
	}
	k := 0
	for r := range Records(Options{Seed: 7, People: 300}) {
		if r.ID != first[k].ID || r.Person != first[k].Person || !bytes.Equal(r.Body, first[k].Body) {
			t.Fatalf("record %d differs", k)
		}
		k++
	}
	for r := range Records(Options{Seed: 8, People: 1}) {
		if bytes.Equal(r.Body, first[0].Body) {
			t.Fatal("another seed makes the same people")
		}
		break
	}
}

func TestRecordsAreSoundPatientsWithTheFaultsPromised(t *testing.T) {
	owner := map[string]int{} // of valid numbers written without a fault
	var all, numbered, invalid, shared int
	for r := range Records(Options{Seed: 3, People: 8000}) {
		all++
		doc, err := fhir.Parse(r.Body, fhir.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", r.Body, err)
		}
		if err := doc.Check(); err != nil {
			t.Fatalf("%s: %v", r.Body, err)
		}
		for id := range doc.Root().Get("identifier").Items() {
			if id.Get("type").Get("coding").Raw() == nil || !bytes.Contains(id.Raw(), []byte(`"NI"`)) {
				continue
			}
			numbered++
			n, err := cnid.ParseResident(id.Get("value").Text())
			if err != nil {
				invalid++
			} else if who, ok := owner[n.Number]; !ok {
				owner[n.Number] = r.Person
			} else if who != r.Person {
				shared++
			}
		}
	}
	t.Logf("%d records of 8000 people, %d with a citizen number, %d of these invalid, %d that another has", all, numbered, invalid, shared)
	if all < 14000 || all > 28000 || numbered < all*7/10 || numbered > all*95/100 || invalid == 0 || invalid > numbered/20 || shared == 0 || shared > numbered/100 {
		t.Error("the population is not as told")
	}
}

func BenchmarkRecords(b *testing.B) {
	n := 0
	for b.Loop() {
		n = 0
		for range Records(Options{Seed: 1, People: 2000}) {
			n++
		}
	}
	b.ReportMetric(float64(n), "records")
}
