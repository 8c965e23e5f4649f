package charset

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"

	"concord/hub"
)

// Encode writes s, a value field with its delimiters, as the values terms of Specific Character Set say. A character that
// they do not have is an Unprocessable error: the text can be sent in UTF8. The bytes are not padded.
func Encode(terms []string, s string) ([]byte, error) {
	e, _ := NewEncoder(terms)
	out, ok := e.Append(nil, s)
	if !ok {
		return nil, &hub.Error{Kind: hub.Unprocessable, Path: "SpecificCharacterSet",
			Msg: "the text has a character that " + named(e.terms) + " has not", Hint: "send it in ISO_IR 192"}
	}
	return out, nil
}

func named(terms string) string {
	if terms == "" {
		return "the default repertoire"
	}
	return terms
}

// Encoder writes text in one Specific Character Set (PS3.3 C.12.1.1.2). The zero Encoder writes ASCII. It is not changed by
// writing and may be used by several goroutines.
type Encoder struct {
	terms string
	utf8  bool
	whole encoding.Encoding
	// initial is what G1 holds at the start and behind each delimiter, extensions what may be designated, in the order of
	// the terms; back is the sequence that ends a set in G0.
	initial    slot
	extensions []escape
	back       string
}

// UTF8 is the encoder that can write everything (ISO_IR 192).
func UTF8() Encoder { return Encoder{terms: "ISO_IR 192", utf8: true} }

// NewEncoder makes the encoder of the values of (0008,0005). ok is false when one of them is not known; what it would bring
// is then not written.
func NewEncoder(terms []string) (e Encoder, ok bool) {
	d := declare(terms)
	e = Encoder{terms: strings.Join(terms, `\`), utf8: d.utf8, whole: d.whole, initial: d.g1, back: "(B"}
	switch d.g1.plane {
	case katakana:
		e.back = "(J"
	case ksx1001, gb2312: // sets of two bytes must be designated (PS3.5 6.1.2.5.1), and may not be the first value
		e.initial, d.extends = slot{}, true
	}
	if d.extends {
		for _, ir := range d.extensions {
			e.extensions = append(e.extensions, designations(ir)...)
		}
	}
	return e, len(d.unknown) == 0
}

func designations(ir string) (all []escape) {
	for _, e := range escapes() {
		if e.ir == ir && e.ir != "" {
			all = append(all, e)
		}
	}
	return all
}

// Terms is what (0008,0005) must say for text so written; empty for the default repertoire.
func (e Encoder) Terms() string { return e.terms }

// Append writes s, one value or several with their delimiters; ok is false, and nothing written, where s has a character that
// the set has not. With code extensions each character set is designated when it is first needed and again behind every
// delimiter, and G0 is ISO 646 in front of one and at the end (PS3.5 6.1.2.5.3).
func (e Encoder) Append(dst []byte, s string) (out []byte, ok bool) {
	switch {
	case plainText(s):
		return append(dst, s...), true
	case e.utf8:
		return append(dst, strings.ToValidUTF8(s, "\uFFFD")...), true
	case strings.Contains(s, "\x1b"):
		return dst, false
	case e.whole != nil:
		text, err := e.whole.NewEncoder().String(s)
		if err != nil {
			return dst, false
		}
		return append(dst, text...), true
	}
	w := writer{Encoder: e, g0: slot{plane: ascii}, g1: e.initial, out: dst}
	for _, r := range s {
		if !w.rune(r) {
			return dst, false
		}
	}
	w.toASCII()
	return w.out, true
}

func plainText(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf || s[i] == 0x1B {
			return false
		}
	}
	return true
}

// writer is an Encoder at work.
type writer struct {
	Encoder
	g0, g1 slot
	out    []byte
}

func (w *writer) toASCII() {
	if w.g0.plane != ascii {
		w.out = append(append(w.out, 0x1B), w.back...)
		w.g0 = slot{plane: ascii}
	}
}

// rune writes r; false: no set that was declared has it.
func (w *writer) rune(r rune) bool {
	if r < utf8.RuneSelf {
		w.toASCII()
		w.out = append(w.out, byte(r))
		if resets(byte(r)) {
			w.g1 = w.initial
		}
		return true
	}
	if code, ok := w.g0.code(r); ok {
		w.low(code)
		return true
	}
	if code, ok := w.g1.code(r); ok {
		w.toASCII()
		w.out = append(w.out, code...)
		return true
	}
	for _, x := range w.extensions {
		code, ok := x.to.code(r)
		if !ok {
			continue
		}
		if x.g1 {
			w.toASCII()
			w.g1 = x.to
		} else {
			w.g0 = x.to
		}
		w.out = append(append(w.out, 0x1B), x.seq...)
		if x.g1 {
			w.out = append(w.out, code...)
		} else {
			w.low(code)
		}
		return true
	}
	return false
}

// low writes a code of G0.
func (w *writer) low(code []byte) {
	for _, c := range code {
		w.out = append(w.out, c&0x7F)
	}
}

// code is r in the plane, with bytes above 127; ok is false where the plane has no such character.
func (p slot) code(r rune) (code []byte, ok bool) {
	switch p.plane {
	case katakana:
		return []byte{byte(r - 0xFF61 + 0xA1)}, r >= 0xFF61 && r <= 0xFF9F
	case latin:
		b, ok := p.table.EncodeRune(r)
		return []byte{b}, ok && b >= 0xA0
	case jis0208:
		return pair(japanese.EUCJP, r)
	case jis0212:
		code, err := japanese.EUCJP.NewEncoder().Bytes([]byte(string(r)))
		if err != nil || len(code) != 3 {
			return nil, false
		}
		return bytes.TrimPrefix(code, []byte{0x8F}), true
	case ksx1001:
		return pair(korean.EUCKR, r)
	case gb2312:
		code, ok := pair(simplifiedchinese.GBK, r)
		return code, ok && (code[0] <= 0xA9 || code[0] >= 0xB0 && code[0] <= 0xF7)
	}
	return nil, false
}

// pair is r as two bytes of the square of 94 by 94.
func pair(e encoding.Encoding, r rune) ([]byte, bool) {
	code, err := e.NewEncoder().Bytes([]byte(string(r)))
	return code, err == nil && len(code) == 2 && code[0] > 0xA0 && code[1] > 0xA0
}
