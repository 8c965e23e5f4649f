package fhir_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	face "concord/adapters/fhir"
	"concord/hub/identity/persons"
)

// judged has the hub link what is to be linked.
func (c *client) judged() *client {
	c.t.Helper()
	for more := true; more; {
		var err error
		if more, err = c.linker.Advance(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
	}
	return c
}

// linking starts a hub that minds labels and directives, and that searches persons.
func linking(t *testing.T) *client {
	var deps *face.Deps
	c := start(t, func(d *face.Deps) { d.Reader.Records = records; deps = d })
	directory := &persons.Directory{Follower: c.linker.Follower}
	deps.Reader.Linked = directory.LinkedAll
	return c
}

// golden is a hub with a Person of three Patients, of which the village keeps its own to itself; without it, where it is not to be.
func golden(t *testing.T, hidden, first bool) *client {
	c := linking(t)
	secret := func() {
		if hidden {
			c.as("village").put("Patient/v1", strings.Replace(person("v1", "欧阳", "铭喆", "male", "1985-03-12", "13856012345", citizen+"|"+liMing, villageMR+"|M9"), `"active"`, restricted+`"active"`, 1)).want(201)
			c.judged()
		}
	}
	c.as("county").put("Patient/c1", person("c1", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing, countyMR+"|M1")).want(201)
	if first {
		secret()
	}
	c.judged()
	c.as("town").put("Patient/t1", person("t1", "欧阳", "铭哲", "male", "1985-03-12", "13900000000", citizen+"|"+liMing, "urn:town|T1")).want(201)
	c.judged()
	c.as("town").put("Observation/ot", result("ot", "t1", "")).want(201)
	if !first {
		secret()
	}
	c.as("county").put("Patient/c2", person("c2", "王", "芳", "female", "1962-05-07", "", countyMR+"|M2")).want(201)
	c.as("county").put("Provenance/pr", `{"resourceType":"Provenance","id":"pr","target":[{"reference":"Person/`+strings.Join(c.as("village").get("Person?link=Patient/c1").want(200).ids(), "")+`"}],"recorded":"2026-11-20T00:00:00Z","agent":[{"who":{"display":"x"}}]}`).want(201)
	return c.judged()
}

// askedOfPersons are questions whose answers may depend on what a Patient says that is not to be read.
func askedOfPersons(id string) []string {
	paths := []string{
		"Person/" + id, "Person/" + id + "/_history", "Person/_history", "Person", "Person?_summary=count", "Person?_total=accurate", "Patient/c1/$everything", "Patient/c1/Person", "Patient/t1/*?_type=Person",
		"Patient?_id=c1&_revinclude=Person:link", "Person?link=Patient/c1&_include=Person:link", "Person?link=Patient/c1&_include=Person:*", "Person?link=Patient/c1&_elements=name", "Person?link=Patient/c1&_summary=true",
		"Person?gender=male&_sort=birthdate", "Person?gender=male&_sort=name", "Person?_sort=-_lastUpdated", "Person?_sort=phone", "Patient/v1", "Patient?_has:Person:link:_id=" + id,
		"Person?_has:Provenance:target:_id=pr", "Provenance?target:Person.name=铭喆", "Provenance?target:Person.name=铭哲", "?_type=Person,Patient&name=欧阳", "?_type=Person,Patient&_total=accurate&name=铭喆",
	}
	for _, condition := range []string{
		"name=铭喆", "name=铭哲", "name:exact=铭喆", "name:contains=哲", "name:not=铭喆", "identifier=" + villageMR + "|M9", "identifier=M9", "identifier=" + countyMR + "|M1", "identifier:not=M9", "identifier=" + villageMR + "|", "link=Patient/v1",
		"link=Patient/c1", "link:not=Patient/v1", "patient=v1", "patient=c1", "birthdate=1985-03-12", "gender=male", "gender=female", "gender:not=male", "phone=13856012345", "phone=13900000000", "phone:not=13856012345", "phone:missing=true", "telecom=13856012345",
		"email:missing=true", "_lastUpdated=gt2020-01-01", "_filter=name+eq+铭喆", "_filter=not(name+co+铭喆)", "_filter=identifier+eq+M9+or+name+eq+铭哲", "link.name=铭喆", "link:Patient.identifier=M9", "link:Patient.identifier=M1", "link:Patient.phone=13856012345",
		"patient.name=铭哲", "link.name:not=铭喆", "phonetic=mingzhe", "name=mingzhe",
	} {
		paths = append(paths, "Person?"+condition, "Person?"+condition+"&_summary=count", "Person?"+condition+"&_total=accurate&_count=1", "Patient?_has:Person:link:"+condition, "Patient?_has:Person:patient:"+condition+"&_total=accurate")
	}
	return paths
}

var unstable = regexp.MustCompile(`"response":{[^}]*}|"(lastUpdated|versionId)":"[^"]*",?|_after=[A-Za-z0-9_-]+|W/\\?"[0-9]+\\?"|http://127.0.0.1:[0-9]+|"(lastModified|etag)":"[^"]*",?|"Bundle","id":"[^"]*"|"request":{[^}]*}|"response":{[^}]*}`) // versions are numbered as they came

func TestAHiddenPatientLeavesNoTraceInAPerson(t *testing.T) {
	without := golden(t, false, false).as("county")
	for _, c := range []struct {
		name  string
		first bool
	}{{"that joins a Person", false}, {"that a Person began with", true}} {
		t.Run(c.name, func(t *testing.T) {
			hidden := golden(t, true, c.first).as("county")
			id := func(c *client) string {
				return strings.Join(c.get("Person?link=Patient/c1").want(200).ids(), "")
			}
			asked, plainly := askedOfPersons(id(hidden)), askedOfPersons(id(without))
			for i := range asked {
				a, b := hidden.get(asked[i]), without.get(plainly[i])
				told, plain := unstable.ReplaceAllString(string(a.body), ""), unstable.ReplaceAllString(string(b.body), "")
				if a.status != b.status || told != plain {
					t.Errorf("%s\nanswers %d %.600s\nwithout the hidden Patient %d %.600s", asked[i], a.status, told, b.status, plain)
				}
				for _, secret := range []string{"M9", "铭喆", "13856012345", "Patient/v1"} {
					if strings.Contains(string(a.body), secret) && !strings.Contains(string(b.body), secret) {
						t.Errorf("%s tells %s", asked[i], secret)
					}
				}
			}
			if len(hidden.as("village").get("Person?name=铭喆").want(200).ids()) != 1 {
				t.Error("its member does not find it")
			}
			if !withheld(hidden.trail, "Patient/v1") {
				t.Error("the trail does not say that something was withheld")
			}
		})
	}
}

func TestAPersonChangesForNobodyByWhatIsHidden(t *testing.T) {
	c := golden(t, true, false)
	county, village := c.as("county"), c.as("village")
	id := county.get("Person?link=Patient/c1").want(200).ids()[0]
	before := county.get("Person/" + id).want(200)
	village.put("Patient/v1", strings.Replace(person("v1", "欧阳", "铭喆", "male", "1985-03-12", "13877777777", citizen+"|"+liMing, villageMR+"|M10"), `"active"`, restricted+`"active"`, 1)).want(200)
	c.judged()
	if village.get("Person/"+id).want(200).at("meta.versionId") == before.at("meta.versionId") {
		t.Fatal("nothing changed for its member")
	}
	after := county.get("Person/" + id).want(200)
	if string(after.body) != string(before.body) || after.header.Get("ETag") != before.header.Get("ETag") || after.header.Get("Last-Modified") != before.header.Get("Last-Modified") {
		t.Errorf("a change of what is hidden shows: %s, then %s", before.body, after.body)
	}
	county.get("Person/"+id, "If-None-Match: "+before.header.Get("ETag")).want(304)
	county.get("Person/"+id+"/_history").want(200).is("total", "1", "entry.#", "1")
	county.get("Person/" + id + "/_history/" + before.at("meta.versionId")).want(200)
	for version := range 4 {
		if v := fmt.Sprint(version + 1); v != before.at("meta.versionId") {
			county.get("Person/" + id + "/_history/" + v).want(404)
		}
	}
	if n := len(county.get("Person/_history").want(200).ids()); n != 1 {
		t.Errorf("the history of Persons has %d versions", n)
	}
}

func TestAPersonOfWhichOneIsLeftIsNotThere(t *testing.T) {
	c := linking(t)
	c.as("county").put("Patient/c1", person("c1", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing)).want(201)
	c.as("village").put("Patient/v1", strings.Replace(person("v1", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing), `"active"`, restricted+`"active"`, 1)).want(201)
	c.judged()
	county, village := c.as("county"), c.as("village")
	id := village.get("Person?link=Patient/c1").want(200).ids()[0]
	nothing := func() {
		t.Helper()
		for _, path := range []string{"Person/" + id, "Person/" + id + "/_history", "Person/" + id + "/_history/1"} {
			if a, b := county.get(path), county.get(strings.Replace(path, id, "nobody", 1)); a.status != 404 || b.status != 404 || strings.ReplaceAll(string(a.body), id, "nobody") != string(b.body) {
				t.Errorf("%s answers %d %s, and of what never was %d %s", path, a.status, a.body, b.status, b.body)
			}
		}
		county.get("Person?_summary=count").want(200).is("total", "0")
		county.get("Person/_history").want(200).is("entry.#", "0")
	}
	nothing()
	village.delete("Patient/v1").want(204)
	c.judged()
	village.get("Person/" + id).want(410)
	nothing()
}

func TestNoPersonIsLeftForWhomMayReadNoPatients(t *testing.T) {
	c := golden(t, false, false)
	id := c.get("Person?link=Patient/c1").want(200).ids()[0]
	blind := c.scoped("system/Person.rs")
	blind.get("Person/" + id).want(404)
	blind.get("Person?name=铭哲").want(200).is("entry.#", "0")
	blind.get("Person?name=铭哲&_summary=count").want(200).is("total", "0")
	blind.get("Person/_history").want(200).is("entry.#", "0")
}

func TestNoConditionOfAWriteMeansThePersonsOfTheHub(t *testing.T) {
	for _, hidden := range []bool{true, false} {
		c := golden(t, hidden, false).as("county")
		for _, condition := range []string{"identifier=M9", "name=铭喆", "identifier=" + countyMR + "|M1", "identifier:not=M9"} {
			c.delete("Person?" + condition).want(204)
			c.post("Person", `{"resourceType":"Person"}`, "If-None-Exist: "+url.PathEscape(condition)).want(201)
			for _, id := range c.get("Person?_lastUpdated=gt2020-01-01").want(200).ids() {
				if !strings.HasPrefix(id, "p-") {
					c.delete("Person/" + id).want(204)
				}
			}
		}
	}
}

func TestPersonsComeInPagesWhereSomethingIsHidden(t *testing.T) {
	c := golden(t, true, false)
	for i := range 7 {
		for _, member := range []string{"county", "town"} {
			c.as(member).put(fmt.Sprintf("Patient/%s-p%d", member, i), person(fmt.Sprintf("%s-p%d", member, i), "李", "明", "male", fmt.Sprintf("199%d-01-01", i), "", fmt.Sprintf("urn:oid:2.16.156.10011.1.19|E3401810005%d", i))).want(201)
		}
	}
	c.judged()
	for _, sort := range []string{"", "&_sort=birthdate", "&_sort=-birthdate", "&_sort=name,-birthdate", "&_sort=-_lastUpdated"} {
		var seen []string
		next := "Person?gender=male&_count=3" + sort
		for next != "" {
			a := c.as("county").get(next).want(200)
			seen, next = append(seen, a.ids()...), ""
			for i := range 3 {
				if a.at(fmt.Sprintf("link.%d.relation", i)) == "next" {
					next = a.at(fmt.Sprintf("link.%d.url", i))
				}
			}
		}
		slices.Sort(seen)
		if n := len(seen); n != 8 || len(slices.Compact(seen)) != 8 {
			t.Errorf("%s: %d Persons in pages", sort, n)
		}
	}
}

func TestAPersonIsFoundByItsPatients(t *testing.T) {
	c := golden(t, true, false).as("village")
	for _, path := range []string{"Person?link=Patient/v1", "Person?patient=v1", "Person?patient=c1", "Person?identifier=" + villageMR + "|M9", "Person?name=ouyang", "Person?birthdate=1985-03-12"} {
		if ids := c.get(path).want(200).ids(); len(ids) != 1 {
			t.Errorf("%s finds %v", path, ids)
		}
	}
	if ids := c.get("Patient?_id=v1&_revinclude=Person:link").want(200).ids(); len(ids) != 2 {
		t.Errorf("found %v", ids)
	}
}
