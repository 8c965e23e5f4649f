// Package ucum reads unit codes of the Unified Code for Units of Measure, case sensitive, and converts values between
// units of one dimension, exactly: all numbers are rationals.
//
// A Unit is what a code means: a dimension, a factor and, for the temperature scales, an offset. Annotations are read and
// mean nothing. Units that are no line through their base (pH, bel, homeopathic potencies), arbitrary units ([iU]) and the
// mole are dimensions of their own: they meet only themselves.
package ucum

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"concord/hub"
)

//go:generate go run ./gen -from ../../.cache/ucum/package -to units_gen.go

// System is the URI of UCUM as a code system.
const System = "http://unitsofmeasure.org"

// Unit is the meaning of a code. Its zero is not valid. Units are never changed.
type Unit struct {
	dims   []power // sorted by base, none with exponent 0
	factor *big.Rat
	offset *big.Rat // added to a value before it is multiplied; nil for none
}

type power struct {
	base string
	exp  int
}

// The bounds of what is read; a longer, deeper or greater code is an Invalid error.
const (
	maxLength   = 128
	maxDepth    = 8
	maxExponent = 64
	maxBits     = 4096
)

// Parse reads a unit code: terms with . and /, parentheses, exponents, annotations in braces, prefixes.
func Parse(code string) (Unit, error) {
	if len(code) == 0 || len(code) > maxLength {
		return Unit{}, invalid(code, "is empty or too long")
	}
	p := parser{units: table(), text: code}
	u, err := p.term(0)
	if err == nil && p.pos < len(code) {
		err = invalid(code, "ends early")
	}
	return u, err
}

// Dimension names the base units with their exponents, in a fixed order: "g.m-3". It is empty for plain numbers.
func (u Unit) Dimension() string {
	var b strings.Builder
	for i, d := range u.dims {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(d.base)
		if d.exp != 1 {
			b.WriteString(strconv.Itoa(d.exp))
		}
	}
	return b.String()
}

// Key is the same text for codes that mean the same unit, and another for others.
func (u Unit) Key() string {
	key := u.Dimension() + "*" + u.factor.RatString()
	if u.offset != nil {
		key += "+" + u.offset.RatString()
	}
	return key
}

// Canonical converts a value in u into base units of its dimension.
func (u Unit) Canonical(value *big.Rat) *big.Rat {
	n := new(big.Rat).Set(value)
	if u.offset != nil {
		n.Add(n, u.offset)
	}
	return n.Mul(n, u.factor)
}

// Tens is the k for which a value in u is 10ᵏ times as many base units; ok is false where there is none.
func (u Unit) Tens() (k int, ok bool) {
	over, under := u.factor.Num().String(), u.factor.Denom().String()
	tens := func(s string) bool { return s[0] == '1' && strings.Trim(s[1:], "0") == "" }
	return len(over) - len(under), u.offset == nil && tens(over) && tens(under)
}

// FromCanonical converts a value in base units into u.
func (u Unit) FromCanonical(value *big.Rat) *big.Rat {
	n := new(big.Rat).Quo(value, u.factor)
	if u.offset != nil {
		n.Sub(n, u.offset)
	}
	return n
}

func (u Unit) times(v Unit, sign int) Unit {
	exps := map[string]int{}
	for _, d := range u.dims {
		exps[d.base] += d.exp
	}
	for _, d := range v.dims {
		exps[d.base] += sign * d.exp
	}
	product := Unit{factor: new(big.Rat)}
	for base, exp := range exps {
		if exp != 0 {
			product.dims = append(product.dims, power{base, exp})
		}
	}
	slices.SortFunc(product.dims, func(a, b power) int { return strings.Compare(a.base, b.base) })
	if sign > 0 {
		product.factor.Mul(u.factor, v.factor)
	} else {
		product.factor.Quo(u.factor, v.factor)
	}
	return product
}

// raise is u to the power of n; |n| is at most maxExponent.
func (u Unit) raise(n int) Unit {
	raised, sign := one(), 1
	if n < 0 {
		n, sign = -n, -1
	}
	for range n {
		raised = raised.times(u, sign)
	}
	return raised
}

func (u Unit) tooGreat() bool {
	return u.factor.Num().BitLen() > maxBits || u.factor.Denom().BitLen() > maxBits
}

func one() Unit { return Unit{factor: big.NewRat(1, 1)} }

func invalid(code, what string) error {
	return &hub.Error{Kind: hub.Invalid, Msg: "read unit " + strconv.Quote(code) + ": it " + what}
}

// definitions is the generated table with every unit resolved.
type definitions struct {
	units    map[string]Unit
	metric   map[string]bool
	prefixes map[string]*big.Rat
}

// table resolves the definitions when they are first asked for.
var table = sync.OnceValue(func() *definitions {
	d := &definitions{map[string]Unit{}, map[string]bool{}, map[string]*big.Rat{}}
	for line := range strings.Lines(prefixTable) {
		f := strings.Fields(line)
		d.prefixes[f[0]], _ = new(big.Rat).SetString(f[1])
	}
	meanings := map[string][]string{}
	for line := range strings.Lines(unitTable) {
		f := strings.Fields(line)
		d.metric[f[0]] = f[1] == "metric"
		meanings[f[0]] = f[2:]
	}
	// A definition may rest on others: go round until nothing is added. UCUM's need five rounds.
	for added := true; added; {
		added = false
		for code, f := range meanings {
			if u, ok := d.resolve(code, f); ok {
				d.units[code], added = u, true
				delete(meanings, code)
			}
		}
	}
	return d
})

// resolve reads the meaning of a unit: "base", or factor, unit and offset.
func (d *definitions) resolve(code string, meaning []string) (Unit, bool) {
	if meaning[0] == "base" {
		return Unit{dims: []power{{code, 1}}, factor: big.NewRat(1, 1)}, true
	}
	factor, ok := new(big.Rat).SetString(meaning[0])
	if !ok {
		return Unit{}, false
	}
	p := parser{units: d, text: meaning[1]}
	u, err := p.term(0)
	if err != nil || p.pos < len(p.text) {
		return Unit{}, false
	}
	u.factor = new(big.Rat).Mul(u.factor, factor)
	if len(meaning) > 2 {
		u.offset, ok = new(big.Rat).SetString(meaning[2])
	}
	return u, ok
}
