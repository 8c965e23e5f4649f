package recognition_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

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
		{Text: []string{"胸部CT平扫"}}, {Text: []string{"左膝关节MR"}}, {Text: []string{"肌酐"}}, {Text: []string{"血型"}}, {Text: []string{"钾"}}, {Text: []string{"心电图"}},
	}).Draw(t, "exam")
	fact := rapid.SampledFrom([]recognition.Fact{recognition.Unknown, recognition.Yes, recognition.No})
	tier := rapid.SampledFrom([]string{"", "community", "lead"})
	age := time.Duration(rapid.Int64Range(0, 100*24*60).Draw(t, "minutes")) * time.Minute
	return recognition.Request{Exam: exam, Class: rapid.SampledFrom([]string{"", "AMB", "IMP"}).Draw(t, "class"), Tier: tier.Draw(t, "orderer")},
		recognition.Candidate{Exam: exam, Status: rapid.SampledFrom([]string{"", "final", "preliminary"}).Draw(t, "status"),
			Identity: fact.Draw(t, "identity"), Taken: recognition.At(moment.Add(-age)), Tier: tier.Draw(t, "producer"),
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

func BenchmarkDecide(b *testing.B) {
	c := starter(b)
	request := recognition.Request{Exam: recognition.Exam{Text: []string{"胸部CT平扫"}}, Class: "AMB", Tier: "lead"}
	candidates := make([]recognition.Candidate, 10)
	for i := range candidates {
		candidates[i] = recognition.Candidate{Exam: recognition.Exam{Modalities: []string{"CT"}, Regions: []string{"CHEST"}, Text: []string{"胸部CT平扫"}},
			Status: "available", Identity: recognition.Yes, Taken: recognition.At(moment), SameConsortium: recognition.Yes, Retrievable: recognition.Yes}
	}
	for b.Loop() {
		recognition.Decide(request, candidates, c, moment)
	}
}
