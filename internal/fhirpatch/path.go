package fhirpatch

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The FHIRPath that patches may use (R4 fhirpatch.html calls for no more than this):
//
//	path      = head { "." step | "[" number "]" } [ "as" type ]
//	head      = name | "$this" | "(" path ")"
//	step      = name | "first()" | "last()" | "single()" | "where(" condition ")" | "extension(" text ")"
//	          | "ofType(" type ")" | "as(" type ")"
//	condition = either { "and" either | "or" either }, and before or
//	either    = "(" condition ")" | path [ ("=" | "!=") literal ] | path ".exists()" | path ".empty()"

// Limits of one path.
const (
	maxPath    = 4096 // bytes
	maxNesting = 16
)

type stepKind uint8

const (
	memberStep stepKind = iota
	indexStep
	firstStep
	lastStep
	singleStep
	whereStep
	typeStep // ofType, as
)

// step narrows or widens a list of places.
type step struct {
	kind  stepKind
	name  string // memberStep: the element; typeStep: the type
	index int
	cond  *condition
}

// condition is a tree: and and or have both sides, the others are about path.
type condition struct {
	op          string // and, or, =, !=, exists, empty, true
	left, right *condition
	path        []step
	literal     string
	text        bool // the literal is a string or date
}

type pathParser struct {
	text  string
	pos   int
	depth int
}

// parsePath reads a path of an operation.
func parsePath(text string) ([]step, error) {
	if len(text) > maxPath {
		return nil, invalid("the path has %d bytes, the limit is %d", len(text), maxPath)
	}
	if !utf8.ValidString(text) {
		return nil, invalid("the path is not UTF-8")
	}
	p := &pathParser{text: text}
	steps, _, err := p.path(false)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos < len(p.text) {
		return nil, p.fault("there is more behind the path's end")
	}
	return steps, nil
}

func (p *pathParser) fault(msg string) error {
	return invalid("%s, at byte %d of the path", msg, p.pos)
}

func (p *pathParser) skip() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// take passes over s when it comes next.
func (p *pathParser) take(s string) bool {
	p.skip()
	if !strings.HasPrefix(p.text[p.pos:], s) {
		return false
	}
	p.pos += len(s)
	return true
}

// word passes over the name w when it comes next and ends there.
func (p *pathParser) word(w string) bool {
	p.skip()
	start := p.pos
	if name, _ := p.name(); name == w && p.text[start] != '`' {
		return true
	}
	p.pos = start
	return false
}

func (p *pathParser) expect(s string) error {
	if !p.take(s) {
		return p.fault(strconv.Quote(s) + " is due")
	}
	return nil
}

func (p *pathParser) nest() error {
	if p.depth++; p.depth > maxNesting {
		return p.fault("parentheses nest deeper than " + strconv.Itoa(maxNesting))
	}
	return nil
}

// path reads a path; inside a condition it may end in .exists() or .empty(), which suffix names.
func (p *pathParser) path(inside bool) (steps []step, suffix string, err error) {
	switch {
	case p.take("$this"):
	case p.take("("):
		if steps, err = p.enclosed(); err != nil {
			return nil, "", err
		}
	default:
		name, err := p.name()
		if err != nil {
			return nil, "", err
		}
		if !p.take("(") {
			steps = []step{{kind: memberStep, name: name}}
		} else if steps, suffix, err = p.function(name, nil); err != nil {
			return nil, "", err
		}
	}
	return p.rest(steps, suffix, inside)
}

// enclosed reads a path and the parenthesis that ends it.
func (p *pathParser) enclosed() ([]step, error) {
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	steps, _, err := p.path(false)
	if err != nil {
		return nil, err
	}
	return steps, p.expect(")")
}

// rest reads what follows a path's head.
func (p *pathParser) rest(steps []step, suffix string, inside bool) ([]step, string, error) {
	for suffix == "" {
		switch {
		case p.take("["):
			i, err := p.number()
			if err == nil {
				err = p.expect("]")
			}
			if err != nil {
				return nil, "", err
			}
			steps = append(steps, step{kind: indexStep, index: i})
		case p.take("."):
			name, err := p.name()
			if err != nil {
				return nil, "", err
			}
			if !p.take("(") {
				steps = append(steps, step{kind: memberStep, name: name})
			} else if steps, suffix, err = p.function(name, steps); err != nil {
				return nil, "", err
			}
		case p.word("as"):
			typ, err := p.typeName()
			if err != nil {
				return nil, "", err
			}
			return append(steps, step{kind: typeStep, name: typ}), "", nil
		default:
			return steps, "", nil
		}
	}
	if !inside {
		return nil, "", p.fault(suffix + "() belongs into a condition")
	}
	return steps, suffix, nil
}

