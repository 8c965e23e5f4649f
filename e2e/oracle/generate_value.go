package oracle

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode"
)

// valueSets and concepts are what :in, :below and :above are tried on.
var (
	valueSets = []string{"http://hl7.org/fhir/ValueSet/administrative-gender", "http://hl7.org/fhir/ValueSet/observation-status",
		"http://hl7.org/fhir/ValueSet/condition-clinical", "http://hl7.org/fhir/ValueSet/observation-category", "http://hl7.org/fhir/ValueSet/encounter-status"}
	concepts = []string{"http://terminology.hl7.org/CodeSystem/condition-clinical|active", "http://terminology.hl7.org/CodeSystem/condition-clinical|inactive",
		"http://terminology.hl7.org/CodeSystem/condition-clinical|remission", "http://terminology.hl7.org/CodeSystem/condition-clinical|recurrence"}
)

func (d *draw) token(p *Param, t Token) (modifier, value string, ok bool) {
	code, system := Escape(t.Code), Escape(t.System)
	if t.Code != "" && d.chance(8) {
		code += "x"
	}
	switch {
	case len(t.Words) > 0 && (t.Code == "" || d.chance(10)):
		return "text", Escape(d.cut(pick(d, "word", t.Words...))), true
	case t.Code == "" && t.System == "":
		return "", "", false
	case len(t.Types) > 0 && d.chance(30):
		kind := pick(d, "kind", t.Types...)
		if kind.System != "" && kind.Code != "" && t.Code != "" {
			return "of-type", Escape(kind.System) + "|" + Escape(kind.Code) + "|" + code, true
		}
	case p.Code != "_id" && t.System != "" && d.chance(4):
		return pick(d, "modifier", "in", "not-in"), Escape(pick(d, "value set", valueSets...)), true
	case strings.HasSuffix(t.System, "condition-clinical") && d.chance(30):
		return pick(d, "modifier", "below", "above"), pick(d, "concept", concepts...), true
	}
	if t.Code != "" && p.Code != "_id" && d.chance(10) {
		modifier = "not"
	}
	switch {
	case t.Code == "":
		return modifier, system + "|", true
	case !t.HasSystem && t.System == "":
		if t.Fold && d.chance(20) {
			code = strings.ToUpper(code)
		}
		return modifier, code, true
	case t.System == "":
		return modifier, pick(d, "form", code, "|"+code), true
	case !t.HasSystem:
		return modifier, pick(d, "form", code, system+"|"+code), true
	}
	return modifier, pick(d, "form", code, system+"|"+code, system+"|"+code, system+"|", "|"+code, "http://example.org/other|"+code), true
}

// cut takes a beginning of a text, at least one character that is not white space.
func (d *draw) cut(s string) string {
	letters := []rune(strings.TrimSpace(s))
	if len(letters) == 0 {
		return "x"
	}
	return string(letters[:pick(d, "length", slices.Compact([]int{len(letters), min(3, len(letters)), min(1, len(letters)), min(7, len(letters))})...)])
}

func (d *draw) text(t Text) (modifier, value string) {
	value = t.Raw
	switch modifier = pick(d, "modifier", "", "", "", "exact", "contains"); modifier {
	case "":
		if value = d.cut(value); len(t.Sounds) > 0 && d.chance(50) {
			value = d.cut(pick(d, "sound", t.Sounds...))
		}
		switch pick(d, "case", 0, 0, 1, 2, 3) {
		case 1:
			value = strings.ToUpper(value)
		case 2:
			value = normalise(value)
		case 3:
			value = wide(value)
		}
	case "contains":
		letters := []rune(value)
		value = d.cut(string(letters[pick(d, "from", 0, len(letters)/2, len(letters)/3):]))
	case "exact":
		if d.chance(20) {
			value = strings.ToUpper(value)
		}
	}
	if normalise(value) == "" {
		value = t.Raw
	}
	return modifier, Escape(value)
}

// wide writes ASCII in its full width forms.
func wide(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < unicode.MaxASCII {
			return r - '!' + '！'
		}
		return r
	}, s)
}

