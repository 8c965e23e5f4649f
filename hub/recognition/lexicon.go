package recognition

import (
	"slices"
	"strings"
	"unicode"
)

// lexicon is what the catalogue's texts and codes are looked up in.
type lexicon struct {
	words      map[string][]phrase // by first piece, the longest phrase first
	aliases    map[string]*Item    // by plain text
	codes      map[Coding]*Item
	items      map[string]*Item
	panels     map[string]*Panel
	panelNames map[string]*Panel // by plain text
	panelCodes map[Coding]*Panel
	specimens  map[string]string // word → kind
	prices     map[string][]Price
	areas      map[string][]string // id and names → divisions
}

// phrase is one way to say a word.
type phrase struct {
	pieces []string
	states Word
}

// compile makes the lexicon. Of two rows that claim one alias or code the first has it.
func (r *Rows) compile() lexicon {
	l := lexicon{map[string][]phrase{}, map[string]*Item{}, map[Coding]*Item{}, map[string]*Item{}, map[string]*Panel{}, map[string]*Panel{},
		map[Coding]*Panel{}, map[string]string{}, map[string][]Price{}, map[string][]string{}}
	add := func(say string, w Word) {
		if p := pieces(say); len(p) > 0 {
			l.words[p[0]] = append(l.words[p[0]], phrase{p, w})
		}
	}
	for _, w := range r.Words {
		for _, say := range w.Say {
			add(say, w)
		}
	}
	for _, say := range r.Ignored {
		add(say, Word{})
	}
	for _, phrases := range l.words {
		slices.SortStableFunc(phrases, func(a, b phrase) int { return len(b.pieces) - len(a.pieces) })
	}
	for i := range r.Items {
		item := &r.Items[i]
		claim(l.items, item.ID, item)
		for _, alias := range append([]string{item.Chinese, item.English}, item.Aliases...) {
			claim(l.aliases, plain(alias), item)
		}
		for _, code := range item.Codes {
			claim(l.codes, code, item)
		}
	}
	delete(l.aliases, "")
	for i := range r.Panels {
		p := &r.Panels[i]
		claim(l.panels, p.ID, p)
		for _, alias := range append([]string{p.Chinese, p.English}, p.Aliases...) {
			claim(l.panelNames, plain(alias), p)
		}
		for _, code := range p.Codes {
			claim(l.panelCodes, code, p)
		}
	}
	delete(l.panelNames, "")
	for kind, words := range r.Specimens {
		l.specimens[kind] = kind
		for _, word := range words {
			l.specimens[strings.ToLower(word)] = kind
		}
	}
	for _, p := range r.Prices {
		l.prices[p.Item] = append(l.prices[p.Item], p)
	}
	for _, a := range r.Areas {
		for _, name := range []string{a.ID, a.Chinese, a.English} {
			l.areas[name] = a.Divisions
		}
	}
	return l
}

func claim[K comparable, V any](owners map[K]*V, key K, owner *V) {
	if owners[key] == nil {
		owners[key] = owner
	}
}

// listen gathers what the words of texts state; complete tells that nothing was left over that it did not know. At each
// place the longest word is taken, so that 胸椎 is not taken for 胸.
func (c *Catalogue) listen(texts []string) (said Word, complete bool) {
	complete = true
	for _, text := range texts {
		for rest := pieces(text); len(rest) > 0; {
			phrases := c.lexicon.words[rest[0]]
			i := slices.IndexFunc(phrases, func(p phrase) bool {
				return len(p.pieces) <= len(rest) && slices.Equal(p.pieces, rest[:len(p.pieces)])
			})
			if i < 0 {
				complete, rest = false, rest[1:]
				continue
			}
			w := phrases[i].states
			said.Modality = append(said.Modality, w.Modality...)
			said.Regions = append(said.Regions, w.Regions...)
			said.Contrast |= w.Contrast
			said.Side |= w.Side
			rest = rest[len(phrases[i].pieces):]
		}
	}
	slices.Sort(said.Modality)
	said.Modality = slices.Compact(said.Modality)
	return said, complete
}

// plain is a text reduced to its pieces.
func plain(text string) string { return strings.Join(pieces(text), " ") }

// pieces cuts a text into Chinese characters one by one and runs of other letters and digits, in lower case and half
// width. Everything else separates.
func pieces(text string) []string {
	var out []string
	run := false
	for _, r := range text {
		if r >= '！' && r <= '～' { // full width
			r -= '！' - '!'
		}
		r = unicode.ToLower(r)
		switch {
		case unicode.Is(unicode.Han, r):
			out, run = append(out, string(r)), false
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			run = false
		case run:
			out[len(out)-1] += string(r)
		default:
			out, run = append(out, string(r)), true
		}
	}
	return out
}
