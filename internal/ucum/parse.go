package ucum

import (
	"math/big"
	"strconv"
	"strings"
)

// parser reads UCUM's grammar of terms by descent.
type parser struct {
	units *definitions
	text  string
	pos   int
}

// term reads [/] component {(. | /) component}, from left to right, until the end or a closing parenthesis.
func (p *parser) term(depth int) (Unit, error) {
	if depth > maxDepth {
		return Unit{}, invalid(p.text, "is nested too deeply")
	}
	product, sign := one(), 1
	alone := true
	if p.next('/') {
		sign, alone = -1, false
	}
	for {
		u, err := p.component(depth)
		if err != nil {
			return Unit{}, err
		}
		more, nextSign := false, 1
		switch {
		case p.next('.'):
			more = true
		case p.next('/'):
			more, nextSign = true, -1
		}
		if u.offset != nil {
			if !alone || more {
				return Unit{}, invalid(p.text, "multiplies a scale that has a zero of its own")
			}
			return u, nil
		}
		product = product.times(u, sign)
		if product.tooGreat() {
			return Unit{}, invalid(p.text, "is too great or too small")
		}
		if !more {
			return product, nil
		}
		sign, alone = nextSign, false
	}
}

func (p *parser) next(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// component reads a term in parentheses, an annotation, a number or a unit, and the annotation behind it.
func (p *parser) component(depth int) (Unit, error) {
	switch {
	case p.next('('):
		u, err := p.term(depth + 1)
		if err == nil && !p.next(')') {
			err = invalid(p.text, "lacks a closing parenthesis")
		}
		return u, err
	case p.pos < len(p.text) && p.text[p.pos] == '{':
		return one(), p.annotation()
	}
	u, err := p.simple()
	if err == nil && p.pos < len(p.text) && p.text[p.pos] == '{' {
		err = p.annotation()
	}
	return u, err
}

func (p *parser) annotation() error {
	end := strings.IndexByte(p.text[p.pos:], '}')
	if end < 0 {
		return invalid(p.text, "lacks a closing brace")
	}
	p.pos += end + 1
	return nil
}

// simple reads a whole number, or a unit with its exponent.
func (p *parser) simple() (Unit, error) {
	symbol := p.symbol()
	if symbol == "" {
		digits := p.digits()
		n, ok := new(big.Rat).SetString(digits)
		if !ok || n.Sign() == 0 || len(digits) > 32 {
			return Unit{}, invalid(p.text, "has neither a unit nor a number where one is due")
		}
		return Unit{factor: n}, nil
	}
	u, ok := p.units.unit(symbol)
	if !ok {
		return Unit{}, invalid(p.text, "has no known unit "+strconv.Quote(symbol))
	}
	start := p.pos
	if !p.next('+') {
		p.next('-')
	}
	if p.digits() == "" {
		if p.pos > start {
			return Unit{}, invalid(p.text, "lacks an exponent")
		}
		return u, nil
	}
	n, err := strconv.Atoi(p.text[start:p.pos])
	if err != nil || n > maxExponent || n < -maxExponent || u.offset != nil {
		return Unit{}, invalid(p.text, "has an exponent that is too great")
	}
	u = u.raise(n)
	if u.tooGreat() {
		return Unit{}, invalid(p.text, "is too great or too small")
	}
	return u, nil
}

// symbol reads a unit with its prefix. Digits are part of it only in brackets and in 10* and 10^.
func (p *parser) symbol() string {
	start := p.pos
	if rest := p.text[start:]; strings.HasPrefix(rest, "10*") || strings.HasPrefix(rest, "10^") {
		p.pos += 3
		return rest[:3]
	}
	for ; p.pos < len(p.text); p.pos++ {
		c := p.text[p.pos]
		if c == '[' {
			end := strings.IndexByte(p.text[p.pos:], ']')
			if end < 0 {
				break
			}
			p.pos += end
			continue
		}
		if c <= ' ' || c > '~' || strings.IndexByte("0123456789+-./(){}", c) >= 0 {
			break
		}
	}
	return p.text[start:p.pos]
}

func (p *parser) digits() string {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos]-'0' <= 9 {
		p.pos++
	}
	return p.text[start:p.pos]
}

// unit looks a symbol up, whole or behind a prefix.
func (d *definitions) unit(symbol string) (Unit, bool) {
	if u, ok := d.units[symbol]; ok {
		return u, true
	}
	for n := 1; n <= 2 && n < len(symbol); n++ {
		prefix, ok := d.prefixes[symbol[:n]]
		u, known := d.units[symbol[n:]]
		if !ok || !known || !d.metric[symbol[n:]] {
			continue
		}
		u.factor = new(big.Rat).Mul(u.factor, prefix)
		if u.offset != nil {
			u.offset = new(big.Rat).Quo(u.offset, prefix)
		}
		return u, true
	}
	return Unit{}, false
}
