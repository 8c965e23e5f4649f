package hl7map

import (
	"fmt"
	"slices"
	"strings"

	"concord/internal/hl7"
)

// alike chooses among the resources of a rule, wherever in the message they are: those of which some paths say what others
// say here. "@observation with OBX-3.1 OBX-4 as OBR-26.1.1 OBR-26.2" is the result that an order's parent result names.
type alike struct {
	with, as []*path // the first of them must say something
}

// parseAlike reads what stands behind a rule's name.
func parseAlike(text string) (*alike, error) {
	with, as, found := strings.Cut(text, " as ")
	a := &alike{}
	for list, words := range map[*[]*path]string{&a.with: with, &a.as: as} {
		for word := range strings.FieldsSeq(words) {
			at, ok := parsePath(word)
			if !ok || at.segment != "" && at.field == 0 {
				return nil, fmt.Errorf("%q is no path", word)
			}
			*list = append(*list, at)
		}
	}
	if !found || len(a.with) == 0 || len(a.with) != len(a.as) {
		return nil, fmt.Errorf("with PATHS as PATHS takes as many of the one as of the other")
	}
	return a, nil
}

// alike are the resources of a rule that a pipe chooses here.
func (r *run) alike(p *pipe, c context) []instance {
	r.alone = false
	here := r.sayings(p.alike.as, c, true)
	if here == "" {
		return nil
	}
	byKey, known := r.chosen[p]
	if !known {
		byKey = map[string][]instance{}
		for _, one := range r.made[p.refs] {
			if key := r.sayings(p.alike.with, one.at, false); key != "" {
				byKey[key] = append(byKey[key], one)
			}
		}
		r.chosen[p] = byKey
	}
	list := byKey[here]
	if i := slices.IndexFunc(list, func(one instance) bool { return one.name == r.self }); i >= 0 {
		return slices.Delete(slices.Clone(list), i, i+1)
	}
	return list
}

// sayings are what paths say, in one text; nothing if the first says nothing.
func (r *run) sayings(paths []*path, c context, read bool) string {
	var b strings.Builder
	for _, at := range paths {
		at.values(r, c, func(v hl7.Value) bool {
			b.WriteString(strings.TrimSpace(v.Text()))
			if read {
				r.reads(v, false)
			}
			return false
		})
		if b.Len() == 0 {
			return ""
		}
		b.WriteByte(0)
	}
	return b.String()
}
