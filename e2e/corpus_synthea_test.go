package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// syntheaPatient is one patient's record as the bundle has it, and what the hub calls the patient.
type syntheaPatient struct {
	file, id string
	of       map[string][]map[string]any // by resource type, the resources about the patient
}

// patientParam names the search parameter and the element by which a type refers to its patient.
var patientParam = map[string]struct{ param, element string }{
	"Observation":       {"patient", "subject"},
	"Condition":         {"patient", "subject"},
	"Encounter":         {"patient", "subject"},
	"MedicationRequest": {"subject", "subject"},
	"Immunization":      {"patient", "patient"},
	"Claim":             {"patient", "patient"},
}

// loadSynthea sends all bundles, the ones that the others refer to first.
func loadSynthea(t *testing.T, h *corpusHub) (patients []syntheaPatient) {
	t.Helper()
	dir := filepath.Join(corpusDir(t), "fhir", "synthea")
	files, err := os.ReadDir(dir) // sorted: 00-* come first
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data := gunzip(t, readFile(t, filepath.Join(dir, f.Name())))
		answer := h.send("POST", "/fhir", data)
		if answer.status != 200 {
			t.Fatalf("%s: %d %s", f.Name(), answer.status, answer.diagnostics())
		}
		sent, got := exact(t, data), exact(t, answer.body)
		responses := got["entry"].([]any)
		p := syntheaPatient{file: f.Name(), of: map[string][]map[string]any{}}
		for i, e := range sent["entry"].([]any) {
			resource := e.(map[string]any)["resource"].(map[string]any)
			response := responses[i].(map[string]any)["response"].(map[string]any)
			if response["status"] != "201 Created" {
				t.Errorf("%s: entry %d: %v", f.Name(), i, response)
			}
			typ := resource["resourceType"].(string)
			p.of[typ] = append(p.of[typ], resource)
			if typ == "Patient" {
				_, at, _ := strings.Cut(response["location"].(string), "/Patient/")
				p.id, _, _ = strings.Cut(at, "/")
			}
		}
		if !strings.HasPrefix(f.Name(), "00-") {
			patients = append(patients, p)
		}
	}
	return patients
}

// searchset is a Bundle of type searchset.
type searchset struct {
	Total *int
	Link  []struct{ Relation, URL string }
	Entry []struct {
		Resource map[string]any
		Search   struct{ Mode string }
	}
}

// pages follows the next links to the end and returns all resources and the first page's total.
func (h *corpusHub) pages(path string) (all []map[string]any, total int) {
	t := h.t
	t.Helper()
	total = -1
	seen := map[string]bool{}
	for n := 0; path != ""; n++ {
		answer := h.get(path)
		var page searchset
		if err := json.Unmarshal(answer.body, &page); err != nil || answer.status != 200 {
			t.Errorf("%s: %d %s", path, answer.status, answer.diagnostics())
			return all, total
		}
		if n == 0 && page.Total != nil {
			total = *page.Total
		}
		for _, e := range page.Entry {
			id, _ := e.Resource["id"].(string)
			if seen[id] {
				t.Errorf("%s: %s comes twice", path, id)
			}
			seen[id] = true
			all = append(all, e.Resource)
		}
		path = ""
		for _, l := range page.Link {
			if l.Relation == "next" {
				path = l.URL
			}
		}
	}
	return all, total
}

func TestPatientsAreWholeBeforeAndAfterARebuild(t *testing.T) {
	t.Parallel()
	corpusDir(t)
	h := startCorpusHub(t)
	began := time.Now()
	patients := loadSynthea(t, h)
	if len(patients) < 35 {
		t.Fatalf("only %d patients", len(patients))
	}
	t.Logf("loaded in %v", time.Since(began).Round(time.Millisecond))
	countEverything(t, h, patients, 37)
	searchLikeAScan(t, h, patients[:8])
	t.Log(h.Stores.Must(t, "rebuild"))
	h.AwaitReady(30 * time.Second)
	countEverything(t, h, patients, 37)
	searchLikeAScan(t, h, patients[:8])
	t.Log(h.Stores.Must(t, "fsck", "--deep"))
}

// countEverything compares, patient by patient and over all, the number of resources with the bundles'.
func countEverything(t *testing.T, h *corpusHub, patients []syntheaPatient, page int) {
	t.Helper()
	sums := map[string]int{}
	for _, p := range patients {
		for typ, by := range patientParam {
			want := len(p.of[typ])
			sums[typ] += want
			all, total := h.pages(fmt.Sprintf("/fhir/%s?%s=Patient/%s&_count=%d&_total=accurate", typ, by.param, p.id, page))
			if len(all) != want || total != want {
				t.Errorf("%s: %d of type %s, total %d, want %d", p.file, len(all), typ, total, want)
			}
			for _, r := range all {
				ref, _ := r[by.element].(map[string]any)
				if ref["reference"] != "Patient/"+p.id {
					t.Errorf("%s: %s/%v is about %v", p.file, typ, r["id"], ref["reference"])
				}
			}
		}
	}
	for typ, want := range sums {
		if _, total := h.pages("/fhir/" + typ + "?_summary=count"); total != want {
			t.Errorf("%d of type %s in all, want %d", total, typ, want)
		}
	}
}

