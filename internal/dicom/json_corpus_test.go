package dicom

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"concord/internal/dicom/dict"
)

type jsonAttribute struct {
	VR     string `json:"vr"`
	Value  []any  `json:"Value"`
	Inline string `json:"InlineBinary"`
	Bulk   string `json:"BulkDataURI"`
}

// TestJSONAgreesWithDcm2json compares with what dcmtk makes of the same files, except where difference says why not.
func TestJSONAgreesWithDcm2json(t *testing.T) {
	root := filepath.Join(corpusDir(t), "expected-dcm2json")
	files, err := filepath.Glob(filepath.Join(root, "*", "*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	deeper, _ := filepath.Glob(filepath.Join(root, "*", "*", "*.json.gz"))
	files = append(files, deeper...)
	if len(files) < 40 {
		t.Fatalf("only %d expected outputs found", len(files))
	}
	for _, file := range files {
		name, _ := filepath.Rel(root, strings.TrimSuffix(file, ".json.gz"))
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := decodeNumbers(gunzip(t, data), &want); err != nil {
				t.Fatal(err)
			}
			h, err := ScanFile(bytes.NewReader(corpusFile(t, name)), Limits{Inline: 1 << 20})
			if name == "derived/CT_cn_misdeclared_IR100.dcm" {
				t.Skip("dcm2json believes the declaration; TestPatientNames has the repaired name")
			}
			if err != nil && name != "sop/ColorPalette_pet.dcm" {
				t.Fatal(err)
			}
			if err != nil {
				t.Skip("not an instance of a study")
			}
			var got map[string]any
			if err := decodeNumbers(AppendJSON(nil, h, JSONOptions{}), &got); err != nil {
				t.Fatal(err)
			}
			compareObjects(t, difference, "", got, want)
		})
	}
}

func decodeNumbers(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}

// differs names the clause behind a difference from a peer that is meant; empty for one that is not.
type differs func(path string, got, want jsonAttribute) string

func compareObjects(t *testing.T, meant differs, path string, got, want map[string]any) {
	t.Helper()
	for key := range got {
		if _, ok := want[key]; !ok && meant(path+key, attributeOf(got[key]), jsonAttribute{}) == "" {
			t.Errorf("%s%s: the peer has none, we have %v", path, key, short(got[key]))
		}
	}
	for key, w := range want {
		if strings.HasSuffix(key, "0000") || key == "FFFCFFFC" {
			continue // group lengths and trailing padding are encoding, not content (PS3.5 7.2, PS3.10 7.2)
		}
		g, ok := got[key]
		if !ok {
			t.Errorf("%s%s is missing, the peer has %v", path, key, short(w))
			continue
		}
		compareAttributes(t, meant, path+key, attributeOf(g), attributeOf(w))
	}
}

func attributeOf(v any) jsonAttribute {
	raw, _ := json.Marshal(v)
	var a jsonAttribute
	_ = decodeNumbers(raw, &a)
	return a
}

func compareAttributes(t *testing.T, meant differs, path string, got, want jsonAttribute) {
	if why := meant(path, got, want); why != "" {
		return
	}
	if got.VR != want.VR {
		t.Errorf("%s: vr %s, the peer says %s", path, got.VR, want.VR)
		return
	}
	if got.Inline != want.Inline {
		t.Errorf("%s: InlineBinary %s, the peer has %s", path, short(got.Inline), short(want.Inline))
	}
	if len(got.Value) != len(want.Value) {
		t.Errorf("%s (%s): values %v, the peer has %v", path, got.VR, short(got.Value), short(want.Value))
		return
	}
	for i := range got.Value {
		g, gSequence := got.Value[i].(map[string]any)
		w, wSequence := want.Value[i].(map[string]any)
		switch {
		case gSequence && wSequence && got.VR == "SQ":
			compareObjects(t, meant, fmt.Sprintf("%s/%d/", path, i+1), g, w)
		case gSequence && wSequence:
			for _, group := range []string{"Alphabetic", "Ideographic", "Phonetic"} {
				if !sameText(g[group], w[group]) {
					t.Errorf("%s %s: %q, the peer has %q", path, group, g[group], w[group])
				}
			}
		case !sameValue(got.VR, got.Value[i], want.Value[i]):
			t.Errorf("%s (%s): %#v, the peer has %#v", path, got.VR, got.Value[i], want.Value[i])
		}
	}
}

// difference names the clause behind a difference that is meant.
func difference(path string, got, want jsonAttribute) string {
	tag, _ := dict.ParseTag(path[len(path)-8:])
	switch {
	case tag == tagCharset && sameText(first(got.Value), "ISO_IR 192"):
		return "dcm2json names UTF-8 as well, but keeps an empty value"
	case got.Bulk != "" && (tag == tagPixel || want.Inline != ""):
		return "PS3.18 F.2.6: bulk by reference; dcm2json holds it inline"
	case len(got.Value) == 0 && len(want.Value) == 1 && want.Value[0] == nil:
		return "PS3.18 F.2.5: no Value for an empty attribute; dcm2json writes [null]"
	}
	return ""
}

func first(all []any) any {
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

func sameText(a, b any) bool {
	x, _ := a.(string)
	y, _ := b.(string)
	return strings.TrimRight(x, " ^") == strings.TrimRight(y, " ^") // PS3.5 6.2 and 6.2.1.1: trailing spaces and "^" say nothing
}

func sameValue(vr string, a, b any) bool {
	x, xNumber := a.(json.Number)
	y, yNumber := b.(json.Number)
	switch {
	case xNumber && yNumber:
		f, _ := x.Float64()
		g, _ := y.Float64()
		if vr == "FL" {
			return float32(f) == float32(g) || math.Abs(f-g) <= 1e-6*math.Abs(f)
		}
		return f == g || math.Abs(f-g) <= 1e-9*math.Abs(f)
	case xNumber:
		s, _ := b.(string)
		f, _ := x.Float64()
		g, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return err == nil && f == g
	case a == nil || b == nil:
		return (a == nil || a == "") && (b == nil || b == "")
	}
	x1, _ := a.(string)
	y1, _ := b.(string)
	return strings.Trim(x1, " ") == strings.Trim(y1, " ")
}

func short(v any) string {
	s := fmt.Sprintf("%v", v)
	if raw, err := base64.StdEncoding.DecodeString(s); err == nil && len(s) > 60 {
		s = fmt.Sprintf("%d bytes, %x…", len(raw), raw[:20])
	}
	return s[:min(len(s), 160)]
}
