package recognition_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"concord/hub/recognition"
	"concord/mappings"
)

// caseFile is testdata/cases.yaml; its head explains the format.
type caseFile struct {
	Now   time.Time           `yaml:"now"`
	Bases map[string]caseBase `yaml:"bases"`
	Cases []struct {
		Name    string      `yaml:"name"`
		Like    string      `yaml:"like"`
		Now     time.Time   `yaml:"now"`
		Order   yaml.Node   `yaml:"order"`
		Result  yaml.Node   `yaml:"result"`
		Results []yaml.Node `yaml:"results"`
		Want    want        `yaml:"want"`
	} `yaml:"cases"`
}

type caseBase struct {
	Order  yaml.Node `yaml:"order"`
	Result yaml.Node `yaml:"result"`
}

type exam struct {
	LOINC      []string `yaml:"loinc"`
	SOP        []string `yaml:"sop"`
	Modalities []string `yaml:"modalities"`
	Regions    []string `yaml:"regions"`
	Side       string   `yaml:"side"`
	Contrast   string   `yaml:"contrast"`
	Specimen   string   `yaml:"specimen"`
	Text       []string `yaml:"text"`
}

type order struct {
	Exam       exam     `yaml:",inline"`
	Class      string   `yaml:"class"`
	Tier       string   `yaml:"tier"`
	Exceptions []string `yaml:"exceptions"`
}

type result struct {
	Exam        exam     `yaml:",inline"`
	Status      string   `yaml:"status"`
	Identity    string   `yaml:"identity"`
	Taken       string   `yaml:"taken"` // an instant, or a date: some time of that day in the zone of now
	Zone        string   `yaml:"zone"`  // of a date, instead of now's
	Tier        string   `yaml:"tier"`
	Consortium  string   `yaml:"consortium"`
	Qualified   string   `yaml:"qualified"`
	Retrievable string   `yaml:"retrievable"`
	Critical    bool     `yaml:"critical"`
	Quality     *float64 `yaml:"quality"`
}

type want struct {
	Outcome  string            `yaml:"outcome"` // of the order
	Result   string            `yaml:"result"`  // of the first candidate; that of the order where empty
	Results  []string          `yaml:"results"`
	Item     *string           `yaml:"item"`
	Reasons  map[string]string `yaml:"reasons"` // code → effect, among those found
	Only     []string          `yaml:"only"`    // all codes that are no pass, in any order
	Absent   []string          `yaml:"absent"`
	Expires  string            `yaml:"expires"`
	Caution  bool              `yaml:"caution"`
	Override string            `yaml:"override"`
}

func TestCases(t *testing.T) {
	catalogue, err := mappings.Recognition()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f caseFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		t.Fatal(err)
	}
	if len(f.Cases) < 60 {
		t.Errorf("only %d cases", len(f.Cases))
	}
	names := map[string]bool{}
	for _, c := range f.Cases {
		if names[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			base, ok := f.Bases[c.Like]
			if !ok {
				t.Fatalf("no base %q", c.Like)
			}
			now := c.Now
			if now.IsZero() {
				now = f.Now
			}
			o := overlay[order](t, base.Order, c.Order)
			results := c.Results
			if results == nil {
				results = []yaml.Node{c.Result}
			}
			var candidates []recognition.Candidate
			for i, r := range results {
				candidates = append(candidates, overlay[result](t, base.Result, r).candidate(t, fmt.Sprint(i), now))
			}
			request := recognition.Request{Exam: o.Exam.exam(), Class: o.Class, Tier: o.Tier, Exceptions: o.Exceptions}
			got := recognition.Decide(request, candidates, catalogue, now)
			c.Want.check(t, got)
			if got.Catalogue != catalogue.Version || !got.Time.Equal(now) {
				t.Error("the decision does not say by which catalogue and for when")
			}
		})
	}
}

