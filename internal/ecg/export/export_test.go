package export

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"concord/hub"
	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

var id = Identity{Study: "1.2.3.4", Series: "1.2.3.4.5", Instance: "1.2.3.4.5.6"}

func corpus(t *testing.T, name string) *ecg.Recording {
	t.Helper()
	root := os.Getenv("CONCORD_CORPUS")
	if root == "" {
		t.Skip("CONCORD_CORPUS names no corpus: no real recordings are written")
	}
	f, err := os.Open(filepath.Join(root, "ecg", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := ecg.Read(f, ecg.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func rows(t *testing.T, text []byte) [][]string {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheCSVOfARealRecordingHasTheVoltagesThatOthersRead(t *testing.T) {
	for _, name := range []string{"Example.scp", "Example.xml", "Example.dcm"} {
		t.Run(name, func(t *testing.T) {
			rec := corpus(t, name)
			f, err := os.Open(filepath.Join(os.Getenv("CONCORD_CORPUS"), "ecg", "expected", "Example_uV.csv.gz"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			want, err := csv.NewReader(z).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := CSV(&b, rec.Groups[0], Microvolt); err != nil {
				t.Fatal(err)
			}
			got := rows(t, b.Bytes())
			if len(got) != len(want) {
				t.Fatalf("%d lines, not %d", len(got), len(want))
			}
			for k, head := range want[0] {
				label, _, _ := strings.Cut(head, " ")
				at := slices.Index(got[0], label+" (uV)")
				if at < 0 {
					t.Fatalf("no column %s among %v", label, got[0])
				}
				for i := 1; i < len(want); i++ {
					x, _ := strconv.ParseFloat(want[i][k], 64)
					y, err := strconv.ParseFloat(got[i][at], 64)
					if err != nil || math.Abs(x-y) > 1e-6 {
						t.Fatalf("%s at %d is %s, not %s", label, i, got[i][at], want[i][k])
					}
				}
			}
		})
	}
}

func TestACSVSaysItsUnitsAndLeavesGapsEmpty(t *testing.T) {
	g := ecg.Group{Rate: 500, Leads: []ecg.Lead{
		{Label: "I", Samples: ecg.SamplesOf(100, ecg.Missing, -3), Scale: 2.5, Unit: "uV"},
		{Label: "II", Samples: ecg.SamplesOf(1), Scale: 1, Baseline: 7, Unit: "mV", Start: 1},
		{Label: "P", Samples: ecg.SamplesOf(80, 81), Scale: 1, Unit: "mm[Hg]"},
	}}
	for unit, want := range map[Unit]string{
		Microvolt: "time (s),I (uV),II (uV),P (mm[Hg])\n0,250,,80\n0.002,,8000,81\n0.004,-7.5,,\n",
		Millivolt: "time (s),I (mV),II (mV),P (mm[Hg])\n0,0.25,,80\n0.002,,8,81\n0.004,-0.0075,,\n",
	} {
		var b bytes.Buffer
		if err := CSV(&b, g, unit); err != nil || b.String() != want {
			t.Errorf("%v:\n%s", err, b.String())
		}
	}
	if err := CSV(&bytes.Buffer{}, g, "V"); !hub.Is(err, hub.Invalid) {
		t.Errorf("an unknown unit gives %v", err)
	}
}

func TestNoFieldOfACSVIsAFormula(t *testing.T) {
	for _, label := range []string{"=1+1", "+x", "-aVR", "@SUM(A1)", "\t=1", "\r\n=cmd|'/c calc'!A1", " =1"} {
		g := ecg.Group{Rate: 1, Leads: []ecg.Lead{{Label: label, Samples: ecg.SamplesOf(1), Scale: 1, Unit: "=V"}}}
		var b bytes.Buffer
		if err := CSV(&b, g, Microvolt); err != nil {
			t.Fatal(err)
		}
		if head := rows(t, b.Bytes())[0][1]; strings.ContainsAny(head[:1], "=+-@\t\r\n ") || strings.ContainsAny(head, "\r\n\t") {
			t.Errorf("%q becomes %q", label, head)
		}
	}
}

func TestSampledDataGivesTheVoltagesBack(t *testing.T) {
	l := ecg.Lead{Label: "V1", Samples: ecg.SamplesOf(4, -2, ecg.Missing, 40000), Scale: 2.5, Baseline: -1.5, Unit: "uV", Start: 2}
	raw, err := SampledData(ecg.Group{Rate: 300, Leads: []ecg.Lead{l}}, l)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Origin     struct{ Value, Code, System any }
		Period     float64
		Factor     float64
		Dimensions int
		Data       string
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	if d.Data != "E E 4 -2 E 40000" || d.Factor != 2.5 || d.Origin.Value != -1.5 || d.Origin.Code != "uV" || d.Dimensions != 1 || math.Abs(d.Period-1000.0/300) > 1e-8 {
		t.Errorf("%s", raw)
	}
	if _, err := SampledData(ecg.Group{}, l); !hub.Is(err, hub.Unprocessable) {
		t.Errorf("without a rate: %v", err)
	}
}

// sameSignals compares groups: rate, leads and every sample in µV.
func sameSignals(t *testing.T, got, want *ecg.Recording) {
	t.Helper()
	if len(got.Groups) != len(want.Groups) {
		t.Fatalf("%d groups, not %d", len(got.Groups), len(want.Groups))
	}
	for i, g := range want.Groups {
		h := got.Groups[i]
		if math.Abs(h.Rate-g.Rate) > 1e-6*g.Rate || h.Kind != g.Kind || len(h.Leads) != len(g.Leads) || h.Len() != g.Len() {
			t.Fatalf("group %d: %v %v Hz of %d leads and %d samples, not %v %v %d %d", i, h.Kind, h.Rate, len(h.Leads), h.Len(),
				g.Kind, g.Rate, len(g.Leads), g.Len())
		}
		if a, b := got.Acquired.Time.Add(h.Offset), want.Acquired.Time.Add(g.Offset); g.Kind == ecg.Rhythm && !a.Equal(b) {
			t.Errorf("group %d begins at %v, not %v", i, a, b)
		}
		for k, l := range g.Leads {
			m := h.Leads[k]
			if m.Code != l.Code || m.Label != l.Label {
				t.Errorf("lead %d is %s, not %s", k, m.Label, l.Label)
			}
			for s := range g.Len() {
				x, okX := l.MicrovoltsAt(s - l.Start)
				y, okY := m.MicrovoltsAt(s - m.Start)
				if okX != okY || okX && math.Abs(x-y) > 1e-6 {
					t.Fatalf("%s at %d: %v %v, not %v %v", l.Label, s, y, okY, x, okX)
				}
			}
		}
	}
}

func sameFacts(t *testing.T, got, want *ecg.Recording) {
	t.Helper()
	for _, f := range []struct {
		name      string
		got, want any
	}{
		{"patient", got.Patient.ID, want.Patient.ID}, {"name", got.Patient.Name, want.Patient.Name}, {"sex", got.Patient.Sex, want.Patient.Sex},
		{"birth date", got.Patient.BirthDate, want.Patient.BirthDate}, {"acquired", got.Acquired.String(), want.Acquired.String()},
		{"maker", got.Device.Manufacturer, want.Device.Manufacturer}, {"model", got.Device.Model, want.Device.Model},
		{"serial", got.Device.Serial, want.Device.Serial}, {"institution", got.Institution, want.Institution},
		{"high pass", got.Groups[0].Filters.HighPass, want.Groups[0].Filters.HighPass}, {"low pass", got.Groups[0].Filters.LowPass, want.Groups[0].Filters.LowPass},
	} {
		if f.got != f.want {
			t.Errorf("%s is %v, not %v", f.name, f.got, f.want)
		}
	}
	if a, b := got.Patient.Age, want.Patient.Age; (a == nil) != (b == nil) || a != nil && *a != *b {
		t.Errorf("age is %v, not %v", a, b)
	}
	for _, m := range want.Measurements {
		if m.Code == "" || m.Lead != 0 {
			continue
		}
		if n, ok := got.Measured(m.Code); !ok || n.Value != m.Value || n.Unit != m.Unit {
			t.Errorf("%s is %v %v, not %v", m.Code, n.Quantity, ok, m.Quantity)
		}
	}
	var a, b []string
	for _, s := range got.Statements {
		a = append(a, s.Text)
	}
	for _, s := range want.Statements {
		b = append(b, s.Text)
	}
	if !slices.Equal(a, b) {
		t.Errorf("statements are %q, not %q", a, b)
	}
}

// two has a rhythm and a median beat.
func two() *ecg.Recording {
	rec := ecgtest.Twelve(500, 10, ecgtest.Heart)
	beat := ecgtest.Twelve(500, 0.8, ecgtest.Heart).Groups[0]
	beat.Kind = ecg.Median
	rec.Groups = append(rec.Groups, beat)
	return rec
}

func TestWhatIsWrittenAsDICOMReadsBackTheSame(t *testing.T) {
	wide := ecgtest.Twelve(500, 2, ecgtest.Heart)
	wide.Groups[0].Leads[3].Samples = ecg.SamplesOf(100_000, -100_000, ecg.Missing)
	gap := ecgtest.Twelve(500, 2, ecgtest.Heart)
	gap.Groups[0].Leads[2].Samples = ecg.SamplesOf(1, ecg.Missing, 3)
	gap.Groups[0].Leads[4].Start = 200
	odd := ecgtest.Twelve(500, 2, ecgtest.Heart)
	odd.Groups[0].Leads[0].Code, odd.Groups[0].Leads[0].Label = 0, "Esophagus"
	for _, c := range []struct {
		name  string
		rec   *ecg.Recording
		class string
	}{
		{"twelve leads and a median beat", two(), "1.2.840.10008.5.1.4.1.1.9.1.1"},
		{"gaps and leads that begin later", gap, "1.2.840.10008.5.1.4.1.1.9.1.1"},
		{"a lead that is no standard one", odd, "1.2.840.10008.5.1.4.1.1.9.1.2"},
		{"a minute", ecgtest.Twelve(500, 60, ecgtest.Heart), "1.2.840.10008.5.1.4.1.1.9.1.2"},
		{"a slow sampler", ecgtest.Twelve(125, 60, ecgtest.Heart), "1.2.840.10008.5.1.4.1.1.9.1.3"},
		{"more than sixteen bits", wide, "1.2.840.10008.5.1.4.1.1.9.1.4"},
		{"a fast sampler", ecgtest.Twelve(4000, 2, ecgtest.Heart), "1.2.840.10008.5.1.4.1.1.9.1.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a, b bytes.Buffer
			if err := DICOM(&a, c.rec, id); err != nil {
				t.Fatal(err)
			}
			if err := DICOM(&b, c.rec, id); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Error("the same recording gives other bytes", err)
			}
			if !bytes.Contains(a.Bytes()[:400], []byte(c.class)) {
				t.Error("the SOP class is not", c.class)
			}
			got, err := ecg.Read(&a, ecg.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != id.Instance || got.StudyID != id.Study || got.SeriesID != id.Series {
				t.Errorf("UIDs are %s %s %s", got.StudyID, got.SeriesID, got.ID)
			}
			sameSignals(t, got, c.rec)
			sameFacts(t, got, c.rec)
		})
	}
}

func TestRealRecordingsSurviveBothFormats(t *testing.T) {
	for _, name := range []string{"Example.scp", "Example.xml", "Example.dcm", "dicom_12lead_waveform_ecg.dcm", "aecg_subject1_0.xml", "healforce_62.SCP"} {
		t.Run(name, func(t *testing.T) {
			rec := corpus(t, name)
			for format, write := range map[string]func(*bytes.Buffer) error{
				"DICOM": func(b *bytes.Buffer) error { return DICOM(b, rec, id) },
				"aECG":  func(b *bytes.Buffer) error { return AECG(b, rec, "2.25.1") },
			} {
				var b bytes.Buffer
				if err := write(&b); err != nil {
					t.Fatalf("%s: %v", format, err)
				}
				got, err := ecg.Read(&b, ecg.Limits{})
				if err != nil {
					t.Fatalf("%s: %v", format, err)
				}
				sameSignals(t, got, rec)
			}
		})
	}
}

func TestWhatIsWrittenAsAECGReadsBackTheSame(t *testing.T) {
	rec := two()
	rec.Patient.Name = `<张 & "三">`
	var a, b bytes.Buffer
	if err := AECG(&a, rec, "61d1a24f-b47e-41aa-ae95-f8ac302f4eeb"); err != nil {
		t.Fatal(err)
	}
	if err := AECG(&b, rec, "61d1a24f-b47e-41aa-ae95-f8ac302f4eeb"); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same recording gives other bytes", err)
	}
	got, err := ecg.Read(&a, ecg.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "61d1a24f-b47e-41aa-ae95-f8ac302f4eeb" {
		t.Errorf("the id is %s", got.ID)
	}
	sameSignals(t, got, rec)
	sameFacts(t, got, rec)
}

func TestAnAECGHasOneSetForEachStretchWithoutGaps(t *testing.T) {
	rec := ecgtest.Twelve(500, 4, ecgtest.Heart)
	l := &rec.Groups[0].Leads[5]
	var s ecg.Samples
	for i, v := range l.Samples.All() {
		if i >= 600 && i < 700 {
			v = ecg.Missing
		}
		s.Append(v)
	}
	l.Samples = s
	var b bytes.Buffer
	if err := AECG(&b, rec, "2.25.1"); err != nil {
		t.Fatal(err)
	}
	got, err := ecg.Read(&b, ecg.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var lengths []int
	for _, g := range got.Groups {
		lengths = append(lengths, len(g.Leads), g.Len())
	}
	if !slices.Equal(lengths, []int{11, 2000, 1, 600, 1, 1300}) {
		t.Errorf("leads and samples of the sets are %v", lengths)
	}
	if at := got.Groups[2].Offset.Seconds(); math.Abs(at-1.4) > 1e-6 {
		t.Errorf("the last stretch begins at %v s", at)
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	good := ecgtest.Twelve(500, 2, ecgtest.Heart)
	many := ecgtest.Twelve(500, 2, ecgtest.Heart)
	many.Groups[0].Leads = append(slices.Concat(many.Groups[0].Leads, many.Groups[0].Leads), many.Groups[0].Leads[0])
	holes := ecgtest.Twelve(500, 40, ecgtest.Heart)
	r := rand.New(rand.NewPCG(3, 4))
	var s ecg.Samples
	for range 20000 {
		if v := int32(7); r.IntN(2) == 0 {
			s.Append(v)
		} else {
			s.Append(ecg.Missing)
		}
	}
	holes.Groups[0].Leads[0].Samples = s
	for name, c := range map[string]struct {
		err  error
		kind hub.ErrKind
	}{
		"DICOM without signals":        {DICOM(&bytes.Buffer{}, &ecg.Recording{}, id), hub.Unprocessable},
		"DICOM without a UID":          {DICOM(&bytes.Buffer{}, good, Identity{Study: "1.2", Series: "1.3"}), hub.Invalid},
		"DICOM with a UID that is one": {DICOM(&bytes.Buffer{}, good, Identity{"1.2", "1.3", "1..2"}), hub.Invalid},
		"DICOM of 25 leads":            {DICOM(&bytes.Buffer{}, many, id), hub.Unsupported},
		"aECG without signals":         {AECG(&bytes.Buffer{}, &ecg.Recording{}, "1.2"), hub.Unprocessable},
		"aECG without an id":           {AECG(&bytes.Buffer{}, good, ""), hub.Invalid},
		"aECG of thousands of gaps":    {AECG(&bytes.Buffer{}, holes, "1.2"), hub.Unsupported},
	} {
		if !hub.Is(c.err, c.kind) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func TestDcmtkAndPydicomReadTheDICOMThatIsWritten(t *testing.T) {
	rec := two()
	var b bytes.Buffer
	if err := DICOM(&b, rec, id); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ecg.dcm")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for tool, want := range map[string]string{"dcmdump": "WaveformData", "dcm2json": "54001010"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Logf("%s is not installed", tool)
			continue
		}
		out, err := exec.Command(path, file).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte(want)) || bytes.Contains(out, []byte("W: ")) || bytes.Contains(out, []byte("E: ")) {
			t.Errorf("%s: %v: %.2000s", tool, err, out)
		}
	}
	python := os.Getenv("CONCORD_TEST_PYTHON")
	if python == "" {
		t.Skip("CONCORD_TEST_PYTHON is not set: pydicom is not asked")
	}
	cmd := exec.Command(python, "testdata/read_waveform.py", file)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	var got struct {
		Name, Class string
		Groups      []struct {
			Rate             float64
			Samples          int
			Leads            []string
			First, Last, Sum []float64
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "张^三" || len(got.Groups) != 2 {
		t.Fatalf("%+v", got)
	}
	for i, g := range rec.Groups {
		if got.Groups[i].Rate != 500 || got.Groups[i].Samples != g.Len() {
			t.Errorf("group %d: %v Hz, %d samples", i, got.Groups[i].Rate, got.Groups[i].Samples)
		}
		for k, l := range g.Leads {
			sum := 0.0
			for s := range l.Samples.Len() {
				v, _ := l.MicrovoltsAt(s)
				sum += v
			}
			if math.Abs(sum-got.Groups[i].Sum[k]) > 1e-3 || got.Groups[i].Leads[k] != "Lead "+l.Label {
				t.Errorf("%s: pydicom sums %v, not %v", got.Groups[i].Leads[k], got.Groups[i].Sum[k], sum)
			}
		}
	}
}

func FuzzWriteAndReadBack(f *testing.F) {
	f.Add("张三", "V1", 500.0, 2.5, 0.0, []byte{1, 2, 3})
	f.Add("a\\b^c=d", "=x", 1000.0, 1e-7, -1e9, []byte{0x80, 0, 7})
	f.Add("\x00]]>&", "<a>", 0.1, 1e300, 0.0, []byte{9})
	f.Fuzz(func(t *testing.T, name, label string, rate, scale, base float64, samples []byte) {
		l := ecg.Lead{Label: label, Scale: scale, Baseline: base, Unit: "uV"}
		for _, b := range samples {
			v := int32(int8(b)) << 6
			if b == 7 {
				v = ecg.Missing
			}
			l.Samples.Append(v)
		}
		rec := &ecg.Recording{Patient: ecg.Patient{Name: name}, Groups: []ecg.Group{{Rate: rate, Leads: []ecg.Lead{l}}}}
		var b bytes.Buffer
		if err := DICOM(&b, rec, id); err == nil {
			if _, err := ecg.Read(&b, ecg.Limits{}); err != nil {
				t.Errorf("DICOM: %v", err)
			}
		}
		b.Reset()
		if err := CSV(&b, rec.Groups[0], Microvolt); err == nil {
			rows(t, b.Bytes())
		}
		if raw, err := SampledData(rec.Groups[0], l); err == nil && !json.Valid(raw) {
			t.Errorf("SampledData: %s", raw)
		}
		b.Reset()
		if err := AECG(&b, rec, "2.25.1"); err == nil {
			if _, err := ecg.Read(&b, ecg.Limits{}); err != nil && !hub.Is(err, hub.Invalid) {
				t.Errorf("aECG: %v", err)
			}
		}
	})
}
