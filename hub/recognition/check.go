package recognition

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/ucum"
)

// Fault is something wrong with a row.
type Fault struct {
	// List is the list the row is in, as mappings/recognition/*.yaml name them ("items"), and Row its place there; -1 for
	// what is not about one row.
	List string
	Row  int
	// ID is the row's, or what it says first.
	ID  string
	Msg string
}

// NewCatalogue checks rows and makes the catalogue of them, which keeps them. The error (hub.Faults) has all that is wrong,
// each with the id of its row as Path.
func NewCatalogue(rows Rows) (*Catalogue, error) {
	var all hub.Faults
	for _, f := range rows.Check() {
		all = append(all, &hub.Error{Kind: hub.Invalid, Path: f.ID, Msg: f.Msg})
	}
	if len(all) > 0 {
		return nil, all
	}
	rows.Items = slices.Clone(rows.Items)
	for i := range rows.Items {
		rows.Items[i].label = bilingual(rows.Items[i].Chinese, rows.Items[i].English)
	}
	return &Catalogue{Rows: rows, lexicon: rows.compile()}, nil
}

// Check finds all that is wrong with rows.
func (r *Rows) Check() []Fault {
	c := &check{rows: r, claimed: map[string]string{}, said: map[string]bool{}}
	c.head()
	c.words()
	for i := range r.Items {
		c.at("items", i, r.Items[i].ID)
		c.item(&r.Items[i])
	}
	for i := range r.Panels {
		c.at("panels", i, r.Panels[i].ID)
		c.panel(&r.Panels[i])
	}
	for i := range r.Prices {
		c.at("prices", i, r.Prices[i].Item)
		c.price(&r.Prices[i])
	}
	return c.faults
}

type check struct {
	rows    *Rows
	claimed map[string]string // what only one row may have → id of the row
	said    map[string]bool   // regions that some word says
	list    string
	row     int
	id      string
	faults  []Fault
}

func (c *check) at(list string, row int, id string) { c.list, c.row, c.id = list, row, id }

func (c *check) fault(format string, args ...any) {
	c.faults = append(c.faults, Fault{List: c.list, Row: c.row, ID: c.id, Msg: fmt.Sprintf(format, args...)})
}

func (c *check) once(what, value string) {
	key := what + " " + value
	if other, twice := c.claimed[key]; twice {
		c.fault("%s %q belongs to item %s already", what, value, other)
		return
	}
	c.claimed[key] = c.id
}

