package dicom

import "concord/internal/dicom/dict"

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
