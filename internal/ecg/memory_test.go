package ecg_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

// wheel repeats the frames of a made-up instance for as long as its lengths say.
type wheel struct {
	head, frames []byte
	at, left     int
}

func (w *wheel) Read(p []byte) (int, error) {
	if len(w.head) > 0 {
		n := copy(p, w.head)
		w.head = w.head[n:]
		return n, nil
	}
	if w.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < min(len(p), w.left) {
		k := copy(p[n:min(len(p), w.left)], w.frames[w.at:])
		n, w.at = n+k, (w.at+k)%len(w.frames)
	}
	w.left -= n
	return n, nil
}

// A day of three leads at 250 samples a second is 130 MB; here is a quarter of it.
func TestAmbulatoryRecordingsTakeLittleMoreThanTheirSize(t *testing.T) {
	const samples = 6 * 3600 * 250
	frames := [][]int64{{1, 2, 3}, {-100, 200, 300}, {7, 8, 9}, {0, 0, 0}}
	file := ecgtest.DICOM(ecgtest.ExplicitLittle, "1.2.840.10008.5.1.4.1.1.9.1.3", "", ecgtest.Multiplex{Rate: "250", Kind: "SS", Declared: samples,
		Channels: []ecgtest.Channel{lead("2:1"), lead("2:2"), lead("2:3")}, Frames: frames})
	size := samples * 3 * 2
	head := undefined(t, file, len(frames)*6, size)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rec, err := ecg.Read(&wheel{head: head, frames: file[len(file)-len(frames)*6:], left: size}, ecg.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if g := rec.Groups[0]; g.Len() != samples || len(g.Leads) != 3 || g.Leads[2].Samples.At(samples-3) != 300 {
		t.Errorf("%d leads of %d samples", len(g.Leads), g.Len())
	}
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > int64(size)*3/2 {
		t.Errorf("a recording of %d MB holds %d MB", size>>20, held>>20)
	}
	if all := after.TotalAlloc - before.TotalAlloc; all > uint64(size)*7 {
		t.Errorf("reading %d MB allocated %d MB", size>>20, all>>20)
	}
	runtime.KeepAlive(rec)
}

// undefined is the file up to its waveform data, with lengths of sequence, item and data as if it were size bytes.
func undefined(t *testing.T, file []byte, was, size int) []byte {
	t.Helper()
	head := bytes.Clone(file[:len(file)-was])
	long := func(tag []byte, skip int) {
		i := bytes.LastIndex(head, tag)
		if i < 0 {
			t.Fatalf("%x is not there", tag)
		}
		at := head[i+skip:]
		n := int(at[0]) | int(at[1])<<8 | int(at[2])<<16 | int(at[3])<<24
		n += size - was
		at[0], at[1], at[2], at[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	}
	long([]byte{0x00, 0x54, 0x10, 0x10, 'O', 'W'}, 8)
	sequence := []byte{0x00, 0x54, 0x00, 0x01, 'S', 'Q'}
	long(sequence, 8)
	i := bytes.LastIndex(head, sequence)
	long(head[i+12:i+20], 4)
	return head
}
