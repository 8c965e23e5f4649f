package ecg_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"concord/hub"
	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

// small limits keep a fuzzer quick.
var small = ecg.Limits{Bytes: 1 << 20, Samples: 1 << 20, Leads: 64, Marks: 4096}

// holds reads and, where that succeeds, asks everything of the recording that readers of it rely on.
func holds(t *testing.T, read func(io.Reader, ecg.Limits) (*ecg.Recording, error), file []byte) {
	t.Helper()
	rec, err := read(bytes.NewReader(file), small)
	if err != nil {
		var fault *hub.Error
		if !errors.As(err, &fault) || fault.Kind == hub.Internal {
			t.Fatalf("content at fault is not said to be: %v", err)
		}
		return
	}
	samples := 0
	if len(rec.Groups) == 0 {
		t.Fatal("a recording without groups")
	}
	for _, g := range rec.Groups {
		if len(g.Leads) == 0 || !(g.Rate > 0) || g.Len() < 0 || g.Duration() < 0 {
			t.Fatalf("a group of %d leads at %g/s", len(g.Leads), g.Rate)
		}
		for _, l := range g.Leads {
			if l.Label == "" && l.Code != 0 || l.Start < 0 {
				t.Fatalf("a lead %v %q from %d", l.Code, l.Label, l.Start)
			}
			samples += l.Samples.Len()
			l.MicrovoltsAt(l.Samples.Len() - 1)
		}
	}
	if samples > 2*small.Samples {
		t.Fatalf("%d samples", samples)
	}
	for _, a := range rec.Annotations {
		if a.Group < -1 || a.Group >= len(rec.Groups) || a.From > a.To {
			t.Fatalf("an annotation in group %d from %d to %d", a.Group, a.From, a.To)
		}
	}
	_ = rec.Acquired.String()
}

func FuzzSCP(f *testing.F) {
	short := ecgtest.Without(ecgtest.Twelve(500, 1, ecgtest.Heart), ecg.Twelve()[2:]...)
	for _, o := range []ecgtest.SCPOptions{{}, {Order: 1, Coding: ecgtest.Own}, {Order: 2, Coding: ecgtest.Switching, Beat: 400, Subtract: true},
		{Order: 2, Beat: 400, Subtract: true, Every: 4, Spikes: []int{5}}, {Coding: ecgtest.Words, Starts: []int{1, 100}}} {
		f.Add(ecgtest.SCP(short, o))
	}
	f.Fuzz(func(t *testing.T, file []byte) { holds(t, ecg.ReadSCP, file) })
}

func FuzzAECG(f *testing.F) {
	f.Add([]byte(aecg("<effectiveTime><center value=\"20260506\"/></effectiveTime>", "<effectiveTime><low value=\"20260506070809\"/></effectiveTime>",
		set("TIME_ABSOLUTE", absolute("20260506070809", "0.002", "s"), list("MDC_ECG_LEAD_I", `value="0" unit="uV"`, uV, "1 2 3")),
		`<subjectOf><annotationSet><component><annotation><code code="MDC_ECG_TIME_PD_QT"/><value xsi:type="PQ" value="400" unit="ms"/></annotation></component></annotationSet></subjectOf>`)))
	f.Add([]byte(aecg("", "", set("TIME_RELATIVE", `<value><head value="1" unit="s"/><increment value="5" unit="ms"/></value>`,
		list("MDC_ECG_LEAD_II", `value="1" unit="mV"`, `value="1" unit="uV"`, "-1 NaN")), "")))
	f.Fuzz(func(t *testing.T, file []byte) { holds(t, ecg.ReadAECG, file) })
}

func FuzzDICOM(f *testing.F) {
	pad := int64(-1)
	for _, kind := range []string{"SB", "US", "SL"} {
		f.Add(ecgtest.DICOM(ecgtest.ExplicitLittle, general, `"0040B020":{"vr":"SQ","Value":[{"0040A0B0":{"vr":"US","Value":[1,1]},`+
			`"0040A130":{"vr":"CS","Value":["SEGMENT"]},"0040A132":{"vr":"UL","Value":[1,2]},"00700006":{"vr":"ST","Value":["x"]}}]},`,
			ecgtest.Multiplex{Rate: "500", Kind: kind, Padding: &pad, Channels: []ecgtest.Channel{lead("2:1"), lead("2:2")}, Frames: [][]int64{{1, 2}, {3, 4}}}))
	}
	f.Fuzz(func(t *testing.T, file []byte) { holds(t, ecg.ReadDICOM, file) })
}

func FuzzDetect(f *testing.F) {
	for head := range formats {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, head []byte) { ecg.Detect(head) })
}

var formats = map[string]ecg.Format{
	"0       X X X":                     ecg.EDF,
	"\xffBIOSEMI":                       ecg.BDF,
	"GDF 2.20":                          ecg.GDF,
	"\x40\x20MFR Standard 12 leads ECG": ecg.MFER,
	"ISHNE1.0":                          ecg.ISHNE,
	"%PDF-1.7":                          ecg.PDF,
	"PK\x03\x04":                        ecg.ZIP,
	"\x89PNG\r\n\x1a\n":                 ecg.PNG,
	"\xff\xd8\xff\xe0":                  ecg.JPEG,
	`<?xml version="1.0"?><RestingECG>`: ecg.Muse,
	"<!DOCTYPE RestingECG SYSTEM \"r.dtd\">\n<RestingECG>":                       ecg.Muse,
	`<?xml version="1.0"?><CardiologyXML>`:                                       ecg.CardioSoft,
	`<restingecgdata xmlns="http://www3.medical.philips.com">`:                   ecg.Philips,
	"\ufeff<!-- a <RestingECG> of another kind --><hl7:AnnotatedECG>":            ecg.AECG,
	"\xff\xfe<\x00A\x00n\x00n\x00o\x00t\x00a\x00t\x00e\x00d\x00E\x00C\x00G\x00>": ecg.AECG,
	"<ClinicalDocument>":                 ecg.XML,
	"MSH|^~\\&|":                         ecg.Opaque,
	"":                                   ecg.Opaque,
	strings.Repeat("\x00", 128) + "DICM": ecg.DICOM,
	"\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 10) + "SCPECG": ecg.SCP,
}

func TestFormatsAreNamedByTheirFirstBytes(t *testing.T) {
	for head, want := range formats {
		if got := ecg.Detect([]byte(head)); got != want {
			t.Errorf("%.30q is %q, want %q", head, got, want)
		}
	}
}

func TestFormatsThatAreNotReadAreNamed(t *testing.T) {
	_, err := ecg.Read(strings.NewReader("<RestingECG/>"), ecg.Limits{})
	var fault *hub.Error
	if !errors.As(err, &fault) || fault.Kind != hub.Unsupported || fault.Path != string(ecg.Muse) {
		t.Errorf("err = %v", err)
	}
}
