package laboratory_test

import (
	"math/big"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/laboratory"
	"concord/internal/fhir"
	"concord/mappings"
)

func rules(t testing.TB) *laboratory.Rules {
	t.Helper()
	r, err := mappings.Laboratory()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rat(s string) *big.Rat { r, _ := new(big.Rat).SetString(s); return r }

const sysmex = "urn:lis"

func conceptMap(member, body string) hub.Record {
	return hub.Record{Name: hub.Name{Type: "ConceptMap", ID: "m-" + member}, Member: member, Body: []byte(body)}
}

func TestACodeIsResolvedByMapsAndThenByNames(t *testing.T) {
	maps := laboratory.NewMaps([]hub.Record{
		conceptMap("village", `{"resourceType":"ConceptMap","status":"active","group":[
			{"source":"urn:lis","target":"http://loinc.org","element":[{"code":"0021","target":[{"code":"2823-3","equivalence":"equivalent"}]},
				{"code":"77","target":[{"code":"14749-6","equivalence":"equal","dependsOn":[{"property":"specimen","value":"血清"}]},{"code":"14745-4","equivalence":"equal","dependsOn":[{"property":"specimen","value":"CSF"}]}]},
				{"code":"88","target":[{"code":"1742-6","equivalence":"wider"}]},{"code":"99","target":[{"equivalence":"unmatched"}]}]},
			{"source":"urn:lis","target":"urn:yibao","element":[{"code":"0021","target":[{"code":"250403001","display":"钾测定","equivalence":"equivalent"}]}]}]}`),
		conceptMap("county", `{"resourceType":"ConceptMap","status":"draft","group":[{"target":"http://loinc.org","element":[{"code":"D1","target":[{"code":"2951-2","equivalence":"equal"}]}]}]}`),
		conceptMap(laboratory.Origin, `{"resourceType":"ConceptMap","status":"active","group":[{"target":"http://loinc.org","element":[{"code":"0021","target":[{"code":"2951-2","equivalence":"equal"}]}]}]}`),
	})
	code := func(c string) []laboratory.Coding { return []laboratory.Coding{{System: sysmex, Code: c}} }
	for _, c := range []struct {
		say     string
		q       laboratory.Question
		want    string // codes added
		settled bool
	}{
		{"the member's map gives LOINC and the insurance's code", laboratory.Question{Member: "village", Codings: code("0021"), Name: "x"}, "2823-3 250403001", true},
		{"another member's code means what the consortium says", laboratory.Question{Member: "county", Codings: code("0021")}, "2951-2", true},
		{"a map may depend on the specimen", laboratory.Question{Member: "village", Codings: code("77"), Specimen: "CSF"}, "14745-4", true},
		{"and by any name of it", laboratory.Question{Member: "village", Codings: code("77"), Specimen: "SER"}, "14749-6", true},
		{"a specimen that no condition holds for leaves it open", laboratory.Question{Member: "village", Codings: code("77"), Specimen: "UR"}, "", false},
		{"what is only wider is not added", laboratory.Question{Member: "village", Codings: code("88")}, "", false},
		{"unmatched settles it", laboratory.Question{Member: "village", Codings: code("99"), Name: "钾", Unit: "mmol/L"}, "", true},
		{"a draft is not in force", laboratory.Question{Member: "county", Codings: code("D1")}, "", false},
		{"a Chinese name with its unit", laboratory.Question{Codings: code("1"), Name: "血清钾", Unit: "mmol/L"}, "2823-3", true},
		{"an abbreviation as the code", laboratory.Question{Codings: code("WBC"), Unit: "×10⁹/L"}, "6690-2", true},
		{"full-width letters", laboratory.Question{Name: "ＡＬＴ", Unit: "U/L"}, "1742-6", true},
		{"a name and its abbreviation in brackets", laboratory.Question{Name: "丙氨酸氨基转移酶（ALT）", Unit: "U/L"}, "1742-6", true},
		{"the unit chooses between mass and amount", laboratory.Question{Name: "Glucose", Unit: "mg/dL", Specimen: "SER"}, "2345-7", true},
		{"and so", laboratory.Question{Name: "Glucose", Unit: "mmol/L", Specimen: "SER"}, "14749-6", true},
		{"the specimen chooses", laboratory.Question{Name: "葡萄糖", Unit: "mmol/L", Specimen: "脑脊液"}, "14745-4", true},
		{"a name that tells the specimen is not believed against it", laboratory.Question{Name: "血糖", Unit: "mmol/L", Specimen: "脑脊液"}, "", false},
		{"another kind of specimen has no code", laboratory.Question{Name: "钾", Unit: "mmol/L", Specimen: "urine"}, "", false},
		{"a specimen that nobody knows is not assumed away", laboratory.Question{Name: "钾", Unit: "mmol/L", Specimen: "胆汁"}, "", false},
		{"a unit of another dimension is a doubt", laboratory.Question{Name: "钾", Unit: "mg"}, "", false},
		{"no unit is a doubt", laboratory.Question{Name: "钾"}, "", false},
		{"two names that disagree are a doubt", laboratory.Question{Codings: []laboratory.Coding{{System: sysmex, Code: "K", Display: "钠"}}, Unit: "mmol/L"}, "", false},
		{"a count and a share are two things", laboratory.Question{Name: "NEUT%", Unit: "%"}, "770-8", true},
		{"LOINC that was sent stays alone", laboratory.Question{Codings: []laboratory.Coding{{System: laboratory.LOINC, Code: "2823-3"}}, Name: "钠", Unit: "mmol/L"}, "", true},
		{"a name that nobody knows", laboratory.Question{Name: "某某因子", Unit: "mmol/L"}, "", false},
	} {
		a := laboratory.Resolve(rules(t), maps, c.q)
		got := ""
		for i, add := range a.Add {
			if i > 0 {
				got += " "
			}
			got += add.Code
		}
		if got != c.want || a.Settled != c.settled {
			t.Errorf("%s: added %q, settled %v; want %q, %v", c.say, got, a.Settled, c.want, c.settled)
		}
	}
}

func TestUnitsAsWrittenBecomeUCUMWhereThatIsSure(t *testing.T) {
	for _, c := range []struct{ written, like, want string }{
		{"10^9/L", "", "10*9/L"}, {"×10⁹/L", "", "10*9/L"}, {"x10^9/L", "", "10*9/L"}, {"X 10 ^9/L", "", "10*9/L"}, {"10E9/L", "", "10*9/L"}, {"１０^９／Ｌ", "", "10*9/L"},
		{"G/L", "", "10*9/L"}, {"K/uL", "", "10*3/uL"}, {"10³/µL", "", "10*3/uL"}, {"umol/L", "", "umol/L"}, {"μmol/L", "", "umol/L"}, {"µmol/l", "", "umol/L"},
		{"IU/L", "", "[IU]/L"}, {"个/HP", "", "/[HPF]"}, {"个／ＨＰ", "", "/[HPF]"}, {"%", "", "%"}, {"％", "", "%"}, {"mm/h", "", "mm/h"}, {"mm/H", "", "mm/h"}, {"mmHg", "", "mm[Hg]"},
		{"秒", "", "s"}, {"mEq/L", "", "meq/L"}, {"ug/mL FEU", "", "ug/mL{FEU}"},
		{"kat/m3", "", ""}, {"ng/(24.h)", "ng/d", "ng/(24.h)"}, {"cg/L", "g/L", "cg/L"}, {"cg/L", "mmol/L", ""}, {"", "", ""}, {"阳性", "g/L", ""}, {"Mmol/L", "", ""},
	} {
		got, ok := rules(t).UCUM(c.written, c.like)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q like %q: %q, %v; want %q", c.written, c.like, got, ok, c.want)
		}
	}
}

