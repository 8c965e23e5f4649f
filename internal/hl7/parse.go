package hl7

import (
	"bytes"
	"fmt"
	"strings"

	"concord/hub"
)

// Limits are how large a message may be. 0 means the default.
type Limits struct {
	Bytes    int // of the message as sent: 10 MB
	Segments int // 50,000
	Fields   int // of one segment: 2,000
	Parts    int // of all segments together, counted by their delimiters: 2,000,000
}

func (l Limits) orDefaults() Limits {
	for _, d := range [...]struct {
		n         *int
		otherwise int
	}{{&l.Bytes, 10 << 20}, {&l.Segments, 50_000}, {&l.Fields, 2000}, {&l.Parts, 2_000_000}} {
		if *d.n == 0 {
			*d.n = d.otherwise
		}
	}
	return l
}

// Parse reads one message. Segments end with CR (2.5.1); LF and CR LF are taken for that, and a line that begins no segment
// for more of the one before it. Blank lines and a byte order mark are overlooked.
//
// Its errors: TooLarge for what exceeds a limit, which names it; Unsupported for a message in XML; Invalid for all else.
// Path is the place.
func Parse(raw []byte, l Limits) (*Message, error) {
	l = l.orDefaults()
	if len(raw) > l.Bytes {
		return nil, tooLarge("", "the message has more than %d bytes", l.Bytes)
	}
	text, set, warnings := decode(raw)
	text = strings.TrimLeft(strings.TrimPrefix(text, "\ufeff"), "\r\n\t \x00")
	if !strings.HasPrefix(text, "MSH") {
		return nil, notHL7(text)
	}
	first, _, _ := cutLine(text)
	d, err := delimitersOf(first)
	if err != nil {
		return nil, err
	}
	m := &Message{Delimiters: d, Charset: set, Warnings: warnings}
	if err := m.split(text, l); err != nil {
		return nil, err
	}
	if sent, _, _ := strings.Cut(first[4:], first[3:4]); sent != d.Encoding() {
		m.warn(Place{Segment: "MSH", Nth: 1, Field: 2}, "the escape character is there twice")
	}
	if d.Subcomponent == 0 {
		m.warn(Place{Segment: "MSH", Nth: 1, Field: 2}, "not all encoding characters are named: what is not does not occur")
	}
	return m, nil
}

func notHL7(text string) error {
	switch {
	case text == "":
		return &hub.Error{Kind: hub.Invalid, Msg: "the message is empty"}
	case text[0] == '<':
		return &hub.Error{Kind: hub.Unsupported, Msg: "the message is in XML", Hint: "send it delimited (ER7)"}
	case strings.HasPrefix(text, "FHS") || strings.HasPrefix(text, "BHS"):
		return &hub.Error{Kind: hub.Invalid, Path: "MSH", Msg: "this is a batch, not a message"}
	}
	return &hub.Error{Kind: hub.Invalid, Path: "MSH", Msg: "the message does not begin with MSH"}
}

// split makes segments and their fields of the text.
func (m *Message) split(text string, l Limits) error {
	d := m.Delimiters
	parts := 0
	var isDelimiter [256]bool
	for _, c := range [...]byte{d.Field, d.Component, d.Repetition, d.Subcomponent} {
		isDelimiter[c] = c != 0
	}
	for i := range len(text) {
		if isDelimiter[text[i]] {
			parts++
		}
	}
	if parts > l.Parts {
		return tooLarge("", "the message has more than %d parts", l.Parts)
	}
	nth := map[string]int{}
	slab := make([]string, 0, min(64+parts, 4096)) // fields of many segments in one allocation
	for text != "" {
		line, rest, broken := m.cutSegment(text)
		text = rest
		if line == "" {
			continue
		}
		if len(m.Segments) == l.Segments {
			return tooLarge("", "the message has more than %d segments", l.Segments)
		}
		name := line[:3]
		nth[name]++
		s := Segment{Name: name, Index: len(m.Segments), Nth: nth[name], m: m}
		n := 1
		if d.Field != 0 {
			n += strings.Count(line, string(d.Field))
		}
		if n > l.Fields {
			return tooLarge(s.Place().String(), "the segment has more than %d fields", l.Fields)
		}
		if cap(slab)-len(slab) < n+1 {
			slab = make([]string, 0, max(n+1, cap(slab)))
		}
		s.fields, slab = m.fields(line, slab)
		m.Segments = append(m.Segments, s)
		if broken > 0 {
			at := s.Place()
			at.Field = broken
			m.warn(at, "a line break in a field is not escaped")
		}
		if name == "MSH" && s.Nth == 2 {
			return &hub.Error{Kind: hub.Invalid, Path: s.Place().String(), Msg: "a second message begins inside the first", Hint: "send them in a batch, or one a frame"}
		}
	}
	return nil
}

