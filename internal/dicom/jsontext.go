package dicom

import (
	"math"
	"strconv"
	"unicode/utf8"

	"concord/internal/dicom/dict"
)

// appendString appends s, valid UTF-8, as a JSON string.
func appendString(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' && c != 0x7F {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// appendDecimal writes the text of an IS or DS as a JSON number with the same digits, or as a string when it is none.
func appendDecimal(dst, s []byte) []byte {
	back := len(dst)
	rest := s
	if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
		if rest[0] == '-' {
			dst = append(dst, '-')
		}
		rest = rest[1:]
	}
	whole, rest := digitsOf(rest)
	var fraction []byte
	if len(rest) > 0 && rest[0] == '.' {
		fraction, rest = digitsOf(rest[1:])
	}
	if len(whole)+len(fraction) == 0 {
		return appendString(dst[:back], s)
	}
	for len(whole) > 1 && whole[0] == '0' {
		whole = whole[1:]
	}
	if len(whole) == 0 {
		whole = []byte{'0'}
	}
	dst = append(dst, whole...)
	if len(fraction) > 0 {
		dst = append(append(dst, '.'), fraction...)
	}
	if len(rest) > 0 && rest[0]|0x20 == 'e' {
		dst, rest = append(dst, 'e'), rest[1:]
		if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
			dst, rest = append(dst, rest[0]), rest[1:]
		}
		var exponent []byte
		if exponent, rest = digitsOf(rest); len(exponent) == 0 || len(exponent) > 3 {
			return appendString(dst[:back], s)
		}
		dst = append(dst, exponent...)
	}
	if len(rest) > 0 || len(s) > 64 {
		return appendString(dst[:back], s)
	}
	return dst
}

func digitsOf(s []byte) (digits, rest []byte) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n], s[n:]
}

// appendBinaryNumbers writes the values of a VR of fixed width, separated by commas.
func appendBinaryNumbers(dst []byte, e Element) (out []byte, any bool) {
	order, width := e.order(), e.VR.Width()
	for v := e.Value; len(v) >= width; v = v[width:] {
		if any {
			dst = append(dst, ',')
		}
		any = true
		switch e.VR {
		case dict.US:
			dst = strconv.AppendUint(dst, uint64(order.Uint16(v)), 10)
		case dict.SS:
			dst = strconv.AppendInt(dst, int64(int16(order.Uint16(v))), 10)
		case dict.UL:
			dst = strconv.AppendUint(dst, uint64(order.Uint32(v)), 10)
		case dict.SL:
			dst = strconv.AppendInt(dst, int64(int32(order.Uint32(v))), 10)
		case dict.AT:
			dst = append((Tag(order.Uint16(v))<<16 | Tag(order.Uint16(v[2:]))).AppendHex(append(dst, '"')), '"')
		case dict.FL:
			dst = appendFloat(dst, float64(math.Float32frombits(order.Uint32(v))), 32)
		case dict.FD:
			dst = appendFloat(dst, math.Float64frombits(order.Uint64(v)), 64)
		case dict.SV:
			n := int64(order.Uint64(v))
			dst = quoteBeyond(dst, n > maxExact || n < -maxExact, strconv.FormatInt(n, 10))
		case dict.UV:
			n := order.Uint64(v)
			dst = quoteBeyond(dst, n > maxExact, strconv.FormatUint(n, 10))
		default:
			return dst, false
		}
	}
	return dst, any
}

// maxExact is the greatest whole number that every JSON reader keeps exactly.
const maxExact = 1 << 53

func quoteBeyond(dst []byte, quote bool, digits string) []byte {
	if quote {
		return append(append(append(dst, '"'), digits...), '"')
	}
	return append(dst, digits...)
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

// unquote reads a JSON string at the start of raw, without its quotes; ok is false for anything else.
func unquote(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	raw = raw[1 : len(raw)-1]
	plain := true
	for _, c := range raw {
		plain = plain && c != '\\'
	}
	if plain {
		return string(raw), utf8.Valid(raw)
	}
	return unescape(raw)
}

func unescape(raw []byte) (string, bool) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		if i++; i == len(raw) {
			return "", false
		}
		switch c := raw[i]; c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			if i+4 >= len(raw) {
				return "", false
			}
			n, err := strconv.ParseUint(string(raw[i+1:i+5]), 16, 32)
			if err != nil {
				return "", false
			}
			out = utf8.AppendRune(out, rune(n)) // the hub writes \u for control characters only
			i += 4
		default:
			return "", false
		}
	}
	return string(out), true
}
