package hl7

import (
	"strconv"
	"strings"

	"concord/hub"
)

// Place is where something is in a message. Counting begins at 1; 0 means all of it: a Place with Field 0 is a whole
// segment, one with Component 0 a whole repetition.
type Place struct {
	Segment string
	// Nth counts the segments of this name in the message.
	Nth          int
	Field        int
	Repetition   int
	Component    int
	Subcomponent int
}

// ParsePlace reads "PID", "PID-5", "OBX[2]-5[1].3.1", with round brackets too, and with a hyphen for the dots. What is not
// said of segment and repetition is the first.
func ParsePlace(s string) (Place, error) {
	bad := &hub.Error{Kind: hub.Invalid, Msg: "this is no place in a message", Hint: "such as PID-5.1 or OBX[2]-5[1].3"}
	rest := s
	if len(rest) < 3 || !segmentName(rest[:3]) {
		return Place{}, bad
	}
	p := Place{Segment: rest[:3], Nth: 1}
	rest, ok := cutIndex(rest[3:], &p.Nth)
	if !ok {
		return Place{}, bad
	}
	if rest == "" {
		return p, nil
	}
	p.Repetition = 1
	if rest, ok = cutNumber(rest, "-", &p.Field); !ok {
		return Place{}, bad
	}
	if rest, ok = cutIndex(rest, &p.Repetition); !ok {
		return Place{}, bad
	}
	for _, part := range [...]*int{&p.Component, &p.Subcomponent} {
		if rest == "" {
			return p, nil
		}
		if rest, ok = cutNumber(rest, ".-", part); !ok {
			return Place{}, bad
		}
	}
	if rest != "" {
		return Place{}, bad
	}
	return p, nil
}

// cutIndex takes "[2]" or "(2)" off s, where it begins with that.
func cutIndex(s string, n *int) (string, bool) {
	if s == "" || s[0] != '[' && s[0] != '(' {
		return s, true
	}
	end := byte(']')
	if s[0] == '(' {
		end = ')'
	}
	inside, rest, ok := strings.Cut(s[1:], string(end))
	if !ok {
		return s, false
	}
	return rest, number(inside, n)
}

// cutNumber takes one of the marks and a number off s.
func cutNumber(s, marks string, n *int) (string, bool) {
	if s == "" || !strings.Contains(marks, s[:1]) {
		return s, false
	}
	end := 1
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	return s[end:], number(s[1:end], n)
}

func number(s string, n *int) bool {
	v, err := strconv.Atoi(s)
	*n = v
	return err == nil && v > 0 && v < 1<<20
}

// String is the place in the form that ParsePlace reads, without firsts: "PID-5.1", "OBX[2]-5".
func (p Place) String() string {
	out := append(make([]byte, 0, 24), p.Segment...)
	if p.Nth > 1 {
		out = appendIndex(out, p.Nth)
	}
	if p.Field == 0 {
		return string(out)
	}
	out = strconv.AppendInt(append(out, '-'), int64(p.Field), 10)
	if p.Repetition > 1 {
		out = appendIndex(out, p.Repetition)
	}
	for _, n := range [...]int{p.Component, p.Subcomponent} {
		if n == 0 {
			break
		}
		out = strconv.AppendInt(append(out, '.'), int64(n), 10)
	}
	return string(out)
}

func appendIndex(out []byte, n int) []byte {
	return append(strconv.AppendInt(append(out, '['), int64(n), 10), ']')
}

// Parts are the components of an error location: segment, sequence, field, repetition, component, subcomponent (ERR-2, data
// type ERL), as far as the place goes.
func (p Place) Parts() []string {
	out := []string{p.Segment}
	for _, n := range [...]int{p.Nth, p.Field, p.Repetition, p.Component, p.Subcomponent} {
		if n == 0 {
			break
		}
		out = append(out, strconv.Itoa(n))
	}
	return out
}

// segmentName tells whether s is three upper-case letters or digits, a letter first (2.5.1).
func segmentName(s string) bool {
	if len(s) != 3 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
