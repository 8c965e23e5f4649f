package fhir_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	face "concord/adapters/fhir"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
)

const restricted = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},`

// withholding starts a hub that minds labels and directives, and has two members write about one patient each.
func withholding(t *testing.T) (mine, theirs *client) {
	mine = start(t, func(d *face.Deps) { d.Reader.Records = records })
	mine.put("Patient/p", `{"resourceType":"Patient","id":"p","name":[{"family":"Zhang"}]}`).want(201)
	mine.put("Patient/q", `{"resourceType":"Patient","id":"q"}`).want(201)
	theirs = mine.as("m2")
	theirs.put("Observation/theirs", result("theirs", "p", "")).want(201)
	mine.put("Observation/mine", result("mine", "p", "")).want(201)
	mine.put("Observation/other", result("other", "q", "")).want(201)
	return mine, theirs
}

func result(id, patient, more string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":"%s",%s"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},
		"subject":{"reference":"Patient/%s"},"effectiveDateTime":"2026-11-20","performer":[{"reference":"Patient/%[3]s"}]}`, id, more, patient)
}

func consent(patient, provision string) string {
	return fmt.Sprintf(`{"resourceType":"Consent","id":"c-%s","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"text":"privacy"}],"patient":{"reference":"Patient/%[1]s"},"policyRule":{"text":"privacy"},"provision":%s}`, patient, provision)
}

// sees is what a member finds on every way: ids of Observations, by each of the ways, joined.
func (c *client) sees(t *testing.T, patient string) string {
	t.Helper()
	var ways []string
	for _, path := range []string{
		"Observation?patient=" + patient, "Observation?subject=Patient/" + patient + "&_sort=-date", "Observation?patient:Patient._id=" + patient,
		"Patient/" + patient + "/Observation", "Observation?_filter=" + "patient%20eq%20Patient/" + patient,
	} {
		ways = append(ways, strings.Join(c.get(path).want(200).ids(), " "))
	}
	for _, w := range ways[1:] {
		if w != ways[0] {
			t.Errorf("one way shows %q, another %q", ways[0], w)
		}
	}
	return ways[0]
}

func TestALabelKeepsAResourceForItsWriter(t *testing.T) {
	mine, theirs := withholding(t)
	theirs.put("Observation/secret", result("secret", "p", restricted)).want(201)
	if got := theirs.sees(t, "p"); !strings.Contains(got, "secret") {
		t.Errorf("its writer finds %q", got)
	}
	if got := mine.sees(t, "p"); strings.Contains(got, "secret") || !strings.Contains(got, "theirs") {
		t.Errorf("others find %q", got)
	}
	for _, path := range []string{"Observation/secret", "Observation/secret/_history", "Observation/secret/_history/1"} {
		mine.get(path).want(404)
		theirs.get(path).want(200)
	}
	mine.get("Observation?code=718-7&_summary=count").want(200).is("total", "3")
	if ids := mine.get("Patient?_has:Observation:patient:_id=secret").want(200).ids(); len(ids) > 0 {
		t.Errorf("a reverse chain tells of it: %v", ids)
	}
	if ids := strings.Join(mine.get("Patient?_id=p&_revinclude=Observation:patient").want(200).ids(), " "); strings.Contains(ids, "secret") {
		t.Errorf("it is included: %v", ids)
	}
	if ids := strings.Join(mine.get("Patient/p/$everything").want(200).ids(), " "); strings.Contains(ids, "secret") {
		t.Errorf("it is in everything: %v", ids)
	}
	if b := mine.get("Observation/_history").want(200); strings.Contains(string(b.body), "secret") {
		t.Error("the history of the type tells of it")
	}
	if !withheld(mine.trail, "Observation/secret") {
		t.Error("nothing in the trail says that it was withheld")
	}
}

