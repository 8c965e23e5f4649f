package recognition

import (
	"slices"
	"strings"
)

// Exam is what an order asks for or what a result shows. Whatever was not stated stays empty.
type Exam struct {
	Codes      []Coding
	Modalities []string // DICOM (0008,0060), or words for them
	Regions    []string // DICOM (0018,0015), SNOMED CT codes, or words for them
	Side       Side
	Contrast   Contrast
	Specimen   string // a code or a word; compared as written, but for case
	// Text are descriptions: the order's text, Study Description, Protocol Name. They are read where codes leave
	// something open; the display of a code is not one of them, for it may belong to another code.
	Text []string
	// Series are descriptions of series and protocols. They say what Text and fields leave open: whether contrast was given, and
	// the region where each of their words is known.
	Series []string
}

// reading is an Exam in the catalogue's own terms.
type reading struct {
	item       *Item
	modalities []string
	regions    []string // atomic, sorted
	side       Side
	contrast   Contrast
	specimen   string  // a kind, or what was written in lower case
	coded      bool    // a code names the item
	value      measure // of a result
}

// ItemOf names the item that an order asks for: by its codes, by an alias that is its whole text, or by modality and
// region. It returns nil where the catalogue has no such item, where the text holds a strange word, and where what the
// order states does not agree with itself. Where it leaves the contrast open, the first item
// of the catalogue that fits without contrast is taken.
func (c *Catalogue) ItemOf(order Exam) *Item { return c.read(order, true).item }

// ItemShown names the item that a result is. Strange words are forgiven where a field names the region, for the
// descriptions that scanners write are full of them.
func (c *Catalogue) ItemShown(result Exam) *Item { return c.read(result, false).item }

// read joins fields, text and codes. What they state differently stays open, and so does the item then. A text with a
// strange word is believed in nothing but side and contrast, unless the reading is not strict and a field names the region.
func (c *Catalogue) read(e Exam, strict bool) reading {
	agreed := true
	said, complete := c.listen(e.Text)
	field := c.fields(e)
	r := reading{
		modalities: common(field.Modality, said.Modality, &agreed),
		regions:    wider(c.atomic(field.Regions), c.atomic(said.Regions), &agreed),
		side:       widerBits(field.Side, said.Side, &agreed),
		contrast:   widerBits(field.Contrast, said.Contrast, &agreed),
		specimen:   c.specimen(e.Specimen),
	}
	believed := complete || (!strict && len(field.Regions) > 0)
	if !believed {
		r.modalities, r.regions = field.Modality, c.atomic(field.Regions)
	}
	if agreed && !strict {
		r.hear(c, e.Series, len(said.Regions) > 0)
	}
	coded := c.coded(e.Codes, &agreed)
	if r.coded = coded != nil; r.coded {
		r.takeFrom(coded, &agreed)
	}
	if !agreed {
		return r
	}
	if r.item = coded; r.item == nil {
		r.item = c.aliased(e.Text)
	}
	if r.item == nil && (believed || !strict && len(said.Regions) == 0 && len(field.Regions) == 0 && len(r.regions) > 0) {
		r.item = c.shown(r)
	}
	if r.item != nil {
		r.modalities, r.regions = orElse(r.modalities, r.item.Modalities), orElse(r.regions, c.atomic(r.item.Regions))
	}
	return r
}

// hear lets series and protocols speak of what is still open; of the region not where the study's own text named one.
func (r *reading) hear(c *Catalogue, series []string, named bool) {
	var regions []string
	var contrast Contrast
	for _, text := range series {
		said, complete := c.listen([]string{text})
		if complete {
			regions = append(regions, said.Regions...)
		}
		contrast |= said.Contrast
	}
	if len(r.regions) == 0 && !named {
		r.regions = c.atomic(regions)
	}
	if r.contrast == 0 {
		r.contrast = contrast
	}
}

// takeFrom lets the item that a code names speak where fields and text are silent. They must not contradict it.
func (r *reading) takeFrom(i *Item, agreed *bool) {
	switch {
	case len(r.regions) > 0 && len(i.Regions) > 0 && !contains(r.regions, i.Regions),
		len(r.modalities) > 0 && len(i.Modalities) > 0 && !overlap(r.modalities, i.Modalities),
		r.contrast != 0 && i.Contrast&^r.contrast != 0:
		*agreed = false
	case r.contrast == 0:
		r.contrast = i.Contrast
	}
}

