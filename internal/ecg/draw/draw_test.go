package draw

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"concord/hub"
	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

// A ruler is what a person lays on the picture: it reads the SVG's millimetres as printed and the ends of a trace.
type ruler struct {
	mm     float64 // a user unit in millimetres, from width, height and viewBox
	traces map[string][][]point
	grid   map[string][]float64 // x of the vertical lines, by class
	texts  []string
	names  map[string]int // elements by name
}

func measure(t *testing.T, svg []byte) ruler {
	t.Helper()
	r := ruler{traces: map[string][][]point{}, grid: map[string][]float64{}, names: map[string]int{}}
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return r
		}
		if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			r.texts = append(r.texts, string(text))
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		r.names[e.Name.Local]++
		at := map[string]string{}
		for _, a := range e.Attr {
			at[a.Name.Local] = a.Value
		}
		switch {
		case e.Name.Local == "svg":
			box := strings.Fields(at["viewBox"])
			wide, tall := value(t, strings.TrimSuffix(at["width"], "mm")), value(t, strings.TrimSuffix(at["height"], "mm"))
			r.mm = wide / value(t, box[2])
			if math.Abs(r.mm-tall/value(t, box[3])) > 1e-9 || !strings.HasSuffix(at["width"], "mm") {
				t.Fatal("the SVG's units are not the same in both directions, or no millimetres")
			}
		case at["class"] == "trace":
			r.traces[at["data-lead"]] = append(r.traces[at["data-lead"]], path(t, at["d"]))
		case strings.HasPrefix(at["class"], "grid"):
			for _, m := range strings.Split(at["d"], "M")[1:] {
				if x, rest, _ := strings.Cut(m, " "); strings.Contains(rest, "V") {
					r.grid[at["class"]] = append(r.grid[at["class"]], value(t, x))
				}
			}
		}
	}
}

func value(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// path are the points of path data with M, l, h and v.
func path(t *testing.T, d string) []point {
	var points []point
	var at point
	for d != "" {
		op := d[0]
		end := strings.IndexAny(d[1:], "Mlhv") + 1
		if end == 0 {
			end = len(d)
		}
		spaced := strings.ReplaceAll(d[1:end], "-", " -")
		var args []float64
		for _, f := range strings.Fields(spaced) {
			args = append(args, value(t, f))
		}
		switch op {
		case 'M':
			at = point{args[0], args[1]}
		case 'l':
			at = point{at.x + args[0], at.y + args[1]}
		case 'h':
			at.x += args[0]
		case 'v':
			at.y += args[0]
		}
		points = append(points, at)
		d = d[end:]
	}
	return points
}

func svg(t *testing.T, rec *ecg.Recording, o Options) ruler {
	t.Helper()
	var b bytes.Buffer
	if err := SVG(&b, rec, o); err != nil {
		t.Fatal(err)
	}
	return measure(t, b.Bytes())
}

// step is 0 mV, and 1 mV from the second 1 to before the second 2.
func step(_ int, t float64) float64 {
	if t >= 1 && t < 2 {
		return 1000
	}
	return 0
}

func TestAStepOfOneMillivoltMeasuresTenMillimetresAndASecondTwentyFive(t *testing.T) {
	for _, c := range []struct {
		name         string
		o            Options
		high, second float64
	}{
		{"as most carts print", Options{Layout: TwelveByOne}, 10, 25},
		{"fast", Options{Layout: TwelveByOne, Speed: 50}, 10, 50},
		{"half gain", Options{Layout: TwelveByOne, Gain: 5}, 5, 25},
		{"double gain", Options{Layout: Strip, Gain: 20}, 20, 25},
		{"a window", Options{Layout: Strip, From: 0.5, Seconds: 3}, 10, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, rate := range []float64{250, 500, 1000, 8000} {
				r := svg(t, ecgtest.Twelve(rate, 10, step), c.o)
				points := r.traces["II"][0]
				low, high := math.Inf(-1), math.Inf(1)
				begin, end := math.NaN(), math.NaN()
				for i, p := range points {
					low, high = max(low, p.y), min(high, p.y)
					if i > 0 && p.y < points[i-1].y-c.high/2 {
						begin = p.x
					}
					if i > 0 && p.y > points[i-1].y+c.high/2 {
						end = p.x
					}
				}
				if got := (low - high) * r.mm; math.Abs(got-c.high) > 1e-9 {
					t.Errorf("at %v Hz one millivolt measures %v mm, not %v", rate, got, c.high)
				}
				if got := (end - begin) * r.mm; math.Abs(got-c.second) > 0.011 {
					t.Errorf("at %v Hz one second measures %v mm, not %v", rate, got, c.second)
				}
			}
		})
	}
}

func TestTheGridHasALineEachMillimetre(t *testing.T) {
	r := svg(t, ecgtest.Twelve(500, 10, ecgtest.Heart), Options{})
	for class, step := range map[string]float64{"grid-1mm": 1, "grid-5mm": 5} {
		lines := r.grid[class]
		if len(lines) < 50 {
			t.Fatalf("%s has %d lines", class, len(lines))
		}
		for i := 1; i < len(lines); i++ {
			if math.Abs((lines[i]-lines[i-1])*r.mm-step) > 1e-9 {
				t.Fatalf("%s: lines at %v and %v", class, lines[i-1], lines[i])
			}
		}
	}
}

