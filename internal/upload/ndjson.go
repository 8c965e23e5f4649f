package upload

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	linesPerBatch = 200
	bytesPerBatch = 8 << 20
	longestLine   = 16 << 20
)

// knowsNDJSON recognises one resource a line by the file's name: what bulk exports write.
func knowsNDJSON(name string, head []byte) (string, bool) {
	return "", strings.HasSuffix(name, ".ndjson") && beginsObject(head)
}

// sendNDJSON sends a file of resources as batch Bundles, one after the other. The journal remembers each
// batch by the line it ends with, so that a long file is taken up where it stopped.
func sendNDJSON(ctx context.Context, c *client, files []File) ([]outcome, error) {
	f := files[0]
	r, err := f.open()
	if err != nil {
		return []outcome{refused("", err.Error())}, nil
	}
	defer r.Close()
	defer c.moved(f.Size)
	s := &lineSender{client: c, file: f, lines: bufio.NewReaderSize(r, 64<<10)}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	if s.out.status == Sent {
		s.out.sha256 = digest(f)
	}
	return []outcome{s.out}, nil
}

// lineSender is one NDJSON file on its way.
type lineSender struct {
	client *client
	file   File
	lines  *bufio.Reader
	number int // of the last line read
	out    outcome

	// The batch that is being gathered.
	entries bytes.Buffer
	numbers []int // the line of each entry
	creates bool  // an entry has no id: sending it twice would make two
}

func (s *lineSender) run(ctx context.Context) error {
	for {
		line, err := s.next()
		if err != nil && !errors.Is(err, io.EOF) {
			s.refuse(s.number, "", err.Error())
			return s.flush(ctx)
		}
		if len(line) > 0 {
			s.add(line)
		}
		end := errors.Is(err, io.EOF)
		if !end && len(s.numbers) < linesPerBatch && s.entries.Len() < bytesPerBatch {
			continue
		}
		if err := s.flush(ctx); err != nil || end {
			return err
		}
		if s.client.stopping() {
			s.out = outcome{status: Unsent}
			return nil
		}
	}
}

// next reads a line, bounded; io.EOF comes with the last one.
func (s *lineSender) next() ([]byte, error) {
	var line []byte
	s.number++
	for {
		piece, err := s.lines.ReadSlice('\n')
		line = append(line, piece...)
		if len(line) > longestLine {
			return nil, fmt.Errorf("line longer than %d MB", longestLine>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

// add puts one resource into the batch.
func (s *lineSender) add(line []byte) {
	var r resource
	if err := json.Unmarshal(line, &r); err != nil || r.ResourceType == "" {
		s.refuse(s.number, "", "not a FHIR resource")
		return
	}
	method, path := r.door()
	s.creates = s.creates || method != http.MethodPut
	if len(s.numbers) > 0 {
		s.entries.WriteByte(',')
	}
	fmt.Fprintf(&s.entries, `{"request":{"method":%q,"url":%q},"resource":%s}`, method, strings.TrimPrefix(path, "/fhir/"), line)
	s.numbers = append(s.numbers, s.number)
}

// flush sends the batch and books the refusals among its entries by line.
func (s *lineSender) flush(ctx context.Context) error {
	defer s.clear()
	part := s.file
	part.Path = fmt.Sprintf("%s#%d", s.file.Path, s.number)
	if len(s.numbers) == 0 || s.client.journal.has(part) {
		return nil
	}
	body := append([]byte(`{"resourceType":"Bundle","type":"batch","entry":[`), s.entries.Bytes()...)
	ans, err := s.client.sendJSON(ctx, http.MethodPost, "/fhir", append(body, "]}"...), !s.creates)
	if err != nil {
		return err
	}
	o := fhirOutcome(ans, true)
	if o.status == Sent {
		return s.client.journal.add(part, "")
	}
	s.out.again = s.out.again || o.again
	if len(o.notes) == 0 {
		s.refuse(s.numbers[0], o.code, fmt.Sprintf("this line and %d more: %s", len(s.numbers)-1, o.reason))
	}
	for _, n := range o.notes {
		if n.entry < len(s.numbers) {
			s.refuse(s.numbers[n.entry], n.Code, n.Reason)
		}
	}
	return nil
}

func (s *lineSender) clear() {
	s.entries.Reset()
	s.numbers, s.creates = s.numbers[:0], false
}

func (s *lineSender) refuse(line int, code, reason string) {
	s.out.status, s.out.code = Refused, code
	s.out.notes = append(s.out.notes, Note{Path: fmt.Sprintf("line %d", line), Code: code, Reason: reason})
	s.out.reason = fmt.Sprintf("%d of its lines were refused", len(s.out.notes))
}
