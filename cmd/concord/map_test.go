package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"concord/hub/messages"
)

const potassium = "MSH|^~\\&|LIS|LAB|HUB|HUB|20260301080000||ORU^R01^ORU_R01|c1|P|2.5.1\r" +
	"PID|1||P1^^^HOSP^MR||Wang^Wei||19700102|M\r" +
	"OBR|1|O1^LIS|F1^LIS|K^Potassium^L|||20260301073000|||||||||||||||20260301075500|||F\r" +
	"OBX|1|NM|K^Potassium^L||4.1|mmol/L|3.5-5.3|N|||F\r"

// concordCommand runs the command line and returns what it prints.
func concordCommand(t *testing.T, args ...string) (out, notes string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	err = cmd.ExecuteContext(t.Context())
	return o.String(), e.String(), err
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAMessageIsPrintedAsABundle(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "k.hl7"), potassium)
	out, notes, err := concordCommand(t, "map", file, "--member", "village")
	if err != nil {
		t.Fatalf("%v\n%s", err, notes)
	}
	for _, want := range []string{`"resourceType": "Bundle"`, `"resourceType": "Observation"`, `"value": 4.1`, `"resourceType": "Patient"`} {
		if !strings.Contains(out, want) {
			t.Errorf("the bundle has no %s:\n%s", want, out)
		}
	}
	if !strings.Contains(notes, "mapped by") {
		t.Errorf("beside it is told: %s", notes)
	}
}

func TestAMessageThatCannotBeMappedEndsWithAnError(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "x.hl7"), strings.Replace(potassium, "ORU^R01^ORU_R01", "ZZZ^Z99", 1))
	_, notes, err := concordCommand(t, "map", file, "--member", "village")
	if err == nil || !strings.Contains(notes, "MSH-9") {
		t.Errorf("ended with %v, told %s", err, notes)
	}
	for _, args := range [][]string{{"map", file}, {"map"}, {"map", file, "--golden", "x"}, {"map", file, "--member", "m", "--diff"}} {
		if _, _, err := concordCommand(t, args...); err == nil {
			t.Errorf("%v was carried out", args)
		}
	}
}

func TestAMessageOfAnotherVersionIsNotMappedAgain(t *testing.T) {
	h, err := newHL7Mapper(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for version, readable := range map[string]bool{"2.5.1": true, "3.0": false} {
		_, err := h.Map(t.Context(), "village", &messages.Incoming{Raw: []byte(strings.Replace(potassium, "|2.5.1\r", "|"+version+"\r", 1))})
		if (err == nil) != readable {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

func TestGoldenSamplesTellWhatAChangedMappingDoes(t *testing.T) {
	dir, mappings := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "village", "k.hl7"), potassium)
	if out, _, err := concordCommand(t, "map", "--golden", dir); err == nil || !strings.Contains(out, "+ Observation/") {
		t.Errorf("a sample without a result passed: %v\n%s", err, out)
	}
	if out, _, err := concordCommand(t, "map", "--golden", dir, "--update"); err != nil || !strings.Contains(out, "1 written") {
		t.Fatalf("the result is not written: %v\n%s", err, out)
	}
	if out, _, err := concordCommand(t, "map", "--golden", dir); err != nil {
		t.Errorf("the same rules make something else: %v\n%s", err, out)
	}
	write(t, filepath.Join(mappings, "members", "village.yaml"), "resources:\n  patient:\n    body:\n      gender: =other\n")
	out, _, err := concordCommand(t, "map", "--golden", dir, "--mappings", mappings)
	if err == nil || !strings.Contains(out, `Patient.gender: "male" → "other"`) {
		t.Errorf("a changed mapping passed: %v\n%s", err, out)
	}
}

func TestAFolderOfConceptMapsCompletesWhatIsMapped(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "k.hl7"), strings.ReplaceAll(potassium, "K^Potassium", "0021^Thing"))
	const conceptMap = `{"resourceType":"ConceptMap","id":"k","status":"active","group":[{"target":"http://loinc.org","element":[{"code":"0021","target":[{"code":"2823-3","equivalence":"equivalent"}]}]}]}`
	write(t, filepath.Join(dir, "maps", "village", "codes.json"), `{"resourceType":"Bundle","type":"collection","entry":[{"resource":`+conceptMap+`}]}`)
	for member, want := range map[string]bool{"village": true, "town": false} {
		out, notes, err := concordCommand(t, "map", file, "--member", member, "--concept-maps", filepath.Join(dir, "maps"))
		if err != nil {
			t.Fatalf("%v\n%s", err, notes)
		}
		if strings.Contains(out, `"code": "2823-3"`) != want || !strings.Contains(out, `"code": "mmol/L"`) {
			t.Errorf("%s: its own map counts: %v, expected %v\n%s", member, !want, want, out)
		}
		if strings.Contains(notes, `no standard code for "0021"`) == want {
			t.Errorf("%s: beside it is told %s", member, notes)
		}
	}
	if _, _, err := concordCommand(t, "map", file, "--concept-maps", dir, "--url", "http://127.0.0.1:1"); err == nil {
		t.Error("a hub was asked to map by a folder")
	}
}
