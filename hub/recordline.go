package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// appendLine writes a record as readHead reads it best, without its newline.
func (r *Record) appendLine(b []byte) (_ []byte, err error) {
	b = AppendText(append(b, `{"type":`...), r.Name.Type)
	b = AppendText(append(b, `,"id":`...), r.Name.ID)
	b = strconv.AppendUint(append(b, `,"num":`...), r.Num, 10)
	b = strconv.AppendUint(append(b, `,"version":`...), r.Version, 10)
	if r.Deleted {
		b = append(b, `,"deleted":true`...)
	}
	b = AppendText(append(b, `,"member":`...), r.Member)
	if b, err = r.Time.AppendText(append(b, `,"time":"`...)); err != nil {
		return nil, err
	}
	b = append(b, '"')
	if r.Prev.Seq != 0 {
		b = strconv.AppendUint(append(b, `,"prev":{"seq":`...), r.Prev.Seq, 10)
		b = strconv.AppendUint(append(b, `,"off":`...), uint64(r.Prev.Off), 10)
		b = strconv.AppendUint(append(b, `,"len":`...), uint64(r.Prev.Len), 10)
		b = append(b, '}')
	}
	if r.Blob != nil {
		if b, err = r.Blob.appendJSON(append(b, `,"blob":`...)); err != nil {
			return nil, err
		}
	}
	if len(r.Body) > 0 {
		if bytes.IndexByte(r.Body, '\n') >= 0 {
			return nil, errors.New("its body has a line break")
		}
		b = append(append(b, bodyMark...), r.Body...)
	}
	return append(b, '}'), nil
}

