package laboratory

import (
	"context"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
)

// Meaning is what somebody says of a code.
type Meaning struct {
	// To are the standard codes; None says that there is none.
	To   []Coding `json:"to"`
	None bool     `json:"none,omitempty"`
	// Specimen and Unit narrow it: the code means this only for them.
	Specimen string `json:"specimen,omitempty"`
	Unit     string `json:"unit,omitempty"`
}

// MapID is the id of the ConceptMap of a member that Settle writes into; that of the consortium for Origin.
func MapID(member string) string { return "laboratory-" + identify("map", member)[:16] }

// Settle says what a member's code means, by an element of that member's ConceptMap, in place of what the same element
// said before. It is in force for the messages that come after it returns. who must be allowed to change what is the
// member's.
func (s *Queue) Settle(ctx context.Context, who access.Caller, member string, code Coding, m Meaning) (hub.Name, error) {
	name := hub.Name{Type: "ConceptMap", ID: MapID(member)}
	if err := may(who, access.Update, member); err != nil {
		return name, err
	}
	if err := m.check(code); err != nil {
		return name, err
	}
	_, err := s.Writer.Submit(ctx, commit.Write{Member: member, Names: []hub.Name{name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, name)
		if err != nil {
			return nil, err
		}
		o := newMap(member, name)
		if head.Version > 0 && !head.Deleted {
			rec, err := v.Record(ctx, name)
			if err != nil {
				return nil, err
			}
			if rec.Member != member {
				return nil, &hub.Error{Kind: hub.Conflict, Path: "ConceptMap", Msg: "another member has written a ConceptMap of this id"}
			}
			if o, err = decode(rec.Body); err != nil {
				return nil, &hub.Error{Kind: hub.Corrupt, Msg: "the concept map is unreadable", Err: err}
			}
		}
		m.into(o, code)
		return []commit.Draft{draft(name, o)}, nil
	}})
	if err == nil {
		s.Maps.Changed()
	}
	return name, err
}

func (m *Meaning) check(code Coding) error {
	switch {
	case code.Code == "":
		return &hub.Error{Kind: hub.Invalid, Path: "code", Msg: "the local code is missing"}
	case m.None == (len(m.To) > 0):
		return &hub.Error{Kind: hub.Invalid, Path: "to", Msg: "say either what the code means or that there is nothing", Hint: `{"to": [{"system": "http://loinc.org", "code": "2823-3"}]} or {"none": true}`}
	}
	for _, c := range m.To {
		switch {
		case c.System == "" || c.Code == "":
			return &hub.Error{Kind: hub.Invalid, Path: "to", Msg: "a standard code needs a system and a code"}
		case c.System == LOINC && !ValidLOINC(c.Code):
			return &hub.Error{Kind: hub.Invalid, Path: "to", Msg: "this is no LOINC code: its check digit is wrong"}
		}
	}
	return nil
}

// ValidLOINC tells whether a code has the form of LOINC's, with the right check digit (mod 10, every second digit doubled).
func ValidLOINC(code string) bool {
	number, check, ok := strings.Cut(code, "-")
	if !ok || len(number) == 0 || len(number) > 7 || len(check) != 1 {
		return false
	}
	sum, digits := 0, number+check
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func newMap(member string, name hub.Name) object {
	return object{"resourceType": "ConceptMap", "id": name.ID, "url": "urn:concord:laboratory:codes:" + member, "status": "active",
		"title": "Codes of the laboratory of " + member}
}

// into puts the meaning into a ConceptMap.
func (m *Meaning) into(o object, code Coding) {
	var on []any
	for property, value := range map[string]string{"specimen": m.Specimen, "unit": m.Unit} {
		if value != "" {
			on = append(on, object{"property": property, "value": value})
		}
	}
	slices.SortFunc(on, func(a, b any) int {
		return strings.Compare(a.(object)["property"].(string), b.(object)["property"].(string))
	})
	to := m.To
	if m.None {
		to = []Coding{{System: LOINC}}
	}
	forget(o, code, on)
	for _, c := range to {
		target := object{"equivalence": "equivalent", "code": c.Code}
		if c.Display != "" {
			target["display"] = c.Display
		}
		if m.None {
			target = object{"equivalence": "unmatched"}
		}
		if len(on) > 0 {
			target["dependsOn"] = on
		}
		group := groupOf(o, code.System, c.System)
		element := elementOf(group, code)
		list, _ := element["target"].([]any)
		element["target"] = append(list, target)
	}
}

// forget takes out what was said of a code under the same conditions.
func forget(o object, code Coding, on []any) {
	same, _ := encode(object{"": on})
	groups, _ := o["group"].([]any)
	for _, g := range groups {
		group, _ := g.(object)
		if source, _ := group["source"].(string); source != code.System {
			continue
		}
		elements, _ := group["element"].([]any)
		group["element"] = slices.DeleteFunc(elements, func(e any) bool {
			element, _ := e.(object)
			if element["code"] != code.Code {
				return false
			}
			targets, _ := element["target"].([]any)
			targets = slices.DeleteFunc(targets, func(t any) bool {
				target, _ := t.(object)
				there, _ := target["dependsOn"].([]any)
				has, _ := encode(object{"": there})
				return string(has) == string(same)
			})
			element["target"] = targets
			return len(targets) == 0
		})
	}
	o["group"] = slices.DeleteFunc(groups, func(g any) bool {
		group, _ := g.(object)
		elements, _ := group["element"].([]any)
		return len(elements) == 0
	})
	if len(o["group"].([]any)) == 0 {
		delete(o, "group")
	}
}

func groupOf(o object, source, target string) object {
	groups, _ := o["group"].([]any)
	for _, g := range groups {
		group, _ := g.(object)
		from, _ := group["source"].(string)
		if from == source && group["target"] == target {
			return group
		}
	}
	group := object{"target": target}
	if source != "" {
		group["source"] = source
	}
	o["group"] = append(groups, group)
	return group
}

func elementOf(group object, code Coding) object {
	elements, _ := group["element"].([]any)
	for _, e := range elements {
		if element, _ := e.(object); element["code"] == code.Code {
			return element
		}
	}
	element := object{"code": code.Code}
	if code.Display != "" {
		element["display"] = code.Display
	}
	group["element"] = append(elements, element)
	return element
}