func TestValuesAreComparedAcrossMassAndAmount(t *testing.T) {
	r := rules(t)
	for _, c := range []struct{ loinc, value, from, to, want string }{
		{"14749-6", "5.5", "mmol/L", "mg/dL", "99.088"},
		{"14749-6", "18.016", "mg/dL", "mmol/L", "1"},
		{"14647-2", "38.67", "mg/dL", "mmol/L", "1"},
		{"14927-8", "88.54", "mg/dL", "mmol/L", "1"},
		{"22664-7", "6.006", "mg/dL", "mmol/L", "1"},
		{"14937-7", "2.801", "mg/dL", "mmol/L", "1"},
		{"2000-8", "4.008", "mg/dL", "mmol/L", "1"},
		{"2601-3", "2.43", "mg/dL", "mmol/L", "1"},
		{"14879-1", "3.097", "mg/dL", "mmol/L", "1"},
		{"14682-9", "1", "mg/dL", "umol/L", "88.4"},
		{"14933-6", "1", "mg/dL", "umol/L", "59.48"},
		{"14631-6", "1", "mg/dL", "umol/L", "17.1"},
		{"718-7", "13.5", "g/dL", "g/L", "135"},
		{"6690-2", "7.1", "10*3/uL", "10*9/L", "7.1"},
		{"2823-3", "1", "mg/dL", "mmol/L", ""}, // potassium's rules say no weight
		{"1742-6", "1", "U/L", "g/L", ""},
	} {
		a, _, ok := r.Analyte(c.loinc)
		if !ok {
			t.Fatal(c.loinc)
		}
		got, ok := a.Convert(rat(c.value), c.from, c.to)
		if ok != (c.want != "") {
			t.Errorf("%s: %s %s in %s: %v", a.ID, c.value, c.from, c.to, got)
			continue
		}
		if diff := new(big.Rat); ok && diff.Sub(got, rat(c.want)).Abs(diff).Cmp(rat("0.0001")) > 0 {
			t.Errorf("%s: %s %s is %s %s; want %s", a.ID, c.value, c.from, got.FloatString(6), c.to, c.want)
		}
	}
}

