package ecg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"concord/hub"
	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

func made() *ecg.Recording { return ecgtest.Twelve(500, 8, ecgtest.Heart) }

func readSCP(t *testing.T, file []byte) *ecg.Recording {
	t.Helper()
	rec, err := ecg.Read(bytes.NewReader(file), ecg.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// sameSamples compares the rhythm of two recordings lead by lead.
func sameSamples(t *testing.T, got, want *ecg.Recording) {
	t.Helper()
	g, ok := got.Rhythm()
	w, _ := want.Rhythm()
	if !ok || len(g.Leads) != len(w.Leads) || g.Rate != w.Rate {
		t.Fatalf("read %d leads at %g/s, want %d at %g/s", len(g.Leads), g.Rate, len(w.Leads), w.Rate)
	}
	for _, l := range w.Leads {
		if !slices.Equal(microvolts(t, g, l.Code), microvolts(t, w, l.Code)) {
			t.Errorf("lead %v differs", l.Code)
		}
	}
}

func TestSCPSamplesSurviveEachLosslessCoding(t *testing.T) {
	want := made()
	for _, coding := range []ecgtest.Coding{ecgtest.Default, ecgtest.Own, ecgtest.Switching, ecgtest.Words} {
		for order := range 3 {
			for _, beat := range []int{0, 400} {
				for _, subtract := range []bool{false, beat > 0} {
					o := ecgtest.SCPOptions{Coding: coding, Order: order, Beat: beat, Subtract: subtract}
					t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
						rec := readSCP(t, ecgtest.SCP(want, o))
						sameSamples(t, rec, want)
						if len(rec.Remarks) > 0 {
							t.Errorf("remarks: %q", rec.Remarks)
						}
						if m, ok := rec.Median(); beat > 0 && (!ok || m.Len() != beat) {
							t.Errorf("the reference beat has %d samples", m.Len())
						}
					})
				}
			}
		}
	}
}

func TestBimodalCompressionKeepsProtectedAreasAndShapes(t *testing.T) {
	want := made()
	for _, o := range []ecgtest.SCPOptions{
		{Order: 2, Beat: 400, Subtract: true, Every: 4},
		{Order: 1, Beat: 400, Subtract: true, Every: 2, Coding: ecgtest.Own},
	} {
		rec := readSCP(t, ecgtest.SCP(want, o))
		g, _ := rec.Rhythm()
		if g.Rate != 500 || g.Len() != 4000 {
			t.Fatalf("%d samples at %g/s", g.Len(), g.Rate)
		}
		for _, code := range ecg.Twelve() {
			was, is := microvolts(t, want.Groups[0], code), microvolts(t, g, code)
			for i := range was {
				at := i%400 + 1
				if diff := math.Abs(was[i] - is[i]); at >= 94 && at <= 157 && diff != 0 || diff > 2*ecgtest.Scale {
					t.Fatalf("lead %v is off by %g µV at sample %d", code, diff, i)
				}
			}
		}
	}
}

// A residual that is not zero is thinned too: the ramp within beats comes back as a ramp, but for the step from one to the next.
func TestDecimatedStretchesAreJoinedByLines(t *testing.T) {
	ramp := ecgtest.With(made(), ecg.V1, func(at, uV float64) float64 { return uV + math.Round(at*40)*5 })
	rec := readSCP(t, ecgtest.SCP(ramp, ecgtest.SCPOptions{Order: 2, Beat: 400, Subtract: true, Every: 4}))
	g, _ := rec.Rhythm()
	was, is := microvolts(t, ramp.Groups[0], ecg.V1), microvolts(t, g, ecg.V1)
	for i := range was {
		if diff := math.Abs(was[i] - is[i]); diff > 10 && i%400 > 4 && i%400 < 396 {
			t.Fatalf("off by %g µV at sample %d", diff, i)
		}
	}
}

