package ecg_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"concord/hub"
	"concord/internal/ecg"
)

// aecg is a small document around parts that a test gives; what it gives as series goes into it before the leads.
func aecg(facts, series, sets, marks string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<id root="1.2.3" extension="E1"/>` + facts + `<component><series><code code="RHYTHM"/>` + series + `<component>` + sets + `</component>` + marks + `</series></component></AnnotatedECG>`
}

func set(clock, value string, leads ...string) string {
	s := `<sequenceSet><component><sequence><code code="` + clock + `"/>` + value + `</sequence></component>`
	for _, l := range leads {
		s += `<component><sequence>` + l + `</sequence></component>`
	}
	return s + `</sequenceSet>`
}

func absolute(head, increment, unit string) string {
	return fmt.Sprintf(`<value xsi:type="GLIST_TS"><head value="%s"/><increment value="%s" unit="%s"/></value>`, head, increment, unit)
}

func list(code, origin, scale, digits string) string {
	return fmt.Sprintf(`<code code="%s" codeSystemName="MDC"/><value xsi:type="SLIST_PQ"><origin %s/><scale %s/><digits>%s</digits></value>`, code, origin, scale, digits)
}

const uV = `value="2.5" unit="uV"`

func readAECG(t *testing.T, doc string) *ecg.Recording {
	t.Helper()
	rec, err := ecg.Read(strings.NewReader(doc), ecg.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestScaleOriginAndDigitsOfAnnotatedECGs(t *testing.T) {
	rec := readAECG(t, aecg("", "", set("TIME_ABSOLUTE", absolute("20260506070809.250+0800", "4", "ms"),
		list("MDC_ECG_LEAD_AVL", `value="0" unit="uV"`, uV, " 1 -2\n3\t4.0 +5 NaN "),
		list("MDC_ECG_LEAD_V1", `value="-100" unit="uV"`, `value="0.01" unit="mV"`, "10 <!-- a pause -->20"),
		list("MDC_ECG_LEAD_CHEST_OWN", `value="0" unit="uV"`, uV, "1 1 1 1 1 1")), ""))
	g := rec.Groups[0]
	if g.Rate != 250 || rec.Acquired.String() != "2026-05-06T07:08:09.25+08:00" || rec.ID != "1.2.3^E1" {
		t.Errorf("%g/s at %v of %s", g.Rate, rec.Acquired, rec.ID)
	}
	var got []int32
	for _, v := range g.Leads[0].Samples.All() {
		got = append(got, v)
	}
	if fmt.Sprint(got) != fmt.Sprint([]int32{1, -2, 3, 4, 5, ecg.Missing}) || g.Leads[0].Code != ecg.AVL {
		t.Errorf("lead %v is %v", g.Leads[0].Code, got)
	}
	if v, ok := g.Leads[1].MicrovoltsAt(1); !ok || v != 100 || g.Leads[1].Samples.Len() != 2 {
		t.Errorf("20 steps of 0.01 mV from −100 µV are %g µV", v)
	}
	if g.Leads[2].Code != 0 || g.Leads[2].Label != "CHEST_OWN" {
		t.Errorf("an unknown lead is %v %q", g.Leads[2].Code, g.Leads[2].Label)
	}
}

func TestPeriodsOfAnnotatedECGs(t *testing.T) {
	relative := set("TIME_RELATIVE", `<value xsi:type="GLIST_PQ"><head value="0" unit="s"/><increment value="0.002" unit="s"/></value>`,
		list("MDC_ECG_LEAD_I", `value="0" unit="uV"`, uV, "1 2"))
	for facts, want := range map[string][2]string{
		`<effectiveTime><center value="20260506"/></effectiveTime>`:                                             {"2026-05-06", ""},
		`<effectiveTime value="202605060708"/>`:                                                                 {"2026-05-06T07:08:00", ""},
		`<effectiveTime><low value="20260506070809"/><high value="20260506070819"/></effectiveTime>`:            {"2026-05-06T07:08:09", "2026-05-06T07:08:19"},
		`<effectiveTime><high value="20260506070819-0330"/></effectiveTime>`:                                    {"", "2026-05-06T07:08:19-03:30"},
		`<effectiveTime><low value="20260506070809" inclusive="true"/><high nullFlavor="UNK"/></effectiveTime>`: {"2026-05-06T07:08:09", ""},
		`<effectiveTime><low value="tomorrow"/></effectiveTime>`:                                                {"", ""},
		``: {"", ""},
	} {
		rec := readAECG(t, aecg(facts, "", relative, ""))
		if got := [2]string{rec.Acquired.String(), rec.Ended.String()}; got != want {
			t.Errorf("%s: from %q to %q", facts, got[0], got[1])
		}
	}
}

func TestSetsOneAfterAnotherKeepTheirDistance(t *testing.T) {
	one := func(head, lead string) string {
		return set("TIME_ABSOLUTE", absolute(head, "0.002", "s"), list("MDC_ECG_LEAD_"+lead, `value="0" unit="uV"`, uV, "1 2 3"))
	}
	rec := readAECG(t, aecg("", "", one("20260506070809", "I")+`</component><component>`+one("20260506070811.500", "V1"), ""))
	if len(rec.Groups) != 2 || rec.Groups[1].Offset != 2500*time.Millisecond {
		t.Errorf("%d groups", len(rec.Groups))
	}
}

func TestAnnotationsAreMeasurementsStatementsOrMarks(t *testing.T) {
	var digits strings.Builder
	for i := range 1000 {
		fmt.Fprint(&digits, i%7, " ")
	}
	place := func(low, high string) string {
		return `<support><supportingROI><component><boundary><code code="TIME_ABSOLUTE"/><value xsi:type="IVL_TS"><low value="` + low + `"/><high value="` + high +
			`"/></value></boundary></component><component><boundary><code code="MDC_ECG_LEAD_V2"/></boundary></component></supportingROI></support>`
	}
	note := func(code, value, inner string) string {
		return `<component><annotation><code code="` + code + `" codeSystemName="MDC"/>` + value + inner + `</annotation></component>`
	}
	marks := `<subjectOf><annotationSet><author><assignedEntity><assignedAuthorType><assignedDevice/></assignedAuthorType></assignedEntity></author>` +
		note("MDC_ECG_HEART_RATE", `<value xsi:type="PQ" value="71" unit="bpm"/>`, "") +
		note("MDC_ECG_INTERPRETATION_STATEMENT", `<value xsi:type="ST">窦性心律</value>`, "") +
		note("MDC_ECG_BEAT", `<value xsi:type="CE" code="MDC_ECG_BEAT_NORMAL"/>`,
			note("MDC_ECG_WAVC", `<value xsi:type="CE" code="MDC_ECG_WAVC_QRSWAVE"/>`, place("20260506070809.100", "20260506070809.200"))+
				note("MDC_ECG_TIME_PD_QT", `<value xsi:type="PQ" value="400" unit="ms"/>`, "")) +
		`</annotationSet></subjectOf>`
	rec := readAECG(t, aecg("", "", set("TIME_ABSOLUTE", absolute("20260506070809", "0.002", "s"), list("MDC_ECG_LEAD_V2", `value="0" unit="uV"`, uV, digits.String())), marks))
	if m, ok := rec.Measured(ecg.HeartRate); !ok || m.Quantity != (ecg.Quantity{Value: 71, Unit: "/min"}) || m.Name != "heart rate" {
		t.Errorf("the heart rate is %+v", m)
	}
	if _, ok := rec.Measured(ecg.QTInterval); ok {
		t.Error("one beat's QT interval passes for the recording's")
	}
	if len(rec.Statements) != 1 || rec.Statements[0].Text != "窦性心律" || rec.Statements[0].Status != "original" {
		t.Errorf("statements are %v", rec.Statements)
	}
	var got []string
	for _, a := range rec.Annotations {
		got = append(got, fmt.Sprint(a.Code, a.From, a.To, a.Leads))
	}
	if want := "[MDC_ECG_BEAT_NORMAL50 100 [] MDC_ECG_WAVC_QRSWAVE50 100 [V2] MDC_ECG_TIME_PD_QT50 100 []]"; fmt.Sprint(got) != want {
		t.Errorf("marks are %v", got)
	}
}