// overlay decodes the base and then the case over it; a key that the case sets to null is unset.
func overlay[T any](t *testing.T, base, over yaml.Node) (out T) {
	t.Helper()
	merged, changed := yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, map[string]bool{}
	for i := 0; i < len(over.Content); i += 2 {
		changed[over.Content[i].Value] = true
	}
	for i := 0; i < len(base.Content); i += 2 {
		if !changed[base.Content[i].Value] {
			merged.Content = append(merged.Content, base.Content[i], base.Content[i+1])
		}
	}
	merged.Content = append(merged.Content, over.Content...)
	text, err := yaml.Marshal(&merged)
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (e exam) exam() recognition.Exam {
	out := recognition.Exam{Modalities: e.Modalities, Regions: e.Regions, Specimen: e.Specimen, Text: e.Text,
		Side:     map[string]recognition.Side{"left": recognition.Left, "right": recognition.Right, "both": recognition.Left | recognition.Right}[e.Side],
		Contrast: map[string]recognition.Contrast{"plain": recognition.Plain, "enhanced": recognition.Enhanced, "both": recognition.Plain | recognition.Enhanced}[e.Contrast]}
	for _, code := range e.LOINC {
		out.Codes = append(out.Codes, recognition.Coding{System: "http://loinc.org", Code: code})
	}
	for _, uid := range e.SOP {
		out.Codes = append(out.Codes, recognition.Coding{System: "urn:ietf:rfc:3986", Code: "urn:oid:" + uid})
	}
	return out
}

func (r result) candidate(t *testing.T, id string, now time.Time) recognition.Candidate {
	t.Helper()
	fact := map[string]recognition.Fact{"yes": recognition.Yes, "no": recognition.No}
	return recognition.Candidate{ID: id, Exam: r.Exam.exam(), Status: r.Status, Identity: fact[r.Identity], Taken: r.taken(t, now),
		Tier: r.Tier, SameConsortium: fact[r.Consortium], Qualified: fact[r.Qualified], Retrievable: fact[r.Retrievable], Critical: r.Critical, Quality: r.Quality}
}

func (r result) taken(t *testing.T, now time.Time) recognition.Span {
	t.Helper()
	if r.Taken == "" {
		return recognition.Span{}
	}
	if at, err := time.Parse(time.RFC3339, r.Taken); err == nil {
		return recognition.At(at)
	}
	zone := now.Location()
	if r.Zone != "" {
		loaded, err := time.LoadLocation(r.Zone)
		if err != nil {
			t.Skipf("skipped: no data of zone %s on this machine", r.Zone)
		}
		zone = loaded
	}
	day, err := time.ParseInLocation(time.DateOnly, r.Taken, zone)
	if err != nil {
		t.Fatal(err)
	}
	return recognition.OnDay(day)
}

func (w want) check(t *testing.T, got recognition.Decision) {
	t.Helper()
	if string(got.Outcome) != w.Outcome {
		t.Errorf("the order is %s, want %s", got.Outcome, w.Outcome)
	}
	expected := w.Results
	if expected == nil && len(got.Judgements) == 1 {
		expected = []string{w.Outcome}
		if w.Result != "" {
			expected[0] = w.Result
		}
	}
	var outcomes []string
	effects := map[string]string{}
	caution := false
	note := func(reasons []recognition.Reason) {
		for _, r := range reasons {
			effects[string(r.Code)] = string(r.Effect)
			if r.Chinese == "" || r.English == "" || bytes.ContainsAny([]byte(r.Chinese+r.English), "%!") {
				t.Errorf("%s is worded %q, %q", r.Code, r.Chinese, r.English)
			}
		}
	}
	note(got.Reasons)
	for _, j := range got.Judgements {
		outcomes = append(outcomes, string(j.Outcome))
		note(j.Reasons)
		caution = caution || j.Caution
	}
	if !slices.Equal(outcomes, expected) {
		t.Errorf("the candidates are %v, want %v; %v", outcomes, expected, effects)
	}
	for code, effect := range w.Reasons {
		if effects[code] != effect {
			t.Errorf("%s is %q, want %q; found %v", code, effects[code], effect, effects)
		}
	}
	for _, code := range w.Absent {
		if effects[code] != "" {
			t.Errorf("%s was found", code)
		}
	}
	if w.Only != nil {
		var rest []string
		for code, effect := range effects {
			if effect != "pass" {
				rest = append(rest, code)
			}
		}
		slices.Sort(rest)
		slices.Sort(w.Only)
		if !slices.Equal(rest, w.Only) {
			t.Errorf("no passes are %v, want %v", rest, w.Only)
		}
	}
	if w.Item != nil && (got.Item == nil) != (*w.Item == "") || w.Item != nil && got.Item != nil && got.Item.ID != *w.Item {
		t.Errorf("the item is %+v, want %q", got.Item, *w.Item)
	}
	if w.Expires != "" {
		at, err := time.Parse(time.RFC3339, w.Expires)
		if w.Expires == "never" {
			at, err = time.Time{}, nil
		}
		if err != nil || !got.Judgements[0].Expires.Equal(at) {
			t.Errorf("it expires %s, want %s", got.Judgements[0].Expires, w.Expires)
		}
	}
	if caution != w.Caution || got.Override != w.Override {
		t.Errorf("caution %v and override %q, want %v and %q", caution, got.Override, w.Caution, w.Override)
	}
}
