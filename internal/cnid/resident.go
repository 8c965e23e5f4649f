package cnid

import (
	"fmt"
	"strings"
	"time"
)

// Resident is what a resident id says about its bearer.
type Resident struct {
	Number string    // 18 characters, upper case; an old number is widened
	Region string    // GB/T 2260 code of the place of registration, 6 digits
	Birth  time.Time // midnight UTC of the day of birth
	Male   bool      // the sequence number is odd
}

// residentWeights and residentChecks are ISO 7064 MOD 11-2 as GB 11643-1999, 4.4 spells it out.
var residentWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

const residentChecks = "10X98765432"

// provinces are the first two digits of GB/T 2260, with 81 to 83 for residents of Hong Kong, Macao and Taiwan.
// A number that begins with 9 is that of a foreigner with permanent residence.
const provinces = " 11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83 "

// ParseResident reads an 18-digit id or one of the 15-digit form that was issued until 1999 (no check digit, a year of
// the 1900s). Blanks around it and a lower-case x are forgiven. It does not ask whether the birth lies in the future.
func ParseResident(s string) (Resident, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	switch {
	case len(s) == 15 && digits(s):
		s = widen(s)
	case len(s) == 18 && digits(s[:17]):
	default:
		return Resident{}, invalid("resident-id", "a resident id has 17 digits and a check character, or 15 digits", "")
	}
	if s[0] != '9' && !strings.Contains(provinces, " "+s[:2]+" ") {
		return Resident{}, invalid("resident-id", "no province has the code that the number begins with", "")
	}
	birth, err := time.Parse("20060102", s[6:14])
	if err != nil {
		return Resident{}, invalid("resident-id", "digits 7 to 14 are not a date of birth", "")
	}
	if s[17] != residentCheck(s[:17]) {
		return Resident{}, invalid("resident-id", "the check character does not fit", "look for a digit mistyped or two exchanged")
	}
	return Resident{Number: s, Region: s[:6], Birth: birth, Male: (s[16]-'0')%2 == 1}, nil
}

// MakeResident builds a valid id. The sequence number (0 to 999) is odd for men and even for women.
func MakeResident(region string, birth time.Time, sequence int) (string, error) {
	if len(region) != 6 || !digits(region) {
		return "", invalid("region", "a region code has 6 digits (GB/T 2260)", "")
	}
	if sequence < 0 || sequence > 999 {
		return "", invalid("sequence", "a sequence number lies between 0 and 999", "")
	}
	s := fmt.Sprintf("%s%s%03d", region, birth.Format("20060102"), sequence)
	if len(s) != 17 {
		return "", invalid("birth", "the year of birth must have four digits", "")
	}
	s += string(residentCheck(s))
	_, err := ParseResident(s)
	return s, err
}

func widen(old string) string {
	s := old[:6] + "19" + old[6:]
	return s + string(residentCheck(s))
}

func residentCheck(body string) byte {
	sum := 0
	for i, w := range residentWeights {
		sum += int(body[i]-'0') * w
	}
	return residentChecks[sum%11]
}
