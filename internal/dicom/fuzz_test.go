package dicom

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
)

// FuzzScanFile wants no panic and no memory beyond the limit from any bytes, and from what is accepted valid JSON,
// frames inside the stream, and the same reading when it is sent in small pieces.
func FuzzScanFile(f *testing.F) {
	for _, syntax := range []string{implicitLittle, explicitLittle, explicitBig, "1.2.840.10008.1.2.4.50", deflated} {
		f.Add(instance(syntax).image(2, 2, 8).put(tagPixel, "OB", []byte{1, 2, 3, 4}).Bytes())
	}
	f.Add(instance("1.2.840.10008.1.2.4.50").open(tagPixel, "OB").fragment([]byte{0, 0, 0, 0}).fragment([]byte{0xFF, 0xD8}).endSequence().Bytes())
	f.Add(instance(explicitLittle).sequenceOf(0x00081140, anyLength, func(b *builder) { b.text(0x00081150, "UI", "1.2").endItem() }).Bytes())
	f.Add(instance(explicitLittle).text(tagCharset, "CS", "GBK").text(0x00101000, "LO", "\xd5\xc5\\\x95\x5c").text(0x00201041, "DS", "+1.50\\x").Bytes())
	f.Add(instance(explicitLittle).text(tagCharset, "LO", "GB\x95\xb1").text(0x00101000, "LO", "\xd5\xc5").Bytes())
	limits := Limits{Header: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h, err := ScanFile(bytes.NewReader(data), limits)
		runtime.ReadMemStats(&after)
		if all := after.TotalAlloc - before.TotalAlloc; all > 16<<20+8*uint64(len(data)) {
			t.Errorf("%d bytes allocated for %d", all, len(data))
		}
		if err != nil {
			return
		}
		checkJSON(t, AppendJSON(nil, h, JSONOptions{}))
		checkJSON(t, AppendStudyJSON(nil, h))
		checkJSON(t, AppendSeriesJSON(nil, h))
		if h.Deflated {
			return
		}
		for i := range min(h.Frames.Len(), 100) {
			spans := h.Frames.Spans(i)
			for k := 0; k < len(spans); k += 2 {
				if spans[k] < 0 || spans[k+1] < 0 || spans[k]+spans[k+1] > h.Size {
					t.Errorf("frame %d is at %v of %d", i, spans, h.Size)
				}
			}
		}
	})
}

func checkJSON(t *testing.T, body []byte) {
	t.Helper()
	if !json.Valid(body) || bytes.IndexByte(body, '\n') >= 0 {
		t.Errorf("not valid JSON on one line: %s", body)
	}
}

// FuzzStoredJSON wants the walker over stored bodies to end on any bytes, and subsets of valid bodies to be valid.
func FuzzStoredJSON(f *testing.F) {
	f.Add([]byte(`{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"},null]},"00400275":{"vr":"SQ","Value":[{"00400009":{"vr":"SH","Value":["x\u0001\""]}}]}}`))
	f.Add([]byte(`{"0020000D":{"vr":"UI","Value":["1.2`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, project := range []func() error{
			func() error { _, err := ProjectStudy(body); return err },
			func() error { _, err := ProjectSeries(body); return err },
			func() error { _, err := ProjectInstance(body); return err },
		} {
			_ = project()
		}
		if out := Subset(nil, body, func(Tag) bool { return true }); json.Valid(body) && !json.Valid(out) {
			t.Errorf("subset of %s is %s", body, out)
		}
	})
}

// FuzzCompileQIDO wants any query compiled or refused.
func FuzzCompileQIDO(f *testing.F) {
	f.Add("PatientName", "Wang*^?")
	f.Add("00080020", "20240101-")
	f.Add("StudyTime", "1015-113000.5")
	f.Add("RequestAttributesSequence.RequestedProcedureID", "x")
	f.Fuzz(func(t *testing.T, key, value string) {
		for _, level := range []Level{Study, Series, Instance} {
			s, err := CompileQIDO(level, map[string][]string{key: {value}, "fuzzymatching": {"true"}})
			if err == nil && strings.Contains(key, "Patient") && len(s.Clauses[Instance]) > 0 {
				t.Errorf("a patient attribute became a clause of instances")
			}
		}
	})
}