func result(t testing.TB, body string) laboratory.Result {
	t.Helper()
	doc, err := fhir.Parse([]byte(body), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return laboratory.ReadResult(doc.Root())
}

func quantity(loinc, comparator, value, unit, rest string) string {
	if comparator != "" {
		comparator = `"comparator":"` + comparator + `",`
	}
	return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"` + loinc + `"}]},"subject":{"reference":"Patient/p"},
		"valueQuantity":{` + comparator + `"value":` + value + `,"unit":"` + unit + `"}` + rest + `}`
}

func TestCriticalValuesBeginAtTheirBounds(t *testing.T) {
	flag := func(code string) string {
		return `,"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"` + code + `"}]}]`
	}
	for _, c := range []struct {
		say, body string
		age       int
		want      string
	}{
		{"just the upper bound", quantity("2823-3", "", "6.2", "mmol/L", ""), -1, "HH"},
		{"just below it", quantity("2823-3", "", "6.19", "mmol/L", ""), -1, ""},
		{"just the lower bound", quantity("2823-3", "", "2.8", "mmol/L", ""), -1, "LL"},
		{"just above it", quantity("2823-3", "", "2.81", "mmol/L", ""), -1, ""},
		{"a newborn's own bounds", quantity("2823-3", "", "6.5", "mmol/L", ""), 27, ""},
		{"a newborn's upper bound", quantity("2823-3", "", "7.0", "mmol/L", ""), 0, "HH"},
		{"on its 28th day it is none any more", quantity("2823-3", "", "6.5", "mmol/L", ""), 28, "HH"},
		{"of unknown age the general bounds hold", quantity("2823-3", "", "6.5", "mmol/L", ""), -1, "HH"},
		{"in another unit", quantity("2345-7", "", "401", "mg/dL", ""), -1, "HH"},
		{"in another unit, not reached", quantity("2345-7", "", "399", "mg/dL", ""), -1, ""},
		{"haemoglobin in g/dL", quantity("718-7", "", "5.0", "g/dL", ""), -1, "LL"},
		{"of another specimen it is not looked at", quantity("14745-4", "", "1.0", "mmol/L", ""), -1, ""},
		{"more than something critical", quantity("2823-3", ">", "6.5", "mmol/L", ""), -1, "HH"},
		{"less than the lower bound", quantity("2823-3", "<", "2.8", "mmol/L", ""), -1, "LL"},
		{"less than something high is not known to be critical", quantity("2823-3", "<", "7", "mmol/L", ""), -1, ""},
		{"more than something low is not known to be critical", quantity("2823-3", ">", "1", "mmol/L", ""), -1, ""},
		{"an unknown unit cannot be judged", quantity("2823-3", "", "9", "arb", ""), -1, ""},
		{"the laboratory's flag is enough", quantity("9999-9", "", "1", "x", flag("HH")), -1, "HH"},
		{"so is LL", quantity("9999-9", "", "1", "x", flag("LL")), -1, "LL"},
		{"AA takes its direction from the value", quantity("2823-3", "", "2", "mmol/L", flag("AA")), -1, "LL"},
		{"a flag in words", quantity("9999-9", "", "1", "x", `,"interpretation":[{"text":"危急值"}]`), -1, "AA"},
		{"H is not critical", quantity("2823-3", "", "5.6", "mmol/L", flag("H")), -1, ""},
		{"a value of a gigantic exponent is none", quantity("2823-3", "", "1e999999999", "mmol/L", ""), -1, ""},
	} {
		res := result(t, c.body)
		f, ok := rules(t).Critical(&res, c.age)
		if got := f.Flag; got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.say, got, ok, c.want)
		}
	}
	for _, status := range []string{"registered", "cancelled", "entered-in-error", "unknown"} {
		res := result(t, quantity("2823-3", "", "9", "mmol/L", flag("HH")))
		res.Status = status
		if _, ok := rules(t).Critical(&res, -1); ok {
			t.Errorf("a result that is %s is critical", status)
		}
	}
}

