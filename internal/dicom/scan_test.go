package dicom

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"concord/hub"
	"concord/internal/dicom/dict"
)

func TestScanFile(t *testing.T) {
	jpeg := []byte{0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3, 4}
	tests := []struct {
		name string
		file *builder
		want string // part of the error; empty for success
	}{
		{"an instance without pixels is accepted", instance(explicitLittle), ""},
		{"implicit VR is read", instance(implicitLittle), ""},
		{"big endian is read", instance(explicitBig), ""},
		{"an unknown private syntax is read as explicit little endian", instance("1.2.3.4.5.6.7"), ""},
		{"pixel data larger than described is accepted", instance(explicitLittle).image(2, 2, 8).put(tagPixel, "OW", make([]byte, 6)), ""},
		{"pixel data smaller than described is refused", instance(explicitLittle).image(2, 2, 16).put(tagPixel, "OW", make([]byte, 6)), "holds less"},
		{"rows times columns beyond 32 bits are refused", instance(explicitLittle).image(65535, 65535, 65535).put(tagPixel, "OW", make([]byte, 6)), "holds less"},
		{"fewer fragments than frames are refused", instance("1.2.840.10008.1.2.4.50").text(tagFrameCount, "IS", "3").open(tagPixel, "OB").fragment(nil).fragment(jpeg).endSequence(), "1 fragments for 3 frames"},
		{"a value longer than its item is refused", instance(explicitLittle).sequenceOf(0x00081140, 12, func(b *builder) { b.header(0x00081150, "UI", 200) }), "its item has 4 left"},
		{"an item longer than its sequence is refused", instance(explicitLittle).lyingSequence(), "more than its parent has"},
		{"a string of undefined length is refused", instance(explicitLittle).open(0x00420011, "UT"), "undefined length"},
		{"a sequence that holds an element is refused", instance(explicitLittle).open(0x00081140, "SQ").text(0x00081150, "UI", "1.2"), "where an item must begin"},
		{"an item outside a sequence is refused", instance(explicitLittle).item(0), "outside a sequence"},
		{"a study UID with letters is refused", newBuilder(explicitLittle).identity("1.2.x", "1.2.3.4", "1.2.3.4.5"), "StudyInstanceUID: is not a UID"},
		{"a study UID that climbs folders is refused", newBuilder(explicitLittle).identity("1..2", "1.2.3.4", "1.2.3.4.5"), "StudyInstanceUID: is not a UID"},
		{"an open sequence at the end is refused", instance(explicitLittle).open(0x00081140, "SQ"), "ends inside (0008,1140)"},
		{"zeros behind the data set are tolerated", instance(explicitLittle).raw(make([]byte, 100)), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{bytes.NewReader(tt.file.Bytes()), iotest.OneByteReader(bytes.NewReader(tt.file.Bytes())),
				bufio.NewReaderSize(bytes.NewReader(tt.file.Bytes()), 16)} {
				h, err := ScanFile(r, Limits{})
				if tt.want == "" {
					if err != nil {
						t.Fatal(err)
					}
					if h.SOPInstanceUID != "1.2.3.4.5" || h.StudyInstanceUID != "1.2.3" || h.Size != int64(tt.file.Len()) {
						t.Errorf("read %q of study %q, %d bytes", h.SOPInstanceUID, h.StudyInstanceUID, h.Size)
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got %v, want %q", err, tt.want)
				}
				if k := hub.KindOf(err); k != hub.Invalid && k != hub.TooLarge {
					t.Errorf("kind is %v", k)
				}
			}
		})
	}
}

func (b *builder) raw(p []byte) *builder { b.Write(p); return b }

// open begins a value of undefined length.
func (b *builder) open(tag Tag, vr string) *builder {
	b.header(tag, vr, anyLength)
	return b
}

// sequenceOf writes a sequence with one item that declares length bytes.
func (b *builder) sequenceOf(tag Tag, length uint32, content func(*builder)) *builder {
	b.open(tag, "SQ").item(length)
	content(b)
	return b.endSequence()
}

func (b *builder) lyingSequence() *builder {
	b.header(0x00081140, "SQ", 16)
	return b.item(64).raw(make([]byte, 64))
}

