// Package dict is the data dictionary of PS3.6: which attribute a tag or a keyword means, with its value
// representation, and the names of SOP classes and transfer syntaxes. Its tables are generated and never written to.
package dict

//go:generate go run ./gen -from ../../../.cache/dicom/pydicom -version 3.0.2 -to .

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Tag is an attribute's number, group<<16 | element.
type Tag uint32

// Group is the tag's upper half.
func (t Tag) Group() uint16 { return uint16(t >> 16) }

// Element is the tag's lower half.
func (t Tag) Element() uint16 { return uint16(t) }

// Private reports whether the tag's group is odd (PS3.5 7.8).
func (t Tag) Private() bool { return t>>16&1 == 1 }

// String is "(0010,0020)".
func (t Tag) String() string { return fmt.Sprintf("(%04X,%04X)", uint16(t>>16), uint16(t)) }

// Hex is "00100020", the form of DICOM JSON and of query keys.
func (t Tag) Hex() string { return string(t.AppendHex(make([]byte, 0, 8))) }

// AppendHex appends the eight upper-case digits of Hex.
func (t Tag) AppendHex(dst []byte) []byte {
	const digits = "0123456789ABCDEF"
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, digits[t>>shift&15])
	}
	return dst
}

// ParseTag reads eight hexadecimal digits of either case.
func ParseTag(s string) (Tag, bool) {
	if len(s) != 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 16, 32)
	return Tag(n), err == nil
}

// Rule says how a value representation that depends on other attributes is found.
type Rule uint8

const (
	Fixed                 Rule = iota
	ByPixelRepresentation      // US, or SS when (0028,0103) is 1
)

// Attribute is one line of PS3.6.
type Attribute struct {
	Tag     Tag
	VR      VR
	Rule    Rule
	VM      string
	Keyword string
	Retired bool
}

// Lookup finds the attribute of a tag; tags of repeating groups (50xx, 60xx, 7Fxx) find their pattern.
func Lookup(t Tag) (*Attribute, bool) {
	if a := find(t); a != nil {
		return a, true
	}
	switch g := t >> 24; {
	case (g == 0x50 || g == 0x60 || g == 0x7F) && t>>16&1 == 0:
		if a := find(t &^ 0x00FF0000); a != nil {
			return a, true
		}
	}
	return nil, false
}

func find(t Tag) *Attribute {
	lo, hi := 0, len(attributes)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if attributes[mid].Tag < t {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(attributes) && attributes[lo].Tag == t {
		return &attributes[lo]
	}
	return nil
}

// ByKeyword finds an attribute by its exact keyword, such as "PatientID".
func ByKeyword(keyword string) (*Attribute, bool) {
	i, ok := slices.BinarySearchFunc(byKeyword[:], keyword, func(n uint16, k string) int {
		return strings.Compare(attributes[n].Keyword, k)
	})
	if !ok {
		return nil, false
	}
	return &attributes[byKeyword[i]], true
}

// Name is the tag's keyword, or "(gggg,eeee)" where it has none.
func Name(t Tag) string {
	if a, ok := Lookup(t); ok && a.Keyword != "" {
		return a.Keyword
	}
	return t.String()
}

// Nearest is the keyword that differs least from word, case aside; empty when none is near.
func Nearest(word string) string {
	if len(word) > 64 {
		return ""
	}
	best, least := "", len(word)/3+2
	word = strings.ToLower(word)
	for i := range attributes {
		k := attributes[i].Keyword
		if d := len(k) - len(word); d >= least || -d >= least {
			continue
		}
		if d := distance(word, strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// Kind says what a UID stands for.
type Kind uint8

const (
	SOPClass Kind = iota
	TransferSyntax
)

// UID is one line of PS3.6 annex A.
type UID struct {
	UID, Name, Keyword string
	Kind               Kind
}

// LookupUID finds a SOP class or transfer syntax.
func LookupUID(uid string) (*UID, bool) {
	i, ok := slices.BinarySearchFunc(uids[:], uid, func(u UID, s string) int { return strings.Compare(u.UID, s) })
	if !ok {
		return nil, false
	}
	return &uids[i], true
}

// UIDs are all SOP classes and transfer syntaxes that PS3.6 names, in the order of their UIDs.
func UIDs() iter.Seq[UID] { return slices.Values(uids[:]) }