func TestSCPSaysWhoWhenAndWhat(t *testing.T) {
	want := made()
	rec := readSCP(t, ecgtest.SCP(want, ecgtest.SCPOptions{Order: 2, Beat: 400, Spikes: []int{100, 900}}))
	p := rec.Patient
	if p.ID != "P-0007" || p.Name != "张三" || p.Family != "张" || p.Given != "三" || p.Sex != ecg.Male || p.BirthDate != "1961-03-09" || *p.Age != *want.Patient.Age {
		t.Errorf("patient is %+v", p)
	}
	if rec.Institution != want.Institution || rec.Device != want.Device {
		t.Errorf("institution %q, device %+v", rec.Institution, rec.Device)
	}
	if got := rec.Acquired.String(); got != "2026-05-06T07:08:09+08:00" {
		t.Errorf("acquired %s", got)
	}
	if f := rec.Groups[0].Filters; f.HighPass != 0.05 || f.LowPass != 150 {
		t.Errorf("filters are %+v", f)
	}
	for _, m := range want.Measurements {
		if got, ok := rec.Measured(m.Code); !ok || got.Quantity != m.Quantity {
			t.Errorf("%s is %v, want %v", m.Code, got.Quantity, m.Quantity)
		}
	}
	if _, ok := rec.Measured(ecg.PDuration); ok {
		t.Error("a P wave without an end has a duration")
	}
	if len(rec.Statements) != 2 || rec.Statements[0].Text != "窦性心律" || rec.Statements[0].Status != "original" {
		t.Errorf("statements are %v", rec.Statements)
	}
	var spikes []int
	for _, a := range rec.Annotations {
		if a.Code == ecg.PacemakerSpike {
			spikes = append(spikes, a.From)
		}
	}
	if !slices.Equal(spikes, []int{50, 450}) || p.Pacemaker == "" {
		t.Errorf("spikes at %v", spikes)
	}
}

func TestLeadsThatBeginLaterKeepTheirPlaces(t *testing.T) {
	rec := readSCP(t, ecgtest.SCP(made(), ecgtest.SCPOptions{Starts: []int{1, 1, 1, 4001, 4001, 4001}}))
	g, _ := rec.Rhythm()
	if g.Leads[0].Start != 0 || g.Leads[3].Start != 4000 || g.Len() != 8000 {
		t.Errorf("leads start at %d and %d of %d", g.Leads[0].Start, g.Leads[3].Start, g.Len())
	}
}

func TestDamagedChecksumsAreRemarked(t *testing.T) {
	file := ecgtest.SCP(made(), ecgtest.SCPOptions{})
	i := bytes.Index(file, []byte("P-0007"))
	file[i+2] = '9'
	rec := readSCP(t, file)
	if rec.Patient.ID != "P-9007" || !slices.Equal(rec.Remarks, []string{"the record's checksum does not match", "the checksum of section 1 does not match"}) {
		t.Errorf("id %q with remarks %q", rec.Patient.ID, rec.Remarks)
	}
}

func TestHalfARecordIsRefused(t *testing.T) {
	file := ecgtest.SCP(made(), ecgtest.SCPOptions{})
	for _, n := range []int{32, 140, 200, len(file) / 2, len(file) - 400} {
		_, err := ecg.Read(bytes.NewReader(file[:n]), ecg.Limits{})
		var fault *hub.Error
		if !errors.As(err, &fault) || fault.Kind != hub.Invalid || fault.Path == "" {
			t.Errorf("the first %d of %d bytes: %v", n, len(file), err)
		}
	}
}

