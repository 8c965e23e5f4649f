package recognition

import (
	"slices"
	"sync"
	"time"
)

// Kind is the family of an item.
type Kind string

const (
	Laboratory Kind = "laboratory" // 检验: data from human material
	Imaging    Kind = "imaging"    // 检查 with pictures
	ECG        Kind = "ecg"        // 检查 with curves
)

// Catalogue is what is recognised, and the words by which it is known. It is read-only once made; its zero value knows
// no item. It must not be copied. The mappings package loads one and lints it.
type Catalogue struct {
	// Version is named in each decision made by the catalogue.
	Version string
	Items   []Item
	// Fallback are the windows of items outside the catalogue, which a consortium recognises among its own.
	Fallback map[Kind]Windows
	// Regions says which atomic regions a composite one covers: ABDOMENPELVIS → ABDOMEN, PELVIS.
	Regions map[string][]string
	Words   []Word
	// Ignored are words that add nothing to a description: 检查, scan, routine.
	Ignored []string
	// LeastQuality is how good a signal or picture must be, 0 to 100, where it was judged.
	LeastQuality float64
	// Tiers from the lowest to the highest.
	Tiers []string
	// Exceptions maps a flag of the order to the coded reason for which a repeat is allowed.
	Exceptions map[string]string
	// ExemptClasses does the same for classes of encounter.
	ExemptClasses map[string]string

	once    sync.Once
	lexicon lexicon
}

// Item is one row of the catalogue.
type Item struct {
	ID               string
	Kind             Kind
	Chinese, English string
	// Codes are those that name the item and nothing else.
	Codes []Coding
	// Modalities, Regions, Contrast and Side describe images. Regions are atomic.
	Modalities []string
	Regions    []string
	Contrast   Contrast
	// Paired tells that there are a left and a right one, so that the side matters; Side is the one meant when an
	// order names none (both breasts), 0 when it must be named (a knee).
	Paired bool
	Side   Side
	// Windows by class of encounter.
	Windows Windows
	// Rapid marks values that change within hours.
	Rapid   bool
	Aliases []string
	// Source is where the row's window comes from: "V" read in an official text, "S" secondary, "D" a default.
	Source string
}

// Coding is a code of a system.
type Coding struct{ System, Code string }

// Windows are how long results hold: by class of encounter (HL7 v3 ActCode: AMB, IMP, EMER …), else Default.
type Windows struct {
	Default time.Duration
	ByClass map[string]time.Duration
}

// For is the window of a class. Where the class is not stated, it lies between the shortest and the longest.
func (w Windows) For(class string) (shortest, longest time.Duration) {
	if class != "" {
		if d, ok := w.ByClass[class]; ok {
			return d, d
		}
		return w.Default, w.Default
	}
	shortest, longest = w.Default, w.Default
	for _, d := range w.ByClass {
		shortest, longest = min(shortest, d), max(longest, d)
	}
	return shortest, longest
}

// Contrast is a set: a study may hold series before and after the contrast medium. 0 means not stated.
type Contrast uint8

const (
	Plain Contrast = 1 << iota
	Enhanced
)

// Side is a set: a study may show both. 0 means not stated.
type Side uint8

const (
	Left Side = 1 << iota
	Right
)

// Word is a piece of text that states facts: 胸片 says modality DX and region CHEST.
type Word struct {
	Say      []string
	Modality []string
	Regions  []string
	Contrast Contrast
	Side     Side
}

// Item finds a row by its id.
func (c *Catalogue) Item(id string) *Item {
	for i := range c.Items {
		if c.Items[i].ID == id {
			return &c.Items[i]
		}
	}
	return nil
}

// atomic breaks composite regions up; the result is sorted and has no region twice.
func (c *Catalogue) atomic(regions []string) []string {
	var out []string
	for _, r := range regions {
		if parts, ok := c.Regions[r]; ok {
			out = append(out, parts...)
		} else {
			out = append(out, r)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
