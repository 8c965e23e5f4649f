package fhir

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"concord/hub"
)

func TestParseAcceptsWhatRFC8259Allows(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, `""`, `0`, `-0.10e+5`, `true`, ` null `, `{"a":[1,{"b":"\ud83d\ude00\n"}]}`,
		"\xef\xbb\xbf{\"a\":1}", `{"resourceType":"Patient","name":[{"text":"张三"}]}`, `{"":1}`} {
		if _, err := Parse([]byte(text), Limits{}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseRefusesWithPositionAndPath(t *testing.T) {
	for _, c := range []struct{ what, text, path, msg string }{
		{"a repeated member", `{"resourceType":"Patient","id":"a","id":"b"}`, "Patient.id", "repeated at byte 35"},
		{"a repeated member under an escape", `{"id":"a","\u0069d":"b"}`, "$.id", "repeated"},
		{"a lone surrogate", `{"resourceType":"Patient","name":[{},{"family":"\ud800x"}]}`, "Patient.name[1].family", "surrogate at byte 48"},
		{"a low surrogate first", `"\udc00\ud800"`, "$", "surrogate"},
		{"trailing bytes", `{} {}`, "$", "after the end of the value at byte 3"},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", "$", "invalid UTF-8 at byte 6"},
		{"a leading zero", `[01]`, "$", "neither comma"},
		{"a trailing comma", `[1,]`, "$[1]", "no JSON value"},
		{"a control character", "\"a\nb\"", "$", "control character"},
		{"an empty text", ``, "$", "where a value is due at byte 0"},
		{"a cut string", `{"a":"b`, "$.a", "ends inside a string"},
		{"a cut object", `{"a":"b"`, "$", "neither comma"},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := Parse([]byte(c.text), Limits{})
			e, ok := err.(*hub.Error)
			if !ok || e.Kind != hub.Invalid || e.Path != c.path || !strings.Contains(e.Msg, c.msg) {
				t.Fatalf("got %v, want path %s and %q", err, c.path, c.msg)
			}
		})
	}
}

func TestParseKeepsItsLimits(t *testing.T) {
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	if _, err := Parse([]byte(deep), Limits{}); !hub.Is(err, hub.TooLarge) {
		t.Errorf("depth 65: %v", err)
	}
	if _, err := Parse([]byte(deep[1:len(deep)-1]), Limits{}); err != nil {
		t.Errorf("depth 64: %v", err)
	}
	if _, err := Parse([]byte(`[1,2,3]`), Limits{Nodes: 3}); !hub.Is(err, hub.TooLarge) {
		t.Errorf("nodes: %v", err)
	}
	if _, err := Parse([]byte(`[1,2,3]`), Limits{Bytes: 6}); !hub.Is(err, hub.TooLarge) {
		t.Errorf("bytes: %v", err)
	}
}

