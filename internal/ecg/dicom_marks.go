package ecg

import (
	"iter"
	"strconv"
	"strings"

	"concord/internal/dicom"
)

// annotations reads Waveform Annotation Sequence (PS3.3 C.10.10): numbers become Measurements, words and codes without a
// place Statements, what has a place Annotations.
func (d *dicomReader) annotations() {
	e, _ := d.h.Find(tagAnnotations)
	for item := range d.h.Items(e) {
		if len(d.rec.Annotations)+len(d.rec.Measurements)+len(d.rec.Statements) >= d.lim.Marks {
			d.rec.remark("there are more annotations than the limit; the rest is not read")
			return
		}
		d.annotation(item)
	}
}

func (d *dicomReader) annotation(item iter.Seq[dicom.Element]) {
	name, concept := d.code(item, tagConceptName), d.code(item, tagConcept)
	text := d.first(find(item, 0x00700006))
	number, hasNumber := parseNumber(d.first(find(item, 0x0040A30A)))
	unit := d.code(item, 0x004008EA).Code
	group, leads := d.channels(find(item, 0x0040A0B0))
	spans := d.places(item, group)
	switch {
	case len(spans) > 0:
		said := text
		if said == "" {
			said = name.Display
		}
		if concept.Display != "" {
			said = strings.TrimPrefix(said+": "+concept.Display, ": ")
		}
		for _, s := range spans {
			a := Annotation{Code: mdcName(name), Sent: name, Text: said, Group: group, Leads: leads, From: s[0], To: s[1]}
			if hasNumber {
				a.Value = &Quantity{number, unit}
			}
			d.rec.Annotations = append(d.rec.Annotations, a)
			if len(d.rec.Annotations) >= d.lim.Marks {
				return
			}
		}
	case hasNumber:
		code := measureCode(name)
		if number == 0 && code != "" && !strings.Contains(code, "ANGLE") {
			return // a way to say that it was not measured: no interval and no rate is 0
		}
		m := Measurement{Code: code, Sent: name, Name: name.Display, Quantity: Quantity{number, ucum(unit)}, Group: group}
		if len(leads) == 1 {
			m.Lead = leads[0]
		}
		d.rec.Measurements = append(d.rec.Measurements, m)
	case text != "":
		d.rec.Statements = append(d.rec.Statements, Statement{Text: text, Sent: concept})
	case concept.Display != "" || concept.Code != "":
		said := concept.Display
		if said == "" {
			said = concept.Code
		}
		d.rec.Statements = append(d.rec.Statements, Statement{Text: said, Sent: concept})
	}
}

// channels reads pairs of group and channel, both from 1; channel 0 stands for all of the group.
func (d *dicomReader) channels(e dicom.Element) (group int, leads []LeadCode) {
	group = -1
	pairs := e.Ints()
	for i := 0; i+1 < len(pairs); i += 2 {
		g, c := int(pairs[i])-1, int(pairs[i+1])
		if g < 0 || g >= len(d.rec.Groups) || group >= 0 && g != group {
			continue
		}
		group = g
		if all := d.rec.Groups[g].Leads; c >= 1 && c <= len(all) && len(leads) < len(all) {
			if code := all[c-1].Code; code != 0 {
				leads = append(leads, code)
			}
		}
	}
	return group, leads
}

// places reads sample positions, which count from 1, or offsets in ms, by Temporal Range Type.
func (d *dicomReader) places(item iter.Seq[dicom.Element], group int) (spans [][2]int) {
	kind := d.first(find(item, 0x0040A130))
	var at []int
	for _, n := range find(item, 0x0040A132).Ints() {
		at = append(at, int(n)-1)
	}
	if len(at) == 0 && group >= 0 {
		for _, v := range d.h.Values(find(item, 0x0040A138)) {
			if ms, err := strconv.ParseFloat(v, 64); err == nil && ms >= 0 && ms < 1e12 {
				at = append(at, int(ms/1000*d.rec.Groups[group].Rate))
			}
		}
	}
	switch {
	case strings.HasSuffix(kind, "SEGMENT"):
		for i := 0; i+1 < len(at); i += 2 {
			spans = append(spans, [2]int{at[i], max(at[i], at[i+1])})
		}
	case kind == "BEGIN" && len(at) > 0 && group >= 0:
		spans = append(spans, [2]int{at[0], max(at[0], d.rec.Groups[group].Len()-1)})
	case kind == "END" && len(at) > 0:
		spans = append(spans, [2]int{0, at[0]})
	default:
		for _, p := range at {
			spans = append(spans, [2]int{p, p})
		}
	}
	return spans
}
