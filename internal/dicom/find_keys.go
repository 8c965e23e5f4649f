package dicom

import "bytes"

// Rules are the kinds of matching that are agreed on beyond the basic ones: by extended negotiation of an association (PS3.4
// Table C.5-1) or by parameters of a URL (PS3.18 8.3.4).
type Rules struct {
	// Fuzzy: names are found by any of their words, by pinyin and initials too.
	Fuzzy bool
	// Combined: a date and a time of the same thing are one moment (C.2.2.2.5.4 of PS3.4). QIDO-RS always does so.
	Combined bool
	// Multiple: all values of a key must be found, not one of them (C.2.2.2.8).
	Multiple bool
}

// Key is an attribute asked for. Without values, or items, it matches everything and only asks to be told.
type Key struct {
	Tag    Tag
	VR     VR
	Values []string // decoded and trimmed
	Items  []Key    // of a sequence: what one of its items must have
	name   string   // how it was asked for, for errors
}

// Keys are the attributes of one question, in the order of their tags. They serve without Find, too, where something else
// than studies is asked about, such as a worklist: anything that can be written as DICOM JSON.
type Keys struct {
	// Charset is that of the question; its values have been decoded.
	Charset []string
	Rules   Rules
	List    []Key
}

// ReadKeys reads the identifier of a request, a data set in syntax.
func ReadKeys(identifier []byte, syntax string, rules Rules) (Keys, error) {
	h, err := ReadDataSet(bytes.NewReader(identifier), syntax, Limits{})
	if err != nil {
		return Keys{}, err
	}
	return Keys{Charset: h.Charset, Rules: rules}, nil
}

// Value is the first value of an attribute, empty when there is none.
func (k *Keys) Value(tag Tag) string {
	for i := range k.List {
		if k.List[i].Tag == tag && len(k.List[i].Values) > 0 {
			return k.List[i].Values[0]
		}
	}
	return ""
}

// Matches reports whether a DICOM JSON object has what all keys ask for (PS3.4 C.2.2.2). The error is about a key that
// cannot be understood, whatever body has.
func (k *Keys) Matches(body []byte) (bool, error) { return false, nil }

// Select appends a DICOM JSON object with the attributes that keys ask for: those of body, empty where it has none.
func (k *Keys) Select(dst, body []byte) []byte { return append(dst, "{}"...) }
