package imaging

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/internal/dicom"
)

// A row with what is computed put into it is what merging makes of both.
func TestARowIsToldAsMerged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SliceOfNDistinct(rapid.SampledFrom([]dicom.Tag{0x00080005, 0x00080055, 0x00080057, 0x00081030, 0x00100010, 0x0020000D, 0x00201204, 0x00201207, 0x00209158, 0x7FE00010}), 0, 6, rapid.ID).Draw(t, "tags")
		slices.Sort(tags)
		object := func(tags []dicom.Tag) []byte {
			members := make([]string, len(tags))
			for i, tag := range tags {
				members[i] = fmt.Sprintf(`"%s":{"vr":"LO","Value":["%d]}\"{"]}`, tag.Hex(), i)
			}
			return []byte("{" + strings.Join(members, ",") + "}")
		}
		body := object(tags)
		row, ok := appendRow(nil, body)
		if !ok {
			t.Fatalf("no row of %s", body)
		}
		var told []dicom.Tag
		for _, tag := range computedTags {
			if rapid.Bool().Draw(t, "computed") {
				told = append(told, tag)
			}
		}
		got := appendWhole([]byte("["), row, func(dst []byte, tag dicom.Tag) []byte {
			if slices.Contains(told, tag) {
				dst = append(dst, bytes.Trim(object([]dicom.Tag{tag}), "{}")...)
				dst = append(dst, '}')
			}
			return dst
		})
		var computed [][]byte
		for _, tag := range told {
			computed = append(computed, object([]dicom.Tag{tag}))
		}
		if want := dicom.Merge([]byte("["), nil, append(computed, body)...); string(got) != string(want) {
			t.Fatalf("%s, want %s", got, want)
		}
	})
	if row, ok := appendRow(nil, make([]byte, 1<<16)); ok || len(row) > 0 {
		t.Error("a body that is too long has a row")
	}
}
