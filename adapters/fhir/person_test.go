package fhir_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	face "concord/adapters/fhir"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/identity/persons"
)

// golden is a hub with a Person of two Patients, of which the village keeps its own to itself.
func golden(t *testing.T) *client {
	var writer *commit.Committer
	c := start(t, func(d *face.Deps) { d.Reader.Records = records; writer = d.Writer })
	c.as("county").put("Patient/c1", person("c1", "欧阳", "铭哲", "male", "1985-03-12", "", countyMR+"|M1")).want(201)
	c.as("village").put("Patient/v1", strings.Replace(person("v1", "欧阳", "阿哲", "male", "1985-03-13", "13856012345", villageMR+"|M9"), `"active"`,
		`"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"active"`, 1)).want(201)
	from := func(patient string) string {
		return `"extension":[{"url":"` + persons.SourceURL + `","valueReference":{"reference":"Patient/` + patient + `/_history/1"}}]`
	}
	body := fmt.Sprintf(`{"resourceType":"Person","id":"g1","active":true,"link":[{"target":{"reference":"Patient/c1"}},{"target":{"reference":"Patient/v1"}}],
		"identifier":[{"system":%q,"value":"M1",%s},{"system":%q,"value":"M9",%s}],"name":[{"family":"欧阳","given":["铭哲"],%[2]s},{"family":"欧阳","given":["阿哲"],%[4]s}],
		"telecom":[{"system":"phone","value":"13856012345",%[4]s}],"gender":"male","_gender":{%[2]s},"birthDate":"1985-03-13","_birthDate":{%[4]s}}`,
		countyMR, from("c1"), villageMR, from("v1"))
	n := hub.Name{Type: "Person", ID: "g1"}
	_, err := writer.Submit(t.Context(), commit.Write{Member: access.Hub, Names: []hub.Name{n}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: n, Body: func(uint64, time.Time) []byte { return []byte(strings.NewReplacer("\n", "", "\t", "").Replace(body)) }}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAPersonShowsWhatItsPatientsWould(t *testing.T) {
	c := golden(t)
	village, county := c.as("village"), c.as("county")
	village.get("Person/g1").want(200).is("link.#", "2", "identifier.#", "2", "birthDate", "1985-03-13")
	for _, path := range []string{"Person/g1", "Person/g1/_history/1"} {
		a := county.get(path).want(200).is("link.#", "1", "link.0.target.reference", "Patient/c1", "identifier.#", "1", "identifier.0.value", "M1", "name.#", "1", "name.0.given.0", "铭哲",
			"telecom", "", "gender", "male", "birthDate", "", "_birthDate", "")
		if strings.Contains(string(a.body), "v1") {
			t.Errorf("%s tells of the hidden Patient: %s", path, a.body)
		}
	}
	for _, path := range []string{"Person/g1/_history", "Person/_history", "Person?name=铭哲", "Person?link=Patient/c1", "Patient?_id=c1&_revinclude=Person:link", "Patient/c1/Person", "Patient/c1/$everything",
		"Person?name=铭哲&_elements=name"} {
		if a := county.get(path).want(200); strings.Contains(string(a.body), "M9") || strings.Contains(string(a.body), "阿哲") || strings.Contains(string(a.body), "13856012345") {
			t.Errorf("%s tells what the hidden Patient says: %s", path, a.body)
		}
	}
	// A search does not find it by what is left out, nor tell how many there would be.
	for _, query := range []string{"name=阿哲", "identifier=M9", "link=Patient/v1", "birthdate=1985-03-13", "telecom=13856012345"} {
		if ids := village.get("Person?" + query).want(200).ids(); len(ids) != 1 {
			t.Errorf("its member does not find it by %s", query)
		}
		if a := county.get("Person?" + query).want(200); len(a.ids()) != 0 || a.at("total") == "1" {
			t.Errorf("%s finds the Person: %s", query, a.body)
		}
		if total := county.get("Person?" + query + "&_summary=count").want(200).at("total"); total != "0" {
			t.Errorf("%s counts %s", query, total)
		}
	}
	if ids := county.get("Person?identifier=" + countyMR + "|M1").want(200).ids(); len(ids) != 1 {
		t.Error("the Person is not found by what is left")
	}
	if total := county.get("Person?name=铭哲&_summary=count").want(200).at("total"); total != "1" {
		t.Errorf("counted %s", total)
	}
	// Nothing is left for whom may read no Patients.
	c.scoped("system/Person.rs").get("Person/g1").want(404)
	c.scoped("system/Person.rs").get("Person?name=铭哲").want(200).is("entry.#", "0")
}

func TestAPersonIsFoundByItsPatients(t *testing.T) {
	c := golden(t).as("village")
	for _, path := range []string{"Person?link=Patient/v1", "Person?patient=v1", "Person?patient=c1", "Person?identifier=" + villageMR + "|M9", "Person?name=ouyang"} {
		if ids := c.get(path).want(200).ids(); fmt.Sprint(ids) != "[g1]" {
			t.Errorf("%s finds %v", path, ids)
		}
	}
	if ids := c.get("Patient?_id=v1&_revinclude=Person:link").want(200).ids(); fmt.Sprint(ids) != "[v1 g1]" {
		t.Errorf("found %v", ids)
	}
}
