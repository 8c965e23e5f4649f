package oracle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Definitions are the specification's own files, from the folder of its package.
type Definitions struct {
	folder   string
	elements map[string]*element          // by path: "Patient.name", "HumanName.family"
	params   map[string]map[string]*Param // by resource type and code
	byURL    map[string]*Param
	types    []string // concrete resource types

	compartments map[string]map[string][]string // compartment's type, resource type, parameters

	mu        sync.Mutex
	valueSets map[string]codes // by canonical URL; see terminology.go
	systems   map[string]*codeSystem
}

// element is one element of a type.
type element struct {
	types    []string
	same     string // the path whose children it has (contentReference)
	valueSet string // of a required binding
}

// Param is one SearchParameter.
type Param struct {
	Code, Type string
	URL        string
	Targets    []string
	expr       *path
	components []component
}

type component struct {
	param *Param
	expr  *path
}

// Load reads the definitions in folder (see scripts/fhir-definitions.sh).
func Load(folder string) (*Definitions, error) {
	d := &Definitions{
		folder: folder, elements: map[string]*element{}, params: map[string]map[string]*Param{}, byURL: map[string]*Param{},
		compartments: map[string]map[string][]string{}, valueSets: map[string]codes{}, systems: map[string]*codeSystem{},
	}
	for pattern, read := range map[string]func([]byte) error{
		"StructureDefinition-*.json":   d.readStructure,
		"CompartmentDefinition-*.json": d.readCompartment,
	} {
		if err := d.each(pattern, read); err != nil {
			return nil, err
		}
	}
	slices.Sort(d.types)
	// Components name other parameters, so those come first.
	var composites []searchParameter
	err := d.each("SearchParameter-*.json", func(data []byte) error {
		var sp searchParameter
		if err := json.Unmarshal(data, &sp); err != nil {
			return err
		}
		if sp.Type == "composite" {
			composites = append(composites, sp)
			return nil
		}
		return d.addParam(sp)
	})
	for _, sp := range composites {
		if err == nil {
			err = d.addParam(sp)
		}
	}
	return d, err
}

func (d *Definitions) each(pattern string, read func([]byte) error) error {
	files, err := filepath.Glob(filepath.Join(d.folder, pattern))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no %s in %s", pattern, d.folder)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil {
			err = read(data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(f), err)
		}
	}
	return nil
}

type searchParameter struct {
	URL, Code, Type, Expression string
	Base, Target                []string
	Component                   []struct{ Definition, Expression string }
}

func (d *Definitions) addParam(sp searchParameter) error {
	p := &Param{Code: sp.Code, Type: sp.Type, URL: sp.URL, Targets: sp.Target}
	var err error
	if sp.Expression != "" {
		if p.expr, err = parsePath(sp.Expression); err != nil {
			return err
		}
	}
	for _, c := range sp.Component {
		part := component{param: d.byURL[c.Definition]}
		if part.param == nil {
			return fmt.Errorf("%s: no definition %s", sp.Code, c.Definition)
		}
		if part.expr, err = parsePath(c.Expression); err != nil {
			return err
		}
		p.components = append(p.components, part)
	}
	d.byURL[sp.URL] = p
	for _, base := range sp.Base {
		if d.params[base] == nil {
			d.params[base] = map[string]*Param{}
		}
		// Examples among the definitions say the same again; the definition proper comes from hl7.org.
		if old := d.params[base][sp.Code]; old == nil || !strings.HasPrefix(old.URL, "http://hl7.org/fhir/SearchParameter/"+base) {
			d.params[base][sp.Code] = p
		}
	}
	return nil
}

// Param finds the parameter of a resource type, nil when there is none.
func (d *Definitions) Param(typ, code string) *Param {
	for _, base := range []string{typ, "DomainResource", "Resource"} {
		if base == "DomainResource" && d.elements[typ+".contained"] == nil {
			continue
		}
		if p := d.params[base][code]; p != nil {
			return p
		}
	}
	return nil
}

// Params lists the parameters that have an expression, sorted by code.
func (d *Definitions) Params(typ string) []*Param {
	seen := map[string]*Param{}
	for _, base := range []string{"Resource", "DomainResource", typ} {
		for code := range d.params[base] {
			if p := d.Param(typ, code); p != nil && p.expr != nil {
				seen[code] = p
			}
		}
	}
	all := make([]*Param, 0, len(seen))
	for _, p := range seen {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *Param) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// IsType reports whether name is a concrete resource type.
func (d *Definitions) IsType(name string) bool {
	_, found := slices.BinarySearch(d.types, name)
	return found
}

func (d *Definitions) readStructure(data []byte) error {
	var sd struct {
		Type, Kind, Derivation string
		Abstract               bool
		Snapshot               struct {
			Element []struct {
				Path             string
				ContentReference string
				Type             []struct{ Code string }
				Binding          struct{ Strength, ValueSet string }
			}
		}
	}
	if err := json.Unmarshal(data, &sd); err != nil {
		return err
	}
	if sd.Derivation == "constraint" || sd.Kind != "resource" && sd.Kind != "complex-type" {
		return nil
	}
	if sd.Kind == "resource" && !sd.Abstract {
		d.types = append(d.types, sd.Type)
	}
	for _, e := range sd.Snapshot.Element {
		el := &element{same: strings.TrimPrefix(e.ContentReference, "#")}
		for _, t := range e.Type {
			el.types = append(el.types, strings.TrimPrefix(t.Code, "http://hl7.org/fhirpath/System."))
		}
		if e.Binding.Strength == "required" {
			el.valueSet, _, _ = strings.Cut(e.Binding.ValueSet, "|")
		}
		d.elements[e.Path] = el
	}
	return nil
}

func (d *Definitions) readCompartment(data []byte) error {
	var cd struct {
		URL, Code string
		Resource  []struct {
			Code  string
			Param []string
		}
	}
	if err := json.Unmarshal(data, &cd); err != nil {
		return err
	}
	if !strings.HasPrefix(cd.URL, "http://hl7.org/fhir/CompartmentDefinition/") || strings.HasSuffix(cd.URL, "/example") {
		return nil
	}
	by := map[string][]string{}
	for _, r := range cd.Resource {
		by[r.Code] = r.Param
	}
	d.compartments[cd.Code] = by
	return nil
}
