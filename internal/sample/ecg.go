package sample

import (
	"math"
	"math/rand/v2"
	"time"

	"concord/internal/ecg"
)

// wave is a bump of a heartbeat: when in a second it comes, how wide it is, and how high in µV in I, II, V1 … V6.
type wave struct {
	at, width float64
	high      [8]float64
}

func heartbeat() []wave {
	return []wave{
		{0.16, 0.022, [8]float64{60, 110, 40, 55, 60, 60, 60, 55}},           // P
		{0.300, 0.007, [8]float64{-40, -70, 0, 0, -20, -60, -80, -80}},       // Q
		{0.322, 0.010, [8]float64{520, 900, 180, 380, 700, 1300, 1250, 950}}, // R
		{0.346, 0.010, [8]float64{-60, -120, -750, -1150, -700, -350, -120, -50}},
		{0.560, 0.045, [8]float64{140, 230, 30, 330, 380, 340, 270, 200}}, // T
	}
}

// ECG is ten seconds of twelve leads of a person, with a little noise; the limb leads agree with Einthoven's law.
func ECG(seed uint64, p Person, at time.Time) *ecg.Recording {
	const rate, seconds, scale = 500, 10, 2.5
	dice := rand.New(rand.NewPCG(seed, 11))
	beat := 60.0 / float64(62+dice.IntN(20))
	leads := map[ecg.LeadCode]*ecg.Samples{}
	for _, code := range ecg.Twelve() {
		leads[code] = &ecg.Samples{}
	}
	for n := range rate * seconds {
		var v [8]float64
		for _, w := range heartbeat() {
			d := math.Mod(float64(n)/rate, beat) - w.at
			bump := math.Exp(-d * d / (2 * w.width * w.width))
			for i := range v {
				v[i] += bump * w.high[i]
			}
		}
		for i := range v {
			v[i] += dice.NormFloat64() * 4
		}
		one, two := math.Round(v[0]/scale), math.Round(v[1]/scale)
		for code, sample := range map[ecg.LeadCode]float64{ecg.I: one, ecg.II: two, ecg.III: two - one, ecg.AVR: -(one + two) / 2, ecg.AVL: one - two/2, ecg.AVF: two - one/2,
			ecg.V1: v[2] / scale, ecg.V2: v[3] / scale, ecg.V3: v[4] / scale, ecg.V4: v[5] / scale, ecg.V5: v[6] / scale, ecg.V6: v[7] / scale} {
			leads[code].Append(int32(math.Round(sample)))
		}
	}
	g := ecg.Group{Rate: rate, Filters: ecg.Filters{HighPass: 0.05, LowPass: 150}}
	for _, code := range ecg.Twelve() {
		g.Leads = append(g.Leads, ecg.Lead{Code: code, Label: code.String(), Samples: *leads[code], Scale: scale, Unit: "uV"})
	}
	sex := ecg.Female
	if p.Male {
		sex = ecg.Male
	}
	number := func(code string, value float64, unit string) ecg.Measurement {
		return ecg.Measurement{Code: code, Group: -1, Quantity: ecg.Quantity{Value: value, Unit: unit}}
	}
	return &ecg.Recording{
		Patient:  ecg.Patient{ID: p.Number, Name: p.Family + p.Given, Family: p.Family, Given: p.Given, Sex: sex, BirthDate: p.Birth.Format("2006-01-02")},
		Acquired: ecg.Time{Time: at, Zoned: true}, Device: ecg.Device{Manufacturer: "Concord sample", Model: "SC-12"}, Groups: []ecg.Group{g},
		Measurements: []ecg.Measurement{number(ecg.HeartRate, math.Round(60/beat), "/min"), number(ecg.PRInterval, 150, "ms"), number(ecg.QRSDuration, 88, "ms"), number(ecg.QTInterval, 380, "ms")},
		Statements:   []ecg.Statement{{Text: "Sinus rhythm"}, {Text: "Normal ECG"}},
	}
}
