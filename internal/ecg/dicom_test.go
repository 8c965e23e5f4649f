package ecg_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"concord/hub"
	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
	"concord/internal/ecg/export"
)

const general = "1.2.840.10008.5.1.4.1.1.9.1.2"

// lead is a channel in µV.
func lead(code string) ecgtest.Channel {
	return ecgtest.Channel{Scheme: "MDC", Code: code, Meaning: "Lead", Sensitivity: "2.5", Unit: "uV", Correction: "1", Baseline: "0"}
}

func readDICOM(t *testing.T, file []byte) *ecg.Recording {
	t.Helper()
	rec, err := ecg.Read(bytes.NewReader(file), ecg.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestEachSampleInterpretationInEachTransferSyntax(t *testing.T) {
	for _, syntax := range []string{ecgtest.ImplicitLittle, ecgtest.ExplicitLittle, ecgtest.ExplicitBig} {
		for kind, extremes := range map[string][2]int64{"SB": {-128, 127}, "UB": {0, 255}, "SS": {-32768, 32767}, "US": {0, 65535},
			"SL": {-1<<31 + 1, 1<<31 - 1}, "UL": {0, 1<<31 - 1}} {
			t.Run(kind+" in "+syntax, func(t *testing.T) {
				frames := [][]int64{{1, extremes[0]}, {extremes[1], 2}, {3, 4}}
				rec := readDICOM(t, ecgtest.DICOM(syntax, general, "", ecgtest.Multiplex{Originality: "ORIGINAL", Rate: "500", Kind: kind,
					Channels: []ecgtest.Channel{lead("2:1"), lead("2:62")}, Frames: frames}))
				g := rec.Groups[0]
				for c := range 2 {
					for i, f := range frames {
						if got := g.Leads[c].Samples.At(i); int64(got) != f[c] {
							t.Errorf("sample %d of channel %d is %d, want %d", i, c+1, got, f[c])
						}
					}
				}
				if g.Leads[1].Code != ecg.AVR || g.Leads[0].Samples.Len() != 3 {
					t.Errorf("channel 2 is lead %v, channel 1 has %d samples", g.Leads[1].Code, g.Leads[0].Samples.Len())
				}
			})
		}
	}
}

// One value is kept by the scan, the other left in the stream: both are read the same way.
func TestShortAndLongWaveformsAreReadAlike(t *testing.T) {
	for _, n := range []int{10, 5000} {
		var frames [][]int64
		for i := range n {
			frames = append(frames, []int64{int64(i), int64(-i)})
		}
		rec := readDICOM(t, ecgtest.DICOM(ecgtest.ExplicitLittle, general, "", ecgtest.Multiplex{Rate: "500", Kind: "SS",
			Channels: []ecgtest.Channel{lead("2:1"), lead("2:2")}, Frames: frames}))
		for i := range n {
			if a, b := rec.Groups[0].Leads[0].Samples.At(i), rec.Groups[0].Leads[1].Samples.At(i); a != int32(i) || b != int32(-i) {
				t.Fatalf("sample %d of %d is %d and %d", i, n, a, b)
			}
		}
	}
}

func TestWhatAChannelSaysOfItsSamples(t *testing.T) {
	pad := int64(-32768)
	c := ecgtest.Channel{Scheme: "SCPECG", Code: "5.6.3-9-64", Meaning: "Lead aVF", Sensitivity: "2", Unit: "mV", Correction: "1.5", Baseline: "-6",
		SampleSkew: "5", Low: "0.05", High: "150", Notched: "50"}
	words := ecgtest.Channel{Label: "Lead V3 (chest)", Sensitivity: "1", Unit: "uV", TimeSkew: "0.002"}
	pressure := ecgtest.Channel{Scheme: "99X", Code: "P1", Meaning: "Aortic pressure", Sensitivity: "1", Unit: "mm[Hg]"}
	bare := ecgtest.Channel{}
	rec := readDICOM(t, ecgtest.DICOM(ecgtest.ExplicitLittle, general, "", ecgtest.Multiplex{Rate: "500", Kind: "SS", Padding: &pad,
		Channels: []ecgtest.Channel{c, words, pressure, bare}, Frames: [][]int64{{100, -32768, 80, 1}, {-32768, 7, 90, 2}}}))
	l := rec.Groups[0].Leads
	if uV, ok := l[0].MicrovoltsAt(0); !ok || uV != (100*3-6)*1000 {
		t.Errorf("100 steps are %g µV", uV)
	}
	if _, ok := l[0].MicrovoltsAt(1); ok || l[1].Samples.At(0) != ecg.Missing {
		t.Error("padding is read as samples")
	}
	if l[0].Code != ecg.AVF || l[0].Skew != 10*time.Millisecond || l[1].Code != ecg.V3 || l[1].Skew != 2*time.Millisecond {
		t.Errorf("leads %v after %v and %v after %v", l[0].Code, l[0].Skew, l[1].Code, l[1].Skew)
	}
	if _, _, ok := l[2].Microvolts(); ok || l[2].Label != "Aortic pressure" || l[2].Code != 0 {
		t.Errorf("a pressure is %+v", l[2])
	}
	if l[3].Label != "4" || l[3].Scale != 1 || l[3].Unit != "" {
		t.Errorf("a channel of which nothing is said is %q in %q", l[3].Label, l[3].Unit)
	}
	if f := rec.Groups[0].Filters; f != (ecg.Filters{HighPass: 0.05, LowPass: 150, Notch: 50}) {
		t.Errorf("filters are %+v", f)
	}
	if rec.Acquired.String() != "2026-05-06T07:08:09.5+08:00" {
		t.Errorf("acquired %v", rec.Acquired)
	}
}

func TestMultiplexGroupsAndTheirAnnotations(t *testing.T) {
	marks := `"0040B020":{"vr":"SQ","Value":[` +
		`{"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["8634-8"]},"00080102":{"vr":"SH","Value":["LN"]},"00080104":{"vr":"LO","Value":["Q-T interval"]}}]},` +
		`"0040A0B0":{"vr":"US","Value":[1,0]},"0040A30A":{"vr":"DS","Value":[401]}},` +
		`{"0040A0B0":{"vr":"US","Value":[2,1]},"0040A130":{"vr":"CS","Value":["SEGMENT"]},"0040A132":{"vr":"UL","Value":[2,3]},"00700006":{"vr":"ST","Value":["noise"]}},` +
		`{"0040A0B0":{"vr":"US","Value":[1,0]},"0040A130":{"vr":"CS","Value":["POINT"]},"0040A138":{"vr":"DS","Value":["4"]},"00700006":{"vr":"ST","Value":["button"]}},` +
		`{"0040A0B0":{"vr":"US","Value":[1,0]},"00700006":{"vr":"ST","Value":["正常心电图"]}}]},`
	frames := [][]int64{{1}, {2}, {3}}
	one := []ecgtest.Channel{lead("2:2")}
	rec := readDICOM(t, ecgtest.DICOM(ecgtest.ExplicitLittle, general, marks,
		ecgtest.Multiplex{Originality: "ORIGINAL", Label: "RHYTHM", Rate: "500", Kind: "SS", Channels: one, Frames: frames},
		ecgtest.Multiplex{Originality: "ORIGINAL", Rate: "250", Offset: "2500", Kind: "SS", Channels: one, Frames: frames},
		ecgtest.Multiplex{Originality: "DERIVED", Label: "MEDIAN BEAT", Rate: "500", Kind: "SS", Channels: one, Frames: frames}))
	var kinds []ecg.Kind
	for _, g := range rec.Groups {
		kinds = append(kinds, g.Kind)
	}
	if !slices.Equal(kinds, []ecg.Kind{ecg.Rhythm, ecg.Rhythm, ecg.Median}) || rec.Groups[1].Offset != 2500*time.Millisecond || rec.Groups[1].Rate != 250 {
		t.Errorf("groups are %v, the second after %v", kinds, rec.Groups[1].Offset)
	}
	if m, ok := rec.Measured(ecg.QTInterval); !ok || m.Value != 401 || m.Group != 0 {
		t.Errorf("QT is %+v", m)
	}
	if len(rec.Statements) != 1 || rec.Statements[0].Text != "正常心电图" {
		t.Errorf("statements are %v", rec.Statements)
	}
	if a := rec.Annotations; len(a) != 2 || a[0].Group != 1 || a[0].From != 1 || a[0].To != 2 || !slices.Equal(a[0].Leads, []ecg.LeadCode{ecg.II}) ||
		a[1].Group != 0 || a[1].From != 2 {
		t.Errorf("annotations are %+v", a)
	}
}

func TestWhatIsWrongWithWaveformsIsSaid(t *testing.T) {
	good := ecgtest.Multiplex{Rate: "500", Kind: "SS", Channels: []ecgtest.Channel{lead("2:1")}, Frames: [][]int64{{1}, {2}, {3}}}
	with := func(change func(*ecgtest.Multiplex)) []byte {
		m := good
		change(&m)
		return ecgtest.DICOM(ecgtest.ExplicitLittle, general, "", m)
	}
	for name, c := range map[string]struct {
		file   []byte
		fault  hub.ErrKind // 0: read
		remark string
	}{
		"fewer samples than declared": {with(func(m *ecgtest.Multiplex) { m.Declared = 9 }), 0, "a group has 3 samples where 9 are declared"},
		"more samples than declared":  {with(func(m *ecgtest.Multiplex) { m.Declared = 2 }), 0, "a group has more samples than are declared; those are not read"},
		"a frame cut in two":          {with(func(m *ecgtest.Multiplex) { m.Cut = 1 }), 0, ""},
		"no sampling frequency":       {with(func(m *ecgtest.Multiplex) { m.Rate = "" }), hub.Invalid, ""},
		"a frequency of zero":         {with(func(m *ecgtest.Multiplex) { m.Rate = "0" }), hub.Invalid, ""},
		"no channels":                 {with(func(m *ecgtest.Multiplex) { m.Channels = nil }), hub.TooLarge, ""},
		"no samples":                  {with(func(m *ecgtest.Multiplex) { m.Frames = nil }), hub.Invalid, ""},
		"sound":                       {ecgtest.DICOM(ecgtest.ExplicitLittle, "1.2.840.10008.5.1.4.1.1.9.4.1", "", good), hub.Unsupported, ""},
		"an image":                    {ecgtest.DICOM(ecgtest.ExplicitLittle, "1.2.840.10008.5.1.4.1.1.2", "", good), hub.Unsupported, ""},
		"half the file":               {half(with(func(m *ecgtest.Multiplex) {})), hub.Invalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec, err := ecg.Read(bytes.NewReader(c.file), ecg.Limits{})
			var fault *hub.Error
			switch {
			case c.fault != 0 && (!errors.As(err, &fault) || fault.Kind != c.fault):
				t.Fatalf("err = %v", err)
			case c.fault == 0 && err != nil:
				t.Fatal(err)
			case c.remark != "" && !slices.Contains(rec.Remarks, c.remark):
				t.Errorf("remarks are %q", rec.Remarks)
			}
		})
	}
}

func TestWritersAndReadersOfDICOMAndAECGAgree(t *testing.T) {
	want := made()
	for name, write := range map[string]func(*bytes.Buffer) error{
		"DICOM": func(b *bytes.Buffer) error {
			return export.DICOM(b, want, export.Identity{Study: "1.2.3", Series: "1.2.3.1", Instance: "1.2.3.1.1"})
		},
		"aECG": func(b *bytes.Buffer) error { return export.AECG(b, want, "2c1a3f9e-0000-4000-8000-000000000001") },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			got, err := ecg.Read(&b, ecg.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			sameSamples(t, got, want)
			if got.Patient.ID != want.Patient.ID || got.Patient.Sex != want.Patient.Sex || got.Patient.BirthDate != want.Patient.BirthDate ||
				!got.Acquired.Time.Equal(want.Acquired.Time) {
				t.Errorf("%+v at %v", got.Patient, got.Acquired)
			}
			for _, m := range want.Measurements {
				if is, ok := got.Measured(m.Code); !ok || is.Quantity != m.Quantity {
					t.Errorf("%s is %v, want %v", m.Code, is.Quantity, m.Quantity)
				}
			}
			var texts []string
			for _, s := range got.Statements {
				texts = append(texts, s.Text)
			}
			if !slices.Equal(texts, []string{"窦性心律", "Normal ECG"}) {
				t.Errorf("statements are %q", texts)
			}
		})
	}
}

func half(file []byte) []byte { return file[:len(file)-20] }