func TestLayoutsShowEachLeadWhereReadersLookForIt(t *testing.T) {
	rec := ecgtest.Twelve(500, 10, ecgtest.Heart)
	for _, c := range []struct {
		layout Layout
		right  map[string]float64 // where the lead's first trace begins
		width  float64
		twice  string // the rhythm strip's lead
	}{
		{ThreeByFour, map[string]float64{"I": 20, "aVR": 82.5, "V1": 145, "V6": 207.5, "III": 20}, 62.5, "II"},
		{SixByTwo, map[string]float64{"I": 20, "aVF": 20, "V1": 145, "V6": 145}, 125, "II"},
		{TwelveByOne, map[string]float64{"I": 20, "V6": 20}, 250, ""},
	} {
		t.Run(string(c.layout), func(t *testing.T) {
			r := svg(t, rec, Options{Layout: c.layout})
			if len(r.traces) != 12 {
				t.Errorf("%d leads are drawn", len(r.traces))
			}
			for lead, x := range c.right {
				run := r.traces[lead][0]
				if got := run[0].x; math.Abs(got-x) > 0.06 {
					t.Errorf("%s begins at %v mm, not %v", lead, got, x)
				}
				if got := run[len(run)-1].x - run[0].x; math.Abs(got-c.width) > 0.06 {
					t.Errorf("%s is %v mm wide, not %v", lead, got, c.width)
				}
			}
			for lead, runs := range r.traces {
				if want := 1 + b2i(lead == c.twice); len(runs) != want {
					t.Errorf("%s is drawn %d times", lead, len(runs))
				}
			}
		})
	}
}

