package ecg_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/messages"
)

func forms() []string {
	return []string{"", "/original", "/svg", "/png", "/csv", "/aecg", "/dicom", "/sampled-data", "/quality"}
}

func TestARecordingIsTheSameByWhicheverWayItComes(t *testing.T) {
	c := start(t)
	asFile, asInstance := c.send(aecgOf(t, recordingOf("P1"), "1.2.3"), 201), c.send(dicomOf(t, recordingOf("P1"), "x"), 201)
	c.derive()
	if asFile == asInstance {
		t.Fatal("two files have one id")
	}
	first, second := c.get("/ecg/"+asFile+"/csv").want(200), c.get("/ecg/"+asInstance+"/csv").want(200)
	if !bytes.Equal(first.body, second.body) || bytes.Count(first.body, []byte("\n")) != 2501 {
		t.Errorf("the samples differ:\n%.300s\n%.300s", first.body, second.body)
	}
	for _, id := range []string{asFile, asInstance} {
		for _, form := range forms() {
			if a := c.get("/ecg/" + id + form).want(200); len(a.body) == 0 {
				t.Errorf("%s is empty", a.asked)
			}
		}
		o := c.resource("Observation", id)
		subject := o["subject"].(map[string]any)["reference"].(string)
		if o["status"] != "final" || o["effectiveDateTime"] != "2026-03-01T09:30:00+08:00" {
			t.Errorf("Observation: %v %v", o["status"], o["effectiveDateTime"])
		}
		codes := fmt.Sprint(o["component"])
		for _, want := range []string{"8867-4", "8634-8", "8632-2", "quality-score"} {
			if !strings.Contains(codes, want) {
				t.Errorf("the Observation has no %s", want)
			}
		}
		report := c.resource("DiagnosticReport", id)
		if report["status"] != "preliminary" || !strings.HasPrefix(fmt.Sprint(report["conclusion"]), "Sinus rhythm\nNormal ECG") || report["resultsInterpreter"] != nil {
			t.Errorf("what a device states is told as %v of %v: %v", report["status"], report["resultsInterpreter"], report["conclusion"])
		}
		// Both came of one member and name one patient.
		if name := c.resource("Patient", strings.TrimPrefix(subject, "Patient/"))["birthDate"]; name != "1961-02-03" || subject != c.resource("Observation", asFile)["subject"].(map[string]any)["reference"] {
			t.Errorf("%s is of %v", id, subject)
		}
		c.resource("DocumentReference", id)
	}
}

func TestTheSameFileTwiceIsOneRecordingAndOfTwoMembersTwo(t *testing.T) {
	c := start(t)
	file := aecgOf(t, recordingOf("P1"), "1.2.3")
	id := c.send(file, 201)
	if again := c.send(file, 200); again != id {
		t.Errorf("%s and %s", id, again)
	}
	if other := c.as("county").send(file, 201); other == id {
		t.Error("two members have one recording")
	}
	instance := dicomOf(t, recordingOf("P1"), "x")
	if c.send(instance, 201) != c.send(instance, 200) {
		t.Error("an instance has two ids")
	}
	original := c.get("/ecg/" + id + "/original").want(200)
	if !bytes.Equal(original.body, file) {
		t.Error("the original is not what was sent")
	}
	if d := original.header.Get("Content-Disposition"); d != `attachment; filename="`+id+`.xml"` {
		t.Errorf("the original is %s", d)
	}
}

func TestAPatientWhomOthersToldOfKeepsWhatTheyTold(t *testing.T) {
	c := start(t)
	r := recordingOf("P1")
	id := c.send(aecgOf(t, r, "1.2.3"), 201)
	subject := c.resource("Observation", id)["subject"].(map[string]any)["reference"].(string)
	r.Patient.Name, r.Patient.Family, r.Patient.Given, r.Patient.BirthDate = "Wang", "Wang", "", "1999-09-09"
	second := c.send(aecgOf(t, r, "1.2.4"), 201)
	if other := c.resource("Observation", second)["subject"].(map[string]any)["reference"]; other != subject {
		t.Errorf("one identifier is two patients: %v and %v", subject, other)
	}
	if p := c.resource("Patient", strings.TrimPrefix(subject, "Patient/")); p["birthDate"] != "1961-02-03" {
		t.Errorf("what was typed in at a cart changed the patient: %v", p["birthDate"])
	}
}