func TestDocumentsInOtherEncodings(t *testing.T) {
	doc := aecg(`<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject><id root="1.2" extension="7"/><subjectDemographicPerson>`+
		`<name><family>张</family><given>三</given></name><birthTime value="196103"/></subjectDemographicPerson></trialSubject></subject></subjectAssignment></componentOf></timepointEvent></componentOf>`,
		"", set("TIME_ABSOLUTE", absolute("20260506070809", "0.002", "s"), list("MDC_ECG_LEAD_I", `value="0" unit="uV"`, uV, "1 2")), "")
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(strings.Replace(doc, "UTF-8", "GB18030", 1))
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.Replace(doc, "UTF-8", "UTF-16", 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{"UTF-8": doc, "UTF-8 with a mark": "\ufeff" + doc, "GB18030": gb, "UTF-16": wide} {
		if p := readAECG(t, doc).Patient; p.Name != "张三" || p.Family != "张" || p.ID != "7" || p.BirthDate != "1961-03" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestHostileDocumentsAreRefused(t *testing.T) {
	leads := set("TIME_ABSOLUTE", absolute("20260506070809", "0.002", "s"), list("MDC_ECG_LEAD_I", `value="0" unit="uV"`, uV, "1 2"))
	good := aecg("", "", leads, "")
	const declaration = `<?xml version="1.0" encoding="UTF-8"?>`
	withDTD := func(dtd string) string { return strings.Replace(good, declaration, declaration+dtd, 1) }
	for name, c := range map[string]struct {
		doc  string
		kind hub.ErrKind
	}{
		"a document type":     {withDTD(`<!DOCTYPE AnnotatedECG>`), hub.Invalid},
		"an external entity":  {withDTD(`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>`), hub.Invalid},
		"a billion laughs":    {withDTD(`<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>`), hub.Invalid},
		"an unknown entity":   {strings.Replace(good, "<digits>", "<digits>&x;", 1), hub.Invalid},
		"depth":               {strings.Replace(good, "<series>", "<series>"+strings.Repeat("<a>", 100), 1), hub.TooLarge},
		"many elements":       {strings.Replace(good, "<series>", "<series>"+strings.Repeat("<a/>", 1<<18), 1), hub.TooLarge},
		"long text":           {strings.Replace(good, "<series>", "<series>"+strings.Repeat("text ", 1<<16), 1), hub.TooLarge},
		"a long tag":          {strings.Replace(good, "<series>", "<series "+strings.Repeat(`a=">" `, 1<<16)+">", 1), hub.TooLarge},
		"many attributes":     {strings.Replace(good, "<series>", "<series "+strings.Repeat(`a="" `, 100)+">", 1), hub.TooLarge},
		"an unknown encoding": {strings.Replace(good, "UTF-8", "X-NONE", 1), hub.Unsupported},
		"words for digits":    {strings.Replace(good, ">1 2<", ">1 two<", 1), hub.Invalid},
		"halves for digits":   {strings.Replace(good, ">1 2<", ">1 2.5<", 1), hub.Invalid},
		"a giant for a digit": {strings.Replace(good, ">1 2<", ">1 99999999999<", 1), hub.Invalid},
		"no time":             {strings.Replace(good, "<increment", "<decrement", 1), hub.Invalid},
		"a time that stands":  {strings.Replace(good, `"0.002"`, `"0"`, 1), hub.Invalid},
		"half of it":          {good[:len(good)/2], hub.Invalid},
		"two roots":           {good + "<AnnotatedECG/>", hub.Invalid},
		"no waveforms":        {aecg("", "", "", ""), hub.Invalid},
		"another root":        {"<AnnotatedEEG/>", hub.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ecg.Read(strings.NewReader(c.doc), ecg.Limits{})
			var fault *hub.Error
			if !errors.As(err, &fault) || fault.Kind != c.kind {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// endless is a document that never ends.
type endless struct {
	head, fill string
	at         int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	for i := range p {
		p[i] = e.fill[e.at%len(e.fill)]
		e.at++
	}
	return len(p), nil
}

func TestDocumentsWithoutEndAreCutAtTheLimits(t *testing.T) {
	digits := `<AnnotatedECG><component><series><component><sequenceSet><component><sequence><value><digits>`
	for name, r := range map[string]io.Reader{
		"digits":    &endless{head: digits, fill: "12 "},
		"a comment": &endless{head: "<AnnotatedECG><!--", fill: "abcd"},
		"a tag":     &endless{head: "<AnnotatedECG ", fill: "abcd"},
		"a name":    &endless{head: "<AnnotatedECG><", fill: "abcd"},
		"a DTD":     &endless{head: "<AnnotatedECG><!DOCTYPE ", fill: "abcd"},
		"SCP":       &endless{head: string(bytes.Repeat([]byte{0}, 16)) + "SCPECG", fill: "\x00"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ecg.Read(r, ecg.Limits{Bytes: 4 << 20})
		runtime.ReadMemStats(&after)
		var fault *hub.Error
		if !errors.As(err, &fault) || fault.Kind != hub.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%s: %d MiB were allocated for 4", name, got>>20)
		}
	}
}
