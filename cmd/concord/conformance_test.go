package main

import (
	"bytes"
	"os"
	"testing"
)

func TestTheConformanceStatementsAreAsPrinted(t *testing.T) {
	for name, write := range statements() {
		var printed bytes.Buffer
		if err := write(&printed); err != nil {
			t.Fatal(err)
		}
		page := "docs/" + name + "-conformance.md"
		kept, err := os.ReadFile("../../" + page)
		if err != nil || !bytes.Equal(kept, printed.Bytes()) {
			t.Errorf("%s is another one (%v): go run ./cmd/concord conformance %s >%s", page, err, name, page)
		}
	}
}
