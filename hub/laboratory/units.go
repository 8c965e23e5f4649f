package laboratory

import (
	"math/big"
	"strconv"
	"strings"

	"concord/internal/ucum"
)

// UCUM is the UCUM code of a unit as a laboratory writes it, if that is sure: it is in the table of units, or it is a code
// already whose dimension is that of like, a UCUM code that the analyte is measured in (empty: not known). A code that is in
// no table and of no known analyte is not believed: G/L is gauss per litre to UCUM, and 10⁹ a litre to a laboratory.
func (r *Rules) UCUM(written, like string) (code string, ok bool) {
	if code, ok := r.units[FoldUnit(written)]; ok {
		return code, true
	}
	if like == "" {
		return "", false
	}
	written = strings.TrimSpace(written)
	have, known := r.dimension(written)
	want, right := r.dimension(like)
	if !known || !right || have != want {
		return "", false
	}
	return written, true
}

// dimension is that of a UCUM code; ok is false for what is none.
func (r *Rules) dimension(code string) (dimension string, ok bool) {
	if d, ok := r.dimensions[code]; ok {
		return d, true
	}
	u, err := ucum.Parse(code)
	if err != nil {
		return "", false
	}
	return u.Dimension(), true
}

// Convert gives a value in another unit, exactly: by UCUM within a dimension, between mass and amount of substance in a
// volume by what one millimole of the analyte weighs. ok is false where the two cannot be compared. a may be nil.
func (a *Analyte) Convert(value *big.Rat, from, to string) (*big.Rat, bool) {
	if from == to {
		return value, true
	}
	u, err := ucum.Parse(from)
	if err != nil {
		return nil, false
	}
	v, err := ucum.Parse(to)
	if err != nil {
		return nil, false
	}
	if u.Dimension() == v.Dimension() {
		return v.FromCanonical(u.Canonical(value)), true
	}
	if a == nil || a.PerMillimole == nil {
		return nil, false
	}
	mass, amount := unit("mg/dL"), unit("mmol/L")
	switch {
	case u.Dimension() == mass.Dimension() && v.Dimension() == amount.Dimension():
		milligrams := mass.FromCanonical(u.Canonical(value))
		return v.FromCanonical(amount.Canonical(milligrams.Quo(milligrams, a.PerMillimole))), true
	case u.Dimension() == amount.Dimension() && v.Dimension() == mass.Dimension():
		millimoles := amount.FromCanonical(u.Canonical(value))
		return v.FromCanonical(mass.Canonical(millimoles.Mul(millimoles, a.PerMillimole))), true
	}
	return nil, false
}

// unit reads a code that is right.
func unit(code string) ucum.Unit {
	u, _ := ucum.Parse(code)
	return u
}

// decimal reads a JSON number. Those that no laboratory writes (more than 40 characters, exponents beyond ±30) are refused:
// as fractions they would fill the memory.
func decimal(text string) (*big.Rat, bool) {
	if text == "" || len(text) > 40 {
		return nil, false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if n, err := strconv.Atoi(text[i+1:]); err != nil || n < -30 || n > 30 {
			return nil, false
		}
	}
	if strings.ContainsAny(text, "/_xXpP") {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// short writes a number for people: six places behind the point at most.
func short(v *big.Rat) string {
	s := v.FloatString(6)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
