package dicom

import (
	"bytes"
	"testing"
)

// ctFile is an uncompressed CT slice of 526 KB, the size PEERS measure by, made here so that the benchmark needs no corpus.
func ctFile() []byte {
	b := newBuilder(explicitLittle)
	b.identity("1.2.3", "1.2.3.4", "1.2.3.4.5")
	for i := range 80 {
		b.put(Tag(0x00181000+2*i), "LO", []byte("acquisition detail "))
	}
	b.image(512, 512, 16)
	b.put(tagPixel, "OW", make([]byte, 512*512*2))
	return b.Bytes()
}

func BenchmarkScanAndJSON(b *testing.B) {
	file := ctFile()
	var out []byte
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		h, err := ScanFile(bytes.NewReader(file), Limits{})
		if err != nil {
			b.Fatal(err)
		}
		out = AppendJSON(out[:0], h, JSONOptions{})
	}
}

// BenchmarkScanCorpusCT reads a real slice in Implicit VR.
func BenchmarkScanCorpusCT(b *testing.B) {
	file := corpusFile(b, "series-ct-3/01.dcm")
	var out []byte
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		h, err := ScanFile(bytes.NewReader(file), Limits{})
		if err != nil {
			b.Fatal(err)
		}
		out = AppendJSON(out[:0], h, JSONOptions{})
	}
}

func BenchmarkProjectInstance(b *testing.B) {
	h, err := ScanFile(bytes.NewReader(ctFile()), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	body := AppendJSON(nil, h, JSONOptions{})
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ProjectInstance(body); err != nil {
			b.Fatal(err)
		}
	}
}
