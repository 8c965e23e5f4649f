package fhir_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestEverythingIsTheCompartmentAndWhatItRefersTo(t *testing.T) {
	c := clinic(t)
	for path, want := range map[string]string{
		"Patient/p1/$everything":                                "[b1 b2 b3 d1 e1 e2 o1 p1 r1]",
		"Patient/p2/$everything":                                "[b4 d1 o1 p2 r1]",
		"Encounter/e1/$everything":                              "[b1 d1 e1 o1 p1 r1]",
		"Patient/p1/$everything?_type=Observation":              "[b1 b2 b3]",
		"Patient/p1/$everything?_type=Observation,Organization": "[b1 b2 b3 o1]",
		"Patient/p1/$everything?start=2025":                     "[b2 b3 d1 e2 o1 p1 r1]",
		"Patient/p1/$everything?end=2024-06":                    "[b1 d1 e1 o1 p1 r1]",
		"Patient/p1/$everything?start=2024-02&end=2024-06":      "[o1 p1]",
		"Patient/p1/$everything?_since=2999-01-01":              "[]",
	} {
		if got := sorted(c.get(path).want(200).ids()); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	first := c.get("Patient/p1/$everything?_count=2").want(200)
	first.is("entry.0.resource.id", "p1")
	matches := map[string]int{}
	for path := "Patient/p1/$everything?_count=2"; path != ""; {
		a := c.get(path).want(200)
		for i := 0; a.at(fmt.Sprintf("entry.%d.fullUrl", i)) != ""; i++ {
			if a.at(fmt.Sprintf("entry.%d.search.mode", i)) == "match" {
				matches[a.at(fmt.Sprintf("entry.%d.resource.id", i))]++
			}
		}
		path = a.linkOf("next")
	}
	if fmt.Sprint(matches) != "map[b1:1 b2:1 b3:1 e1:1 e2:1 p1:1]" {
		t.Errorf("over the pages: %v", matches)
	}
	posted := c.post("Patient/p1/$everything", `{"resourceType":"Parameters","parameter":[{"name":"_type","valueCode":"Encounter"},{"name":"start","valueDate":"2025"}]}`).want(200)
	if got := sorted(posted.ids()); got != "[e2]" {
		t.Errorf("POST: %s", got)
	}
	narrow := c.scoped("system/Patient.rs system/Observation.rs")
	if got := sorted(narrow.get("Patient/p1/$everything").want(200).ids()); got != "[b1 b2 b3 p1]" {
		t.Errorf("with rights to two types: %s", got)
	}
	c.get("Patient/nobody/$everything").want(404)
	c.get("Patient/p1/$everything?strat=2025").want(400)
	c.get("Encounter/e1/$everything?start=2025").want(400)
	c.delete("Patient/p2").want(204)
	c.get("Patient/p2/$everything").want(410)
}

func TestTheLastOfEachCodeIsFound(t *testing.T) {
	c := clinic(t)
	put := func(id, codes, at string) {
		c.put("Observation/"+id, fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":%s,"subject":{"reference":"Patient/p2"},"effectiveDateTime":"%s"}`, id, codes, at)).want(201)
	}
	put("t1", `{"coding":[{"system":"urn:local","code":"HR"}]}`, "2025-03-01")
	put("t2", `{"coding":[{"system":"urn:local","code":"HR"},{"system":"http://loinc.org","code":"8867-4"}]}`, "2025-01-01")
	put("t3", `{"text":"Mood"}`, "2025-01-02")
	put("t4", `{"text":"mood"}`, "2025-01-01")
	for path, want := range map[string]string{
		"Observation/$lastn?patient=p1&category=vital-signs":               "[b2 b3]",
		"Observation/$lastn?max=2&patient=Patient/p1&category=vital-signs": "[b1 b2 b3]",
		"Observation/$lastn?subject=Patient/p1&code=8867-4":                "[b2]",
		"Observation/$lastn?patient=p2&category=vital-signs":               "[t1 t3]",
		"Observation/$lastn?max=3&patient=p2&category=vital-signs":         "[b4 t1 t2 t3 t4]",
		"Observation/$lastn?max=3&patient=p1&code=8867-4&date=lt2025":      "[b1]",
	} {
		if got := sorted(c.get(path).want(200).ids()); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := fmt.Sprint(c.get("Observation/$lastn?max=3&patient=p2&code=8867-4,HR").want(200).ids()); got != "[t1 b4 t2]" {
		t.Errorf("the codes that one observation joins come as %s", got)
	}
	posted := c.post("Observation/$lastn", `{"resourceType":"Parameters","parameter":[{"name":"max","valuePositiveInt":1},{"name":"subject","valueReference":{"reference":"Patient/p1"}},{"name":"code","valueCoding":{"system":"http://loinc.org","code":"8867-4"}}]}`).want(200)
	if got := sorted(posted.ids()); got != "[b2]" {
		t.Errorf("POST: %s", got)
	}
	c.get("Observation/$lastn?patient=p1").want(400)
	c.get("Observation/$lastn?patient=p1&code=x&max=0").want(400)
	c.get("Observation/$lastn?patient=p1&code=x&cod=y").want(400)
}

func TestMetaIsReadAddedToAndTakenFrom(t *testing.T) {
	c := clinic(t)
	change := func(op, meta string) answer {
		return c.post("Patient/p1/"+op, `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":`+meta+`}]}`)
	}
	c.get("Patient/p1/$meta").want(200).is("parameter.0.name", "return", "parameter.0.valueMeta.versionId", "1", "parameter.0.valueMeta.tag", "")
	change("$meta-add", `{"profile":["http://h/p"],"tag":[{"system":"urn:t","code":"a"},{"code":"b"}],"security":[{"code":"R"}]}`).want(200).
		is("parameter.0.valueMeta.versionId", "2", "parameter.0.valueMeta.tag.#", "2", "parameter.0.valueMeta.security.0.code", "R")
	change("$meta-add", `{"tag":[{"system":"urn:t","code":"a","display":"A"}]}`).want(200).is("parameter.0.valueMeta.versionId", "2")
	c.get("Patient?_tag=urn:t|a").want(200).is("entry.0.resource.id", "p1", "entry.0.resource.name.0.family", "Zhang", "entry.0.resource.meta.versionId", "2")
	c.get("Patient/$meta").want(200).is("parameter.0.valueMeta.tag.#", "2", "parameter.0.valueMeta.versionId", "")
	c.post("$meta", "").want(200).is("parameter.0.valueMeta.profile.0", "http://h/p")
	c.get("Observation/$meta").want(200).is("parameter.0.valueMeta", "")
	change("$meta-delete", `{"tag":[{"system":"urn:t","code":"a"},{"code":"unknown"}],"profile":["http://h/p"]}`).want(200).
		is("parameter.0.valueMeta.versionId", "3", "parameter.0.valueMeta.tag.#", "1", "parameter.0.valueMeta.tag.0.code", "b", "parameter.0.valueMeta.profile", "")
	c.get("Patient/p1/_history/2/$meta").want(200).is("parameter.0.valueMeta.tag.#", "2")
	c.post("Patient/p1/_history/2/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"c"}]}}]}`).want(409)
	c.post("Patient/p1/_history/3/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"c"}]}}]}`).want(200)
	c.post("Patient/p1/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"mate","valueMeta":{"tag":[{"code":"c"}]}}]}`).want(400)
	c.as("m2").post("Patient/p1/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"d"}]}}]}`).want(403)
}

func TestNoTagIsLostBetweenWriters(t *testing.T) {
	c := clinic(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			a := c.post("Patient/p1/$meta-add", fmt.Sprintf(`{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"t%d"}]}}]}`, i))
			if a.status != 200 {
				t.Errorf("writer %d: %d %s", i, a.status, a.body)
			}
		})
	}
	wg.Wait()
	if got := string(c.get("Patient/p1").body); strings.Count(got, `"code":"t`) != 4 {
		t.Errorf("not all tags are there: %s", got)
	}
}
