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
	all := make([]Attribute, 0, 64)
	for _, body := range bodies {
		for a := range Attributes(body) {
			if keep == nil || keep(a.Tag) {
				all = append(all, a)
			}
		}
	}
	if len(bodies) > 1 {
		slices.SortStableFunc(all, func(a, b Attribute) int { return cmp.Compare(a.Tag, b.Tag) })
		all = slices.CompactFunc(all, func(a, b Attribute) bool { return a.Tag == b.Tag })
	}
	dst = append(dst, '{')
	for i, a := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(a.Tag.AppendHex(append(dst, '"')), `":`...)
		dst = append(dst, a.Raw...)
	}
	return append(dst, '}')
}

// Insert appends body, whose attributes are in the order of their tags, with one more in its place or instead of the one that body
// has. raw is its value, {"vr":…}. It is Merge for what all matches of an answer get.
func Insert(dst, body []byte, tag Tag, raw []byte) []byte {
	dst = append(dst, '{')
	start, due := len(dst), true
	put := func(tag Tag, raw []byte) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(tag.AppendHex(append(dst, '"')), `":`...)
		dst = append(dst, raw...)
	}
	for a := range Attributes(body) {
		if due && a.Tag >= tag {
			put(tag, raw)
			due = false
		}
		if a.Tag != tag {
			put(a.Tag, a.Raw)
		}
	}
	if due {
		put(tag, raw)
	}
	return append(dst, '}')
}
