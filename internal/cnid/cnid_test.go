package cnid

import (
	"strings"
	"testing"
	"time"

	"concord/hub"
)

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

func TestResidentSaysBirthAndSex(t *testing.T) {
	for _, c := range []struct {
		name, in, number string
		birth            time.Time
		male             bool
	}{
		{"the standard's example with X", "11010519491231002X", "11010519491231002X", day(1949, 12, 31), false},
		{"the standard's example of a centenarian", "440524188001010014", "440524188001010014", day(1880, 1, 1), true},
		{"a lower-case x and blanks", " 11010519491231002x\n", "11010519491231002X", day(1949, 12, 31), false},
		{"an old number is widened", "110105491231002", "11010519491231002X", day(1949, 12, 31), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseResident(c.in)
			want := Resident{c.number, c.number[:6], c.birth, c.male}
			if err != nil || got != want {
				t.Fatalf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestResidentIsRefused(t *testing.T) {
	for name, in := range map[string]string{
		"empty":                             "",
		"a wrong check character":           "110105194912310021",
		"two digits exchanged":              "11010519491213002X",
		"a day that is not":                 "110105190002290016",
		"an old number with a month 13":     "110105491331002",
		"a province that is not":            "00010519491231002X",
		"letters among the digits":          "1101051949123100AX",
		"full-width digits":                 "１１０１０５１９４９１２３１００２Ｘ",
		"seventeen characters":              "11010519491231002",
		"a sign where a digit has to stand": "+1010519491231002X",
	} {
		if _, err := ParseResident(in); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", name, err)
		} else if in != "" && strings.Contains(err.Error(), in) {
			t.Errorf("%s: the error repeats the number", name)
		}
	}
}

func TestEveryResidentMadeIsReadBack(t *testing.T) {
	for i := range 1000 {
		birth := day(1920, 2, 29).AddDate(0, 0, i*37)
		s, err := MakeResident("310101", birth, i)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseResident(s)
		if err != nil || !r.Birth.Equal(birth) || r.Male != (i%2 == 1) || r.Region != "310101" {
			t.Fatalf("sequence %d: %+v, %v", i, r, err)
		}
		for at := range 17 { // ISO 7064 MOD 11-2 finds each single wrong digit
			wrong := []byte(s)
			wrong[at] = '0' + (wrong[at]-'0'+1+byte(i%9))%10
			if wrong[at] != s[at] {
				if _, err := ParseResident(string(wrong)); err == nil {
					t.Fatalf("sequence %d: a wrong digit at %d is not noticed", i, at)
				}
			}
		}
	}
	for name, err := range map[string]error{
		"sequence": second(MakeResident("310101", day(2000, 1, 1), 1000)),
		"region":   second(MakeResident("3101", day(2000, 1, 1), 1)),
		"year":     second(MakeResident("310101", day(10000, 1, 1), 1)),
	} {
		if !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCreditCodeIsReadInItsParts(t *testing.T) {
	got, err := ParseCredit(" 91350100m000100y43 ") // the example of GB 32100-2015
	want := Credit{"91350100M000100Y43", '9', '1', "350100", "M000100Y4"}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, in := range map[string]string{
		"empty":                    "",
		"a wrong check character":  "91350100M000100Y44",
		"two characters exchanged": "91350100M000010Y43",
		"a letter I":               "9135010IM000100Y43",
		"an S in the organisation": "91350100S000100Y43",
		"letters in the region":    "91A50100M000100Y43",
		"seventeen characters":     "91350100M000100Y4",
		"bytes that are not ASCII": "91350100M00010医43",
	} {
		if _, err := ParseCredit(in); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryCreditCodeMadeIsReadBack(t *testing.T) {
	for i := range 500 {
		org := []byte("42500000")
		for k, n := 7, i*7919; k >= 0; k, n = k-1, n/31 {
			org[k] = creditAlphabet[n%31]
		}
		s, err := MakeCredit("12", "310101", string(org))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := ParseCredit(s); err != nil || c.Organisation[:8] != string(org) || c.Category != '2' {
			t.Fatalf("%s: %+v, %v", org, c, err)
		}
	}
	if err := second(MakeCredit("12", "310101", "4250000S")); !hub.Is(err, hub.Invalid) {
		t.Error(err)
	}
}

func FuzzNumbersFromOutsideAreJudged(f *testing.F) {
	f.Add("11010519491231002X")
	f.Add("110105491231002")
	f.Add("91350100M000100Y43")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseResident(s); err == nil {
			if again, err := ParseResident(r.Number); err != nil || again != r {
				t.Fatalf("%+v is read again as %+v, %v", r, again, err)
			}
		}
		if c, err := ParseCredit(s); err == nil && len(c.Code) != 18 {
			t.Fatal(c)
		}
	})
}

func second(_ string, err error) error { return err }
