package mappings

import (
	"bytes"
	_ "embed" // the starter catalogue
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/recognition"
)

//go:embed recognition/catalogue.yaml
var starter []byte

// Recognition is the starter catalogue that comes with the program.
func Recognition() (*recognition.Catalogue, error) { return starterCatalogue() }

var starterCatalogue = sync.OnceValues(func() (*recognition.Catalogue, error) {
	return ParseRecognition("mappings/recognition/catalogue.yaml", starter)
})

// Systems of the codes that have a column of their own.
const (
	loincSystem = "http://loinc.org"
	sopSystem   = "urn:ietf:rfc:3986" // a SOP Class UID is written urn:oid:… there
)

type catalogueFile struct {
	Version       string              `yaml:"version"`
	Tiers         []string            `yaml:"tiers"`
	LeastQuality  float64             `yaml:"least_quality"`
	Exceptions    map[string]string   `yaml:"exceptions"`
	ExemptClasses map[string]string   `yaml:"exempt_classes"`
	Fallback      map[string]windows  `yaml:"fallback"`
	Items         []itemRow           `yaml:"items"`
	Regions       map[string][]string `yaml:"regions"`
	Words         []wordRow           `yaml:"words"`
	Ignored       []string            `yaml:"ignored"`
}

type itemRow struct {
	ID         string              `yaml:"id"`
	Kind       string              `yaml:"kind"`
	Chinese    string              `yaml:"zh"`
	English    string              `yaml:"en"`
	LOINC      []string            `yaml:"loinc"`
	SOP        []string            `yaml:"sop"`
	Codes      map[string][]string `yaml:"codes"` // other systems
	Modalities []string            `yaml:"modalities"`
	Regions    []string            `yaml:"regions"`
	Contrast   string              `yaml:"contrast"`
	Paired     bool                `yaml:"paired"`
	Side       string              `yaml:"side"`
	Window     windows             `yaml:"window"`
	Rapid      bool                `yaml:"rapid"`
	Aliases    []string            `yaml:"aliases"`
	Source     string              `yaml:"source"`
	Note       string              `yaml:"note"`
}

type wordRow struct {
	Say        []string `yaml:"say"`
	Modalities []string `yaml:"modalities"`
	Regions    []string `yaml:"regions"`
	Contrast   string   `yaml:"contrast"`
	Side       string   `yaml:"side"`
}

// windows is one window or one for each class of encounter beside "default".
type windows struct {
	recognition.Windows
	set bool
}

// UnmarshalYAML reads "30d" or {default: 7d, IMP: 1d}.
func (w *windows) UnmarshalYAML(n *yaml.Node) error {
	byClass := map[string]string{}
	if n.Kind == yaml.ScalarNode {
		byClass["default"] = n.Value
	} else if err := n.Decode(&byClass); err != nil {
		return err
	}
	if _, ok := byClass["default"]; !ok {
		return fmt.Errorf("line %d: windows by class need a default", n.Line)
	}
	w.set = true
	for class, text := range byClass {
		d, err := window(text)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		switch {
		case class == "default":
			w.Default = d
		case !slices.Contains(classes, class):
			return fmt.Errorf("line %d: %q is no class of encounter; one of %s is", n.Line, class, strings.Join(classes, " "))
		default:
			if w.ByClass == nil {
				w.ByClass = map[string]time.Duration{}
			}
			w.ByClass[class] = d
		}
	}
	return nil
}

var classes = []string{"AMB", "EMER", "FLD", "HH", "IMP", "OBSENC", "PRENC", "SS", "VR"}

var windowForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,4}[dh])$`)

// window reads whole days or hours: 30d, 24h, 0.
func window(text string) (time.Duration, error) {
	if !windowForm.MatchString(text) {
		return 0, fmt.Errorf("%q is no window; 30d, 24h and 0 are", text)
	}
	if text == "0" {
		return 0, nil
	}
	n, err := strconv.Atoi(text[:len(text)-1])
	if text[len(text)-1] == 'd' {
		n *= 24
	}
	return time.Duration(n) * time.Hour, err
}

// ParseRecognition reads a catalogue and lints it. The error joins all faults, each with file and line.
func ParseRecognition(file string, data []byte) (*recognition.Catalogue, error) {
	var f catalogueFile
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Path: file, Msg: "read the catalogue", Err: err}
	}
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Path: file, Msg: "read the catalogue", Err: err}
	}
	l := &lint{file: file}
	c := f.catalogue(l, &root)
	if err := errors.Join(l.faults...); err != nil {
		return nil, err
	}
	return c, nil
}
