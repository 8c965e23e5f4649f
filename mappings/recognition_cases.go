package mappings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/recognition"
)

// RecognitionCases are the cases of the decision that come with the program.
func RecognitionCases() ([]RecognitionCase, error) {
	const name = "recognition/cases.yaml"
	data, err := recognitionFiles.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return ParseRecognitionCases("mappings/"+name, data)
}

// RecognitionCase is one row of the truth table: an order, results, and what must be said of them. The head of cases.yaml
// explains the columns.
type RecognitionCase struct {
	Name, Place string // Place is file:line
	now         time.Time
	request     recognition.Request
	candidates  []recognition.Candidate
	settings    settingsRow
	want        wantRow
}

type caseFile struct {
	Now   time.Time           `yaml:"now"`
	Bases map[string]caseBase `yaml:"bases"`
	Cases []yaml.Node         `yaml:"cases"`
}

type caseBase struct {
	Order  yaml.Node `yaml:"order"`
	Result yaml.Node `yaml:"result"`
}

type caseRow struct {
	Name     string      `yaml:"name"`
	Like     string      `yaml:"like"`
	Now      time.Time   `yaml:"now"`
	Settings settingsRow `yaml:"settings"`
	Order    yaml.Node   `yaml:"order"`
	Result   yaml.Node   `yaml:"result"`
	Results  []yaml.Node `yaml:"results"`
	Want     wantRow     `yaml:"want"`
}

// settingsRow replaces what a consortium settles for itself.
type settingsRow struct {
	Direction *directionRow         `yaml:"direction"`
	Quality   map[string]qualityRow `yaml:"quality"`
	Scopes    map[string]string     `yaml:"scopes"` // of items
}

type examRow struct {
	LOINC      []string `yaml:"loinc"`
	SOP        []string `yaml:"sop"`
	Codes      []string `yaml:"codes"` // system|code
	Modalities []string `yaml:"modalities"`
	Regions    []string `yaml:"regions"`
	Side       string   `yaml:"side"`
	Contrast   string   `yaml:"contrast"`
	Specimen   string   `yaml:"specimen"`
	Text       []string `yaml:"text"`
	Series     []string `yaml:"series"`
}

type orderRow struct {
	Exam       examRow  `yaml:",inline"`
	Class      string   `yaml:"class"`
	Tier       string   `yaml:"tier"`
	At         []string `yaml:"at"` // divisions and areas of the orderer
	Exceptions []string `yaml:"exceptions"`
}

type resultRow struct {
	Exam        examRow  `yaml:",inline"`
	ID          string   `yaml:"id"`
	Status      string   `yaml:"status"`
	Identity    string   `yaml:"identity"`
	Taken       string   `yaml:"taken"`
	Zone        string   `yaml:"zone"`
	Value       string   `yaml:"value"`
	Tier        string   `yaml:"tier"`
	Consortium  string   `yaml:"consortium"`
	Qualified   string   `yaml:"qualified"`
	Scope       string   `yaml:"scope"`
	Mark        string   `yaml:"mark"`
	Retrievable string   `yaml:"retrievable"`
	Critical    bool     `yaml:"critical"`
	Quality     *float64 `yaml:"quality"`
}

type wantRow struct {
	Outcome  string            `yaml:"outcome"`
	Result   string            `yaml:"result"`
	Results  []string          `yaml:"results"`
	Item     *string           `yaml:"item"`
	Panel    string            `yaml:"panel"`
	Members  map[string]string `yaml:"members"`
	Reasons  map[string]string `yaml:"reasons"`
	Only     []string          `yaml:"only"`
	Absent   []string          `yaml:"absent"`
	Expires  string            `yaml:"expires"`
	Caution  bool              `yaml:"caution"`
	Override string            `yaml:"override"`
	Mark     string            `yaml:"mark"`
	Saving   string            `yaml:"saving"`
	Best     string            `yaml:"best"`
}

