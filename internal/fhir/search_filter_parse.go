package fhir

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"concord/hub"
)

// filterExpr is a node of a filter: its operands joined by and or or, the negation of one, or a test of a path.
type filterExpr struct {
	op    string        // and, or, not, or a comparison
	of    []*filterExpr // of and, or, not
	path  []filterStep
	value string
}

// filterStep is one name of a path. where is what must hold of the things that the name refers to.
type filterStep struct {
	name  string
	where *filterExpr
}

const (
	maxFilterDepth = 32 // of parentheses and brackets
	maxFilterPath  = 32
)

// parseFilter reads a filter (R4 search_filter.html). and and or have the same precedence, from left to right.
func parseFilter(text string) (*filterExpr, error) {
	p := &filterParser{text: text}
	e := p.expression()
	if p.err == nil && p.pos < len(p.text) {
		p.fail("the end of the filter is due")
	}
	return e, p.err
}

type filterParser struct {
	text  string
	pos   int
	depth int
	err   error
}

func (p *filterParser) fail(msg string) {
	if p.err == nil {
		p.err = &hub.Error{Kind: hub.Invalid, Path: filterParam, Msg: "search: byte " + strconv.Itoa(p.pos) + ": " + msg}
	}
	p.pos = len(p.text)
}

// space passes over white space.
func (p *filterParser) space() {
	p.pos = len(p.text) - len(strings.TrimLeftFunc(p.text[p.pos:], unicode.IsSpace))
}

// take passes over the character c.
func (p *filterParser) take(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *filterParser) need(c byte) {
	if !p.take(c) {
		p.fail("a " + string(c) + " is due")
	}
}

// word reads characters up to one that is white space or in end.
func (p *filterParser) word(end string) string {
	rest := p.text[p.pos:]
	width := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(end, r) })
	if width < 0 {
		width = len(rest)
	}
	p.pos += width
	return rest[:width]
}

// peek reads a word without passing over it.
func (p *filterParser) peek() string {
	at := p.pos
	word := p.word("()[]")
	p.pos = at
	return word
}

func (p *filterParser) expression() *filterExpr {
	if p.depth++; p.depth > maxFilterDepth {
		p.err = tooLarge(filterParam, "parentheses and brackets deeper than", maxFilterDepth, "")
		p.pos = len(p.text)
	}
	e := p.operand()
	for p.err == nil {
		p.space()
		op := p.peek()
		if op != "and" && op != "or" {
			break
		}
		p.word("()[]")
		next := p.operand()
		if e.op == op {
			e.of = append(e.of, next)
		} else {
			e = &filterExpr{op: op, of: []*filterExpr{e, next}}
		}
	}
	p.depth--
	return e
}

func (p *filterParser) operand() *filterExpr {
	p.space()
	not := p.peek() == "not"
	if not {
		p.word("()[]")
		p.space()
	}
	if not || p.pos < len(p.text) && p.text[p.pos] == '(' {
		p.need('(')
		e := p.expression()
		p.space()
		p.need(')')
		if not {
			return &filterExpr{op: "not", of: []*filterExpr{e}}
		}
		// In parentheses of its own it must not take up operands that follow.
		return &filterExpr{op: "group", of: []*filterExpr{e}}
	}
	return p.test()
}

// test reads path, operator and value.
func (p *filterParser) test() *filterExpr {
	e := &filterExpr{}
	for p.err == nil {
		step := filterStep{name: p.word(".()[]\"")}
		if step.name == "" {
			p.fail("the name of a parameter is due")
		}
		if p.take('[') {
			step.where = p.expression()
			p.space()
			p.need(']')
		}
		e.path = append(e.path, step)
		if len(e.path) > maxFilterPath {
			p.fail("the path is too long")
		}
		if !p.take('.') {
			if step.where != nil {
				p.fail("behind a bracket, a dot and a name are due")
			}
			break
		}
	}
	p.space()
	e.op = p.word("()[]\"")
	p.space()
	if e.value = p.value(); e.value == "" {
		p.fail("a value is due")
	}
	return e
}

// value reads a JSON string or a token.
func (p *filterParser) value() string {
	if p.pos >= len(p.text) || p.text[p.pos] != '"' {
		return p.word(")]")
	}
	start := p.pos
	for p.pos++; p.pos < len(p.text) && p.text[p.pos] != '"'; p.pos++ {
		if p.text[p.pos] == '\\' {
			p.pos++
		}
	}
	if p.pos >= len(p.text) {
		p.fail("the string has no end")
		return ""
	}
	p.pos++
	var s string
	if json.Unmarshal([]byte(p.text[start:p.pos]), &s) != nil {
		p.fail("the string is not one of JSON")
	}
	return s
}