// TestEveryTruncationIsNoticed cuts an instance at each byte: all but the cuts between elements of the data set behind
// the UIDs must be refused, none may panic.
func TestEveryTruncationIsNoticed(t *testing.T) {
	file := instance(explicitLittle).
		sequenceOf(0x00081140, anyLength, func(b *builder) { b.text(0x00081150, "UI", "1.2").endItem() }).
		image(4, 4, 8).put(tagPixel, "OB", make([]byte, 16)).Bytes()
	accepted := 0
	for n := range len(file) {
		h, err := ScanFile(bytes.NewReader(file[:n]), Limits{})
		switch {
		case err == nil:
			accepted++
			if h.Frames != nil {
				t.Errorf("cut at %d of %d has frames", n, len(file))
			}
		case hub.KindOf(err) != hub.Invalid:
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if accepted != 6 { // behind the series UID, the sequence and the four image attributes
		t.Errorf("%d cuts were accepted, want the 6 between elements", accepted)
	}
}

// TestLyingLengthsAllocateNothing declares 2 GB in files of some hundred bytes, wherever a length can stand.
func TestLyingLengthsAllocateNothing(t *testing.T) {
	lies := map[string]*builder{
		"a text of 2 GB":               lie(instance(explicitLittle), 0x00420010, "UT", 1<<31),
		"a binary value of 2 GB":       lie(instance(explicitLittle), 0x00420011, "OB", 1<<31),
		"a name of 2 GB":               lie(instance(implicitLittle), 0x00400310, "LO", 1<<31),
		"pixel data of 4 GB":           lie(instance(explicitLittle).image(9999, 9999, 16), tagPixel, "OW", 1<<32-2),
		"a fragment of 2 GB":           instance("1.2.840.10008.1.2.4.50").open(tagPixel, "OB").item(1 << 31),
		"a second fragment of 2 GB":    instance("1.2.840.10008.1.2.4.50").open(tagPixel, "OB").item(0).item(1 << 31),
		"an extended table of 2 GB":    lie(instance(explicitLittle), tagEOT, "OV", 1<<31),
		"an item of 2 GB":              instance(explicitLittle).open(0x00081140, "SQ").item(1 << 31),
		"a sequence of 2 GB":           lie(instance(explicitLittle), 0x00081140, "SQ", 1<<31),
		"2 GB of File Meta":            metaOf(1 << 31),
		"a table of 2^31 empty frames": instance("1.2.840.10008.1.2.4.50").text(tagFrameCount, "IS", "2147483647").open(tagPixel, "OB").fragment(nil).fragment([]byte{1, 2}).endSequence(),
	}
	for name, file := range lies {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ScanFile(bytes.NewReader(file.Bytes()), Limits{})
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if all := after.TotalAlloc - before.TotalAlloc; all > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, all, file.Len())
		}
	}
}

func lie(b *builder, tag Tag, vr string, length uint32) *builder {
	b.header(tag, vr, length)
	return b.raw([]byte("abcd"))
}

func metaOf(length uint32) *builder {
	b := &builder{order: binary.LittleEndian}
	b.Write(make([]byte, preamble))
	b.WriteString("DICM")
	b.header(0x00020001, "OB", length)
	return b
}

// endless is a stream that repeats a pattern for ever.
type endless struct {
	pattern []byte
	at      int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.pattern[e.at]
		e.at = (e.at + 1) % len(e.pattern)
	}
	return len(p), nil
}

// TestEndlessStreamsEndAtALimit feeds streams without end: small elements, empty items, fragments, names.
func TestEndlessStreamsEndAtALimit(t *testing.T) {
	element := newBuilder(explicitLittle)
	element.Reset()
	element.text(0x00104000, "LT", "again and again ")
	item := &builder{order: binary.LittleEndian}
	item.item(0)
	long := &builder{order: binary.LittleEndian}
	long.text(0x00100010, "PN", strings.Repeat("x", 60000))
	tests := map[string]struct {
		start   *builder
		pattern []byte
	}{
		"elements":  {instance(explicitLittle), element.Bytes()},
		"names":     {instance(explicitLittle), long.Bytes()},
		"items":     {instance(explicitLittle).open(0x00081140, "SQ"), item.Bytes()},
		"fragments": {instance("1.2.840.10008.1.2.4.50").open(tagPixel, "OB"), item.Bytes()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := ScanFile(io.MultiReader(bytes.NewReader(tt.start.Bytes()), &endless{pattern: tt.pattern}), Limits{})
			runtime.ReadMemStats(&after)
			if !hub.Is(err, hub.TooLarge) {
				t.Error(err)
			}
			if all := after.TotalAlloc - before.TotalAlloc; all > 128<<20 { // of which growing buffers leave most behind
				t.Errorf("%d MB allocated in all", all>>20)
			}
		})
	}
}

