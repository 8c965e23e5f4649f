package hl7map

import (
	"strings"
	"testing"
	"time"

	"concord/internal/hl7"
)

// frame is a message type with one patient rule, whose body is filled in.
const frame = `
tables:
  sex: {map: {M: male, F: female}}
  sure: {map: {M: male}, default: unknown}
  flag: {system: "http://s", map: {H: {code: H, display: High}}}
templates:
  CX: {$type: Identifier, value: .1, system: .4 | authority}
  Name: {$type: HumanName, family: .1, given: [.2, .3]}
  Own: {$type: CodeableConcept, coding: . | coding flag, text: .1}
resources:
  doctor:
    type: Practitioner
    when: .1
    id: [.1]
    display: ="{.3} {.2}"
    body: {name: {family: .2}}
  order:
    type: ServiceRequest
    for: ORDER
    id: [OBR-2]
    body: {status: =active, intent: =order, subject: '@patient'}
  patient:
    type: Patient
    for: PATIENT
    id: [PID-3.1]
    body:
      BODY
messages:
  adt:
    version: 1
    for: [ADT]
    groups:
      MESSAGE: {has: [MSH], holds: [PATIENT]}
      PATIENT: {begins: [PID], has: [NTE], holds: [ORDER]}
      ORDER: {begins: [ORC, OBR], has: [NTE], holds: [LINE]}
      LINE: {begins: [OBX], joins: {when: OBX-2 = TX, same: [OBX-3]}}
    resources: [patient, order]
`

const header = "MSH|^~\\&|A|B|C|D|20240102||ADT^A08|77|P|2.5\r"