func TestWhatPolicyDeniesIsNowhere(t *testing.T) {
	for name, hidden := range map[string]func(rec *hub.Record) bool{
		"every record":    func(rec *hub.Record) bool { return true },
		"the resource":    func(rec *hub.Record) bool { return rec.Name.Type == "DocumentReference" },
		"the bytes alone": func(rec *hub.Record) bool { return rec.Name.Type == messages.Type || rec.Name.Type == "dicom.instance" },
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t)
			ids := []string{c.send(aecgOf(t, recordingOf("P1"), "1.2.3"), 201), c.send(dicomOf(t, recordingOf("P1"), "x"), 201)}
			c.derive()
			c.rules.hidden = func(who access.Caller, rec *hub.Record) bool { return who.Member == "county" && hidden(rec) }
			stranger := c.as("county")
			missing := stranger.get("/ecg/nothing").want(404)
			for _, id := range ids {
				for _, form := range forms() {
					a := stranger.get("/ecg/"+id+form, "If-None-Match: *").want(404)
					if strings.ReplaceAll(string(a.body), id, "nothing") != string(missing.body) {
						t.Errorf("%s is refused otherwise than what is not there: %s", a.asked, a.body)
					}
					c.get("/ecg/" + id + form).want(200)
				}
			}
			if a := stranger.get("/ecg").want(200); name != "the bytes alone" && bytes.Contains(a.body, []byte(ids[0])) {
				t.Errorf("the list shows it: %s", a.body)
			}
		})
	}
}

func TestEachDisclosureIsNoted(t *testing.T) {
	c := start(t)
	id := c.send(aecgOf(t, recordingOf("P1"), "1.2.3"), 201)
	for _, form := range forms() {
		before := len(c.trail.events)
		c.get("/ecg/" + id + form).want(200)
		if !slices.ContainsFunc(c.trail.events[before:], func(e audit.Event) bool {
			return e.Member == "village" && slices.Contains(e.Names, hub.Name{Type: "DocumentReference", ID: id})
		}) {
			t.Errorf("%q leaves no note", form)
		}
	}
	before := len(c.trail.events)
	c.get("/ecg").want(200)
	if len(c.trail.events) == before {
		t.Error("the list leaves no note")
	}
}

func TestScopesAreAskedFor(t *testing.T) {
	c := start(t)
	file, instance := aecgOf(t, recordingOf("P1"), "1.2.3"), dicomOf(t, recordingOf("P1"), "x")
	id, other := c.send(file, 201), c.send(instance, 201)
	c.derive()
	c.scope = "system/DocumentReference.rs system/Observation.rs"
	c.get("/ecg/" + id).want(200)
	c.get("/ecg").want(200)
	c.get("/ecg/" + other + "/svg").want(404) // an instance is DICOM, which this scope does not read
	c.do("POST", "/ecg", file).want(403)
	c.scope = "system/DocumentReference.c system/Observation.c system/DiagnosticReport.c"
	c.do("POST", "/ecg", file).want(200)
	c.do("POST", "/ecg", instance).want(403)
	c.get("/ecg/" + id).want(403)
	c.get("/ecg").want(403)
}

func TestWhatCannotBeReadIsSaidAndKept(t *testing.T) {
	whole := aecgOf(t, recordingOf("P1"), "1.2.3")
	scp := append(bytes.Repeat([]byte{0}, 16), []byte("SCPECG\x00\x00 and then nothing")...)
	for name, f := range map[string]struct {
		file   []byte
		status int
		says   string
	}{
		"a format nobody knows":       {[]byte("\x01\x02 the cart's own"), 202, "not known"},
		"a known one without reader":  {[]byte("%PDF-1.7 an ECG as a scan"), 202, "PDF"},
		"half a file":                 {whole[:len(whole)/2], 422, "kept as message"},
		"an SCP file of nothing":      {scp, 422, "kept as message"},
		"a document type":             {[]byte(`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><AnnotatedECG xmlns="urn:hl7-org:v3"><id root="&x;"/></AnnotatedECG>`), 0, ""},
		"nothing":                     {nil, 400, "empty"},
		"more than may be":            {append(whole, bytes.Repeat([]byte(" "), 2<<20)...), 413, "ecg-file-mb"},
		"a DICOM instance of no kind": {append(bytes.Repeat([]byte{0}, 128), []byte("DICM and then nothing")...), 422, "kept as message"},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t)
			a := c.do("POST", "/ecg", f.file)
			if f.status == 0 { // refused or kept unread, never understood
				if a.status != 202 && a.status != 422 {
					t.Errorf("status %d", a.status)
				}
			} else {
				a.want(f.status).has(f.says)
			}
			if a.status == 202 {
				at := a.header.Get("Location")
				if got := c.get(at + "/original").want(200); !bytes.Equal(got.body, f.file) || got.header.Get("Content-Type") == "text/html" {
					t.Error("what was kept is not what was sent")
				}
				c.get(at + "/svg").want(422).has("original")
				c.get(at).want(200).has(`"read":false`)
			}
			if again := c.do("POST", "/ecg", f.file); again.status != a.status {
				t.Errorf("sent again it is %d, first it was %d", again.status, a.status)
			}
		})
	}
}

