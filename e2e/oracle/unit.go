package oracle

import "math/big"

const ucum = "http://unitsofmeasure.org"

// unit is a UCUM unit as a multiple of a base that all units of its kind share.
type unit struct {
	kind   string
	factor *big.Rat
}

// units are those of the data that are multiples of one another. Kinds are written as UCUM's dimensions; a count of
// substance is a number (mol = 6.02214076e23), but no data mixes the two.
var units = func() map[string]unit {
	table := map[string]unit{}
	for kind, codes := range map[string]map[string]string{
		"g":     {"kg": "1000", "g": "1", "mg": "1e-3", "ug": "1e-6", "ng": "1e-9", "pg": "1e-12", "[lb_av]": "453.59237"},
		"m":     {"m": "1", "cm": "1e-2", "mm": "1e-3", "km": "1000", "[in_i]": "0.0254"},
		"g/L":   {"g/L": "1", "mg/L": "1e-3", "ug/L": "1e-6", "g/dL": "10", "mg/dL": "1e-2", "ug/dL": "1e-5", "mg/mL": "1", "ug/mL": "1e-3", "ng/mL": "1e-6", "pg/mL": "1e-9", "ng/L": "1e-9"},
		"mol/L": {"mol/L": "1", "mmol/L": "1e-3", "umol/L": "1e-6", "nmol/L": "1e-9"},
		"L":     {"L": "1", "dL": "0.1", "mL": "1e-3", "ml": "1e-3", "uL": "1e-6", "fL": "1e-15"},
		"Pa":    {"kPa": "1000", "mm[Hg]": "133.322"},
		"s":     {"s": "1", "min": "60", "h": "3600", "d": "86400", "wk": "604800", "a": "31557600"},
		"/s":    {"/min": "1/60", "/s": "1"},
		"/L":    {"10*9/L": "1e9", "10*12/L": "1e12", "10*3/uL": "1e9", "10*6/uL": "1e12"},
		"L/s":   {"mL/min": "1/60000", "L/min": "1/60", "mL/h": "1/3600000", "mL/d": "1/86400000"},
		"U/L":   {"U/L": "1", "kU/L": "1000"},
		"g/m2":  {"kg/m2": "1000", "mg/m2": "1e-3"},
		"one":   {"%": "1/100", "mg/g": "1e-3", "mg/kg": "1e-6", "{score}": "1", "{INR}": "1", "{nominal}": "1", "{T-score}": "1", "{scoop}": "1"},
		"[pH]":  {"[pH]": "1"},
		"Cel":   {"Cel": "1"},
	} {
		for code, factor := range codes {
			r, _ := new(big.Rat).SetString(factor)
			table[code] = unit{kind, r}
		}
	}
	return table
}()

// convert returns q in the unit asked for: as it is when the names agree, by the table when both are UCUM and of one
// kind. ok is false when they cannot be compared.
func (q Quantity) convert(system, code string) (Quantity, bool) {
	if q.named(system, code) {
		return q, true
	}
	from, known := units[q.Code]
	to, comparable := units[code]
	if system != ucum || q.System != ucum || !known || !comparable || from.kind != to.kind {
		return q, false
	}
	return q.times(new(big.Rat).Quo(from.factor, to.factor)), true
}
