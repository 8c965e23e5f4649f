package dicom

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	peer "github.com/suyashkumar/dicom"

	"concord/internal/dicom/dict"
)

// TestScannerAgreesWithAnotherParser compares tags, lengths of multiplicity and strings of every corpus file that
// suyashkumar/dicom can read with what the scanner found.
func TestScannerAgreesWithAnotherParser(t *testing.T) {
	compared := 0
	for _, name := range corpusNames(t) {
		if strings.HasPrefix(name, "hostile") {
			continue // the peer allocates what they declare
		}
		data := corpusFile(t, name)
		h, err := ScanFile(bytes.NewReader(data), Limits{Inline: 1 << 20})
		if err != nil {
			continue
		}
		theirs, err := parseWithPeer(data)
		if err != nil {
			t.Logf("%s: the peer cannot read it: %v", name, err)
			continue
		}
		compared++
		comparePeer(t, name, h, theirs)
	}
	if compared < 80 {
		t.Errorf("only %d files were compared", compared)
	}
}

func parseWithPeer(data []byte) (set peer.Dataset, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return peer.Parse(bytes.NewReader(data), int64(len(data)), nil, peer.SkipPixelData(), peer.AllowMismatchPixelDataLength())
}

func comparePeer(t *testing.T, name string, h *Header, theirs peer.Dataset) {
	got := map[Tag]Element{}
	for e := range h.Elements() {
		got[e.Tag] = e
	}
	seen := 0
	for _, want := range theirs.Elements {
		tag := Tag(want.Tag.Group)<<16 | Tag(want.Tag.Element)
		if tag.Group() == 2 {
			continue
		}
		seen++
		e, ok := got[tag]
		if !ok {
			t.Errorf("%s: %v is missing", name, tag)
			continue
		}
		values, ok := want.Value.GetValue().([]string)
		if !ok || e.VR.Text() || e.Bulk || e.VR == dict.UN {
			continue // the peer decodes text by charset in its own way; patient names have their own test
		}
		ours := texts(e, nil)
		if len(e.Value) == 0 {
			continue
		}
		for i := range min(len(ours), len(values)) {
			if w := strings.Trim(values[i], " \x00"); e.VR.Characters() && ours[i] != w {
				t.Errorf("%s: %v value %d is %q, the peer has %q", name, tag, i+1, ours[i], w)
			}
		}
	}
	if seen != len(got) {
		t.Errorf("%s: %d elements, the peer has %d", name, len(got), seen)
	}
}