func (l *Blob) appendJSON(b []byte) ([]byte, error) {
	b = AppendText(append(b, `{"key":`...), l.place())
	b = strconv.AppendInt(append(b, `,"size":`...), l.Size, 10)
	b = AppendText(append(b, `,"sha256":`...), l.SHA256)
	if l.Media != "" {
		b = AppendText(append(b, `,"media":`...), l.Media)
	}
	if l.Parts != nil {
		parts, err := json.Marshal(l.Parts)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"parts":`...), parts...)
	}
	if l.Remark != "" {
		b = AppendText(append(b, `,"remark":`...), l.Remark)
	}
	return append(b, '}'), nil
}

// place is how a line says where a blob begins: its key, and "#" and the offset unless that is 0. It is one text, and none that is a
// key, so that a hub which does not know of offsets finds nothing there, rather than the bytes of another instance.
func (l *Blob) place() string {
	if l.Offset == 0 {
		return l.Key
	}
	return l.Key + "#" + strconv.FormatInt(l.Offset, 10)
}

// setPlace reads what place wrote.
func (l *Blob) setPlace(s string) {
	l.Key = s
	if key, offset, has := strings.Cut(s, "#"); has {
		if n, err := strconv.ParseInt(offset, 10, 64); err == nil && n > 0 {
			l.Key, l.Offset = key, n
		}
	}
}

// readHead reads the head of a record's line in the very form that Encode gives it. ok is false for any other form, which
// may still be right: encoding/json decides then. Many records are read for each answer, and this takes a tenth of its time.
// rest is what follows the last field, "}" or the body.
func readHead(line []byte) (r Record, rest []byte, ok bool) {
	h := lineReader{rest: line}
	h.literal(`{"type":`)
	r.Name.Type = h.word()
	h.literal(`,"id":`)
	r.Name.ID = h.text()
	h.literal(`,"num":`)
	r.Num = h.number(1<<64 - 1)
	h.literal(`,"version":`)
	r.Version = h.number(1<<64 - 1)
	r.Deleted = h.option(`,"deleted":true`)
	h.literal(`,"member":`)
	r.Member = h.word()
	h.literal(`,"time":`)
	r.Time = h.time()
	if h.option(`,"prev":{"seq":`) {
		r.Prev.Seq = h.number(1<<64 - 1)
		h.literal(`,"off":`)
		r.Prev.Off = uint32(h.number(1<<32 - 1))
		h.literal(`,"len":`)
		r.Prev.Len = uint32(h.number(1<<32 - 1))
		h.literal(`}`)
	}
	if h.option(`,"blob":{"key":`) {
		r.Blob = h.blob()
	}
	return r, h.rest, !h.other
}

// lineReader reads one expected thing after the other; other is set by the first that is not there.
type lineReader struct {
	rest  []byte
	other bool
}

func (h *lineReader) option(s string) bool {
	if h.other || len(h.rest) < len(s) || string(h.rest[:len(s)]) != s {
		return false
	}
	h.rest = h.rest[len(s):]
	return true
}

func (h *lineReader) literal(s string) {
	if !h.option(s) {
		h.other = true
	}
}

// text reads a string of printable ASCII without escapes.
func (h *lineReader) text() string { return string(h.quoted()) }

// word is text of which there are few: those seen lately are given again, rather than made anew for each record.
func (h *lineReader) word() string {
	b := h.quoted()
	if len(b) == 0 {
		return ""
	}
	place := &words[(uint(b[0])*31+uint(b[len(b)-1])*7+uint(len(b)))%uint(len(words))]
	if known := place.Load(); known != nil && *known == string(b) {
		return *known
	}
	word := string(b)
	place.Store(&word)
	return word
}

// words are those seen lately, each in the place of its kind.
var words [256]atomic.Pointer[string]

func (h *lineReader) quoted() []byte {
	if h.other || len(h.rest) < 2 || h.rest[0] != '"' {
		h.other = true
		return nil
	}
	for i, c := range h.rest[1:] {
		switch {
		case c == '"':
			s := h.rest[1 : 1+i]
			h.rest = h.rest[2+i:]
			return s
		case c < ' ' || c > '~' || c == '\\':
			h.other = true
			return nil
		}
	}
	h.other = true
	return nil
}

// number reads a JSON integer from 0 to most.
func (h *lineReader) number(most uint64) uint64 {
	n, i := uint64(0), 0
	for i < len(h.rest) && h.rest[i] >= '0' && h.rest[i] <= '9' {
		d := uint64(h.rest[i] - '0')
		if n > (most-d)/10 {
			h.other = true
			return 0
		}
		n, i = n*10+d, i+1
	}
	if i == 0 || i > 1 && h.rest[0] == '0' {
		h.other = true
		return 0
	}
	h.rest = h.rest[i:]
	return n
}

func (h *lineReader) time() time.Time {
	s := h.quoted()
	if h.other || !bytes.HasSuffix(s, []byte{'Z'}) {
		h.other = true
		return time.Time{}
	}
	var t time.Time
	if t.UnmarshalText(s) != nil {
		h.other = true
	}
	return t
}

func (h *lineReader) blob() *Blob {
	b := &Blob{}
	b.setPlace(h.text())
	h.literal(`,"size":`)
	b.Size = int64(h.number(1<<63 - 1))
	h.literal(`,"sha256":`)
	b.SHA256 = h.text()
	if h.option(`,"media":`) {
		b.Media = h.text()
	}
	if h.option(`,"parts":{`) {
		b.Parts = h.parts()
	}
	if h.option(`,"remark":`) {
		b.Remark = h.text()
	}
	h.literal(`}`)
	return b
}

func (h *lineReader) parts() *Parts {
	p, first := &Parts{}, true
	field := func(name string) bool {
		if !first {
			name = "," + name
		}
		found := h.option(name)
		first = first && !found
		return found
	}
	if field(`"first":`) {
		p.First = int64(h.number(1<<63 - 1))
	}
	if field(`"size":`) {
		p.Size = int64(h.number(1<<63 - 1))
	}
	if field(`"count":`) {
		p.Count = int(h.number(1<<31 - 1))
	}
	if field(`"list":[`) {
		p.List = [][]int64{}
		for !h.option(`]`) && !h.other {
			if len(p.List) > 0 {
				h.literal(`,`)
			}
			p.List = append(p.List, h.spans())
		}
	}
	h.literal(`}`)
	return p
}

func (h *lineReader) spans() []int64 {
	h.literal(`[`)
	s := []int64{}
	for !h.option(`]`) && !h.other {
		if len(s) > 0 {
			h.literal(`,`)
		}
		s = append(s, int64(h.number(1<<63-1)))
	}
	return s
}
