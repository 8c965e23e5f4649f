package hl7map

import (
	"os"
	"path/filepath"
	"testing"
)

// defaults are the project's own mappings.
func defaults(t testing.TB) []File {
	t.Helper()
	names, err := filepath.Glob("../../mappings/hl7v2/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no mappings", err)
	}
	var files []File
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: filepath.Base(name), Data: data})
	}
	return files
}

func load(t testing.TB, files []File) *Rules {
	t.Helper()
	r, err := Load(files)
	if err != nil {
		if list, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range list.Unwrap() {
				t.Log(one)
			}
		}
		t.Fatal(err)
	}
	return r
}

func TestDefaultsLoad(t *testing.T) { load(t, defaults(t)) }
