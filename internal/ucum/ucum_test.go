package ucum

import (
	"math/big"
	"strings"
	"testing"
)

func TestCodesOfOneDimensionMeet(t *testing.T) {
	for _, c := range []struct{ value, from, to, want string }{
		{"5.6", "mmol/L", "umol/L", "5600"},
		{"98.6", "[degF]", "Cel", "37"},
		{"0", "Cel", "K", "273.15"},
		{"80", "[degRe]", "Cel", "100"},
		{"100", "mg/dL", "g/L", "1"},
		{"72", "/min", "/s", "1.2"},
		{"72", "{beats}/min", "1/min", "72"},
		{"4.5", "10*9/L", "10*3/uL", "4.5"},
		{"4.5", "10*9/L", "/nL", "4.5"},
		{"4.5", "10^9/L", "10*9{cells}/L", "4.5"},
		{"45", "%", "1", "0.45"},
		{"45", "{score}", "1", "45"},
		{"100", "mm[Hg]", "kPa", "13.3322"},
		{"1", "mg/(kg.d)", "mg/kg/d", "1"},
		{"1", "m/(s.s)", "m.s-2", "1"},
		{"1", "U/L", "umol/(min.L)", "1"},
		{"6", "U/L", "nkat/L", "100"},
		{"1", "[lb_av]", "kg", "0.45359237"},
		{"1", "[in_i]", "cm", "2.54"},
		{"1", "mL/min/{1.73_m2}", "mL/min", "1"},
		{"1", "a", "d", "365.25"},
		{"1", "[IU]/mL", "k[IU]/L", "1"},
		{"1", "[S]", "s", "0.0000000000001"},
		{"1", "m3", "L", "1000"},
		{"1", "ng/mL", "ug/L", "1"},
		{"1", "dB", "B", "0.1"},
	} {
		from, errFrom := Parse(c.from)
		to, errTo := Parse(c.to)
		if errFrom != nil || errTo != nil || from.Dimension() != to.Dimension() {
			t.Errorf("%s and %s: %v, %v; %q, %q", c.from, c.to, errFrom, errTo, from.Dimension(), to.Dimension())
			continue
		}
		value, _ := new(big.Rat).SetString(c.value)
		want, _ := new(big.Rat).SetString(c.want)
		got := to.FromCanonical(from.Canonical(value))
		if got.Cmp(want) != 0 {
			t.Errorf("%s %s is %s %s, want %s", c.value, c.from, got.FloatString(30), c.to, c.want)
		}
	}
}

func TestDimensionsKeepApart(t *testing.T) {
	for _, c := range [][2]string{{"mmol/L", "10*9/L"}, {"g", "m"}, {"[iU]/L", "U/L"}, {"[pH]", "1"}, {"B", "1"}, {"mg/dL", "mg/kg"}} {
		a, errA := Parse(c[0])
		b, errB := Parse(c[1])
		if errA != nil || errB != nil || a.Dimension() == b.Dimension() {
			t.Errorf("%v: %v, %v, %q", c, errA, errB, a.Dimension())
		}
	}
}

func TestKeyIsTheMeaning(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{{"mmol/L", "mol/m3", true}, {"mmol/L", "umol/L", false}, {"Cel", "K", false}, {"10*9/L", "10*3/uL", true}, {"[degF]", "[degR]", false}} {
		a, _ := Parse(c.a)
		b, _ := Parse(c.b)
		if (a.Key() == b.Key()) != c.same {
			t.Errorf("%s %q, %s %q", c.a, a.Key(), c.b, b.Key())
		}
	}
}

func TestEveryUnitIsResolved(t *testing.T) {
	for line := range strings.Lines(unitTable) {
		code := strings.Fields(line)[0]
		if _, ok := table().units[code]; !ok {
			t.Errorf("%s is not", code)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, code := range []string{"", "mg/", "mg//dL", "(mg", "mg)", "{open", "bogus", "mmHg", "m9999", "0", "/0", "Cel/min", "2.Cel", "Cel2", "m-", "mg dL",
		strings.Repeat("(", 20) + "m" + strings.Repeat(")", 20), strings.Repeat("m.", 100) + "m", "10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64.10*64", "公斤"} {
		if u, err := Parse(code); err == nil {
			t.Errorf("%q is read as %q", code, u.Key())
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, code := range []string{"mmol/L", "mm[Hg]", "10*9/L", "{a}/min", "mg/(kg.d)", "[in_i'H2O]", "m-2", "cal_[15]", "B[10.nV]", "''", "%"} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		u, err := Parse(code)
		if err != nil {
			return
		}
		if u.factor.Sign() <= 0 || u.tooGreat() {
			t.Fatalf("%q has factor %s", code, u.factor)
		}
		n := big.NewRat(11, 2)
		if back := u.FromCanonical(u.Canonical(n)); back.Cmp(n) != 0 {
			t.Fatalf("%q: %s came back as %s", code, n, back)
		}
	})
}
