package fhir

import "strings"

// complex checks a value of a complex type.
func (c *checker) complex(i uint32, l *slot) {
	seen := c.object(i, l.shape)
	if seen&^(1<<bitID) == 0 {
		c.fault(i, "the object is empty", "leave it out")
		return
	}
	if c.nodes[i].kind != Object {
		return
	}
	switch l.shape.name {
	case "Reference":
		c.reference(i, l)
	case "CodeableConcept":
		if l.codes != nil {
			c.concept(i, l.codes)
		}
	case "Extension":
		c.extension(i)
	}
}

// concept looks for a coding that is in the value set of a required binding. A concept that has just extensions stands for
// one that is not known.
func (c *checker) concept(i uint32, set *codes) {
	v := c.value(i)
	codings := v.Get("coding")
	for coding := range codings.Items() {
		if set.hasCoding(coding.Get("system").Text(), coding.Get("code").Text()) {
			return
		}
	}
	if codings.Kind() == Absent && v.Get("extension").Kind() != Absent && v.Get("text").Kind() == Absent {
		return
	}
	hint := ""
	if set.system != "" {
		hint = "a code of the system " + set.system
	}
	c.fault(i, "no coding is in the value set "+set.name+", which binds the element", hint)
}

// extension holds an Extension to having either a value or extensions (extensibility.html#Extension).
func (c *checker) extension(i uint32) {
	value, nested := uint32(0), false
	end := i + c.nodes[i].size
	for m := i + 1; m < end; m += c.nodes[m].size {
		switch name := c.name(int(m)); {
		case name == "extension":
			nested = true
		case strings.HasPrefix(strings.TrimPrefix(name, "_"), "value"):
			value = m
		}
	}
	switch {
	case nested && value != 0:
		c.fault(value, "the extension has a value and extensions", "leave one of them out")
	case !nested && value == 0:
		c.faultBelow(i, "value[x]", "the extension has neither value nor extensions", "")
	}
}

// aside checks member m of node i, the companion of a primitive element for its id and extensions.
func (c *checker) aside(i, m uint32, l *slot) {
	value := c.value(i).Get(l.name)
	if !l.many {
		c.companion(m, value.Kind() != Absent)
		return
	}
	switch {
	case c.nodes[m].kind != Array:
		c.fault(m, "the element may repeat: an array is due for its extensions too", "")
		return
	case c.nodes[m].size == 1:
		c.fault(m, "the array is empty", "")
		return
	}
	// beside walks along the values, as far as there are any.
	beside, last := uint32(0), uint32(0)
	if value.Kind() == Array {
		beside, last = value.i+1, value.i+value.node().size
	}
	end, paired := m+c.nodes[m].size, beside != 0
	for item := m + 1; item < end; item += c.nodes[item].size {
		has := false
		if beside < last {
			has = c.nodes[beside].kind != Null
			beside += c.nodes[beside].size
		} else if paired {
			c.fault(m, "there are more extensions than values", "put null where a value has none")
			return
		}
		if c.nodes[item].kind != Null {
			c.companion(item, has)
		} else if !has {
			c.fault(item, "there is neither a value nor extensions", "leave it out")
		}
	}
	if beside < last {
		c.fault(m, "there are fewer extensions than values", "put null where a value has none")
	}
}

// companion checks the id and extensions of a primitive value; without a value there must be extensions.
func (c *checker) companion(i uint32, value bool) {
	if seen := c.object(i, c.shapes["Element"]); seen == 0 || !value && seen&^(1<<bitID) == 0 {
		c.fault(i, "there is neither a value nor extensions", "leave it out")
	}
}
