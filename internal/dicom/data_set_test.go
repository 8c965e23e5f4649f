package dicom

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestDataSetOfIsTheFileFromWhereTheScanSaysItBegins(t *testing.T) {
	corpus := os.Getenv("CONCORD_CORPUS")
	if corpus == "" {
		t.Skip("CONCORD_CORPUS is not set: real files are not tested")
	}
	files, _ := filepath.Glob(filepath.Join(corpus, "dicom", "*", "*.dcm"))
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ScanFile(bytes.NewReader(data), Limits{})
		if err != nil {
			continue
		}
		set, syntax, err := DataSetOf(bytes.NewReader(data))
		if err != nil || syntax != h.TransferSyntax {
			t.Errorf("%s: %q, %v", filepath.Base(path), syntax, err)
			continue
		}
		if got, err := io.ReadAll(set); err != nil || !bytes.Equal(got, data[h.DataSet:]) {
			t.Errorf("%s: another data set, %v", filepath.Base(path), err)
		}
	}
}