func TestParseSeesRepeatsInWideObjects(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{`)
	for i := range 100 {
		b.WriteString(`"k` + strings.Repeat("x", i) + `":0,`)
	}
	if _, err := Parse([]byte(b.String()+`"last":1}`), Limits{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"k", "kxxx", "k" + strings.Repeat("x", 99)} {
		if _, err := Parse([]byte(b.String()+`"`+name+`":1}`), Limits{}); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s repeated: %v", name, err)
		}
	}
}

func TestValuesReadWhatWasSent(t *testing.T) {
	d := parse(t, `{"a": [1.50, "x\u00e9\"\ud83d\ude00", {"b": null}], "t": true, "\u0061b": 2}`)
	root := d.Root()
	var texts []string
	for v := range root.Get("a").Items() {
		texts = append(texts, v.Text())
	}
	if got := strings.Join(texts, "|"); got != "1.50|xé\"😀|" {
		t.Errorf("items %q", got)
	}
	if root.Get("ab").Text() != "2" || root.Get("t").Kind() != True || root.Get("none").Get("x").Kind() != Absent {
		t.Error("members are not found by name")
	}
	var names []string
	for name := range root.Members() {
		names = append(names, name)
	}
	if strings.Join(names, " ") != "a t ab" {
		t.Errorf("members %v", names)
	}
}

var instant = time.Date(2024, 2, 29, 12, 0, 0, 5e6, time.FixedZone("", 8*3600))

func TestSpliceSetsIdAndMetaAndNothingElse(t *testing.T) {
	const meta = `{"versionId":"3","lastUpdated":"2024-02-29T04:00:00.005Z"`
	for _, c := range []struct{ what, in, out string }{
		{"both missing", `{"resourceType":"Basic","code":1.0}`, `{"resourceType":"Basic","id":"x","meta":` + meta + `},"code":1.0}`},
		{"id there", `{"resourceType":"Basic", "a":0, "id":"old"}`, `{"resourceType":"Basic","a":0,"id":"x","meta":` + meta + `}}`},
		{"meta there", `{"resourceType":"Basic","meta":{"profile":["p"],"lastUpdated":"z"},"z":1e-7}`,
			`{"resourceType":"Basic","id":"x","meta":{"versionId":"3","profile":["p"],"lastUpdated":"2024-02-29T04:00:00.005Z"},"z":1e-7}`},
		{"resourceType last", `{"a":1,"resourceType":"Basic"}`, `{"a":1,"resourceType":"Basic","id":"x","meta":` + meta + `}}`},
		{"whitespace and escapes", "{ \"resourceType\" : \"Basic\" ,\n \"a b\\u0020\" : [ 1.00 , \" \\/ \" , { } , [ ] ] }",
			`{"resourceType":"Basic","id":"x","meta":` + meta + `},"a b\u0020":[1.00," \/ ",{},[]]}`},
		{"meta of the wrong kind", `{"resourceType":"Basic","id":"1","meta":7}`, `{"resourceType":"Basic","id":"x","meta":` + meta + `}}`},
		{"nothing", `{}`, `{"id":"x","meta":` + meta + `}}`},
	} {
		t.Run(c.what, func(t *testing.T) {
			out := parse(t, c.in).Splice("x", 3, instant)
			if string(out) != c.out {
				t.Errorf("got  %s\nwant %s", out, c.out)
			}
		})
	}
}

func FuzzParseAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9"]}`, `{"a":1,"a":2}`, `"\ud800"`, `[[[]]]`, "\xff", ` {"b": null } `, `-`, `1.`, `{"\u0061":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(bytes.Clone(data), Limits{})
		valid := json.Valid(data)
		if err == nil && !valid && !bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
			t.Fatalf("accepted what is no JSON: %q", data)
		}
		if err != nil {
			e := err.(*hub.Error)
			strict := false // refused for a reason encoding/json does not know
			for _, reason := range []string{"repeated", "UTF-8", "surrogate", "limit"} {
				strict = strict || strings.Contains(e.Msg, reason)
			}
			if valid && !strict {
				t.Fatalf("refused valid JSON %q: %v", data, err)
			}
			return
		}
		compact := d.Root().Compact()
		var want bytes.Buffer
		if err := json.Compact(&want, d.data); err != nil || want.String() != string(compact) {
			t.Fatalf("compact %q, want %q", compact, want.String())
		}
	})
}

func FuzzSpliceKeepsEverythingElse(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Basic", "meta":{"tag":[1]}, "x":[{}]}`), "a")
	f.Add([]byte(`{"id":{},"meta":[],"a":"\u0000"}`), "\"\n")
	f.Fuzz(func(t *testing.T, data []byte, id string) {
		d, err := Parse(data, Limits{})
		if err != nil || d.Root().Kind() != Object {
			return
		}
		out := d.Splice(id, 1, instant)
		again, err := Parse(out, Limits{Depth: 65})
		if err != nil {
			t.Fatalf("%q became %q: %v", data, out, err)
		}
		if bytes.IndexByte(out, '\n') >= 0 || cap(out) < len(out) {
			t.Fatalf("line break in %q", out)
		}
		for name, v := range d.Root().Members() {
			if name != "id" && name != "meta" && !bytes.Equal(v.Compact(), again.Root().Get(name).Raw()) {
				t.Fatalf("%s changed: %q", name, out)
			}
		}
	})
}

func parse(t testing.TB, text string) *Doc {
	t.Helper()
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