// fields appends a line's fields to slab and returns them, full to their capacity, with what is left of slab.
func (m *Message) fields(line string, slab []string) (fields, rest []string) {
	begin := len(slab)
	if s := line[:3]; s == "MSH" || s == "BHS" || s == "FHS" {
		slab = append(slab, s, line[3:4])
		line = line[4:]
	}
	for more := true; more; {
		var f string
		f, line, more = cut(line, m.Delimiters.Field)
		slab = append(slab, f)
	}
	return slab[begin:len(slab):len(slab)], slab
}

// beginsSegment tells whether a line is a segment and not the rest of one.
func (m *Message) beginsSegment(line string) bool {
	if len(line) < 3 || !segmentName(line[:3]) {
		return false
	}
	if line[:3] == "MSH" {
		return len(line) > 3 && line[3] == m.Delimiters.Field
	}
	return len(line) == 3 || line[3] == m.Delimiters.Field
}

// cutSegment cuts a segment off: its line, and those after it that begin none, with LF between them. broken is the field of
// the first line break, 0 where there is none. A blank line is an empty segment.
func (m *Message) cutSegment(text string) (segment, rest string, broken int) {
	first, rest, _ := cutLine(text)
	if blank(first) {
		return "", rest, 0
	}
	end := len(first)
	for next := rest; next != ""; {
		line, after, _ := cutLine(next)
		if blank(line) {
			next = after
			continue
		}
		if m.beginsSegment(line) {
			break
		}
		end = len(text) - len(next) + len(line)
		next, rest = after, after
	}
	if end == len(first) {
		return first, rest, 0
	}
	broken = strings.Count(first, string(m.Delimiters.Field))
	if first[:3] == "MSH" {
		broken++
	}
	return strings.ReplaceAll(strings.ReplaceAll(text[:end], "\r\n", "\n"), "\r", "\n"), rest, broken
}

func blank(line string) bool { return strings.Trim(line, " \t\x00\x1a") == "" }

func (m *Message) warn(at Place, msg string) {
	const most = 100
	if n := len(m.Warnings); n < most {
		m.Warnings = append(m.Warnings, &hub.Error{Kind: hub.Invalid, Path: at.String(), Msg: msg})
	}
}

// cutLine cuts at CR, LF or CR LF.
func cutLine(s string) (line, rest string, more bool) {
	i := strings.IndexAny(s, "\r\n")
	if i < 0 {
		return s, "", false
	}
	line, rest = s[:i], s[i+1:]
	if s[i] == '\r' && rest != "" && rest[0] == '\n' {
		rest = rest[1:]
	}
	return line, rest, rest != ""
}

func tooLarge(path, format string, limit int) error {
	return &hub.Error{Kind: hub.TooLarge, Path: path, Msg: fmt.Sprintf(format, limit)}
}

// Peek reads the header of a message and nothing behind it: who sends, before the rest is looked at. Its errors are those of
// Parse. The Message has one segment, MSH, and the character set that this one is in.
func Peek(raw []byte) (*Message, error) {
	const most = 8 << 10
	line := bytes.TrimLeft(raw[:min(len(raw), most)], "\r\n\t \x00")
	if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
		if _, wide := wideMark(raw); !wide {
			line = line[:i]
		}
	}
	m, err := Parse(line, Limits{Bytes: most})
	if err != nil {
		return nil, err
	}
	m.Segments = m.Segments[:1]
	return m, nil
}
