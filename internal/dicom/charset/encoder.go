package charset

import (
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Encoder writes text in one Specific Character Set without code extensions. The zero Encoder writes ASCII. It may be used
// by several goroutines.
type Encoder struct {
	terms string
	utf8  bool
	with  encoding.Encoding
}

// UTF8 is the encoder that can write everything (PS3.3 C.12.1.1.2: ISO_IR 192).
func UTF8() Encoder { return Encoder{terms: "ISO_IR 192", utf8: true} }

// NewEncoder makes the encoder of the values of (0008,0005). ok is false for those that it does not write: sets with code
// extensions, and unknown ones.
func NewEncoder(terms []string) (e Encoder, ok bool) {
	if len(terms) == 0 || len(terms) == 1 && terms[0] == "" {
		return Encoder{}, true
	}
	name, known := canonical(terms[0])
	if !known || len(terms) > 1 {
		return Encoder{}, false
	}
	switch name {
	case "6":
		return Encoder{terms: terms[0]}, true
	case "192":
		return UTF8(), true
	case "GB18030", "GBK":
		e = Encoder{terms: "GB18030", with: simplifiedchinese.GB18030}
		if terms[0] == "GBK" {
			e = Encoder{terms: "GBK", with: simplifiedchinese.GBK}
		}
		return e, true
	}
	half, ok := rightHalf(name)
	if !ok || half.plane != latin {
		return Encoder{}, false
	}
	return Encoder{terms: terms[0], with: half.table}, true
}

// Terms is what (0008,0005) must say for text so written; empty for the default repertoire.
func (e Encoder) Terms() string { return e.terms }

// Append writes s; ok is false, and nothing written, where s has a character that the set has not.
func (e Encoder) Append(dst []byte, s string) (out []byte, ok bool) {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] < utf8.RuneSelf && s[i] != 0x1B
	}
	switch {
	case plain || e.utf8:
		return append(dst, s...), true
	case e.with == nil:
		return dst, false
	}
	text, err := e.with.NewEncoder().String(s)
	if err != nil {
		return dst, false
	}
	return append(dst, text...), true
}
