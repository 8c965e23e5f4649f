package messages

import (
	"cmp"
	"slices"
	"strings"
)

// reasons counts the fatal faults of messages, the most frequent first. Places count as one whatever their repetitions:
// OBX[3]-5 and OBX[4]-5.
func reasons(failed []Message) []Reason {
	type key struct{ member, typ, kind, place, msg string }
	at := map[key]int{}
	all := []Reason{}
	for i := range failed {
		m := &failed[i]
		for _, f := range m.Faults {
			if !f.Fatal {
				continue
			}
			f.Place = withoutPlaces(f.Place)
			k := key{m.Member, m.Type, f.Kind, f.Place, f.Msg}
			j, known := at[k]
			if !known {
				j = len(all)
				at[k], all = j, append(all, Reason{Member: m.Member, Type: m.Type, Fault: f, Example: m.ID})
			}
			all[j].Count++
		}
	}
	slices.SortStableFunc(all, func(a, b Reason) int { return cmp.Compare(b.Count, a.Count) })
	return all
}

// withoutPlaces cuts what stands in brackets.
func withoutPlaces(place string) string {
	var b strings.Builder
	depth := 0
	for _, c := range place {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case depth <= 0:
			b.WriteRune(c)
		}
	}
	return b.String()
}