// ParseRecognitionCases reads a file of cases. The error joins all that cannot be read, each with file and line.
func ParseRecognitionCases(file string, data []byte) ([]RecognitionCase, error) {
	var f caseFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, &hub.Error{Kind: hub.Invalid, Path: file, Msg: "read the cases", Err: err}
	}
	var all []RecognitionCase
	var faults []error
	names := map[string]bool{}
	for i := range f.Cases {
		place := fmt.Sprintf("%s:%d", file, f.Cases[i].Line)
		c, err := f.read(&f.Cases[i])
		if err == nil && names[c.Name] {
			err = fmt.Errorf("another case is named %q", c.Name)
		}
		if err != nil {
			faults = append(faults, &hub.Error{Kind: hub.Invalid, Path: place, Msg: "read the case", Err: err})
			continue
		}
		names[c.Name], c.Place = true, place
		all = append(all, c)
	}
	if len(f.Cases) == 0 {
		faults = append(faults, &hub.Error{Kind: hub.Invalid, Path: file, Msg: "there are no cases in it"})
	}
	return all, errors.Join(faults...)
}

func (f *caseFile) read(n *yaml.Node) (c RecognitionCase, err error) {
	row, err := strictly[caseRow](n)
	if err != nil {
		return c, err
	}
	base, ok := f.Bases[row.Like]
	if !ok {
		return c, fmt.Errorf("there is no base %q", row.Like)
	}
	c = RecognitionCase{Name: row.Name, now: row.Now, settings: row.Settings, want: row.Want}
	if c.now.IsZero() {
		c.now = f.Now
	}
	order, err := overlay[orderRow](&base.Order, &row.Order)
	if err != nil {
		return c, fmt.Errorf("order: %w", err)
	}
	c.request = recognition.Request{Exam: order.Exam.exam(), Class: order.Class, Tier: order.Tier, Regions: order.At, Exceptions: order.Exceptions}
	results := row.Results
	if results == nil {
		results = []yaml.Node{row.Result}
	}
	for i := range results {
		r, err := overlay[resultRow](&base.Result, &results[i])
		if err != nil {
			return c, fmt.Errorf("result %d: %w", i+1, err)
		}
		one, err := r.candidate(c.now)
		if err != nil {
			return c, fmt.Errorf("result %d: %w", i+1, err)
		}
		if one.ID == "" {
			one.ID = fmt.Sprint(i + 1)
		}
		c.candidates = append(c.candidates, one)
	}
	return c, nil
}

// overlay decodes the base and then the case over it; a key that the case sets to null is unset.
func overlay[T any](base, over *yaml.Node) (out T, err error) {
	merged, changed := yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, map[string]bool{}
	for i := 0; i+1 < len(over.Content); i += 2 {
		changed[over.Content[i].Value] = true
	}
	for i := 0; i+1 < len(base.Content); i += 2 {
		if !changed[base.Content[i].Value] {
			merged.Content = append(merged.Content, base.Content[i], base.Content[i+1])
		}
	}
	merged.Content = append(merged.Content, over.Content...)
	return strictly[T](&merged)
}

// strictly decodes a node and refuses keys that nothing is read from.
func strictly[T any](n *yaml.Node) (out T, err error) {
	text, err := yaml.Marshal(n)
	if err != nil {
		return out, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		return out, err
	}
	return out, nil
}

func (e examRow) exam() recognition.Exam {
	out := recognition.Exam{Modalities: e.Modalities, Regions: e.Regions, Specimen: e.Specimen, Text: e.Text, Series: e.Series, Side: sideNames[e.Side], Contrast: contrastNames[e.Contrast]}
	for _, code := range e.LOINC {
		out.Codes = append(out.Codes, recognition.Coding{System: loincSystem, Code: code})
	}
	for _, uid := range e.SOP {
		out.Codes = append(out.Codes, recognition.Coding{System: sopSystem, Code: "urn:oid:" + uid})
	}
	for _, code := range e.Codes {
		system, code, _ := strings.Cut(code, "|")
		out.Codes = append(out.Codes, recognition.Coding{System: system, Code: code})
	}
	return out
}

