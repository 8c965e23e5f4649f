package laboratory

import (
	"slices"

	"concord/hub"
)

// LOINC is the system of the codes that every result should have one of.
const LOINC = "http://loinc.org"

// Coding is a code as FHIR has it.
type Coding struct {
	System  string `json:"system,omitempty"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

// Question asks what a result's code means.
type Question struct {
	Member   string
	Codings  []Coding // as sent
	Name     string   // the text beside them
	Specimen string   // as sent, or one of the kinds of the rules
	Unit     string   // as sent
}

// Answer is what is to stand beside the codings that were sent.
type Answer struct {
	Add []Coding
	// Analyte and Code are what is measured, where the rules know it.
	Analyte *Analyte
	Code    *Code
	// Settled: nobody needs to look at the code: it has a LOINC code now or had one, or a map says that there is none.
	Settled bool
}

// Resolve finds the standard codes of a result: by the member's own map, by the consortium's, and by the names in the rules
// where these, the specimen and the unit leave no doubt. Codes that were sent are never among Add. It is pure.
func Resolve(r *Rules, maps *Maps, q Question) Answer {
	var a Answer
	add := func(c Coding) {
		if !has(q.Codings, c) && !has(a.Add, c) {
			a.Add = append(a.Add, c)
		}
	}
	kind := r.kindOf(q.Specimen)
	standard := ""
	for _, c := range q.Codings {
		if c.System == LOINC {
			standard = c.Code
		}
	}
	for _, t := range maps.targets(r, q, kind) {
		if t.None {
			a.Settled = true
			continue
		}
		add(t.Coding)
		if t.System == LOINC && standard == "" {
			standard = t.Code
		}
	}
	if standard == "" && !a.Settled {
		if c, ok := r.named(q, kind); ok {
			standard = c.LOINC
			add(Coding{LOINC, c.LOINC, c.Display})
		}
	}
	if standard != "" {
		a.Settled = true
		a.Analyte, a.Code, _ = r.Analyte(standard)
	}
	return a
}

func has(list []Coding, c Coding) bool {
	return slices.ContainsFunc(list, func(there Coding) bool { return there.System == c.System && there.Code == c.Code })
}

// kindOf reads a specimen as sent or as a kind.
func (r *Rules) kindOf(specimen string) string {
	switch kind := r.Specimen(specimen); {
	case kind != "":
		return kind
	case r.kinds[specimen]:
		return specimen
	case specimen != "":
		return ""
	}
	return r.Assume
}

// named finds the one code that a result's names stand for, given its specimen and unit.
func (r *Rules) named(q Question, kind string) (*Code, bool) {
	if kind == "" && q.Specimen != "" {
		return nil, false // of something that the rules do not know
	}
	var found *Code
	for _, name := range q.names() {
		for _, part := range nameParts(name) {
			c, known := r.codeNamed(part, kind, q.Unit)
			switch {
			case !known:
			case c == nil, found != nil && found != c:
				return nil, false // it leaves a doubt, or two names disagree
			default:
				found = c
			}
		}
	}
	return found, found != nil
}

// names are all that the sender calls it.
func (q *Question) names() []string {
	var all []string
	for _, c := range q.Codings {
		all = append(all, c.Display, c.Code)
	}
	return append(all, q.Name)
}

// codeNamed finds the code of a name: known, but nil, where the name is an analyte's that has no single fitting code.
func (r *Rules) codeNamed(name, kind, unit string) (c *Code, known bool) {
	aliases := r.names[FoldName(name)]
	if len(aliases) == 0 {
		return nil, false
	}
	for _, al := range aliases {
		of := kind
		if al.specimen != "" {
			if kind != "" && kind != al.specimen && !(isBlood(kind) && isBlood(al.specimen)) {
				continue
			}
			if kind == "" {
				of = al.specimen
			}
		}
		for i := range al.analyte.Codes {
			fit := &al.analyte.Codes[i]
			if !fit.fits(of) || !r.unitFits(unit, fit.Unit) {
				continue
			}
			if c != nil && c != fit {
				return nil, true
			}
			c = fit
		}
	}
	return c, true
}

// isBlood: laboratories write blood for serum and plasma when they mean where it comes from.
func isBlood(kind string) bool { return kind == "serum" || kind == "blood" }

func (c *Code) fits(kind string) bool {
	return kind == "" || kind == c.Specimen || isBlood(kind) && isBlood(c.Specimen)
}

// unitFits tells whether a unit as sent is of the dimension of a code's.
func (r *Rules) unitFits(written, code string) bool {
	if code == "" {
		return written == "" || r.units[FoldUnit(written)] == "1"
	}
	sent, ok := r.units[FoldUnit(written)]
	if !ok {
		sent = written
	}
	have, known := r.dimension(sent)
	want, right := r.dimension(code)
	return known && right && written != "" && have == want
}

// Maps are the ConceptMaps in force.
type Maps struct {
	byCode map[codeKey][]target
}

type codeKey struct{ member, system, code string }

// target is one thing that a local code is said to be.
type target struct {
	Coding
	None     bool   // there is nothing that it is
	Specimen string // only for this kind or name of specimen
	Unit     string // only for this unit
	By       hub.Name
}

// targets are what the maps say of a question: the member's own map before the consortium's.
func (m *Maps) targets(r *Rules, q Question, kind string) []target {
	if m == nil {
		return nil
	}
	for _, owner := range []string{q.Member, Origin} {
		var all []target
		for _, c := range q.keys() {
			for _, system := range []string{c.System, ""} {
				for _, t := range m.byCode[codeKey{owner, system, c.Code}] {
					if (t.Specimen == "" || r.kindOf(t.Specimen) == kind && kind != "" || FoldName(t.Specimen) == FoldName(q.Specimen)) &&
						(t.Unit == "" || FoldUnit(t.Unit) == FoldUnit(q.Unit)) {
						all = append(all, t)
					}
				}
				if system == "" {
					break
				}
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

// keys are the codings that can be looked up: those sent, or the text where there are none.
func (q *Question) keys() []Coding {
	if len(q.Codings) == 0 && q.Name != "" {
		return []Coding{{Code: q.Name}}
	}
	return q.Codings
}
