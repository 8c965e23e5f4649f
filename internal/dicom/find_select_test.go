package dicom

import (
	"slices"
	"testing"
)

func TestMergePutsAttributesInTheirPlacesAndTheFirstOfSeveralCounts(t *testing.T) {
	const url = `"00081190":{"vr":"UR","Value":["http://hub/studies/1"]}`
	const otherwise = `{"00080050":{"vr":"SH"},"00100010":{"vr":"PN"}}`
	m := Merger{Else: slices.Collect(Attributes([]byte(otherwise)))} // one for all, as for the matches of an answer
	for _, c := range []struct{ what, body, want string }{
		{"among others", `{"00080020":{"vr":"DA","Value":["20220101"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]}}`,
			`{"00080020":{"vr":"DA","Value":["20220101"]},"00080050":{"vr":"SH"},` + url + `,"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]}}`},
		{"before all", `{"00100010":{"vr":"PN","Value":[]}}`, `{"00080050":{"vr":"SH"},` + url + `,"00100010":{"vr":"PN","Value":[]}}`},
		{"behind all", `{"00080005":{"vr":"CS"}}`, `{"00080005":{"vr":"CS"},"00080050":{"vr":"SH"},` + url + `,"00100010":{"vr":"PN"}}`},
		{"into nothing", `{}`, `{"00080050":{"vr":"SH"},` + url + `,"00100010":{"vr":"PN"}}`},
		{"instead of the one there is", `{"00081190":{"vr":"UR","Value":["other"]}}`, `{"00080050":{"vr":"SH"},` + url + `,"00100010":{"vr":"PN"}}`},
		{"not inside a sequence", `{"00081115":{"vr":"SQ","Value":[{"00081190":{"vr":"UR"}}]}}`,
			`{"00080050":{"vr":"SH"},"00081115":{"vr":"SQ","Value":[{"00081190":{"vr":"UR"}}]},` + url + `,"00100010":{"vr":"PN"}}`},
		{"where tags are in disorder", `{"0020000D":{"vr":"UI"},"00080020":{"vr":"DA"},"0020000D":{"vr":"UI","Value":["2"]}}`,
			`{"00080020":{"vr":"DA"},"00080050":{"vr":"SH"},` + url + `,"00100010":{"vr":"PN"},"0020000D":{"vr":"UI"}}`},
	} {
		if got := string(m.Append(nil, nil, []byte(`{`+url+`}`), []byte(c.body))); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	odd := func(tag Tag) bool { return tag&1 == 1 }
	if got := string(Merge(nil, odd, []byte(`{"00080005":{"vr":"CS"},"00080020":{"vr":"DA"}}`), nil)); got != `{"00080005":{"vr":"CS"}}` {
		t.Errorf("with only the odd tags: %s", got)
	}
}