var prefixes = []string{"", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

func (d *draw) date(s Span) string {
	at := s.Lo
	if at == always || s.Hi != ever && d.chance(20) {
		at = s.Hi
	}
	t := time.UnixMicro(at).In(zone)
	if d.chance(30) {
		t = t.Add(pick(d, "shift", time.Second, -time.Second, 24*time.Hour, -24*time.Hour, 31*24*time.Hour, -366*24*time.Hour))
	}
	layout := pick(d, "precision", "2006-01-02", "2006-01", "2006", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05")
	if d.chance(30) {
		t = t.UTC()
	}
	if !strings.HasSuffix(layout, "07:00") {
		t = t.In(zone)
	}
	prefix := pick(d, "prefix", prefixes...)
	if prefix == "ap" && d.store.Now.Sub(t) < 24*time.Hour { // whose tolerance changes from second to second
		prefix = ""
	}
	return prefix + t.Format(layout)
}

func (d *draw) quantity(p *Param, q Quantity) string {
	n := q.Lo
	if n == nil || q.Hi != nil && d.chance(20) {
		n = q.Hi
	}
	unit := ""
	if p.Type == "quantity" {
		forms := []string{""}
		if q.System != "" && q.Code != "" {
			forms = append(forms, "|"+Escape(q.System)+"|"+Escape(q.Code))
		}
		if q.Code != "" {
			forms = append(forms, "||"+Escape(q.Code))
		}
		if q.Unit != "" {
			forms = append(forms, "||"+Escape(q.Unit))
		}
		unit = pick(d, "unit", forms...)
		if others := akin(q.Code); q.System == ucum && len(others) > 0 && d.chance(40) {
			other := pick(d, "other unit", others...)
			n = new(big.Rat).Mul(n, new(big.Rat).Quo(units[q.Code].factor, units[other].factor))
			unit = "|" + ucum + "|" + Escape(other)
		}
	}
	if d.chance(30) {
		n = new(big.Rat).Add(n, pick(d, "shift", big.NewRat(1, 1), big.NewRat(-1, 1), big.NewRat(1, 100), big.NewRat(5, 100), big.NewRat(-5, 100), big.NewRat(1, 2)))
	}
	text := strings.TrimRight(n.FloatString(9), "0")
	text = strings.TrimSuffix(text, ".")
	switch pick(d, "form", 0, 0, 0, 1, 2, 3) {
	case 1:
		text = n.FloatString(pick(d, "digits", 0, 1, 2, 4))
	case 2:
		f, _ := n.Float64()
		text = fmt.Sprintf("%.2e", f)
	case 3:
		if !strings.Contains(text, ".") {
			text += "."
		}
		text += "00"
	}
	return pick(d, "prefix", prefixes...) + text + unit
}

// akin lists the units that one can be converted into, sorted.
func akin(code string) (codes []string) {
	for other, u := range units {
		if from, known := units[code]; known && other != code && u.kind == from.kind && u.kind != "one" {
			codes = append(codes, other)
		}
	}
	slices.Sort(codes)
	return codes
}

func (d *draw) reference(p *Param, r Ref) (modifier, value string, ok bool) {
	if len(r.Identifier) > 0 && (r.Text == "" || d.chance(20)) {
		id := pick(d, "identifier", r.Identifier...)
		_, value, ok = d.token(&Param{Code: "_id"}, Token{System: id.System, Code: id.Code, HasSystem: true})
		return "identifier", value, ok
	}
	switch {
	case r.ID == "" && r.Text == "" || r.Local != "" || r.Canonical && !strings.Contains(r.Text, ":"):
		return "", "", false
	case r.Canonical:
		bare, _, _ := strings.Cut(r.Text, "|")
		return "", Escape(pick(d, "form", r.Text, bare)), true
	case r.ID == "":
		return "", Escape(r.Text), true
	}
	if d.chance(5) {
		r.ID += "x"
	}
	switch pick(d, "form", 0, 0, 0, 1, 2, 3) {
	case 1:
		return "", r.ID, true
	case 2:
		return "", d.store.Base + "/" + r.Type + "/" + r.ID, true
	case 3:
		if slices.Contains(p.Targets, r.Type) {
			return r.Type, r.ID, true
		}
	}
	return "", r.Type + "/" + r.ID, true
}

func (d *draw) uri(u string) (modifier, value string) {
	switch pick(d, "form", 0, 0, 1, 2, 3) {
	case 1:
		if cut := strings.LastIndexByte(u, '/'); cut > len("https://") {
			return "below", Escape(u[:cut+pick(d, "slash", 0, 1)])
		}
	case 2:
		if strings.Contains(u, "://") {
			return "above", Escape(u + "/more")
		}
	case 3:
		return "", Escape(u + "x")
	}
	return "", Escape(u)
}
