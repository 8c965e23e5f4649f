package mappings

import (
	"regexp"
	"strings"
	"testing"
)

func TestBodySitesAreTermsWithConcepts(t *testing.T) {
	term, code := regexp.MustCompile(`^[A-Z]{2,16}$`), regexp.MustCompile(`^[1-9][0-9]{5,17}$`)
	sites := BodySites()
	lines := 0
	for line := range strings.Lines(bodySites) {
		if !strings.HasPrefix(line, "#") {
			lines++
		}
	}
	if lines != len(sites) || lines < 100 {
		t.Errorf("%d lines give %d body sites", lines, len(sites))
	}
	for k, c := range sites {
		if !term.MatchString(k) || !code.MatchString(*c.Code) || *c.Display == "" || !verhoeff(*c.Code) {
			t.Errorf("%s: %s %q", k, *c.Code, *c.Display)
		}
	}
}

// verhoeff tells whether the check digit of a SNOMED CT identifier is right.
func verhoeff(digits string) bool {
	turn := [8]string{"0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258"}
	times := [10]string{"0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432", "7659821043", "8765932104", "9876543210"}
	sum := byte('0')
	for i := range len(digits) {
		sum = times[sum-'0'][turn[i%8][digits[len(digits)-1-i]-'0']-'0']
	}
	return sum == '0'
}
