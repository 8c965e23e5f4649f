package mappings

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/recognition"
)

// catalogueFile is a file of a catalogue. Any list may be in any file.
type catalogueFile struct {
	Version    string                `yaml:"version"`
	Systems    map[string]string     `yaml:"systems"` // column → system of its codes
	Tiers      []string              `yaml:"tiers"`
	Direction  directionRow          `yaml:"direction"`
	Quality    map[string]qualityRow `yaml:"quality"`
	Counting   countingRow           `yaml:"counting"`
	Exemptions []exemptionRow        `yaml:"exemptions"`
	Refusals   []refusalRow          `yaml:"refusals"`
	Areas      []areaRow             `yaml:"areas"`
	Specimens  map[string][]string   `yaml:"specimens"`
	Fallback   map[string]windows    `yaml:"fallback"`
	Items      []itemRow             `yaml:"items"`
	Panels     []panelRow            `yaml:"panels"`
	Prices     []priceRow            `yaml:"prices"`
	Regions    map[string][]string   `yaml:"regions"`
	Words      []wordRow             `yaml:"words"`
	Ignored    []string              `yaml:"ignored"`
}

type directionRow struct {
	Peers      string `yaml:"peers"`
	Higher     string `yaml:"higher"`
	Lower      string `yaml:"lower"`
	Consortium string `yaml:"consortium"`
}

type qualityRow struct {
	Least    float64 `yaml:"least"`
	Required bool    `yaml:"required"`
}

type countingRow struct {
	SameWithin windows `yaml:"same_within"`
	Round      int     `yaml:"round"`
	RoundSaved int     `yaml:"round_saved"`
	Source     string  `yaml:"source"`
}

type exemptionRow struct {
	Flag    string `yaml:"flag"`
	Class   string `yaml:"class"`
	Reason  string `yaml:"reason"`
	Chinese string `yaml:"zh"`
	English string `yaml:"en"`
	Source  string `yaml:"source"`
}

type refusalRow struct {
	Code    string `yaml:"code"`
	Chinese string `yaml:"zh"`
	English string `yaml:"en"`
	Text    bool   `yaml:"text"`
	Source  string `yaml:"source"`
}

type areaRow struct {
	ID        string   `yaml:"id"`
	Chinese   string   `yaml:"zh"`
	English   string   `yaml:"en"`
	Divisions []string `yaml:"divisions"`
	Source    string   `yaml:"source"`
}

type itemRow struct {
	ID         string              `yaml:"id"`
	Kind       string              `yaml:"kind"`
	Chinese    string              `yaml:"zh"`
	English    string              `yaml:"en"`
	LOINC      []string            `yaml:"loinc"`
	SOP        []string            `yaml:"sop"`
	Insurance  []string            `yaml:"insurance"` // 医保; see systems
	Mutual     []string            `yaml:"mutual"`    // 互认; see systems
	Codes      map[string][]string `yaml:"codes"`     // other systems
	Modalities []string            `yaml:"modalities"`
	Regions    []string            `yaml:"regions"`
	Contrast   string              `yaml:"contrast"`
	Paired     bool                `yaml:"paired"`
	Side       string              `yaml:"side"`
	Scope      oneOrMore           `yaml:"scope"`
	Specimens  []string            `yaml:"specimens"`
	Unit       oneOrMore           `yaml:"unit"`
	Exact      bool                `yaml:"exact"`
	PerMmol    float64             `yaml:"per_mmol"`
	Window     windows             `yaml:"window"`
	Rapid      bool                `yaml:"rapid"`
	Delta      deltaLimit          `yaml:"delta"`
	Price      string              `yaml:"price"` // yuan, wherever prices.yaml says nothing nearer
	Aliases    []string            `yaml:"aliases"`
	Source     string              `yaml:"source"`
	Note       string              `yaml:"note"`
}

type deltaLimit struct {
	Within   string  `yaml:"within"`
	Absolute float64 `yaml:"absolute"`
	Percent  float64 `yaml:"percent"`
}

