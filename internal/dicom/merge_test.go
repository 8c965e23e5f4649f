package dicom

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMergePutsAttributesInTheirPlacesAndTheFirstOfSeveralCounts(t *testing.T) {
	const url = `"00081190":{"vr":"UR","Value":["http://hub/studies/1"]}`
	const otherwise = `{"00080050":{"vr":"SH"},"00100010":{"vr":"PN"}}`
	m := Merger{Else: []byte(otherwise)} // one for all, as for the matches of an answer
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
		{"where it is written otherwise", ` { "0008002a" : {"vr":"DT"} ,"00100010":{"vr":"PN"}}`, `{"0008002A":{"vr":"DT"},"00080050":{"vr":"SH"},` + url + `,"00100010":{"vr":"PN"}}`},
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

func TestMergeIsTheUnionOfAllInTheOrderOfTags(t *testing.T) {
	var m Merger // one for all
	rapid.Check(t, func(t *rapid.T) {
		all := map[Tag]string{}
		odd := func(tag Tag) bool { return tag&1 == 1 }
		var bodies [][]byte
		for k := range rapid.IntRange(0, 4).Draw(t, "bodies") {
			tags := rapid.SliceOfNDistinct(rapid.Uint32Range(0, 12), 0, 9, rapid.ID).Draw(t, "tags")
			if rapid.Bool().Draw(t, "in order") {
				slices.Sort(tags)
			}
			body := []byte{'{'}
			for i, n := range tags {
				value := fmt.Sprintf(`{"vr":"LO","Value":["%d]{","\"%d"]}`, k, n)
				body = fmt.Appendf(body, `%s"%08X":%s`, []string{"", ","}[min(i, 1)], n, value)
				if _, has := all[Tag(n)]; !has && odd(Tag(n)) {
					all[Tag(n)] = value
				}
			}
			bodies = append(bodies, append(body, '}'))
		}
		var want []string
		for _, tag := range slices.Sorted(maps.Keys(all)) {
			want = append(want, fmt.Sprintf(`"%08X":%s`, uint32(tag), all[tag]))
		}
		if got, want := string(m.Append(nil, odd, bodies...)), "{"+strings.Join(want, ",")+"}"; got != want {
			t.Fatalf("%s, want %s; of %q", got, want, bodies)
		}
	})
}

// FuzzMerge merges a body with itself: of JSON nothing but the order and what came twice may change, and nothing else may harm.
func FuzzMerge(f *testing.F) {
	for _, seed := range []string{`{}`, `{"00080005":{"vr":"CS"}}`, `{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]},"00080020":{"vr":"DA","Value":["20220101"]}}`,
		`{"00081030":{"vr":"LO","Value":["a\\\"]}","b"]},"00081115":{"vr":"SQ","Value":[{"0020000D":{"vr":"UI"}}]}}`, `{"00080005":{"vr":"CS","Value":["\\"]}}`,
		`{"00080005":{"vr":"CS","Value":["ISO_IR 192"]}`, `{"00080005":{"vr":"CS","Value":["`, `{"0008000`, ` { "0008002a" : 1 } `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var m Merger
		got := m.Append(nil, nil, body, body)
		if !json.Valid(body) {
			return
		}
		want := map[Tag]string{}
		for a := range Attributes(body) {
			if _, has := want[a.Tag]; !has {
				want[a.Tag] = string(a.Raw)
			}
		}
		last := Tag(0)
		for a := range Attributes(got) {
			if want[a.Tag] != string(a.Raw) || a.Tag < last {
				t.Fatalf("%v is %s, want %s; of %q", a.Tag, a.Raw, want[a.Tag], body)
			}
			delete(want, a.Tag)
			last = a.Tag
		}
		if len(want) > 0 || !json.Valid(got) {
			t.Fatalf("%q, without %v; of %q", got, want, body)
		}
	})
}
