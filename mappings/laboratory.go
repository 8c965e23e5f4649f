package mappings

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/laboratory"
)

//go:embed laboratory
var laboratoryFiles embed.FS

// Laboratory are the rules about laboratories that come with the program.
func Laboratory() (*laboratory.Rules, error) { return starterLaboratory() }

var starterLaboratory = sync.OnceValues(func() (*laboratory.Rules, error) { return ReadLaboratory(nil) })

// ReadLaboratory reads the rules about laboratories and lints them: analytes.yaml, units.tsv, critical.yaml, delta.yaml,
// ranges.yaml. A file that dir does not have, or any when it is nil, is the one that comes with the program. The error joins
// all faults, each with file and line.
func ReadLaboratory(dir fs.FS) (*laboratory.Rules, error) {
	l := &laboratoryLint{lint: lint{file: "mappings/laboratory"}, analytes: map[string]bool{}, kinds: map[string]bool{}, loinc: map[string]string{}, dir: dir}
	r := &laboratory.Rules{}
	l.readAnalytes(r)
	l.readUnits(r)
	l.readCritical(r)
	l.readDelta(r)
	l.readRanges(r)
	if err := errors.Join(l.faults...); err != nil {
		return nil, err
	}
	return r.Compile(), nil
}

type analytesFile struct {
	Version       string              `yaml:"version"`
	Assume        string              `yaml:"assume"`
	Specimens     map[string][]string `yaml:"specimens"`
	SpecimenWords map[string][]string `yaml:"specimen_words"`
	CriticalFlags []string            `yaml:"critical_flags"`
	Analytes      []analyteRow        `yaml:"analytes"`
}

type analyteRow struct {
	ID      string     `yaml:"id"`
	Chinese string     `yaml:"zh"`
	English string     `yaml:"en"`
	Names   []string   `yaml:"names"`
	PerMmol string     `yaml:"per_mmol"`
	Codes   [][]string `yaml:"codes"`
	Source  string     `yaml:"source"`
}

// boundsRow is a row of critical.yaml or ranges.yaml.
type boundsRow struct {
	Member    string   `yaml:"member"`
	Analyte   string   `yaml:"analyte"`
	Specimens []string `yaml:"specimens"`
	Sex       string   `yaml:"sex"`
	Age       []string `yaml:"age"`
	Low       string   `yaml:"low"`
	High      string   `yaml:"high"`
	Unit      string   `yaml:"unit"`
	Source    string   `yaml:"source"`
}

type deltaRow struct {
	Analyte  string `yaml:"analyte"`
	Within   string `yaml:"within"`
	Absolute string `yaml:"absolute"`
	Unit     string `yaml:"unit"`
	Percent  string `yaml:"percent"`
	Source   string `yaml:"source"`
}

