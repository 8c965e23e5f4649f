package fhir

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"concord/internal/ucum"
)

func TestNumbersInUnitsOfTensAreTheNearestFloatsOfTheirExactValues(t *testing.T) {
	texts := []string{"0", "-0", "1", "-1.50", "0.1", "5.35", "1.2.3", "", "+", "-", ".", ".5", "5.", "1e3", "1E-5", "0x10", "9007199254740993", "4.35", "100", "1" + strings.Repeat("0", 127),
		"0." + strings.Repeat("0", 120) + "1", strings.Repeat("9", 128), strings.Repeat("9", 129), "--1", "1-2"}
	for range 2000 {
		texts = append(texts, fmt.Sprintf("%.*f", rand.IntN(18), rand.NormFloat64()*float64(rand.IntN(1e6))))
	}
	found := 0
	for _, code := range strings.Fields(commonUnits + " Ym ym Ymol/fL") {
		u := unitOf(ucum.System, code)
		if u == nil || u.tens == "" {
			continue
		}
		found++
		exactly := *u
		exactly.tens = ""
		for _, text := range texts {
			got, ok := u.canonical(text)
			want, can := exactly.canonical(text)
			if ok != can || ok && got != want {
				t.Errorf("%s %s is %v, %v and exactly %v, %v", text, code, got, ok, want, can)
			}
		}
	}
	if found < 50 {
		t.Errorf("%d units differ from canonical ones by tens", found)
	}
}
