package upload

import (
	"context"
	"io"
	"time"
)

// Kind is a sort of file. A new one is one row in kinds and one send function.
type Kind struct {
	Name string // in the closing table
	// knows looks at the first bytes of the file and its name without .gz. It returns the
	// identity by which the hub's answer names the file, or "" where there is none.
	knows func(name string, head []byte) (id string, ok bool)
	// most is how many files may share a request.
	most int
	// send returns one outcome a file. An error means that no other file will fare better.
	send func(ctx context.Context, c *client, files []File) ([]outcome, error)
}

// kinds is what can be sent, in the order of asking.
func kinds() []*Kind {
	return []*Kind{
		{Name: "DICOM", knows: knowsDICOM, most: 10, send: sendSTOW},
		{Name: "ECG", knows: knowsECG, most: 1, send: sendECG},
		{Name: "FHIR NDJSON", knows: knowsNDJSON, most: 1, send: sendNDJSON},
		{Name: "FHIR", knows: knowsFHIR, most: 1, send: sendFHIR},
	}
}

// File is one thing to send.
type File struct {
	Path string // absolute; a member of an archive is archive.zip!/member
	Size int64  // of what is sent: a .gz file is unpacked
	Mod  time.Time
	kind *Kind
	id   string
	open func() (io.ReadCloser, error)
}

// Status is what became of a file.
type Status uint8

const (
	Sent    Status = iota // acknowledged by the hub in this run
	There                 // the hub said that it has it already
	Resumed               // acknowledged in an earlier run, by its journal
	Refused               // the hub will not have it, or it cannot be read
	Unsent                // the run ended before its turn or before its answer
	Strange               // none of the kinds after all, so not sent
)

// outcome is a Status with its reasons.
type outcome struct {
	status Status
	code   string // protocol's code: HTTP status, DICOM status
	reason string
	sha256 string // of the file's bytes as read, when acknowledged
	again  bool   // another round may end otherwise
	// unnamed says that the answer to a batch did not tell what became of this file.
	unnamed bool
	notes   []Note // refusals inside the file (a line, a bundle entry) and warnings
}

func refused(code, reason string) outcome {
	return outcome{status: Refused, code: code, reason: reason}
}
