package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"concord/e2e/hubproc"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

// TestAnInstanceSentAgainByAnyoneIsStoredOnce sends one image by STOW and then over the network, where it has another preamble
// and group 2 each time. Converted, it is another instance.
func TestAnInstanceSentAgainByAnyoneIsStoredOnce(t *testing.T) {
	storescu, dcmsend, dcmconv := tool(t, "storescu"), tool(t, "dcmsend"), tool(t, "dcmconv")
	stores := hubproc.Embedded(t)
	stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
	s := &scanner{address: hubproc.FreeAddress(t)}
	h := hubproc.Start(t, stores, "--dimse", s.address)
	host, port, _ := net.SplitHostPort(s.address)
	f := ctSlices(t, 81, 1)[0]
	if a, err := h.Client(stores.Token(t, "village")).Store(f.Bytes()); err != nil || a.Status != 200 {
		t.Fatalf("%v %v", a, err)
	}
	a, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status, err := s.send(t.Context(), a, f); err != nil || status != upperlayer.Success {
		t.Errorf("by C-STORE: %v %v", status, err)
	}
	if err := a.Release(t.Context()); err != nil {
		t.Error(err)
	}
	run := func(program string, args ...string) string {
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(program), err, out)
		}
		return string(out)
	}
	file := saved(t, f)
	if out := run(storescu, "-v", "-aet", "CT1", "-aec", "CONCORD", host, port, file); !strings.Contains(out, "Received Store Response (Success)") {
		t.Errorf("by storescu: %s", out)
	}
	if out := run(dcmsend, "-v", "--no-uid-checks", "-aet", "CT1", "-aec", "CONCORD", host, port, file); !strings.Contains(out, "Received C-STORE Response (Success)") {
		t.Errorf("by dcmsend: %s", out)
	}
	converted := filepath.Join(t.TempDir(), "implicit.dcm")
	run(dcmconv, "+ti", file, converted)
	for range 2 { // B000, as dcmtk calls it
		if out := run(storescu, "-v", "-xi", "-aet", "CT1", "-aec", "CONCORD", host, port, converted); !strings.Contains(out, "Warning: CoercionOfDataElements") {
			t.Errorf("in another transfer syntax: %s", out)
		}
	}
	h.Stop()
	versions := map[string]uint64{}
	for n, r := range dicomRecords(t, stores) {
		versions[n.Type] += r.Version
	}
	if versions[dicom.Instance.Type()] != 1 || versions["dicom.duplicate"] != 1 {
		t.Errorf("%v, expected one instance and one duplicate", versions)
	}
}
