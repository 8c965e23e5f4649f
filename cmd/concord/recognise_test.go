package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func recognise(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	cmd := recogniseCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.Execute()
	return out.String(), err
}

func TestCasesAreCheckedAtTheCommandLine(t *testing.T) {
	out, err := recognise(t, "--cases", "../../mappings/recognition/cases.yaml")
	if err != nil || !strings.Contains(out, ", 0 decided otherwise") {
		t.Fatalf("%s %v", out, err)
	}
	file := filepath.Join(t.TempDir(), "my.yaml")
	write(t, file, `
now: 2026-11-22T10:00:00+08:00
bases: {ct: {order: {text: [胸部CT平扫]}, result: {text: [胸部CT平扫], status: available}}}
cases:
  - {name: a result of nobody knows whom, like: ct, want: {outcome: recognisable}}
`)
	out, err = recognise(t, "--cases", file)
	if err == nil || !strings.Contains(out, "my.yaml:5: a result of nobody knows whom: the order is not-recognisable, not recognisable") || !strings.Contains(out, "1 cases by catalogue") {
		t.Errorf("%s %v", out, err)
	}
}

func TestAnOrderIsDecidedWithoutAHub(t *testing.T) {
	dir := t.TempDir()
	order, results, catalogue := filepath.Join(dir, "order.json"), filepath.Join(dir, "results.json"), filepath.Join(dir, "catalogue")
	write(t, order, `{"resourceType":"ServiceRequest","status":"draft","intent":"order","subject":{"reference":"Patient/1"},"code":{"text":"胸部CT平扫"}}`)
	write(t, results, `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"ImagingStudy","id":"a","status":"available",
		"subject":{"reference":"Patient/1"},"started":"2026-11-20T09:00:00+08:00","modality":[{"code":"CT"}],"series":[{"uid":"1","modality":{"code":"CT"},
		"bodySite":{"code":"51185008"},"description":"5/5mm Plain"}]}}]}`)
	args := []string{order, "--results", results, "--tier", "lead", "--producer-tier", "community", "--class", "AMB", "--at", "2026-11-22T10:00:00+08:00"}
	out, err := recognise(t, append(args, "--consortium", "yes", "--explain")...)
	for _, want := range []string{"recognisable: 胸部CT平扫", "holds until 2026-12-20T09:00:00+08:00", "rule 7 互认时限 / window: pass", "rule 11"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s %v", want, out, err)
		}
	}
	if out, err := recognise(t, append(args, "--consortium", "no")...); err != nil || !strings.HasPrefix(out, "not-recognisable") || !strings.Contains(out, "tier-lower") {
		t.Errorf("%s %v", out, err)
	}
	if _, err := recognise(t, append(args, "--consortium", "perhaps")...); err == nil {
		t.Error("a fact that is none is taken")
	}
	if err := os.Mkdir(catalogue, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(catalogue, "prices.yaml"), "prices:\n  - {item: nothing, amount: \"1\", currency: CNY, source: D}\n")
	if _, err := recognise(t, append(args, "--catalogue", catalogue)...); err == nil || !strings.Contains(err.Error(), "prices.yaml:2") {
		t.Errorf("a fault in a catalogue is told as %v", err)
	}
}

func TestTheImagesOfTheCorpusFindTheirItem(t *testing.T) {
	corpus := os.Getenv("CONCORD_CORPUS")
	if corpus == "" {
		t.Skip("CONCORD_CORPUS names no folder")
	}
	out, err := recognise(t, "--images", filepath.Join(corpus, "dicom", "sop"), filepath.Join(corpus, "dicom", "charset"), filepath.Join(corpus, "dicom", "derived"))
	for _, want := range []string{"dr-chest", "ct-chest-plain", "us-heart", "mr-abdomen"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s is not among what was found: %v\n%s", want, err, out)
		}
	}
	t.Log("\n" + out)
}
