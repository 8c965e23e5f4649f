package oracle

import (
	"fmt"
	"strings"
)

// path is a parsed FHIRPath expression: the part of the language that the search parameters use.
type path struct {
	op   string // this, %resource, name, member, call, index, as, is, |, =, !=, and, or, literal
	text string // a name, a function, a type, a literal
	args []*path
}

// binding lists the infix operators from loose to tight (FHIRPath, operator precedence).
var binding = [][]string{{"or"}, {"and"}, {"=", "!="}, {"|"}, {"is", "as"}}

// parsePath reads one expression.
func parsePath(text string) (*path, error) {
	p := &pathParser{tokens: pathTokens(text)}
	e, err := p.infix(0)
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("unexpected %q", p.tokens[0])
	}
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	return e, nil
}

// pathTokens cuts names, strings (with their quotes), numbers and single signs.
func pathTokens(text string) []string {
	var tokens []string
	for i := 0; i < len(text); {
		start := i
		switch c := text[i]; {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
			continue
		case c == '\'':
			for i++; i < len(text) && text[i] != '\''; i++ {
			}
			i++
		case isName(c):
			for i < len(text) && isName(text[i]) {
				i++
			}
		case c == '!' && strings.HasPrefix(text[i:], "!="):
			i += 2
		default:
			i++
		}
		tokens = append(tokens, text[start:min(i, len(text))])
	}
	return tokens
}

func isName(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '%' || c == '$'
}

type pathParser struct{ tokens []string }

func (p *pathParser) take(token string) bool {
	if len(p.tokens) > 0 && p.tokens[0] == token {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *pathParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *pathParser) infix(level int) (*path, error) {
	if level == len(binding) {
		return p.postfix()
	}
	left, err := p.infix(level + 1)
	for err == nil {
		op := ""
		for _, o := range binding[level] {
			if p.take(o) {
				op = o
			}
		}
		if op == "" {
			return left, nil
		}
		if op == "is" || op == "as" {
			left = &path{op: op, text: p.next(), args: []*path{left}}
			continue
		}
		var right *path
		right, err = p.infix(level + 1)
		left = &path{op: op, args: []*path{left, right}}
	}
	return left, err
}

func (p *pathParser) postfix() (*path, error) {
	e, err := p.term()
	for err == nil {
		switch {
		case p.take("."):
			e, err = p.invocation(e, p.next())
		case p.take("["):
			e = &path{op: "index", text: p.next(), args: []*path{e}}
			if !p.take("]") {
				err = fmt.Errorf("] is missing")
			}
		default:
			return e, nil
		}
	}
	return e, err
}

func (p *pathParser) term() (*path, error) {
	t := p.next()
	switch {
	case t == "(":
		e, err := p.infix(0)
		if err == nil && !p.take(")") {
			err = fmt.Errorf(") is missing")
		}
		return e, err
	case t == "true" || t == "false" || strings.HasPrefix(t, "'"):
		return &path{op: "literal", text: t}, nil
	case t == "%resource" || t == "$this":
		return &path{op: t}, nil
	case t != "" && isName(t[0]):
		return p.invocation(nil, t)
	}
	return nil, fmt.Errorf("unexpected %q", t)
}

// invocation is a name or a call on a focus; nil stands for where the expression starts.
func (p *pathParser) invocation(focus *path, name string) (*path, error) {
	if name == "" || !isName(name[0]) {
		return nil, fmt.Errorf("a name is due, not %q", name)
	}
	start := focus == nil
	if start {
		focus = &path{op: "$this"}
	}
	if !p.take("(") {
		if start {
			return &path{op: "name", text: name, args: []*path{focus}}, nil
		}
		return &path{op: "member", text: name, args: []*path{focus}}, nil
	}
	call := &path{op: "call", text: name, args: []*path{focus}}
	if p.take(")") {
		return call, nil
	}
	if name == "as" || name == "ofType" || name == "is" { // the argument is a type
		call = &path{op: strings.Replace(name, "ofType", "as", 1), text: p.next(), args: []*path{focus}}
	} else {
		arg, err := p.infix(0)
		if err != nil {
			return nil, err
		}
		call.args = append(call.args, arg)
	}
	if !p.take(")") {
		return nil, fmt.Errorf(") is missing after %s", name)
	}
	return call, nil
}
