package fhir_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	face "concord/adapters/fhir"
	"concord/hub/access"
	"concord/hub/audit"
)

// groups are persons as lists of Patients.
type groups [][]string

func (g groups) Linked(_ context.Context, patient string) ([]string, error) {
	for _, person := range g {
		if slices.Contains(person, patient) {
			return person, nil
		}
	}
	return []string{patient}, nil
}

func (groups) Quarantined(_ context.Context, patient string) (bool, error) {
	return patient == "Patient/quarantined", nil
}

// linked has the hub know these persons.
func linked(persons ...[]string) func(*face.Deps) {
	return func(d *face.Deps) { d.Persons = groups(persons) }
}

const (
	citizen   = "urn:oid:2.16.156.10011.1.3"
	liMing    = "340181198503124215" // male, 1985-03-12
	wangFang  = "340181196205073027"
	countyMR  = "urn:concord:member:county:mr"
	villageMR = "urn:concord:member:village:mr"
)

// person writes a Patient: identifiers are system|value.
func person(id, family, given, sex, birth, phone string, identifiers ...string) string {
	list := make([]string, len(identifiers))
	for i, one := range identifiers {
		system, value, _ := strings.Cut(one, "|")
		list[i] = fmt.Sprintf(`{"system":%q,"value":%q}`, system, value)
	}
	text := fmt.Sprintf(`{"resourceType":"Patient","active":true,"identifier":[%s],"name":[{"use":"official","family":%q,"given":[%q],"text":%q}],"gender":%q,"birthDate":%q`,
		strings.Join(list, ","), family, given, family+given, sex, birth)
	if id != "" {
		text = strings.Replace(text, `"active"`, `"id":"`+id+`","active"`, 1)
	}
	if phone != "" {
		text += `,"telecom":[{"system":"phone","value":"` + phone + `"}]`
	}
	text = strings.Replace(text, `"identifier":[],`, "", 1)
	return text + "}"
}

// matching wraps a Patient in Parameters with others behind it.
func matching(patient string, parameters ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(append([]string{`{"name":"resource","resource":` + patient + `}`}, parameters...), ",") + `]}`
}

const (
	onlyCertain = `{"name":"onlyCertainMatches","valueBoolean":true}`
	withReasons = `{"name":"evidence","valueBoolean":true}`
)

// population is one man at two members, his namesake, and a woman.
func population(t *testing.T, change ...func(*face.Deps)) *client {
	c := start(t, change...)
	county, village := c.as("county"), c.as("village")
	county.put("Patient/c1", person("c1", "欧阳", "铭哲", "male", "1985-03-12", "13856012345", citizen+"|"+liMing, countyMR+"|M1")).want(201)
	village.put("Patient/v1", person("v1", "欧阳", "铭哲", "male", "1985-03-12", "13856012345", villageMR+"|M9")).want(201)
	village.put("Patient/v2", person("v2", "欧阳", "铭哲", "male", "1985-03-12", "", villageMR+"|M7")).want(201)
	county.put("Patient/c2", person("c2", "王", "芳", "female", "1962-05-07", "13900001111", citizen+"|"+wangFang, countyMR+"|M2")).want(201)
	return c
}

func TestMatchGradesAndOrdersThoseWhoMayBeThePatient(t *testing.T) {
	c := population(t)
	a := c.post("Patient/$match", matching(person("", "欧阳", "铭哲", "male", "1985-03-12", "13856012345", citizen+"|"+liMing))).want(200)
	a.is("resourceType", "Bundle", "type", "searchset", "entry.0.resource.id", "c1", "entry.0.search.mode", "match", "entry.0.search.score", "1",
		"entry.0.search.extension.0.url", "http://hl7.org/fhir/StructureDefinition/match-grade", "entry.0.search.extension.0.valueCode", "certain",
		"entry.1.resource.id", "v1", "entry.0.fullUrl", c.base+"/Patient/c1")
	last := "1"
	for i, id := range a.ids() {
		at := fmt.Sprintf("entry.%d.search.", i)
		if score := a.at(at + "score"); score > last {
			t.Errorf("%s has the score %s behind %s", id, score, last)
		} else {
			last = score
		}
		if grade := a.at(at + "extension.0.valueCode"); grade == "certain" && id != "c1" {
			t.Errorf("%s is certain without a number", id)
		}
		if id == "c2" {
			t.Error("somebody else came into question")
		}
	}
}

