package dicom

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"concord/hub"
)

func TestReadJSONGivesTheStoredForm(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"tags come in order, without group lengths and group 2", `{"00100020":{"vr":"LO","Value":["P"]},"00080000":{"vr":"UL","Value":[8]},"00020010":{"vr":"UI","Value":["1.2"]},"00080060":{"vr":"CS","Value":["CT"]}}`,
			`{"00080060":{"vr":"CS","Value":["CT"]},"00100020":{"vr":"LO","Value":["P"]}}`},
		{"the character set is JSON's own", `{"00080005":{"vr":"CS","Value":["GBK"]},"00104000":{"vr":"LT","Value":["\u5f20\ud842\udfb7\n\\"]}}`,
			`{"00104000":{"vr":"LT","Value":["张𠮷\n\\"]}}`},
		{"white space and lower-case tags", "\n[ { \"0008103e\" : { \"Value\" : [ \"x\" ] , \"vr\" : \"LO\" } } ]", `{"0008103E":{"vr":"LO","Value":["x"]}}`},
		{"a vr that is missing is the dictionary's", `{"00100020":{"Value":["P"]},"00091001":{"InlineBinary":"AQ=="}}`, `{"00091001":{"vr":"UN","InlineBinary":"AQ=="},"00100020":{"vr":"LO","Value":["P"]}}`},
		{"nulls and nothing", `{"00100020":{"vr":"LO","Value":["A",null]},"00100021":{"vr":"LO","Value":[]},"00100030":{"vr":"DA"},"00100032":{"vr":"TM","Value":null},"00081140":{"vr":"SQ","Value":[{},null]}}`,
			`{"00081140":{"vr":"SQ","Value":[{},{}]},"00100020":{"vr":"LO","Value":["A",null]},"00100021":{"vr":"LO"},"00100030":{"vr":"DA"},"00100032":{"vr":"TM"}}`},
		{"names as groups and as text", `{"00100010":{"vr":"PN","Value":[{"Ideographic":"王","Alphabetic":"Wang^X"},"A=B",{}]}}`,
			`{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Wang^X","Ideographic":"王"},{"Alphabetic":"A","Ideographic":"B"},null]}}`},
		{"numbers as decimal strings can hold them", `{"00101030":{"vr":"DS","Value":[70.5,0.12345678901234567890,"1.50"]},"00200013":{"vr":"IS","Value":[1.0,1e3]}}`,
			`{"00101030":{"vr":"DS","Value":[70.5,0.12345678901235,"1.50"]},"00200013":{"vr":"IS","Value":[1,1000]}}`},
		{"bulk data", `{"7FE00010":{"vr":"OW","BulkDataURI":"bulk\/1"}}`, `{"7FE00010":{"vr":"OW","BulkDataURI":"bulk/1"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, err := ReadJSON([]byte(tt.in), Limits{})
			if err != nil || len(all) != 1 || string(all[0].Body) != tt.want {
				t.Errorf("%+v %v, want %s", all, err, tt.want)
			}
		})
	}
}

func TestReadJSONRefuses(t *testing.T) {
	deep := strings.Repeat(`{"00081140":{"vr":"SQ","Value":[`, 70) + "{}" + strings.Repeat("]}}", 70)
	for name, in := range map[string]string{
		"what is not JSON": `{"00100020":`, "nothing": " ", "text": `"x"`, "an array of numbers": "[1]", "a key that is no tag": `{"PatientID":{"vr":"LO"}}`,
		"a tag twice": `{"00100020":{"vr":"LO"},"00100020":{"vr":"LO"}}`, "an unknown vr": `{"00100020":{"vr":"XX"}}`, "no object": `{"00100020":["x"]}`,
		"a backslash in a value": `{"00100020":{"vr":"LO","Value":["a\\b"]}}`, "a number for text": `{"00100020":{"vr":"LO","Value":[1]}}`,
		"two values of a single one": `{"00104000":{"vr":"LT","Value":["a","b"]}}`, "values of a binary one": `{"7FE00010":{"vr":"OW","Value":[1]}}`,
		"base64 that is none": `{"00091001":{"vr":"UN","InlineBinary":"?"}}`, "a sequence elsewhere": `{"00081140":{"vr":"SQ","BulkDataURI":"x"}}`,
		"two kinds of value": `{"00091001":{"vr":"UN","InlineBinary":"","BulkDataURI":"x"}}`, "an item that is none": `{"00081140":{"vr":"SQ","Value":["x"]}}`,
		"a name with too many groups": `{"00100010":{"vr":"PN","Value":["a=b=c=d"]}}`, "sequences without end": deep,
	} {
		all, err := ReadJSON([]byte(in), Limits{})
		if err == nil && len(all) == 1 && all[0].Body == nil {
			err = all[0].Err
		}
		if !hub.Is(err, hub.Invalid) && !hub.Is(err, hub.TooLarge) {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}

func TestReadJSONRefusesObjectsByThemselves(t *testing.T) {
	all, err := ReadJSON([]byte(`[{"00100020":{"vr":"LO","Value":["P"]}}, {"00100020":{"vr":"XX"}}, 1, {}]`), Limits{})
	if err != nil || len(all) != 4 {
		t.Fatal(all, err)
	}
	for i, good := range []bool{true, false, false, true} {
		if o := all[i]; (o.Err == nil) != good || (o.Body != nil) != good || !good && !hub.Is(o.Err, hub.Invalid) {
			t.Errorf("object %d: %s, %v", i, o.Body, o.Err)
		}
	}
}

func TestEncodeWritesAnInstanceWithItsBulkData(t *testing.T) {
	const object = `{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2"]},"00080018":{"vr":"UI","Value":["1.2.3.4.5"]},"00080060":{"vr":"CS","Value":["CT"]},` +
		`"00080070":{"vr":"LO","Value":["张"]},"00089215":{"vr":"SQ","Value":[{"00420011":{"vr":"OB","BulkDataURI":"nested"}}]},"0020000D":{"vr":"UI","Value":["1.2.3"]},"0020000E":{"vr":"UI","Value":["1.2.3.4"]},` +
		`"00280002":{"vr":"US","Value":[1]},"00280010":{"vr":"US","Value":[1]},"00280011":{"vr":"US","Value":[3]},"00280100":{"vr":"US","Value":[8]},"7FE00010":{"vr":"OB","BulkDataURI":"pixels"},"FFFA0001":{"vr":"LO"}}`
	values := map[string]Bulk{"nested": {Reader: strings.NewReader("abc"), Size: 3}, "pixels": {Reader: strings.NewReader("xyz"), Size: 3}}
	fetch := func(_ Tag, uri string) (Bulk, error) { return values[uri], nil }
	var out bytes.Buffer
	if err := Encode(&out, []byte(object), fetch); err != nil {
		t.Fatal(err)
	}
	data := out.Bytes()
	h, err := ScanDataSet(bytes.NewReader(data), explicitLittle, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(`"BulkDataURI":"nested"`, `"InlineBinary":"YWJjAA=="`, `"BulkDataURI":"pixels"`, `"BulkDataURI":"bulk/7FE00010"`,
		`{"00080016"`, `{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080016"`).Replace(object)
	if got := string(AppendJSON(nil, h, JSONOptions{})); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if at := h.Frames.Spans(0); string(data[at[0]:at[0]+at[1]]) != "xyz" {
		t.Errorf("the frame is at %v", at)
	}
	values = map[string]Bulk{"nested": {Reader: strings.NewReader("abc"), Size: 3},
		"pixels": {Reader: strings.NewReader("\xff\xd8\xff\xe0a\xff\xd8\xff\xe0"), Fragments: []int64{5, 4}}}
	out.Reset()
	if err := Encode(&out, []byte(strings.Replace(object, `"00280010"`, `"00280008":{"vr":"IS","Value":["2"]},"00280010"`, 1)), fetch); err != nil {
		t.Fatal(err)
	}
	h, err = ScanDataSet(&out, "1.2.840.10008.1.2.4.50", Limits{})
	if err != nil || h.Frames.Len() != 2 || len(h.Warnings) > 0 {
		t.Errorf("encapsulated: %v %v", err, h)
	}
	values["pixels"] = Bulk{Reader: strings.NewReader("x"), Size: 3}
	values["nested"] = Bulk{Reader: strings.NewReader("abc"), Size: 3}
	if err := Encode(&out, []byte(object), fetch); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("bulk data cut short: %v", err)
	}
}

// FuzzReadJSON wants any bytes refused or brought into the stored form, which reads as itself.
func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`[{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"},null]},"00400275":{"vr":"SQ","Value":[{"00400009":{"vr":"SH","Value":["x\u0001\""]}}]}},{}]`))
	f.Add([]byte(`{"00101030":{"vr":"DS","Value":[1e300,"x",-0.5]},"00091001":{"InlineBinary":"AQ=="},"00280010":{"vr":"US","Value":[70000]}}`))
	f.Add([]byte(`{"00100010":{"vr":"PN","Value":["^",{"Ideographic":"^ "}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := ReadJSON(data, Limits{})
		if err != nil {
			return
		}
		for _, o := range all {
			if o.Err != nil {
				continue
			}
			body := o.Body
			checkJSON(t, body)
			again, err := ReadJSON(body, Limits{})
			if err != nil || len(again) != 1 || !bytes.Equal(again[0].Body, body) {
				t.Errorf("%s is read as %v, %v", body, again, err)
			}
			var out bytes.Buffer
			if Encode(&out, body, func(Tag, string) (Bulk, error) { return Bulk{Reader: strings.NewReader("ab"), Size: 2}, nil }) != nil {
				continue
			}
			if _, err := ReadDataSet(&out, explicitLittle, Limits{}); err != nil {
				t.Errorf("%s is written as what cannot be read: %v", body, err)
			}
		}
	})
}
