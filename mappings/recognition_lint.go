package mappings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/recognition"
)

// lint collects faults with the place where they lie.
type lint struct {
	file   string
	line   int
	what   string
	faults []error
}

func (l *lint) fault(format string, args ...any) {
	path := l.file
	if l.line > 0 {
		path = fmt.Sprintf("%s:%d", l.file, l.line)
	}
	l.faults = append(l.faults, &hub.Error{Kind: hub.Invalid, Path: path, Msg: l.what + ": " + fmt.Sprintf(format, args...)})
}

// at moves to row i of a list of the file.
func (l *lint) at(root *yaml.Node, list string, i int, what string) {
	l.line, l.what = 0, what
	if rows := member(root.Content[0], list); rows != nil && i < len(rows.Content) {
		l.line = rows.Content[i].Line
	}
}

func member(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// Systems of the codes that have a column of their own.
const (
	loincSystem = "http://loinc.org"
	sopSystem   = "urn:ietf:rfc:3986" // a SOP Class UID is written urn:oid:… there
)

var (
	idForm        = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	amountForm    = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?$`)
	contrastNames = map[string]recognition.Contrast{"": 0, "plain": recognition.Plain, "enhanced": recognition.Enhanced, "both": recognition.Plain | recognition.Enhanced}
	sideNames     = map[string]recognition.Side{"": 0, "left": recognition.Left, "right": recognition.Right, "both": recognition.Left | recognition.Right}
)

// rows turns what was written into rows; what cannot be turned is a fault.
func (s *sheets) rows(l *lint) recognition.Rows {
	h := &s.head
	r := recognition.Rows{Version: h.Version, Regions: h.Regions, Ignored: h.Ignored, Tiers: h.Tiers, Specimens: h.Specimens,
		Direction: recognition.Direction{Peers: recognition.Acceptance(h.Direction.Peers), Higher: recognition.Acceptance(h.Direction.Higher),
			Lower: recognition.Acceptance(h.Direction.Lower), Consortium: recognition.Acceptance(h.Direction.Consortium)},
		Counting: recognition.Counting{SameWithin: h.Counting.SameWithin.Default, Round: h.Counting.Round, RoundSaved: h.Counting.RoundSaved, Source: h.Counting.Source},
		Fallback: map[recognition.Kind]recognition.Windows{}, Quality: map[recognition.Kind]recognition.Quality{}}
	for kind, w := range h.Fallback {
		r.Fallback[recognition.Kind(kind)] = w.Windows
	}
	for kind, q := range h.Quality {
		r.Quality[recognition.Kind(kind)] = recognition.Quality(q)
	}
	for _, e := range h.Exemptions {
		r.Exemptions = append(r.Exemptions, recognition.Exemption(e))
	}
	for _, f := range h.Refusals {
		r.Refusals = append(r.Refusals, recognition.Refusal(f))
	}
	for _, a := range h.Areas {
		r.Areas = append(r.Areas, recognition.Area(a))
	}
	for i, w := range h.Words {
		s.at(l, "words", i, fmt.Sprintf("word %d", i+1))
		r.Words = append(r.Words, recognition.Word{Say: w.Say, Modality: w.Modalities, Regions: w.Regions,
			Contrast: named(l, contrastNames, w.Contrast), Side: named(l, sideNames, w.Side)})
	}
	for i := range s.items {
		row := &s.items[i].row
		s.at(l, "items", i, "item "+row.ID)
		r.Items = append(r.Items, row.item(l, h.Systems))
		if row.Price != "" {
			r.Prices = append(r.Prices, recognition.Price{Item: row.ID, Money: money(l, row.Price, "CNY"), Source: row.Source})
		}
	}
	for i := range h.Panels {
		p := &h.Panels[i]
		s.at(l, "panels", i, "panel "+p.ID)
		r.Panels = append(r.Panels, recognition.Panel{ID: p.ID, Chinese: p.Chinese, English: p.English, Aliases: p.Aliases, Members: p.Members,
			Source: p.Source, Codes: codings(map[string][]string{loincSystem: p.LOINC}, p.Codes)})
	}
	for i, p := range h.Prices {
		s.at(l, "prices", i, "price "+p.Item)
		// A price that is edited with its item takes the place of the one that holds everywhere.
		if p.Region == "" && slices.ContainsFunc(r.Prices, func(o recognition.Price) bool { return o.Item == p.Item && o.Region == "" }) {
			continue
		}
		r.Prices = append(r.Prices, recognition.Price{Item: p.Item, Region: p.Region, Money: money(l, p.Amount, p.Currency), Source: p.Source})
	}
	return r
}

// at moves to row i of a list.
func (s *sheets) at(l *lint, list string, i int, what string) {
	l.file, l.line, l.what = what, 0, what
	if _, id, ok := strings.Cut(what, " "); ok {
		l.file = id
	}
	if lines := s.lines[list]; i < len(lines) {
		l.file = lines[i]
	}
}

func (r *itemRow) item(l *lint, systems map[string]string) recognition.Item {
	if !r.Window.set {
		l.fault("the item needs a window; 0 makes it a reference only")
	}
	columns := map[string][]string{loincSystem: r.LOINC}
	for _, uid := range r.SOP {
		columns[sopSystem] = append(columns[sopSystem], "urn:oid:"+uid)
	}
	for column, codes := range map[string][]string{"insurance": r.Insurance, "mutual": r.Mutual} {
		if len(codes) == 0 {
			continue
		}
		if systems[column] == "" {
			l.fault("systems does not say what system the codes of column %s are of", column)
		}
		columns[systems[column]] = append(columns[systems[column]], codes...)
	}
	i := recognition.Item{ID: r.ID, Kind: recognition.Kind(r.Kind), Chinese: r.Chinese, English: r.English, Codes: codings(columns, r.Codes),
		Modalities: r.Modalities, Regions: r.Regions, Contrast: named(l, contrastNames, r.Contrast), Paired: r.Paired,
		Side: named(l, sideNames, r.Side), Scope: strings.Join(r.Scope, "|"), Specimens: r.Specimens, Units: r.Unit, Exact: r.Exact, PerMillimole: r.PerMmol, Windows: r.Window.Windows,
		Rapid: r.Rapid, Delta: recognition.Delta{Absolute: r.Delta.Absolute, Percent: r.Delta.Percent},
		Aliases: r.Aliases, Source: r.Source, Note: r.Note}
	if r.Delta.Within != "" {
		within, err := window(r.Delta.Within)
		if err != nil {
			l.fault("delta: %s", err)
		}
		i.Delta.Within = within
	} else if r.Delta != (deltaLimit{}) {
		l.fault("a delta says within what time")
	}
	return i
}

// codings are the codes of all systems, in the order of these.
func codings(sets ...map[string][]string) (out []recognition.Coding) {
	for _, set := range sets {
		for _, system := range slices.Sorted(maps.Keys(set)) {
			for _, code := range set[system] {
				out = append(out, recognition.Coding{System: system, Code: code})
			}
		}
	}
	return out
}

// money reads 12.5 as 1250.
func money(l *lint, amount, currency string) recognition.Money {
	if !amountForm.MatchString(amount) {
		l.fault("%q is no amount; 12 and 12.50 are", amount)
		return recognition.Money{Currency: currency}
	}
	whole, part, _ := strings.Cut(amount, ".")
	n, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	if err != nil {
		l.fault("%q is no amount", amount)
	}
	return recognition.Money{Amount: n, Currency: currency}
}

func named[T any](l *lint, names map[string]T, name string) T {
	v, ok := names[name]
	if !ok {
		l.fault("%q is not known here", name)
	}
	return v
}
