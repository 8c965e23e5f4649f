package laboratory

import (
	"math/big"
	"strings"
	"time"

	"concord/internal/ucum"
)

// Rules are a deployment's data about laboratories. They are read-only once Compile has returned them.
type Rules struct {
	// Version names the rules in what was made by them.
	Version  string
	Analytes []Analyte
	// Units are the UCUM codes of units as laboratories write them.
	Units map[string]string
	// Specimens are the names and codes of kinds of specimen: "血清" → "serum".
	Specimens map[string]string
	// SpecimenWords are words in the name of a report that tell the kind of specimen of its results: "尿" → "urine".
	SpecimenWords map[string]string
	// Assume is the kind of specimen of results that name none; empty: it is not known.
	Assume string
	// CriticalFlags are the interpretations, as codes or text, by which a laboratory itself says that a value is critical.
	CriticalFlags []string
	Thresholds    []Threshold
	Limits        []Limit
	Ranges        []Range

	names     map[string][]alias
	codes     map[string]codeAt // by LOINC
	units     map[string]string // folded
	specimens map[string]string // folded
	kinds     map[string]bool
	words     map[string]string // folded
	// dimensions of the UCUM codes in the rules
	dimensions map[string]string
	flags      map[string]bool // folded
	critical   map[string][]*Threshold
	delta      map[string]*Limit
}

// Analyte is one thing that is measured.
type Analyte struct {
	ID      string
	Chinese string
	English string
	// Names are what it is called besides.
	Names []Name
	// PerMillimole is how many mg/dL one mmol/L is; nil where mass and amount are not compared.
	PerMillimole *big.Rat
	Codes        []Code
	Source       string
}

// Name is a name of an analyte. Specimen is the kind that the name itself tells (血糖: of blood), empty for none.
type Name struct {
	Text     string
	Specimen string
}

// Code is the LOINC code of an analyte for one kind of specimen and unit.
type Code struct {
	LOINC    string
	Display  string
	Specimen string
	// Unit is a UCUM code: units of its dimension fit. Empty: the result has no unit (presence, ratios).
	Unit string
}

// Ages bound a patient's age in days: From ≤ age < To. A zero To has no end. A rule with bounds is only for patients whose
// age is known.
type Ages struct {
	From, To int
}

// Threshold says from where on a value of an analyte is critical: at most Low, at least High; the bounds themselves are.
// Of those for an analyte, the first that fits specimen and age is the one that counts.
type Threshold struct {
	Analyte   string
	Specimens []string // none: any
	Ages      Ages
	Low, High *big.Rat // nil: no bound
	Unit      string   // UCUM
	Source    string
}

// Limit says how much an analyte may differ from the patient's former value of at most Within before. A difference of more
// than Absolute, or of more than Percent of the former value, is told; where both are given, it must exceed both.
type Limit struct {
	Analyte  string
	Within   time.Duration
	Absolute *big.Rat // in Unit; nil: not looked at
	Unit     string   // UCUM
	Percent  *big.Rat // nil: not looked at
	Source   string
}

// Range is a reference range of one member's laboratory, for results that it sends without one.
type Range struct {
	Member    string
	Analyte   string
	Specimens []string
	Sex       string // "male", "female"; empty: any
	Ages      Ages
	Low, High *big.Rat
	Unit      string // UCUM
	Source    string
}

type alias struct {
	analyte  *Analyte
	specimen string
}

type codeAt struct {
	analyte *Analyte
	code    *Code
}

// Compile makes r ready for use and returns it. Names, units and specimens that are said twice mean several things, or the
// last said: who loads data checks that.
func (r *Rules) Compile() *Rules {
	r.names, r.codes = map[string][]alias{}, map[string]codeAt{}
	r.units, r.specimens, r.kinds, r.flags = map[string]string{}, map[string]string{}, map[string]bool{}, map[string]bool{}
	r.words, r.dimensions = map[string]string{}, map[string]string{}
	r.critical, r.delta = map[string][]*Threshold{}, map[string]*Limit{}
	for i := range r.Analytes {
		a := &r.Analytes[i]
		for _, n := range append([]Name{{Text: a.Chinese}, {Text: a.English}}, a.Names...) {
			if key := FoldName(n.Text); key != "" {
				r.names[key] = append(r.names[key], alias{a, n.Specimen})
			}
		}
		for j := range a.Codes {
			r.codes[a.Codes[j].LOINC] = codeAt{a, &a.Codes[j]}
			r.measure(a.Codes[j].Unit)
		}
	}
	for written, code := range r.Units {
		r.units[FoldUnit(written)] = code
		r.measure(code)
	}
	for word, kind := range r.SpecimenWords {
		r.words[FoldName(word)] = kind
	}
	for written, kind := range r.Specimens {
		r.specimens[FoldName(written)], r.kinds[kind] = kind, true
	}
	for _, f := range r.CriticalFlags {
		r.flags[FoldName(f)] = true
	}
	for i := range r.Thresholds {
		t := &r.Thresholds[i]
		r.critical[t.Analyte] = append(r.critical[t.Analyte], t)
	}
	for i := range r.Limits {
		r.delta[r.Limits[i].Analyte] = &r.Limits[i]
	}
	return r
}

func (r *Rules) measure(code string) {
	if u, err := ucum.Parse(code); err == nil {
		r.dimensions[code] = u.Dimension()
	}
}

// Analyte finds an analyte and its code by LOINC.
func (r *Rules) Analyte(loinc string) (*Analyte, *Code, bool) {
	at, ok := r.codes[loinc]
	return at.analyte, at.code, ok
}

// Specimen is the kind of specimen that a name or code stands for; empty when it is not known.
func (r *Rules) Specimen(written string) string { return r.specimens[FoldName(written)] }

// specimenNamed is the kind of specimen that the names of a report tell, by the longest word in them; empty for none.
func (r *Rules) specimenNamed(names []string) (kind string) {
	longest := 0
	for _, n := range names {
		n = FoldName(n)
		for word, of := range r.words {
			if len(word) >= longest && strings.Contains(n, word) && (len(word) > longest || of < kind) {
				kind, longest = of, len(word)
			}
		}
	}
	return kind
}

// has tells whether an age in days is within the bounds; days is −1 where it is not known.
func (a Ages) has(days int) bool {
	if a.From == 0 && a.To == 0 {
		return true
	}
	return days >= 0 && days >= a.From && (a.To == 0 || days < a.To)
}