func TestADirectiveKeepsOtherMembersOut(t *testing.T) {
	for _, c := range []struct {
		name, provision string
		want            string // what m1 finds of p; its own is "mine"
	}{
		{"a denial without conditions withholds all that others wrote", `{"type":"deny"}`, "mine"},
		{"a denial that names the member does", `{"type":"deny","actor":[{"role":{"text":"recipient"},"reference":{"identifier":{"system":"urn:concord:member","value":"m1"}}}]}`, "mine"},
		{"a denial that names the member as an organization does", `{"type":"deny","actor":[{"role":{"text":"recipient"},"reference":{"reference":"Organization/m1"}}]}`, "mine"},
		{"a denial that names another member does not", `{"type":"deny","actor":[{"role":{"text":"recipient"},"reference":{"identifier":{"value":"m3"}}}]}`, "mine theirs"},
		{"an exception for the member lets it in", `{"type":"deny","provision":[{"type":"permit","actor":[{"role":{"text":"recipient"},"reference":{"identifier":{"value":"m1"}}}]}]}`, "mine theirs"},
		{"an exception for a purpose that nobody can check does not", `{"type":"deny","provision":[{"type":"permit","purpose":[{"code":"TREAT"}]}]}`, "mine"},
		{"a denial of another type does not", `{"type":"deny","class":[{"code":"ImagingStudy"}]}`, "mine theirs"},
		{"a denial of the type does", `{"type":"deny","class":[{"code":"Observation"}]}`, "mine"},
		{"a denial that has ended does not", `{"type":"deny","period":{"end":"2020-01-01"}}`, "mine theirs"},
		{"a denial of data of the day does", `{"type":"deny","dataPeriod":{"start":"2026-11-20T12:00:00+08:00","end":"2026-11-21"}}`, "mine"},
		{"a denial of data of the year before does not", `{"type":"deny","dataPeriod":{"start":"2025-01-01","end":"2025-12-31"}}`, "mine theirs"},
		{"a permission does not", `{"type":"permit"}`, "mine theirs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mine, theirs := withholding(t)
			theirs.put("Consent/c-p", consent("p", c.provision)).want(201)
			found := mine.sees(t, "p")
			for _, id := range []string{"mine", "theirs"} {
				if strings.Contains(found, id) != strings.Contains(c.want, id) {
					t.Errorf("finds %q, want %q", found, c.want)
				}
			}
			if got := mine.sees(t, "q"); got != "other" {
				t.Errorf("of another patient: %q", got)
			}
			if got := theirs.get("Observation?patient=p").want(200).ids(); !slices.Contains(got, "theirs") {
				t.Errorf("the writer no longer finds its own: %q", got)
			}
			if status := mine.get("Observation/theirs").status; (status == 200) != strings.Contains(c.want, "theirs") {
				t.Errorf("a read answers %d", status)
			}
		})
	}
}

func TestAWithdrawnDirectiveOpensAgain(t *testing.T) {
	mine, theirs := withholding(t)
	body := consent("p", `{"type":"deny"}`)
	theirs.put("Consent/c-p", body).want(201)
	mine.get("Observation/theirs").want(404)
	theirs.put("Consent/c-p", strings.Replace(body, `"active"`, `"inactive"`, 1)).want(200)
	mine.get("Observation/theirs").want(200)
	theirs.put("Consent/c-p", body).want(200)
	theirs.delete("Consent/c-p")
	mine.get("Observation/theirs").want(200)
}

func TestAConditionDoesNotTellOfWhatIsWithheld(t *testing.T) {
	mine, theirs := withholding(t)
	theirs.put("Observation/secret", result("secret", "p", restricted)).want(201)
	theirs.post("Observation", result("x", "p", ""), "If-None-Exist: _id=secret").want(200)
	mine.post("Observation", result("x", "p", ""), "If-None-Exist: _id=secret").want(201)
	mine.post("Observation", result("x", "p", ""), "If-None-Exist: _id=theirs").want(200)
}

// written has the hub itself write a resource.
func (c *client) written(name hub.Name, body string) {
	c.t.Helper()
	_, err := c.linker.Writer.Submit(c.t.Context(), commit.Write{Member: access.Hub, Names: []hub.Name{name}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return []byte(strings.NewReplacer("\n", "", "\t", "").Replace(body)) }}}, nil
	}})
	if err != nil {
		c.t.Fatal(err)
	}
}

func TestWhatTheHubTellsOfAResultIsForThoseWhoMayKnowIt(t *testing.T) {
	mine, theirs := withholding(t)
	for _, typ := range []string{"GuidanceResponse", "DetectedIssue", "CommunicationRequest", "Flag", "Basic"} {
		mine.written(hub.Name{Type: typ, ID: "d"}, `{"resourceType":"`+typ+`","id":"d","meta":{"source":"urn:concord:member:m2","versionId":"1"},"subject":{"reference":"Patient/p"},
			"extension":[{"url":"urn:concord:extension:result","valueReference":{"reference":"Observation/theirs"}}]}`)
	}
	ways := func(typ string) []string {
		return []string{typ + "?_id=d", typ + "?_id=d&_total=accurate", typ + "?_lastUpdated=gt2020-01-01", "Patient?_id=p&_revinclude=" + typ + ":subject", "?_type=" + typ + "&_id=d"}
	}
	look := func(c *client, there bool) {
		t.Helper()
		for _, typ := range []string{"GuidanceResponse", "DetectedIssue", "CommunicationRequest", "Flag", "Basic"} {
			status := map[bool]int{true: 200, false: 404}[there]
			c.get(typ + "/d").want(status)
			c.get(typ + "/d/_history").want(status)
			for _, way := range ways(typ) {
				if typ == "DetectedIssue" {
					way = strings.Replace(way, ":subject", ":patient", 1)
				}
				if a := c.get(way).want(200); strings.Contains(string(a.body), `"id":"d"`) != there && !(there && strings.Contains(way, "_revinclude")) {
					t.Errorf("%s: %s", way, a.body)
				}
			}
		}
	}
	look(mine, true)
	theirs.put("Observation/theirs", result("theirs", "p", restricted)).want(200)
	look(mine, false)
	look(theirs, true)
}

