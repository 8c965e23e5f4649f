package dicom

import "testing"

func TestInsertPutsAnAttributeInItsPlace(t *testing.T) {
	const url = `{"vr":"UR","Value":["http://hub/studies/1"]}`
	for _, c := range []struct{ what, body string }{
		{"among others", `{"00080020":{"vr":"DA","Value":["20220101"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]}}`},
		{"before all", `{"00100010":{"vr":"PN"}}`},
		{"behind all", `{"00080005":{"vr":"CS","Value":["ISO_IR 192"]}}`},
		{"into nothing", `{}`},
		{"instead of the one there is", `{"00080020":{"vr":"DA"},"00081190":{"vr":"UR","Value":["other"]},"00100010":{"vr":"PN"}}`},
		{"not inside a sequence", `{"00081115":{"vr":"SQ","Value":[{"00081190":{"vr":"UR"},"0020000E":{"vr":"UI"}}]},"0020000D":{"vr":"UI"}}`},
	} {
		want := string(Merge(nil, nil, []byte(`{"00081190":`+url+`}`), []byte(c.body)))
		if got := string(Insert(nil, []byte(c.body), TagRetrieveURL, []byte(url))); got != want {
			t.Errorf("%s: %s, want %s", c.what, got, want)
		}
	}
}
