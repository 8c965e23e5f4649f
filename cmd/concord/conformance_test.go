package main

import (
	"bytes"
	"testing"

	"concord/docs"
)

func TestTheConformanceStatementsAreAsPrinted(t *testing.T) {
	for name, write := range statements() {
		var printed bytes.Buffer
		if err := write(&printed); err != nil {
			t.Fatal(err)
		}
		page := name + "-conformance.md"
		kept, err := docs.Files.ReadFile(page)
		if err != nil || !bytes.Equal(kept, printed.Bytes()) {
			t.Errorf("docs/%s is another one (%v): go run ./cmd/concord conformance %s >docs/%s", page, err, name, page)
		}
	}
}
