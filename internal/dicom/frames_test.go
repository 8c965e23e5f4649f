package dicom

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// frameBytes cuts frame i out of the file.
func frameBytes(file []byte, h *Header, i int) []byte {
	var out []byte
	for span := range slices.Chunk(h.Frames.Spans(i), 2) {
		out = append(out, file[span[0]:span[0]+span[1]]...)
	}
	return out
}

func TestFramesOfEncapsulatedPixelData(t *testing.T) {
	soi := func(c byte) []byte { return []byte{0xFF, 0xD8, 0xFF, c} }
	rest := []byte{9, 9, 9, 9}
	one, two, three := soi(1), soi(2), soi(3)
	table := func(offsets ...uint32) []byte {
		var b []byte
		for _, o := range offsets {
			b = binary.LittleEndian.AppendUint32(b, o)
		}
		return b
	}
	extended := func(values ...uint64) []byte {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		return b
	}
	tests := []struct {
		name      string
		count     string
		offsets   []byte
		lengths   []byte // of the Extended Offset Table
		basic     []byte
		fragments [][]byte
		want      [][]byte // nil: no table
	}{
		{"one frame has all fragments", "1", nil, nil, nil, [][]byte{one, rest}, [][]byte{append(one, rest...)}},
		{"one fragment a frame", "2", nil, nil, nil, [][]byte{rest, rest}, [][]byte{rest, rest}},
		{"the basic offset table divides fragments", "2", nil, nil, table(0, 24), [][]byte{rest, rest, rest}, [][]byte{append(rest, rest...), rest}},
		{"the extended offset table divides frames and knows their lengths", "2", extended(0, 12), extended(3, 4), nil, [][]byte{one, rest}, [][]byte{one[:3], rest}},
		{"a basic offset table that fits no fragment is ignored", "2", nil, nil, table(0, 13), [][]byte{one, two}, [][]byte{one, two}},
		{"without a table codestreams begin frames", "2", nil, nil, nil, [][]byte{one, rest, three, rest}, [][]byte{append(one, rest...), append(three, rest...)}},
		{"frames that cannot be told apart have no table", "2", nil, nil, nil, [][]byte{rest, rest, rest}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := instance("1.2.840.10008.1.2.4.50").text(tagFrameCount, "IS", tt.count)
			if tt.offsets != nil {
				b.put(tagEOT, "OV", tt.offsets).put(tagEOTLen, "OV", tt.lengths)
			}
			b.open(tagPixel, "OB").fragment(tt.basic)
			for _, f := range tt.fragments {
				b.fragment(f)
			}
			b.endSequence()
			h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if h.Frames.Len() != len(tt.want) {
				t.Fatalf("%d frames, want %d; %q", h.Frames.Len(), len(tt.want), h.Warnings)
			}
			for i, want := range tt.want {
				if got := frameBytes(b.Bytes(), h, i); !bytes.Equal(got, want) {
					t.Errorf("frame %d is %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

func TestVideoIsOnePart(t *testing.T) {
	b := instance("1.2.840.10008.1.2.4.102").text(tagFrameCount, "IS", "300").open(tagPixel, "OB").fragment(nil).fragment([]byte("mpeg")).endSequence()
	h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
	if err != nil || h.Frames.Len() != 1 {
		t.Fatalf("%d parts, %v", h.Frames.Len(), err)
	}
}

func TestOneBitFramesThatShareBytesHaveNoTable(t *testing.T) {
	b := instance(explicitLittle).text(tagFrameCount, "IS", "2").image(3, 3, 1).put(tagPixel, "OB", make([]byte, 4))
	h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
	if err != nil || h.Frames != nil {
		t.Fatalf("frames %+v, %v", h.Frames, err)
	}
}

// TestFramesAreTheSameWithAndWithoutOffsetTable reads the same ten JPEG-LS images from two real files.
func TestFramesAreTheSameWithAndWithoutOffsetTable(t *testing.T) {
	const with, without = "transfer-syntax/emri_small_jpls_1k_fragment_with_offset_table.dcm", "transfer-syntax/emri_small_jpls_1k_fragment_no_offset_table.dcm"
	a, b := scanCorpus(t, with, Limits{}), scanCorpus(t, without, Limits{})
	if a.Frames.Len() != 10 || b.Frames.Len() != 10 {
		t.Fatalf("%d and %d frames, want 10", a.Frames.Len(), b.Frames.Len())
	}
	for i := range 10 {
		x, y := frameBytes(corpusFile(t, with), a, i), frameBytes(corpusFile(t, without), b, i)
		if !bytes.Equal(x, y) || !bytes.HasPrefix(x, []byte{0xFF, 0xD8}) {
			t.Errorf("frame %d differs, or is no JPEG-LS codestream", i+1)
		}
	}
}
