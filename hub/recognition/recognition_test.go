package recognition_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/hub"
	"concord/hub/recognition"
	"concord/mappings"
)

func starter(t testing.TB) *recognition.Catalogue {
	t.Helper()
	c, err := mappings.Recognition()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOrdersNameTheirItem(t *testing.T) {
	c := starter(t)
	loinc := func(code string) []recognition.Coding {
		return []recognition.Coding{{System: "http://loinc.org", Code: code}}
	}
	for _, row := range []struct {
		name string
		exam recognition.Exam
		want string
	}{
		{"Chinese text", recognition.Exam{Text: []string{"胸部CT"}}, "ct-chest-plain"},
		{"Chinese text with a useless word", recognition.Exam{Text: []string{"胸部CT平扫检查"}}, "ct-chest-plain"},
		{"the modality in front", recognition.Exam{Text: []string{"CT胸部"}}, "ct-chest-plain"},
		{"English text", recognition.Exam{Text: []string{"CT chest"}}, "ct-chest-plain"},
		{"English text with the contrast spelt out", recognition.Exam{Text: []string{"CT Abdomen and Pelvis with contrast"}}, "ct-abdomen-pelvis-enhanced"},
		{"the lung is the chest", recognition.Exam{Text: []string{"肺部CT"}}, "ct-chest-plain"},
		{"one word for modality and region", recognition.Exam{Text: []string{"胸片（正侧位）"}}, "dr-chest"},
		{"an X-ray with a hyphen", recognition.Exam{Text: []string{"X-ray chest"}}, "dr-chest"},
		{"fields without text", recognition.Exam{Modalities: []string{"CT"}, Regions: []string{"BRAIN"}}, "ct-head-plain"},
		{"the modality as field, the region as text", recognition.Exam{Modalities: []string{"US"}, Text: []string{"甲状腺"}}, "us-thyroid"},
		{"a code", recognition.Exam{Codes: loinc("29252-4")}, "ct-chest-plain"},
		{"a code beside a strange text", recognition.Exam{Codes: loinc("14682-9"), Text: []string{"肾功（急）"}}, "creatinine"},
		{"an alias with other case and width", recognition.Exam{Text: []string{"ｈｂａ１ｃ"}}, "hba1c"},
		{"a side is no matter of the item", recognition.Exam{Text: []string{"右膝关节磁共振平扫"}}, "mr-knee"},
		{"a code that contradicts the text", recognition.Exam{Codes: loinc("29252-4"), Text: []string{"头颅CT平扫"}}, ""},
		{"a code of plain beside a text of enhanced", recognition.Exam{Codes: loinc("29252-4"), Text: []string{"胸部CT增强"}}, ""},
		{"two codes of two items", recognition.Exam{Codes: append(loinc("29252-4"), loinc("30799-1")...)}, ""},
		{"a code of another system", recognition.Exam{Codes: []recognition.Coding{{System: "urn:x", Code: "29252-4"}}}, ""},
		{"the thoracic spine, which is no chest", recognition.Exam{Text: []string{"胸椎CT"}}, "ct-thoracic-spine-plain"},
		{"the thoracic aorta", recognition.Exam{Text: []string{"胸主动脉CT"}}, ""},
		{"an angiography", recognition.Exam{Text: []string{"冠状动脉CTA"}}, "cta-coronary"},
		{"a strange word in an order", recognition.Exam{Text: []string{"胸部CT低剂量"}}, ""},
		{"a strange word beside clear fields", recognition.Exam{Modalities: []string{"CT"}, Regions: []string{"CHEST"}, Text: []string{"低剂量"}}, ""},
		{"a part of what the catalogue has", recognition.Exam{Text: []string{"下腹部CT"}}, ""},
		{"a modality alone", recognition.Exam{Text: []string{"CT"}}, ""},
		{"an enhancement the catalogue does not have", recognition.Exam{Text: []string{"颈部CT增强"}}, ""},
		{"nothing", recognition.Exam{}, ""},
		{"blanks", recognition.Exam{Text: []string{" ", ""}}, ""},
	} {
		got := ""
		if item := c.ItemOf(row.exam); item != nil {
			got = item.ID
		}
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

var moment = time.Date(2026, 11, 22, 10, 0, 0, 0, time.FixedZone("CST", 8*3600))

// drawn is an order and a result of the same item about which anything may be known or not.
func drawn(t *rapid.T) (recognition.Request, recognition.Candidate) {
	exam := rapid.SampledFrom([]recognition.Exam{
		{Text: []string{"胸部CT平扫"}}, {Text: []string{"左膝关节MR"}}, {Text: []string{"肌酐"}}, {Text: []string{"血型"}}, {Text: []string{"钾"}}, {Text: []string{"心电图"}}, {Text: []string{"肾功能"}},
		{Codes: []recognition.Coding{{System: "http://loinc.org", Code: "14682-9"}}, Specimen: "血清"},
	}).Draw(t, "exam")
	fact := rapid.SampledFrom([]recognition.Fact{recognition.Unknown, recognition.Yes, recognition.No})
	tier := rapid.SampledFrom([]string{"", "community", "lead"})
	age := time.Duration(rapid.Int64Range(0, 100*24*60).Draw(t, "minutes")) * time.Minute
	return recognition.Request{Exam: exam, Class: rapid.SampledFrom([]string{"", "AMB", "IMP"}).Draw(t, "class"), Tier: tier.Draw(t, "orderer")},
		recognition.Candidate{Exam: exam, Status: rapid.SampledFrom([]string{"", "final", "preliminary"}).Draw(t, "status"),
			Identity: fact.Draw(t, "identity"), Taken: recognition.At(moment.Add(-age)), Tier: tier.Draw(t, "producer"),
			Value: rapid.SampledFrom([]recognition.Value{{}, {Number: "88", Unit: "umol/L"}, {Number: "1", Unit: "mg/dL"}, {Number: "1", Unit: "g"}, {Number: "x"}}).Draw(t, "value"),
			Scope: rapid.SampledFrom([]string{"", "全国", "320000", "京津冀", "elsewhere"}).Draw(t, "scope"), Mark: "全国HR",
			SameConsortium: fact.Draw(t, "consortium"), Qualified: fact.Draw(t, "qualified"), Retrievable: fact.Draw(t, "retrievable")}
}

var ladder = []recognition.Outcome{recognition.NotRecognisable, recognition.ReferenceOnly, recognition.Recognisable}

func TestForgettingAGoodFactNeverHelps(t *testing.T) {
	c := starter(t)
	rapid.Check(t, func(t *rapid.T) {
		request, candidate := drawn(t)
		before := recognition.Decide(request, []recognition.Candidate{candidate}, c, moment)
		for name, forget := range map[string]func(*recognition.Request, *recognition.Candidate){
			"identity":    func(_ *recognition.Request, x *recognition.Candidate) { x.Identity = recognition.Unknown },
			"time":        func(_ *recognition.Request, x *recognition.Candidate) { x.Taken = recognition.Span{} },
			"exactness":   func(_ *recognition.Request, x *recognition.Candidate) { x.Taken = recognition.OnDay(x.Taken.Earliest) },
			"class":       func(r *recognition.Request, _ *recognition.Candidate) { r.Class = "" },
			"value":       func(_ *recognition.Request, x *recognition.Candidate) { x.Value = recognition.Value{} },
			"unit":        func(_ *recognition.Request, x *recognition.Candidate) { x.Value.Unit = "" },
			"specimen":    func(_ *recognition.Request, x *recognition.Candidate) { x.Exam.Specimen = "" },
			"regions":     func(r *recognition.Request, _ *recognition.Candidate) { r.Regions = nil },
			"status":      func(_ *recognition.Request, x *recognition.Candidate) { x.Status = "" },
			"text":        func(_ *recognition.Request, x *recognition.Candidate) { x.Exam = recognition.Exam{} },
			"consortium":  func(_ *recognition.Request, x *recognition.Candidate) { forgetYes(&x.SameConsortium) },
			"qualified":   func(_ *recognition.Request, x *recognition.Candidate) { forgetYes(&x.Qualified) },
			"retrievable": func(_ *recognition.Request, x *recognition.Candidate) { forgetYes(&x.Retrievable) },
		} {
			r, x := request, candidate
			forget(&r, &x)
			after := recognition.Decide(r, []recognition.Candidate{x}, c, moment)
			rose := slices.Index(ladder, after.Outcome) > slices.Index(ladder, before.Outcome)
			// A fail for certain may become an open question, never a pass.
			if rose && after.Outcome == recognition.Recognisable {
				t.Fatalf("forgetting %s turns %s into %s", name, before.Outcome, after.Outcome)
			}
		}
	})
}

func forgetYes(f *recognition.Fact) {
	if *f == recognition.Yes {
		*f = recognition.Unknown
	}
}

func TestDecidingChangesNothingAndRepeats(t *testing.T) {
	c := starter(t)
	rapid.Check(t, func(t *rapid.T) {
		request, candidate := drawn(t)
		copied := candidate
		copied.Exam.Text = slices.Clone(candidate.Exam.Text)
		a := recognition.Decide(request, []recognition.Candidate{candidate}, c, moment)
		b := recognition.Decide(request, []recognition.Candidate{candidate}, c, moment.UTC())
		if !reflect.DeepEqual(candidate, copied) {
			t.Fatal("the candidate was changed")
		}
		b.Time = a.Time
		for i := range b.Members {
			b.Members[i].Time = a.Time
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("the zone of the clock changes the decision:\n%+v\n%+v", a, b)
		}
	})
}

func FuzzAnyTextIsReadOrLeftOpen(f *testing.F) {
	c := starter(f)
	f.Add("胸部CT平扫+增强", "CHEST")
	f.Add("w/wo contrast ＣＴ", "\xff\xfe")
	f.Fuzz(func(t *testing.T, text, region string) {
		e := recognition.Exam{Modalities: []string{"CT"}, Regions: []string{region}, Text: []string{text}}
		if a, b := c.ItemOf(e), c.ItemShown(e); a != nil && a != b {
			t.Fatalf("as an order it is %v, as a result %v", a, b)
		}
	})
}

// Neither the order of candidates nor that of codes and texts says anything.
func TestTheOrderOfThingsDecidesNothing(t *testing.T) {
	c := starter(t)
	rapid.Check(t, func(t *rapid.T) {
		var request recognition.Request
		var candidates []recognition.Candidate
		for i := range rapid.IntRange(1, 6).Draw(t, "candidates") {
			r, x := drawn(t)
			x.ID = string(rune('a' + i))
			x.Exam.Codes = append(x.Exam.Codes, recognition.Coding{System: "urn:x", Code: "1"})
			request, candidates = r, append(candidates, x)
		}
		before := recognition.Decide(request, candidates, c, moment)
		mixed := rapid.Permutation(candidates).Draw(t, "mixed")
		for i := range mixed {
			mixed[i].Exam.Codes = slices.Clone(mixed[i].Exam.Codes)
			slices.Reverse(mixed[i].Exam.Codes)
		}
		after := recognition.Decide(request, mixed, c, moment)
		if a, b := sorted(before), sorted(after); !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v\n%+v", a, b)
		}
		if a, b := before.Best(), after.Best(); (a == nil) != (b == nil) || a != nil && a.ID != b.ID {
			t.Fatalf("the best is %v and %v", a, b)
		}
		if d := c.Read(candidates).Decide(request, moment); !reflect.DeepEqual(before, d) {
			t.Fatal("read once and read for one order differ")
		}
	})
}

// sorted puts judgements in the order of their candidates' names.
func sorted(d recognition.Decision) recognition.Decision {
	slices.SortFunc(d.Judgements, func(a, b recognition.Judgement) int { return strings.Compare(a.ID, b.ID) })
	for i := range d.Members {
		d.Members[i] = sorted(d.Members[i])
	}
	return d
}

// A candidate fares the same whoever stands beside it, but for what is said of values that moved.
func TestCandidatesDoNotChangeEachOther(t *testing.T) {
	c := starter(t)
	rapid.Check(t, func(t *rapid.T) {
		request, a := drawn(t)
		_, b := drawn(t)
		a.ID, b.ID = "a", "b"
		alone := recognition.Decide(request, []recognition.Candidate{a}, c, moment)
		both := recognition.Decide(request, []recognition.Candidate{b, a}, c, moment)
		find := func(d recognition.Decision) (out []recognition.Outcome) {
			for _, j := range d.Judgements {
				if j.ID == "a" {
					out = append(out, j.Outcome)
				}
			}
			for _, m := range d.Members {
				for _, j := range m.Judgements {
					if j.ID == "a" {
						out = append(out, j.Outcome)
					}
				}
			}
			return out
		}
		if x, y := find(alone), find(both); !slices.Equal(x, y) {
			t.Fatalf("%v alone, %v beside another", x, y)
		}
	})
}

func TestExplainTellsEveryRuleOfEveryCandidate(t *testing.T) {
	c := starter(t)
	rapid.Check(t, func(t *rapid.T) {
		request, candidate := drawn(t)
		candidate.ID = "a"
		d := recognition.Decide(request, []recognition.Candidate{candidate}, c, moment)
		rules := map[recognition.Rule]int{}
		told := 0
		for _, l := range recognition.Explain(d) {
			if l.Chinese == "" || l.English == "" {
				t.Fatalf("rule %d has no name", l.Rule)
			}
			rules[l.Rule]++
			told += len(l.Findings)
			for _, f := range l.Findings {
				for _, in := range f.Inputs() {
					if in.Chinese == "" || in.English == "" {
						t.Fatalf("%s has an input without name", f.Code)
					}
				}
			}
			if l.Rule == recognition.RulePolicy && (len(l.Findings) > 0 || l.Effect != recognition.Pass) {
				t.Fatal("what is withheld leaves a trace")
			}
		}
		if d.Panel == nil && len(rules) != 11 {
			t.Fatalf("rules told: %v", rules)
		}
		for _, j := range d.Judgements {
			told -= len(j.Reasons)
		}
		if d.Panel == nil && told != len(slices.DeleteFunc(slices.Clone(d.Reasons), func(r recognition.Reason) bool { return r.Rule() == 0 })) {
			t.Fatalf("%d findings more or less than reasons", told)
		}
	})
}

func TestScopesCoverWhoLiesInThem(t *testing.T) {
	c := starter(t)
	for _, row := range []struct {
		scope   string
		regions []string
		want    recognition.Fact
	}{
		{"320000", []string{"320583"}, recognition.Yes}, {"320500", []string{"320583"}, recognition.Yes}, {"320583", []string{"320500"}, recognition.No},
		{"320000", []string{"330000"}, recognition.No}, {"CN", nil, recognition.Yes}, {"320000", nil, recognition.Unknown},
		{"长三角", []string{"330106"}, recognition.Yes}, {"Yangtze River Delta", []string{"330106"}, recognition.Yes}, {"长三角", []string{"110000"}, recognition.No},
		{"somewhere", []string{"110000"}, recognition.Unknown}, {"somewhere|110000", []string{"110101"}, recognition.Yes}, {"110000", []string{"somewhere"}, recognition.No},
	} {
		if got := c.Covers(row.scope, row.regions); got != row.want {
			t.Errorf("%s of %v: %v", row.scope, row.regions, got)
		}
	}
}

func TestTheNarrowestPriceCounts(t *testing.T) {
	rows := starter(t).Rows
	yuan := func(n int64) recognition.Money { return recognition.Money{Amount: n, Currency: "CNY"} }
	rows.Prices = []recognition.Price{{Item: "wbc", Money: yuan(500), Source: "D"}, {Item: "wbc", Region: "长三角", Money: yuan(450), Source: "D"},
		{Item: "wbc", Region: "320000", Money: yuan(405), Source: "D"}, {Item: "wbc", Region: "320583", Money: yuan(7), Source: "D"}, {Item: "wbc", Region: "CN", Money: yuan(499), Source: "D"}}
	rows.Prices[1].Region = "yangtze-delta"
	c, err := recognition.NewCatalogue(rows)
	if err != nil {
		t.Fatal(err)
	}
	for region, want := range map[string]string{"320583": "0.07 CNY", "320100": "4.05 CNY", "330000": "4.50 CNY", "110000": "4.99 CNY"} {
		if got := c.Price("wbc", []string{region}).String(); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
	if got := c.Price("wbc", nil).String(); got != "4.99 CNY" {
		t.Errorf("nowhere: %s", got)
	}
	if got := c.Price("rbc", nil); got.Known() || got.String() != "" {
		t.Errorf("an item without price costs %s", got)
	}
}

func TestACatalogueIsRefusedWithAllThatIsWrong(t *testing.T) {
	rows := starter(t).Rows
	rows.Items = append(slices.Clone(rows.Items), recognition.Item{ID: "WBC", Kind: "laboratory", Units: []string{"furlong"}, Specimens: []string{"mud"}})
	rows.Panels = append(slices.Clone(rows.Panels), recognition.Panel{ID: "p", Chinese: "组合", English: "Panel of nothing", Members: []string{"nothing", "dr-chest"}, Source: "D"})
	_, err := recognition.NewCatalogue(rows)
	for _, want := range []string{"furlong", "mud", "lower-case", "needs a code", "\"nothing\" is no item", "no laboratory item"} {
		found := false
		if faults, ok := err.(hub.Faults); ok {
			for _, f := range faults {
				found = found || strings.Contains(f.Msg, want) && f.Path != ""
			}
		}
		if !found {
			t.Errorf("%s is not told: %v", want, err)
		}
	}
}

// BenchmarkEightOrders decides eight draft orders, one of them a panel, over 200 results of one patient.
func BenchmarkEightOrders(b *testing.B) {
	c := starter(b)
	candidates := patient(c, 200)
	orders := make([]recognition.Request, 8)
	for i, text := range []string{"胸部CT平扫", "血常规", "肌酐", "颅脑磁共振", "心电图", "腹部超声", "钾", "糖化血红蛋白"} {
		orders[i] = recognition.Request{Exam: recognition.Exam{Text: []string{text}}, Class: "AMB", Tier: "lead", Regions: []string{"320583"}}
	}
	b.ReportAllocs()
	for b.Loop() {
		results := c.Read(candidates)
		for _, o := range orders {
			results.Decide(o, moment)
		}
	}
}

// BenchmarkExplain words a decision over 200 results.
func BenchmarkExplain(b *testing.B) {
	c := starter(b)
	d := recognition.Decide(recognition.Request{Exam: recognition.Exam{Text: []string{"胸部CT平扫"}}, Class: "AMB", Tier: "lead"}, patient(c, 200), c, moment)
	b.ReportAllocs()
	for b.Loop() {
		for _, l := range recognition.Explain(d) {
			for _, f := range l.Findings {
				_, _ = f.Chinese(), f.English()
			}
		}
	}
}

// patient makes results of one patient: a fifth images with descriptions, the others measurements.
func patient(c *recognition.Catalogue, n int) []recognition.Candidate {
	var measured []*recognition.Item
	for i := range c.Items {
		if item := &c.Items[i]; item.Kind == recognition.Laboratory && len(item.Units) > 0 {
			measured = append(measured, item)
		}
	}
	candidates := make([]recognition.Candidate, n)
	for i := range candidates {
		x := &candidates[i]
		*x = recognition.Candidate{ID: fmt.Sprintf("Observation/%d", i), Status: "final", Identity: recognition.Yes, Taken: recognition.At(moment.Add(-time.Duration(i) * time.Hour)),
			Tier: "community", SameConsortium: recognition.Yes, Qualified: recognition.Yes, Scope: "320000", Mark: "江苏HR", Retrievable: recognition.Yes}
		if i%5 == 0 {
			x.ID, x.Status = fmt.Sprintf("ImagingStudy/%d", i), "available"
			x.Exam = recognition.Exam{Modalities: []string{"CT"}, Regions: []string{"CHEST"}, Text: []string{"胸部CT平扫 薄层"}}
			continue
		}
		item := measured[i%len(measured)]
		x.Exam = recognition.Exam{Codes: item.Codes[:1], Specimen: item.Specimens[0]}
		x.Value = recognition.Value{Number: "5.1", Unit: item.Units[0]}
	}
	return candidates
}