type panelRow struct {
	ID      string              `yaml:"id"`
	Chinese string              `yaml:"zh"`
	English string              `yaml:"en"`
	LOINC   []string            `yaml:"loinc"`
	Codes   map[string][]string `yaml:"codes"`
	Aliases []string            `yaml:"aliases"`
	Members []string            `yaml:"members"`
	Source  string              `yaml:"source"`
	Note    string              `yaml:"note"`
}

type priceRow struct {
	Item     string `yaml:"item"`
	Region   string `yaml:"region"`
	Amount   string `yaml:"amount"`
	Currency string `yaml:"currency"`
	Source   string `yaml:"source"`
}

type wordRow struct {
	Say        []string `yaml:"say"`
	Modalities []string `yaml:"modalities"`
	Regions    []string `yaml:"regions"`
	Contrast   string   `yaml:"contrast"`
	Side       string   `yaml:"side"`
}

// oneOrMore is a text or a list of them.
type oneOrMore []string

// UnmarshalYAML reads g/L or [g/L, g/dL].
func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
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

// add reads one file into the sheets.
func (s *sheets) add(file string, data []byte) error {
	var f catalogueFile
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	err := dec.Decode(&f)
	if err == nil {
		err = yaml.Unmarshal(data, &root)
	}
	if err != nil {
		return &hub.Error{Kind: hub.Invalid, Path: file, Msg: "read the catalogue", Err: err}
	}
	s.first = cmp.Or(s.first, file)
	for _, list := range []string{"items", "panels", "prices", "words", "ignored", "areas", "exemptions", "refusals"} {
		if at := member(root.Content[0], list); at != nil && at.Kind == yaml.SequenceNode {
			for _, row := range at.Content {
				s.lines[list] = append(s.lines[list], fmt.Sprintf("%s:%d", file, row.Line))
			}
		}
	}
	raw := member(root.Content[0], "items")
	for i := range f.Items {
		one := sheetItem{row: f.Items[i]}
		if raw.Kind == yaml.SequenceNode && i < len(raw.Content) {
			if err := raw.Content[i].Decode(&one.raw); err != nil {
				return &hub.Error{Kind: hub.Invalid, Path: file, Msg: "read the catalogue", Err: err}
			}
		}
		s.items = append(s.items, one)
	}
	return s.merge(file, &f)
}

// merge adds what a file says of all items. What two files say is refused.
func (s *sheets) merge(file string, f *catalogueFile) error {
	h := &s.head
	twice := func(what string) error {
		return &hub.Error{Kind: hub.Invalid, Path: file, Msg: what + " is said in another file too"}
	}
	for _, one := range []struct {
		what       string
		here, have bool
		take       func()
	}{
		{"version", f.Version != "", h.Version != "", func() { h.Version = f.Version }},
		{"systems", f.Systems != nil, h.Systems != nil, func() { h.Systems = f.Systems }},
		{"tiers", f.Tiers != nil, h.Tiers != nil, func() { h.Tiers = f.Tiers }},
		{"direction", f.Direction != directionRow{}, h.Direction != directionRow{}, func() { h.Direction = f.Direction }},
		{"counting", f.Counting.Source != "", h.Counting.Source != "", func() { h.Counting = f.Counting }},
		{"quality", f.Quality != nil, h.Quality != nil, func() { h.Quality = f.Quality }},
		{"specimens", f.Specimens != nil, h.Specimens != nil, func() { h.Specimens = f.Specimens }},
		{"fallback", f.Fallback != nil, h.Fallback != nil, func() { h.Fallback = f.Fallback }},
		{"regions", f.Regions != nil, h.Regions != nil, func() { h.Regions = f.Regions }},
	} {
		switch {
		case one.here && one.have:
			return twice(one.what)
		case one.here:
			one.take()
		}
	}
	h.Exemptions, h.Refusals, h.Areas = append(h.Exemptions, f.Exemptions...), append(h.Refusals, f.Refusals...), append(h.Areas, f.Areas...)
	h.Panels, h.Prices = append(h.Panels, f.Panels...), append(h.Prices, f.Prices...)
	h.Words, h.Ignored = append(h.Words, f.Words...), append(h.Ignored, f.Ignored...)
	return nil
}
