package hl7map

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"concord/internal/hl7"
)

// cond is a condition. What it looks at does not count as read.
type cond interface {
	holds(r *run, c context) bool
}

type (
	allOf []cond
	anyOf []cond
	no    struct{ cond }
	said  struct{ *path }
	made  struct{ name string } // resources of a rule are there
	oneOf struct {              // a value is one of these
		path  *path
		words []string
	}
	numeric struct{ *path } // a number, with a comparator or without
	matches struct {
		path *path
		re   *regexp.Regexp
	}
)

func (a allOf) holds(r *run, c context) bool {
	for _, one := range a {
		if !one.holds(r, c) {
			return false
		}
	}
	return true
}

func (a anyOf) holds(r *run, c context) bool {
	for _, one := range a {
		if one.holds(r, c) {
			return true
		}
	}
	return false
}

func (n no) holds(r *run, c context) bool   { return !n.cond.holds(r, c) }
func (s said) holds(r *run, c context) bool { return s.there(r, c) }
func (m made) holds(r *run, c context) bool { return len(r.nearest(m.name, c.group)) > 0 }

func (o oneOf) holds(r *run, c context) (found bool) {
	o.path.values(r, c, func(v hl7.Value) bool {
		found = slices.Contains(o.words, strings.TrimSpace(v.Text()))
		return !found
	})
	return found
}

func (m numeric) holds(r *run, c context) (found bool) {
	m.values(r, c, func(v hl7.Value) bool {
		_, n := compared(v.Whole())
		found = n != ""
		return !found
	})
	return found
}

func (m matches) holds(r *run, c context) (found bool) {
	m.path.values(r, c, func(v hl7.Value) bool {
		found = m.re.MatchString(v.Whole())
		return !found
	})
	return found
}

// condParser reads conditions: A or B and not (C).
type condParser struct {
	words []string
	rules func(string) bool
	depth int
}

var condWords = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[(),]|!=|=|[^\s(),=!"]+`)

// parseCond reads a condition; isRule tells names of resource rules.
func parseCond(text string, isRule func(string) bool) (cond, error) {
	p := &condParser{words: condWords.FindAllString(text, -1), rules: isRule}
	c, err := p.any()
	if err == nil && len(p.words) > 0 {
		err = fmt.Errorf("%q is not understood there", p.words[0])
	}
	return c, err
}

func (p *condParser) next() string {
	if len(p.words) == 0 {
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *condParser) take(word string) bool {
	if len(p.words) > 0 && p.words[0] == word {
		p.words = p.words[1:]
		return true
	}
	return false
}

func (p *condParser) any() (cond, error) {
	var list anyOf
	for {
		c, err := p.all()
		if err != nil {
			return nil, err
		}
		if list = append(list, c); !p.take("or") {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *condParser) all() (cond, error) {
	var list allOf
	for {
		c, err := p.one()
		if err != nil {
			return nil, err
		}
		if list = append(list, c); !p.take("and") {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *condParser) one() (cond, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("it is nested too deep")
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("not"):
		c, err := p.one()
		return no{c}, err
	case p.take("("):
		c, err := p.any()
		if err == nil && !p.take(")") {
			err = errors.New("a bracket is not closed")
		}
		return c, err
	}
	word := p.next()
	if name, ok := strings.CutPrefix(word, "@"); ok {
		if !p.rules(name) {
			return nil, fmt.Errorf("no resource rule is called %q", name)
		}
		return made{name}, nil
	}
	at, ok := parsePath(word)
	if !ok {
		return nil, fmt.Errorf("%q is no path", word)
	}
	switch {
	case p.take("="):
		word, err := p.word("=")
		return oneOf{at, []string{word}}, err
	case p.take("!="):
		word, err := p.word("!=")
		return no{oneOf{at, []string{word}}}, err
	case p.take("in"):
		words, err := p.list()
		return oneOf{at, words}, err
	case p.take("is"):
		if w := p.next(); w != "number" {
			return nil, fmt.Errorf(`"is" is followed by number, not %q`, w)
		}
		return numeric{at}, nil
	case p.take("matches"):
		word, err := p.word("matches")
		if err != nil {
			return nil, err
		}
		re, err := regexp.Compile(word)
		if err != nil {
			return nil, fmt.Errorf("this is no regular expression: %w", err)
		}
		return matches{at, re}, nil
	}
	return said{at}, nil
}

// word is what a comparison compares with.
func (p *condParser) word(after string) (string, error) {
	w := p.next()
	if w == "" {
		return "", fmt.Errorf("%s is followed by a word", after)
	}
	return unquoted(w), nil
}

func (p *condParser) list() (words []string, err error) {
	if !p.take("(") {
		return nil, errors.New(`"in" is followed by (A, B)`)
	}
	for !p.take(")") {
		if len(p.words) == 0 {
			return nil, errors.New("a bracket is not closed")
		}
		if w := p.next(); w != "," {
			words = append(words, unquoted(w))
		}
	}
	return words, nil
}

// unquoted takes quotation marks off; within them \" is one, and every other backslash stays as it is.
func unquoted(w string) string {
	if len(w) >= 2 && w[0] == '"' {
		return strings.ReplaceAll(w[1:len(w)-1], `\"`, `"`)
	}
	return w
}
