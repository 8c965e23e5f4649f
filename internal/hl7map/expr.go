package hl7map

import (
	"fmt"
	"strings"

	"concord/internal/hl7"
)

// expr is an expression: the first of its pipes that makes something.
type expr struct {
	pipes []*pipe
	typ   string // of the element it is for; empty where it is used as text
}

// pipe is a source and the steps from it to a value.
type pipe struct {
	path   *path
	text   []piece // a constant, with paths in it
	refs   string  // the resources of this rule
	alike  *alike  // of these, not the nearest but those that say the same
	steps  []step
	joined *string // all values become one text with this between them
	whole  bool    // the values are read with all their parts
	table  *table
	coding bool // of the table
	with   *template
	by     *rule
}

// piece is a part of a constant.
type piece struct {
	text string
	path *path
	name string // of a variable: $member
}

type step struct {
	convert converter
	arg     string
}

var variables = map[string]bool{"$member": true, "$control": true, "$index": true, "$group": true, "$local": true}

// parseExpr reads an expression for an element of a type.
func (c *compiler) parseExpr(text, typ string) (*expr, error) {
	e := &expr{typ: typ}
	for alt := range strings.SplitSeq(text, " else ") {
		p, err := c.parsePipe(strings.TrimSpace(alt))
		if err == nil {
			err = p.fits(typ)
		}
		if err != nil {
			return nil, err
		}
		e.pipes = append(e.pipes, p)
	}
	return e, nil
}

