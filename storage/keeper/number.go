package keeper

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// text views b as a string for as long as b does not change.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is s as bytes without a copy, for who only reads them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// parseInt reads a canonical signed 64-bit decimal: no sign but "-", no leading zeros, no space.
func parseInt(b []byte) (int64, bool) {
	digits := b
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] < '0' || digits[0] > '9' || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	if len(digits) < 19 {
		var n int64
		for _, c := range digits {
			if c < '0' || c > '9' {
				return 0, false
			}
			n = n*10 + int64(c-'0')
		}
		if len(digits) < len(b) {
			n = -n
		}
		return n, true
	}
	n, err := strconv.ParseInt(text(b), 10, 64)
	return n, err == nil
}

// parseID reads a canonical number that fits in 32 bits.
func parseID(b []byte) (uint32, bool) {
	if len(b) == 0 || len(b) > 10 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n <= math.MaxUint32
}

// parseScore reads a double as strtod does where Redis is strict: no leading space, no NaN, no overflow to
// infinity or underflow to zero. A zero loses its sign, as in Redis' compact form.
func parseScore(b []byte) (float64, bool) {
	if n, ok := parseInt(b); ok && n > -1<<53 && n < 1<<53 {
		return float64(n), true
	}
	f, rangeOK, ok := strtod(b)
	if !ok || !rangeOK || math.IsNaN(f) {
		return 0, false
	}
	return f + 0, true
}

// parseBound reads one end of a score range: "(" excludes it; strtod is lenient here.
func parseBound(b []byte) (f float64, open, ok bool) {
	if len(b) > 0 && b[0] == '(' {
		b, open = b[1:], true
	}
	if b = bytes.TrimLeft(b, " \t\n\v\f\r"); len(b) == 0 {
		return 0, open, true
	}
	f, _, ok = strtod(b)
	return f, open, ok && !math.IsNaN(f)
}

// strtod follows C: decimal or hexadecimal, "inf", "infinity", "nan".
func strtod(b []byte) (f float64, inRange, ok bool) {
	if len(b) == 0 || bytes.IndexByte(b, '_') >= 0 {
		return 0, false, false
	}
	s := string(b)
	hex := bytes.ContainsAny(b, "xX")
	if hex && !bytes.ContainsAny(b, "pP") {
		s += "p0"
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return f, false, math.IsInf(f, 0)
	}
	if f == 0 && !hex {
		mantissa, _, _ := bytes.Cut(bytes.ToLower(b), []byte{'e'})
		return f, !bytes.ContainsAny(mantissa, "123456789"), true
	}
	return f, true, true
}

// appendScore writes a double as Redis 7.0 does, "%.17g".
func appendScore(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.AppendInt(b, int64(f), 10)
	}
	return strconv.AppendFloat(b, f, 'g', 17, 64)
}

// compareDecimal orders numbers as their decimal texts are ordered byte by byte: 10 before 9.
func compareDecimal(a, b uint32) int {
	if a == b {
		return 0
	}
	var s, t [10]byte
	return bytes.Compare(strconv.AppendUint(s[:0], uint64(a), 10), strconv.AppendUint(t[:0], uint64(b), 10))
}

// parseCursor reads a cursor as strtoul does: an empty text is 0, a sign is allowed.
func parseCursor(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	n, err := strconv.ParseUint(text(b), 10, 64)
	if negative {
		n = -n
	}
	return n, err == nil
}
