package mappings

import (
	"bytes"
	_ "embed" // the model that comes with the program
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/identity"
)

//go:embed identity/tables.yaml
var identityTables []byte

//go:embed identity/model.yaml
var identityWeights []byte

// Identity is the model that comes with the program.
func Identity() (*identity.Model, error) { return ownIdentity() }

var ownIdentity = sync.OnceValues(func() (*identity.Model, error) {
	return ParseIdentity(IdentityFile{"mappings/identity/tables.yaml", identityTables}, IdentityFile{"mappings/identity/model.yaml", identityWeights})
})

// IdentityTables are the tables that come with the program, for a training that makes new weights for them.
func IdentityTables() IdentityFile {
	return IdentityFile{"mappings/identity/tables.yaml", bytes.Clone(identityTables)}
}

// IdentityWeights are the weights that come with the program.
func IdentityWeights() IdentityFile {
	return IdentityFile{"mappings/identity/model.yaml", bytes.Clone(identityWeights)}
}

// IdentityFile is one of the two files of a model.
type IdentityFile struct {
	Name string
	Data []byte
}

type identityTablesFile struct {
	Version      string            `yaml:"version"`
	Population   float64           `yaml:"population"`
	Relatives    float64           `yaml:"relatives"`
	Link         float64           `yaml:"link"`
	Ask          float64           `yaml:"ask"`
	KeyHolders   int               `yaml:"key_holders"`
	KeyExpected  float64           `yaml:"key_expected"`
	Kinds        []identityKindRow `yaml:"kinds"`
	DummyNumbers []string          `yaml:"dummy_numbers"`
	DummyPhones  []string          `yaml:"dummy_phones"`
	DummyNames   []string          `yaml:"dummy_names"`
	Newborns     []string          `yaml:"newborns"`
	Mothers      []string          `yaml:"mothers"`
	Compounds    string            `yaml:"compounds"`
	Sounds       [][2]string       `yaml:"sounds"`
	Variants     string            `yaml:"variants"`
	Alike        string            `yaml:"alike"`
}

type identityKindRow struct {
	Name        string   `yaml:"name"`
	Systems     []string `yaml:"systems"`
	Types       []string `yaml:"types"`
	Scoped      bool     `yaml:"scoped"`
	Resident    bool     `yaml:"resident"`
	Form        string   `yaml:"form"`
	Decides     bool     `yaml:"decides"`
	Contradicts bool     `yaml:"contradicts"`
	Source      string   `yaml:"source"`
}

// identityWeightsFile is what training writes. A weight is [same, relative, stranger].
type identityWeightsFile struct {
	Version    string                           `yaml:"version"`
	Source     string                           `yaml:"source"`
	Weights    map[string]map[string][3]float64 `yaml:"weights"`
	Single     float64                          `yaml:"single"`
	Rarest     float64                          `yaml:"rarest"`
	Surnames   map[string]float64               `yaml:"surnames"`
	Givens     map[string]float64               `yaml:"givens"`
	Characters map[string]float64               `yaml:"characters"`
}

// ParseIdentity reads a model and lints it. The error joins all faults, each with its file and, where there is one, line.
func ParseIdentity(tables, weights IdentityFile) (*identity.Model, error) {
	m, l, err := parseIdentityTables(tables)
	if err != nil {
		return nil, err
	}
	var w identityWeightsFile
	if err := strictYAML(weights, &w); err != nil {
		return nil, err
	}
	l.file, l.line, l.what = weights.Name, 0, "weights"
	w.lint(l)
	if err := errors.Join(l.faults...); err != nil {
		return nil, err
	}
	m.Version = w.Version + " (" + m.Version + ")"
	m.Weights = map[string]map[string]identity.Weight{}
	for field, levels := range w.Weights {
		m.Weights[field] = map[string]identity.Weight{}
		for level, p := range levels {
			m.Weights[field][level] = identity.Weight{Same: p[0], Relative: p[1], Stranger: p[2]}
		}
	}
	m.Single, m.Rarest, m.Surnames, m.Givens, m.Characters = w.Single, w.Rarest, w.Surnames, w.Givens, w.Characters
	return m, nil
}

// ParseIdentityTables reads a model without weights, for training.
func ParseIdentityTables(tables IdentityFile) (*identity.Model, error) {
	m, l, err := parseIdentityTables(tables)
	if err == nil {
		err = errors.Join(l.faults...)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func parseIdentityTables(tables IdentityFile) (*identity.Model, *lint, error) {
	var f identityTablesFile
	var root yaml.Node
	if err := strictYAML(tables, &f); err != nil {
		return nil, nil, err
	}
	if err := yaml.Unmarshal(tables.Data, &root); err != nil {
		return nil, nil, &hub.Error{Kind: hub.Invalid, Path: tables.Name, Msg: "read the tables", Err: err}
	}
	l := &lint{file: tables.Name}
	return f.model(l, &root), l, nil
}

func strictYAML(f IdentityFile, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(f.Data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		return &hub.Error{Kind: hub.Invalid, Path: f.Name, Msg: "read the model of identity", Err: err}
	}
	return nil
}

// model turns the tables into a model and checks each row.
func (f *identityTablesFile) model(l *lint, root *yaml.Node) *identity.Model {
	l.what = "tables"
	m := &identity.Model{Version: f.Version, Population: f.Population, Relatives: f.Relatives, Link: f.Link, Ask: f.Ask, KeyHolders: f.KeyHolders,
		KeyExpected: f.KeyExpected, Sounds: f.Sounds, Compounds: strings.Fields(f.Compounds), Newborns: f.Newborns, Mothers: f.Mothers,
		Alike: strings.Fields(f.Alike), Variants: map[rune]rune{}}
	f.lintHead(l)
	m.DummyNumbers, m.DummyPhones, m.DummyNames = l.patterns(f.DummyNumbers), l.patterns(f.DummyPhones), l.patterns(f.DummyNames)
	for _, pair := range strings.Fields(f.Variants) {
		from, size := utf8.DecodeRuneInString(pair)
		to, rest := utf8.DecodeRuneInString(pair[size:])
		if size+rest != len(pair) || rest == 0 {
			l.fault("variants: %q is no pair of characters", pair)
			continue
		}
		m.Variants[from] = to
	}
	settle(m.Variants)
	seen := map[string]string{}
	for i, row := range f.Kinds {
		l.at(root, "kinds", i, "kind "+row.Name)
		m.Kinds = append(m.Kinds, row.kind(l, seen))
	}
	return m
}

// settle follows a variant to the form that has none itself, so that all forms of a character become one. Of a circle the
// least character is the form.
func settle(variants map[rune]rune) {
	for from, to := range variants {
		least, at := from, to
		for range 8 {
			next, ok := variants[at]
			if !ok || next == at {
				least = at
				break
			}
			least = min(least, at)
			at = next
		}
		variants[from] = least
	}
}