func TestWhatIsWithheldNowWasNeverSeen(t *testing.T) {
	mine, theirs := withholding(t)
	mine.get("Observation/theirs/_history/1").want(200)
	theirs.put("Observation/theirs", result("theirs", "p", restricted)).want(200)
	nothing := func() {
		t.Helper()
		for _, path := range []string{"Observation/theirs", "Observation/theirs/_history", "Observation/theirs/_history/1", "Observation/theirs/_history/2"} {
			mine.get(path).want(404)
		}
		if a := mine.get("Observation/_history").want(200); strings.Contains(string(a.body), "theirs") {
			t.Errorf("the history of the type tells of it: %s", a.body)
		}
		if a := mine.get("_history").want(200); strings.Contains(string(a.body), "Observation/theirs") {
			t.Errorf("the history tells of it: %s", a.body)
		}
	}
	nothing()
	theirs.get("Observation/theirs/_history").want(200).is("total", "2")
	theirs.delete("Observation/theirs").want(204)
	nothing() // nor that it ended
	theirs.get("Observation/theirs").want(410)
}

func TestAWriteToldOfWhatIsWithheldIsAnsweredAsIfItWereNotThere(t *testing.T) {
	mine, theirs := withholding(t)
	theirs.put("Observation/secret", result("secret", "p", restricted)).want(201)
	same := func(method, body string, headers ...string) {
		t.Helper()
		a, b := mine.do(method, "Observation/secret", strings.ReplaceAll(body, "ID", "secret"), headers...), mine.do(method, "Observation/nothing", strings.ReplaceAll(body, "ID", "nothing"), headers...)
		if a.status != b.status || strings.ReplaceAll(string(a.body), "secret", "nothing") != string(b.body) || a.header.Get("ETag") != b.header.Get("ETag") {
			t.Errorf("%s %v answers %d %s, and of what never was %d %s", method, headers, a.status, a.body, b.status, b.body)
		}
	}
	same("DELETE", "")
	same("PUT", result("ID", "p", ""), `If-Match: W/"7"`)
	same("PUT", result("ID", "p", ""), `If-Match: *`)
	same("PATCH", `[{"op":"replace","path":"/status","value":"amended"}]`, "Content-Type: application/json-patch+json")
	same("GET", "", `If-None-Match: W/"1"`)
	mine.put("Observation/secret", result("secret", "p", "")).want(403) // the id is taken, which no answer can hide
	theirs.get("Observation/secret").want(200).is("meta.versionId", "1", "status", "final")
	theirs.delete("Observation/secret").want(204)
	same("PATCH", `[{"op":"replace","path":"/status","value":"amended"}]`, "Content-Type: application/json-patch+json")
}

func TestAConditionFindsBehindWhatIsWithheld(t *testing.T) {
	mine, theirs := withholding(t)
	for i := range 7 {
		theirs.put(fmt.Sprintf("Observation/s%d", i), result(fmt.Sprintf("s%d", i), "p", restricted+`"identifier":[{"system":"urn:x","value":"1"}],`)).want(201)
	}
	first := mine.put("Observation?identifier=urn:x|1", strings.Replace(result("", "p", `"identifier":[{"system":"urn:x","value":"1"}],`), `"id":"",`, "", 1)).want(201)
	mine.put("Observation?identifier=urn:x|1", strings.Replace(result("", "p", `"identifier":[{"system":"urn:x","value":"1"}],`), `"id":"",`, "", 1)).want(200).is("id", first.at("id"))
}

func withheld(n *trail, name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		for _, is := range e.Names {
			if e.Outcome == audit.Withheld && is.String() == name {
				return true
			}
		}
	}
	return false
}
