// Package ecgtest makes electrocardiograms for tests: a heart that is a sum of bell curves, seen by twelve leads that
// agree with Einthoven's law, and the faults that carts and cables add to it.
package ecgtest

import (
	"math"
	"time"

	"concord/internal/ecg"
)

// Scale is µV per sample value in recordings made here.
const Scale = 2.5

// wave is one bell of a beat: when, in seconds from the beat's begin, how wide, and how high in µV in I, II and V1 to V6.
type wave struct {
	at, width float64
	height    [8]float64
}

var beat = []wave{
	{0.12, 0.025, [8]float64{70, 130, 40, 60, 60, 60, 60, 60}},                 // P
	{0.225, 0.009, [8]float64{-60, -80, 0, 0, -20, -60, -90, -90}},             // Q
	{0.250, 0.012, [8]float64{620, 1100, 250, 500, 800, 1500, 1300, 1000}},     // R
	{0.278, 0.012, [8]float64{-110, -180, -900, -1400, -900, -500, -250, -90}}, // S
	{0.480, 0.050, [8]float64{180, 280, -60, 350, 420, 400, 320, 240}},         // T
}

// Signal is µV of a lead at a time, in the order of I, II, V1 … V6.
type Signal func(lead int, t float64) float64

// Heart beats 75 times a minute.
func Heart(lead int, t float64) float64 {
	t = math.Mod(t, 0.8)
	sum := 0.0
	for _, w := range beat {
		d := (t - w.at) / w.width
		sum += w.height[lead] * math.Exp(-d*d/2)
	}
	return sum
}

// Twelve is a recording of seconds at a rate, as the electrodes see it.
func Twelve(rate, seconds float64, see Signal) *ecg.Recording {
	n := int(rate * seconds)
	var measured [8][]float64
	for k := range measured {
		measured[k] = make([]float64, n)
		for i := range n {
			measured[k][i] = math.Round(see(k, float64(i)/rate)/Scale/2) * 2 * Scale // even, so that halves are exact
		}
	}
	mix := func(a, b float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = a*measured[0][i] + b*measured[1][i]
		}
		return out
	}
	g := ecg.Group{Kind: ecg.Rhythm, Rate: rate, Filters: ecg.Filters{HighPass: 0.05, LowPass: 150}}
	add := func(code ecg.LeadCode, values []float64) {
		l := ecg.Lead{Code: code, Label: code.String(), Scale: Scale, Unit: "uV"}
		for _, v := range values {
			l.Samples.Append(int32(math.Round(v / Scale)))
		}
		g.Leads = append(g.Leads, l)
	}
	add(ecg.I, measured[0])
	add(ecg.II, measured[1])
	add(ecg.III, mix(-1, 1))
	add(ecg.AVR, mix(-0.5, -0.5))
	add(ecg.AVL, mix(1, -0.5))
	add(ecg.AVF, mix(-0.5, 1))
	for k, code := range []ecg.LeadCode{ecg.V1, ecg.V2, ecg.V3, ecg.V4, ecg.V5, ecg.V6} {
		add(code, measured[2+k])
	}
	return &ecg.Recording{
		Format: ecg.SCP, Version: "1.3",
		Patient: ecg.Patient{ID: "P-0007", Name: "张三", Family: "张", Given: "三", Sex: ecg.Male, BirthDate: "1961-03-09",
			Age: &ecg.Quantity{Value: 65, Unit: "a"}},
		Acquired:    ecg.Time{Time: time.Date(2026, 5, 6, 7, 8, 9, 0, time.FixedZone("", 8*3600)), Zoned: true},
		Device:      ecg.Device{Manufacturer: "Example Carts", Model: "Twelve", Serial: "42"},
		Institution: "东湖社区卫生服务中心",
		Groups:      []ecg.Group{g},
		Measurements: []ecg.Measurement{
			number(ecg.VentricularRate, 75, "/min"), number(ecg.PRInterval, 130, "ms"), number(ecg.QRSDuration, 92, "ms"),
			number(ecg.QTInterval, 390, "ms"), number(ecg.QTcBazett, 436, "ms"), number(ecg.QRSAxis, 62, "deg"),
		},
		Statements: []ecg.Statement{{Text: "窦性心律", Status: "original"}, {Text: "Normal ECG", Status: "original"}},
	}
}

func number(code string, value float64, unit string) ecg.Measurement {
	return ecg.Measurement{Code: code, Quantity: ecg.Quantity{Value: value, Unit: unit}, Group: -1}
}

// With is the recording with a lead's samples seen anew: change gets each value in µV with its time in seconds.
func With(rec *ecg.Recording, code ecg.LeadCode, change func(t, uV float64) float64) *ecg.Recording {
	out := *rec
	g := rec.Groups[0]
	g.Leads = append([]ecg.Lead(nil), g.Leads...)
	for k, l := range g.Leads {
		if l.Code != code {
			continue
		}
		var s ecg.Samples
		for i, v := range l.Samples.All() {
			s.Append(int32(math.Round(change(float64(i)/g.Rate, float64(v)*Scale) / Scale)))
		}
		g.Leads[k].Samples = s
	}
	out.Groups = []ecg.Group{g}
	return &out
}

// Without is the recording without some leads.
func Without(rec *ecg.Recording, codes ...ecg.LeadCode) *ecg.Recording {
	out := *rec
	g := rec.Groups[0]
	g.Leads = nil
next:
	for _, l := range rec.Groups[0].Leads {
		for _, c := range codes {
			if l.Code == c {
				continue next
			}
		}
		g.Leads = append(g.Leads, l)
	}
	out.Groups = []ecg.Group{g}
	return &out
}