func TestTheLeadsOfAMomentDoNotLieOnEachOther(t *testing.T) {
	rec := ecgtest.Twelve(500, 0.4, ecgtest.Heart) // 2.5 mm of each lead in 3x4
	r := svg(t, rec, Options{Layout: ThreeByFour})
	for lead, x := range map[string]float64{"I": 20, "aVR": 40, "V1": 60, "V6": 80} {
		run := r.traces[lead][0]
		if wide := run[len(run)-1].x - run[0].x; math.Abs(run[0].x-x) > 0.06 || math.Abs(wide-2.5) > 0.06 {
			t.Errorf("%s begins at %v mm, not %v, and is %v mm wide", lead, run[0].x, x, wide)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestLimbLeadsAreComputedWhereTheFileHasOnlyTwo(t *testing.T) {
	whole := ecgtest.Twelve(500, 10, ecgtest.Heart)
	eight := ecgtest.Without(whole, ecg.III, ecg.AVR, ecg.AVL, ecg.AVF)
	a, b := svg(t, whole, Options{}), svg(t, eight, Options{})
	for _, lead := range []string{"III", "aVR", "aVL", "aVF"} {
		x, y := a.traces[lead], b.traces[lead]
		if len(y) != 1 || len(x[0]) != len(y[0]) {
			t.Fatalf("%s is drawn otherwise when computed", lead)
		}
		for i := range x[0] {
			if math.Abs(x[0][i].y-y[0][i].y) > 0.011 {
				t.Fatalf("%s at %d: %v, computed %v", lead, i, x[0][i], y[0][i])
			}
		}
	}
}

func TestAGapIsNotDrawn(t *testing.T) {
	rec := ecgtest.Twelve(500, 4, ecgtest.Heart)
	l := &rec.Groups[0].Leads[1]
	var s ecg.Samples
	for i, v := range l.Samples.All() {
		if i >= 500 && i < 1000 {
			v = ecg.Missing
		}
		s.Append(v)
	}
	l.Samples = s
	r := svg(t, rec, Options{Layout: Strip})
	for i, p := range r.traces["II"][0][1:] {
		if before := r.traces["II"][0][i]; before.x < 44 && p.x > 46 && p.x < 69 {
			t.Fatalf("something is drawn at %v, in the gap", p)
		}
	}
}

func TestASpikeOfOneSampleSurvivesADayInOneStrip(t *testing.T) {
	rec := ecgtest.With(ecgtest.Twelve(1000, 60, step), ecg.V2, func(t, uV float64) float64 {
		if math.Abs(t-30) < 0.0004 {
			return 3000
		}
		return uV
	})
	var b bytes.Buffer
	if err := SVG(&b, rec, Options{Layout: Strip, Seconds: 60, Speed: 5}); err != nil {
		t.Fatal(err)
	}
	high := math.Inf(1)
	r := measure(t, b.Bytes())
	points := r.traces["V2"][0]
	for _, p := range points {
		high = min(high, p.y)
	}
	if got := points[0].y - high; math.Abs(got-30) > 0.011 {
		t.Errorf("the spike of 3 mV is drawn %v mm high", got)
	}
	if len(points) > 4*300*8 {
		t.Errorf("%d points for 300 mm", len(points))
	}
}

func TestWordsFromOutsideAreOnlyWords(t *testing.T) {
	rec := ecgtest.Twelve(500, 10, ecgtest.Heart)
	rec.Patient.Name = `</text><script>alert(1)</script>` + "\u202eX\x00\n]]>"
	rec.Patient.ID = `" onload="x`
	rec.Groups[0].Leads[0].Code = 0
	rec.Groups[0].Leads[0].Label = `I"><script/>`
	r := svg(t, rec, Options{Layout: Strip})
	if r.names["script"] != 0 || r.names["svg"] != 1 {
		t.Errorf("elements: %v", r.names)
	}
	if all := strings.Join(r.texts, "|"); !strings.Contains(all, "<script>alert(1)") || strings.ContainsAny(all, "\u202e\x00\n") {
		t.Errorf("the texts are %q", all)
	}
	for name := range r.names {
		switch name {
		case "svg", "rect", "path", "g", "text":
		default:
			t.Errorf("the SVG has an element %s", name)
		}
	}
}

func TestThePNGSaysHowManyPixelsMakeAMillimetre(t *testing.T) {
	var b bytes.Buffer
	if err := PNG(&b, ecgtest.Twelve(500, 10, ecgtest.Heart), Options{PixelsPerMM: 4}); err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b.Bytes(), []byte("pHYs"))
	if at < 0 || binary.BigEndian.Uint32(b.Bytes()[at+4:]) != 4000 || b.Bytes()[at+12] != 1 {
		t.Error("no pHYs chunk of 4000 pixels a metre")
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Dx(); got != 275*4 {
		t.Errorf("%d pixels wide", got)
	}
}

func TestThePNGHasTheStepWhereTheSVGHasIt(t *testing.T) {
	var b bytes.Buffer
	o := Options{Layout: Strip, NoHeader: true, Seconds: 3}
	rec := ecgtest.Twelve(500, 10, step)
	if err := PNG(&b, rec, o); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := plan(rec, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.traces[0].runs[0][:1400:1400] {
		if r, _, _, _ := img.At(int(p.x*8), int(p.y*8)).RGBA(); r > 0x6000 {
			t.Fatalf("no ink at %v mm", p)
		}
	}
}

func TestWhatCannotBeDrawnIsRefused(t *testing.T) {
	good := ecgtest.Twelve(500, 10, ecgtest.Heart)
	pressure := ecgtest.Twelve(500, 1, ecgtest.Heart)
	for i := range pressure.Groups[0].Leads {
		pressure.Groups[0].Leads[i].Unit = "mm[Hg]"
	}
	for _, c := range []struct {
		name string
		rec  *ecg.Recording
		o    Options
		kind hub.ErrKind
	}{
		{"no signals at all", &ecg.Recording{}, Options{}, hub.NotFound},
		{"no voltages", pressure, Options{}, hub.Unprocessable},
		{"a group that is not there", good, Options{Group: 3}, hub.NotFound},
		{"a time behind the end", good, Options{From: 60}, hub.Invalid},
		{"a speed that is no number", good, Options{Speed: math.NaN()}, hub.Invalid},
		{"a gain of nothing", good, Options{Gain: -1}, hub.Invalid},
		{"a layout of another name", good, Options{Layout: "4x3"}, hub.Invalid},
		{"a language of another name", good, Options{Language: "fr"}, hub.Invalid},
		{"more pixels than wanted", good, Options{Layout: TwelveByOne, Speed: 200, PixelsPerMM: 24}, hub.TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := PNG(&b, c.rec, c.o); !hub.Is(err, c.kind) || b.Len() > 0 {
				t.Errorf("%v, and %d bytes", err, b.Len())
			}
		})
	}
}

func TestNamesAreDrawnInChineseAndHalfANameNever(t *testing.T) {
	var p pen
	for _, s := range []string{"张三", "欧阳玥", "李喆", "王堃", "Müller", "Żółć", "µV ° – …", "≠", "（采集时间）"} {
		if !p.has(s) {
			t.Errorf("%s cannot be drawn", s)
		}
	}
	if p.has("김철수") {
		t.Error("the fonts have Hangul now: choose another script to test with")
	}
	if w := p.width("张三"); math.Abs(w-2) > 0.1 {
		t.Errorf("two characters are %v wide", w)
	}
}

func FuzzSVG(f *testing.F) {
	f.Add("张三", "II", 500.0, 0.0, 10.0, int32(100))
	f.Add("<&>", "\"", 1.0, 5.0, 0.1, int32(ecg.Missing))
	f.Add("", "", 1e9, -1.0, 3600.0, int32(math.MaxInt32))
	f.Fuzz(func(t *testing.T, name, label string, rate, from, seconds float64, v int32) {
		rec := &ecg.Recording{Patient: ecg.Patient{Name: name}, Groups: []ecg.Group{{Rate: rate, Leads: []ecg.Lead{
			{Label: label, Samples: ecg.SamplesOf(v, 0, ecg.Missing, v/2, v), Scale: rate / 100, Unit: "uV"}}}}}
		var b bytes.Buffer
		if err := SVG(&b, rec, Options{From: from, Seconds: seconds}); err != nil {
			return
		}
		d := xml.NewDecoder(&b)
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}
