package dicom

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"testing"
)

// Large values of items are offered in passing, with what came before them in their item, and need not be read to the end.
func TestLargeValuesAreOfferedWithTheirItem(t *testing.T) {
	const large = 6000
	b := newBuilder(explicitLittle)
	b.identity("1.2.3", "1.2.3.4", "1.2.3.4.5")
	b.header(0x54000100, "SQ", anyLength)
	for i := range 2 {
		b.item(anyLength).number(0x54001004, uint16(8+i))
		b.put(0x54001010, "OW", bytes.Repeat([]byte{byte(i + 1)}, large)).endItem()
	}
	b.endSequence()
	var got []int64
	offer := func(before iter.Seq[Element], e Element, value io.Reader) error {
		n := 0
		for v := range before {
			n++
			bits, _ := v.Int()
			got = append(got, bits)
		}
		one := make([]byte, 1)
		if _, err := io.ReadFull(value, one); err != nil || n != 1 || e.Length != large || e.Tag != 0x54001010 {
			t.Errorf("%d elements before %v of %d bytes: %v", n, e.Tag, e.Length, err)
		}
		got = append(got, int64(one[0]))
		return nil
	}
	if _, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{Bulk: offer}); err != nil {
		t.Fatal(err)
	}
	if want := []int64{8, 1, 9, 2}; len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
		t.Errorf("offered %v", got)
	}
	stop := errors.New("enough")
	_, err := ScanFile(bytes.NewReader(b.Bytes()), Limits{Bulk: func(iter.Seq[Element], Element, io.Reader) error { return stop }})
	if !errors.Is(err, stop) {
		t.Errorf("the error of who was offered a value becomes %v", err)
	}
	if _, err = ScanFile(bytes.NewReader(b.Bytes()[:b.Len()-large]), Limits{Bulk: offer}); err == nil {
		t.Error("a value cut short is taken for whole")
	}
}
