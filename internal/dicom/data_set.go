package dicom

import (
	"bytes"
	"io"
)

// DataSetOf passes over preamble and group 2 of a stored instance, as ScanFile reads them, and returns what follows: the
// data set as C-STORE sends it. syntax is the transfer syntax, declared or inferred.
func DataSetOf(file io.Reader) (set io.Reader, syntax string, err error) {
	s := newScanner(file, Limits{})
	if syntax, err = s.fileMeta(); err != nil {
		return nil, "", err
	}
	ahead := bytes.NewReader(s.src.buf[s.src.lo:s.src.hi])
	if s.src.err == io.EOF {
		return ahead, syntax, nil
	}
	return io.MultiReader(ahead, file), syntax, nil
}
