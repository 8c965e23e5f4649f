package fhir_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func sorted(ids []string) string { slices.Sort(ids); return fmt.Sprint(ids) }

// linkOf is the URL of a bundle's link, empty when it has none.
func (a answer) linkOf(relation string) string {
	for i := range 4 {
		if a.at(fmt.Sprintf("link.%d.relation", i)) == relation {
			return a.at(fmt.Sprintf("link.%d.url", i))
		}
	}
	return ""
}

// walk follows next links to the end and returns the ids of all pages.
func (c *client) walk(path string) (ids []string, pages int) {
	c.t.Helper()
	for pages = 1; pages < 100; pages++ {
		a := c.get(path).want(200)
		ids = append(ids, a.ids()...)
		if path = a.linkOf("next"); path == "" {
			return ids, pages
		}
	}
	c.t.Fatal("the pages do not end")
	return nil, 0
}

func TestSearchesOfEveryShapeFindTheirOwn(t *testing.T) {
	c := clinic(t)
	for path, want := range map[string]string{
		"Observation?code=8867-4":                                 "[b1 b2 b4]",
		"Observation?subject=Patient/p1&_count=1":                 "[b1]",
		"?_type=Patient,Organization":                             "[o1 p1 p2]",
		"?_type=Patient&_id=p1":                                   "[p1]",
		"?_id=p1,b1,o1":                                           "[b1 o1 p1]",
		"Patient/p1/Observation":                                  "[b1 b2 b3]",
		"Patient/p1/Observation?code=8867-4":                      "[b1 b2]",
		"Patient/p2/Observation":                                  "[b4]",
		"Patient/nobody/Observation":                              "[]",
		"Patient/p1/*?_type=Encounter":                            "[e1 e2]",
		"Patient/p1/*?_type=Encounter,Observation":                "[b1 b2 b3 e1 e2]",
		"Encounter/e2/Observation":                                "[b2 b3]",
		"Encounter/e2/*?_type=Observation&_id=b2":                 "[b2]",
		"Practitioner/d1/PractitionerRole":                        "[r1]",
		"Observation?code=8310-5&_include=Observation:subject":    "[b3 p1]",
		"Patient?_id=p2&_revinclude=Observation:subject":          "[b4 p2]",
		"Encounter/e1/Observation?_include=Observation:encounter": "[b1 e1]",
	} {
		if got := sorted(c.get(path).want(200).ids()); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := sorted(c.do("POST", "Patient/p1/Observation/_search?code=8867-4", "date=ge2025", "Content-Type: application/x-www-form-urlencoded").want(200).ids()); got != "[b2]" {
		t.Errorf("POST in a compartment: %s", got)
	}
	if got := sorted(c.do("POST", "_search", "_type=Patient&_id=p1", "Content-Type: application/x-www-form-urlencoded").want(200).ids()); got != "[p1]" {
		t.Errorf("POST over types: %s", got)
	}
	whole := sorted(c.get("Patient/p1/*").want(200).ids())
	for _, id := range []string{"b1", "b2", "b3", "e1", "e2"} {
		if !strings.Contains(whole, id) {
			t.Errorf("Patient/p1/* lacks %s: %s", id, whole)
		}
	}
	if strings.Contains(whole, "b4") || strings.Contains(whole, "d1") {
		t.Errorf("Patient/p1/* has what is another's: %s", whole)
	}
}

func TestPagesFollowEachOtherWithoutGapOrRepetition(t *testing.T) {
	c := clinic(t)
	for path, want := range map[string]string{
		"Observation?_count=1":                              "[b1 b2 b3 b4] in 4",
		"?_type=Observation,Patient&_count=2":               "[b1 b2 b3 b4 p1 p2] in 3",
		"Patient/p1/*?_type=Observation,Encounter&_count=2": "[b1 b2 b3 e1 e2] in 3",
		"Observation/_history?_count=3":                     "[b1 b2 b3 b4] in 2",
	} {
		ids, pages := c.walk(path)
		if got := fmt.Sprintf("%s in %d", sorted(ids), pages); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	first := c.get("Observation?code=8867-4&_count=1").want(200)
	if self := first.linkOf("self"); !strings.HasSuffix(self, "/Observation?code=8867-4&_count=1") {
		t.Errorf("self is %s", self)
	}
	second := c.get(first.linkOf("next")).want(200)
	if got := second.linkOf("first"); got != first.linkOf("self") {
		t.Errorf("first is %s", got)
	}
	if got := second.linkOf("self"); got != first.linkOf("next") {
		t.Errorf("self of the second page is %s", got)
	}
	forged := strings.Replace(first.linkOf("next"), "8867-4", "8310-5", 1)
	c.get(forged).want(400).is("issue.0.expression.0", "_after")
	c.get("Observation?_count=1000000").want(200)
	if self := c.get("Observation?_count=1000000").linkOf("self"); !strings.HasSuffix(self, "_count=1000") {
		t.Errorf("the page is not capped: %s", self)
	}
	c.get("Observation?_count=0").want(200).is("total", "4", "entry", "", "link.#", "1")
	c.get("Observation?code=8867-4&_total=accurate&_count=1").want(200).is("total", "3")
	c.get("Observation?code=8867-4&_total=none&_count=1").want(200).is("total", "")
	c.get("?_type=Observation,Patient&_summary=count").want(200).is("total", "6", "entry", "")
}

func TestEachOfTheIncludedIsThereOnceAndMarked(t *testing.T) {
	c := clinic(t)
	a := c.get("Observation?code=8867-4&_include=Observation:subject&_include=Observation:performer&_include:iterate=PractitionerRole:practitioner&_count=2").want(200)
	if got := fmt.Sprint(a.ids()); got != "[b1 b2 d1 p1 r1]" && sorted(a.ids()) != "[b1 b2 d1 p1 r1]" {
		t.Errorf("found %s", got)
	}
	a.is("entry.0.search.mode", "match", "entry.1.search.mode", "match", "entry.2.search.mode", "include", "entry.4.search.mode", "include")
	narrow := c.scoped("system/Observation.rs system/Patient.rs")
	if got := sorted(narrow.get("Observation?_id=b1&_include=Observation:subject&_include=Observation:performer").want(200).ids()); got != "[b1 p1]" {
		t.Errorf("a caller without the right to PractitionerRole got %s", got)
	}
	c.get("Observation?_include=Observation:subject&_summary=text").want(400)
}

func TestWhatALenientSearchIgnoresIsSaid(t *testing.T) {
	c := clinic(t)
	c.get("Patient?nmae=x").want(400)
	a := c.get("Patient?nmae=x&_id=p1", "Prefer: handling=lenient").want(200)
	a.is("entry.0.resource.id", "p1", "entry.1.search.mode", "outcome", "entry.1.resource.resourceType", "OperationOutcome")
	if self := a.linkOf("self"); strings.Contains(self, "nmae") {
		t.Errorf("self shows what was not applied: %s", self)
	}
}

func TestConditionsOnOtherTypesNeedTheRightToSearchThem(t *testing.T) {
	c := clinic(t)
	if got := sorted(c.get("Observation?subject:Patient.family=zhang").want(200).ids()); got != "[b1 b2 b3]" {
		t.Errorf("found %s", got)
	}
	if got := sorted(c.get("Patient?_has:Observation:subject:code=8310-5").want(200).ids()); got != "[p1]" {
		t.Errorf("found %s", got)
	}
	narrow := c.scoped("system/Observation.rs")
	narrow.get("Observation?subject:Patient.family=zhang").want(403)
}

func TestHistoriesListVersionsNewestFirst(t *testing.T) {
	c := clinic(t)
	c.put("Patient/p2", `{"resourceType":"Patient","id":"p2","active":false}`).want(200)
	middle := c.get("Patient/p2").at("meta.lastUpdated")
	c.delete("Patient/p2").want(204)
	c.put("Patient/p2", `{"resourceType":"Patient","id":"p2","active":true}`).want(201)
	c.get("Patient/p2/_history").want(200).is("type", "history", "total", "4", "entry.#", "4",
		"entry.0.response.etag", `W/"4"`, "entry.1.request.method", "DELETE", "entry.1.resource", "", "entry.1.response.status", "204 No Content",
		"entry.2.request.method", "PUT", "entry.2.request.url", "Patient/p2", "entry.2.resource.active", "false", "entry.3.response.etag", `W/"1"`)
	for query, want := range map[string]string{
		"_count=2": "[4 3 2 1]", "_since=" + middle: "[4 3 2]", "_since=2999-01-01": "[]", "_at=" + middle: "[2]", "_at=2999-01-01": "[4]", "_at=1999": "[]",
		"_at=" + middle + "&_count=1": "[2]",
	} {
		var got []string
		for path := "Patient/p2/_history?" + query; path != ""; {
			a := c.get(path).want(200)
			for i := 0; a.at(fmt.Sprintf("entry.%d.response.etag", i)) != ""; i++ {
				got = append(got, strings.Trim(a.at(fmt.Sprintf("entry.%d.response.etag", i)), `W/"`))
			}
			path = a.linkOf("next")
		}
		if strings.Contains(query, "_at=2") && !strings.Contains(query, "2999") { // two versions may share a millisecond
			if !slices.Contains(got, "2") || slices.Contains(got, "1") {
				t.Errorf("%s: %v", query, got)
			}
			continue
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	c.get("Patient/_history?_count=10").want(200).is("entry.#", "5", "entry.0.resource.id", "p2", "total", "")
	c.get("_history?_count=1").want(200).is("entry.#", "1", "entry.0.resource.id", "p2")
	if ids, _ := c.walk("_history?_count=4"); len(ids) != 13 {
		t.Errorf("the history of all has %d versions with a resource: %v", len(ids), ids)
	}
	c.get("Patient/p2/_history?_since=never").want(400)
	c.get("Patient/p2/_history?code=x").want(400)
	c.get("Patient/nobody/_history").want(404)
	narrow := c.scoped("system/Patient.rs")
	if ids, _ := narrow.walk("_history"); strings.Contains(sorted(ids), "b1") {
		t.Errorf("a caller with Patient alone sees the history of others: %v", ids)
	}
	next := c.get("Patient/p2/_history?_count=1").linkOf("next")
	c.get(strings.Replace(next, "Patient/p2", "Patient/p1", 1)).want(400)
}

func TestAPageSizeBeyondAllIsTheGreatest(t *testing.T) {
	c := start(t)
	c.post("Patient", `{"resourceType":"Patient"}`).want(201)
	for _, path := range []string{"Patient", "_history", "Patient/_history"} {
		got := c.get(path + "?_count=99999999999999999999").want(200)
		if self := got.at("link.0.url"); !strings.HasSuffix(self, "_count=1000") {
			t.Errorf("%s: the self link is %s", path, self)
		}
	}
}

func TestWhatIsRefusedSaysWhatWouldDo(t *testing.T) {
	c := start(t)
	c.post("Patient", `{"resourceType":"Patient"}`).want(201)
	c.post("Basic", `{"resourceType":"Basic","code":{"text":"x"}}`).want(201)
	for path, hint := range map[string]string{
		"?name=x":            "_type",
		"Patient/1/$foo":     "$everything",
		"Patient?active:x=1": "missing",
	} {
		got := c.get(path)
		if got.status < 400 || got.status >= 500 || !strings.Contains(got.at("issue.0.diagnostics"), hint) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	twice, err := http.NewRequestWithContext(t.Context(), "POST", c.base+"/Patient", strings.NewReader(`{"resourceType":"Patient"}`))
	if err != nil {
		t.Fatal(err)
	}
	twice.Header["Content-Type"] = []string{"application/fhir+json", "text/plain"}
	if got, err := http.DefaultClient.Do(twice); err != nil || got.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("two content types: %v %v", got, err)
	}
	c.post("", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET"}}]}`).want(400).is("issue.0.expression.0", "Bundle.entry[0].request.url")
}
