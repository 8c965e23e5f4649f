package hl7

import (
	"strings"

	"concord/hub"
)

// Delimiters are what MSH-1 and MSH-2 say that a message is separated by (2.5.4). Those that a sender does not name are 0,
// and do not occur.
type Delimiters struct {
	Field, Component, Repetition, Escape, Subcomponent byte
	// Truncation ends a value that was cut (since 2.7).
	Truncation byte
}

var standard = Delimiters{Field: '|', Component: '^', Repetition: '~', Escape: '\\', Subcomponent: '&'}

// StandardDelimiters are those that the standard recommends: | ^ ~ \ &.
func StandardDelimiters() Delimiters { return standard }

// Encoding is MSH-2, or BHS-2 and FHS-2.
func (d Delimiters) Encoding() string {
	out := make([]byte, 0, 5)
	for _, c := range [...]byte{d.Component, d.Repetition, d.Escape, d.Subcomponent, d.Truncation} {
		if c == 0 {
			break
		}
		out = append(out, c)
	}
	return string(out)
}

// delimitersOf reads what follows the name of a header segment: the field separator, and the encoding characters up to the
// next one.
func delimitersOf(line string) (Delimiters, error) {
	if len(line) < 5 {
		return Delimiters{}, &hub.Error{Kind: hub.Invalid, Path: "MSH-2", Msg: "the header ends before its encoding characters"}
	}
	d := Delimiters{Field: line[3]}
	if !mayDelimit(d.Field) {
		return d, &hub.Error{Kind: hub.Invalid, Path: "MSH-1", Msg: "the field separator is a letter, a digit, a blank, a control character or not ASCII"}
	}
	names := [...]*byte{&d.Component, &d.Repetition, &d.Escape, &d.Subcomponent, &d.Truncation}
	seen := []byte{d.Field}
	encoding, _, _ := strings.Cut(line[4:], line[3:4])
	if len(encoding) == 5 && encoding[2] == encoding[3] { // ^~\\&: an escape character that some program escaped
		encoding = encoding[:3] + encoding[4:]
	}
	for i := range len(encoding) {
		c := encoding[i]
		switch {
		case i == len(names):
			return d, &hub.Error{Kind: hub.Invalid, Path: "MSH-2", Msg: "there are more than five encoding characters", Hint: `such as ^~\&`}
		case !mayDelimit(c):
			return d, &hub.Error{Kind: hub.Invalid, Path: "MSH-2", Msg: "an encoding character is a letter, a digit, a blank, a control character or not ASCII", Hint: `such as ^~\&`}
		}
		for _, other := range seen {
			if c == other {
				return d, &hub.Error{Kind: hub.Invalid, Path: "MSH-2", Msg: "two delimiters are the same character", Hint: `such as ^~\&`}
			}
		}
		seen = append(seen, c)
		*names[i] = c
	}
	if d.Component == 0 {
		return d, &hub.Error{Kind: hub.Invalid, Path: "MSH-2", Msg: "there is no component separator", Hint: `such as ^~\&`}
	}
	return d, nil
}

func mayDelimit(c byte) bool {
	switch {
	case c <= ' ', c >= 0x7f, '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', c == '"':
		return false
	}
	return true
}
