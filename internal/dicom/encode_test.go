package dicom

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsWrittenFromJSONReadsAsTheSameJSON(t *testing.T) {
	const body = `{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080018":{"vr":"UI","Value":["1.2.3"]},` +
		`"00081140":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["1.2"]}},{}]},"00081199":{"vr":"SQ"},` +
		`"00100010":{"vr":"PN","Value":[{"Alphabetic":"Wang^XiaoDong","Ideographic":"王^小东"}]},` +
		`"00100020":{"vr":"LO","Value":["A1",null,"B"]},"00101010":{"vr":"AS"},"00101030":{"vr":"DS","Value":[70.5]},` +
		`"00200013":{"vr":"IS","Value":[1]},"00280009":{"vr":"AT","Value":["00181063"]},"00280010":{"vr":"US","Value":[512]},` +
		`"00280106":{"vr":"SS","Value":[-3]},"00420011":{"vr":"OB","InlineBinary":"AQID"}}`
	want := strings.Replace(body, "AQID", "AQIDAA==", 1)
	for _, syntax := range []string{implicitLittle, explicitLittle, explicitBig} {
		data, err := AppendDataSet(nil, []byte(body), syntax, []string{"ISO_IR 100"})
		if err != nil {
			t.Fatal(err)
		}
		h, err := ReadDataSet(bytes.NewReader(data), syntax, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", syntax, err)
		}
		want := want
		if syntax == implicitLittle { // where a sign depends on (0028,0103), which is not there
			want = strings.Replace(want, `"SS","Value":[-3]`, `"US","Value":[65533]`, 1)
		}
		if got := string(AppendJSON(nil, h, JSONOptions{})); got != want {
			t.Errorf("%s:\n got %s\nwant %s", syntax, got, want)
		}
	}
}

func TestTextIsWrittenInTheSetAskedForWhereItFits(t *testing.T) {
	name := func(s string) []byte { return []byte(`{"00100010":{"vr":"PN","Value":[{"Alphabetic":"` + s + `"}]}}`) }
	for _, c := range []struct {
		name, text, asked, declared, bytes string
	}{
		{"ASCII needs no declaration", "Wang", "", "", "Wang"},
		{"Chinese without a wish is UTF-8", "王", "", "ISO_IR 192", "王"},
		{"Chinese as GB18030", "王", "GB18030", "GB18030", "\xcd\xf5"},
		{"Chinese as GBK", "王", "GBK", "GBK", "\xcd\xf5"},
		{"Latin-1", "Äneas", "ISO_IR 100", "ISO_IR 100", "\xc4neas"},
		{"Chinese does not fit into Latin-1", "王", "ISO_IR 100", "ISO_IR 192", "王"},
		{"Chinese by escape", "王", `ISO 2022 IR 6\ISO 2022 IR 58`, `ISO 2022 IR 6\ISO 2022 IR 58`, "\x1b$)A\xcd\xf5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := AppendDataSet(nil, name(c.text), explicitLittle, strings.Split(c.asked, `\`))
			if err != nil || !bytes.Contains(data, []byte(c.bytes)) || !bytes.Contains(data, []byte(c.declared)) {
				t.Errorf("%v: %q does not declare %s and hold %q", err, data, c.declared, c.bytes)
			}
			h, err := ReadDataSet(bytes.NewReader(data), explicitLittle, Limits{})
			if err != nil || h.Text(0x00100010) != c.text {
				t.Errorf("reads as %q, %v", h.Text(0x00100010), err)
			}
		})
	}
}

// TestRealHeadersSurviveWriting writes the JSON of the corpus's files in each uncompressed syntax and reads it again.
func TestRealHeadersSurviveWriting(t *testing.T) {
	corpus := os.Getenv("CONCORD_CORPUS")
	if corpus == "" {
		t.Skip("CONCORD_CORPUS is not set: real files are not tested")
	}
	files, _ := filepath.Glob(filepath.Join(corpus, "dicom", "*", "*.dcm"))
	written := 0
	for _, path := range files {
		if strings.Contains(path, "hostile") {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ScanFile(f, Limits{})
		f.Close()
		if err != nil {
			continue
		}
		body := Subset(nil, AppendJSON(nil, h, JSONOptions{}), func(tag Tag) bool { return tag != tagCharset })
		body = withoutBulk(body)
		for _, syntax := range []string{explicitLittle, explicitBig} {
			data, err := AppendDataSet(nil, body, syntax, nil)
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(path), err)
				continue
			}
			again, err := ReadDataSet(bytes.NewReader(data), syntax, Limits{Header: 64 << 20})
			if err != nil {
				t.Errorf("%s in %s: %v", filepath.Base(path), syntax, err)
				continue
			}
			written++
			got := Subset(nil, AppendJSON(nil, again, JSONOptions{}), func(tag Tag) bool { return tag != tagCharset })
			if !bytes.Equal(got, body) {
				t.Errorf("%s in %s differs: %s", filepath.Base(path), syntax, firstDifference(body, got))
			}
		}
	}
	if len(files) > 0 && written == 0 {
		t.Error("nothing was written")
	}
}

// withoutBulk leaves out attributes at the root that hold a BulkDataURI anywhere.
func withoutBulk(body []byte) []byte {
	bulky := map[Tag]bool{}
	for a := range Attributes(body) {
		bulky[a.Tag] = bytes.Contains(a.Raw, []byte("BulkDataURI"))
	}
	return Subset(nil, body, func(t Tag) bool { return !bulky[t] })
}

func firstDifference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return string(a[max(0, i-60):min(len(a), i+60)]) + "  ≠  " + string(b[max(0, i-60):min(len(b), i+60)])
}