func TestANameAndABirthDateAreNeverCertain(t *testing.T) {
	c := population(t)
	patient := person("", "欧阳", "铭哲", "male", "1985-03-12", "")
	a := c.post("Patient/$match", patient).want(200) // as it is, without Parameters
	if a.at("total") == "0" {
		t.Fatal("nobody came into question")
	}
	for i := range a.ids() {
		if grade := a.at(fmt.Sprintf("entry.%d.search.extension.0.valueCode", i)); grade != "possible" && grade != "probable" {
			t.Errorf("match %d is %s", i, grade)
		}
		if a.at(fmt.Sprintf("entry.%d.search.score", i)) == "1" {
			t.Errorf("match %d has the score 1", i)
		}
	}
	c.post("Patient/$match", matching(patient, onlyCertain)).want(200).is("total", "0", "entry.#", "0")
}

func TestOnlyCertainMatchesGivesOneOrNone(t *testing.T) {
	asked := matching(person("", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing), onlyCertain)
	more := person("v1", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing)
	t.Run("one has the number", func(t *testing.T) {
		population(t).post("Patient/$match", asked).want(200).is("total", "1", "entry.0.resource.id", "c1")
	})
	t.Run("two that are one person", func(t *testing.T) {
		c := population(t, linked([]string{"Patient/c1", "Patient/v1"}))
		c.as("village").put("Patient/v1", more).want(200)
		c.post("Patient/$match", asked).want(200).is("total", "1")
	})
	t.Run("two that nobody has said to be one", func(t *testing.T) {
		c := population(t, linked())
		c.as("village").put("Patient/v1", more).want(200)
		c.post("Patient/$match", asked).want(200).is("total", "0", "entry.0.resource.resourceType", "OperationOutcome", "entry.0.resource.issue.0.severity", "information",
			"entry.0.search.mode", "outcome")
	})
	t.Run("the one with the number is quarantined", func(t *testing.T) {
		c := start(t, linked())
		c.put("Patient/quarantined", person("quarantined", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing)).want(201)
		c.post("Patient/$match", asked).want(200).is("total", "0")
		c.post("Patient/$match", person("", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing)).want(200).is("entry.0.search.extension.0.valueCode", "possible")
	})
	t.Run("the number is somebody else's, too", func(t *testing.T) {
		c := population(t, linked())
		c.as("village").put("Patient/v3", person("v3", "赵", "国庆", "female", "1949-10-01", "", citizen+"|"+liMing)).want(201)
		c.post("Patient/$match", asked).want(200).is("total", "0")
		c.post("Patient/$match", person("", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing)).want(200).is("entry.0.resource.id", "c1")
	})
}

func TestMatchSaysWhyInWords(t *testing.T) {
	c := population(t)
	a := c.post("Patient/$match", matching(person("", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing), withReasons)).want(200)
	evidence := a.at("entry.0.search.extension.1")
	for _, want := range []string{"urn:concord:extension:match-evidence", "citizen-number", `"bits"`, "身份证", "number"} {
		if !strings.Contains(evidence, want) {
			t.Errorf("%q is not in %s", want, evidence)
		}
	}
	if plain := c.post("Patient/$match", person("", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing)).want(200); plain.at("entry.0.search.extension.#") != "1" {
		t.Error("evidence came without being asked for")
	}
}

func TestMatchRefusesWhatItCannotAnswer(t *testing.T) {
	c := population(t)
	whole := person("", "欧阳", "铭哲", "male", "1985-03-12", "")
	for _, b := range []struct {
		say, body string
		status    int
		path      string
	}{
		{"only a sex", `{"resourceType":"Patient","gender":"male"}`, 400, "Patient"},
		{"a name that thousands have", `{"resourceType":"Patient","name":[{"family":"张","given":["伟"]}]}`, 400, "Patient"},
		{"no Patient", `{"resourceType":"Parameters","parameter":[{"name":"count","valueInteger":3}]}`, 400, "Parameters.parameter"},
		{"another resource", `{"resourceType":"Person"}`, 400, "Parameters.parameter"},
		{"another parameter", matching(whole, `{"name":"threshold","valueDecimal":0.5}`), 400, "threshold"},
		{"no boolean", matching(whole, `{"name":"onlyCertainMatches","valueString":"yes"}`), 400, "onlyCertainMatches"},
		{"a count of none", matching(whole, `{"name":"count","valueInteger":0}`), 400, "count"},
		{"two Patients", matching(whole, `{"name":"resource","resource":`+whole+`}`), 400, "Parameters.parameter"},
	} {
		t.Run(b.say, func(t *testing.T) {
			c.post("Patient/$match", b.body).want(b.status).is("resourceType", "OperationOutcome", "issue.0.severity", "error", "issue.0.expression.0", b.path)
		})
	}
	c.get("Patient/$match").want(405)
	c.scoped("system/Observation.rs").post("Patient/$match", whole).want(403)
	c.post("Patient/$match?count=1", whole).want(200).is("total", "1")
	c.post("Patient/$match", person("", "诸葛", "亮辰", "male", "1971-07-23", "13011112222")).want(200).is("total", "0", "entry.#", "0")
}

