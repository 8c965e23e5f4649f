package dicom

import (
	"cmp"
	"slices"

	"concord/internal/dicom/dict"
)

// Select appends a DICOM JSON object with the attributes that are asked for: those of body, empty where it has none. Of a
// sequence with keys inside it has those items that match, with nothing but what was asked of them (PS3.4 C.2.2.2.6).
func (k *Keys) Select(dst, body []byte) []byte { return appendSelected(dst, k.List, body, k.Rules) }

func appendSelected(dst []byte, list []Key, body []byte, rules Rules) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for i := range list {
		k := &list[i]
		if len(dst) > start {
			dst = append(dst, ',')
		}
		a, found := attribute(body, k.Tag)
		dst = append(k.Tag.AppendHex(append(dst, '"')), `":`...)
		switch {
		case !found:
			dst = append(dst, `{"vr":"`...)
			dst = append(dst, byte(k.VR>>8), byte(k.VR), '"', '}')
		case len(k.Items) > 0 && a.VR() == dict.SQ:
			dst = k.appendItems(dst, a, rules)
		default:
			dst = append(dst, a.Raw...)
		}
	}
	return append(dst, '}')
}

func (k *Key) appendItems(dst []byte, a Attribute, rules Rules) []byte {
	dst = append(dst, `{"vr":"SQ"`...)
	wanted, err := conditions(k.Items, rules)
	some := false
	for item := range a.Items() {
		if err != nil || !hold(wanted, item) {
			continue
		}
		if some {
			dst = append(dst, ',')
		} else {
			dst = append(dst, `,"Value":[`...)
		}
		some = true
		dst = appendSelected(dst, k.Items, item, rules)
	}
	if some {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// Merge appends the DICOM JSON object that has the attributes of all bodies, in the order of their tags, but for those that
// keep does not admit; nil admits all. Where several have one, that of the first counts.
func Merge(dst []byte, keep func(Tag) bool, bodies ...[]byte) []byte {
	return new(Merger).Append(dst, keep, bodies...)
}

// Merger is Merge for many matches of one answer.
type Merger struct {
	// Else is told where no body has it, in the order of its tags.
	Else []Attribute

	own, all, next []Attribute // used again and again
}

// Append is Merge.
func (m *Merger) Append(dst []byte, keep func(Tag) bool, bodies ...[]byte) []byte {
	m.all = m.all[:0]
	for _, body := range bodies {
		m.own = m.own[:0]
		for a := range Attributes(body) {
			if keep == nil || keep(a.Tag) {
				m.own = append(m.own, a)
			}
		}
		if !slices.IsSortedFunc(m.own, byTag) {
			slices.SortStableFunc(m.own, byTag)
		}
		m.unite(m.own)
	}
	m.unite(m.Else)
	dst = append(dst, '{')
	for i, a := range m.all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(a.Tag.AppendHex(append(dst, '"')), `":`...)
		dst = append(dst, a.Raw...)
	}
	return append(dst, '}')
}

// unite adds those of b, which are in the order of their tags, behind those of all that have the same tag, which is what is kept.
func (m *Merger) unite(b []Attribute) {
	a, all := m.all, m.next[:0]
	for len(a)+len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0].Tag < a[0].Tag {
			from = &b
		}
		if n := len(all); n == 0 || all[n-1].Tag != (*from)[0].Tag {
			all = append(all, (*from)[0])
		}
		*from = (*from)[1:]
	}
	m.all, m.next = all, m.all
}

func byTag(x, y Attribute) int { return cmp.Compare(x.Tag, y.Tag) }
