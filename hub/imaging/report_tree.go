package imaging

import (
	"strings"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/internal/dicom"
)

// node is a content item of a structured report (PS3.3 C.17.3).
type node struct {
	attributes
	kind string // the Value Type
	name models.Coding
}

// children are the content items below, up to a bound that no report of people comes near.
func (n node) children() []node {
	var all []node
	for item := range n.items(0x0040A730) {
		name, _ := item.concept(0x0040A043)
		if all = append(all, node{item, item.text(0x0040A040), name}); len(all) == mostItems {
			break
		}
	}
	return all
}

// mostItems bounds the content items that are read at one level and shown of one document.
const mostItems = 2000

func (d *document) root() node {
	name, _ := d.concept(0x0040A043)
	return node{d.attributes, "CONTAINER", name}
}

// value is what the content item says, as text.
func (n node) value() string {
	switch n.kind {
	case "TEXT":
		return n.text(0x0040A160)
	case "CODE":
		c, _ := n.concept(0x0040A168)
		return display(c)
	case "NUM":
		for m := range n.items(0x0040A300) {
			unit, _ := m.concept(0x004008EA)
			return strings.TrimSpace(m.text(0x0040A30A) + " " + unitOf(unit))
		}
	case "PNAME":
		return person(n.text(0x0040A123))
	case "DATETIME":
		return n.text(0x0040A120)
	case "DATE":
		return n.text(0x0040A121)
	case "TIME":
		return n.text(0x0040A122)
	case "UIDREF":
		return n.text(0x0040A124)
	case "IMAGE", "COMPOSITE", "WAVEFORM":
		for ref := range n.items(0x00081199) {
			return ref.text(0x00081155)
		}
	case "SCOORD", "SCOORD3D":
		return strings.ToLower(n.text(0x00700023))
	}
	return ""
}

// display is a code in words.
func display(c models.Coding) string {
	switch {
	case c.Display != nil:
		return *c.Display
	case c.Code != nil:
		return *c.Code
	}
	return ""
}

// unitOf is the UCUM code, but nothing for "no units".
func unitOf(c models.Coding) string {
	if is(c, systemUCUM, "1", "{no units}") || c.Code == nil {
		return ""
	}
	return *c.Code
}

// below calls do for the items under n, from the top to the bottom, as long as there are not too many.
func (n node) below(budget *int, do func(node)) {
	for _, child := range n.children() {
		if *budget--; *budget < 0 {
			return
		}
		do(child)
		child.below(budget, do)
	}
}

// texts are those of the text items whose concept is one of the codes of a scheme.
func (n node) texts(system string, codes ...string) []string {
	var all []string
	budget := mostItems
	n.below(&budget, func(item node) {
		if item.kind != "TEXT" && item.kind != "CODE" || !is(item.name, system, codes...) {
			return
		}
		if v := item.value(); v != "" {
			all = append(all, v)
		}
	})
	return all
}

// template is the identifier of the root template, such as 1500 (PS3.16 annex A).
func (a attributes) template() string {
	for t := range a.items(dicom.Tag(0x0040A504)) {
		if t.text(0x00080105) == "DCMR" {
			return t.text(0x0040DB00)
		}
	}
	return ""
}
