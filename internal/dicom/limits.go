package dicom

import (
	"fmt"
	"io"
	"iter"

	"concord/hub"
	"concord/internal/dicom/dict"
)

// Tag and VR are those of the data dictionary.
type (
	Tag = dict.Tag
	VR  = dict.VR
)

// Limits bounds a scan. The zero value of each field means its default.
type Limits struct {
	// Header is the greatest memory for the tape and the values kept: 16 MiB.
	Header int
	// Inline is the greatest binary value that is kept: 4 KiB. Other values that DICOM JSON may leave out are kept up to
	// sixteen times as much, and 256 bytes once half of Header is used.
	Inline int
	// Depth is how deep sequences may nest: 64.
	Depth int
	// Inflated is the greatest size of a deflated data set once inflated: 2 GiB. A ratio beyond 200 is refused from
	// 64 MiB on.
	Inflated int64
	// Lenient turns some refusals into warnings: pixel data that is truncated or shorter than its description.
	Lenient bool
	// HeaderOnly ends the scan at the pixel data, of which the header then has the element without its length. Size and
	// Frames are not known.
	HeaderOnly bool
	// Bulk, where set, is called for each value that is left in the stream, pixel data excepted, when the scan comes by it:
	// before are the elements of the same data set or item that came before e, value its bytes. What is not read of them is
	// skipped; an error ends the scan and is returned.
	Bulk func(before iter.Seq[Element], e Element, value io.Reader) error
}

func (l Limits) withDefaults() Limits {
	if l.Header <= 0 {
		l.Header = 16 << 20
	}
	if l.Inline <= 0 {
		l.Inline = 4 << 10
	}
	if l.Depth <= 0 {
		l.Depth = 64
	}
	if l.Inflated <= 0 {
		l.Inflated = 2 << 30
	}
	return l
}

func invalid(path, format string, args ...any) *hub.Error {
	return &hub.Error{Kind: hub.Invalid, Path: path, Msg: fmt.Sprintf(format, args...)}
}

func tooLarge(path, format string, args ...any) *hub.Error {
	return &hub.Error{Kind: hub.TooLarge, Path: path, Msg: fmt.Sprintf(format, args...)}
}