func coding(r map[string]any, element string) (system, code string) {
	concept, _ := r[element].(map[string]any)
	list, _ := concept["coding"].([]any)
	if len(list) == 0 {
		return "", ""
	}
	first := list[0].(map[string]any)
	system, _ = first["system"].(string)
	code, _ = first["code"].(string)
	return system, code
}

// when reads a dateTime of Synthea, which always has a time and an offset.
func when(t *testing.T, r map[string]any, element string) time.Time {
	t.Helper()
	text, _ := r[element].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Errorf("%s of %v/%v: %v", element, r["resourceType"], r["id"], err)
	}
	return at
}

// searchLikeAScan compares searches with a scan over the patients' bundles.
func searchLikeAScan(t *testing.T, h *corpusHub, patients []syntheaPatient) {
	t.Helper()
	for _, p := range patients {
		observations := p.of["Observation"]
		base := "/fhir/Observation?patient=" + p.id
		count := func(query url.Values, matches func(map[string]any) bool) {
			t.Helper()
			want := 0
			for _, o := range observations {
				if matches(o) {
					want++
				}
			}
			all, total := h.pages(base + "&_total=accurate&_count=25&" + query.Encode())
			if len(all) != want || total != want {
				t.Errorf("%s: %s finds %d, total %d, a scan finds %d", p.file, query.Encode(), len(all), total, want)
			}
		}
		for _, element := range []string{"date", "-date"} {
			all, _ := h.pages(base + "&_count=20&_sort=" + element)
			inOrder := slices.IsSortedFunc(all, func(a, b map[string]any) int {
				order := when(t, a, "effectiveDateTime").Compare(when(t, b, "effectiveDateTime"))
				if element == "-date" {
					return -order
				}
				return order
			})
			if !inOrder || len(all) != len(observations) {
				t.Errorf("%s: _sort=%s of %d observations gives %d, in order: %v", p.file, element, len(observations), len(all), inOrder)
			}
		}
		system, code := coding(observations[0], "code")
		sameCode := func(o map[string]any) bool { s, c := coding(o, "code"); return s == system && c == code }
		count(url.Values{"code": {code}}, sameCode)
		count(url.Values{"code": {system + "|" + code}}, sameCode)
		count(url.Values{"code": {system + "|"}}, func(o map[string]any) bool { s, _ := coding(o, "code"); return s == system })
		count(url.Values{"code": {"|" + code}}, func(map[string]any) bool { return false })
		count(url.Values{"code:not": {system + "|" + code}}, func(o map[string]any) bool { return !sameCode(o) })
		count(url.Values{"status": {"final"}}, func(o map[string]any) bool { return o["status"] == "final" })
		count(url.Values{"status": {"final,amended"}}, func(o map[string]any) bool { return o["status"] == "final" || o["status"] == "amended" })

		mid := when(t, observations[len(observations)/2], "effectiveDateTime")
		at := func(o map[string]any) time.Time { return when(t, o, "effectiveDateTime") }
		here := time.FixedZone("", 8*3600) // a day that names no zone is the consortium's (R4 search.html#date)
		day := mid.In(here).Format(time.DateOnly)
		dayStart, _ := time.ParseInLocation(time.DateOnly, day, here)
		dayEnd := dayStart.AddDate(0, 0, 1)
		count(url.Values{"date": {"ge" + day}}, func(o map[string]any) bool { return !at(o).Before(dayStart) })
		count(url.Values{"date": {"lt" + day}}, func(o map[string]any) bool { return at(o).Before(dayStart) })
		count(url.Values{"date": {"gt" + day}}, func(o map[string]any) bool { return !at(o).Before(dayEnd) })
		count(url.Values{"date": {"le" + day}}, func(o map[string]any) bool { return at(o).Before(dayEnd) })
		count(url.Values{"date": {day}}, func(o map[string]any) bool { return !at(o).Before(dayStart) && at(o).Before(dayEnd) })
		year := mid.In(here).Format("2006")
		count(url.Values{"date": {"ge" + year + "-01-01", "lt" + year + "-07-01"}}, func(o map[string]any) bool {
			u := at(o).In(here)
			return u.Format("2006") == year && u.Month() < 7
		})
		count(url.Values{"date": {year}, "code": {code}}, func(o map[string]any) bool { return sameCode(o) && at(o).In(here).Format("2006") == year })
		exactly := mid.Format(time.RFC3339)
		count(url.Values{"date": {exactly}}, func(o map[string]any) bool { return at(o).Truncate(time.Second).Equal(mid.Truncate(time.Second)) })
		count(url.Values{"date": {"ne" + day}}, func(o map[string]any) bool { return at(o).Before(dayStart) || !at(o).Before(dayEnd) })
	}
}