func TestADeltaCheckLooksAtDifferenceShareAndTime(t *testing.T) {
	at := func(hours float64) string {
		return `,"effectiveDateTime":"` + time.Date(2026, 3, 5, 8, 0, 0, 0, time.UTC).Add(-time.Duration(hours*float64(time.Hour))).Format(time.RFC3339) + `"`
	}
	for _, c := range []struct {
		say, now, then string
		want           bool
	}{
		{"just the limit is within it", quantity("2823-3", "", "5.5", "mmol/L", at(0)), quantity("2823-3", "", "4.0", "mmol/L", at(24)), false},
		{"beyond it", quantity("2823-3", "", "5.51", "mmol/L", at(0)), quantity("2823-3", "", "4.0", "mmol/L", at(24)), true},
		{"a fall counts, too", quantity("2823-3", "", "3.0", "mmol/L", at(0)), quantity("2823-3", "", "4.6", "mmol/L", at(24)), true},
		{"just so long ago", quantity("2823-3", "", "6", "mmol/L", at(0)), quantity("2823-3", "", "4", "mmol/L", at(72)), true},
		{"longer ago", quantity("2823-3", "", "6", "mmol/L", at(0)), quantity("2823-3", "", "4", "mmol/L", at(72.1)), false},
		{"at the same time", quantity("2823-3", "", "6", "mmol/L", at(0)), quantity("2823-3", "", "4", "mmol/L", at(0)), false},
		{"both must be exceeded: the share is not", quantity("14682-9", "", "251", "umol/L", at(0)), quantity("14682-9", "", "200", "umol/L", at(24)), false},
		{"both must be exceeded: the difference is not", quantity("14682-9", "", "60", "umol/L", at(0)), quantity("14682-9", "", "30", "umol/L", at(24)), false},
		{"both are", quantity("14682-9", "", "301", "umol/L", at(0)), quantity("14682-9", "", "200", "umol/L", at(24)), true},
		{"across units and codes", quantity("14682-9", "", "265.2", "umol/L", at(0)), quantity("2160-0", "", "1.0", "mg/dL", at(24)), true},
		{"a share alone", quantity("777-3", "", "99", "10^9/L", at(0)), quantity("777-3", "", "200", "10^9/L", at(24)), true},
		{"half is not more than half", quantity("777-3", "", "100", "10^9/L", at(0)), quantity("777-3", "", "200", "10^9/L", at(24)), false},
		{"from nothing every share is exceeded", quantity("777-3", "", "1", "10^9/L", at(0)), quantity("777-3", "", "0", "10^9/L", at(24)), true},
		{"nothing after nothing", quantity("777-3", "", "0", "10^9/L", at(0)), quantity("777-3", "", "0", "10^9/L", at(24)), false},
		{"another analyte", quantity("2823-3", "", "9", "mmol/L", at(0)), quantity("2951-2", "", "140", "mmol/L", at(24)), false},
		{"a bound is no value", quantity("2823-3", ">", "9", "mmol/L", at(0)), quantity("2823-3", "", "4", "mmol/L", at(24)), false},
		{"an analyte without a limit", quantity("1742-6", "", "900", "U/L", at(0)), quantity("1742-6", "", "9", "U/L", at(24)), false},
		{"a time that is not said", quantity("2823-3", "", "9", "mmol/L", ""), quantity("2823-3", "", "4", "mmol/L", at(24)), false},
	} {
		now, then := result(t, c.now), result(t, c.then)
		if d, ok := rules(t).Delta(&now, &then); ok != c.want {
			t.Errorf("%s: %v, %+v", c.say, ok, d)
		}
	}
}

