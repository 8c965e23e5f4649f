package fhir

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// wanted says for each form what it must be (R4 datatypes.html#primitive, json.html#primitive).
var wanted = [...]string{
	formXHTML:     "a narrative is due",
	formBoolean:   "true or false is due",
	formInteger:   "a whole number of 32 bits is due, as a JSON number without fraction or exponent",
	formPositive:  "a whole number from 1 to 2147483647 is due, as a JSON number",
	formUnsigned:  "a whole number from 0 to 2147483647 is due, as a JSON number",
	formDecimal:   "a JSON number is due",
	formString:    "a string is due that is not empty, has at most 1,048,576 characters and no control character but tab, line feed and carriage return",
	formCode:      "a code is due: a string that is not empty, without white space but single spaces inside",
	formID:        "an id is due: a string of 1 to 64 letters, digits, hyphens and dots",
	formElementID: "an element's id is due: a string that is not empty and has no white space",
	formURI:       "a URI is due: a string that is not empty and has no white space; after urn:uuid: a UUID, after urn:oid: an OID",
	formOID:       "an OID is due, written urn:oid:1.2.3",
	formUUID:      "a UUID is due, written urn:uuid: and 32 hexadecimal digits in lower case with hyphens",
	formDate:      "a date is due: YYYY, YYYY-MM or YYYY-MM-DD, of the calendar",
	formDateTime:  "a date or time is due: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or an offset from UTC, of the calendar",
	formInstant:   "an instant is due: YYYY-MM-DDThh:mm:ss with Z or an offset from UTC, of the calendar",
	formTime:      "a time of day is due: hh:mm:ss",
	formBase64:    "base64 is due, of whole groups of four characters",
}

// maxStringLength is how many characters a string has at most (R4 datatypes.html#string).
const maxStringLength = 1 << 20

// primitive tells whether node n is a value of the form. It decodes only strings with escapes.
func (d *Doc) primitive(n *node, f form) bool {
	switch f {
	case formBoolean:
		return n.kind == True || n.kind == False
	case formDecimal:
		return n.kind == Number // the grammar of JSON is that of R4
	case formInteger, formPositive, formUnsigned:
		return n.kind == Number && isInteger(d.text[n.start:n.end], f)
	}
	if n.kind != String || n.end-n.start <= 2 {
		return false
	}
	s := d.text[n.start+1 : n.end-1]
	switch {
	case f == formBase64:
		return isBase64(s)
	case f == formString:
		return (!n.escaped || !hasControl(s)) && (len(s) <= maxStringLength || utf8.RuneCountInString(s) <= maxStringLength)
	case n.escaped:
		s = unescape(s)
	}
	switch f {
	case formCode:
		return isCode(s)
	case formID:
		return isID(s)
	case formElementID:
		return !hasSpace(s)
	case formURI:
		return isURI(s)
	case formOID:
		oid, ok := strings.CutPrefix(s, "urn:oid:")
		return ok && isOID(oid)
	case formUUID:
		uuid, ok := strings.CutPrefix(s, "urn:uuid:")
		return ok && isUUID(uuid, false)
	case formDate:
		length, ok := leadingDate(s)
		return ok && length == len(s)
	case formDateTime:
		length, ok := leadingDate(s)
		return ok && (length == len(s) || length == 10 && isZonedTime(s[10:]))
	case formInstant:
		length, ok := leadingDate(s)
		return ok && length == 10 && isZonedTime(s[10:])
	case formTime:
		length := leadingTime(s)
		return length > 0 && length == len(s)
	}
	return false
}

// isInteger tells whether a JSON number is a whole one, written without fraction or exponent, in the range of the form.
func isInteger(s string, f form) bool {
	v, err := strconv.ParseInt(s, 10, 32)
	switch {
	case err != nil || s == "-0":
		return false
	case f == formPositive:
		return v >= 1
	case f == formUnsigned:
		return v >= 0
	}
	return true
}

