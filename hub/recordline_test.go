package hub

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// lines are those of a commit with every field that a record can have, and some of another form.
func lines(t testing.TB) (written, foreign [][]byte) {
	c := sampleCommit()
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for _, b := range []*Blob{
		{Key: "k", SHA256: "s"},
		{Key: "k", Size: 1 << 62, SHA256: "s", Media: `application/dicom; transfer-syntax=1.2.840.10008.1.2.1`, Parts: &Parts{First: 1382, Size: 524288, Count: 1}},
		{Key: "k", SHA256: "s", Parts: &Parts{}},
		{Key: "k", SHA256: "s", Parts: &Parts{Size: 1, Count: 3}},
		{Key: "k", SHA256: "s", Parts: &Parts{List: [][]int64{{1, 2}, {3, 4, 5, 6}, {}}}},
		{Key: "k", SHA256: "s", Media: "m", Remark: "text is read as GBK"},
		{Key: "k", Offset: 1 << 40, Size: 1, SHA256: "s"},
	} {
		c.Records = append(c.Records, Record{Name: Name{"t", "i"}, Num: 1<<64 - 1, Version: 1, Member: "m", Time: at, Blob: b, Body: json.RawMessage(`{"a":{"type":"x"}}`)})
	}
	c.Records = append(c.Records,
		Record{Name: Name{"t", "i"}, Num: 1, Version: 2, Member: "m", Time: at, Prev: Loc{1<<64 - 1, 1<<32 - 1, 1<<32 - 1}, Body: json.RawMessage(`"}"`)},
		Record{Name: Name{"t", "i"}, Num: 1, Version: 2, Member: "m", Time: at, Body: json.RawMessage(`1`)})
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Records {
		loc := c.Records[i].Loc
		written = append(written, data[loc.Off:loc.Off+loc.Len])
	}
	for _, s := range []string{
		`{"type":"t","id":"张\"","num":1,"version":1,"member":"m","time":"2026-03-01T08:00:00Z","body":{}}`,
		`{"id":"i","type":"t","num":1,"version":1,"member":"m","time":"2026-03-01T16:00:00.5+08:00"}`,
		`{ "type": "t", "more": 1 }`,
		`{"type":"t","id":"i","num":01,"version":1,"member":"m","time":"2026-03-01T08:00:00Z"}`,
		`{"type":"t","id":"i","num":18446744073709551616,"version":1,"member":"m","time":"2026-03-01T08:00:00Z"}`,
		`{"type":"t","id":"i","num":1,"version":1,"member":"m","time":"2026-03-01T8:00:00Z"}`,
		`{"type":"t","id":"i","num":1,"version":1,"member":"m","time":"2026-03-01T08:00:00Z","prev":{"seq":1,"off":4294967296,"len":1}}`,
		`{"type":"t","id":"i","num":1,"version":1,"member":"m","time":"2026-03-01T08:00:00Z","blob":{"key":"k","size":1,"sha256":"s","parts":{,"size":1}}}`,
		`{"type":"t","id":"i","num":1,"version":1,"member":"m","time":"2026-03-01T08:00:00Z","blob":{"key":"k","size":1,"sha256":"s","parts":{"list":[,[1]]}}}`,
		`{"type":"t","id":"i","num":1,"version":1,"member":"m","time":"2026-03-01T08:00:00Z","body":`,
		`{"type":"t","id":"i","num":1,"version":1,"member":"m","time":"2026-03-01T08:00:00Z","bodies":1}`,
	} {
		foreign = append(foreign, []byte(s))
	}
	return written, foreign
}

func TestLinesAsWrittenAreReadWithoutJSON(t *testing.T) {
	written, _ := lines(t)
	for _, line := range written {
		if _, rest, ok := readHead(line); !ok {
			t.Errorf("given up at %s of %s", rest, line)
		}
	}
}

func TestALineIsWrittenAsJSONIs(t *testing.T) {
	c := sampleCommit()
	c.Records = append(c.Records,
		Record{Name: Name{"t\"", "张\n"}, Member: "\xff", Time: time.Date(2026, 3, 1, 8, 0, 0, 1e6, time.UTC), Deleted: true, Prev: Loc{Seq: 1},
			Blob: &Blob{Key: "a&b", Media: `a; b="c"`, Parts: &Parts{First: 1, List: [][]int64{{1, 2}}}, Remark: "r"}},
		Record{Blob: &Blob{Parts: &Parts{}}, Body: json.RawMessage(`{"a":1}`)})
	for i := range c.Records {
		r := &c.Records[i]
		head := recordHead{r.Name.Type, r.Name.ID, r.Num, r.Version, r.Deleted, r.Member, r.Time, nil, r.Blob}
		if r.Prev.Seq != 0 {
			head.Prev = &r.Prev
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(head); err != nil {
			t.Fatal(err)
		}
		want.Truncate(want.Len() - len("}\n"))
		if len(r.Body) > 0 {
			want.WriteString(`,"body":` + string(r.Body))
		}
		want.WriteByte('}')
		if got, err := r.appendLine(nil); err != nil || string(got) != want.String() {
			t.Errorf("%s, %v\nwant %s", got, err, want.Bytes())
		}
	}
}

func TestBothWaysToReadALineAgree(t *testing.T) {
	written, foreign := lines(t)
	for _, line := range append(written, foreign...) {
		agree(t, line)
		for n := range line {
			agree(t, line[:n])
		}
	}
}

func FuzzBothWaysToReadALineAgree(f *testing.F) {
	written, foreign := lines(f)
	for _, line := range append(written, foreign...) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) { agree(t, line) })
}

// agree fails unless a line is read in the short way as it is in the long one.
func agree(t *testing.T, line []byte) {
	short, serr := DecodeRecord(line)
	long, lerr := decodeRecord(line)
	if (serr == nil) != (lerr == nil) || !reflect.DeepEqual(short, long) {
		t.Fatalf("%q:\n%+v, %v\n%+v, %v", line, short, serr, long, lerr)
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	written, _ := lines(b)
	line := written[5]
	b.Run("short", func(b *testing.B) {
		for b.Loop() {
			DecodeRecord(line)
		}
	})
	b.Run("long", func(b *testing.B) {
		for b.Loop() {
			decodeRecord(line)
		}
	})
}