// function reads the arguments behind an open parenthesis.
func (p *pathParser) function(name string, steps []step) ([]step, string, error) {
	var err error
	suffix := ""
	s := step{}
	switch name {
	case "first":
		s.kind = firstStep
	case "last":
		s.kind = lastStep
	case "single":
		s.kind = singleStep
	case "where":
		s.kind = whereStep
		s.cond, err = p.condition()
	case "extension":
		var url string
		url, err = p.string()
		steps = append(steps, step{kind: memberStep, name: "extension"})
		s = step{kind: whereStep, cond: &condition{op: "=", path: []step{{kind: memberStep, name: "url"}}, literal: url, text: true}}
	case "ofType", "as":
		s.kind = typeStep
		s.name, err = p.typeName()
	case "exists", "empty":
		suffix = name
	default:
		return nil, "", p.fault("patches do not take the function " + name + "(): they take first, last, single, where, extension, ofType, as, and in conditions exists and empty")
	}
	if err == nil {
		err = p.expect(")")
	}
	if err != nil {
		return nil, "", err
	}
	if suffix == "" {
		steps = append(steps, s)
	}
	return steps, suffix, nil
}

func (p *pathParser) condition() (*condition, error) {
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	left, err := p.conjunction()
	for err == nil && p.word("or") {
		var right *condition
		right, err = p.conjunction()
		left = &condition{op: "or", left: left, right: right}
	}
	return left, err
}

func (p *pathParser) conjunction() (*condition, error) {
	left, err := p.comparison()
	for err == nil && p.word("and") {
		var right *condition
		right, err = p.comparison()
		left = &condition{op: "and", left: left, right: right}
	}
	return left, err
}

func (p *pathParser) comparison() (*condition, error) {
	var steps []step
	var suffix string
	var err error
	if p.take("(") { // of a condition, or of a path: (value as Quantity).unit = 'mmol/L'
		c, err := p.condition()
		if err == nil {
			err = p.expect(")")
		}
		if err != nil || c.op != "true" {
			return c, err
		}
		steps, suffix, err = p.rest(c.path, "", true)
		if err != nil {
			return nil, err
		}
	} else if steps, suffix, err = p.path(true); err != nil {
		return nil, err
	}
	c := &condition{op: "true", path: steps}
	switch {
	case suffix != "":
		c.op = suffix
	case p.take("="):
		c.op = "="
	case p.take("!="):
		c.op = "!="
	}
	if c.op == "=" || c.op == "!=" {
		c.literal, c.text, err = p.literal()
	}
	return c, err
}

func (p *pathParser) literal() (value string, text bool, err error) {
	p.skip()
	if p.pos == len(p.text) {
		return "", false, p.fault("a value is due")
	}
	switch c := p.text[p.pos]; {
	case c == '\'':
		value, err = p.string()
		return value, true, err
	case c == '@':
		p.pos++
		return p.run("0123456789-:.TZ+"), true, nil
	case c == '-' || c >= '0' && c <= '9':
		return p.run("0123456789.-"), false, nil
	}
	for _, w := range []string{"true", "false"} {
		if p.word(w) {
			return w, false, nil
		}
	}
	return "", false, p.fault("a condition compares with a string, number, date, true or false")
}

func (p *pathParser) run(chars string) string {
	start := p.pos
	for p.pos < len(p.text) && strings.IndexByte(chars, p.text[p.pos]) >= 0 {
		p.pos++
	}
	return p.text[start:p.pos]
}

func (p *pathParser) number() (int, error) {
	p.skip()
	i, err := strconv.Atoi(p.run("0123456789"))
	if err != nil {
		return 0, p.fault("a position is due")
	}
	return i, nil
}

// name reads an identifier, which may stand in backquotes.
func (p *pathParser) name() (string, error) {
	p.skip()
	if p.take("`") {
		name, rest, ok := strings.Cut(p.text[p.pos:], "`")
		if !ok || name == "" {
			return "", p.fault("a name in backquotes is due")
		}
		p.pos = len(p.text) - len(rest)
		return name, nil
	}
	start := p.pos
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' && p.pos > start {
			p.pos++
			continue
		}
		break
	}
	if p.pos == start {
		return "", p.fault("a name is due")
	}
	return p.text[start:p.pos], nil
}

// typeName reads a type, which may be qualified: FHIR.Quantity.
func (p *pathParser) typeName() (string, error) {
	name, err := p.name()
	if err == nil && name == "FHIR" && p.take(".") {
		return p.name()
	}
	return name, err
}

// string reads a text in single quotes with FHIRPath's escapes.
func (p *pathParser) string() (string, error) {
	if err := p.expect("'"); err != nil {
		return "", err
	}
	var b strings.Builder
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		p.pos++
		switch c {
		case '\'':
			return b.String(), nil
		case '\\':
			if p.pos == len(p.text) {
				return "", p.fault("the text does not end")
			}
			c = p.text[p.pos]
			p.pos++
			if i := strings.IndexByte("trnf", c); i >= 0 {
				b.WriteByte("\t\r\n\f"[i])
				continue
			}
			if c == 'u' {
				v, err := strconv.ParseUint(p.text[p.pos:min(p.pos+4, len(p.text))], 16, 16)
				if err != nil || p.pos+4 > len(p.text) {
					return "", p.fault(`\u is followed by four hexadecimal digits`)
				}
				b.WriteRune(rune(v))
				p.pos += 4
				continue
			}
			if strings.IndexByte("'\"`\\/", c) < 0 {
				return "", p.fault("there is no such escape")
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fault("the text does not end")
}
