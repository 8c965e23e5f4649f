package recognition

import (
	"slices"
	"strings"
)

// sameItem compares images by what they show, all else by item; outside the catalogue by a code that both carry.
func (a *ask) sameItem(c *Candidate, shown *reading) {
	want, kind := a.wanted.item, a.kind()
	switch {
	case shown.item != nil && (want != nil || kind == Imaging) && shown.item.Kind != kind:
		a.say(Fail, ItemOther, text(shown.item.label))
		return
	case kind == Imaging:
		a.sameImages(shown)
		return
	case want != nil && shown.item == nil && len(shown.modalities) > 0 && (kind == Laboratory || !slices.Contains(shown.modalities, "ECG")):
		a.say(Fail, ModalityOther, joined(shown.modalities)) // pictures are no data
		return
	}
	switch {
	case want == nil && overlapping(a.request.Exam.Codes, c.Exam.Codes):
		a.say(Pass, ItemSameCode)
	case want == nil || shown.item == nil:
		a.say(Open, ItemUnknown)
	case want == shown.item:
		a.say(Pass, ItemSame, text(want.label))
	default:
		a.say(Fail, ItemOther, text(shown.item.label))
	}
	a.sameSpecimen(shown)
	if want != nil && want == shown.item && len(want.Units) > 0 {
		a.sameUnit(c, shown)
	}
}

// sameSpecimen compares the kinds of specimen: the order's, or those of its item. A result that has none, but a code of the
// item, is of the item's kind, for such codes name it; one that has a name only may be of any.
func (a *ask) sameSpecimen(shown *reading) {
	asked := []string{a.wanted.specimen}
	if a.wanted.specimen == "" {
		if asked = nil; a.wanted.item != nil && a.wanted.item == shown.item {
			asked = a.wanted.item.Specimens
		}
	}
	if len(asked) == 0 {
		return
	}
	have, wanted := text(shown.specimen), text(strings.Join(asked, "/"))
	_, known := a.catalogue.Specimens[shown.specimen]
	switch {
	case slices.Contains(asked, shown.specimen):
		a.say(Pass, SpecimenSame, have, wanted)
	case shown.specimen == "" && shown.coded && a.wanted.item == shown.item && (a.wanted.specimen == "" || slices.Contains(shown.item.Specimens, a.wanted.specimen)):
		a.say(Pass, SpecimenSame, wanted, wanted)
	case shown.specimen == "" || !known:
		a.say(Open, SpecimenUnknown, have, wanted)
	default:
		a.say(Fail, SpecimenOther, have, wanted)
	}
}

func overlapping(a, b []Coding) bool {
	return slices.ContainsFunc(a, func(c Coding) bool { return slices.Contains(b, c) })
}

func (a *ask) sameImages(shown *reading) {
	want, modalities := &a.wanted, a.wanted.modalities
	if want.item != nil {
		modalities = want.item.Modalities
	}
	have, asked := joined(shown.modalities), joined(modalities)
	switch {
	case len(modalities) == 0 || len(shown.modalities) == 0:
		a.say(Open, ModalityUnknown, have, asked)
	case overlap(modalities, shown.modalities):
		a.say(Pass, ModalitySame, have, asked)
	default:
		a.say(Fail, ModalityOther, have, asked)
	}
	have, asked = joined(shown.regions), joined(want.regions)
	switch {
	case len(want.regions) == 0 || len(shown.regions) == 0:
		a.say(Open, RegionUnknown, have, asked)
	case contains(shown.regions, want.regions):
		a.say(Pass, RegionCovered, have, asked)
	default:
		a.say(Fail, RegionOther, have, asked)
	}
	if side := a.side(); side != 0 || want.item != nil && want.item.Paired {
		have, asked := sideName(shown.side), sideName(side)
		switch {
		case side == 0 || shown.side == 0:
			a.say(Open, SideUnknown, have, asked)
		case side&^shown.side == 0:
			a.say(Pass, SideSame, have, asked)
		default:
			a.say(Fail, SideOther, have, asked)
		}
	}
	if want.contrast != 0 {
		have, asked := contrastName(shown.contrast), contrastName(want.contrast)
		switch {
		case shown.contrast == 0:
			a.say(Open, ContrastUnknown, have, asked)
		case want.contrast&^shown.contrast == 0:
			a.say(Pass, ContrastSame, have, asked)
		default:
			a.say(Fail, ContrastOther, have, asked)
		}
	}
}

// side is the one the order names, else the one the item means.
func (a *ask) side() Side {
	if a.wanted.side == 0 && a.wanted.item != nil {
		return a.wanted.item.Side
	}
	return a.wanted.side
}

// joined is a list as one detail; the common case of one is not copied.
func joined(list []string) detail {
	if len(list) == 1 {
		return text(list[0])
	}
	return text(strings.Join(list, "+"))
}

func sideName(s Side) detail {
	switch s {
	case Left:
		return text("左\x00left")
	case Right:
		return text("右\x00right")
	case Left | Right:
		return text("双侧\x00both")
	}
	return text("不明\x00not known")
}

func contrastName(c Contrast) detail {
	switch c {
	case Plain:
		return text("平扫\x00plain")
	case Enhanced:
		return text("增强\x00enhanced")
	case Plain | Enhanced:
		return text("平扫及增强\x00plain and enhanced")
	}
	return text("不明\x00not known")
}
