package quality

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

// in sees what the heart does with something added.
func with(add func(lead int, t float64) float64) ecgtest.Signal {
	return func(lead int, t float64) float64 { return ecgtest.Heart(lead, t) + add(lead, t) }
}

func noise(uV float64) func(int, float64) float64 {
	r := rand.New(rand.NewPCG(1, 2))
	return func(int, float64) float64 { return r.NormFloat64() * uV }
}

func sine(hz, uV float64) func(int, float64) float64 {
	return func(_ int, t float64) float64 { return uV * math.Sin(2*math.Pi*hz*t) }
}

// cables exchanges electrodes: what I and II see then, and what the chest leads see hardly changes.
func cables(one, two func(I, II float64) float64) ecgtest.Signal {
	return func(lead int, t float64) float64 {
		a, b := ecgtest.Heart(0, t), ecgtest.Heart(1, t)
		switch lead {
		case 0:
			return one(a, b)
		case 1:
			return two(a, b)
		}
		return ecgtest.Heart(lead, t)
	}
}

func TestEachFaultIsFoundAndNothingElse(t *testing.T) {
	ten := func(s ecgtest.Signal) *ecg.Recording { return ecgtest.Twelve(500, 10, s) }
	good := ten(ecgtest.Heart)
	one := func(code ecg.LeadCode, change func(t, uV float64) float64) *ecg.Recording {
		return ecgtest.With(good, code, change)
	}
	gap := ten(ecgtest.Heart)
	var s ecg.Samples
	for i, v := range gap.Groups[0].Leads[7].Samples.All() {
		if i < 500 || i >= 2000 && i < 2100 {
			v = ecg.Missing
		}
		s.Append(v)
	}
	gap.Groups[0].Leads[7].Samples = s

	for _, c := range []struct {
		name  string
		rec   *ecg.Recording
		found []Code
		leads string // of the findings that are about one, in their order
		least int    // score
		most  int
	}{
		{"a good recording", good, nil, "", 100, 100},
		{"a good recording at 1000 Hz", ecgtest.Twelve(1000, 12, ecgtest.Heart), nil, "", 100, 100},
		{"eight leads, of which four can be computed", ecgtest.Without(good, ecg.III, ecg.AVR, ecg.AVL, ecg.AVF), nil, "", 100, 100},
		{"the noise of every cart", ten(with(noise(5))), nil, "", 100, 100},
		{"breathing", ten(with(sine(0.25, 100))), nil, "", 100, 100},
		{"250 Hz", ecgtest.Twelve(250, 10, ecgtest.Heart), []Code{Slow}, "", 95, 95},
		{"125 Hz", ecgtest.Twelve(125, 10, ecgtest.Heart), []Code{VerySlow}, "", 60, 60},
		{"seven seconds", ecgtest.Twelve(500, 7, ecgtest.Heart), []Code{Short}, "", 90, 90},
		{"three seconds", ecgtest.Twelve(500, 3, ecgtest.Heart), []Code{VeryShort}, "", 60, 60},
		{"V6 was left out", ecgtest.Without(good, ecg.V6), []Code{MissingLead}, "V6", 90, 90},
		{"one lead only", ecgtest.Without(good, ecg.II, ecg.III, ecg.AVR, ecg.AVL, ecg.AVF, ecg.V1, ecg.V2, ecg.V3, ecg.V4, ecg.V5, ecg.V6),
			[]Code{FewLeads}, "", 60, 60},
		{"V3 is off", one(ecg.V3, func(float64, float64) float64 { return 0 }), []Code{FlatLead}, "V3", 80, 80},
		{"nothing is on", ten(func(int, float64) float64 { return 0 }), []Code{AllFlat}, "", 0, 0},
		{"V3 is off for two seconds", one(ecg.V3, func(t, uV float64) float64 {
			if t > 4 && t < 6 {
				return 100
			}
			return uV
		}), []Code{FlatStretch}, "V3", 90, 90},
		{"right arm and right leg exchanged", ten(cables(func(a, b float64) float64 { return a - b }, func(a, b float64) float64 { return 0 })),
			[]Code{FlatLimbLead}, "II", 50, 60},
		{"a gap of a second and a fifth", gap, []Code{Gaps}, "V2", 90, 95},
		{"V4 is clipped", one(ecg.V4, func(_, uV float64) float64 { return min(uV, 600) }), []Code{Clipped}, "V4", 85, 85},
		{"the base line of V1 wanders", one(ecg.V1, func(t, uV float64) float64 { return uV + 500*math.Sin(2*math.Pi*0.3*t) }),
			[]Code{BaselineWander}, "V1", 96, 96},
		{"mains hum of 50 Hz in V5", one(ecg.V5, func(t, uV float64) float64 { return uV + 80*math.Sin(2*math.Pi*50*t) }),
			[]Code{MainsNoise}, "V5", 96, 96},
		{"mains hum of 60 Hz in V5", one(ecg.V5, func(t, uV float64) float64 { return uV + 80*math.Sin(2*math.Pi*60*t) }),
			[]Code{MainsNoise}, "V5", 96, 96},
		{"tremor in all leads", ten(with(noise(80))), []Code{MuscleNoise}, "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6", 60, 60},
		{"III is another lead", one(ecg.III, func(_, uV float64) float64 { return -3 * uV }), []Code{Einthoven}, "", 70, 70},
		{"aVL is another lead", one(ecg.AVL, func(t, _ float64) float64 { return ecgtest.Heart(1, t) }), []Code{Goldberger}, "", 70, 70},
		{"arm electrodes exchanged", ten(cables(func(a, b float64) float64 { return -a }, func(a, b float64) float64 { return b - a })),
			[]Code{ArmsSwapped}, "I", 60, 60},
		{"right arm and left leg exchanged", ten(cables(func(a, b float64) float64 { return a - b }, func(a, b float64) float64 { return -b })),
			[]Code{LegSwapped}, "II", 20, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := Check(c.rec, Thresholds{})
			var codes []Code
			var leads []string
			for _, f := range report.Findings {
				if !slices.Contains(codes, f.Code) {
					codes = append(codes, f.Code)
				}
				if f.Lead != "" {
					leads = append(leads, f.Lead)
				}
				if strings.Contains(f.English, "%!") || strings.Contains(f.Chinese, "%!") || f.English == "" || f.Chinese == "" {
					t.Errorf("the words are %q and %q", f.English, f.Chinese)
				}
			}
			if !slices.Equal(codes, c.found) || strings.Join(leads, " ") != c.leads && c.leads != "" {
				t.Errorf("found %v, in %v; want %v in %s", codes, leads, c.found, c.leads)
				for _, f := range report.Findings {
					t.Log(f.English)
				}
			}
			if report.Score < c.least || report.Score > c.most {
				t.Errorf("scores %d, not %d to %d", report.Score, c.least, c.most)
			}
		})
	}
}

