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

	own   [][]Attribute // of each body; used again and again
	lists [][]Attribute // what is left of them
}

// Append is Merge.
func (m *Merger) Append(dst []byte, keep func(Tag) bool, bodies ...[]byte) []byte {
	m.lists = m.lists[:0]
	for i, body := range bodies {
		if i == len(m.own) {
			m.own = append(m.own, nil)
		}
		own := m.own[i][:0]
		for a := range Attributes(body) {
			if keep == nil || keep(a.Tag) {
				own = append(own, a)
			}
		}
		if !slices.IsSortedFunc(own, byTag) {
			slices.SortStableFunc(own, byTag)
		}
		m.own[i], m.lists = own, append(m.lists, own)
	}
	m.lists = append(m.lists, m.Else)
	dst = append(dst, '{')
	from := len(dst)
	for {
		var first *Attribute
		for _, list := range m.lists {
			if len(list) > 0 && (first == nil || list[0].Tag < first.Tag) {
				first = &list[0]
			}
		}
		if first == nil {
			return append(dst, '}')
		}
		if len(dst) > from {
			dst = append(dst, ',')
		}
		dst = append(first.Tag.AppendHex(append(dst, '"')), `":`...)
		dst = append(dst, first.Raw...)
		for i, list := range m.lists {
			for len(list) > 0 && list[0].Tag == first.Tag {
				list = list[1:]
			}
			m.lists[i] = list
		}
	}
}

func byTag(x, y Attribute) int { return cmp.Compare(x.Tag, y.Tag) }
