package hl7

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// unescape resolves the escape sequences of a value (2.7). Highlighting is dropped, line breaks and indents of formatted text
// (2.7.6) are made into what a plain text has for them. What the message's version or sender alone understands, and what is
// no escape sequence at all, stays as it was sent.
func (m *Message) unescape(s string) string {
	esc := m.Delimiters.Escape
	out := make([]byte, 0, len(s))
	for {
		i := strings.IndexByte(s, esc)
		if i < 0 {
			return string(append(out, s...))
		}
		out, s = append(out, s[:i]...), s[i:]
		end := strings.IndexByte(s[1:], esc)
		if end < 0 {
			return string(append(out, s...))
		}
		if n, ok := m.appendSequence(out, s[1:1+end]); ok {
			out, s = n, s[end+2:]
			continue
		}
		// The second one may begin a sequence: C:\\.br\ is none and one.
		out, s = append(out, s[:1+end]...), s[1+end:]
		if len(s) == 1 {
			return string(append(out, s...))
		}
	}
}

// appendSequence appends what a sequence stands for.
func (m *Message) appendSequence(out []byte, seq string) ([]byte, bool) {
	d := m.Delimiters
	switch seq {
	case "F":
		return append(out, d.Field), true
	case "S":
		return append(out, d.Component), true
	case "T":
		return append(out, orStandard(d.Subcomponent, standard.Subcomponent)), true
	case "R":
		return append(out, orStandard(d.Repetition, standard.Repetition)), true
	case "E":
		return append(out, d.Escape), true
	case "P": // since 2.7, 2.5.5.2
		return append(out, orStandard(d.Truncation, '#')), true
	case "H", "N":
		return out, true
	case "":
		return out, false
	}
	switch seq[0] {
	case 'X':
		b, err := hex.DecodeString(seq[1:])
		if err != nil {
			return out, false
		}
		return append(out, m.Charset.text(b)...), true
	case 'C', 'M':
		return out, isSwitch(seq) // resolved when the text was decoded
	case '.':
		return appendFormat(out, seq[1:])
	}
	return out, false
}

// appendFormat appends what a formatting command stands for in plain text (2.7.6).
func appendFormat(out []byte, command string) ([]byte, bool) {
	if len(command) < 2 {
		return out, false
	}
	name, arg := strings.ToLower(command[:2]), strings.TrimSpace(command[2:])
	n := 1
	if arg != "" {
		var err error
		if n, err = strconv.Atoi(arg); err != nil {
			return out, false
		}
		n = min(max(n, 0), 200)
	}
	switch name {
	case "br", "ce":
		return append(out, '\n'), true
	case "sp":
		return append(out, strings.Repeat("\n", n)...), true
	case "sk":
		return append(out, strings.Repeat(" ", n)...), true
	case "in", "ti", "fi", "nf":
		return out, true
	}
	return out, false
}

// Escaped writes s so that it means itself in a field: delimiters, the escape character and line breaks become sequences.
// Where the delimiters name no escape character, delimiters in s become blanks.
func (d Delimiters) Escaped(s string) string {
	special := "\r\n" + string([]byte{d.Field, d.Component})
	for _, c := range [...]byte{d.Repetition, d.Escape, d.Subcomponent, d.Truncation} {
		if c != 0 {
			special += string(c)
		}
	}
	if !strings.ContainsAny(s, special) {
		return s
	}
	out := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		c := s[i]
		var seq string
		switch {
		case strings.IndexByte(special, c) < 0:
			out = append(out, c)
			continue
		case c == d.Field:
			seq = "F"
		case c == d.Component:
			seq = "S"
		case c == d.Repetition:
			seq = "R"
		case c == d.Escape:
			seq = "E"
		case c == d.Subcomponent:
			seq = "T"
		case c == d.Truncation:
			seq = "P"
		case c == '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				continue
			}
			seq = ".br"
		default:
			seq = ".br"
		}
		if d.Escape == 0 {
			out = append(out, ' ')
			continue
		}
		out = append(append(append(out, d.Escape), seq...), d.Escape)
	}
	return string(out)
}

func orStandard(c, otherwise byte) byte {
	if c == 0 {
		return otherwise
	}
	return c
}
