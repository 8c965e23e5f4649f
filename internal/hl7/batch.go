package hl7

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"concord/hub"
)

// Batch is what was sent at once (2.10.3): a file of batches (FHS … FTS), a batch (BHS … BTS), or messages one after the
// other without either.
type Batch struct {
	// Messages are the bytes of each message; they share the memory of what was sent.
	Messages [][]byte
	// File and Header are FHS and the first BHS as sent, empty where there are none.
	File, Header string
	// Warnings tell what the trailers count differently.
	Warnings []*hub.Error
}

// IsBatch tells whether what was sent has the headers of a batch.
func (b *Batch) IsBatch() bool { return b.File != "" || b.Header != "" }

// Split takes apart what was sent, without parsing it: a message begins with each line that begins with MSH. Splitting at
// lines is safe in every character set that is taken, except UTF-16 and UTF-32, in which a batch is one message.
//
// What has no message gives one that is all of it, for Parse to say what is wrong. More than most messages are TooLarge.
func Split(raw []byte, most int) (Batch, error) {
	b := Batch{}
	begin, counted, begun := -1, 0, 0
	var count string
	end := func(at int) {
		if begin >= 0 {
			b.Messages = append(b.Messages, raw[begin:at])
			begin = -1
		}
	}
	for at := 0; at < len(raw); {
		next := at
		if i := bytes.IndexAny(raw[at:], "\r\n"); i >= 0 {
			next += i
		} else {
			next = len(raw)
		}
		line := raw[at:next]
		if at == 0 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if name := headerName(line); name != "" {
			end(at)
			switch name {
			case "MSH":
				if len(b.Messages) == most {
					return b, tooLarge("", "the batch has more than %d messages", most)
				}
				if begin = at; len(b.Messages) == 0 {
					begun = at
				}
			case "FHS":
				b.File = string(line)
			case "BHS":
				if b.Header == "" {
					b.Header = string(line)
				}
				counted = len(b.Messages)
			case "BTS":
				count = part(string(line), line[3], 2)
				if n := len(b.Messages) - counted; digits(count) && len(count) < 9 && decimal(count) != n {
					b.Warnings = append(b.Warnings, &hub.Error{Kind: hub.Invalid, Path: "BTS-1", Msg: fmt.Sprintf("the batch says that it has %d messages, and has %d", decimal(count), n)})
				}
			}
		}
		at = next + 1
	}
	end(len(raw))
	switch {
	case b.IsBatch():
	case len(b.Messages) < 2:
		b.Messages = [][]byte{raw} // to the last byte
	default:
		b.Messages[0] = raw[:begun+len(b.Messages[0])] // with what stands before it, for Parse to see
	}
	return b, nil
}

// headerName tells which of the segments that order messages a line is, if any.
func headerName(line []byte) string {
	if len(line) < 4 || !mayDelimit(line[3]) {
		return ""
	}
	switch name := string(line[:3]); name {
	case "MSH", "FHS", "BHS", "BTS", "FTS":
		return name
	}
	return ""
}

// Reply makes one answer of the answers to the messages of a batch, a batch itself, with the sender's headers turned round and
// its delimiters. What the trailers counted differently is told in BTS-2.
func (b *Batch) Reply(answers [][]byte, control string) []byte {
	var out bytes.Buffer
	of := func(sent string) Delimiters {
		d, err := delimitersOf(sent)
		if err != nil {
			d = StandardDelimiters()
		}
		return d
	}
	header := func(name, sent string) {
		in := of(sent)
		f := func(n int) string { return part(sent, in.Field, n) }
		m := NewDraft(in)
		m.Add(name).SetRaw(3, f(5)).SetRaw(4, f(6)).SetRaw(5, f(3)).SetRaw(6, f(4)).SetRaw(11, control).SetRaw(12, f(11))
		out.WriteString(strings.ToValidUTF8(m.String(), "?"))
	}
	if b.File != "" {
		header("FHS", b.File)
	}
	if b.Header != "" {
		header("BHS", b.Header)
	}
	for _, a := range answers {
		out.Write(a)
	}
	if b.Header != "" {
		trailer := NewDraft(of(b.Header))
		segment := trailer.Add("BTS").Set(1, strconv.Itoa(len(answers)))
		for _, w := range b.Warnings[:min(1, len(b.Warnings))] {
			segment.Set(2, w.Msg)
		}
		out.WriteString(trailer.String())
	}
	if b.File != "" {
		fmt.Fprintf(&out, "FTS%c1\r", of(b.File).Field)
	}
	return out.Bytes()
}
