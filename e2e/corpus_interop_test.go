package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
)

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
