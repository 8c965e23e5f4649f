package e2e

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// example is one file of the official examples.
type example struct {
	name, typ, id string
	data          []byte
	value         map[string]any
}

func examples(t *testing.T) []example {
	z, err := zip.OpenReader(filepath.Join(corpusDir(t), "fhir", "r4-examples-clinical.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var all []example
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		e := example{name: f.Name, data: data, value: exact(t, data)}
		e.typ, _ = e.value["resourceType"].(string)
		e.id, _ = e.value["id"].(string)
		all = append(all, e)
	}
	return all
}

// wrongExamples are those that are not what R4's definitions demand, and where: references to a type that the element does not
// admit, an OID of letters, items without linkId.
var wrongExamples = map[string]string{
	"DeviceMetric-example.json":                  "DeviceMetric.parent.reference",
	"DeviceUseStatement-example.json":            "DeviceUseStatement.reasonReference[0].reference",
	"Library-zika-virus-intervention-logic.json": "Library.dataRequirement[0].codeFilter[0].valueSet",
	"MedicationRequest-medrx0301.json":           "MedicationRequest.dispenseRequest.performer.reference",
	"Observation-clinical-gender.json":           "Observation.performer[0].reference",
	"Questionnaire-qs1.json":                     "Questionnaire.item[0].item[0].linkId",
}

// TestOfficialExamplesComeBackAsTheyWereSent puts every one under its own id: none is refused but those that are wrong.
func TestOfficialExamplesComeBackAsTheyWereSent(t *testing.T) {
	t.Parallel()
	all := examples(t)
	h := startCorpusHub(t)
	for _, e := range all {
		put := h.send("PUT", "/fhir/"+e.typ+"/"+e.id, e.data)
		if wrong := wrongExamples[e.name]; wrong != "" {
			if put.status != 400 || !strings.Contains(put.diagnostics(), wrong) {
				t.Errorf("%s: %d %s, which does not name %s", e.name, put.status, put.diagnostics(), wrong)
			}
			continue
		}
		if put.status != 201 {
			t.Errorf("%s: %d %s", e.name, put.status, put.diagnostics())
		}
	}
	for _, e := range all { // a Binary can be read once its security context is there
		if wrongExamples[e.name] == "" {
			comesBack(t, h, e)
		}
	}
	if len(all) < 700 {
		t.Errorf("only %d examples", len(all))
	}
	for _, e := range all {
		if wrongExamples[e.name] == "" {
			lives(t, h, e)
		}
	}
}

// comesBack compares what is read with what was sent.
func comesBack(t *testing.T, h *corpusHub, e example) {
	t.Helper()
	read := h.get("/fhir/" + e.typ + "/" + e.id + "?_format=json")
	if read.status != 200 || read.header.Get("ETag") != `W/"1"` {
		t.Errorf("%s: read %d %s", e.name, read.status, read.header.Get("ETag"))
		return
	}
	if fault := sameResource(e.value, exact(t, read.body)); fault != "" {
		t.Errorf("%s: %s", e.name, fault)
	}
}

// sameResource compares resources as JSON values; of meta, all that was sent must be there.
func sameResource(sent, got map[string]any) string {
	meta, _ := got["meta"].(map[string]any)
	for _, set := range []string{"versionId", "lastUpdated"} {
		if _, ok := meta[set].(string); !ok {
			return "meta." + set + " is not set"
		}
	}
	if was, ok := sent["meta"].(map[string]any); ok {
		for name, value := range was {
			if name != "versionId" && name != "lastUpdated" && !reflect.DeepEqual(value, meta[name]) {
				return fmt.Sprintf("meta.%s was %v, is %v", name, value, meta[name])
			}
		}
	}
	for name, value := range sent {
		if name != "meta" && name != "id" && !reflect.DeepEqual(value, got[name]) {
			return fmt.Sprintf("%s was %v, is %v", name, value, got[name])
		}
	}
	for name := range got {
		if _, ok := sent[name]; !ok && name != "meta" && name != "id" {
			return name + " was not sent"
		}
	}
	return ""
}

// lives takes an example through update, history, delete and back.
func lives(t *testing.T, h *corpusHub, e example) {
	t.Helper()
	at := "/fhir/" + e.typ + "/" + e.id
	again := h.send("PUT", at, e.data)
	if again.status != 200 || again.header.Get("ETag") != `W/"2"` {
		t.Errorf("%s: update %d %s", e.name, again.status, again.header.Get("ETag"))
		return
	}
	gone := h.do(request{method: "DELETE", path: at})
	if gone.status != 204 {
		t.Errorf("%s: delete %d", e.name, gone.status)
	}
	if read := h.get(at); read.status != 410 || read.diagnostics() == "" {
		t.Errorf("%s: read after delete %d", e.name, read.status)
	}
	old := h.get(at + "/_history/1?_format=json")
	if old.status != 200 {
		t.Errorf("%s: version 1 after delete: %d", e.name, old.status)
	} else if fault := sameResource(e.value, exact(t, old.body)); fault != "" {
		t.Errorf("%s version 1: %s", e.name, fault)
	}
	if deleted := h.get(at + "/_history/3"); deleted.status != 410 {
		t.Errorf("%s: version 3, the deletion, reads %d", e.name, deleted.status)
	}
	var history struct {
		Type  string
		Total int
		Entry []struct{ Request struct{ Method string } }
	}
	if err := json.Unmarshal(h.get(at+"/_history").body, &history); err != nil {
		t.Errorf("%s: history: %v", e.name, err)
		return
	}
	var methods []string
	for _, entry := range history.Entry {
		methods = append(methods, entry.Request.Method)
	}
	if history.Type != "history" || history.Total != 3 || strings.Join(methods, " ") != "DELETE PUT PUT" {
		t.Errorf("%s: history is %s of %d: %v", e.name, history.Type, history.Total, methods)
	}
}
