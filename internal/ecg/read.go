package ecg

import (
	"bytes"
	"fmt"
	"io"

	"concord/hub"
)

// Limits bound a reading. The zero value of a field means its default.
type Limits struct {
	// Bytes of the file: 1 GiB; of an SCP-ECG record 64 MiB at most.
	Bytes int64
	// Samples of all leads together: 256 Mi, which is a day of twelve leads at 250 a second; of
	// an SCP-ECG record 16 Mi at most.
	Samples int
	// Leads of all groups together: 256. Marks are annotations, measurements and statements: 65,536 of each.
	Leads, Marks int
	// Depth is how deep XML and DICOM sequences may nest: 64.
	Depth int
}

func (l Limits) withDefaults() Limits {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if l.Bytes <= 0 {
		l.Bytes = 1 << 30
	}
	or(&l.Samples, 256<<20)
	or(&l.Leads, 256)
	or(&l.Marks, 1<<16)
	or(&l.Depth, 64)
	return l
}

// Head is how many of a file's first bytes Detect wants to see; fewer may do.
const Head = 4096

// Read reads a recording in whichever format its first bytes show, to the end of r. A format that is known but not read
// is an Unsupported error whose Path is the format's name; so is one not known, with Path empty. Damaged content is an
// Invalid error, more than Limits allow a TooLarge one; a failing r gives r's own error.
func Read(r io.Reader, limits Limits) (*Recording, error) {
	head := make([]byte, Head)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	whole := io.MultiReader(bytes.NewReader(head[:n]), r)
	switch format := Detect(head[:n]); format {
	case AECG:
		return ReadAECG(whole, limits)
	case DICOM:
		return ReadDICOM(whole, limits)
	case SCP:
		return ReadSCP(whole, limits)
	case Opaque:
		return nil, unsupported("", "the format of the recording is not known")
	default:
		return nil, unsupported(string(format), "recordings in %s are not read", format)
	}
}

func invalid(path, format string, args ...any) *hub.Error {
	return &hub.Error{Kind: hub.Invalid, Path: path, Msg: fmt.Sprintf(format, args...)}
}

func tooLarge(path, format string, args ...any) *hub.Error {
	return &hub.Error{Kind: hub.TooLarge, Path: path, Msg: fmt.Sprintf(format, args...)}
}

func unsupported(path, format string, args ...any) *hub.Error {
	return &hub.Error{Kind: hub.Unsupported, Path: path, Msg: fmt.Sprintf(format, args...)}
}
