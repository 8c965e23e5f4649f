package dicom

import (
	"bytes"
	"iter"
	"slices"
	"strings"

	"concord/internal/dicom/charset"
	"concord/internal/dicom/dict"
)

// Rules are the kinds of matching that are agreed on beyond the basic ones: by extended negotiation of an association (PS3.4
// C.5.1.1) or by parameters of a URL (PS3.18 8.3.4). Empty value matching (C.2.2.2.7) needs no agreement: a value of two
// quotation marks always means an attribute that is absent or empty.
type Rules struct {
	// Fuzzy: names are found by the beginnings of their words in any order, Chinese ones by pinyin and initials too.
	Fuzzy bool
	// Combined: ranges of a date and of its time are one range of moments (C.2.2.2.5). QIDO-RS always has it so.
	Combined bool
	// Multiple: all values of a key must be found, not one of them (C.2.2.2.8).
	Multiple bool
}

// Key is an attribute asked for. Without values and items it matches everything and only asks to be told.
type Key struct {
	Tag    Tag
	VR     VR
	Values []string // decoded and trimmed; none for universal matching
	Items  []Key    // of a sequence: what one of its items must have
	name   string   // how it was asked for, for errors; empty: its keyword
}

// Name is what errors call the key: its keyword, or the path by which a URL had it.
func (k *Key) Name() string {
	if k.name != "" {
		return k.name
	}
	return dict.Name(k.Tag)
}

// Selects reports whether the key narrows what is found.
func (k *Key) Selects() bool {
	return len(k.Values) > 0 || slices.ContainsFunc(k.Items, func(k Key) bool { return k.Selects() })
}

// Keys are the attributes of one question, in the order of their tags. They serve without Find, too, where something else
// than studies is asked about, such as a worklist: anything that can be written as DICOM JSON.
type Keys struct {
	// Charset is that of the question; its values have been decoded.
	Charset []string
	Rules   Rules
	List    []Key
}

// deepestKey bounds how far sequences of a question may nest.
const deepestKey = 16

// identifierLimits bound the identifier of a request: it has a few dozen keys, and lists of UIDs at most.
func identifierLimits() Limits { return Limits{Header: 1 << 20, Inline: 64 << 10, Depth: deepestKey} }

// ReadKeys reads the identifier of a request, a data set in syntax. Group lengths and Specific Character Set (0008,0005) are
// not among the keys, and each tag is there once. What cannot be read is an Invalid or TooLarge error.
func ReadKeys(identifier []byte, syntax string, rules Rules) (Keys, error) {
	h, err := ReadDataSet(bytes.NewReader(identifier), syntax, identifierLimits())
	if err != nil {
		return Keys{}, err
	}
	set := h.charset()
	return Keys{Charset: h.Charset, Rules: rules, List: h.keys(h.Elements(), &set)}, nil
}

func (h *Header) keys(elements iter.Seq[Element], set *charset.Set) []Key {
	var list []Key
	for e := range elements {
		if e.Tag == tagCharset || skipped(e.Tag) {
			continue
		}
		k := Key{Tag: e.Tag, VR: e.VR}
		switch {
		case e.VR == dict.SQ:
			for item := range h.Items(e) { // there shall be one (C.2.2.2.6)
				k.Items = append(k.Items, h.keys(item, set)...)
			}
			k.Items = inOrder(k.Items)
		case e.Bulk || len(e.Value) == 0:
		case e.VR == dict.UN && e.Tag.Private():
			k.Values = valuesOf(Element{VR: dict.LO, Value: e.Value}, set)
		default:
			k.Values = valuesOf(e, set)
		}
		list = append(list, k)
	}
	return inOrder(list)
}

// inOrder sorts keys by tag and leaves the first of each.
func inOrder(list []Key) []Key {
	slices.SortStableFunc(list, func(a, b Key) int { return int(int64(a.Tag) - int64(b.Tag)) })
	return slices.CompactFunc(list, func(a, b Key) bool { return a.Tag == b.Tag })
}

// valuesOf reads the values of an element as DICOM JSON would have them; none when one of them matches everything
// (universal matching, C.2.2.2.3, and the wildcard that means the same).
func valuesOf(e Element, set *charset.Set) []string {
	var all []string
	switch {
	case e.VR.Characters() || e.VR == dict.IS || e.VR == dict.DS:
		all = texts(e, set)
	case e.VR.Binary() || e.VR == dict.SQ:
	default:
		out, _ := appendBinaryNumbers(nil, e)
		for v := range strings.SplitSeq(string(out), ",") {
			all = append(all, strings.Trim(v, `"`))
		}
	}
	return selecting(e.VR, all)
}

// selecting leaves out empty values; all, when one of them matches everything.
func selecting(vr VR, values []string) []string {
	var some []string
	for _, v := range values {
		switch {
		case v == "":
		case strings.Trim(v, "*") == "" || vr == dict.PN && strings.Trim(v, "*^= ") == "":
			return nil
		default:
			some = append(some, v)
		}
	}
	return some
}

// Key finds the key of a tag; nil when it is not asked for.
func (k *Keys) Key(tag Tag) *Key {
	i, ok := slices.BinarySearchFunc(k.List, tag, func(k Key, t Tag) int { return int(int64(k.Tag) - int64(t)) })
	if !ok {
		return nil
	}
	return &k.List[i]
}

// Value is the first value that an attribute must have, empty when there is none.
func (k *Keys) Value(tag Tag) string {
	if key := k.Key(tag); key != nil && len(key.Values) > 0 {
		return key.Values[0]
	}
	return ""
}

// Selecting names the keys that narrow what is found, joined by commas, for the audit trail; it has no values.
func (k *Keys) Selecting() string {
	var names []string
	for i := range k.List {
		if k.List[i].Selects() {
			names = append(names, dict.Name(k.List[i].Tag))
		}
	}
	return strings.Join(names, ",")
}
