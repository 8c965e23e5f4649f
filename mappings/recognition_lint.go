package mappings

import (
	"fmt"
	"regexp"
	"slices"
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

var (
	idForm        = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	loincForm     = regexp.MustCompile(`^[1-9][0-9]{0,6}-[0-9]$`)
	uidForm       = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+$`)
	termForm      = regexp.MustCompile(`^[A-Z][A-Z0-9]{0,15}$`)
	reasons       = []string{"condition-changed", "rapid-change", "decisive", "emergency", "forensic", "other"}
	kinds         = []recognition.Kind{recognition.Laboratory, recognition.Imaging, recognition.ECG}
	contrastNames = map[string]recognition.Contrast{"": 0, "plain": recognition.Plain, "enhanced": recognition.Enhanced, "both": recognition.Plain | recognition.Enhanced}
	sideNames     = map[string]recognition.Side{"": 0, "left": recognition.Left, "right": recognition.Right, "both": recognition.Left | recognition.Right}
)

// catalogue turns the rows into the catalogue and checks each of them.
func (f *catalogueFile) catalogue(l *lint, root *yaml.Node) *recognition.Catalogue {
	l.what = "catalogue"
	c := &recognition.Catalogue{Version: f.Version, Regions: f.Regions, Ignored: f.Ignored, Tiers: f.Tiers, LeastQuality: f.LeastQuality,
		Exceptions: f.Exceptions, ExemptClasses: f.ExemptClasses, Fallback: map[recognition.Kind]recognition.Windows{}}
	f.lintHead(l, c)
	known := map[string]bool{} // regions that some word says
	spoken := map[string]string{}
	for i, row := range f.Words {
		l.at(root, "words", i, fmt.Sprintf("word %d", i+1))
		c.Words = append(c.Words, row.word(l, spoken))
		for _, r := range row.Regions {
			known[r] = true
		}
	}
	seen := map[string]string{}
	for i, row := range f.Items {
		l.at(root, "items", i, "item "+row.ID)
		c.Items = append(c.Items, row.item(l, seen))
		for _, r := range row.Regions {
			if !known[r] {
				l.fault("no word says region %s", r)
			}
		}
	}
	return c
}

func (f *catalogueFile) lintHead(l *lint, c *recognition.Catalogue) {
	if f.Version == "" {
		l.fault("a catalogue needs a version, for each decision names it")
	}
	if len(f.Items) == 0 {
		l.fault("a catalogue without items recognises nothing")
	}
	for kind, w := range f.Fallback {
		if !slices.Contains(kinds, recognition.Kind(kind)) {
			l.fault("fallback: %q is no kind of item", kind)
		}
		c.Fallback[recognition.Kind(kind)] = w.Windows
	}
	for name, reasonsOf := range map[string]map[string]string{"exceptions": f.Exceptions, "exempt_classes": f.ExemptClasses} {
		for flag, reason := range reasonsOf {
			if !slices.Contains(reasons, reason) {
				l.fault("%s: %s: %q is no coded reason; one of %s is", name, flag, reason, strings.Join(reasons, " "))
			}
		}
	}
	for region, parts := range f.Regions {
		for _, part := range parts {
			if _, composite := f.Regions[part]; composite {
				l.fault("region %s: %s is composite itself", region, part)
			}
		}
	}
}

func (r *wordRow) word(l *lint, spoken map[string]string) recognition.Word {
	contrast, side := named(l, contrastNames, r.Contrast), named(l, sideNames, r.Side)
	if len(r.Say) == 0 || len(r.Modalities)+len(r.Regions) == 0 && contrast == 0 && side == 0 {
		l.fault("a word says something that states a modality, a region, contrast or a side")
	}
	for _, say := range r.Say {
		folded := strings.ToLower(say)
		if other, twice := spoken[folded]; twice {
			l.fault("%q is said before, by %s", say, other)
		}
		spoken[folded] = l.what
	}
	l.terms(r.Modalities)
	l.terms(r.Regions)
	return recognition.Word{Say: r.Say, Modality: r.Modalities, Regions: r.Regions, Contrast: contrast, Side: side}
}

func (r *itemRow) item(l *lint, seen map[string]string) recognition.Item {
	once := func(what, value string) {
		key := what + " " + strings.ToLower(value)
		if other, twice := seen[key]; twice {
			l.fault("%s %q belongs to item %s already", what, value, other)
		}
		seen[key] = r.ID
	}
	if !idForm.MatchString(r.ID) {
		l.fault("an id has lower-case letters, digits and hyphens")
	}
	once("id", r.ID)
	kind := recognition.Kind(r.Kind)
	switch {
	case !slices.Contains(kinds, kind):
		l.fault("%q is no kind of item", r.Kind)
	case kind == recognition.Imaging && (len(r.Modalities) == 0 || len(r.Regions) == 0):
		l.fault("an imaging item needs modalities and regions")
	case kind != recognition.Imaging && len(r.LOINC)+len(r.SOP)+len(r.Codes) == 0:
		l.fault("the item needs a code")
	}
	if r.Chinese == "" || r.English == "" {
		l.fault("the item needs a name in Chinese and in English")
	}
	if !r.Window.set {
		l.fault("the item needs a window; 0 makes it a reference only")
	}
	if !slices.Contains([]string{"V", "S", "D"}, r.Source) {
		l.fault("source %q is none of V (official text), S (secondary), D (default)", r.Source)
	}
	l.terms(r.Modalities)
	l.terms(r.Regions)
	aliases := append([]string{r.Chinese, r.English}, r.Aliases...)
	for _, alias := range aliases {
		once("alias", alias)
	}
	codes := r.codings(l)
	for _, code := range codes {
		once("code", code.System+"|"+code.Code)
	}
	return recognition.Item{ID: r.ID, Kind: kind, Chinese: r.Chinese, English: r.English, Codes: codes,
		Modalities: r.Modalities, Regions: r.Regions, Contrast: named(l, contrastNames, r.Contrast), Paired: r.Paired,
		Side: named(l, sideNames, r.Side), Windows: r.Window.Windows, Rapid: r.Rapid, Aliases: aliases, Source: r.Source}
}

func (r *itemRow) codings(l *lint) (out []recognition.Coding) {
	for _, code := range r.LOINC {
		if !loincForm.MatchString(code) || !luhn(strings.ReplaceAll(code, "-", "")) {
			l.fault("%q is no LOINC code: form or check digit is wrong", code)
		}
		out = append(out, recognition.Coding{System: loincSystem, Code: code})
	}
	for _, uid := range r.SOP {
		if !uidForm.MatchString(uid) || len(uid) > 64 {
			l.fault("%q is no UID", uid)
		}
		out = append(out, recognition.Coding{System: sopSystem, Code: "urn:oid:" + uid})
	}
	for system, codes := range r.Codes {
		if !strings.Contains(system, ":") {
			l.fault("system %q is no URI", system)
		}
		for _, code := range codes {
			out = append(out, recognition.Coding{System: system, Code: code})
		}
	}
	return out
}

// terms checks defined terms of DICOM (CS, PS3.5 6.2), as far as the catalogue uses them.
func (l *lint) terms(values []string) {
	for _, v := range values {
		if !termForm.MatchString(v) {
			l.fault("%q is no DICOM term: capitals and digits, 16 at most", v)
		}
	}
}

func named[T any](l *lint, names map[string]T, name string) T {
	v, ok := names[name]
	if !ok {
		l.fault("%q is not known here", name)
	}
	return v
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
