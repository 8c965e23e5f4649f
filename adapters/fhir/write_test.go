package fhir_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	face "concord/adapters/fhir"
)

// withNumber is a Patient with one identifier.
func withNumber(number, rest string) string {
	return `{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"` + number + `"}]` + rest + `}`
}

func TestConditionalCreate(t *testing.T) {
	c := start(t)
	first := c.post("Patient", withNumber("1", ""), "If-None-Exist: identifier=urn:mrn|1").want(201)
	again := c.post("Patient", withNumber("1", ""), "If-None-Exist: Patient?identifier=urn:mrn|1").want(200)
	if again.at("id") != first.at("id") || again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("met %s, want %s", again.at("id"), first.at("id"))
	}
	c.post("Patient", withNumber("1", "")).want(201)
	c.post("Patient", withNumber("1", ""), "If-None-Exist: identifier=urn:mrn|1").want(412).is("issue.0.code", "multiple-matches")
	for say, condition := range map[string]string{
		"no parameter at all": "_count=5", "an unknown parameter": "identifer=1", "a chain to nothing": "nobody.name=x",
	} {
		t.Run(say, func(t *testing.T) {
			c.post("Patient", withNumber("9", ""), "If-None-Exist: "+condition, "Prefer: handling=lenient").want(400)
		})
	}
	c.scoped("system/Patient.c").post("Patient", withNumber("2", ""), "If-None-Exist: identifier=urn:mrn|2").want(403)
}