func (c *compiler) parsePipe(text string) (*pipe, error) {
	p := &pipe{}
	src, rest, _ := strings.Cut(text, " | ")
	if err := c.parseSource(p, strings.TrimSpace(src)); err != nil {
		return nil, err
	}
	if rest == "" {
		return p, nil
	}
	for word := range strings.SplitSeq(rest, " | ") {
		if p.table != nil || p.with != nil || p.by != nil || p.refs != "" {
			return nil, fmt.Errorf("nothing can follow before %q", word)
		}
		name, arg, _ := strings.Cut(strings.TrimSpace(word), " ")
		if err := c.parseStep(p, name, strings.TrimLeft(arg, " ")); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (c *compiler) parseSource(p *pipe, src string) error {
	switch {
	case strings.HasPrefix(src, "="):
		var err error
		p.text, err = c.parseText(src[1:])
		return err
	case strings.HasPrefix(src, "@"):
		name, chosen, some := strings.Cut(src[1:], " with ")
		if c.rules[name] == nil {
			return fmt.Errorf("no resource rule is called %q", name)
		}
		var err error
		if p.refs = name; some {
			p.alike, err = parseAlike(chosen)
		}
		return err
	case strings.HasPrefix(src, "$"):
		if !variables[src] {
			return fmt.Errorf("there is no %q", src)
		}
		p.text = []piece{{name: src}}
		return nil
	}
	at, where, filtered := strings.Cut(src, " where ")
	var ok bool
	if p.path, ok = parsePath(strings.TrimSpace(at)); !ok {
		return fmt.Errorf("%q is no path", at)
	}
	if p.path.segment != "" && p.path.field == 0 {
		return fmt.Errorf("%q is a segment: name a field", at)
	}
	if filtered {
		var err error
		p.path.where, err = parseCond(where, c.isRule)
		return err
	}
	return nil
}

// parseText reads a constant: "{PID-5.1} of {$member}", in quotation marks or not.
func (c *compiler) parseText(s string) ([]piece, error) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	var list []piece
	for s != "" {
		before, rest, found := strings.Cut(s, "{")
		if before != "" {
			list = append(list, piece{text: before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("a brace is not closed in %q", s)
		}
		s = after
		if variables[name] {
			list = append(list, piece{name: name})
			continue
		}
		at, ok := parsePath(name)
		if !ok || at.segment != "" && at.field == 0 {
			return nil, fmt.Errorf("%q is no path", name)
		}
		list = append(list, piece{path: at})
	}
	return list, nil
}

func (c *compiler) parseStep(p *pipe, name, arg string) error {
	switch {
	case name == "table" || name == "coding":
		if p.table = c.tables[arg]; p.table == nil {
			return fmt.Errorf("no table is called %q", arg)
		}
		p.coding = name == "coding"
		return nil
	case name == "join" || name == "lines":
		sep := strings.ReplaceAll(strings.Trim(arg, `"`), `\n`, "\n")
		if name == "lines" {
			sep, p.whole = "\n", true
		}
		p.joined = &sep
		return nil
	case strings.HasPrefix(name, "@"):
		if p.by = c.rules[name[1:]]; p.by == nil {
			return fmt.Errorf("no resource rule is called %q", name[1:])
		}
	case c.templates[name] != nil:
		p.with = c.templates[name]
	default:
		f, ok := converters[name]
		if !ok {
			return fmt.Errorf("no step or template is called %q", name)
		}
		p.whole = p.whole || f.whole
		p.steps = append(p.steps, step{f, arg})
		return nil
	}
	if p.path == nil || len(p.steps) > 0 || p.joined != nil {
		return fmt.Errorf("%s takes values as they are", name)
	}
	return nil
}

// fits tells whether a pipe can make what an element of a type wants.
func (p *pipe) fits(typ string) error {
	switch {
	case typ == "":
		if p.with != nil || p.by != nil || p.coding {
			return fmt.Errorf("this is text: no template, rule or coding makes it")
		}
	case p.with != nil:
		if p.with.typ != typ {
			return fmt.Errorf("template %s makes a %s, and this is a %s", p.with.name, p.with.typ, typ)
		}
	case p.by != nil || p.refs != "":
		if typ != "Reference" && complexType(typ) {
			return fmt.Errorf("a reference is made, and this is a %s", typ)
		}
	case p.coding:
		if typ != "Coding" {
			return fmt.Errorf("a Coding is made, and this is a %s", typ)
		}
	case complexType(typ):
		return fmt.Errorf("this is a %s: name a template that makes one, or its members", typ)
	}
	return nil
}

// constant tells whether nothing of it comes from the message.
func (e *expr) constant() bool {
	for _, p := range e.pipes {
		if p.path != nil || p.refs != "" {
			return false
		}
		for _, one := range p.text {
			if one.path != nil {
				return false
			}
		}
	}
	return true
}

// string is the expression's first value as text, for ids and names. It does not count as read.
func (e *expr) string(r *run, c context) string {
	for _, p := range e.pipes {
		if s := p.string(r, c); s != "" {
			return s
		}
	}
	return ""
}

func (p *pipe) string(r *run, c context) (out string) {
	switch {
	case p.refs != "":
		for _, one := range r.referred(p, c) {
			return one.name.ID
		}
		return ""
	case p.path == nil:
		return p.constantText(r, c)
	}
	p.path.values(r, c, func(v hl7.Value) bool {
		if v.Null() {
			return true
		}
		s, ok := p.convert(r, v)
		if ok && p.table != nil {
			e, _ := p.table.find(s)
			s = e.code
		}
		if !ok || s == "" {
			return true
		}
		if p.joined != nil && out != "" {
			out += *p.joined
		}
		out += s
		return p.joined != nil
	})
	return out
}

// constantText fills a constant; empty if it has paths and none says anything.
func (p *pipe) constantText(r *run, c context) string {
	if len(p.text) == 1 && p.text[0].text != "" {
		return p.text[0].text
	}
	var b strings.Builder
	asked, found := false, false
	for _, one := range p.text {
		switch {
		case one.path != nil:
			asked = true
			one.path.values(r, c, func(v hl7.Value) bool {
				s := strings.TrimSpace(v.Text())
				found = found || s != ""
				b.WriteString(s)
				r.reads(v, false)
				return s == ""
			})
		case one.name != "":
			b.WriteString(r.variable(one.name, c))
		default:
			b.WriteString(one.text)
		}
	}
	if asked && !found {
		return ""
	}
	if !asked {
		return b.String()
	}
	s := b.String()
	if strings.TrimSpace(s) == s && !strings.ContainsAny(s, "\t\r\n") && !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// convert takes a value through the steps.
func (p *pipe) convert(r *run, v hl7.Value) (string, bool) {
	var s string
	if p.whole {
		s = v.Whole()
	} else {
		s = strings.TrimSpace(v.Text())
	}
	for _, st := range p.steps {
		var ok bool
		if s, ok = st.convert.do(r, v, s, st.arg); !ok {
			return "", false
		}
	}
	return s, true
}