// coded finds the item of the codes; two codes of different items contradict each other.
func (c *Catalogue) coded(codes []Coding, agreed *bool) (found *Item) {
	for _, code := range codes {
		item := c.lexicon.codes[code]
		if item == nil {
			continue
		}
		if found != nil && found != item {
			*agreed = false
			return nil
		}
		found = item
	}
	return found
}

func (c *Catalogue) aliased(texts []string) *Item {
	for _, text := range texts {
		if item := c.lexicon.aliases[plain(text)]; item != nil {
			return item
		}
	}
	return nil
}

// shown finds the first item that shows just these regions with this modality, and has the contrast stated. One that asks for
// contrast is not taken where contrast is not stated.
func (c *Catalogue) shown(r reading) *Item {
	if len(r.modalities) == 0 {
		return nil
	}
	for i := range c.Items {
		item := &c.Items[i]
		if overlap(item.Modalities, r.modalities) && slices.Equal(c.atomic(item.Regions), r.regions) &&
			(item.Contrast == 0 || item.Contrast&^r.contrast == 0 || r.contrast == 0 && item.Contrast&Plain != 0) {
			return item
		}
	}
	return nil
}

// specimen is the kind that a word means; a word that is none stands as it is written, in lower case.
func (c *Catalogue) specimen(word string) string {
	if word == "" {
		return ""
	}
	word = strings.ToLower(strings.TrimSpace(word))
	if kind, ok := c.lexicon.specimens[word]; ok {
		return kind
	}
	return word
}

// panelOf finds the panel that an order names by a code or by a name that is its whole text.
func (c *Catalogue) panelOf(order Exam) *Panel {
	for _, code := range order.Codes {
		if p := c.lexicon.panelCodes[code]; p != nil {
			return p
		}
		if c.lexicon.codes[code] != nil {
			return nil
		}
	}
	for _, text := range order.Text {
		if p := c.lexicon.panelNames[plain(text)]; p != nil {
			return p
		}
	}
	return nil
}

// Unmapped tells which descriptions of a result nobody can read: its texts where neither they nor its codes and fields name an
// item. It is empty for a result that is known.
func (c *Catalogue) Unmapped(result Exam) []string {
	if c.ItemShown(result) != nil {
		return nil
	}
	var all []string
	for _, text := range result.Text {
		if text = strings.TrimSpace(text); text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// fields puts modalities and body parts in the catalogue's terms. A value that has no word stands as it is written, in
// capitals.
func (c *Catalogue) fields(e Exam) Word {
	out := Word{Side: e.Side, Contrast: e.Contrast}
	for _, v := range e.Modalities {
		if w, known := c.listen([]string{v}); known && len(w.Modality) > 0 {
			out.Modality = append(out.Modality, w.Modality...)
		} else if v = strings.ToUpper(strings.TrimSpace(v)); v != "" {
			out.Modality = append(out.Modality, v)
		}
	}
	for _, v := range e.Regions {
		if w, known := c.listen([]string{v}); known && len(w.Regions) > 0 {
			out.Regions = append(out.Regions, w.Regions...)
			out.Side |= w.Side
		} else if v = strings.ToUpper(strings.TrimSpace(v)); v != "" {
			out.Regions = append(out.Regions, v)
		}
	}
	return out
}

// common is what field and text both state; the text of an X-ray fits computed and digital radiography alike.
func common(field, text []string, agreed *bool) []string {
	if len(field) == 0 {
		return text
	}
	if len(text) == 0 {
		return field
	}
	both := slices.DeleteFunc(slices.Clone(field), func(s string) bool { return !slices.Contains(text, s) })
	*agreed = *agreed && len(both) > 0
	return both
}

// wider is the text's list, which may add to the field's but not leave any of it out.
func wider(field, text []string, agreed *bool) []string {
	switch {
	case len(text) == 0:
		return field
	case contains(text, field):
		return text
	}
	*agreed = false
	return nil
}

// widerBits is wider for sets of bits.
func widerBits[T Side | Contrast](field, text T, agreed *bool) T {
	switch {
	case text == 0:
		return field
	case field&^text == 0:
		return text
	}
	*agreed = false
	return 0
}

func orElse(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func contains(all, part []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(all, s) })
}