// hasControl looks for escapes of characters below 32 that no string may hold, in a JSON string as written.
func hasControl(s string) bool {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return false
		}
		switch s[i+1] {
		case 'b', 'f':
			return true
		case 'u':
			if r := hex4(s[i:]); r < 32 && r != '\t' && r != '\n' && r != '\r' {
				return true
			}
		}
		s = s[i+2:]
	}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// hasSpace looks for white space and control characters, eight bytes at a time.
func hasSpace(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if (x-ones*(' '+1))&^x&highs != 0 { // some byte is less than 33
			return true
		}
	}
	for i := range len(s) {
		if s[i] <= ' ' {
			return true
		}
	}
	return false
}

func isCode(s string) bool {
	spaced := true
	for i := range len(s) {
		if s[i] > ' ' {
			spaced = false
			continue
		}
		if spaced || classes[s[i]]&classSpace == 0 {
			return false
		}
		spaced = true
	}
	return !spaced
}

func isID(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&classID == 0 {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// isURI is a URI or canonical: anything without white space, but what follows urn:oid: or urn:uuid: is one, up to the
// version or fragment of a canonical.
func isURI(s string) bool {
	if len(s) > 4 && s[:4] == "urn:" {
		if end := strings.IndexAny(s, "|#"); end > 0 {
			if hasSpace(s[end:]) {
				return false
			}
			s = s[:end]
		}
		if oid, ok := strings.CutPrefix(s, "urn:oid:"); ok {
			return isOID(oid)
		}
		if uuid, ok := strings.CutPrefix(s, "urn:uuid:"); ok {
			return isUUID(uuid, true)
		}
	}
	return !hasSpace(s)
}

// isOID is the grammar [0-2](\.(0|[1-9][0-9]*))+.
func isOID(s string) bool {
	for arc := 0; ; arc++ {
		digits, rest, more := strings.Cut(s, ".")
		if digits == "" || digits[0] == '0' && len(digits) > 1 || arc == 0 && (len(digits) > 1 || digits[0] > '2') {
			return false
		}
		for i := range len(digits) {
			if !isDigit(digits[i]) {
				return false
			}
		}
		if !more {
			return arc > 0
		}
		s = rest
	}
}

// isUUID is the form of RFC 4122; R4's own type has the digits in lower case.
func isUUID(s string, upper bool) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	admitted, digits := uint8(classHex), 0
	if upper {
		admitted |= classUpperHex
	}
	for i := range len(s) {
		if classes[s[i]]&admitted != 0 {
			digits++
		}
	}
	return digits == 32
}

// isBase64 reads a JSON string as written: groups of four characters, padded at the end; white space may stand anywhere
// (R4 datatypes.html#base64Binary), as escapes too.
func isBase64(s string) bool {
	count, pad := 0, 0
	for i := 0; i < len(s); i++ {
		class := classes[s[i]]
		if class&classBase64 != 0 && pad == 0 { // most often
			count++
			continue
		}
		if s[i] == '\\' {
			i++
			switch s[i] {
			case '/':
				class = classBase64
			case 'n', 'r', 't':
				class = classSpace
			}
		}
		switch {
		case class&classSpace != 0:
		case class&classPad != 0 && pad < 2 && count&3 >= 2:
			count, pad = count+1, pad+1
			if count&3 == 0 {
				pad = 2 // no more
			}
		case class&classBase64 != 0 && pad == 0:
			count++
		default:
			return false
		}
	}
	return count > 0 && count&3 == 0
}

// What a byte may be part of.
const (
	classID = 1 << iota
	classHex
	classUpperHex
	classSpace
	classBase64
	classPad
)

var classes = func() (table [256]uint8) {
	for i := range table {
		c := byte(i)
		set := func(class uint8, is bool) {
			if is {
				table[i] |= class
			}
		}
		set(classID, isLetter(c) || isDigit(c) || c == '-' || c == '.')
		set(classHex, isDigit(c) || c >= 'a' && c <= 'f')
		set(classUpperHex, c >= 'A' && c <= 'F')
		set(classSpace, isSpace(c))
		set(classBase64, isLetter(c) || isDigit(c) || c == '+' || c == '/')
		set(classPad, c == '=')
	}
	return table
}()
