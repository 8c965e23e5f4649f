package pixels

import (
	"os"
	"path/filepath"
	"testing"
)

// corpus finds the real files.
func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("CONCORD_CORPUS")
	if dir == "" {
		t.Skip("CONCORD_CORPUS is not set: nothing is tested on real files")
	}
	return filepath.Join(dir, "dicom")
}