var (
	idForm       = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	loincForm    = regexp.MustCompile(`^[1-9][0-9]{0,6}-[0-9]$`)
	uidForm      = regexp.MustCompile(`^urn:oid:(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+$`)
	termForm     = regexp.MustCompile(`^[A-Z][A-Z0-9]{0,15}$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
	kinds        = []Kind{Laboratory, Imaging, ECG}
)

// Systems of codes whose form is checked.
const (
	loincSystem = "http://loinc.org"
	uriSystem   = "urn:ietf:rfc:3986" // a SOP Class UID is written urn:oid:… there
)

func (c *check) head() {
	r := c.rows
	c.at("", -1, "")
	if r.Version == "" {
		c.fault("a catalogue needs a version, for each decision names it")
	}
	if len(r.Items) == 0 {
		c.fault("a catalogue without items recognises nothing")
	}
	for kind, w := range r.Fallback {
		if !slices.Contains(kinds, kind) {
			c.fault("fallback: %q is no kind of item", kind)
		}
		c.windows(w)
	}
	for kind, q := range r.Quality {
		if !slices.Contains(kinds, kind) {
			c.fault("quality: %q is no kind of item", kind)
		}
		if !(q.Least >= 0 && q.Least <= 100) {
			c.fault("quality: a score lies between 0 and 100")
		}
	}
	if k := r.Counting; k != (Counting{}) {
		if k.SameWithin < 0 || k.SameWithin >= 24*time.Hour || k.Round < 0 || k.RoundSaved < 0 || (k.Round > 0) != (k.RoundSaved > 0) {
			c.fault("counting: same_within is less than a day; round and round_saved are both more than 0, or neither is there")
		}
		c.source(k.Source)
	}
	for where, a := range map[string]Acceptance{"peers": r.Direction.Peers, "higher": r.Direction.Higher, "lower": r.Direction.Lower, "consortium": r.Direction.Consortium} {
		if a != "" && a != Always && a != IfQualified && a != Never {
			c.fault("direction: %s: %q is none of always, if-qualified, never", where, a)
		}
	}
	for i, tier := range r.Tiers {
		if tier == "" || slices.Contains(r.Tiers[:i], tier) {
			c.fault("tiers: %q is empty or given twice", tier)
		}
	}
	for region, parts := range r.Regions {
		for _, part := range parts {
			if _, composite := r.Regions[part]; composite {
				c.fault("region %s: %s is composite itself", region, part)
			}
		}
	}
	c.specimens()
	c.situations()
	for i := range r.Areas {
		a := &r.Areas[i]
		c.at("areas", i, a.ID)
		c.once("area", a.ID)
		c.named(a.ID, a.Chinese, a.English, a.Source)
		if len(a.Divisions) == 0 {
			c.fault("an area joins divisions")
		}
		for _, d := range a.Divisions {
			if !division(d) {
				c.fault("%q is no code of GB/T 2260", d)
			}
		}
	}
}

func (c *check) specimens() {
	kinds := map[string]string{}
	for kind, words := range c.rows.Specimens {
		for _, word := range words {
			folded := strings.ToLower(word)
			if other, twice := kinds[folded]; twice && other != kind {
				c.fault("specimens: %q is said of %s and of %s", word, other, kind)
			}
			kinds[folded] = kind
		}
	}
}

func (c *check) situations() {
	codes := map[string]bool{}
	for i := range c.rows.Refusals {
		f := &c.rows.Refusals[i]
		c.at("refusals", i, f.Code)
		c.once("refusal", f.Code)
		c.named(f.Code, f.Chinese, f.English, f.Source)
		codes[f.Code] = true
	}
	for i := range c.rows.Exemptions {
		e := &c.rows.Exemptions[i]
		c.at("exemptions", i, e.Flag+e.Class)
		if (e.Flag == "") == (e.Class == "") {
			c.fault("an exemption has either a flag or a class of encounter")
		}
		c.once("exemption", e.Flag+"|"+e.Class)
		if e.Chinese == "" || e.English == "" {
			c.fault("the exemption needs a name in Chinese and in English")
		}
		c.source(e.Source)
		if !codes[e.Reason] {
			c.fault("%q is no coded reason of the refusals", e.Reason)
		}
	}
}

func (c *check) named(id, chinese, english, source string) {
	if !idForm.MatchString(id) {
		c.fault("an id has lower-case letters, digits and hyphens")
	}
	if chinese == "" || english == "" {
		c.fault("the row needs a name in Chinese and in English")
	}
	c.source(source)
}

func (c *check) source(source string) {
	if !slices.Contains([]string{"V", "S", "D"}, source) {
		c.fault("source %q is none of V (official text), S (secondary), D (default)", source)
	}
}

func (c *check) words() {
	spoken := map[string]bool{}
	for i, w := range c.rows.Words {
		c.at("words", i, strings.Join(w.Say, ", "))
		if len(w.Say) == 0 || len(w.Modality)+len(w.Regions) == 0 && w.Contrast == 0 && w.Side == 0 {
			c.fault("a word says something that states a modality, a region, contrast or a side")
		}
		for _, say := range w.Say {
			folded := plain(say)
			if folded == "" || spoken[folded] {
				c.fault("%q is said before, or is nothing", say)
			}
			spoken[folded] = true
		}
		c.terms(w.Modality)
		c.terms(w.Regions)
		for _, r := range w.Regions {
			c.said[r] = true
		}
	}
	for i, say := range c.rows.Ignored {
		c.at("ignored", i, say)
		if spoken[plain(say)] {
			c.fault("%q is said by a word, or ignored twice", say)
		}
		spoken[plain(say)] = true
	}
}

func (c *check) item(i *Item) {
	c.named(i.ID, i.Chinese, i.English, i.Source)
	c.once("id", i.ID)
	switch {
	case !slices.Contains(kinds, i.Kind):
		c.fault("%q is no kind of item", i.Kind)
	case i.Kind == Imaging && (len(i.Modalities) == 0 || len(i.Regions) == 0):
		c.fault("an imaging item needs modalities and regions")
	case i.Kind != Imaging && len(i.Codes) == 0:
		c.fault("the item needs a code")
	case i.Kind != Laboratory && (len(i.Specimens) > 0 || len(i.Units) > 0 || i.Delta != Delta{}):
		c.fault("only laboratory items have specimens, units and deltas")
	}
	c.aliases(append([]string{i.Chinese, i.English}, i.Aliases...))
	c.codes(i.Codes)
	c.terms(i.Modalities)
	c.terms(i.Regions)
	for _, r := range i.Regions {
		if !c.said[r] {
			c.fault("no word says region %s", r)
		}
	}
	c.windows(i.Windows)
	for _, kind := range i.Specimens {
		if _, known := c.rows.Specimens[kind]; !known {
			c.fault("%q is no kind of specimen", kind)
		}
	}
	for _, u := range i.Units {
		if _, err := ucum.Parse(u); err != nil {
			c.fault("%q is no UCUM unit", u)
		}
	}
	if i.PerMillimole < 0 || i.Delta.Within < 0 || i.Delta.Absolute < 0 || i.Delta.Percent < 0 {
		c.fault("weights and deltas are not negative")
	}
	if i.Delta.Within > 0 && i.Delta.Absolute == 0 && i.Delta.Percent == 0 {
		c.fault("a delta needs an absolute limit or one in percent")
	}
}

func (c *check) windows(w Windows) {
	for _, d := range w.ByClass {
		if d < 0 {
			c.fault("a window is not negative")
		}
	}
	if w.Default < 0 {
		c.fault("a window is not negative")
	}
}

func (c *check) aliases(all []string) {
	mine := map[string]bool{}
	for _, alias := range all {
		if key := plain(alias); key != "" && !mine[key] {
			mine[key] = true
			c.once("alias", key)
		}
	}
}

func (c *check) codes(codes []Coding) {
	for _, code := range codes {
		c.once("code", code.System+"|"+code.Code)
		switch {
		case !strings.Contains(code.System, ":") || code.Code == "":
			c.fault("%q of system %q is no code of a URI", code.Code, code.System)
		case code.System == loincSystem && (!loincForm.MatchString(code.Code) || !luhn(strings.ReplaceAll(code.Code, "-", ""))):
			c.fault("%q is no LOINC code: form or check digit is wrong", code.Code)
		case code.System == uriSystem && (!uidForm.MatchString(code.Code) || len(code.Code) > 64+len("urn:oid:")):
			c.fault("%q is no UID", code.Code)
		}
	}
}

// terms checks defined terms of DICOM (CS, PS3.5 6.2), as far as the catalogue uses them.
func (c *check) terms(values []string) {
	for _, v := range values {
		if !termForm.MatchString(v) {
			c.fault("%q is no DICOM term: capitals and digits, 16 at most", v)
		}
	}
}

func (c *check) panel(p *Panel) {
	c.named(p.ID, p.Chinese, p.English, p.Source)
	c.once("id", p.ID)
	c.aliases(append([]string{p.Chinese, p.English}, p.Aliases...))
	c.codes(p.Codes)
	if len(p.Members) < 2 {
		c.fault("a panel has two items at least")
	}
	for i, id := range p.Members {
		at := slices.IndexFunc(c.rows.Items, func(item Item) bool { return item.ID == id })
		switch {
		case at < 0:
			c.fault("%q is no item", id)
		case c.rows.Items[at].Kind != Laboratory:
			c.fault("%q is no laboratory item", id)
		case slices.Contains(p.Members[:i], id):
			c.fault("%q is named twice", id)
		}
	}
}

func (c *check) price(p *Price) {
	c.once("price", p.Item+"|"+p.Region)
	c.source(p.Source)
	if !slices.ContainsFunc(c.rows.Items, func(i Item) bool { return i.ID == p.Item }) &&
		!slices.ContainsFunc(c.rows.Panels, func(o Panel) bool { return o.ID == p.Item }) {
		c.fault("%q is neither an item nor a panel", p.Item)
	}
	if p.Amount < 0 || !currencyForm.MatchString(p.Currency) {
		c.fault("a price is an amount of a currency such as CNY")
	}
	area := slices.ContainsFunc(c.rows.Areas, func(a Area) bool { return a.ID == p.Region })
	if p.Region != "" && !nationwide(p.Region) && !division(p.Region) && !area {
		c.fault("%q is neither a division of GB/T 2260 nor an area", p.Region)
	}
}

// luhn is the check of LOINC codes (LOINC Users' Guide, appendix on the check digit): mod 10, every second digit doubled.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
