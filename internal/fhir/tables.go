package fhir

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// ResourceTypes are the names of the concrete resource types of R4, sorted.
func ResourceTypes() []string { return slices.Clone(definitions().names) }

// IsResourceType reports whether name is a concrete resource type of R4.
func IsResourceType(name string) bool { return definitions().resources[name] != nil }

// specification is the generated tables, read and compiled.
type specification struct {
	names     []string
	elements  map[string]*elementType // by type or path of a backbone element
	bindings  map[string]*codes       // by name of the value set
	resources map[string]*resourceType
	params    map[string]paramDefinition // by canonical URL
}

// elementType is a complex type or backbone element.
type elementType struct {
	name    string
	order   []string            // of the members as the definitions have them
	members map[string]member   // by name in JSON: a choice element is there once for each of its types
	choices map[string][]member // by the name of the choice element without [x]
}

// member is one element of a type.
type member struct {
	key    string // its name in JSON
	typ    string
	many   bool
	due    bool   // it must be there, or another type of the same choice
	codes  *codes // that a binding admits; nil when any may be there
	system string // of the codes of a required binding, where there is just one
	// targets are the resource types a reference may point to; none means any.
	targets []string
	choice  string // the choice element it is one type of, without [x]
}

// resourceType is what search knows of one resource type.
type resourceType struct {
	name   string
	params []*Param // sorted by code
	kept   []*Param // of these, those that entries have terms of
	byCode map[string]*Param
	// route is the parameter that names the patient a resource belongs to; nil when each is its own route.
	route *Param
	// compartments are the codes of the parameters by which a resource is in a compartment, by the compartment's type.
	compartments map[string][]string
}

// definitions reads and compiles the tables when they are first asked for (about 10 ms).
var definitions = sync.OnceValue(func() *specification {
	s := &specification{names: strings.Split(resourceTypes, "\n"), elements: map[string]*elementType{}, bindings: map[string]*codes{}, resources: map[string]*resourceType{}}
	for line := range strings.Lines(bindingTable) {
		s.addCodes(strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	for line := range strings.Lines(elementTable) {
		s.addElements(strings.Fields(line))
	}
	for _, name := range s.names {
		s.resources[name] = &resourceType{name: name, byCode: map[string]*Param{}, compartments: map[string][]string{}}
	}
	all := paramDefinitions()
	s.params = make(map[string]paramDefinition, len(all))
	for _, d := range all {
		s.params[d.url] = d
	}
	for _, d := range all {
		for _, base := range d.bases {
			for _, name := range s.concrete(base) {
				s.resources[name].add(s.param(d, name))
			}
		}
	}
	for line := range strings.Lines(compartmentTable) {
		fields := strings.Fields(line)
		s.resources[fields[1]].join(fields[0], fields[2:])
	}
	for _, r := range s.resources {
		for _, p := range r.params {
			r.setPostings(p)
		}
		slices.SortFunc(r.params, func(a, b *Param) int { return strings.Compare(a.Code, b.Code) })
		for _, p := range r.params {
			r.setUnion(p)
		}
		for _, p := range r.params {
			r.setRest(p)
		}
		for _, p := range r.params {
			if p.kept() {
				r.kept = append(r.kept, p)
			}
		}
	}
	return s
})

func (s *specification) addElements(fields []string) {
	t := &elementType{name: fields[0], members: map[string]member{}, choices: map[string][]member{}}
	s.elements[fields[0]] = t
	for _, f := range fields[1:] {
		name, types, _ := strings.Cut(f, ":")
		types, set, _ := strings.Cut(types, "=")
		types, due := strings.CutSuffix(types, "!")
		types, many := strings.CutSuffix(types, "*")
		choice, isChoice := strings.CutSuffix(name, "[x]")
		for typ := range strings.SplitSeq(types, "|") {
			typ, targets, _ := strings.Cut(strings.TrimSuffix(typ, ")"), "(")
			m := member{key: name, typ: typ, many: many, due: due, codes: s.bindings[set]}
			if typ == "code" && m.codes != nil {
				m.system = m.codes.system
			}
			if targets != "" {
				m.targets = strings.Split(targets, ",")
			}
			if isChoice {
				m.choice = choice
				m.key = choice + strings.ToUpper(typ[:1]) + typ[1:]
				t.choices[choice] = append(t.choices[choice], m)
			}
			t.members[m.key] = m
			t.order = append(t.order, m.key)
		}
	}
}

// concrete lists the resource types that a base of a search parameter stands for.
func (s *specification) concrete(base string) []string {
	switch base {
	case "Resource":
		return s.names
	case "DomainResource":
		return slices.DeleteFunc(slices.Clone(s.names), func(name string) bool {
			return s.elements[name].members["contained"].typ == ""
		})
	}
	if s.resources[base] == nil {
		return nil
	}
	return []string{base}
}

// paramDefinition is one line of paramTable.
type paramDefinition struct {
	code, typ, url, expression string
	bases, targets             []string
	components                 []componentDefinition
}

type componentDefinition struct{ url, expression string }

func paramDefinitions() []paramDefinition {
	var all []paramDefinition
	for line := range strings.Lines(paramTable) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		d := paramDefinition{code: f[0], typ: f[1], bases: strings.Fields(f[2]), targets: strings.Fields(f[3]), url: f[4], expression: f[5]}
		if f[6] != "" {
			for part := range strings.SplitSeq(f[6], "; ") {
				url, expression, _ := strings.Cut(part, " ")
				d.components = append(d.components, componentDefinition{url, expression})
			}
		}
		all = append(all, d)
	}
	return all
}

func (r *resourceType) add(p *Param) {
	old := r.byCode[p.Code]
	if old == nil {
		r.byCode[p.Code] = p
		r.params = append(r.params, p)
		return
	}
	// The definitions hold a few examples of definitions; the real one wins.
	if strings.Contains(old.Definition, "/example") {
		*old = *p
	}
}

// routeCodes are the parameters that may name the one patient of a resource, the surest first.
var routeCodes = []string{"patient", "subject", "beneficiary", "individual"}

// join notes the parameters by which resources are in a compartment.
func (r *resourceType) join(compartment string, codes []string) {
	r.compartments[compartment] = codes
	if compartment == "Patient" {
		r.setRoute(codes)
	}
}

// setRoute chooses the route among the parameters of the patient compartment: one whose element cannot repeat.
func (r *resourceType) setRoute(compartment []string) {
	for _, code := range routeCodes {
		p := r.byCode[code]
		if p != nil && r.name != "Patient" && slices.Contains(compartment, code) && p.single() {
			r.route = p
			break
		}
	}
	for _, p := range r.params {
		p.routed = r.route != nil && p.sameElement(r.route)
	}
}

// names lists the elements in JSON, for hints.
func (t *elementType) names() []string { return slices.Sorted(maps.Keys(t.members)) }
