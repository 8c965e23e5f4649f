package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// clientOf is what an interop test needs from the environment; without it the test is skipped.
func clientOf(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Skipf("skipped: %s is not set; `scripts/services.sh interop` fetches the clients", variable)
	}
	return value
}

// TestInteropFHIRKitClient creates, reads, updates, searches page by page and deletes as fhir-kit-client does.
func TestInteropFHIRKitClient(t *testing.T) {
	clientOf(t, "CONCORD_TEST_NODE")
	h := startCorpusHub(t)
	if out, err := exec.Command("node", filepath.Join("testdata", "interop.mjs"), h.URL+"/fhir", h.village).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInteropDICOMwebClient stores, searches and retrieves as dicomweb-client does.
func TestInteropDICOMwebClient(t *testing.T) {
	python := clientOf(t, "CONCORD_TEST_PYTHON")
	corpus := filepath.Join(corpusDir(t), "dicom")
	h := startCorpusHub(t)
	args := []string{filepath.Join("testdata", "interop.py"), h.URL + "/dicom-web", h.village}
	for _, name := range []string{"transfer-syntax/emri_small.dcm", "transfer-syntax/MR_small_RLE.dcm", "derived/CT_cn_GB18030.dcm", "transfer-syntax/CT_small.dcm"} {
		args = append(args, filepath.Join(corpus, name))
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