func TestHostileSCPIsRefused(t *testing.T) {
	lead := func(start, end uint32) []byte {
		s := []byte{1, 4}
		s = binary.LittleEndian.AppendUint32(s, start)
		return append(binary.LittleEndian.AppendUint32(s, end), 1)
	}
	rhythm := []byte{0xe8, 3, 0xd0, 7, 0, 0, 4, 0, 1, 2, 3, 4}
	for name, sections := range map[string]map[int][]byte{
		"4 G samples":                      {3: lead(1, 0xffffffff), 6: rhythm, 2: {0x1f, 0x4e}},
		"an end before the start":          {3: lead(9, 1), 6: rhythm},
		"no leads":                         {3: {0, 0}, 6: rhythm},
		"255 leads in no bytes":            {3: {255, 0}, 6: rhythm},
		"no rhythm":                        {3: lead(1, 4)},
		"an interval of zero":              {3: lead(1, 4), 6: {0, 0, 0, 0, 0, 0, 4, 0, 1, 2, 3, 4}},
		"data longer than the section":     {3: lead(1, 4), 6: {0xe8, 3, 0xd0, 7, 0, 0, 0xff, 0xff, 1, 2, 3, 4}},
		"a table of codes without bits":    {3: lead(1, 4), 6: rhythm, 2: {1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}},
		"a code that begins with another":  {3: lead(1, 4), 6: rhythm, 2: {1, 0, 2, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2, 1, 0, 0, 0, 0, 0, 0}},
		"65,535 tables in no bytes":        {3: lead(1, 4), 6: rhythm, 2: {0xff, 0xff}},
		"a switch to a table not there":    {3: lead(1, 4), 6: rhythm, 2: {1, 0, 1, 0, 1, 1, 0, 9, 0, 0, 0, 0, 0}},
		"a beat subtracted that is absent": {3: append([]byte{1, 5}, lead(1, 4)[2:]...), 6: rhythm, 2: {0x1f, 0x4e}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ecg.ReadSCP(bytes.NewReader(ecgtest.Frame(sections)), ecg.Limits{})
			var fault *hub.Error
			if !errors.As(err, &fault) {
				t.Fatalf("err = %v", err)
			}
		})
	}
}

func TestMoreThanTheLimitsIsRefused(t *testing.T) {
	scp := string(ecgtest.SCP(made(), ecgtest.SCPOptions{}))
	for name, lim := range map[string]ecg.Limits{"bytes": {Bytes: 1000}, "samples": {Samples: 1000}, "leads": {Leads: 3}} {
		_, err := ecg.Read(strings.NewReader(scp), lim)
		var fault *hub.Error
		if !errors.As(err, &fault) || fault.Kind != hub.TooLarge && name != "samples" {
			t.Errorf("limit of %s: %v", name, err)
		}
	}
}

// A record of two megabytes in which each bit is a sample, and each sample stands for sixteen.
func TestAFewBitsDoNotBecomeGigabytes(t *testing.T) {
	const leads, bytesEach = 40, 65534
	definition := []byte{leads, 5}
	rhythm := []byte{0xe8, 3, 0, 0x7d, 0, 1} // 32 ms
	beats := []byte{0xe8, 3, 0xd0, 7, 0, 0}  // 2 ms
	for range leads {
		definition = binary.LittleEndian.AppendUint32(definition, 1)
		definition = append(binary.LittleEndian.AppendUint32(definition, bytesEach*8*16), 1)
		rhythm = binary.LittleEndian.AppendUint16(rhythm, bytesEach)
		beats = append(beats, 2, 0)
	}
	rhythm = append(rhythm, make([]byte, leads*bytesEach)...)
	beats = append(beats, make([]byte, 2*leads)...)
	file := ecgtest.Frame(map[int][]byte{2: {0x1f, 0x4e}, 3: definition, 4: {20, 0, 1, 0, 0, 0}, 5: beats, 6: rhythm})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ecg.ReadSCP(bytes.NewReader(file), ecg.Limits{})
	runtime.ReadMemStats(&after)
	var fault *hub.Error
	if !errors.As(err, &fault) || fault.Kind != hub.TooLarge {
		t.Errorf("err = %v", err)
	}
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 200 {
		t.Errorf("%d MiB were allocated for %d", got, len(file)>>20)
	}
}
