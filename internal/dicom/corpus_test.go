package dicom

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusDir is the folder of real DICOM files that CONCORD_CORPUS names.
func corpusDir(t testing.TB) string {
	root := os.Getenv("CONCORD_CORPUS")
	if root == "" {
		t.Skip("CONCORD_CORPUS names no corpus of real files: skipped")
	}
	return filepath.Join(root, "dicom")
}

// corpusFile reads one file of the corpus. Files that are DICOM inside gzip are gunzipped; zipMR.gz is offered as it is.
func corpusFile(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join(corpusDir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") && !strings.HasSuffix(name, "zipMR.gz") {
		data = gunzip(t, data)
	}
	return data
}

func gunzip(t testing.TB, data []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// corpusNames lists the DICOM files of the corpus, relative to corpusDir.
func corpusNames(t testing.TB) []string {
	root := corpusDir(t)
	var names []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if !strings.HasPrefix(name, "expected") && !strings.HasSuffix(name, ".txt") {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func scanCorpus(t testing.TB, name string, limits Limits) *Header {
	t.Helper()
	h, err := ScanFile(bytes.NewReader(corpusFile(t, name)), limits)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return h
}
