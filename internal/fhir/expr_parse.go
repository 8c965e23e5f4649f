package fhir

import (
	"fmt"
	"strconv"
	"strings"
)

// expr is a node of a search expression: the part of FHIRPath (N1) that R4's search parameters use.
type expr struct {
	op   op
	text string // a name, a type, a string or a URL
	n    int    // an index
	a, b *expr
}

type op uint8

const (
	opThis         op = iota // where the expression starts
	opResource               // %resource
	opMember                 // a.text
	opIndex                  // a[n]
	opWhere                  // a.where(b)
	opAs                     // a as text, a.as(text), a.ofType(text)
	opIs                     // a is text
	opResolve                // a.resolve()
	opExists                 // a.exists()
	opExtension              // a.extension(text)
	opHasExtension           // a.hasExtension(text)
	opUnion                  // a | b
	opEqual                  // a = b
	opUnequal                // a != b
	opAnd                    // a and b
	opLiteral                // 'text', true, false
)

// parseExpr reads a search expression. Precedence is FHIRPath's: path, union, type, equality, and.
func parseExpr(text string) (*expr, error) {
	p := &exprParser{text: text}
	p.next()
	e := p.and()
	if p.err == nil && p.token != "" {
		p.fail("unexpected " + strconv.Quote(p.token))
	}
	return e, p.err
}

type exprParser struct {
	text   string
	pos    int
	token  string // the token at hand, empty at the end
	quoted bool   // token is the content of a string literal
	err    error
}

func (p *exprParser) fail(msg string) {
	if p.err == nil {
		p.err = fmt.Errorf("search expression %q, byte %d: %s", p.text, p.pos, msg)
	}
	p.token, p.quoted = "", false
	p.pos = len(p.text)
}

func (p *exprParser) next() {
	p.quoted = false
	rest := strings.TrimLeft(p.text[p.pos:], " ")
	p.pos = len(p.text) - len(rest)
	width := 0
	switch {
	case rest == "":
	case rest[0] == '\'':
		end := strings.IndexByte(rest[1:], '\'')
		if end < 0 {
			p.fail("open string")
			return
		}
		p.token, p.quoted = rest[1:end+1], true
		p.pos += end + 2
		return
	case strings.HasPrefix(rest, "!="):
		width = 2
	case nameWidth(rest) > 0:
		width = nameWidth(rest)
	default:
		width = 1
	}
	p.token = rest[:width]
	p.pos += width
}

func nameWidth(s string) int {
	i := 0
	for i < len(s) && (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' || s[i] >= '0' && s[i] <= '9' || s[i] == '_' || i == 0 && s[i] == '%') {
		i++
	}
	return i
}

// take passes over the token when it is t.
func (p *exprParser) take(t string) bool {
	if p.quoted || p.token != t {
		return false
	}
	p.next()
	return true
}

func (p *exprParser) need(t string) {
	if p.err == nil && !p.take(t) {
		p.fail("no " + t)
	}
}

func (p *exprParser) name() string {
	name := p.token
	if p.quoted || nameWidth(name) == 0 {
		p.fail("no name")
		return ""
	}
	p.next()
	return name
}

func (p *exprParser) and() *expr {
	e := p.equality()
	for p.take("and") {
		e = &expr{op: opAnd, a: e, b: p.equality()}
	}
	return e
}

func (p *exprParser) equality() *expr {
	e := p.typed()
	for {
		switch {
		case p.take("="):
			e = &expr{op: opEqual, a: e, b: p.typed()}
		case p.take("!="):
			e = &expr{op: opUnequal, a: e, b: p.typed()}
		default:
			return e
		}
	}
}

func (p *exprParser) typed() *expr {
	e := p.union()
	for {
		switch {
		case p.take("as"):
			e = &expr{op: opAs, a: e, text: p.name()}
		case p.take("is"):
			e = &expr{op: opIs, a: e, text: p.name()}
		default:
			return e
		}
	}
}

func (p *exprParser) union() *expr {
	e := p.path()
	for p.take("|") {
		e = &expr{op: opUnion, a: e, b: p.path()}
	}
	return e
}

func (p *exprParser) path() *expr {
	e := p.start()
	for p.err == nil {
		switch {
		case p.take("."):
			e = p.step(e)
		case p.take("["):
			n, err := strconv.Atoi(p.token)
			if err != nil {
				p.fail("no index")
				return e
			}
			p.next()
			p.need("]")
			e = &expr{op: opIndex, a: e, n: n}
		default:
			return e
		}
	}
	return e
}

func (p *exprParser) start() *expr {
	switch {
	case p.quoted:
		e := &expr{op: opLiteral, text: p.token}
		p.next()
		return e
	case p.take("("):
		e := p.and()
		p.need(")")
		return e
	case p.take("%resource"):
		return &expr{op: opResource}
	case p.token == "true" || p.token == "false":
		return &expr{op: opLiteral, text: p.name()}
	}
	return p.step(&expr{op: opThis})
}

// functions are the functions that take one argument in the form of a literal or a type, or none.
var functions = map[string]op{"as": opAs, "ofType": opAs, "extension": opExtension, "hasExtension": opHasExtension}

func (p *exprParser) step(e *expr) *expr {
	name := p.name()
	if !p.take("(") {
		return &expr{op: opMember, a: e, text: name}
	}
	step := &expr{a: e}
	switch op, ok := functions[name]; {
	case ok:
		step.op, step.text = op, p.token
		p.next()
	case name == "where":
		step.op, step.b = opWhere, p.and()
	case name == "resolve":
		step.op = opResolve
	case name == "exists":
		step.op = opExists
	default:
		p.fail("unknown function " + name)
	}
	p.need(")")
	return step
}