func parse(t testing.TB, text string) *hl7.Message {
	t.Helper()
	m, err := hl7.Parse([]byte(text), hl7.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mapped(t *testing.T, body, segments string) *Result {
	t.Helper()
	body = strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n      ")
	rules := load(t, []File{{Name: "r.yaml", Data: []byte(strings.Replace(frame, "BODY", body, 1))}})
	res, err := rules.Map(parse(t, header+segments), Options{Member: "m", Zone: time.FixedZone("", 8*3600)})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestWhatTheLanguageSays(t *testing.T) {
	for name, c := range map[string]struct{ body, segments, want string }{
		"what belongs beside a date's value has a name of its own": {"birthDate: PID-7\n_birthDate: {extension: [{url: =http://x, valueDateTime: PID-7}]}", "PID|||1||||198002030405", `"birthDate":"1980-02-03","_birthDate":{"extension":[{"url":"http://x","valueDateTime":"1980-02-03T04:05:00+08:00"}]}`},
		"a time in minutes":                                   {"multipleBirthInteger: '=\"{PID-25} h\" | minutes'", "PID|||1||||||||||||||||||||||2", `"multipleBirthInteger":120`},
		"an element that repeats takes all repetitions":       {"identifier: PID-3 | CX", "PID|||1~2", `"identifier":[{"value":"1"},{"value":"2"}]`},
		"an element that does not takes the first that works": {"gender: PID-8 | table sex", "PID|||1|||||X~F", `"gender":"female"`},
		"a list of an element that repeats is all of it":      {"name: [PID-5 | Name, PID-9 | Name]", "PID|||1||A^B||||C", `"name":[{"family":"A","given":["B"]},{"family":"C"}]`},
		"a list of another is the first":                      {"birthDate: [PID-7, PID-29]", "PID|||1||||||||||||||||||||||||||2001", `"birthDate":"2001"`},
		"else is asked where nothing was made":                {"gender: PID-8 | table sex else =other", "PID|||1|||||X", `"gender":"other"`},
		"a date is as precise as it was said":                 {"birthDate: PID-7", "PID|||1||||198002", `"birthDate":"1980-02"`},
		"a day that is not known is left out":                 {"birthDate: PID-7", "PID|||1||||19800000", `"birthDate":"1980"`},
		"a time without a zone is in that of the options":     {"deceasedDateTime: PID-29", "PID|||1||||||||||||||||||||||||||20240102030405", `"deceasedDateTime":"2024-01-02T03:04:05+08:00"`},
		"a zone that was said stays":                          {"deceasedDateTime: PID-29", "PID|||1||||||||||||||||||||||||||202401020304-0500", `"deceasedDateTime":"2024-01-02T03:04:00-05:00"`},
		"a constant takes in paths":                           {`name: {text: '="{PID-5.2} {PID-5.1}"'}`, "PID|||1||A^B", `"name":[{"text":"B A"}]`},
		"an object of constants needs something of its own":   {"name: {use: =official, family: PID-5}", "PID|||1", ``},
		"an object of constants alone is made":                {"communication: {language: {text: =x}}", "PID|||1", `"communication":[{"language":{"text":"x"}}]`},
		"what an object needs must be made":                   {"name: {$need: family, family: PID-5.1, text: PID-5.2}", "PID|||1||^B", ``},
		"a condition keeps an object away":                    {"name: {$when: PID-8 in (M F) and not PID-9, family: PID-5}", "PID|||1||A|||X", ``},
		"a condition lets an object be":                       {"name: {$when: PID-8 in (M F) and not PID-9, family: PID-5}", "PID|||1||A|||F", `"name":[{"family":"A"}]`},
		"a pattern is compared with all of a value":           {`name: {$when: 'PID-5 matches "^[A-Z]\^"', family: PID-5}`, "PID|||1||A^b", `"name":[{"family":"A"}]`},
		"where filters repetitions":                           {"identifier: PID-3 where .5 = MR | CX", "PID|||1^^^^PI~2^^^^MR", `"identifier":[{"value":"2"}]`},
		"one repetition can be named":                         {"name: {family: 'PID-5[2].1'}", "PID|||1||A~B", `"name":[{"family":"B"}]`},
		"each segment makes an object":                        {"name: {$each: NTE, text: NTE-3}", "PID|||1\rNTE|||a\rNTE|||b", `"name":[{"text":"a"},{"text":"b"}]`},
		"lines are joined":                                    {"name: {text: NTE-3 | lines}", "PID|||1\rNTE|||a^b\rNTE|||c", `"name":[{"text":"a^b\nc"}]`},
		"segments below are named with their group":           {"name: {text: LINE/OBX-5 | join \"; \"}", "PID|||1\rOBR||9\rOBX||TX|c||x\rOBX||TX|c||y\rOBX||TX|d||z", `"name":[{"text":"x; y; z"}]`},
		"a switch chooses members":                            {"$switch: PID-8\n$cases: {M F: {active: true}, default: {active: false}}", "PID|||1|||||F", `"active":true`},
		"a switch has a default":                              {"$switch: PID-8\n$cases: {M F: {active: true}, default: {active: false}}", "PID|||1|||||Z", `"active":false`},
		"a rule on a value makes a reference":                 {"generalPractitioner: PID-9 | @doctor", "PID|||1||||||7^Li^W", `"generalPractitioner":[{"reference":"Practitioner/` + Name("m", "Practitioner", "7\x00").ID + `","display":"W Li"}]`},
		"a rule that does not apply leaves the display":       {"generalPractitioner: PID-9 | @doctor", "PID|||1||||||^Li^W", `"generalPractitioner":[{"display":"W Li"}]`},
		"an authority without a URI is the member's own":      {"identifier: PID-3 | CX", "PID|||1^^^Lab One", `"identifier":[{"value":"1","system":"urn:concord:member:m:lab-one"}]`},
		"an authority with an OID has it":                     {"identifier: PID-3 | CX", "PID|||1^^^L&1.2.3&ISO", `"identifier":[{"value":"1","system":"urn:oid:1.2.3"}]`},
		"a table's code has system and display":               {"maritalStatus: PID-16 | Own", "PID|||1|||||||||||||H", `"maritalStatus":{"coding":[{"system":"http://s","code":"H","display":"High"}],"text":"H"}`},
		"text is written as JSON":                             {"name: {text: PID-5}", "PID|||1||a\"b\\E\\c\\.br\\d", `"name":[{"text":"a\"b\\c\nd"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			res := mapped(t, c.body, c.segments)
			want := `{"resourceType":"Patient","id":"` + Name("m", "Patient", "1\x00").ID + `"`
			if c.want != "" {
				want += "," + c.want
			}
			if got := string(res.Resources[0].Body); got != want+"}" {
				t.Errorf("got  %s\nwant %s}", got, want)
			}
		})
	}
}

func TestReferencesFindTheNearest(t *testing.T) {
	res := mapped(t, "active: true", "PID|||1\rOBR||9\rPID|||2\rOBR||8")
	second := Name("m", "Patient", "2\x00").String()
	if got := string(res.Resources[3].Body); !strings.Contains(got, second) {
		t.Errorf("the second order is not the second patient's: %s", got)
	}
}

func TestWhatIsToldBesideTheResources(t *testing.T) {
	res := mapped(t, "gender: PID-8 | table sex\nbirthDate: PID-7\nname: {family: PID-5.1}\nidentifier: PID-3 | CX", "PID|||1||A^B||yesterday|X||\"\"~Q\rZZZ|1")
	if len(res.Unmapped) != 1 || res.Unmapped[0] != (Code{Place: "PID-8", Table: "sex", Code: "X"}) {
		t.Errorf("unmapped: %v", res.Unmapped)
	}
	if len(res.Faults) != 1 || res.Faults[0].Path != "PID-7" || strings.Contains(res.Faults[0].Error(), "yesterday") {
		t.Errorf("faults: %v", res.Faults)
	}
	got := strings.Join(res.Unread, " ")
	for _, place := range []string{"PID-5.2", "PID-7", "PID-8", "PID-10", "PID-10[2]", "ZZZ-1"} {
		if !strings.Contains(" "+got+" ", " "+place+" ") {
			t.Errorf("%s is not told as unread: %s", place, got)
		}
	}
	if strings.Contains(got, "PID-5.1") || strings.Contains(got, "PID-3") {
		t.Errorf("what was read is told as unread: %s", got)
	}
}

func TestTheNullValueClears(t *testing.T) {
	res := mapped(t, "gender: PID-8 | table sex\nbirthDate: PID-7", `PID|||1||||""|F`)
	if c := res.Resources[0].Cleared; len(c) != 1 || c[0] != "birthDate" {
		t.Errorf("cleared: %v", c)
	}
}

func TestAMembersRulesAreLaidOverTheOthers(t *testing.T) {
	base := File{Name: "r.yaml", Data: []byte(strings.Replace(frame, "BODY", "gender: PID-8 | table sex\n      name: PID-5 | Name", 1))}
	own := File{Name: "m.yaml", Member: "m", Data: []byte("tables: {sex: {map: {'1': male}}}\ntemplates: {Name: {given: null, text: .1}}\nmessages: {adt: {version: 2-m, for+: [SIU]}}")}
	rules := load(t, []File{base, own})
	m := parse(t, header+"PID|||1||A^B|||1")
	of := func(member string) *Result {
		res, err := rules.Map(m, Options{Member: member})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if got := string(of("m").Resources[0].Body); !strings.HasSuffix(got, `"gender":"male","name":[{"family":"A","text":"A"}]}`) {
		t.Errorf("the member's own: %s", got)
	}
	if got := string(of("n").Resources[0].Body); !strings.HasSuffix(got, `"name":[{"family":"A","given":["B"]}]}`) {
		t.Errorf("another's: %s", got)
	}
	if a, b := of("m"), of("n"); !strings.HasPrefix(a.Rules, "adt@2-m+") || !strings.HasPrefix(b.Rules, "adt@1+") || a.Resources[0].Name == b.Resources[0].Name {
		t.Errorf("versions %s and %s, names %v and %v", a.Rules, b.Rules, a.Resources[0].Name, b.Resources[0].Name)
	}
}

func TestWrongRulesAreRefusedWithTheirLine(t *testing.T) {
	for name, c := range map[string]struct{ body, path, say string }{
		"a code that the element may not have":    {"gender: =man", "r.yaml:27", `Patient.gender has no code "man"`},
		"a table with such a code":                {"gender: PID-8 | table flag", "r.yaml:27", `Patient.gender has no code "H"`},
		"an element that FHIR does not have":      {"birthday: PID-7", "r.yaml:27", "Patient.birthday is no element"},
		"a step that there is not":                {"birthDate: PID-7 | backwards", "r.yaml:27", `no step or template is called "backwards"`},
		"a table that there is not":               {"gender: PID-8 | table nosuch", "r.yaml:27", `no table is called "nosuch"`},
		"a path that is none":                     {"gender: PID8", "r.yaml:27", `"PID8" is no path`},
		"a template of another type":              {"address: PID-11 | CX", "r.yaml:27", "makes a Identifier, and this is a Address"},
		"text where an object is due":             {"name: PID-5", "r.yaml:27", "this is a HumanName"},
		"a word with a $ that there is not":       {"name: {$when: PID-8, family: PID-5, $if: x}", "r.yaml:27", `there is no "$if"`},
		"a comparison with nothing":               {"name: {$when: PID-8 =, family: PID-5}", "r.yaml:27", "is followed by a word"},
		"a need that is no member":                {"name: {$need: given, family: PID-5}", "r.yaml:27", `needs "given"`},
		"an element that is there twice":          {"active: true\n      active: false", "r.yaml:28", "twice"},
		"a reference to a rule that there is not": {"generalPractitioner: '@nobody'", "r.yaml:27", `no resource rule is called "nobody"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load([]File{{Name: "r.yaml", Data: []byte(strings.Replace(frame, "BODY", c.body, 1))}})
			if err == nil {
				t.Fatal("the rules are taken")
			}
			if got := err.Error(); !strings.HasPrefix(got, c.path) || !strings.Contains(got, c.say) {
				t.Errorf("it says %s", got)
			}
		})
	}
}

func TestTemplatesThatUseThemselvesEnd(t *testing.T) {
	if _, err := Load([]File{{Name: "a.yaml", Data: []byte("templates: {A: {$type: Extension, $use: B}, B: {$type: Extension, $use: A}}")}}); err == nil {
		t.Error("a circle of templates is taken")
	}
	rules := load(t, []File{{Name: "r.yaml", Data: []byte(strings.Replace(strings.Replace(frame, "BODY", "extension: PID-5 | Deep", 1),
		"templates:", "templates:\n  Deep: {$type: Extension, url: =x, valueString: .1, extension: . | Deep}", 1))}})
	if _, err := rules.Map(parse(t, header+"PID|||1||A"), Options{}); err != nil {
		t.Error(err)
	}
}

func TestNumbersAndBounds(t *testing.T) {
	for text, want := range map[string][4]string{
		"3.5-5.5":      {"", "", "3.5", "5.5"},
		"3.5 – 5.5 mg": {"", "", "3.5", "5.5"},
		"4.3 to 6.2":   {"", "", "4.3", "6.2"},
		"-2--1":        {"", "", "-2", "-1"},
		"<0.5":         {"<", "0.5", "", "0.5"},
		"≥10":          {">=", "10", "10", ""},
		"negative":     {"", "", "", ""},
		"12":           {"", "12", "", ""},
	} {
		c, n := compared(text)
		low, high := bounds(text)
		if got := [4]string{c, n, low, high}; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"+5": "5", ".5": "0.5", "5.": "5", "007": "7", "-.50": "-0.50", "0": "0", "1e5": "1e5"} {
		if got, ok := decimal(text); got != want || !ok {
			t.Errorf("%s is written %s (%v), want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-", "1.2.3", "1,5", "0x1", strings.Repeat("1", 200)} {
		if got, ok := decimal(text); ok {
			t.Errorf("%s is taken as %s", text, got)
		}
	}
}
