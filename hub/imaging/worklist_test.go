package imaging

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/fhir"
)

func value(t *testing.T, text string) fhir.Value {
	t.Helper()
	doc, err := fhir.Parse([]byte(text), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

func orderOf(t *testing.T, request string, tasks ...string) *order {
	t.Helper()
	o := &order{record: &hub.Record{Name: hub.Name{Type: "ServiceRequest", ID: "o1"}, Member: "village", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		resource: value(t, request), consortium: "c", related: map[string]fhir.Value{}}
	for i, task1 := range tasks {
		o.tasks = append(o.tasks, task{"t" + string(rune('1'+i)), value(t, task1)})
	}
	return o
}

// text is the first value at a path of tags through items.
func text(body []byte, path ...dicom.Tag) string {
	for a := range dicom.Attributes(body) {
		if a.Tag != path[0] {
			continue
		}
		if len(path) == 1 {
			return strings.Join(a.Strings(), `\`)
		}
		for item := range a.Items() {
			return text(item, path[1:]...)
		}
	}
	return ""
}

func TestAnOrderIsAWorklistItem(t *testing.T) {
	o := orderOf(t, `{"resourceType":"ServiceRequest","status":"active","priority":"stat","subject":{"reference":"Patient/p"},
		"identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"ACSN"}]},"value":"A1"},
			{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"PLAC"}]},"value":"P1"},
			{"system":"urn:dicom:uid","value":"urn:oid:1.2.3.4"}],
		"code":{"coding":[{"system":"http://loinc.org","code":"30746-2","display":"CT chest"}],"text":"胸部CT\\平扫"},
		"orderDetail":[{"coding":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"}]}],
		"occurrencePeriod":{"start":"2026-03-04T16:30:00Z","end":"2026-03-05T01:00:00+08:00"},
		"requester":{"reference":"Practitioner/d"},"performer":[{"reference":"Device/ct1"}],"reasonCode":[{"text":"咳嗽"}]}`)
	o.related["Patient/p"] = value(t, `{"resourceType":"Patient","name":[{"family":"王","given":["小东"]}],"gender":"male","birthDate":"1970-01-02","identifier":[
		{"system":"urn:id","value":"X1"},{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"value":"M1","assigner":{"display":"县医院"}}]}`)
	o.related["Practitioner/d"] = value(t, `{"resourceType":"Practitioner","name":[{"family":"Smith","given":["John","Paul"]}]}`)
	o.related["Device/ct1"] = value(t, `{"resourceType":"Device","identifier":[{"type":{"coding":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"110119"}]},"value":"CT1"}]}`)
	steps := o.steps()
	if len(steps) != 1 {
		t.Fatalf("%d steps", len(steps))
	}
	item := o.item(steps[0])
	for want, path := range map[string][]dicom.Tag{
		"Wang^Xiaodong=王^小东": {0x00100010}, "M1": {0x00100020}, "县医院": {0x00100021}, "19700102": {0x00100030}, "M": {0x00100040},
		"X1": {0x00101002, 0x00100020}, "A1": {0x00080050}, "1.2.3.4": {0x0020000D}, "P1": {0x00402016}, "STAT": {0x00401003},
		"胸部CT/平扫": {0x00321060}, "30746-2": {0x00321064, 0x00080100}, "LN": {0x00321064, 0x00080102}, "Smith^John^Paul": {0x00321032}, "咳嗽": {0x00401002},
		"CT1": {tagSteps, tagStation}, "20260305": {tagSteps, tagStart}, "003000": {tagSteps, 0x00400003}, "010000": {tagSteps, 0x00400005},
		"CT": {tagSteps, 0x00080060}, "SCHEDULED": {tagSteps, 0x00400020},
	} {
		if got := text(item, path...); got != want {
			t.Errorf("%v is %q, not %q", path, got, want)
		}
	}
}

func TestTasksAreTheStepsOfAnOrder(t *testing.T) {
	const request = `{"resourceType":"ServiceRequest","status":"active","authoredOn":"2026-01-01","code":{"text":"MRI"}}`
	task := func(status, more string) string {
		return `{"resourceType":"Task","status":"` + status + `","intent":"order"` + more + `}`
	}
	for _, c := range []struct {
		name  string
		tasks []string
		days  []string
	}{
		{"without tasks it is one step, on the day it was written", nil, []string{"20260101"}},
		{"each task that waits is a step", []string{task("requested", `,"executionPeriod":{"start":"2026-02-01"}`), task("accepted", `,"restriction":{"period":{"start":"2026-02-02"}}`)}, []string{"20260201", "20260202"}},
		{"what has begun or ended is none", []string{task("in-progress", ""), task("completed", ""), task("ready", "")}, []string{"20260101"}},
		{"an order whose tasks are all done has none", []string{task("completed", "")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var days []string
			for _, s := range orderOf(t, request, c.tasks...).steps() {
				days = append(days, s.start.Format("20060102"))
			}
			if strings.Join(days, " ") != strings.Join(c.days, " ") {
				t.Errorf("steps on %v, not on %v", days, c.days)
			}
		})
	}
}

func TestTheStudyOfAnOrderIsAlwaysTheSame(t *testing.T) {
	const request = `{"resourceType":"ServiceRequest"}`
	a, b := orderOf(t, request), orderOf(t, request)
	if uid := a.studyUID(); uid != b.studyUID() || dicom.CheckUID("", uid) != nil || !strings.HasPrefix(uid, "2.25.") {
		t.Errorf("%q and %q", uid, b.studyUID())
	}
	b.consortium = "another"
	if a.studyUID() == b.studyUID() {
		t.Error("two consortia give one UID")
	}
}

func TestModalitiesAreReadFromWords(t *testing.T) {
	for words, want := range map[string]string{"胸部CT平扫": "CT", "active contact": "", "颅脑磁共振平扫": "MR", "Chest X-ray": "DX", "B超": "US", "PET-CT": "PT", "血常规": ""} {
		o := orderOf(t, `{"resourceType":"ServiceRequest","code":{"text":"`+words+`"}}`)
		if got := o.modality(step{}); got != want {
			t.Errorf("%s is %q, not %q", words, got, want)
		}
	}
}

func TestNamesOfPeople(t *testing.T) {
	for _, c := range []struct{ name, json, want string }{
		{"Latin", `[{"family":"Smith","given":["John"]}]`, "Smith^John"},
		{"Chinese is spelled", `[{"family":"单","given":["雄信"]}]`, "Shan^Xiongxin=单^雄信"},
		{"text alone", `[{"text":"王小东"}]`, "Wangxiaodong=王小东"},
		{"both scripts", `[{"family":"王","given":["小东"]},{"family":"Wong","given":["S T"]}]`, "Wong^S T=王^小东"},
		{"delimiters are no part of names", `[{"family":"A^B=C\\D"}]`, "A B C D"},
		{"no name", `[{}]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := set{}
			s.put(0x00100010, personName(value(t, `{"name":`+c.json+`}`).Get("name"))...)
			body, err := json.Marshal(s)
			if err != nil || text(body, 0x00100010) != c.want {
				t.Errorf("%q, %v", text(body, 0x00100010), err)
			}
		})
	}
}
