package hl7

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"concord/hub"
)

// corpusFiles are the HL7 v2 files of the corpus by their path in it, decompressed.
func corpusFiles(t *testing.T) map[string][]byte {
	root := os.Getenv("CONCORD_CORPUS")
	if root == "" {
		t.Skip("CONCORD_CORPUS is not set: no corpus to read")
	}
	root = filepath.Join(root, "hl7v2")
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.Contains(path, "expected-") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				return err
			}
			if b, err = io.ReadAll(z); err != nil {
				return err
			}
		}
		name, err := filepath.Rel(root, path)
		files[filepath.ToSlash(name)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryMessageOfTheCorpusIsReadOrRefusedForAReason(t *testing.T) {
	read, refused, warned := 0, map[string]int{}, map[string]int{}
	for name, raw := range corpusFiles(t) {
		batch, err := Split(raw, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, one := range batch.Messages {
			m, err := Parse(one, Limits{})
			if err != nil {
				if hub.KindOf(err) == hub.Internal {
					t.Errorf("%s: %v", name, err)
				}
				refused[name+": "+err.Error()]++
				continue
			}
			read++
			for _, w := range m.Warnings {
				warned[name+": "+w.Error()]++
			}
		}
	}
	for r, n := range refused {
		t.Logf("refused %d× %s", n, r)
	}
	for r, n := range warned {
		t.Logf("warned %d× %s", n, r)
	}
	t.Logf("%d messages read", read)
	if read < 1000 {
		t.Errorf("only %d messages of the corpus were read", read)
	}
}