func TestAnAlarmGoesFromNotifiedToClosed(t *testing.T) {
	at := time.Date(2026, 3, 5, 8, 0, 0, 0, time.UTC)
	raised := laboratory.Raise(laboratory.Alarm{Observation: "Observation/o"}, at, laboratory.Timers{})
	if !raised.AckBy.Equal(at.Add(10*time.Minute)) || !raised.ActBy.Equal(at.Add(30*time.Minute)) {
		t.Errorf("acknowledge by %v, act by %v", raised.AckBy, raised.ActBy)
	}
	in := func(state laboratory.State) laboratory.Alarm {
		a := raised
		a.State = state
		return a
	}
	for _, c := range []struct {
		from laboratory.State
		step laboratory.Step
		to   laboratory.State // empty: refused
	}{
		{laboratory.Notified, laboratory.Acknowledge, laboratory.Acknowledged},
		{laboratory.Notified, laboratory.Act, laboratory.Acted},
		{laboratory.Notified, laboratory.Close, ""},
		{laboratory.Acknowledged, laboratory.Acknowledge, ""},
		{laboratory.Acknowledged, laboratory.Act, laboratory.Acted},
		{laboratory.Acknowledged, laboratory.Close, ""},
		{laboratory.Acted, laboratory.Acknowledge, ""},
		{laboratory.Acted, laboratory.Act, ""},
		{laboratory.Acted, laboratory.Close, laboratory.Closed},
		{laboratory.Closed, laboratory.Close, ""},
		{laboratory.Withdrawn, laboratory.Acknowledge, ""},
		{laboratory.Notified, "shout", ""},
	} {
		got, err := in(c.from).Take(c.step, at)
		if (err == nil) != (c.to != "") || err == nil && got.State != c.to {
			t.Errorf("%s from %s: %s, %v; want %q", c.step, c.from, got.State, err, c.to)
		}
	}
	for _, c := range []struct {
		say     string
		state   laboratory.State
		after   time.Duration
		overdue bool
		due     bool
	}{
		{"before the time to acknowledge", laboratory.Notified, 10*time.Minute - 1, false, false},
		{"at it", laboratory.Notified, 10 * time.Minute, false, true},
		{"after it", laboratory.Notified, 10*time.Minute + 1, true, true},
		{"acknowledged, at the time to act", laboratory.Acknowledged, 30 * time.Minute, false, true},
		{"acknowledged, after it", laboratory.Acknowledged, 30*time.Minute + 1, true, true},
		{"acknowledged, before it", laboratory.Acknowledged, 29 * time.Minute, false, false},
		{"acted", laboratory.Acted, 40 * time.Hour, false, false},
		{"closed", laboratory.Closed, 40 * time.Hour, false, false},
	} {
		a := raised
		if c.state == laboratory.Acknowledged || c.state == laboratory.Acted || c.state == laboratory.Closed {
			a, _ = a.Take(laboratory.Acknowledge, at)
		}
		if c.state == laboratory.Acted || c.state == laboratory.Closed {
			a, _ = a.Take(laboratory.Act, at)
		}
		if c.state == laboratory.Closed {
			a, _ = a.Take(laboratory.Close, at)
		}
		_, due := a.Escalate(at.Add(c.after), laboratory.Timers{})
		if a.Overdue(at.Add(c.after)) != c.overdue || due != c.due {
			t.Errorf("%s: overdue %v, due %v; want %v, %v", c.say, a.Overdue(at.Add(c.after)), due, c.overdue, c.due)
		}
	}
	a, now := raised, at
	for range 20 {
		now = now.Add(10 * time.Minute)
		a, _ = a.Escalate(now, laboratory.Timers{})
	}
	if a.Escalations != 6 || !a.Due.IsZero() || !a.Open() {
		t.Errorf("after %d escalations it is due %v", a.Escalations, a.Due)
	}
}

func TestSuggestionsAreNearInNamePinyinSpecimenAndUnit(t *testing.T) {
	for _, c := range []struct {
		say  string
		q    laboratory.Question
		want string
	}{
		{"a longer Chinese name", laboratory.Question{Name: "血清丙氨酸氨基转移酶测定", Unit: "U/L"}, "1742-6"},
		{"pinyin as the code", laboratory.Question{Codings: []laboratory.Coding{{Code: "bingansuananjizhuanyimei"}}, Unit: "U/L"}, "1742-6"},
		{"initials of pinyin", laboratory.Question{Codings: []laboratory.Coding{{Code: "NSD"}}, Unit: "mmol/L"}, "14937-7"},
		{"a character that sounds the same", laboratory.Question{Name: "肌肝", Unit: "umol/L", Specimen: "血清"}, "14682-9"},
		{"a slip in English", laboratory.Question{Name: "Creatinin", Unit: "mg/dL", Specimen: "SER"}, "2160-0"},
		{"the specimen decides", laboratory.Question{Name: "尿肌酐测定", Unit: "mmol/L", Specimen: "尿"}, "14683-7"},
	} {
		got := laboratory.Suggest(rules(t), c.q, 3)
		if len(got) == 0 || got[0].Code != c.want {
			t.Errorf("%s: %+v; want %s", c.say, got, c.want)
		}
	}
	if got := laboratory.Suggest(rules(t), laboratory.Question{Name: "XYZQ-1174"}, 3); len(got) > 0 {
		t.Errorf("for a name like none: %+v", got)
	}
}
