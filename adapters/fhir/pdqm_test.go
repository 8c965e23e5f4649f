package fhir_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestDemographicsAreFoundByEveryParameterOfTheProfile(t *testing.T) { // ITI-78, 2:3.78.4.1.2.1
	c := start(t)
	mother := `"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"诸葛秀英"}],`
	a := person("a", "欧阳", "铭哲", "male", "1985-03-12", "13856012345", citizen+"|"+liMing, countyMR+"|M1")
	a = strings.Replace(a, `"active"`, mother+`"address":[{"country":"CN","state":"安徽省","city":"合肥市","district":"巢湖市","line":["人民路12号"],"postalCode":"238000"}],"active"`, 1)
	c.put("Patient/a", a).want(201)
	c.put("Patient/b", person("b", "欧阳", "雪", "female", "1990-11-02", "13900001111", villageMR+"|M9")).want(201)
	c.put("Patient/c", strings.Replace(person("c", "王", "芳", "female", "1962-05-07", "", villageMR+"|M2"), `"active":true`, `"active":false`, 1)).want(201)
	for query, want := range map[string]string{
		"_id=a":                                "a",
		"_id=a,b":                              "a b",
		"active=true":                          "a b",
		"active=false":                         "c",
		"family=欧阳":                            "a b",
		"family=ouyang&given=mingzhe":          "a",
		"family:exact=欧阳&given:exact=雪":        "b",
		"family=欧":                             "a b",
		"family:exact=欧":                       "",
		"identifier=" + citizen + "|" + liMing: "a",
		"identifier=" + liMing:                 "a",
		"identifier=" + villageMR + "|":        "b c",
		"identifier=" + villageMR + "|M9,M1":   "a b",
		"identifier=" + countyMR + "|M1&identifier=" + citizen + "|" + liMing: "a",
		"identifier=" + countyMR + "|M1&identifier=" + villageMR + "|M9":      "",
		"family=欧阳&identifier=" + villageMR + "|":                             "b",
		"identifier=" + villageMR + "|," + countyMR + "|":                     "a b c",
		"telecom=13900001111":               "b",
		"birthdate=1985-03-12":              "a",
		"birthdate=ge1985&birthdate=lt1991": "a b",
		"birthdate=1962&family=王":           "c",
		"family=欧阳&gender=female":           "b",
		"address=人民路":                       "a",
		"address-city=合肥市":                  "a",
		"address-country=CN":                "a",
		"address-postalcode=238000":         "a",
		"address-state=安徽":                  "a",
		"mothersMaidenName=诸葛":              "a",
		"mothersMaidenName:exact=诸葛秀英":      "a",
		"mothersMaidenName=欧阳":              "",
		"family=无":                          "",
	} {
		t.Run(query, func(t *testing.T) {
			var pairs []string
			for pair := range strings.SplitSeq(query, "&") {
				name, value, _ := strings.Cut(pair, "=")
				pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value))
			}
			query := strings.Join(pairs, "&")
			got := c.get("Patient?" + query).want(200)
			ids := got.ids()
			slices.Sort(ids)
			if found := strings.Join(ids, " "); found != want {
				t.Errorf("GET found %q, want %q", found, want)
			}
			if total := got.at("total"); total != fmt.Sprint(len(ids)) {
				t.Errorf("the total is %s of %d", total, len(ids))
			}
			if posted := c.post("Patient/_search", query, "Content-Type: application/x-www-form-urlencoded").want(200).ids(); len(posted) != len(ids) {
				t.Errorf("POST found %v", posted)
			}
		})
	}
	c.get("Patient?family=x&_format=application/fhir%2Bxml").want(406) // case 5
	c.get("metadata").want(200).is("instantiates.0", "https://profiles.ihe.net/ITI/PIXm/CapabilityStatement/IHE.PIXm.Manager",
		"instantiates.1", "https://profiles.ihe.net/ITI/PDQm/CapabilityStatement/IHE.PDQm.PatientDemographicsSupplier")
}

func TestDemographicsComeInPages(t *testing.T) {
	c := start(t)
	for i := range 5 {
		c.put(fmt.Sprintf("Patient/p%d", i), person(fmt.Sprintf("p%d", i), "欧阳", "铭哲", "male", "1985-03-12", "")).want(201)
	}
	seen := map[string]bool{}
	page := c.get("Patient?family=ouyang&_count=2").want(200)
	for range 3 {
		for _, id := range page.ids() {
			if seen[id] {
				t.Errorf("%s comes twice", id)
			}
			seen[id] = true
		}
		for i := range 4 {
			if link := fmt.Sprintf("link.%d.", i); page.at(link+"relation") == "next" {
				page = c.get(page.at(link + "url")).want(200)
				break
			}
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d of 5 were seen", len(seen))
	}
}
