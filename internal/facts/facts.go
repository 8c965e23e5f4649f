// Package facts compares what two FHIR bundles say, not how they say it. It is made for tests: one bundle is another
// converter's opinion of a message, the other is ours.
//
// A fact is one leaf of a resource under its topic: a family name, an identifier with who assigned it, a code with its
// system, a number, a unit, a time, a status. What is layout is none: ids, references, order, narratives, the text that
// a converter puts beside a code of HL7's own tables, resources about the message itself (see layout.go).
package facts

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Fact is one thing a bundle says.
type Fact struct {
	// Topic is the path of the element without places, under its resource type: Patient.name.family. What belongs to one
	// observation carries its code: Observation(8867-4).value.
	Topic string
	// Value is what is said, as it must be said on the other side, too.
	Value string
	// Any are readings of the value of which one must be said on the other side, where both sides have some: the two
	// readings of a time, the names of who assigned an identifier or of a code's system.
	Any []string
}

func (f Fact) String() string {
	s := f.Topic + " = " + f.Value
	if len(f.Any) > 0 {
		s += " {" + strings.Join(f.Any, " | ") + "}"
	}
	return s
}

// agrees reports whether g says what f says.
func (f Fact) agrees(g Fact) bool {
	if f.Topic != g.Topic || f.Value != g.Value {
		return false
	}
	if len(f.Any) == 0 || len(g.Any) == 0 {
		return true
	}
	return slices.ContainsFunc(f.Any, func(s string) bool { return slices.Contains(g.Any, s) })
}

// Of gives the facts of a FHIR bundle, sorted, each once.
func Of(bundle []byte) ([]Fact, error) {
	var b struct {
		Entry []struct {
			FullURL  string `json:"fullUrl"`
			Resource object `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	r := reader{byReference: map[string]object{}}
	for _, e := range b.Entry {
		r.byReference[text(e.Resource["resourceType"])+"/"+text(e.Resource["id"])] = e.Resource
		r.byReference[e.FullURL] = e.Resource
	}
	for _, e := range b.Entry {
		r.resource(e.Resource)
	}
	return r.sorted(), nil
}

// Missing gives the facts of want that are not among have.
func Missing(want, have []Fact) []Fact {
	byTopic := map[string][]Fact{}
	for _, f := range have {
		byTopic[f.Topic] = append(byTopic[f.Topic], f)
	}
	var missing []Fact
	for _, f := range want {
		if !slices.ContainsFunc(byTopic[f.Topic], f.agrees) {
			missing = append(missing, f)
		}
	}
	return missing
}

func (r *reader) sorted() []Fact {
	once := map[string]Fact{}
	for _, f := range r.facts {
		slices.Sort(f.Any)
		f.Any = slices.Compact(f.Any)
		once[f.String()] = f
	}
	keys := make([]string, 0, len(once))
	for k := range once {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	facts := make([]Fact, len(keys))
	for i, k := range keys {
		facts[i] = once[k]
	}
	return facts
}
