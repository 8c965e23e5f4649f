package hub_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"concord/hub"
)

func FuzzTextIsWrittenAsJSON(f *testing.F) {
	for _, s := range []string{"", "plain", `"quoted" \ back`, "MSH|^~\\&|LIS\rPID|1||张^伟\r", "\x00\b\f\n\t\x1f\x7f", "a\u2028b\u2029c", "\xff\xe5\xbc", "<&>", "😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		if got := hub.AppendText([]byte("x"), s); string(got) != "x"+string(bytes.TrimSuffix(want.Bytes(), []byte{'\n'})) {
			t.Errorf("%q is written %s, want %s", s, got[1:], want.Bytes())
		}
		if got, bytes := hub.AppendText(nil, s), hub.AppendText(nil, []byte(s)); string(got) != string(bytes) {
			t.Errorf("%q is written %s, as bytes %s", s, got, bytes)
		}
	})
}
