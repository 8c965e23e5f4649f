package recognition

import (
	"slices"
	"time"
)

// Kind is the family of an item.
type Kind string

// The kinds.
const (
	Laboratory Kind = "laboratory" // 检验: data from human material
	Imaging    Kind = "imaging"    // 检查 with pictures
	ECG        Kind = "ecg"        // 检查 with curves
)

// Rows are what people write down of a catalogue. Nothing in them is a constant of the program.
type Rows struct {
	// Version is named in each decision made by the catalogue.
	Version string
	Items   []Item
	Panels  []Panel
	Prices  []Price
	// Fallback are the windows of items outside the catalogue, which a consortium recognises among its own.
	Fallback map[Kind]Windows
	// Quality says how good a signal or picture must be.
	Quality map[Kind]Quality
	// Counting says how opportunities are counted.
	Counting Counting
	// Tiers from the lowest to the highest; Direction says who accepts whose results.
	Tiers     []string
	Direction Direction
	// Areas are regions of recognition that join divisions: 京津冀.
	Areas []Area
	// Exemptions are the situations in which a test may be repeated; Refusals what a doctor may answer who repeats it.
	Exemptions []Exemption
	Refusals   []Refusal
	// Specimens are the words for each kind of specimen: serum → 血清, SER.
	Specimens map[string][]string
	// Regions says which atomic regions a composite one covers: ABDOMENPELVIS → ABDOMEN, PELVIS.
	Regions map[string][]string
	Words   []Word
	// Ignored are words that add nothing to a description: 检查, scan, routine.
	Ignored []string
}

// Catalogue is what is recognised, and the words by which it is known. It is read-only; its zero value knows no item.
type Catalogue struct {
	Rows
	lexicon lexicon
}

// Item is one row of the catalogue.
type Item struct {
	ID               string
	Kind             Kind
	Chinese, English string
	// Codes are those that name the item and nothing else.
	Codes []Coding
	// Modalities, Regions, Contrast and Side describe images. Regions are atomic or composite.
	Modalities []string
	Regions    []string
	Contrast   Contrast
	// Paired tells that there are a left and a right one, so that the side matters; Side is the one meant when an
	// order names none (both breasts), 0 when it must be named (a knee).
	Paired bool
	Side   Side
	// Scope is where the item is recognised, as Covers reads it; empty: wherever the catalogue holds.
	Scope string
	// Specimens are the kinds that laboratory results may be of; none: any.
	Specimens []string
	// Units (UCUM) are those that values must be convertible to one of, the first being the catalogue's; they stand for each
	// other. None: no unit is asked for. PerMillimole is what mg/dL one mmol/L makes, for units of mass beside units of
	// substance; 0: not known. Exact: no other unit is converted, for UCUM does not know how: the scales of HbA1c have different
	// zeros.
	Units        []string
	PerMillimole float64
	Exact        bool
	// Windows by class of encounter.
	Windows Windows
	// Rapid marks values that change within hours; Delta is how far they may move before the doctor is told.
	Rapid   bool
	Delta   Delta
	Aliases []string
	// Source is where the row's window comes from: "V" read in an official text, "S" secondary, "D" a default.
	Source string
	// Note says more about it.
	Note string

	label string // both names, for reasons
}

// Delta bounds the difference between a value and the patient's former one, taken at most Within before. What exceeds
// Absolute (in the item's unit) and Percent (of the former) is told; 0 asks nothing. Without Within there is no limit.
type Delta struct {
	Within            time.Duration
	Absolute, Percent float64
}

// Panel is a set of items that are ordered together: 血常规. It is recognised when all Members are.
type Panel struct {
	ID               string
	Chinese, English string
	Codes            []Coding
	Aliases          []string
	Members          []string // ids of items
	Source           string
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

// Quality is what is asked of a kind of signals or pictures: a score of 0 to 100. Where it is not Required, one that nobody
// judged is only pointed out.
type Quality struct {
	Least    float64
	Required bool
}

// Counting is how opportunities to recognise a result are counted. An offer made again at most SameWithin after the last one is
// of the same opportunity although midnight lies between. Who may not see the opportunities of others one by one is told
// numbers of theirs that are rounded to multiples of Round, and what they saved to multiples of RoundSaved of the currency;
// 0: nothing of them.
type Counting struct {
	SameWithin time.Duration
	Round      int
	RoundSaved int
	Source     string
}

// Acceptance says whether results are accepted in a direction.
type Acceptance string

// The acceptances. The zero value is Never.
const (
	Always      Acceptance = "always"
	IfQualified Acceptance = "if-qualified" // where the producer is known to be qualified
	Never       Acceptance = "never"
)

// Direction says whose results an institution accepts: of its own tier, of higher and of lower ones, and, whatever the
// tiers, of its consortium.
type Direction struct{ Peers, Higher, Lower, Consortium Acceptance }

// Exemption is a situation in which a test may be repeated although something could be recognised: a flag of the order, or
// a class of encounter. Reason is the code that the answer is filled in with.
type Exemption struct {
	Flag, Class      string
	Reason           string
	Chinese, English string
	Source           string
}

// Refusal is a reason for which a doctor does not recognise a result. Text says that it must be explained in words.
type Refusal struct {
	Code             string
	Chinese, English string
	Text             bool
	Source           string
}

// Contrast is a set: a study may hold series before and after the contrast medium. 0 means not stated.
type Contrast uint8

// The parts of a study with contrast.
const (
	Plain Contrast = 1 << iota
	Enhanced
)

// Side is a set: a study may show both. 0 means not stated.
type Side uint8

// The sides.
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

// Item finds a row by its id; nil where there is none.
func (c *Catalogue) Item(id string) *Item { return c.lexicon.items[id] }

// Panel finds a panel by its id; nil where there is none.
func (c *Catalogue) Panel(id string) *Panel { return c.lexicon.panels[id] }

// atomic breaks composite regions up; the result is sorted and has no region twice.
func (c *Catalogue) atomic(regions []string) []string {
	if len(regions) == 0 {
		return nil
	}
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
