package fhir

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestAttachmentsComeBackAsSent(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("影像"), 40))
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff, 0xfe, 0}, 50))
	for name, c := range map[string]struct {
		body string
		out  int
	}{
		"a report":                     {`{"resourceType":"DiagnosticReport","presentedForm":[{"contentType":"application/pdf","data":"` + long + `"},{"data":"` + other + `"},{"data":"AAAA"}]}`, 2},
		"a Binary":                     {`{"resourceType":"Binary","contentType":"text/plain","data":"` + long + `"}`, 1},
		"in a contained resource":      {`{"resourceType":"Communication","contained":[{"resourceType":"Media","id":"m","content":{"data":"` + long + `"}}]}`, 1},
		"in an extension":              {`{"resourceType":"Patient","extension":[{"url":"http://x.example/photo","valueAttachment":{"data":"` + long + `"}}]}`, 1},
		"a string that looks like one": {`{"resourceType":"Patient","name":[{"text":"` + long + `"}]}`, 0},
		"broken into lines":            {`{"resourceType":"Binary","data":"` + long[:8] + `\n` + long[8:] + `"}`, 0},
		"with an escape":               {`{"resourceType":"Binary","data":"` + long[:8] + `\/+++` + long[8:] + `"}`, 0},
		"with bits left over":          {`{"resourceType":"Binary","data":"` + strings.TrimRight(long[:len(long)-4], "=") + `AB=="}`, 0},
		"none":                         {`{"resourceType":"Patient"}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := Parse([]byte(c.body), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			d, err := doc.Detach(100)
			if err != nil || len(d.Data) != c.out {
				t.Fatalf("%d taken out, %v; want %d", len(d.Data), err, c.out)
			}
			if c.out > 0 && len(d.Doc.Root().Raw()) > len(c.body)-c.out*100 {
				t.Errorf("what is left has %d bytes", len(d.Doc.Root().Raw()))
			}
			var back bytes.Buffer
			if err := d.Doc.Attach(&back, func(i int) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(d.Data[i])), nil
			}); err != nil || back.String() != c.body {
				t.Errorf("%v\n got %s\nwant %s", err, back.String(), c.body)
			}
		})
	}
}

func TestAnAttachmentThatCannotBeReadIsAnError(t *testing.T) {
	doc, err := Parse([]byte(`{"resourceType":"Binary","data":"@0"}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Attach(io.Discard, func(int) (io.ReadCloser, error) { return nil, fmt.Errorf("gone") }); err == nil {
		t.Error("no error")
	}
}