func TestACopyThatIsStillGoodIsNotSentAgain(t *testing.T) {
	c := start(t)
	id := c.send(aecgOf(t, recordingOf("P1"), "1.2.3"), 201)
	tags := map[string]bool{}
	for _, path := range append(forms(), "/svg?layout=12x1", "/svg?gain=20") {
		a := c.get("/ecg/" + id + path).want(200)
		tag := a.header.Get("ETag")
		if tag == "" || tags[tag] && path != "/aecg" { // which is the original here
			t.Errorf("%s has the tag %q", a.asked, tag)
		}
		tags[tag] = true
		if b := c.get("/ecg/"+id+path, "If-None-Match: "+tag).want(304); len(b.body) > 0 {
			t.Errorf("%s: 304 with a body", b.asked)
		}
		if h := c.do("HEAD", "/ecg/"+id+path, nil).want(200); h.header.Get("ETag") != tag || len(h.body) > 0 {
			t.Errorf("HEAD of %s differs", path)
		}
	}
}

func TestAcceptAndFormatChoose(t *testing.T) {
	c := start(t)
	id := c.send(aecgOf(t, recordingOf("P1"), "1.2.3"), 201)
	for accept, media := range map[string]string{
		"": "application/json", "*/*": "application/json", "image/*": "image/svg+xml", "image/png": "image/png", "text/csv;q=0.5, image/png;q=0.4": "text/csv; charset=utf-8",
		"application/dicom": "application/dicom", "application/fhir+json": "application/fhir+json", "text/html, application/xhtml+xml, */*;q=0.8": "application/json",
	} {
		if got := c.get("/ecg/"+id, "Accept: "+accept).want(200).header.Get("Content-Type"); got != media {
			t.Errorf("Accept %q gives %s, want %s", accept, got, media)
		}
	}
	c.get("/ecg/"+id, "Accept: video/mp4").want(406)
	c.get("/ecg/" + id + "?format=png").want(200)
	c.get("/ecg/" + id + "?format=exe").want(404)
	for _, bad := range []string{"/svg?layout=9x9", "/svg?speed=fast", "/svg?gain=0", "/svg?colour=red", "/csv?unit=V", "/csv?group=7", "/svg?rhythm=Q"} {
		c.get("/ecg/" + id + bad).want(400)
	}
	c.get("/ecg/" + id + "/svg?seconds=3600").want(413).has("seconds")
}

type page struct {
	Recordings []struct{ ID, Patient, Member, Date string }
	Next       string
}

func TestTheListIsAskedByPatientTimeAndMemberAndTurnsPages(t *testing.T) {
	c := start(t)
	var mine []string
	for i := range 5 {
		r := recordingOf("P1")
		r.Acquired.Time = r.Acquired.Time.AddDate(0, 0, i)
		mine = append(mine, c.send(aecgOf(t, r, fmt.Sprint("1.2.", i)), 201))
	}
	theirs := c.as("county").send(aecgOf(t, recordingOf("P2"), "1.3"), 201)
	list := func(query string) (p page) {
		t.Helper()
		if err := json.Unmarshal(c.get("/ecg"+query).want(200).body, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	ids := func(p page) (all []string) {
		for _, r := range p.Recordings {
			all = append(all, r.ID)
		}
		return all
	}
	if p := list("?member=county"); !slices.Equal(ids(p), []string{theirs}) {
		t.Errorf("by member: %+v", p)
	}
	patient := list("?member=county").Recordings[0].Patient
	if p := list("?patient=" + patient); !slices.Equal(ids(p), []string{theirs}) {
		t.Errorf("by patient: %+v", p)
	}
	if p := list("?identifier=P2"); !slices.Equal(ids(p), []string{theirs}) {
		t.Errorf("by identifier: %+v", p)
	}
	if p := list("?date=ge2026-03-03&date=lt2026-03-05"); !slices.Equal(ids(p), []string{mine[3], mine[2]}) {
		t.Errorf("by time: %+v", p)
	}
	var all []string
	for next := "/ecg?member=village&_count=2"; next != ""; {
		var p page
		if err := json.Unmarshal(c.get(next).want(200).body, &p); err != nil {
			t.Fatal(err)
		}
		all, next = append(all, ids(p)...), p.Next
	}
	slices.Reverse(mine)
	if !slices.Equal(all, mine) {
		t.Errorf("pages give %v, sent were %v", all, mine)
	}
	for _, bad := range []string{"?_count=0", "?_count=x", "?_cursor=x", "?_cursor=e30", "?name=Wang", "?date=yesterday"} {
		c.get("/ecg" + bad).want(400)
	}
}

func TestAMessageOfAnotherKindIsNotReadHere(t *testing.T) {
	c := start(t)
	c.get("/ecg/..%2f..%2fetc").want(404)
	c.get("/ecg/" + strings.Repeat("a", 65)).want(404)
}