// open moves to a file and reads it into one of the structures above; false when there is a fault already.
func (l *laboratoryLint) open(name string, into any) (root *yaml.Node, ok bool) {
	data, ok := l.bytes(name)
	if !ok {
		return nil, false
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	root = &yaml.Node{}
	err := dec.Decode(into)
	if err == nil {
		err = yaml.Unmarshal(data, root)
	}
	if err != nil {
		l.faults = append(l.faults, &hub.Error{Kind: hub.Invalid, Path: l.file, Msg: "read the rules of laboratories", Err: err})
		return nil, false
	}
	return root, true
}

func (l *laboratoryLint) bytes(name string) ([]byte, bool) {
	l.file, l.line, l.what = "mappings/laboratory/"+name, 0, name
	if l.dir != nil {
		data, err := fs.ReadFile(l.dir, name)
		if err == nil {
			l.file = name
			return data, true
		}
		if !errors.Is(err, fs.ErrNotExist) {
			l.fault("it cannot be read: %v", err)
			return nil, false
		}
	}
	data, err := laboratoryFiles.ReadFile("laboratory/" + name)
	if err != nil {
		l.fault("it cannot be read: %v", err)
	}
	return data, err == nil
}

func (l *laboratoryLint) readAnalytes(r *laboratory.Rules) {
	var f analytesFile
	root, ok := l.open("analytes.yaml", &f)
	if !ok {
		return
	}
	r.Version, r.Assume, r.CriticalFlags = f.Version, f.Assume, f.CriticalFlags
	if r.Version == "" {
		l.fault("rules need a version, for what is made by them names it")
	}
	r.Specimens, r.SpecimenWords = map[string]string{}, map[string]string{}
	l.listed(r.Specimens, f.Specimens, laboratory.FoldName)
	l.listed(r.SpecimenWords, f.SpecimenWords, laboratory.FoldName)
	for kind := range f.Specimens {
		l.kinds[kind] = true
	}
	if r.Assume != "" && !l.kinds[r.Assume] {
		l.fault("assume: %q is no kind of specimen", r.Assume)
	}
	for i, row := range f.Analytes {
		l.at(root, "analytes", i, "analyte "+row.ID)
		r.Analytes = append(r.Analytes, l.analyte(&row))
	}
	l.what = "analytes"
}

// listed turns kind → names round.
func (l *laboratoryLint) listed(into map[string]string, lists map[string][]string, fold func(string) string) {
	seen := map[string]string{}
	for kind, names := range lists {
		for _, n := range names {
			if other, twice := seen[fold(n)]; twice && other != kind {
				l.fault("%q stands for %s and for %s", n, other, kind)
			}
			seen[fold(n)], into[n] = kind, kind
		}
	}
}

func (l *laboratoryLint) analyte(row *analyteRow) laboratory.Analyte {
	a := laboratory.Analyte{ID: row.ID, Chinese: row.Chinese, English: row.English, Source: row.Source, PerMillimole: l.number("per_mmol", row.PerMmol)}
	if !idForm.MatchString(row.ID) || l.analytes[row.ID] {
		l.fault("an id is lower-case words joined by hyphens, and stands once")
	}
	l.analytes[row.ID] = true
	if row.Chinese == "" || row.English == "" || len(row.Codes) == 0 {
		l.fault("zh, en and codes must be there")
	}
	if a.PerMillimole != nil && a.PerMillimole.Sign() <= 0 {
		l.fault("per_mmol must be more than 0")
	}
	for _, n := range row.Names {
		name, specimen, told := strings.Cut(n, "@")
		if told && !l.kinds[specimen] {
			l.fault("%q: %q is no kind of specimen", n, specimen)
		}
		a.Names = append(a.Names, laboratory.Name{Text: name, Specimen: specimen})
	}
	for _, c := range row.Codes {
		if len(c) != 3 {
			l.fault("a code is [LOINC, specimen, unit]")
			continue
		}
		switch {
		case !laboratory.ValidLOINC(c[0]):
			l.fault("%s is no LOINC code", c[0])
		case l.loinc[c[0]] != "":
			l.fault("%s is %s already", c[0], l.loinc[c[0]])
		case !l.kinds[c[1]]:
			l.fault("%q is no kind of specimen", c[1])
		}
		l.loinc[c[0]] = row.ID
		if c[2] != "" {
			l.unit(c[2])
		}
		a.Codes = append(a.Codes, laboratory.Code{LOINC: c[0], Display: row.English, Specimen: c[1], Unit: c[2]})
	}
	return a
}

func (l *laboratoryLint) readUnits(r *laboratory.Rules) {
	data, ok := l.bytes("units.tsv")
	if !ok {
		return
	}
	r.Units = map[string]string{}
	seen := map[string]string{}
	for line := range strings.Lines(string(data)) {
		l.line++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		written, code, ok := strings.Cut(line, "\t")
		l.what = "unit " + written
		if !ok || written == "" || code == "" {
			l.fault("a line is the unit as written, a tab, its UCUM code")
			continue
		}
		l.unit(code)
		folded := laboratory.FoldUnit(written)
		if other, twice := seen[folded]; twice && other != code {
			l.fault("is %s already", other)
		}
		seen[folded], r.Units[written] = code, code
	}
}

func (l *laboratoryLint) readCritical(r *laboratory.Rules) {
	var f struct {
		Critical []boundsRow `yaml:"critical"`
	}
	root, ok := l.open("critical.yaml", &f)
	if !ok {
		return
	}
	for i, row := range f.Critical {
		l.at(root, "critical", i, "critical "+row.Analyte)
		low, high := l.bounds(&row)
		if row.Member != "" || row.Sex != "" {
			l.fault("critical values have neither member nor sex")
		}
		r.Thresholds = append(r.Thresholds, laboratory.Threshold{Analyte: row.Analyte, Specimens: row.Specimens, Ages: l.ages(row.Age), Low: low, High: high, Unit: row.Unit, Source: row.Source})
	}
}

func (l *laboratoryLint) readDelta(r *laboratory.Rules) {
	var f struct {
		Delta []deltaRow `yaml:"delta"`
	}
	root, ok := l.open("delta.yaml", &f)
	if !ok {
		return
	}
	seen := map[string]bool{}
	for i, row := range f.Delta {
		l.at(root, "delta", i, "delta "+row.Analyte)
		l.about(row.Analyte, nil, row.Source)
		if seen[row.Analyte] {
			l.fault("it has a row already")
		}
		seen[row.Analyte] = true
		within, err := time.ParseDuration(row.Within)
		if err != nil || within <= 0 {
			l.fault("within: %q is no duration such as 72h", row.Within)
		}
		one := laboratory.Limit{Analyte: row.Analyte, Within: within, Absolute: l.number("absolute", row.Absolute), Percent: l.number("percent", row.Percent), Unit: row.Unit, Source: row.Source}
		switch {
		case one.Absolute == nil && one.Percent == nil:
			l.fault("absolute or percent must be there")
		case one.Absolute != nil:
			l.unit(row.Unit)
		}
		r.Limits = append(r.Limits, one)
	}
}

func (l *laboratoryLint) readRanges(r *laboratory.Rules) {
	var f struct {
		Ranges []boundsRow `yaml:"ranges"`
	}
	root, ok := l.open("ranges.yaml", &f)
	if !ok {
		return
	}
	for i, row := range f.Ranges {
		l.at(root, "ranges", i, "range "+row.Analyte)
		low, high := l.bounds(&row)
		if row.Member == "" {
			l.fault("a range is a member's")
		}
		if row.Sex != "" && row.Sex != "male" && row.Sex != "female" {
			l.fault("sex is male or female, or left out")
		}
		r.Ranges = append(r.Ranges, laboratory.Range{Member: row.Member, Analyte: row.Analyte, Specimens: row.Specimens, Sex: row.Sex, Ages: l.ages(row.Age), Low: low, High: high, Unit: row.Unit, Source: row.Source})
	}
}

// ages reads [from, to]: 28d, 6m (of 30 days), 14y (of 365.25 days); 0 and empty are open ends.
func (l *laboratoryLint) ages(bounds []string) laboratory.Ages {
	if len(bounds) == 0 {
		return laboratory.Ages{}
	}
	if len(bounds) != 2 {
		l.fault("age is [from, to]")
		return laboratory.Ages{}
	}
	a := laboratory.Ages{From: l.days(bounds[0]), To: l.days(bounds[1])}
	if a.To != 0 && a.To <= a.From || a == (laboratory.Ages{}) {
		l.fault("age %v has nobody in it, or everybody", bounds)
	}
	return a
}

func (l *laboratoryLint) days(text string) int {
	if text == "" || text == "0" {
		return 0
	}
	n, err := strconv.Atoi(text[:len(text)-1])
	if err == nil && n >= 0 && n <= 200 || err == nil && n >= 0 && n <= 5000 && text[len(text)-1] != 'y' {
		switch text[len(text)-1] {
		case 'd':
			return n
		case 'm':
			return n * 30
		case 'y':
			return n * 1461 / 4
		}
	}
	l.fault("%q is no age; 28d, 6m and 14y are", text)
	return 0
}

func (l *laboratoryLint) number(what, text string) *big.Rat {
	if text == "" {
		return nil
	}
	v, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > 20 || strings.ContainsAny(text, "/eE_x") {
		l.fault("%s: %q is no number", what, text)
		return nil
	}
	return v
}
