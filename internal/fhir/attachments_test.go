package fhir

import (
	"bytes"
	"encoding/base64"
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
			d, err := doc.Detach(100, nil)
			if err != nil || len(d.Data) != c.out {
				t.Fatalf("%d taken out, %v; want %d", len(d.Data), err, c.out)
			}
			if c.out > 0 && !doc.Root().HasLargeBase64(100) {
				t.Error("it has no large base64")
			}
			if c.out > 0 && len(d.Doc.Root().Raw()) > len(c.body)-c.out*100 {
				t.Errorf("what is left has %d bytes", len(d.Doc.Root().Raw()))
			}
			if back := filled(d.Doc, d.Data); back != c.body {
				t.Errorf("\n got %s\nwant %s", back, c.body)
			}
		})
	}
}

// filled is a resource with its attachments in their places.
func filled(d *Doc, data []Attachment) string {
	var b strings.Builder
	for text, i := range d.Pieces() {
		b.Write(text)
		if i >= 0 {
			b.WriteString(base64.StdEncoding.EncodeToString(data[i].Bytes))
		}
	}
	return b.String()
}

func TestKnownAttachmentsAreTakenOutAsSuch(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 200))
	doc, err := Parse([]byte(`{"resourceType":"DiagnosticReport","conclusion":"AAAA","presentedForm":[{"data":"AAAA"},{"data":"`+long+`"},{"data":"BBBB"},{"data":"AAAA"}]}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := doc.Detach(100, map[string]int{"AAAA": 7})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"resourceType":"DiagnosticReport","conclusion":"AAAA","presentedForm":[{"data":"@0"},{"data":"@1"},{"data":"BBBB"},{"data":"@2"}]}`
	if got := string(d.Doc.Root().Raw()); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if len(d.Data) != 3 || d.Data[0].Bytes != nil || d.Data[0].Known != 7 || len(d.Data[1].Bytes) != 200 || d.Data[2].Known != 7 {
		t.Errorf("%+v", d.Data)
	}
}
