package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTablesAreWhatTheDefinitionsSay(t *testing.T) {
	const from = "../../../.cache/fhir/package"
	if _, err := os.Stat(from); err != nil {
		t.Skip("skipped: the definitions are not here; scripts/fhir-definitions.sh fetches them")
	}
	dir := t.TempDir()
	if err := generate(from, dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_gen.go"))
	if err != nil || len(files) != 7 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", filepath.Base(file)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what go generate makes (%v)", filepath.Base(file), err)
		}
	}
}
