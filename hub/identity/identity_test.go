package identity_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"concord/hub"
	"concord/hub/identity"
	"concord/internal/fhir"
	"concord/internal/people"
	"concord/mappings"
)

func model(t testing.TB) *identity.Model {
	t.Helper()
	m, err := mappings.Identity()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func traits(t testing.TB, m *identity.Model, body string) identity.Traits {
	t.Helper()
	doc, err := fhir.Parse([]byte(body), fhir.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return m.Traits(doc.Root())
}

// who is a Patient in few words: "name=张伟 born=1980-05-06 sex=male ni=… phone=… at=…"; values have no spaces, _ is one.
func who(t testing.TB, m *identity.Model, words string) identity.Traits {
	t.Helper()
	type object = map[string]any
	var ids, names, phones, addresses, contacts []object
	p := object{"resourceType": "Patient"}
	identifier := func(use, code, value string) {
		id := object{"type": object{"coding": []object{{"code": code}}}, "value": value, "system": "urn:test:" + code}
		if use != "" {
			id["use"] = use
		}
		ids = append(ids, id)
	}
	for word := range strings.FieldsSeq(words) {
		key, value, _ := strings.Cut(word, "=")
		value = strings.ReplaceAll(value, "_", " ")
		family, given, parted := strings.Cut(value, ",")
		switch key {
		case "name", "maiden", "old":
			n := object{"text": value}
			if parted {
				n = object{"family": family, "given": []string{given}}
			}
			if key != "name" {
				n["use"] = key
			}
			names = append(names, n)
		case "born":
			p["birthDate"] = value
		case "sex":
			p["gender"] = value
		case "ni":
			identifier("", "NI", value)
		case "ni-old":
			identifier("old", "NI", value)
		case "card":
			identifier("", "HC", value)
		case "insurance":
			identifier("", "MI", value)
		case "passport":
			identifier("", "PPN", value)
		case "mr":
			identifier("", "MR", value)
		case "phone":
			phones = append(phones, object{"system": "phone", "value": value})
		case "at":
			addresses = append(addresses, object{"text": value})
		case "twin":
			p["multipleBirthInteger"] = json.Number(value)
		case "mother":
			contacts = append(contacts, object{"relationship": []object{{"coding": []object{{"code": "MTH"}}}}, "name": object{"text": value}})
		default:
			t.Fatalf("%q says nothing", word)
		}
	}
	for key, list := range map[string][]object{"identifier": ids, "name": names, "telecom": phones, "address": addresses, "contact": contacts} {
		if len(list) > 0 {
			p[key] = list
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return traits(t, m, string(body))
}

// Numbers made for these tests; nobody has them but by chance.
const (
	wei     = "340104198005060017" // born 1980-05-06, male
	weiOld  = "340104800506001"
	wei2    = "340104198005060033" // the same day, another man
	lan     = "340104195503040023" // born 1955-03-04, female
	home    = "安徽省合肥市蜀山区长江西路42号阳光花园3幢2单元1203室"
	mother  = "张丽"
	motherN = "34010419920304002X" // born 1992-03-04, female
)

func TestPairsAreJudgedByTheRules(t *testing.T) {
	m := model(t)
	for _, c := range []struct {
		name, a, b string
		want       identity.Verdict
		rule       string
	}{
		{"one citizen number and one person", "name=张伟 born=1980-05-06 sex=male ni=" + wei, "name=张伟 born=1980-05-06 ni=" + wei, identity.Link, "citizen-number"},
		{"an old number of 15 digits is the same", "name=张伟 born=1980-05-06 ni=" + wei, "name=张伟 born=1980-05-06 ni=" + weiOld, identity.Link, "citizen-number"},
		{"a name in pinyin", "name=张,伟 born=1980-05-06 ni=" + wei, "name=ZHANG,WEI born=1980-05-06 ni=" + wei, identity.Link, "citizen-number"},
		{"the birth date is mistyped, the number is not", "name=王晓雯 born=1980-05-06 ni=" + wei + " phone=13855512345", "name=王晓雯 born=1980-05-16 phone=13855512345 ni=" + wei, identity.Link, "weights"},
		{"one number, another name: perhaps borrowed", "name=张伟 born=1980-05-06 sex=male ni=" + wei, "name=李强 born=1980-05-06 sex=male ni=" + wei, identity.Ask, "number-alone"},
		{"one number, brothers' names", "name=张建国 born=1980-05-06 ni=" + wei, "name=张建军 born=1980-05-06 ni=" + wei, identity.Ask, "number-alone"},
		{"one number, clearly two people", "name=张伟 born=1980-05-06 sex=male ni=" + wei, "name=李秀兰 born=1955-03-04 sex=female ni=" + wei, identity.Contradiction, "same-number-other-person"},
		{"a mother's number in her daughter's record", "name=陈兰 born=1955-03-04 sex=female ni=" + lan, "name=王婷婷 born=1984-08-09 sex=female ni=" + lan, identity.Contradiction, "same-number-other-person"},
		{"one passport, two people", "name=Smith,John born=1970-01-02 sex=male passport=E12345678", "name=Rossi,Elena born=1991-07-08 sex=female passport=E12345678", identity.Contradiction, "same-number-other-person"},
		{"two valid numbers, all else the same", "name=欧阳晓雯 born=1980-05-06 sex=male phone=13855512345 at=" + home + " ni=" + wei, "name=欧阳晓雯 born=1980-05-06 sex=male phone=13855512345 at=" + home + " ni=" + wei2, identity.Ask, "changed-number"},
		{"two valid numbers, one name and birth date", "name=张伟 born=1980-05-06 ni=" + wei, "name=张伟 born=1980-05-06 ni=" + wei2, identity.Leave, "different-citizen-numbers"},
		{"a changed number that the record tells", "name=张伟 born=1980-05-06 ni=" + wei2 + " ni-old=" + wei, "name=张伟 born=1980-05-06 ni=" + wei, identity.Link, "citizen-number"},
		{"a changed number, marked as old, and one card", "name=张伟 born=1980-05-06 card=A1B2C3D4E5 ni=" + wei2, "name=张伟 born=1980-05-06 card=A1B2C3D4E5 ni-old=" + wei, identity.Link, "shared-number"},
		{"a changed number that nobody marked, and one card", "name=张伟 born=1980-05-06 card=A1B2C3D4E5 ni=" + wei2, "name=张伟 born=1980-05-06 card=A1B2C3D4E5 ni=" + wei, identity.Ask, "changed-number"},
		{"one health card", "name=张伟 born=1980-05-06 card=A1B2C3D4E5", "name=张玮 born=1980-05-06 card=A1B2C3D4E5", identity.Link, "shared-number"},
		{"a wife's insurance pays", "name=张伟 born=1980-05-06 sex=male insurance=A1B2C3D4E5", "name=李秀兰 born=1982-03-04 sex=female insurance=A1B2C3D4E5", identity.Ask, "number-alone"},
		{"a dummy number is none", "name=张伟 born=1980-05-06 ni=111111111111111111", "name=张伟 born=1980-05-06 ni=111111111111111111", identity.Ask, "weights"},
		{"numbers of two institutions are not one", "name=张伟 born=1980-05-06 sex=male", "name=李强 born=1991-05-06 sex=male", identity.Leave, "weights"},
		{"one record number of one institution", "name=张伟 born=1980-05-06 mr=M100", "name=张伟 born=1980-05-06 mr=M100", identity.Link, "shared-number"},

		{"a citizen number where the record number stands", "name=张伟 born=1980-05-06 mr=" + wei, "name=张伟 born=1980-05-06 ni=" + wei, identity.Link, "citizen-number"},
		{"health cards are issued anew", "name=王晓雯 born=1980-05-06 phone=13855512345 card=A1B2C3D4E5", "name=王晓雯 born=1980-05-06 phone=13855512345 card=F1B2C3D4E5", identity.Link, "weights"},
		{"two whose names nobody knows", "name=无名氏 born=1980-05-06 sex=male phone=13855512345", "name=无名氏 born=1980-05-06 sex=male phone=13855512345", identity.Ask, "weights"},

		{"a rare name and a birth date never link", "name=欧阳菡芷 born=1980-05-06 sex=female", "name=欧阳菡芷 born=1980-05-06 sex=female", identity.Ask, "weights"},
		{"nor with other phones and homes", "name=欧阳菡芷 born=1980-05-06 sex=female phone=13855512345", "name=欧阳菡芷 born=1980-05-06 sex=female phone=13966612399", identity.Ask, "weights"},
		{"a common name and an unknown birthday say little", "name=张伟 born=1980-01-01 sex=male", "name=张伟 born=1980-05-06 sex=male", identity.Leave, "weights"},
		{"name, birth date and phone", "name=王晓雯 born=1980-05-06 sex=female phone=13855512345", "name=王晓雯 born=1980-05-06 sex=female phone=+86-138-5551-2345", identity.Link, "weights"},
		{"name, birth date and home, written otherwise", "name=王晓雯 born=1980-05-06 sex=female at=" + home, "name=王晓雯 born=1980-05-06 sex=female at=长江西路42号阳光花园3-2-1203", identity.Link, "weights"},
		{"traditional characters", "name=劉靜雯 born=1980-05-06 sex=female phone=13855512345", "name=刘静雯 born=1980-05-06 sex=female phone=13855512345", identity.Link, "weights"},
		{"day and month exchanged", "name=王晓雯 born=1980-05-06 sex=female phone=13855512345 at=" + home, "name=王晓雯 born=1980-06-05 sex=female phone=13855512345 at=" + home, identity.Link, "weights"},
		{"a number that is wrong in one digit", "name=王晓雯 born=1980-05-06 sex=male ni=" + wei, "name=王晓雯 born=1980-05-06 sex=male ni=340104198005060077", identity.Link, "weights"},
		{"a maiden name", "name=王晓雯 maiden=李,晓雯 born=1980-05-06 sex=female phone=13855512345", "name=李晓雯 born=1980-05-06 sex=female phone=13855512345", identity.Link, "weights"},
		{"names in another order", "name=Zhang,Xiaowen born=1980-05-06 sex=female phone=13855512345 at=" + home, "name=Xiaowen,Zhang born=1980-05-06 sex=female phone=13855512345 at=" + home, identity.Link, "weights"},

		{"twins with names alike", "name=王佳怡 born=2015-05-06 sex=female phone=13855512345 at=" + home, "name=王佳琪 born=2015-05-06 sex=female phone=13855512345 at=" + home, identity.Leave, "twins"},
		{"twins whose names sound the same", "name=王子涵 born=2015-05-06 sex=female phone=13855512345 at=" + home + " twin=1", "name=王子晗 born=2015-05-06 sex=female phone=13855512345 at=" + home, identity.Ask, "weights"},
		{"twins whose names sound the same and who do not say so", "name=王子晨 born=2015-05-06 sex=male phone=13855512345 at=" + home, "name=王子宸 born=2015-05-06 sex=male phone=13855512345 at=" + home, identity.Ask, "weights"},
		{"a homophone by a clerk, and one card", "name=王晓雯 born=1980-05-06 sex=female card=A1B2C3D4E5", "name=王晓文 born=1980-05-06 sex=female card=A1B2C3D4E5", identity.Link, "shared-number"},
		{"an in-law's number with its birth date", "name=杨学 born=1980-05-06 sex=male ni=" + wei, "name=郭雪 born=1980-05-06 sex=male ni=" + wei, identity.Ask, "number-alone"},
		{"twins by their places", "name=王子涵 born=2015-05-06 sex=female phone=13855512345 twin=1", "name=王子晗 born=2015-05-06 sex=female phone=13855512345 twin=2", identity.Leave, "twins"},
		{"father and son", "name=王建国 born=1960-05-06 sex=male phone=13855512345 at=" + home, "name=王磊 born=1985-02-03 sex=male phone=13855512345 at=" + home, identity.Leave, "weights"},
		{"sisters", "name=王佳怡 born=2013-05-06 sex=female phone=13855512345 at=" + home, "name=王佳琪 born=2016-08-09 sex=female phone=13855512345 at=" + home, identity.Leave, "weights"},

		{"a newborn and its mother", "name=张丽之子 born=2026-05-06 sex=male phone=13855512345 ni=" + motherN, "name=张丽 born=1992-03-04 sex=female phone=13855512345 ni=" + motherN, identity.Leave, "newborn-mother"},
		{"newborn twins", "name=张丽之大子 born=2026-05-06 sex=male phone=13855512345 twin=1", "name=张丽之小子 born=2026-05-06 sex=male phone=13855512345 twin=2", identity.Leave, "newborn-unnamed"},
		{"a newborn and the child it became", "name=张丽之女 born=2026-05-06 sex=female phone=13855512345", "name=王子涵 born=2026-05-06 sex=female phone=13855512345", identity.Ask, "newborn"},
		{"two records of newborns of one mother", "name=张丽之女 born=2026-05-06 sex=female phone=13855512345", "name=张丽之女 born=2026-05-06 sex=female phone=13855512345", identity.Ask, "newborn"},
		{"newborns of two mothers of one name", "name=张丽之女 born=2026-05-06 sex=female", "name=李娜之女 born=2026-05-06 sex=female", identity.Leave, "newborn-unnamed"},
		{"nothing is known", "sex=male", "sex=male", identity.Leave, "weights"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := who(t, m, c.a), who(t, m, c.b)
			e := m.Compare(&a, &b)
			if e.Verdict != c.want || e.Rule != c.rule {
				t.Errorf("%s by %s (%.6f, %.1f bits), want %s by %s\n%+v", e.Verdict, e.Rule, e.Probability, e.Bits, c.want, c.rule, e.Points)
			}
			symmetric(t, m, &a, &b)
			_, forbidden := m.Contradiction(&a, &b)
			if forbidden && e.Verdict == identity.Link {
				t.Error("the link is a contradiction")
			}
		})
	}
}

func symmetric(t *testing.T, m *identity.Model, a, b *identity.Traits) {
	t.Helper()
	x, y := m.Compare(a, b), m.Compare(b, a)
	if x.Verdict != y.Verdict || x.Rule != y.Rule || x.Grade != y.Grade || x.Bits != y.Bits || x.Probability != y.Probability || !slices.Equal(x.Points, y.Points) {
		t.Fatalf("the two orders differ:\n%+v\n%+v", x, y)
	}
	if math.IsNaN(x.Bits) || x.Probability < 0 || x.Probability > 1 || x.Model == "" {
		t.Fatalf("%+v", x)
	}
}

func TestTraitsAreReadInTheFormsThatAreCompared(t *testing.T) {
	m := model(t)
	got := who(t, m, "name=歐陽,俊峯 born=1980-05-06 sex=male ni="+weiOld+" phone=0086-138-5551-2345 phone=13800000000 at="+home)
	if n := got.Names[0]; n.Family != "欧阳" || n.Given != "俊峰" {
		t.Errorf("name: %+v", n)
	}
	if n := got.Numbers[0]; n.Kind != "citizen" || n.Value != wei || !n.Valid || !n.Sound {
		t.Errorf("number: %+v", n)
	}
	if !slices.Equal(got.Phones, []string{"13855512345"}) {
		t.Errorf("phones: %v", got.Phones)
	}
	if a := got.Addresses[0]; a.Region != "蜀山区" || !strings.HasPrefix(a.Detail, "长江西路42号") {
		t.Errorf("address: %+v", a)
	}
	if n := who(t, m, "name=诸葛亮").Names[0]; n.Family != "诸葛" || n.Given != "亮" {
		t.Errorf("a surname of two characters: %+v", n)
	}
	if n := who(t, m, "born=1981-05-06 ni="+wei).Numbers[0]; !n.Valid || n.Sound {
		t.Errorf("a number of another birth date: %+v", n)
	}
	if n := who(t, m, "sex=female ni="+wei).Numbers[0]; n.Sound {
		t.Errorf("a number of the other sex: %+v", n)
	}
	baby := who(t, m, "name="+mother+"之子 born=2026-05-06 phone=13855512345 ni="+motherN)
	if !baby.Newborn || len(baby.Names) != 0 || len(baby.Numbers) != 0 || baby.Mother.Name != mother || !slices.Equal(baby.Mother.Numbers, []string{motherN}) {
		t.Errorf("newborn: %+v", baby)
	}
	ended := traits(t, m, `{"resourceType":"Patient","active":false,"identifier":[
		{"type":{"coding":[{"code":"NI"}]},"value":"`+wei+`","period":{"end":"2020-01-01"}},{"type":{"coding":[{"code":"NI"}]},"value":"`+wei2+`"}],
		"link":[{"other":{"reference":"Patient/7"},"type":"replaced-by"}]}`)
	if !ended.Numbers[0].Old || ended.Numbers[1].Old || ended.Active || !slices.Equal(ended.ReplacedBy, []string{"Patient/7"}) {
		t.Errorf("ended, replaced: %+v", ended)
	}
}

func TestKeysAreSharedByWhatIsLikelyOnePerson(t *testing.T) {
	m := model(t)
	for _, c := range []struct{ name, a, b string }{
		{"the number, old and new", "ni=" + wei, "ni=" + weiOld},
		{"the name in pinyin, in the other order", "name=王晓雯 born=1980-05-06", "name=Xiaowen_Wang born=1980-05-06"},
		{"the phone", "phone=13855512345", "phone=+8613855512345"},
		{"a line at home with its area code", "phone=0551-62345671", "phone=62345671"},
		{"the birth day mistyped", "name=欧阳晓雯 born=1980-05-06", "name=欧阳晓雯 born=1980-05-16"},
		{"the given name mistyped", "name=欧阳晓雯 born=1980-05-06", "name=欧阳小凡 born=1980-05-06"},
		{"a mother's phone", "name=张丽之子 born=2026-05-06 phone=13855512345", "name=王一 born=2026-05-06 phone=13855512345"},
	} {
		a, b := who(t, m, c.a), who(t, m, c.b)
		if x, y := m.Keys(&a), m.Keys(&b); !slices.ContainsFunc(x, func(k string) bool { return slices.Contains(y, k) }) {
			t.Errorf("%s: %v and %v", c.name, x, y)
		}
	}
	common := who(t, m, "name=张伟 born=1980-05-06")
	for _, key := range m.Keys(&common) {
		if strings.HasPrefix(key, "y|") {
			t.Errorf("a common name has the key %s, which many share", key)
		}
	}
}

func TestGroupsDoNotHoldTwoNumbersUnlessOneIsKnownAsOld(t *testing.T) {
	m := model(t)
	first, second := who(t, m, "name=张伟 ni="+wei), who(t, m, "name=张伟 ni="+wei2)
	between := who(t, m, "name=张伟 phone=13855512345")
	tells := who(t, m, "name=张伟 ni="+wei2+" ni-old="+wei)
	if got := m.Clashes([]*identity.Traits{&first, &between, &second}); len(got) != 1 || got[0] != (identity.Clash{A: 0, B: 2, Reason: "different-citizen-numbers"}) {
		t.Errorf("two numbers by way of a third record: %v", got)
	}
	if got := m.Clashes([]*identity.Traits{&first, &tells, &second}); len(got) != 0 {
		t.Errorf("a number that one tells to be old: %v", got)
	}
}

func TestProjectionAddsKeysToPatientsOnly(t *testing.T) {
	m := model(t)
	p := fhir.NewProjection(nil).With(m.Terms)
	blocked := func(typ string) bool {
		entry, err := p.Project(&hub.Record{Name: hub.Name{Type: typ, ID: "1"}, Body: []byte(`{"resourceType":"` + typ + `","id":"1","telecom":[{"system":"phone","value":"13855512345"}]}`)})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(entry.Terms, hub.Term{Param: identity.KeyParam, Kind: hub.Exact, Text: "p|13855512345"})
	}
	if !blocked("Patient") || blocked("Practitioner") {
		t.Error("a Patient has keys, a Practitioner has none")
	}
}

func TestEveryRuleAndLevelHasWords(t *testing.T) {
	for _, rule := range identity.Rules() {
		if w := identity.RuleText(rule); w.Chinese == rule {
			t.Errorf("rule %s has no wording", rule)
		}
	}
	for _, field := range identity.FieldNames() {
		for _, level := range identity.LevelNames(field) {
			if w := (identity.Point{Field: field, Level: level}).Text(); w.Chinese == field+" "+level || w.English == "" {
				t.Errorf("%s %s has no wording", field, level)
			}
		}
	}
}

func FuzzComparisonIsSymmetric(f *testing.F) {
	k := 0
	var last []byte
	for r := range people.Records(people.Options{Seed: 11, People: 40}) {
		if k++; k%3 == 0 {
			f.Add(string(last), string(r.Body))
		}
		last = r.Body
	}
	f.Add(`{"name":[{"text":"·"},{"family":"","given":[""]}],"birthDate":"0000-00-00"}`, `{"birthDate":"2000-13-45","telecom":[{"value":"+"}]}`)
	f.Add(`{"name":{"text":"之子"},"identifier":{"value":"X"},"address":{"text":"市市市市1号"}}`, `{"name":[{"text":"张丽之子"}],"address":[{"text":"1"}]}`)
	m := model(f)
	f.Fuzz(func(t *testing.T, x, y string) {
		one, err := fhir.Parse([]byte(x), fhir.Limits{})
		if err != nil {
			return
		}
		other, err := fhir.Parse([]byte(y), fhir.Limits{})
		if err != nil {
			return
		}
		a, b := m.Traits(one.Root()), m.Traits(other.Root())
		symmetric(t, m, &a, &b)
		if r1, c1 := m.Contradiction(&a, &b); c1 {
			if r2, c2 := m.Contradiction(&b, &a); !c2 || r1 != r2 {
				t.Fatal("a contradiction in one order only")
			}
			if m.Compare(&a, &b).Verdict == identity.Link {
				t.Fatal("a contradiction is linked")
			}
		}
		for _, key := range m.Keys(&a) {
			if len(key) > 2000 {
				t.Fatalf("a key of %d bytes", len(key))
			}
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	m := model(b)
	x := who(b, m, "name=王晓雯 born=1980-05-06 sex=female phone=13855512345 at="+home)
	y := who(b, m, "name=王小文 born=1980-06-05 sex=female phone=13855512354 at=长江西路42号阳光花园3-2-1203")
	b.ReportAllocs()
	for b.Loop() {
		m.Compare(&x, &y)
	}
}
