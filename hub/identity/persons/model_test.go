package persons_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/hub/identity"
	"concord/hub/identity/persons"
	"concord/internal/fhir"
)

// charts are of a few persons whose faults make links of every kind: sure ones, doubtful ones, contradictions.
func charts() []who {
	zhang := zhang()
	mistyped := zhang
	mistyped.number, mistyped.birth = "", "1990-07-03"
	renamed := zhang
	renamed.name, renamed.number = "张健国", ""
	thief := zhang
	thief.name, thief.birth, thief.sex, thief.phone, thief.address = "王秀英", "1951-12-30", "female", "13511112222", "江苏省苏州市临江县人民路3号"
	brother := zhang
	brother.name, brother.number, brother.more = "张建军", "", `"multipleBirthInteger":2`
	moved := zhang
	moved.number, moved.name = "110101198511163316", "李小龙"
	moved.birth = "1985-11-16"
	return []who{zhang, mistyped, renamed, thief, brother, moved}
}

// TestGroupsAreThoseOfAFreshFold writes, changes, deletes and decides in any order, and holds the groups to what a linker makes that
// sees only the outcome. No group ever has two valid citizen numbers.
func TestGroupsAreThoseOfAFreshFold(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := open(t, 2)
		kinds := charts()
		ids := []string{"a", "b", "c", "d", "e", "f"}
		now := map[string]string{} // bodies
		decided := map[[2]string]bool{}
		for step := range rapid.IntRange(4, 14).Draw(r, "steps") {
			id := rapid.SampledFrom(ids).Draw(r, "id")
			switch rapid.IntRange(0, 9).Draw(r, "what") {
			case 0:
				if now[id] != "" {
					w.put("m"+id, "Patient/"+id, "")
					delete(now, id)
				}
			case 1, 2:
				other := rapid.SampledFrom(ids).Draw(r, "other")
				pair := [2]string{min(id, other), max(id, other)}
				board := w.hubs[step%2].board
				var err error
				var p persons.Pair
				link := rapid.Bool().Draw(r, "link")
				switch {
				case decided[pair] && rapid.Bool().Draw(r, "undo"):
					_, err = board.Undo(t.Context(), engineer, id, other, "again")
					if err == nil {
						delete(decided, pair)
					}
				case link:
					p, err = board.Link(t.Context(), engineer, id, other, "seen")
				default:
					p, err = board.Separate(t.Context(), engineer, id, other, "seen")
				}
				if err == nil && p.Decision != nil {
					decided[pair] = true
				}
			default:
				body := kinds[rapid.IntRange(0, len(kinds)-1).Draw(r, "chart")].body()
				w.put("m"+id, "Patient/"+id, body)
				now[id] = body
			}
			if rapid.Bool().Draw(r, "settle") {
				w.settle()
			}
		}
		w.settle()
		live := w.groups(ids)
		if err := soundGroups(w.model, live, now); err != "" {
			r.Fatal(err)
		}
		if len(decided) > 0 {
			return // a fresh fold would not know them
		}
		fresh := open(t, 1)
		for _, id := range ids {
			if now[id] != "" {
				fresh.put("m"+id, "Patient/"+id, now[id])
			}
		}
		fresh.settle()
		if again := fresh.groups(ids); !slices.Equal(again, live) {
			r.Fatalf("the groups are %q, of the outcome alone %q", live, again)
		}
	})
}

// groups are what Linked says of each, as "id: all".
func (w *world) groups(ids []string) (all []string) {
	for _, id := range ids {
		all = append(all, id+": "+w.linked(id))
	}
	return all
}

// soundGroups says what is wrong with groups; empty when nothing is.
func soundGroups(m *identity.Model, groups []string, bodies map[string]string) string {
	for _, g := range groups {
		id, rest, _ := strings.Cut(g, ": ")
		numbers := map[string]bool{}
		for _, member := range strings.Fields(rest) {
			if !slices.Contains(groups, member+": "+rest) {
				return fmt.Sprintf("%s is one with %s, but not the other way round: %q", id, member, groups)
			}
			doc, err := fhir.Parse([]byte(bodies[member]), fhir.Limits{})
			if err != nil {
				if len(strings.Fields(rest)) > 1 {
					return fmt.Sprintf("%s is not there and is in a group: %q", member, groups)
				}
				continue
			}
			traits := m.Traits(doc.Root())
			for _, n := range traits.Numbers {
				if n.Kind == "citizen" && n.Valid && !n.Old {
					numbers[n.Value] = true
				}
			}
		}
		if len(numbers) > 1 {
			return fmt.Sprintf("a group has %d citizen numbers: %q", len(numbers), groups)
		}
	}
	return ""
}
