package fhir

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads the text of a Doc from left to right. The first fault ends it; on the way out every
// level adds its step to path, innermost first.
type parser struct {
	Doc
	limits   Limits
	pos      int
	depth    int
	fault    string
	tooLarge bool
	path     []step
}

type step struct {
	name  string
	index int
}

// manyMembers is where comparing a name with all before it gives way to a set.
const manyMembers = 32

func (p *parser) document() {
	if !utf8.Valid(p.data) {
		for p.pos < len(p.data) {
			r, w := utf8.DecodeRune(p.data[p.pos:])
			if r == utf8.RuneError && w == 1 {
				break
			}
			p.pos += w
		}
		p.fault = "invalid UTF-8"
		return
	}
	p.skip()
	p.spaced = false
	if !p.value(0, 0, false) {
		return
	}
	spaced := p.spaced
	p.skip()
	p.spaced = spaced
	if p.pos < len(p.data) {
		p.stop("bytes after the end of the value")
	}
}

func (p *parser) stop(fault string) bool {
	p.fault = fault
	return false
}

func (p *parser) skip() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
			p.spaced = true
		default:
			return
		}
	}
}

// value reads one value at pos and appends its nodes.
func (p *parser) value(key, keyEnd uint32, keyEscaped bool) bool {
	if p.pos >= len(p.data) {
		return p.stop("the text ends where a value is due")
	}
	if len(p.nodes) >= p.limits.Nodes {
		p.tooLarge = true
		return p.stop("more than " + strconv.Itoa(p.limits.Nodes) + " values")
	}
	at := len(p.nodes)
	p.nodes = append(p.nodes, node{start: uint32(p.pos), key: key, keyEnd: keyEnd, keyEscaped: keyEscaped, size: 1})
	ok, kind := false, Absent
	switch c := p.data[p.pos]; c {
	case '{':
		ok, kind = p.nested(Object), Object
	case '[':
		ok, kind = p.nested(Array), Array
	case '"':
		ok, p.nodes[at].escaped = p.str()
		kind = String
	case 't':
		ok, kind = p.word("true"), True
	case 'f':
		ok, kind = p.word("false"), False
	case 'n':
		ok, kind = p.word("null"), Null
	default:
		ok, kind = p.number(), Number
	}
	if !ok {
		return false
	}
	n := &p.nodes[at]
	n.kind, n.end, n.size = kind, uint32(p.pos), uint32(len(p.nodes)-at)
	return true
}

func (p *parser) nested(kind Kind) bool {
	p.depth++
	if p.depth > p.limits.Depth {
		p.tooLarge = true
		return p.stop("nesting deeper than " + strconv.Itoa(p.limits.Depth))
	}
	p.pos++
	ok := false
	if kind == Object {
		ok = p.members()
	} else {
		ok = p.items()
	}
	p.depth--
	return ok
}

func (p *parser) items() bool {
	p.skip()
	if p.pos < len(p.data) && p.data[p.pos] == ']' {
		p.pos++
		return true
	}
	for i := 0; ; i++ {
		p.skip()
		if !p.value(0, 0, false) {
			p.path = append(p.path, step{index: i})
			return false
		}
		p.skip()
		switch p.peek() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			return true
		default:
			return p.stop("neither comma nor ] after an array's value")
		}
	}
}

func (p *parser) peek() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *parser) members() bool {
	p.skip()
	if p.peek() == '}' {
		p.pos++
		return true
	}
	first := len(p.nodes)
	var seen map[string]bool
	for count := 0; ; count++ {
		p.skip()
		if p.peek() != '"' {
			return p.stop("no member name where one is due")
		}
		start := p.pos
		ok, escaped := p.str()
		if !ok {
			return false
		}
		key, keyEnd := uint32(start+1), uint32(p.pos-1)
		name := p.text[key:keyEnd]
		if escaped {
			name = unescape(name)
			if p.keys == nil {
				p.keys = map[uint32]string{}
			}
			p.keys[key] = name
		}
		if count == manyMembers {
			seen = make(map[string]bool, 2*manyMembers)
			for i := first; i < len(p.nodes); i += int(p.nodes[i].size) {
				seen[p.name(i)] = true
			}
		}
		if p.repeated(first, name, seen) {
			p.pos = start
			p.path = append(p.path, step{name: name})
			return p.stop("the member name is repeated")
		}
		p.skip()
		if p.peek() != ':' {
			return p.stop("no colon after a member name")
		}
		p.pos++
		p.skip()
		if !p.value(key, keyEnd, escaped) {
			p.path = append(p.path, step{name: name})
			return false
		}
		p.skip()
		switch p.peek() {
		case ',':
			p.pos++
		case '}':
			p.pos++
			return true
		default:
			return p.stop("neither comma nor } after a member")
		}
	}
}

// repeated looks for name among the members from node first on; seen, when not nil, holds their names.
func (p *parser) repeated(first int, name string, seen map[string]bool) bool {
	if seen != nil {
		if seen[name] {
			return true
		}
		seen[name] = true
		return false
	}
	for i := first; i < len(p.nodes); i += int(p.nodes[i].size) {
		if p.name(i) == name {
			return true
		}
	}
	return false
}

func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.text[p.pos:], w) {
		return p.stop("no JSON value")
	}
	p.pos += len(w)
	return true
}

// number follows the grammar of RFC 8259 §6.
func (p *parser) number() bool {
	if p.peek() == '-' {
		p.pos++
	}
	switch c := p.peek(); {
	case c == '0':
		p.pos++
	case c >= '1' && c <= '9':
		p.digits()
	default:
		return p.stop("no JSON value")
	}
	if p.peek() == '.' {
		p.pos++
		if !p.digits() {
			return p.stop("no digit after the decimal point")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return p.stop("no digit in the exponent")
		}
	}
	return true
}

func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.data) && p.data[p.pos]-'0' <= 9 {
		p.pos++
	}
	return p.pos > start
}
