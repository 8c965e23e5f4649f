package hub

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleCommit() *Commit {
	at := time.Date(2026, 3, 1, 8, 0, 0, 123e6, time.UTC)
	return &Commit{Partition: "records", Seq: 7, Prev: strings.Repeat("ab", 32), Nonce: "n", Time: at, Nums: 41, Records: []Record{
		{Name: Name{"Patient", "p1"}, Num: 42, Version: 1, Member: "village", Time: at, Body: json.RawMessage(`{"resourceType":"Patient","name":[{"text":"张伟 <&>"}]}`)},
		{Name: Name{"Observation", "o.1"}, Num: 3, Version: 2, Member: "village", Time: at, Prev: Loc{5, 300, 900}, Body: json.RawMessage(`{"value":1.50}`)},
		{Name: Name{"Observation", "gone"}, Num: 9, Version: 4, Deleted: true, Member: "county", Time: at, Prev: Loc{6, 1, 2}},
		{Name: Name{"dicom.instance", "1.2/3.4"}, Num: 43, Version: 1, Member: "village", Time: at,
			Blob: &Blob{Key: "blob/x", Size: 12, SHA256: "00", Media: "application/dicom", Parts: &Parts{List: [][]int64{{1, 2, 5, 6}}}}, Body: json.RawMessage(`{}`)},
	}}
}

func TestACommitIsReadBackAsItWasWritten(t *testing.T) {
	c := sampleCommit()
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeCommit(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, c) {
		t.Errorf("read back\n%+v\nwrote\n%+v", got, c)
	}
	if lines := bytes.Count(data, []byte{'\n'}); lines != 5 {
		t.Errorf("%d lines, want a head and one line a record", lines)
	}
}

func TestARecordIsReadFromItsPlaceAlone(t *testing.T) {
	c := sampleCommit()
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Records {
		loc := c.Records[i].Loc
		got, err := DecodeRecord(data[loc.Off : loc.Off+loc.Len])
		if err != nil {
			t.Fatal(err)
		}
		got.Loc = loc
		if !reflect.DeepEqual(got, c.Records[i]) {
			t.Errorf("record %d: read %+v, wrote %+v", i, got, c.Records[i])
		}
	}
}

func TestDamagedCommitsAreRefused(t *testing.T) {
	data, err := sampleCommit().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(data) {
		if _, err := DecodeCommit(data[:n]); !Is(err, Corrupt) {
			t.Fatalf("a commit cut at byte %d of %d: %v, want Corrupt", n, len(data), err)
		}
	}
}

func TestABodyThatWouldBreakTheLineIsRefused(t *testing.T) {
	c := sampleCommit()
	c.Records[0].Body = json.RawMessage("{\n}")
	if _, err := c.Encode(); err == nil {
		t.Error("a body with a line break was written")
	}
}

func TestLogKeysSortLikeTheirNumbers(t *testing.T) {
	last := ""
	for _, seq := range []uint64{1, 2, 9, 10, 99, 1000, 1e15} {
		key := LogKey("records", seq)
		if key <= last {
			t.Errorf("%s does not sort after %s", key, last)
		}
		if back, ok := SeqOfKey("records", key); !ok || back != seq {
			t.Errorf("SeqOfKey(%s) = %d, %v", key, back, ok)
		}
		last = key
	}
	for _, key := range []string{"log/records/1", "log/other/0000000000000001", "log/records/000000000000000x", "log/records/0000000000000000", "blob/records/0000000000000001"} {
		if _, ok := SeqOfKey("records", key); ok {
			t.Errorf("%s was taken for a commit's key", key)
		}
	}
}

func FuzzDecodeCommitNeverPanicsAndKeepsWhatItAccepts(f *testing.F) {
	data, err := sampleCommit().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"concord":1,"partition":"p","seq":1,"records":1}` + "\n" + `{"type":"a","id":"b","body":}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := DecodeCommit(data)
		if err != nil {
			return
		}
		for i := range c.Records {
			loc := c.Records[i].Loc
			r, err := DecodeRecord(data[loc.Off : loc.Off+loc.Len])
			if err != nil || r.Name != c.Records[i].Name || !bytes.Equal(r.Body, c.Records[i].Body) {
				t.Fatalf("record %d is not what its place holds: %v", i, err)
			}
		}
	})
}

// A hub must not take the first instance of an object for the one that lies behind it, because it does not know of offsets.
func TestAPlaceInsideAnObjectIsNoKey(t *testing.T) {
	c := sampleCommit()
	for offset, want := range map[int64]string{0: `"key":"blob/x",`, 12: `"key":"blob/x#12",`} {
		c.Records[3].Blob.Offset = offset
		data, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("offset %d: %s is not in %s", offset, want, data)
		}
		got, err := DecodeCommit(data)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("offset %d: read back %+v: %v", offset, got, err)
		}
		slow, err := decodeRecord(bytes.Split(data, []byte{'\n'})[4])
		if err != nil || !reflect.DeepEqual(slow.Blob, c.Records[3].Blob) {
			t.Errorf("offset %d: read back %+v: %v", offset, slow.Blob, err)
		}
	}
	for _, odd := range []string{"blob/x#", "blob/x#0", "blob/x#-1", "blob/x#1#2", "blob/x#99999999999999999999"} {
		var b Blob
		if b.setPlace(odd); b.Key != odd || b.Offset != 0 {
			t.Errorf("%q is read as %q and %d", odd, b.Key, b.Offset)
		}
	}
}
