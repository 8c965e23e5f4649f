package fhir

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"sync"

	"concord/internal/ucum"
)

// unit is what a UCUM code means.
type unit struct {
	ucum.Unit
	dimension string
	tens      string // how a number in canonical units is one in this unit: "e-3"; empty: Canonical tells
}

// commonUnits are those that most quantities have; they are parsed once.
const commonUnits = `% 1 {score} {ratio} {index} {INR} {T-score} [pH] 10*-3 10*-6
10*9/L 10*12/L 10*6/L 10*3/L 10*3/uL 10*6/uL 10*3/mL /uL /mL /L /dL 10*9/mL
g/L mg/dL g/dL mg/L ug/L ug/dL ng/L ng/dL ng/mL pg/mL ug/mL mg/mL pg/L ug/mg mg/g ug/g ng/mg
mol/L mmol/L umol/L nmol/L pmol/L mmol/mol umol/mol meq/L mosm/kg mosm/L mmol/kg mg/mmol g/mol umol/g
U/L kU/L mU/L U/mL mU/mL U/g [iU]/L [iU]/mL m[iU]/L m[iU]/mL k[iU]/L u[iU]/mL k[iU]/mL ukat/L
kg g mg ug ng pg t [lb_av] [oz_av]
m cm mm km um nm [in_i] [ft_i]
L dL mL uL fL m3 cm3
s ms min h d wk mo a
Cel [degF] K
mm[Hg] kPa Pa cm[H2O] bar mbar
/min /s /h /d Hz kHz {beats}/min {breaths}/min
m2 cm2 mm2 kg/m2 g/m2 mg/m2
mL/min L/min mL/s mL/h L/h mL/d L/d L/(24.h) mL/min/{1.73_m2} L/min/m2 mL/kg mL/m2
g/d mg/d ug/d mg/h g/(24.h) mg/(24.h) ug/min mmol/d umol/d mmol/(24.h) mg/kg mg/kg/d ug/kg/min ug/kg
V mV uV A mA Ohm J kJ kcal W kW Gy mGy cGy Sv mSv Bq MBq m/s cm/s mm/h
[arb'U] [arb'U]/mL [arb'U]/L [iU] k[iU] U meq mmol umol mol mol/kg dB deg {copies}/mL {cells}/uL fL{MCV} pg{MCH} [CFU]/mL [diop]`

var commonTable = sync.OnceValue(func() map[string]*unit {
	t := map[string]*unit{}
	for code := range strings.FieldsSeq(commonUnits) {
		t[code] = readUnit(code) // none is nil: a test looks
	}
	return t
})

func readUnit(code string) *unit {
	u, err := ucum.Parse(code)
	if err != nil {
		return nil
	}
	read := &unit{Unit: u, dimension: u.Dimension()}
	if k, ok := u.Tens(); ok {
		read.tens = "e" + strconv.Itoa(k)
	}
	return read
}

// unitOf is the meaning of a UCUM code; nil when it is none, or of another system.
func unitOf(system, code string) *unit {
	if system != ucum.System {
		return nil
	}
	if u := commonTable()[code]; u != nil {
		return u
	}
	return readUnit(code)
}

// isDecimal refuses what ParseFloat reads beyond decimals: hexadecimals, underscores, names. It is no check of the form.
func isDecimal(s string) bool { return strings.Trim(s, "+-.0123456789eE") == "" }

// The bounds of a decimal: how long it may be, and its exponent. Those of a float64 end at 308.
const (
	maxDecimal  = 128
	maxExponent = 400
)

// exactDecimal reads a decimal.
func exactDecimal(text string) (*big.Rat, bool) {
	if len(text) > maxDecimal || !isDecimal(text) {
		return nil, false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if e, err := strconv.Atoi(text[i+1:]); err != nil || e > maxExponent || e < -maxExponent {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}

// nearest is the float64 next to x, the largest for what is beyond all.
//
// Reading a decimal as its nearest float64 keeps the order of numbers, and keeps those apart that differ within 15
// digits. So comparing floats is comparing decimals, for all that medicine writes down: 5.35 is not a float64, but it is the
// same one wherever it stands.
func nearest(x *big.Rat) float64 {
	f, _ := x.Float64()
	return min(max(f, -math.MaxFloat64), math.MaxFloat64)
}

func above(x float64) float64 { return math.Nextafter(x, math.Inf(1)) }
func below(x float64) float64 { return math.Nextafter(x, math.Inf(-1)) }

// decimal reads a JSON number.
func decimal(v Value) (float64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.Text(), 64)
	return n, err == nil
}
