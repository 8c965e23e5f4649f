package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/internal/dicom"
)

// TestInteropDICOMClients lets pynetdicom and dcmjs-dimse do what workstations and modalities do: see the programs in
// testdata/dicomclients.
func TestInteropDICOMClients(t *testing.T) {
	clientOf(t, "CONCORD_TEST_NODE")
	python := clientOf(t, "CONCORD_TEST_PYTHON")
	n := startDICOM(t)
	client := n.Client(n.village)
	folder, instances := t.TempDir(), corpusInstances(t)
	var stored []string
	studies := map[string]int{}
	var ct *dicom.Header
	for i, path := range slices.Sorted(maps.Values(instances)) {
		data := readFile(t, path)
		a, err := client.Store(data)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != 200 && a.Status != 202 || bytes.Contains(a.Body, []byte(`"00081198"`)) || bytes.Contains(a.Body, []byte(`"0008119A"`)) {
			continue // what the hub refuses other tests look at
		}
		h, err := dicom.ScanFile(bytes.NewReader(data), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(folder, fmt.Sprintf("%03d.dcm", i))
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			t.Fatal(err)
		}
		stored = append(stored, copied)
		studies[h.StudyInstanceUID]++
		if h.SOPClassUID == ctStorage && h.TransferSyntax == "1.2.840.10008.1.2.4.91" {
			ct = h // dcmjs-dimse takes uncompressed images only: this one is decoded for it
		}
	}
	if len(stored) < 40 || ct == nil {
		t.Fatalf("only %d files were stored", len(stored))
	}
	peer := []string{n.host, n.port, "CONCORD", "PYNET", n.ours}
	run := func(interpreter string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, interpreter, append([]string{filepath.Join("testdata", "dicomclients", args[0])}, args[1:]...)...)
		var complaints bytes.Buffer // not what it prints: pynetdicom's threads may complain of a message that comes while it releases
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%v\n%s%s", err, out, complaints.Bytes())
		}
		return strings.TrimSpace(string(out))
	}
	t.Run("pynetdicom finds, gets and moves", func(t *testing.T) {
		run(python, append(append([]string{"qr.py"}, peer...), folder)...)
	})
	t.Run("pynetdicom has instances committed", func(t *testing.T) {
		for _, how := range []string{"same", "new"} {
			if got := run(python, append(append([]string{"modality.py"}, peer...), "commit", how, stored[0], stored[1])...); got != "2 [('1.2.3.999', 274)] 1" {
				t.Errorf("over the %s association it reads %q", how, got)
			}
		}
	})
	t.Run("dcmjs-dimse finds and gets", func(t *testing.T) {
		run("node", "dimse.cjs", n.host, n.port, "CONCORD", "STATION", ct.StudyInstanceUID, ct.TransferSyntax, ct.SOPClassUID, fmt.Sprint(studies[ct.StudyInstanceUID]))
	})
	t.Run("pynetdicom reads its worklist", func(t *testing.T) {
		putOrders(t, n)
		for name, c := range map[string]struct {
			keys []string
			want []string
		}{
			"all of it":               {nil, []string{"Wang^Xiaodong=王^小东|MRN1|ACC1|胸部CT平扫|CT|PYNET|20261123|083000", "Wang^Xiaodong=王^小东|MRN1||MRI brain|MR|MR1|20261201|100000"}},
			"by modality":             {[]string{"Modality=CT"}, []string{"Wang^Xiaodong=王^小东|MRN1|ACC1|胸部CT平扫|CT|PYNET|20261123|083000"}},
			"by day":                  {[]string{"ScheduledProcedureStepStartDate=20261123"}, []string{"Wang^Xiaodong=王^小东|MRN1|ACC1|胸部CT平扫|CT|PYNET|20261123|083000"}},
			"by the day of a task":    {[]string{"ScheduledProcedureStepStartDate=20261130-20261202"}, []string{"Wang^Xiaodong=王^小东|MRN1||MRI brain|MR|MR1|20261201|100000"}},
			"by accession number":     {[]string{"AccessionNumber=ACC1"}, []string{"Wang^Xiaodong=王^小东|MRN1|ACC1|胸部CT平扫|CT|PYNET|20261123|083000"}},
			"by patient and modality": {[]string{"PatientID=MRN1", "Modality=MR"}, []string{"Wang^Xiaodong=王^小东|MRN1||MRI brain|MR|MR1|20261201|100000"}},
			"by Chinese name":         {[]string{"PatientName=王*", "Modality=MR"}, []string{"Wang^Xiaodong=王^小东|MRN1||MRI brain|MR|MR1|20261201|100000"}},
			"of another station":      {[]string{"ScheduledStationAETitle=MR1", "Modality=MR"}, []string{"Wang^Xiaodong=王^小东|MRN1||MRI brain|MR|MR1|20261201|100000"}},
			"of nobody":               {[]string{"PatientID=nobody"}, nil},
		} {
			args := append(append([]string{"modality.py"}, peer...), "worklist")
			got := strings.FieldsFunc(run(python, append(args, c.keys...)...), func(r rune) bool { return r == '\n' })
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s is\n%s", name, strings.Join(got, "\n"))
			}
		}
	})
}

// putOrders writes a patient with two orders, one of which is scheduled by a task.
func putOrders(t *testing.T, n *dicomNode) {
	t.Helper()
	client := n.Client(n.village)
	for path, body := range map[string]string{
		"/fhir/Patient/p1": `{"resourceType":"Patient","id":"p1","identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203",
			"code":"MR"}]},"system":"urn:hospital","value":"MRN1"}],"name":[{"family":"王","given":["小东"]}],"gender":"male","birthDate":"1970-01-02"}`,
		"/fhir/ServiceRequest/o1": `{"resourceType":"ServiceRequest","id":"o1","status":"active","intent":"order","identifier":[{"type":{"coding":[
			{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"ACSN"}]},"value":"ACC1"}],"subject":{"reference":"Patient/p1"},
			"code":{"text":"胸部CT平扫"},"occurrenceDateTime":"2026-11-23T08:30:00+08:00","requester":{"display":"李医生"}}`,
		"/fhir/ServiceRequest/o2": `{"resourceType":"ServiceRequest","id":"o2","status":"active","intent":"order","subject":{"reference":"Patient/p1"},
			"code":{"text":"MRI brain"},"authoredOn":"2026-11-20"}`,
		"/fhir/ServiceRequest/o3": `{"resourceType":"ServiceRequest","id":"o3","status":"completed","intent":"order","subject":{"reference":"Patient/p1"},"code":{"text":"CT"}}`,
		"/fhir/Task/t1": `{"resourceType":"Task","id":"t1","status":"requested","intent":"order","basedOn":[{"reference":"ServiceRequest/o2"}],
			"executionPeriod":{"start":"2026-12-01T10:00:00+08:00"},"owner":{"identifier":{"system":"urn:dicom:aet","value":"MR1"}}}`,
		"/fhir/Task/t2": `{"resourceType":"Task","id":"t2","status":"completed","intent":"order","basedOn":[{"reference":"ServiceRequest/o2"}],
			"executionPeriod":{"start":"2026-12-01T11:00:00+08:00"}}`,
	} {
		if a, err := client.JSON("PUT", path, []byte(body)); err != nil || a.Status != 201 {
			t.Fatalf("%s: %v %v", path, a, err)
		}
	}
}
