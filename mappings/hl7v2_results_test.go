package mappings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/internal/fhir"
	"concord/internal/hl7"
	"concord/internal/hl7map"
)

// result maps an ORU^R01 with these segments behind its header and patient.
func result(t *testing.T, segments ...string) *hl7map.Result {
	t.Helper()
	rules, err := HL7v2()
	if err != nil {
		t.Fatal(errorLines(err))
	}
	text := "MSH|^~\\&|LIS|LAB|HUB|C|20240102030405||ORU^R01^ORU_R01|1|P|2.5\rPID|1||7^^^H^MR||Li^Wei\r" + strings.Join(segments, "\r")
	m, err := hl7.Parse([]byte(text), hl7.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := rules.Map(m, hl7map.Options{Member: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// bodies are those that a rule made.
func bodies(t *testing.T, res *hl7map.Result, rule string) (list []fhir.Value) {
	t.Helper()
	for _, r := range res.Resources {
		doc, err := fhir.Parse(r.Body, fhir.Limits{})
		if err == nil {
			err = doc.Check()
		}
		if err != nil {
			t.Fatalf("%s: %v", r.Body, err)
		}
		if r.Rule == rule {
			list = append(list, doc.Root())
		}
	}
	return list
}

const panel = "OBR|1|P1^CIS|F1^LIS|CBC^Blood count^99LIS|||20240102080000|||||||||||||||20240102090000|||F"

func TestWhatObservationsSay(t *testing.T) {
	for name, c := range map[string]struct{ obx, want string }{
		"a number with its unit and range":            {"OBX|1|NM|a||5.30|mmol/L|3.9-6.1|N|||F", `"referenceRange":[{"low":{"unit":"mmol/L","value":3.9},"high":{"unit":"mmol/L","value":6.1},"text":"3.9-6.1"}],"valueQuantity":{"unit":"mmol/L","value":5.30}`},
		"a unit in UCUM is a code":                    {"OBX|1|NM|a||5|mmol/L^^UCUM||||F", `"valueQuantity":{"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L","value":5}`},
		"a number with a comparator":                  {"OBX|1|NM|a||<0.01||||||F", `"valueQuantity":{"comparator":"<","value":0.01}`},
		"a number that is none is text":               {"OBX|1|NM|a||溶血||||||F", `"valueString":"溶血"`},
		"a structured number with a comparator":       {"OBX|1|SN|a||>^11.0||||||F", `"valueQuantity":{"comparator":">","value":11.0}`},
		"a structured range":                          {"OBX|1|SN|a||^1^-^2||||||F", `"valueRange":{"low":{"value":1},"high":{"value":2}}`},
		"a titre":                                     {"OBX|1|SN|a||^1^:^128||||||F", `"valueRatio":{"numerator":{"value":1},"denominator":{"value":128}}`},
		"a structured number that is neither":         {"OBX|1|SN|a||^2^+||||||F", `"valueString":"2 +"`},
		"a code with a local one beside it":           {"OBX|1|CWE|a||1^Neg^SCT^N^Negative^L||||||F", `"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"1","display":"Neg"},{"system":"urn:concord:member:lab:l","code":"N","display":"Negative"}],"text":"Neg"}`},
		"a time":                                      {"OBX|1|TS|a||20240102||||||F", `"valueDateTime":"2024-01-02"`},
		"text keeps what its sender forgot to escape": {"OBX|1|ST|a||a^b & c||||||F", `"valueString":"a^b & c"`},
		"a flag as the laboratory's word":             {"OBX|1|NM|a||5|||↑|||F", `"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"H","display":"High"}],"text":"↑"}]`},
		"a result that was wrong":                     {"OBX|1|NM|a||5||||||W", `"status":"entered-in-error"`},
		"a corrected result":                          {"OBX|1|NM|a||5||||||C", `"status":"corrected"`},
		"a result without a status has its order's":   {"OBX|1|NM|a||5", `"status":"final"`},
	} {
		t.Run(name, func(t *testing.T) {
			list := bodies(t, result(t, panel, c.obx), "observation")
			if len(list) != 1 || !strings.Contains(string(list[0].Compact()), c.want) {
				t.Errorf("got  %s\nwant %s", list[0].Compact(), c.want)
			}
		})
	}
}

func TestLinesOfTextAreOneObservation(t *testing.T) {
	res := result(t, panel, "OBX|1|TX|a||line 1||||||F", "OBX|2|TX|a||line 2~line 3||||||F", "NTE|1||noted", "OBX|3|TX|b||other||||||F")
	list := bodies(t, res, "observation")
	if len(list) != 2 || list[0].Get("valueString").Text() != "line 1\nline 2\nline 3" {
		t.Fatalf("%d observations, the first says %q", len(list), list[0].Get("valueString").Text())
	}
	if got := string(list[0].Get("note").Compact()); got != `[{"text":"noted"}]` {
		t.Errorf("the note: %s", got)
	}
	if n := len(bodies(t, res, "report")); n != 1 {
		t.Errorf("%d reports", n)
	}
}

func TestACorrectionSaysTheSameThingsAnew(t *testing.T) {
	names := func(res *hl7map.Result) (names []string, part string) {
		for _, r := range res.Resources {
			if r.Rule == "observation" || r.Rule == "report" {
				names, part = append(names, r.Name.String()), r.Part
				if r.At.IsZero() {
					t.Errorf("%s: it is not said when it became so", r.Rule)
				}
			}
		}
		return names, part
	}
	first, part := names(result(t, panel, "OBX|1|NM|a|1|5", "OBX|2|NM|a|2|6"))
	again, partAgain := names(result(t, strings.TrimSuffix(panel, "F")+"C", "OBX|9|NM|a^another word|2|7||||||C", "OBX|8|NM|a|1|5||||||C"))
	if part == "" || part != partAgain || first[0] != again[0] {
		t.Errorf("the reports are %s in %q and %s in %q", first[0], part, again[0], partAgain)
	}
	if first[1] != again[2] || first[2] != again[1] {
		t.Errorf("the observations are %v, then %v", first[1:], again[1:])
	}
}

func TestTheSameCodeTwiceIsTwoObservations(t *testing.T) {
	res := result(t, panel, "OBX|1|NM|a||5", "OBX|2|NM|a||6")
	list := bodies(t, res, "observation")
	if len(list) != 2 || list[0].Get("id").Text() == list[1].Get("id").Text() {
		t.Error("one was lost")
	}
}

func lengthOf(v fhir.Value) (n int) {
	for range v.Items() {
		n++
	}
	return n
}

func TestEachPanelHasItsOwn(t *testing.T) {
	res := result(t, panel, "OBX|1|NM|a||5", "SPM|1|S1||BLD", strings.Replace(panel, "F1^LIS|CBC", "F2^LIS|BMP", 1), "OBX|1|NM|b||6", "OBX|2|NM|c||7")
	reports := bodies(t, res, "report")
	if len(reports) != 2 || lengthOf(reports[0].Get("result")) != 1 || lengthOf(reports[1].Get("result")) != 2 {
		t.Fatalf("%d reports", len(reports))
	}
	if lengthOf(reports[0].Get("specimen")) != 1 || reports[1].Get("specimen").Kind() != fhir.Absent {
		t.Error("the specimen is not the first panel's alone")
	}
}

func TestAnEmbeddedDocumentIsServedFromABinary(t *testing.T) {
	res := result(t, panel, "OBX|1|ED|rep^Report||LIS^AP^PDF^Base64^JVBERi0xLjQK||||||F", "OBX|2|ED|cda^CDA||^TEXT^x-hl7-cda-level-one^A^<ClinicalDocument/>||||||F")
	binaries, documents, report := bodies(t, res, "body"), bodies(t, res, "document"), bodies(t, res, "report")[0]
	if len(binaries) != 2 || len(documents) != 2 || len(bodies(t, res, "observation")) != 0 {
		t.Fatalf("%d binaries, %d documents", len(binaries), len(documents))
	}
	if binaries[0].Get("data").Text() != "JVBERi0xLjQK" || binaries[0].Get("contentType").Text() != "application/pdf" || binaries[1].Get("contentType").Text() != "application/xml" {
		t.Errorf("%s %s", binaries[0].Compact(), binaries[1].Compact())
	}
	i := 0
	for form := range report.Get("presentedForm").Items() {
		url := "Binary/" + binaries[i].Get("id").Text()
		if form.Get("url").Text() != url || !strings.Contains(string(documents[i].Compact()), `"url":"`+url+`"`) {
			t.Errorf("%s is not what report and document name", url)
		}
		i++
	}
	if i != 2 {
		t.Errorf("the report has %d forms", i)
	}
}

func TestAFolderOfMappingsIsFollowed(t *testing.T) {
	folder := t.TempDir()
	now, warned := time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC), 0
	write := func(name, text string) {
		t.Helper()
		now = now.Add(time.Minute)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(folder, name), now, now); err != nil {
			t.Fatal(err)
		}
	}
	f, err := FollowHL7v2(folder, time.Second, func() time.Time { return now }, func(error) { warned++ })
	if err != nil {
		t.Fatal(err)
	}
	gender := func(member string) string {
		m, err := hl7.Parse([]byte("MSH|^~\\&|A|B|C|D|20240102||ADT^A08|1|P|2.5\rPID|1||7||Li|||Q"), hl7.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := f.Rules().Map(m, hl7map.Options{Member: member})
		if err != nil {
			t.Fatal(err)
		}
		return bodies(t, res, "patient")[0].Get("gender").Text()
	}
	if got := gender("a"); got != "unknown" {
		t.Errorf("at first %s", got)
	}
	write("own.yaml", "tables: {administrative-gender: {map: {Q: other}}}")
	write("members/a.yaml", "tables: {administrative-gender: {map: {Q: female}}}")
	if a, b := gender("a"), gender("b"); a != "female" || b != "other" {
		t.Errorf("the member's %s, everybody's %s", a, b)
	}
	write("own.yaml", "tables: {administrative-gender: {maps: {}}}")
	if a := gender("a"); a != "female" || warned != 1 {
		t.Errorf("with wrong rules %s, warned %d times", a, warned)
	}
	if gender("a"); warned != 1 {
		t.Errorf("warned %d times of one state", warned)
	}
	if _, err := FollowHL7v2(folder, time.Second, time.Now, nil); !hub.Is(err, hub.Invalid) || !strings.Contains(err.Error(), "own.yaml:1") {
		t.Errorf("to begin with wrong rules: %v", err)
	}
}

func TestTheExamplesOfTheDocumentsAreRight(t *testing.T) {
	defaults, err := readRules(hl7v2Files, "hl7v2", "mappings/hl7v2")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../docs/mappings.md", "../docs/mappings.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		examples := strings.Split(string(text), "```yaml\n")[1:]
		if len(examples) != 2 {
			t.Fatalf("%s has %d examples", name, len(examples))
		}
		for i, one := range examples {
			body, _, _ := strings.Cut(one, "```")
			files := []hl7map.File{{Name: name, Member: "village-clinic", Data: []byte(body)}}
			if i == 0 {
				files = append(defaults, files...)
			} else {
				files[0].Member = ""
			}
			if _, err := hl7map.Load(files); err != nil {
				t.Errorf("example %d: %s", i+1, errorLines(err))
			}
		}
	}
}

const (
	culture = "OBR|1|P1^CIS|F1^LIS|CULT^Culture^99LIS|||20240102080000|||||||||||||||20240102090000|||F\r" +
		"OBX|1|CE|ORG^Organism^99LIS|1|112283007^Escherichia coli^SCT||||||F\rOBX|2|CE|ORG^Organism^99LIS|2|3092008^Staphylococcus aureus^SCT||||||F"
	sensitivity = "|SENS^Susceptibility^99LIS|||20240102080000|||||||||||||||20240102090000|||F|ORG&Organism&99LIS^2^x|||"
)

func TestResultsNameTheResultTheyWereMadeFrom(t *testing.T) {
	for name, order := range map[string]string{
		"by the filler's number of its order":              "OBR|2|P2^CIS|F2^LIS" + sensitivity + "P1&CIS^F1&LIS",
		"by the placer's number alone":                     "OBR|2|P2^CIS|F2^LIS" + sensitivity + "P1&CIS",
		"without an order's number":                        "OBR|2|P2^CIS|F2^LIS" + sensitivity,
		"where parent and child have one number":           "OBR|2|P1^CIS|F1^LIS" + sensitivity + "P1&CIS^F1&LIS",
		"where the child stands before its parent":         "",
		"by what it is named where another order is meant": "OBR|2|P2^CIS|F2^LIS" + sensitivity + "P9&CIS^F9&LIS",
		"by what it is named where its message is another": "OBR|2|P2^CIS|F2^LIS" + strings.Replace(sensitivity, "^2^x", "^7^x", 1) + "P1&CIS",
		"by its code where nothing else is told":           "OBR|2|P2^CIS|F2^LIS" + strings.Replace(sensitivity, "ORG&Organism&99LIS^2^x", "ISO&Isolate", 1),
	} {
		t.Run(name, func(t *testing.T) {
			child := order + "\rOBX|1|SN|OXA^Oxacillin^99LIS||<^0.5||||||F"
			segments := []string{culture, child}
			if order == "" {
				segments = []string{"OBR|2|P2^CIS|F2^LIS" + sensitivity + "P1&CIS^F1&LIS" + child, culture}
			}
			var parent, oxacillin fhir.Value
			for _, o := range bodies(t, result(t, segments...), "observation") {
				switch text := o.Get("code").Get("text").Text() + string(o.Get("valueCodeableConcept").Compact()); {
				case strings.HasPrefix(text, "Oxacillin"):
					oxacillin = o
				case strings.Contains(text, "aureus"):
					parent = o
				case o.Get("hasMember").Kind() != fhir.Absent:
					t.Errorf("another isolate has members: %s", o.Compact())
				}
			}
			want := `[{"reference":"Observation/` + parent.Get("id").Text() + `"}]`
			named, elsewhere := map[string]string{
				"by what it is named where another order is meant": "ORG|2|F9",
				"by what it is named where its message is another": "ORG|7|P1",
				"by its code where nothing else is told":           "ISO||",
			}[name]
			if elsewhere {
				want = `[{"type":"Observation","identifier":{"system":"urn:concord:hl7v2:parent-result","value":"` + named + `"}}]`
			}
			if got := string(oxacillin.Get("derivedFrom").Compact()); got != want {
				t.Errorf("derivedFrom is %s, not %s", got, want)
			}
			members := `[{"reference":"Observation/` + oxacillin.Get("id").Text() + `"}]`
			if got := string(parent.Get("hasMember").Compact()); (got == members) != (!elsewhere && strings.Contains(order+segments[0], "F1&LIS")) {
				t.Errorf("hasMember is %s", got)
			}
		})
	}
}

func TestAParentOrderIsTheOneOfTheMessage(t *testing.T) {
	res := result(t, culture, "OBR|2|P2^CIS|F2^LIS"+sensitivity+"^F1&LIS\rOBX|1|ST|a||x||||||F")
	orders := bodies(t, res, "service-request")
	want := `[{"reference":"ServiceRequest/` + orders[0].Get("id").Text() + `"}]`
	if got := string(orders[1].Get("basedOn").Compact()); got != want || len(bodies(t, res, "parent-order")) > 0 {
		t.Errorf("basedOn is %s, not %s", got, want)
	}
	same := bodies(t, result(t, "OBR|2|P1^CIS|F1^LIS"+sensitivity+"P1&CIS^F1&LIS\rOBX|1|ST|a||x||||||F"), "service-request")
	if len(same) != 1 || same[0].Get("basedOn").Kind() != fhir.Absent {
		t.Errorf("an order is based on itself: %s", same[0].Compact())
	}
}

func TestAVisitIsMovedToThePatientWhoseItIs(t *testing.T) {
	rules, err := HL7v2()
	if err != nil {
		t.Fatal(errorLines(err))
	}
	encounters := func(text string) (list []fhir.Value, patient string) {
		m, err := hl7.Parse([]byte("MSH|^~\\&|HIS|H|HUB|C|20240102030405||"+text), hl7.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := rules.Map(m, hl7map.Options{Member: "lab"})
		if err != nil {
			t.Fatal(err)
		}
		return append(bodies(t, res, "encounter"), bodies(t, res, "moved-encounter")...), bodies(t, res, "patient")[0].Get("id").Text()
	}
	const wrong, right = "PID|1||7^^^H^MR||Li^Wei\r", "PID|1||8^^^H^MR||Li^Wei\r"
	before, first := encounters("ADT^A01^ADT_A01|1|P|2.5\rEVN||20240102\r" + wrong + "PV1|1|I|W1||||||||||||||||V9^^^H")
	for name, visit := range map[string]string{"told by MRG alone": "", "told with PV1": "PV1|1|I|W1||||||||||||||||V9^^^H"} {
		after, second := encounters("ADT^A45^ADT_A45|2|P|2.5\rEVN||20240103\r" + right + "MRG|7^^^H^MR||||V9^^^H\r" + visit)
		for _, e := range after {
			if e.Get("id").Text() != before[0].Get("id").Text() || e.Get("subject").Get("reference").Text() != "Patient/"+second {
				t.Errorf("%s: the visit of %s came out as %s", name, first, e.Compact())
			}
		}
		if len(after) == 0 {
			t.Errorf("%s: no visit", name)
		}
	}
}

func TestStaffAreWhomOrdersName(t *testing.T) {
	rules, err := HL7v2()
	if err != nil {
		t.Fatal(errorLines(err))
	}
	m, err := hl7.Parse([]byte("MSH|^~\\&|HIS|H|HUB|C|20240102030405||MFN^M02^MFN_M02|1|P|2.5\rMFI|STF||UPD|||AL\rMFE|MAD|1|20240101|D7\r"+
		"STF|D7|D7^^^H^EI|Wang^Fang|P|F|19800102|A|||^PRN^PH^^^010^5551234|||||wang@h.example\rPRA|D7|Surgery|MD^Doctor|I|Surgery^Board\r"+
		"MFE|MDL|2|20240101|D8\rSTF|D8|D8^^^H^EI|Li^Na|P|F"), hl7.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := rules.Map(m, hl7map.Options{Member: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	staff := bodies(t, res, "staff")
	if len(staff) != 2 || staff[0].Get("active").Text() != "true" || staff[1].Get("active").Text() != "false" || !strings.Contains(string(staff[0].Compact()), "wang@h.example") {
		t.Fatalf("the staff is %v", staff)
	}
	named := bodies(t, result(t, "OBR|1|P1|F1|CBC^Blood count^99LIS||||||||||||D7^Wang^Fang^^^^^^H^^^^EI|||||||||F\rOBX|1|NM|a||1||||||F"), "practitioner")
	if len(named) != 1 || named[0].Get("id").Text() != staff[0].Get("id").Text() {
		t.Errorf("the order names %v", named)
	}
	if roles := bodies(t, res, "staff-role"); len(roles) != 1 || !strings.Contains(string(roles[0].Compact()), "Practitioner/"+staff[0].Get("id").Text()) {
		t.Errorf("the roles are %v", roles)
	}
}

func TestAQuestionIsToldWhereItIsAnswered(t *testing.T) {
	rules, err := HL7v2()
	if err != nil {
		t.Fatal(errorLines(err))
	}
	m, err := hl7.Parse([]byte("MSH|^~\\&|HIS|H|HUB|C|20240102030405||QBP^Q22|1|P|2.5\rQPD|Q22"), hl7.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.Map(m, hl7map.Options{Member: "lab"}); !hub.Is(err, hub.Unsupported) || !strings.Contains(err.Error(), "FHIR") {
		t.Errorf("a query ends with %v", err)
	}
}

func TestADocumentWhoseBytesCannotBeReadIsAFault(t *testing.T) {
	for name, c := range map[string]struct{ value, fault string }{
		"base64":              {"^application^pdf^Base64^JVBERi0=", ""},
		"base64 that is none": {"^application^pdf^Base64^!!!", "this is no base64"},
		"base64 cut short":    {"^application^pdf^Base64^JVBERi0xL", "this is no base64"},
		"hexadecimal":         {"^IM^JPEG^Hex^FFD8FF", ""},
		"half a byte":         {"^IM^JPEG^Hex^FFD8F", "this is no hexadecimal"},
		"no bytes at all":     {"^application^pdf^Base64^", ""},
	} {
		t.Run(name, func(t *testing.T) {
			res := result(t, "OBR|1||F1|R^Report|||20240102080000|||||||||||||||20240102090000|||F\rOBX|1|ED|D^Document||"+c.value+"||||||F")
			var got string
			for _, f := range res.Faults {
				got += f.Path + " " + f.Msg
			}
			want := c.fault
			if want != "" {
				want = "OBX-5.5 " + want
			}
			if got != want {
				t.Errorf("the faults are %q, not %q", got, want)
			}
		})
	}
}

func TestAnOrderWithoutAStatusHasThatOfItsControl(t *testing.T) {
	for name, c := range map[string]struct {
		segments, status string
		guessed          bool
	}{
		"a new order":                         {"ORC|NW|P1\rOBR|1|P1||GLU", "active", true},
		"a cancelled order":                   {"ORC|CA|P1\rOBR|1|P1||GLU", "revoked", false},
		"an order that waits":                 {"ORC|HD|P1\rOBR|1|P1||GLU", "on-hold", false},
		"an order that goes on":               {"ORC|RL|P1\rOBR|1|P1||GLU", "active", false},
		"results tell nothing of it":          {"ORC|RE|P1\rOBR|1|P1||GLU", "unknown", true},
		"its own status comes first":          {"ORC|NW|P1|||CM\rOBR|1|P1||GLU", "completed", false},
		"and that of its results before this": {"ORC|NW|P1\rOBR|1|P1||GLU|||||||||||||||||||||F", "completed", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range result(t, c.segments).Resources {
				if r.Rule != "service-request" {
					continue
				}
				if !strings.Contains(string(r.Body), `"status":"`+c.status+`"`) || (len(r.Yields) > 0) != c.guessed {
					t.Errorf("want %s, guessed %t; is %s, yields %v", c.status, c.guessed, r.Body, r.Yields)
				}
			}
		})
	}
}

func TestAMergeLinksBothPatients(t *testing.T) {
	rules, err := HL7v2()
	if err != nil {
		t.Fatal(errorLines(err))
	}
	m, err := hl7.Parse([]byte("MSH|^~\\&|HIS|H|||20240102030405||ADT^A40^ADT_A39|1|P|2.5\rEVN|A40|20240102\rPID|1||7^^^H^MR||Li^Wei\rMRG|5^^^H^MR\r"), hl7.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := rules.Map(m, hl7map.Options{Member: "ward"})
	if err != nil {
		t.Fatal(err)
	}
	ids, links := map[string]string{}, map[string]string{}
	for _, r := range res.Resources {
		doc, err := fhir.Parse(r.Body, fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Root().Get("identifier").Items() {
			ids[n.Get("value").Text()] = "Patient/" + r.Name.ID
		}
		for l := range doc.Root().Get("link").Items() {
			links[l.Get("type").Text()] = "Patient/" + r.Name.ID + " " + l.Get("other").Get("reference").Text()
		}
	}
	if want := ids["7"] + " " + ids["5"]; links["replaces"] != want {
		t.Errorf("the surviving patient's link is %q, not %q", links["replaces"], want)
	}
	if want := ids["5"] + " " + ids["7"]; links["replaced-by"] != want {
		t.Errorf("the merged patient's link is %q, not %q", links["replaced-by"], want)
	}
}