func (r resultRow) candidate(now time.Time) (recognition.Candidate, error) {
	facts := map[string]recognition.Fact{"": recognition.Unknown, "yes": recognition.Yes, "no": recognition.No}
	for what, fact := range map[string]string{"identity": r.Identity, "consortium": r.Consortium, "qualified": r.Qualified, "retrievable": r.Retrievable} {
		if _, ok := facts[fact]; !ok {
			return recognition.Candidate{}, fmt.Errorf("%s is yes, no or null, not %q", what, fact)
		}
	}
	taken, err := r.taken(now)
	number, unit, _ := strings.Cut(r.Value, " ")
	return recognition.Candidate{ID: r.ID, Exam: r.Exam.exam(), Status: r.Status, Identity: facts[r.Identity], Taken: taken, Tier: r.Tier,
		Value: recognition.Value{Number: number, Unit: unit}, SameConsortium: facts[r.Consortium], Qualified: facts[r.Qualified],
		Scope: r.Scope, Mark: r.Mark, Retrievable: facts[r.Retrievable], Critical: r.Critical, Quality: r.Quality}, err
}

// taken reads an instant, or a date: some time of that day in the zone of now or in the result's.
func (r resultRow) taken(now time.Time) (recognition.Span, error) {
	if r.Taken == "" {
		return recognition.Span{}, nil
	}
	if at, err := time.Parse(time.RFC3339, r.Taken); err == nil {
		return recognition.At(at), nil
	}
	zone := now.Location()
	if r.Zone != "" {
		loaded, err := time.LoadLocation(r.Zone)
		if err != nil {
			return recognition.Span{}, err
		}
		zone = loaded
	}
	day, err := time.ParseInLocation(time.DateOnly, r.Taken, zone)
	return recognition.OnDay(day), err
}

// Check decides the case by a catalogue and tells how the answer differs from the one wanted; nothing where it does not.
func (c *RecognitionCase) Check(catalogue *recognition.Catalogue) (differences []string) {
	catalogue, err := c.settings.apply(catalogue)
	if err != nil {
		return []string{err.Error()}
	}
	d := recognition.Decide(c.request, c.candidates, catalogue, c.now)
	t := &told{effects: map[string]string{}}
	t.decision(&d)
	c.want.compare(t, &d)
	if d.Catalogue != catalogue.Version || !d.Time.Equal(c.now) {
		t.differ("the decision does not say by which catalogue and for when")
	}
	return t.differences
}

func (s *settingsRow) apply(c *recognition.Catalogue) (*recognition.Catalogue, error) {
	if s.Direction == nil && s.Quality == nil && s.Scopes == nil {
		return c, nil
	}
	rows := c.Rows
	rows.Items = slices.Clone(rows.Items)
	for i := range rows.Items {
		if scope, ok := s.Scopes[rows.Items[i].ID]; ok {
			rows.Items[i].Scope = scope
		}
	}
	if d := s.Direction; d != nil {
		rows.Direction = recognition.Direction{Peers: recognition.Acceptance(d.Peers), Higher: recognition.Acceptance(d.Higher),
			Lower: recognition.Acceptance(d.Lower), Consortium: recognition.Acceptance(d.Consortium)}
	}
	if s.Quality != nil {
		rows.Quality = map[recognition.Kind]recognition.Quality{}
		for kind, q := range s.Quality {
			rows.Quality[recognition.Kind(kind)] = recognition.Quality(q)
		}
	}
	return recognition.NewCatalogue(rows)
}

// told is what a decision says, gathered for comparison.
type told struct {
	outcomes    []string
	effects     map[string]string // code → effect; of several the worst
	caution     bool
	differences []string
}

func (t *told) differ(format string, args ...any) {
	t.differences = append(t.differences, fmt.Sprintf(format, args...))
}

func (t *told) decision(d *recognition.Decision) {
	t.reasons(d.Reasons)
	for i := range d.Judgements {
		j := &d.Judgements[i]
		t.outcomes = append(t.outcomes, string(j.Outcome))
		t.reasons(j.Reasons)
		t.caution = t.caution || j.Caution
	}
	for i := range d.Members {
		m := &told{effects: t.effects}
		m.decision(&d.Members[i])
		t.caution = t.caution || m.caution
		t.differences = append(t.differences, m.differences...)
	}
}

