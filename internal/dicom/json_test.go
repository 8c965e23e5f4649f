package dicom

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestAppendJSON(t *testing.T) {
	float := func(f float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)) }
	tests := []struct {
		name, vr string
		tag      Tag
		value    []byte
		want     string
	}{
		{"an empty value has its vr only", "LO", 0x00101000, nil, `{"vr":"LO"}`},
		{"empty pixel data are nowhere else either", "OW", 0x7FE00010, nil, `{"vr":"OW"}`},
		{"an empty value among others is null", "LO", 0x00101000, []byte(`A\\B`), `{"vr":"LO","Value":["A",null,"B"]}`},
		{"padding is no content", "CS", 0x00080060, []byte(" CT "), `{"vr":"CS","Value":["CT"]}`},
		{"leading spaces of text are content", "LT", 0x00104000, []byte("  a\\b\r\n "), `{"vr":"LT","Value":["  a\\b\r\n"]}`},
		{"a name has its component groups", "PN", 0x00101001, []byte("A^B=C="), `{"vr":"PN","Value":[{"Alphabetic":"A^B","Ideographic":"C"}]}`},
		{"a name of delimiters is empty", "PN", 0x00101001, []byte("^^^^"), `{"vr":"PN"}`},
		{"decimal strings keep their digits", "DS", 0x00201041, []byte(`1.50\-0.\+007\.5\1E5`), `{"vr":"DS","Value":[1.50,-0,7,0.5,1e5]}`},
		{"what is no number is a string", "IS", 0x00200013, []byte(`1A\--1\1e\Inf`), `{"vr":"IS","Value":["1A","--1","1e","Inf"]}`},
		{"NaN is a string", "FL", 0x00101000, append(float(float32(math.NaN())), float(0.1)...), `{"vr":"FL","Value":["NaN",0.1]}`},
		{"tags are eight digits", "AT", 0x00280009, []byte{0x18, 0, 0x63, 0x10}, `{"vr":"AT","Value":["00181063"]}`},
		{"binary is base64", "UN", 0x00091001, []byte{1, 2, 3, 4}, `{"vr":"UN","InlineBinary":"AQIDBA=="}`},
		{"a long whole number is a string", "SV", 0x00720082, binary.LittleEndian.AppendUint64(nil, 1<<60), `{"vr":"SV","Value":["1152921504606846976"]}`},
		{"quotes and control characters are escaped", "LO", 0x00101000, []byte("a\"b\x01\x7f"), `{"vr":"LO","Value":["a\"b\u0001\u007f"]}`},
		{"bytes outside the character set are still UTF-8", "CS", 0x00180015, []byte("\xff\xfe"), "{\"vr\":\"CS\",\"Value\":[\"\uFFFD\"]}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := instance(explicitLittle)
			b.put(tt.tag, tt.vr, tt.value)
			h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			body := AppendJSON(nil, h, JSONOptions{})
			checkJSON(t, body)
			var all map[string]json.RawMessage
			if err := json.Unmarshal(body, &all); err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(tt.want)
			if got := string(all[tt.tag.Hex()]); got != want {
				// The instance itself has a Modality before; the first of repeated attributes is written.
				if tt.tag != 0x00080060 {
					t.Errorf("%s, want %s", got, want)
				}
			}
		})
	}
}

func TestJSONIsOrderedAndHoldsTheFirstOfRepeatedAttributes(t *testing.T) {
	b := instance(explicitLittle).text(0x00104000, "LT", "late").text(0x00101000, "LO", "first").text(0x00101000, "LO", "second")
	h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	last := Tag(0)
	for a := range Attributes(AppendJSON(nil, h, JSONOptions{})) {
		if a.Tag <= last {
			t.Errorf("%v comes after %v", a.Tag, last)
		}
		last = a.Tag
		if a.Tag == 0x00101000 && a.Strings()[0] != "first" {
			t.Errorf("the repeated attribute is %q", a.Strings())
		}
	}
}

func TestBigEndianBinaryIsWrittenLittleEndian(t *testing.T) {
	b := instance(explicitBig).put(0x00281201, "OW", []byte{1, 2, 3, 4}).number(tagRows, 258)
	h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	body := string(AppendJSON(nil, h, JSONOptions{}))
	for _, want := range []string{`"00281201":{"vr":"OW","InlineBinary":"AgEEAw=="}`, `"00280010":{"vr":"US","Value":[258]}`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}

// TestItemsHaveTheirOwnCharacterSet: an item may declare a set of its own, or inherits its parent's (PS3.3 C.12.1.1.2).
func TestItemsHaveTheirOwnCharacterSet(t *testing.T) {
	b := instance(explicitLittle)
	b.sequenceOf(0x00321064, anyLength, func(b *builder) {
		b.text(tagCharset, "CS", "ISO_IR 144").text(0x00104000, "LT", "\xbb\xee\xda").endItem()
	})
	h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if body := string(AppendJSON(nil, h, JSONOptions{})); !strings.Contains(body, "Люк") || strings.Contains(body, "144") {
		t.Error(body)
	}
	for _, name := range []string{"charset/chrSQEncoding.dcm", "charset/chrSQEncoding1.dcm"} {
		h, err := ReadDataSet(bytes.NewReader(corpusFile(t, name)[fileMetaLength(t, name):]), explicitLittle, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if body := string(AppendJSON(nil, h, JSONOptions{})); !strings.Contains(body, `"Alphabetic":"ﾔﾏﾀﾞ^ﾀﾛｳ","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"`) {
			t.Errorf("%s: %s", name, body)
		}
	}
}

func fileMetaLength(t *testing.T, name string) int64 {
	s := newScanner(bytes.NewReader(corpusFile(t, name)), Limits{})
	if _, err := s.fileMeta(); err != nil {
		t.Fatal(err)
	}
	return s.src.pos()
}