func TestMatchTellsTheTrailWhoWasShownAndNobodyElse(t *testing.T) {
	c := population(t)
	c.trail.mu.Lock()
	c.trail.events = nil
	c.trail.mu.Unlock()
	c.post("Patient/$match", matching(person("", "欧阳", "铭哲", "male", "1985-03-12", "13856012345", citizen+"|"+liMing), onlyCertain)).want(200)
	var shown []string
	for _, e := range c.trail.events {
		if e.Outcome == audit.Withheld {
			continue
		}
		for _, n := range e.Names {
			shown = append(shown, n.String())
		}
	}
	if fmt.Sprint(shown) != "[Patient/c1]" {
		t.Errorf("the trail has %v", shown)
	}
}

func TestMatchShowsNothingThatIsWithheld(t *testing.T) {
	c := population(t, func(d *face.Deps) { d.Reader.Records = records })
	c.as("county").put("Patient/c1", strings.Replace(person("c1", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing, countyMR+"|M1"), `"active"`,
		`"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"active"`, 1)).want(200)
	asked := person("", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing)
	for _, id := range c.as("village").post("Patient/$match", asked).want(200).ids() {
		if id == "c1" {
			t.Error("a restricted Patient was shown")
		}
	}
	if ids := c.as("county").post("Patient/$match", asked).want(200).ids(); !slices.Contains(ids, "c1") {
		t.Errorf("its own member was shown %v", ids)
	}
	c.as("village").get("Patient/$ihe-pix?sourceIdentifier="+citizen+"|"+liMing).want(404).is("issue.0.code", "not-found")
}

func TestCrossReferenceGivesTheOtherIdentifiers(t *testing.T) {
	c := population(t, linked([]string{"Patient/c1", "Patient/v1"}))
	all := c.get("Patient/$ihe-pix?sourceIdentifier="+countyMR+"|M1").want(200).is("resourceType", "Parameters", "parameter.#", "4",
		"parameter.0.name", "targetIdentifier", "parameter.0.valueIdentifier.system", citizen, "parameter.0.valueIdentifier.value", liMing,
		"parameter.1.valueIdentifier.value", "M9", "parameter.2.name", "targetId", "parameter.2.valueReference.reference", "Patient/c1", "parameter.3.valueReference.reference", "Patient/v1")
	posted := c.post("Patient/$ihe-pix", `{"resourceType":"Parameters","parameter":[{"name":"sourceIdentifier","valueIdentifier":{"system":"`+countyMR+`","value":"M1"}}]}`).want(200)
	if string(all.body) != string(posted.body) {
		t.Errorf("GET and POST differ:\n%s\n%s", all.body, posted.body)
	}
	c.get("Patient/$ihe-pix?sourceIdentifier="+countyMR+"|M1&targetSystem="+villageMR).want(200).is("parameter.#", "2",
		"parameter.0.valueIdentifier.value", "M9", "parameter.1.valueReference.reference", "Patient/v1")
	c.get("Patient/$ihe-pix?sourceIdentifier="+countyMR+"|M1&targetSystem="+villageMR+"&targetSystem="+citizen).want(200).is("parameter.#", "4")
	c.get("Patient/$ihe-pix?sourceIdentifier="+c.base+"|Patient/c1&targetSystem="+c.base).want(200).is("parameter.#", "1", "parameter.0.valueReference.reference", "Patient/v1")
	c.get("Patient/$ihe-pix?sourceIdentifier="+countyMR+"|M2").want(200).is("parameter.#", "2", "parameter.1.valueReference.reference", "Patient/c2")
	c.get("Patient/$ihe-pix?sourceIdentifier="+citizen+"|"+wangFang+"&targetSystem="+villageMR).want(200).is("parameter.#", "0")
}

