package e2e

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/sample"
)

func TestAHubPreparesWhatHasSettledAndNotAgainAfterARestart(t *testing.T) {
	stores := hubproc.Embedded(t)
	token := stores.Member(t, "village")
	h := hubproc.Start(t, stores, "--public-url", "https://hub.example")
	send := func(seed uint64) {
		t.Helper()
		var files [][]byte
		for f, err := range sample.CTSeries(seed, sample.Options{Slices: 10, Rows: 64, Columns: 64, Time: time.Date(2025, 5, 6, 9, 30, 0, 0, time.UTC)}) {
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f.Bytes())
		}
		if a, err := h.Client(token).Store(files...); err != nil || a.Status != 200 {
			t.Fatal(a, err)
		}
	}
	shelved := func() (files []string) {
		filepath.WalkDir(filepath.Join(stores.Data, "objects", "derived", "dicom"), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".jpg") || strings.HasSuffix(path, ".json.gz")) {
				info, err := d.Info()
				if err == nil {
					files = append(files, path+" "+info.ModTime().String())
				}
			}
			return nil
		})
		return files
	}
	until := func(what string, n int) []string {
		t.Helper()
		for end := time.Now().Add(time.Minute); len(shelved()) < n; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d of %d are there: %v", what, len(shelved()), n, shelved())
			}
		}
		return shelved()
	}
	send(1)
	first := until("metadata and a thumbnail of the first study", 2)
	h.Stop()
	h.Restart()
	send(2)
	all := until("those of the second study", 4)
	for _, file := range first {
		if !slices.Contains(all, file) {
			t.Errorf("%s was made again", file)
		}
	}
}