func TestARightAxisIsNoExchangeOfElectrodes(t *testing.T) {
	// QRS of I points down and P up: the heart lies so, the cables are right.
	rec := ecgtest.Twelve(500, 10, func(lead int, t float64) float64 {
		v := ecgtest.Heart(lead, t)
		if at := math.Mod(t, 0.8); lead == 0 && at > 0.19 && at < 0.32 {
			return -v
		}
		return v
	})
	for _, f := range Check(rec, Thresholds{}).Findings {
		if f.Code == ArmsSwapped {
			t.Error(f.English)
		}
	}
}

func TestThresholdsCanBeMoved(t *testing.T) {
	rec := ecgtest.Twelve(250, 10, ecgtest.Heart)
	if got := Check(rec, Thresholds{GoodRate: 250}); got.Score != 100 {
		t.Errorf("scores %d though 250 Hz was said to be good", got.Score)
	}
	if got := Check(rec, Thresholds{Flat: 1e6}); got.Score != 0 {
		t.Errorf("scores %d though every lead is flat by that threshold", got.Score)
	}
}

func TestWhatHasNoSignalScoresNothing(t *testing.T) {
	for name, rec := range map[string]*ecg.Recording{
		"no groups":           {},
		"a group of no leads": {Groups: []ecg.Group{{Rate: 500}}},
		"only missing":        {Groups: []ecg.Group{{Rate: 500, Leads: []ecg.Lead{{Unit: "uV", Scale: 1, Samples: ecg.SamplesOf(ecg.Missing, ecg.Missing)}}}}},
		"one sample":          {Groups: []ecg.Group{{Rate: 500, Leads: []ecg.Lead{{Code: ecg.I, Unit: "uV", Scale: 1, Samples: ecg.SamplesOf(7)}}}}},
		"no rate":             {Groups: []ecg.Group{{Leads: []ecg.Lead{{Unit: "uV", Scale: 1, Samples: ecg.SamplesOf(1)}}}}},
	} {
		if got := Check(rec, Thresholds{}); got.Score != 0 || len(got.Findings) == 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRecordingsOfTheCorpusAreJudged(t *testing.T) {
	corpus := os.Getenv("CONCORD_CORPUS")
	if corpus == "" {
		t.Skip("CONCORD_CORPUS names no corpus: no real recordings are judged")
	}
	for name, least := range map[string]int{"Example.scp": 50, "Example.xml": 50, "Example.dcm": 50, "dicom_12lead_waveform_ecg.dcm": 85} {
		f, err := os.Open(filepath.Join(corpus, "ecg", name))
		if err != nil {
			t.Fatal(err)
		}
		rec, err := ecg.Read(f, ecg.Limits{})
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		got := Check(rec, Thresholds{})
		t.Log(name, got.Score)
		for _, f := range got.Findings {
			t.Log(" ", f.English, f.Chinese)
		}
		if got.Score < least {
			t.Errorf("%s scores %d", name, got.Score)
		}
	}
}

func BenchmarkCheckTenSecondsOfTwelveLeads(b *testing.B) {
	rec := ecgtest.Twelve(500, 10, ecgtest.Heart)
	for b.Loop() {
		Check(rec, Thresholds{})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(500.0, 2.5, []byte{1, 2, 3, 255, 0, 7})
	f.Add(1e-9, math.Inf(1), []byte{0})
	f.Add(1e9, 0.0, make([]byte, 300))
	f.Fuzz(func(t *testing.T, rate, scale float64, samples []byte) {
		g := ecg.Group{Rate: rate}
		for k, code := range ecg.Twelve() {
			l := ecg.Lead{Code: code, Label: code.String(), Scale: scale, Unit: "uV"}
			for i, b := range samples {
				v := int32(int8(b)) * int32(1+k*i)
				if b == 7 {
					v = ecg.Missing
				}
				l.Samples.Append(v)
			}
			g.Leads = append(g.Leads, l)
		}
		if got := Check(&ecg.Recording{Groups: []ecg.Group{g}}, Thresholds{}); got.Score < 0 || got.Score > 100 {
			t.Error(got.Score)
		}
	})
}