func TestCrossReferenceFailsAsTheProfileSays(t *testing.T) {
	c := population(t, linked())
	c.as("village").put("Patient/v1", person("v1", "欧阳", "铭哲", "male", "1985-03-12", "", citizen+"|"+liMing)).want(200)
	for _, b := range []struct {
		say, query string
		status     int
		code, text string
	}{
		{"nobody has the identifier", "sourceIdentifier=" + countyMR + "|M404", 404, "not-found", "sourceIdentifier Patient Identifier not found"},
		{"nobody has a number of a domain that the model knows", "sourceIdentifier=urn:concord:passport|E12345678", 404, "not-found", "sourceIdentifier Patient Identifier not found"},
		{"nobody has the logical id", "sourceIdentifier=" + c.base + "|Patient/none", 404, "not-found", "sourceIdentifier Patient Identifier not found"},
		{"a domain that nobody knows", "sourceIdentifier=urn:oid:1.2.3|M1", 400, "code-invalid", "sourceIdentifier Assigning Authority not found"},
		{"no domain", "sourceIdentifier=M1", 400, "code-invalid", "sourceIdentifier Assigning Authority not found"},
		{"a target that nobody knows", "sourceIdentifier=" + countyMR + "|M1&targetSystem=urn:oid:1.2.3", 403, "code-invalid", "targetSystem not found"},
		{"one of two targets that nobody knows", "sourceIdentifier=" + countyMR + "|M1&targetSystem=" + villageMR + "&targetSystem=urn:oid:1.2.3", 403, "code-invalid", "targetSystem not found"},
		{"several people have it", "sourceIdentifier=" + citizen + "|" + liMing, 412, "multiple-matches", ""},
		{"no identifier", "targetSystem=" + villageMR, 400, "invalid", ""},
		{"two identifiers", "sourceIdentifier=" + countyMR + "|M1&sourceIdentifier=" + countyMR + "|M2", 400, "invalid", ""},
		{"another parameter", "sourceIdentifier=" + countyMR + "|M1&target=x", 400, "invalid", ""},
	} {
		t.Run(b.say, func(t *testing.T) {
			a := c.get("Patient/$ihe-pix?"+b.query).want(b.status).is("resourceType", "OperationOutcome", "issue.0.severity", "error", "issue.0.code", b.code)
			if b.text != "" {
				a.is("issue.0.diagnostics", b.text)
			}
		})
	}
	c.scoped(access.Metrics).get("Patient/$ihe-pix?sourceIdentifier=" + countyMR + "|M1").want(403)
}

func TestTheFeedOfIdentitiesIsTaken(t *testing.T) { // ITI-104
	c := start(t, linked([]string{"Patient/a", "Patient/b"}))
	feed := "urn:oid:1.2.156.1.2"
	first := c.put("Patient?identifier="+feed+"|994", person("", "莫", "爱丽", "female", "1958-01-30", "", feed+"|994")).want(201)
	c.put("Patient?identifier="+feed+"|994", person("", "莫", "爱莉", "female", "1958-01-30", "", feed+"|994")).want(200).is("id", first.at("id"), "name.0.given.0", "爱莉")
	c.put("Patient/a", person("a", "莫", "爱丽", "female", "1958-01-30", "", feed+"|m94", "urn:concord:health-card|ABCD12345678")).want(201)
	c.put("Patient/b", person("b", "莫", "爱丽", "female", "1958-01-30", "", feed+"|m95")).want(201)
	replaced := strings.Replace(person("", "莫", "爱丽", "female", "1958-01-30", "", feed+"|m94", "urn:concord:health-card|ABCD12345678"), `"active":true`,
		`"active":false,"link":[{"other":{"identifier":{"system":"`+feed+`","value":"m95"},"reference":"Patient/b"},"type":"replaced-by"}]`, 1)
	c.put("Patient?identifier="+feed+"|m94", replaced).want(200).is("active", "false")
	// The one that was merged leads to the other and is not answered with.
	c.get("Patient/$ihe-pix?sourceIdentifier="+feed+"|m94").want(200).is("parameter.#", "2", "parameter.0.valueIdentifier.value", "m95", "parameter.1.valueReference.reference", "Patient/b")
	// So does one that is named by its identifier alone; one that is nobody's is refused.
	byIdentifier := func(of string) string {
		return strings.Replace(replaced, `"value":"m95"},"reference":"Patient/b"`, `"value":"`+of+`"}`, 1)
	}
	c.put("Patient?identifier="+feed+"|m94", strings.Replace(replaced, `"active":false,"link"`, `"active":true,"link"`, 1)).want(200)
	c.put("Patient?identifier="+feed+"|m94", byIdentifier("m95")).want(200).is("link.0.other.reference", "Patient/b", "link.0.other.identifier.value", "m95")
	c.put("Patient?identifier="+feed+"|m94", byIdentifier("m404")).want(422).is("issue.0.expression.0", "Patient.link[0].other.identifier")
	c.as("another").put("Patient/x1", person("x1", "莫", "爱丽", "female", "1958-01-30", "", feed+"|m77")).want(201)
	c.put("Patient?identifier="+feed+"|m94", byIdentifier("m77")).want(422) // another member's is not its own
	c.post("", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"PUT","url":"Patient/a"},"resource":`+strings.Replace(byIdentifier("m95"), `"active":false`, `"id":"a","active":false`, 1)+`}]}`).want(200)
	c.get("Patient/a").want(200).is("link.0.other.reference", "Patient/b")
	c.put("Patient?identifier="+feed+"|m94", strings.Replace(replaced, `"reference":"Patient/b"`, `"reference":"Patient?identifier=`+feed+`|m95"`, 1)).want(200).is("link.0.other.reference", "Patient/b")
	c.delete("Patient?identifier=" + feed + "|994").want(204)
	c.get("Patient/$ihe-pix?sourceIdentifier=" + feed + "|994").want(404)
}
