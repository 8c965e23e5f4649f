package dicom

import (
	"slices"

	"concord/hub"
	"concord/internal/dicom/dict"
)

// Matches reports whether a DICOM JSON object has what all keys ask for (PS3.4 C.2.2.2). The error is about a key whose
// value cannot be understood, whatever body has.
func (k *Keys) Matches(body []byte) (bool, error) {
	test, err := k.Test()
	return err == nil && test(body), err
}

// Test is Matches for many bodies.
func (k *Keys) Test() (func(body []byte) bool, error) {
	all, err := conditions(k.List, k.Rules)
	return func(body []byte) bool { return hold(all, body) }, err
}

// condition is what one key asks of a data set; or two, of a date and its time.
type condition struct {
	tag Tag
	// empty: the attribute must be absent or without value.
	empty bool
	// one are alternatives, and some value must meet some of them; with all, each of them.
	one []func(value string) bool
	all bool
	// inside are the conditions that one item must meet.
	inside []condition
	// time is the attribute that says at what time of the day of tag; moment judges both. The time may be empty.
	time   Tag
	moment func(date, time string) bool
}

// conditions compiles those keys that select.
func conditions(list []Key, rules Rules) ([]condition, error) {
	var all []condition
	for i := range list {
		k := &list[i]
		if !k.Selects() || rules.Combined && combinedTime(list, k) {
			continue
		}
		c, err := conditionOf(k, rules)
		if time := partner(list, k.Tag); err == nil && rules.Combined && time != nil && sameRanges(k, time) {
			c, err = combine(k, time)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func conditionOf(k *Key, rules Rules) (condition, error) {
	c := condition{tag: k.Tag}
	if k.VR == dict.SQ {
		var err error
		c.inside, err = conditions(k.Items, rules)
		return c, err
	}
	if emptyWanted(k) {
		c.empty = true
		return c, nil
	}
	c.all = rules.Multiple && multiple(k.VR)
	for _, v := range k.Values {
		meets, err := valueTest(k, v, rules)
		if err != nil {
			return c, err
		}
		c.one = append(c.one, meets)
	}
	return c, nil
}

// emptyWanted reports whether the key asks for what has no value (C.2.2.2.7).
func emptyWanted(k *Key) bool { return len(k.Values) == 1 && k.Values[0] == `""` }

// multiple reports whether multiple value matching is defined for a VR (C.2.2.2.8).
func multiple(vr VR) bool {
	switch vr {
	case dict.AE, dict.AS, dict.AT, dict.CS, dict.LO, dict.PN, dict.SH, dict.UC:
		return true
	}
	return false
}

// hold reports whether a data set meets all conditions.
func hold(all []condition, body []byte) bool {
	for i := range all {
		if !all[i].holds(body) {
			return false
		}
	}
	return true
}

func (c *condition) holds(body []byte) bool {
	a, found := attribute(body, c.tag)
	switch {
	case c.inside != nil:
		for item := range a.Items() {
			if hold(c.inside, item) {
				return true
			}
		}
		return false
	case !found:
		return c.empty
	}
	values := a.Strings()
	if c.empty {
		return len(values) == 0 && a.BulkDataURI() == ""
	}
	if c.moment != nil {
		time := ""
		if t, ok := attribute(body, c.time); ok && len(t.Strings()) > 0 {
			time = t.Strings()[0]
		}
		return len(values) > 0 && c.moment(values[0], time)
	}
	met := func(meets func(string) bool) bool { return slices.ContainsFunc(values, meets) }
	if c.all {
		return !slices.ContainsFunc(c.one, func(meets func(string) bool) bool { return !met(meets) })
	}
	return slices.ContainsFunc(c.one, met)
}

// attribute finds a member of a DICOM JSON object; the zero Attribute has no values and items.
func attribute(body []byte, tag Tag) (Attribute, bool) {
	for a := range Attributes(body) {
		if a.Tag == tag {
			return a, true
		}
	}
	return Attribute{}, false
}

// valueTest compiles what one value of a key asks of one value of an attribute.
func valueTest(k *Key, v string, rules Rules) (func(string) bool, error) {
	switch k.VR {
	case dict.UI:
		return func(s string) bool { return s == v }, CheckUID(k.Name(), v)
	case dict.PN:
		return nameTest(v, rules.Fuzzy), nil
	case dict.DA:
		return within(k, v, dateHint, date)
	case dict.TM:
		return within(k, v, timeHint, parseTime)
	case dict.DT:
		return momentTest(k, v)
	case dict.IS, dict.DS, dict.US, dict.SS, dict.UL, dict.SL, dict.FL, dict.FD, dict.SV, dict.UV:
		return numberTest(k, v)
	case dict.SQ, dict.OB, dict.OD, dict.OF, dict.OL, dict.OV, dict.OW:
		return nil, invalid(k.Name(), "cannot be matched: it has no text")
	case dict.AS, dict.AT:
		return func(s string) bool { return s == v }, nil
	}
	if wild(v) {
		pattern := escapeBackslash(v)
		return func(s string) bool { return hub.MatchPattern(pattern, s) }, nil
	}
	return func(s string) bool { return s == v }, nil
}