func TestAWriteThatNamesItsResourceTakesNoCriteria(t *testing.T) {
	c := start(t)
	one := `{"resourceType":"Patient","id":"a"}`
	c.put("Patient/a?_pretty=true&_format=json", one).want(201)
	for _, got := range []answer{
		c.post("Patient?identifier=urn:mrn|1", withNumber("1", ""), "Prefer: handling=lenient"),
		c.put("Patient/a?identifier=urn:mrn|1", one),
		c.do("PATCH", "Patient/a?identifier=urn:mrn|1", `[]`, "Content-Type: application/json-patch+json"),
		c.delete("Patient/a?identifier=urn:mrn|1"),
	} {
		got.want(400).is("issue.0.expression.0", "identifier")
	}
	c.post("", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/a?gender=male"}}]}`).want(400)
	c.get("Patient?_total=accurate").is("total", "1")
	c.get("Patient/a").want(200).is("meta.versionId", "1")
}

func TestConditionalUpdate(t *testing.T) {
	c := start(t)
	made := c.put("Patient?identifier=urn:mrn|1", withNumber("1", "")).want(201)
	id := made.at("id")
	c.put("Patient?identifier=urn:mrn|1", withNumber("1", `,"active":true`)).want(200).is("id", id, "meta.versionId", "2", "active", "true")
	c.put("Patient?identifier=urn:mrn|1", withNumber("1", `,"id":"`+id+`"`)).want(200).is("meta.versionId", "3")
	c.put("Patient?identifier=urn:mrn|1", withNumber("1", `,"id":"other"`)).want(400).is("issue.0.expression.0", "Patient.id")
	c.put("Patient?identifier=urn:mrn|2", withNumber("2", `,"id":"two"`)).want(201).is("id", "two")
	c.put("Patient?identifier=urn:mrn|3", withNumber("3", `,"id":"two"`)).want(409)
	c.put("Patient?identifier=urn:mrn|1", withNumber("1", ""), `If-Match: W/"1"`).want(412)
	c.put("Patient?identifier=urn:mrn|1", withNumber("1", ""), `If-Match: W/"3"`).want(200)
	c.put("Patient?identifier=urn:mrn|4", withNumber("4", ""), `If-Match: W/"1"`).want(412)
	c.post("Patient", withNumber("1", "")).want(201)
	c.put("Patient?identifier=urn:mrn|1", withNumber("1", "")).want(412).is("issue.0.code", "multiple-matches")
	c.put("Patient", withNumber("1", "")).want(400)
	c.as("m2").put("Patient?identifier=urn:mrn|2", withNumber("2", "")).want(403)

	// Criteria may go through references.
	c.put("Patient/p", withNumber("5", `,"id":"p"`)).want(201)
	obs := `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`
	c.put("Observation?subject:Patient.identifier=urn:mrn|5", obs).want(201)
	c.put("Observation?subject:Patient.identifier=urn:mrn|5", obs).want(200).is("meta.versionId", "2")
}

func TestConditionalDelete(t *testing.T) {
	c := start(t)
	c.post("Patient", withNumber("1", "")).want(201)
	c.delete("Patient?identifier=urn:mrn|0").want(204)
	c.delete("Patient?identifier=urn:mrn|1").want(204)
	c.get("Patient?identifier=urn:mrn|1&_total=accurate").is("total", "0")
	for range 2 {
		c.post("Patient", withNumber("2", "")).want(201)
	}
	c.delete("Patient?identifier=urn:mrn|2").want(412)
	c.delete("Patient").want(400)
	c.get("Patient?identifier=urn:mrn|2&_total=accurate").is("total", "2")

	many := start(t, func(d *face.Deps) { d.Rules.ConditionalDelete = face.DeleteMultiple; d.Limits.Deletes = 3 })
	for range 3 {
		many.post("Patient", withNumber("2", "")).want(201)
	}
	many.delete("Patient?identifier=urn:mrn|2", "Prefer: return=OperationOutcome").want(200).is("issue.0.diagnostics", "3 resources were deleted")
	for range 4 {
		many.post("Patient", withNumber("2", "")).want(201)
	}
	many.delete("Patient?identifier=urn:mrn|2").want(422).is("issue.0.code", "too-costly")
	many.get("Patient?identifier=urn:mrn|2&_total=accurate").is("total", "4")

	none := start(t, func(d *face.Deps) { d.Rules.ConditionalDelete = face.DeleteNotSupported })
	none.delete("Patient?identifier=urn:mrn|2").want(405)
}

func TestUpdatesAreGuarded(t *testing.T) {
	c := start(t)
	one := `{"resourceType":"Patient","id":"a"}`
	c.put("Patient/a", one, `If-Match: W/"1"`).want(412)
	c.put("Patient/a", one, "If-Match: *").want(412)
	c.put("Patient/a", one, "If-None-Match: *").want(201)
	c.put("Patient/a", one, "If-None-Match: *").want(412)
	c.put("Patient/a", one, "If-Match: *").want(200)
	c.put("Patient/a", one, `If-Match: W/"1"`).want(412)
	c.put("Patient/a", one, `If-Match: "2"`).want(200)
	c.put("Patient/a", one, `If-Match: W/"x"`).want(400)
	c.post("Patient", one, `If-Match: W/"1"`).want(400)
	c.put("Patient/b", one).want(400)
	c.delete("Patient/a", `If-Match: W/"1"`).want(412)
	c.delete("Patient/a", `If-Match: W/"3"`).want(204)

	strict := start(t, func(d *face.Deps) { d.Rules.NoUpdateCreate = true })
	strict.put("Patient/a", one).want(405)
	strict.put("Patient?identifier=x", `{"resourceType":"Patient","id":"a"}`).want(405)
	id := strict.put("Patient?identifier=x", `{"resourceType":"Patient"}`).want(201).at("id")
	strict.delete("Patient/" + id).want(204)
	strict.put("Patient/"+id, `{"resourceType":"Patient","id":"`+id+`"}`).want(201)
}

func TestPatches(t *testing.T) {
	c := start(t)
	body := `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":5.600,"unit":"\u006dmol"}}`
	c.put("Observation/o", body).want(201)
	jsonPatch := "Content-Type: application/json-patch+json"
	got := c.do("PATCH", "Observation/o", `[{"op":"replace","path":"/status","value":"amended"}]`, jsonPatch).want(200).is("status", "amended", "meta.versionId", "2")
	if !strings.Contains(string(got.body), `"valueQuantity":{"value":5.600,"unit":"\u006dmol"}`) {
		t.Errorf("the patch changed what it does not name: %s", got.body)
	}
	c.do("PATCH", "Observation/o", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Observation.value.value"},{"name":"value","valueDecimal":5.700}]}]}`).
		want(200).is("valueQuantity.value", "5.700")
	c.do("PATCH", "Observation/o", `[{"op":"test","path":"/status","value":"final"}]`, jsonPatch).want(409)
	c.do("PATCH", "Observation/o", `[{"op":"remove","path":"/note"}]`, jsonPatch).want(422)
	c.do("PATCH", "Observation/o", `[{"op":"replace","path":"/id","value":"p"}]`, jsonPatch).want(422)
	c.do("PATCH", "Observation/o", `[{"op":"add","path":"/nonsense","value":"p"}]`, jsonPatch).want(400).is("issue.0.expression.0", "Observation.nonsense")
	c.do("PATCH", "Observation/o", `[{"op":"add","path":"/language","value":"zh"}]`, jsonPatch, `If-Match: W/"1"`).want(412)
	c.do("PATCH", "Observation/o", `[{"op":"add","path":"/language","value":"zh"}]`, jsonPatch, `If-Match: W/"3"`).want(200)
	c.do("PATCH", "Observation?code:text=x", `[{"op":"remove","path":"/language"}]`, jsonPatch)
	c.do("PATCH", "Observation?_id=o", `[{"op":"add","path":"/language","value":"en"}]`, jsonPatch).want(200).is("language", "en")
	c.do("PATCH", "Observation?_id=none", `[{"op":"add","path":"/language","value":"en"}]`, jsonPatch).want(404)
	c.do("PATCH", "Observation/none", `[]`, jsonPatch).want(404)
	c.do("PATCH", "Observation/o", `<diff/>`, "Content-Type: application/xml-patch+xml").want(415)
	c.as("m2").do("PATCH", "Observation/o", `[{"op":"remove","path":"/language"}]`, jsonPatch).want(403)
	c.delete("Observation/o").want(204)
	c.do("PATCH", "Observation/o", `[{"op":"remove","path":"/language"}]`, jsonPatch).want(410)
}

func TestPreferSaysWhatComesBack(t *testing.T) {
	c := start(t)
	one := `{"resourceType":"Patient","id":"a"}`
	if a := c.put("Patient/a", one, "Prefer: return=minimal").want(201); len(a.body) != 0 || a.header.Get("ETag") != `W/"1"` {
		t.Errorf("minimal: %q, ETag %s", a.body, a.header.Get("ETag"))
	}
	c.put("Patient/a", one, "Prefer: respond-async, return=representation").want(200).is("resourceType", "Patient")
	c.put("Patient/a", one, "Prefer: handling=strict; return=OperationOutcome").want(200).is("issue.0.diagnostics", "Patient/a is at version 3")
	c.put("Patient/a", one, "Prefer: return=everything").want(200).is("resourceType", "Patient")
	c.delete("Patient/a", "Prefer: return=OperationOutcome").want(200).is("issue.0.diagnostics", "Patient/a was deleted")
}

// TestRacingHubsAgree: conditional creates make one of each, conditional updates and patches lose nothing.
func TestRacingHubsAgree(t *testing.T) {
	hubs := startMany(t, 3)
	const clients, rounds, things = 24, 6, 6
	var wg sync.WaitGroup
	var mu sync.Mutex
	versions := map[string]bool{}
	status := map[int]int{}
	hubs[0].put("Patient/shared", `{"resourceType":"Patient","id":"shared"}`).want(201)
	for n := range clients {
		c := hubs[n%3]
		wg.Go(func() {
			for r := range rounds {
				number := fmt.Sprint((n + r) % things)
				created := c.post("Patient", withNumber("c"+number, ""), "If-None-Exist: identifier=urn:mrn|c"+number)
				updated := c.put("Patient?identifier=urn:mrn|u"+number, withNumber("u"+number, ""))
				patched := c.do("PATCH", "Patient/shared", fmt.Sprintf(`[{"op":"add","path":"/name","value":[{"text":"%d-%d"}]}]`, n, r), "Content-Type: application/json-patch+json")
				added := c.do("PATCH", "Patient/shared", fmt.Sprintf(`{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},{"name":"name","valueString":"identifier"},{"name":"value","valueIdentifier":{"value":"%d-%d"}}]}]}`, n, r))
				mu.Lock()
				for _, a := range []answer{created, updated, patched, added} {
					status[a.status]++
				}
				if v := updated.at("id") + "/" + updated.at("meta.versionId"); versions[v] {
					t.Errorf("%s was given twice", v)
				} else {
					versions[v] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	c := hubs[1]
	for n := range things {
		for _, kind := range []string{"c", "u"} {
			c.get(fmt.Sprintf("Patient?identifier=urn:mrn|%s%d&_total=accurate", kind, n)).want(200).is("total", "1")
		}
	}
	if len(versions) != clients*rounds {
		t.Errorf("%d versions of %d updates", len(versions), clients*rounds)
	}
	shared := c.get("Patient/shared").want(200)
	if got := shared.at("identifier.#"); got != fmt.Sprint(clients*rounds) {
		t.Errorf("%s of %d additions are there", got, clients*rounds)
	}
	if got := shared.at("meta.versionId"); got != fmt.Sprint(2*clients*rounds+1) {
		t.Errorf("version %s after %d patches", got, 2*clients*rounds)
	}
	t.Log("answers by status:", status)
}