func (t *told) reasons(list []recognition.Reason) {
	for _, r := range list {
		if t.effects[string(r.Code)] != string(recognition.Fail) {
			t.effects[string(r.Code)] = string(r.Effect)
		}
		if zh, en := r.Chinese(), r.English(); zh == "" || en == "" || strings.ContainsAny(zh+en, "{}") {
			t.differ("%s is worded %q, %q", r.Code, zh, en)
		}
	}
}

func (w *wantRow) compare(t *told, d *recognition.Decision) {
	if string(d.Outcome) != w.Outcome {
		t.differ("the order is %s, not %s %v", d.Outcome, w.Outcome, t.effects)
	}
	expected := w.Results
	if expected == nil && len(t.outcomes) == 1 {
		expected = []string{w.Outcome}
		if w.Result != "" {
			expected[0] = w.Result
		}
	}
	if !slices.Equal(t.outcomes, expected) {
		t.differ("the results are %v, not %v %v", t.outcomes, expected, t.effects)
	}
	for _, code := range slices.Sorted(maps.Keys(w.Reasons)) {
		if t.effects[code] != w.Reasons[code] {
			t.differ("%s is %q, not %q %v", code, t.effects[code], w.Reasons[code], t.effects)
		}
	}
	for _, code := range w.Absent {
		if t.effects[code] != "" {
			t.differ("%s was found", code)
		}
	}
	if w.Only != nil {
		var rest []string
		for code, effect := range t.effects {
			if effect != string(recognition.Pass) {
				rest = append(rest, code)
			}
		}
		slices.Sort(rest)
		if only := slices.Sorted(slices.Values(w.Only)); !slices.Equal(rest, only) {
			t.differ("what did not pass is %v, not %v", rest, only)
		}
	}
	if item := idOf(d.Item); w.Item != nil && item != *w.Item {
		t.differ("the item is %q, not %q", item, *w.Item)
	}
	w.compareRest(t, d)
}

func idOf(i *recognition.Item) string {
	if i == nil {
		return ""
	}
	return i.ID
}

func (w *wantRow) compareRest(t *told, d *recognition.Decision) {
	panel := ""
	if d.Panel != nil {
		panel = d.Panel.ID
	}
	if panel != w.Panel {
		t.differ("the panel is %q, not %q", panel, w.Panel)
	}
	members := map[string]string{}
	for i := range d.Members {
		members[idOf(d.Members[i].Item)] = string(d.Members[i].Outcome)
	}
	for _, id := range slices.Sorted(maps.Keys(w.Members)) {
		if members[id] != w.Members[id] {
			t.differ("%s of the panel is %q, not %q", id, members[id], w.Members[id])
		}
	}
	if t.caution != w.Caution {
		t.differ("caution is %v, not %v", t.caution, w.Caution)
	}
	if d.Override != w.Override {
		t.differ("the reason filled in is %q, not %q", d.Override, w.Override)
	}
	if saving := d.Saving.String(); w.Saving != "" && saving != strings.TrimSuffix(w.Saving, "none") {
		t.differ("the saving is %q, not %q", saving, w.Saving)
	}
	best := d.Best()
	if best == nil {
		return
	}
	if w.Best != "" && best.ID != w.Best {
		t.differ("the best is %s, not %s", best.ID, w.Best)
	}
	if w.Mark != "" && best.Mark != strings.TrimSuffix(w.Mark, "none") {
		t.differ("the mark is %q, not %q", best.Mark, w.Mark)
	}
	if w.Expires != "" {
		at, err := time.Parse(time.RFC3339, w.Expires)
		if w.Expires == "never" {
			at, err = time.Time{}, nil
		}
		if err != nil || !best.Expires.Equal(at) {
			t.differ("it expires %s, not %s", best.Expires.Format(time.RFC3339), w.Expires)
		}
	}
}
