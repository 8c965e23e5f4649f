package imaging

import (
	"cmp"
	"strings"
	"time"
	"unicode"

	"concord/internal/dicom"
	"concord/internal/fhir"
	"concord/internal/pinyin"
)

// patient adds the Patient Identification and Demographic modules.
func (o *order) patient(s set) {
	subject := o.resource.Get("subject")
	p := o.related[subject.Get("reference").Text()]
	id, issuer, others := patientIDs(p)
	if id == "" {
		id = subject.Get("identifier").Get("value").Text()
	}
	name := personName(p.Get("name"))
	if name == nil {
		name = personText(subject.Get("display").Text())
	}
	s.put(0x00100010, name...)
	s.put(0x00100020, id)
	s.put(0x00100021, issuer)
	s.put(0x00101002, others...)
	birth := p.Get("birthDate").Text()
	if len(birth) != len(time.DateOnly) {
		birth = ""
	}
	s.put(0x00100030, strings.ReplaceAll(birth, "-", ""))
	s.put(0x00100040, map[string]string{"male": "M", "female": "F", "other": "O"}[p.Get("gender").Text()])
	for _, t := range []dicom.Tag{0x00101030, 0x00102000, 0x00102110, 0x001021C0, 0x00380050, 0x00403001, 0x00380500} {
		s.put(t)
	}
}

// patientIDs picks the medical record number (type MR), else the first identifier; the rest are Other Patient IDs.
func patientIDs(p fhir.Value) (id, issuer string, others []any) {
	var main fhir.Value
	for one := range p.Get("identifier").Items() {
		if main.Kind() == fhir.Absent || coded(one.Get("type"), systemIdentifierType, "MR") && !coded(main.Get("type"), systemIdentifierType, "MR") {
			main = one
		}
	}
	id = main.Get("value").Text()
	for one := range p.Get("identifier").Items() {
		if v := one.Get("value").Text(); v != "" && v != id {
			item := set{}
			item.put(0x00100020, v)
			item.put(0x00100021, assigner(one))
			item.put(0x00100022, "TEXT")
			others = append(others, item)
		}
	}
	return id, assigner(main), others
}

func assigner(identifier fhir.Value) string {
	return cmp.Or(identifier.Get("assigner").Get("display").Text(), identifier.Get("system").Text())
}

// nameOf is the name of whom a reference means: a Practitioner's, else what the reference displays.
func (o *order) nameOf(reference fhir.Value) []any {
	if name := personName(o.related[reference.Get("reference").Text()].Get("name")); name != nil {
		return name
	}
	return personText(reference.Get("display").Text())
}

type jsonName struct {
	Alphabetic  string `json:",omitempty"`
	Ideographic string `json:",omitempty"`
}

// personName makes one PN of HumanNames (PS3.5 6.2.1): the first in Latin letters is the alphabetic group, the first in
// Chinese the ideographic one. Without a Latin one, Chinese is spelled, since many consoles show nothing else.
func personName(names fhir.Value) []any {
	var n jsonName
	var spelled string
	for name := range names.Items() {
		if name.Kind() != fhir.Object { // some other resource's name
			continue
		}
		given := []string{}
		for g := range name.Get("given").Items() {
			given = append(given, g.Text())
		}
		family := name.Get("family").Text()
		if family == "" && len(given) == 0 {
			family = name.Get("text").Text()
		}
		pn := component(family)
		if len(given) > 0 {
			pn += "^" + component(given[0])
		}
		if len(given) > 1 {
			pn += "^" + component(strings.Join(given[1:], " "))
		}
		switch {
		case pn == "":
		case !strings.ContainsFunc(pn, isHan):
			n.Alphabetic = cmp.Or(n.Alphabetic, pn)
		case n.Ideographic == "":
			n.Ideographic = pn
			spelled = spell(pn)
		}
	}
	if n.Alphabetic == "" {
		n.Alphabetic = spelled
	}
	if n == (jsonName{}) {
		return nil
	}
	return []any{n}
}

func personText(text string) []any {
	switch text = component(text); {
	case text == "":
		return nil
	case strings.ContainsFunc(text, isHan):
		return []any{jsonName{Alphabetic: spell(text), Ideographic: text}}
	}
	return []any{jsonName{Alphabetic: text}}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// component takes the delimiters of PN out of a name's part.
func component(s string) string {
	return shorten(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`^=\`, r) || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s), 64)
}

// spell writes the components of a Chinese name in pinyin: 王^小东 is Wang^Xiaodong.
func spell(pn string) string {
	parts := strings.Split(pn, "^")
	for i, p := range parts {
		if whole, _ := pinyin.Spell(p); len(whole) > 0 && whole[0] != "" {
			parts[i] = strings.ToUpper(whole[0][:1]) + whole[0][1:]
		}
	}
	return strings.Join(parts, "^")
}
