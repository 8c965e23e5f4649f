package dict

// VR is a value representation: its two letters, the first in the upper byte.
type VR uint16

// The value representations of PS3.5 6.2.
const (
	AE VR = 'A'<<8 | 'E'
	AS VR = 'A'<<8 | 'S'
	AT VR = 'A'<<8 | 'T'
	CS VR = 'C'<<8 | 'S'
	DA VR = 'D'<<8 | 'A'
	DS VR = 'D'<<8 | 'S'
	DT VR = 'D'<<8 | 'T'
	FD VR = 'F'<<8 | 'D'
	FL VR = 'F'<<8 | 'L'
	IS VR = 'I'<<8 | 'S'
	LO VR = 'L'<<8 | 'O'
	LT VR = 'L'<<8 | 'T'
	OB VR = 'O'<<8 | 'B'
	OD VR = 'O'<<8 | 'D'
	OF VR = 'O'<<8 | 'F'
	OL VR = 'O'<<8 | 'L'
	OV VR = 'O'<<8 | 'V'
	OW VR = 'O'<<8 | 'W'
	PN VR = 'P'<<8 | 'N'
	SH VR = 'S'<<8 | 'H'
	SL VR = 'S'<<8 | 'L'
	SQ VR = 'S'<<8 | 'Q'
	SS VR = 'S'<<8 | 'S'
	ST VR = 'S'<<8 | 'T'
	SV VR = 'S'<<8 | 'V'
	TM VR = 'T'<<8 | 'M'
	UC VR = 'U'<<8 | 'C'
	UI VR = 'U'<<8 | 'I'
	UL VR = 'U'<<8 | 'L'
	UN VR = 'U'<<8 | 'N'
	UR VR = 'U'<<8 | 'R'
	US VR = 'U'<<8 | 'S'
	UT VR = 'U'<<8 | 'T'
	UV VR = 'U'<<8 | 'V'
)

// String is the two letters.
func (v VR) String() string { return string([]byte{byte(v >> 8), byte(v)}) }

// Letters reports whether both bytes are upper-case letters, as those of every VR are.
func (v VR) Letters() bool {
	a, b := byte(v>>8), byte(v)
	return a >= 'A' && a <= 'Z' && b >= 'A' && b <= 'Z'
}

// Known reports whether PS3.5 defines the VR.
func (v VR) Known() bool { return v.class() != unknown }

// Long reports whether an explicit VR element carries a 32-bit length (PS3.5 7.1.2).
func (v VR) Long() bool { return v.class()&long != 0 }

// Binary reports whether values are a stream of bytes or words: the O* kinds and UN.
func (v VR) Binary() bool { return v.class()&binary != 0 }

// Text reports whether Specific Character Set applies (PS3.5 6.1.2.3).
func (v VR) Text() bool { return v.class()&text != 0 }

// Single reports whether the backslash is an ordinary character: the value has no multiplicity.
func (v VR) Single() bool { return v.class()&single != 0 }

// String VRs are made of characters, with or without Specific Character Set.
func (v VR) Characters() bool { return v.class()&(text|ascii) != 0 }

// Width is the size of one number or word in bytes, 1 for characters and bytes.
func (v VR) Width() int {
	switch v {
	case US, SS, OW:
		return 2
	case UL, SL, FL, OL, OF, AT:
		return 4
	case FD, OD, OV, SV, UV:
		return 8
	}
	return 1
}

type class uint8

const (
	unknown class = 0
	known   class = 1 << iota
	long
	binary
	text
	ascii
	single
)

func (v VR) class() class {
	switch v {
	case AE, AS, CS, DA, DS, DT, IS, TM, UI:
		return known | ascii
	case AT, FD, FL, SL, SS, UL, US:
		return known
	case LO, SH, PN:
		return known | text
	case LT, ST:
		return known | text | single
	case OB, OD, OF, OL, OV, OW, UN:
		return known | long | binary
	case SQ, SV, UV:
		return known | long
	case UC:
		return known | long | text
	case UT:
		return known | long | text | single
	case UR:
		return known | long | ascii | single
	}
	return unknown
}