func TestDeflatedDataSetIsReadAndItsOffsetsCountInflatedBytes(t *testing.T) {
	plain := instance(explicitLittle).image(2, 2, 8).put(tagPixel, "OB", []byte{1, 2, 3, 4})
	meta := newBuilder(deflated)
	body := plain.Bytes()[newBuilder(explicitLittle).Len():]
	var packed bytes.Buffer
	z, _ := flate.NewWriter(&packed, 9)
	z.Write(body)
	z.Close()
	file := append(bytes.Clone(meta.Bytes()), packed.Bytes()...)
	file = append(file, 0) // padded to an even length, as writers do

	h, err := ScanFile(bytes.NewReader(file), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !h.Deflated || h.Size != int64(len(file)) {
		t.Errorf("deflated %v, size %d of %d", h.Deflated, h.Size, len(file))
	}
	inflated, err := io.ReadAll(Inflated(bytes.NewReader(file), h.DataSet))
	if err != nil {
		t.Fatal(err)
	}
	span := h.Frames.Spans(0)
	if got := inflated[span[0] : span[0]+span[1]]; !bytes.Equal(got, []byte{1, 2, 3, 4}) {
		t.Errorf("frame is %v", got)
	}
	if _, err := ScanFile(bytes.NewReader(file[:len(file)-12]), Limits{}); !hub.Is(err, hub.Invalid) {
		t.Errorf("truncated: %v", err)
	}
	if _, err := ScanFile(bytes.NewReader(file), Limits{Inflated: 100}); !hub.Is(err, hub.TooLarge) {
		t.Errorf("over its limit: %v", err)
	}
}

func TestReaderErrorsAreReturnedAsTheyAre(t *testing.T) {
	broken := errors.New("connection reset")
	file := ctFile()
	for _, n := range []int{0, 100, 140, 700, 3000, len(file) - 10, len(file)} {
		_, err := ScanFile(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)), Limits{})
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestUNOfUndefinedLengthIsASequenceInImplicitVR(t *testing.T) {
	b := instance(explicitLittle).open(0x00091010, "UN")
	b.implicit = true
	b.item(anyLength).text(0x00081150, "UI", "1.2.9").endItem().endSequence()
	b.implicit = false
	h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := h.Find(0x00091010)
	for item := range h.Items(e) {
		for inner := range item {
			if inner.Tag == 0x00081150 && inner.VR == dict.UI && trimUID(inner.Value) == "1.2.9" {
				return
			}
		}
	}
	t.Errorf("the item was not read: %+v", e)
}

func TestLargeValuesStayInTheStreamWithTheirPlace(t *testing.T) {
	large := bytes.Repeat([]byte("pdf "), 2000)
	b := instance(explicitLittle)
	b.sequenceOf(0x00081140, anyLength, func(b *builder) { b.put(0x00420011, "OB", large).endItem() })
	b.put(0x00420011, "OB", large)
	h, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	bulks := h.Bulks()
	if len(bulks) != 2 || bulks[0].Path != "00081140/1/00420011" || bulks[1].Path != "00420011" {
		t.Fatalf("bulks are %+v", bulks)
	}
	for _, v := range bulks {
		if got := b.Bytes()[v.Offset : v.Offset+v.Length]; !bytes.Equal(got, large) {
			t.Errorf("%s: other bytes lie there", v.Path)
		}
	}
	if body := string(AppendJSON(nil, h, JSONOptions{})); !strings.Contains(body, `"BulkDataURI":"bulk/00081140/1/00420011"`) {
		t.Errorf("JSON does not refer to it: %s", body)
	}
}

// TestABrokenConnectionIsNoEnd scans a file whose last element has come when the connection breaks off.
func TestABrokenConnectionIsNoEnd(t *testing.T) {
	for _, name := range []string{"transfer-syntax/CT_small.dcm", "transfer-syntax/MR_small_RLE.dcm", "transfer-syntax/image_dfl.dcm"} {
		data := corpusFile(t, name)
		broken := io.MultiReader(bytes.NewReader(data), iotest.ErrReader(io.ErrUnexpectedEOF))
		if _, err := ScanFile(broken, Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s over a broken connection: %v", name, err)
		}
	}
}
