package cnid

import "strings"

// creditAlphabet leaves out I, O, S, V and Z (GB 32100-2015, table 2). A character's place is its value.
const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// Credit is what a unified social credit code says.
type Credit struct {
	Code         string // 18 characters, upper case
	Registrar    byte   // the department that registered it: '1' is the establishment office, '9' market regulation
	Category     byte   // within the registrar: "12" is a public institution, as most hospitals are
	Region       string // GB/T 2260, 6 digits
	Organisation string // the organisation code of GB 11714, 9 characters
}

// ParseCredit reads a code, forgiving blanks around it and lower case. The check character of the organisation code
// inside is not judged: codes given to sole traders do not keep to it.
func ParseCredit(s string) (Credit, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) != 18 || !digits(s[2:8]) {
		return Credit{}, invalid("credit-code", "a unified social credit code has 18 characters, the third to the eighth of them digits", "")
	}
	check, ok := creditCheck(s[:17])
	if !ok {
		return Credit{}, invalid("credit-code", "a unified social credit code has digits and capital letters without I, O, S, V and Z", "")
	}
	if s[17] != check {
		return Credit{}, invalid("credit-code", "the check character does not fit", "look for a character mistyped or two exchanged")
	}
	return Credit{Code: s, Registrar: s[0], Category: s[1], Region: s[2:8], Organisation: s[8:17]}, nil
}

// MakeCredit builds a valid code from registrar and category ("12"), region (6 digits) and the first eight characters
// of the organisation code; both check characters are worked out.
func MakeCredit(registrar, region, organisation string) (string, error) {
	if len(registrar) != 2 || len(region) != 6 || len(organisation) != 8 {
		return "", invalid("credit-code", "registrar and category have 2 characters, the region 6, the organisation 8", "")
	}
	organisationCheck, ok := organisationCheck(organisation)
	if !ok {
		return "", invalid("credit-code", "an organisation code has digits and capital letters", "")
	}
	s := registrar + region + organisation + string(organisationCheck)
	check, ok := creditCheck(s)
	if !ok {
		return "", invalid("credit-code", "a unified social credit code has digits and capital letters without I, O, S, V and Z", "")
	}
	s += string(check)
	_, err := ParseCredit(s)
	return s, err
}

// creditCheck is ISO 7064 MOD 31-3 as GB 32100-2015, 5.3 spells it out; ok is false for a foreign character.
func creditCheck(body string) (check byte, ok bool) {
	sum, weight := 0, 1
	for i := range len(body) {
		value := strings.IndexByte(creditAlphabet, body[i])
		if value < 0 {
			return 0, false
		}
		sum += value * weight
		weight = weight * 3 % 31
	}
	return creditAlphabet[(31-sum%31)%31], true
}

// organisationCheck is the check character of GB 11714-1997, 4: 'X' for ten.
func organisationCheck(body string) (check byte, ok bool) {
	sum := 0
	for i, weight := range [8]int{3, 7, 9, 10, 5, 8, 4, 2} {
		switch c := body[i]; {
		case c >= '0' && c <= '9':
			sum += int(c-'0') * weight
		case c >= 'A' && c <= 'Z':
			sum += int(c-'A'+10) * weight
		default:
			return 0, false
		}
	}
	return "0123456789X"[(11-sum%11)%11], true
}
