package identity

import (
	"slices"
	"strings"
	"unicode"

	"concord/internal/fhir"
)

// readPhones brings telephone numbers into one form; dummies are left out.
func (m *Model) readPhones(list fhir.Value) (out []string) {
	for v := range list.Items() {
		if system := v.Get("system").Text(); system != "" && system != "phone" && system != "sms" {
			continue
		}
		n := phoneDigits(fhir.Normalise(v.Get("value").Text()))
		if len(n) < 7 || len(out) >= mostPhones || slices.Contains(out, n) || matches(m.DummyPhones, n) {
			continue
		}
		out = append(out, n)
	}
	return out
}

// phoneDigits drops the prefixes of country and trunk, and whatever stands behind the number.
func phoneDigits(text string) string {
	var b strings.Builder
scan:
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case unicode.IsSpace(r) || strings.ContainsRune("+-().", r):
		case b.Len() >= 7:
			break scan
		}
	}
	n := b.String()
	for _, prefix := range []string{"0086", "86"} {
		if rest, ok := strings.CutPrefix(n, prefix); ok && len(rest) >= 10 {
			n = rest
			break
		}
	}
	if len(n) == 12 && strings.HasPrefix(n, "01") {
		n = n[1:]
	}
	return n[:min(len(n), 15)]
}

// phoneTail is what two ways of writing one number have in common: a line at home has its area code or not.
func phoneTail(n string) string {
	if len(n) == 11 && n[0] == '1' {
		return n
	}
	return n[max(0, len(n)-8):]
}

// Address is one address in the forms in which it is compared.
type Address struct {
	Region string // county, as far as it was found
	Detail string // the rest: street, house, room

	words, numbers []string // of Detail, without the words for house, floor and room
}

// readAddress parts an address: administrative levels down to the county, then words and numbers in their order.
func readAddress(v fhir.Value) Address {
	text := v.Get("text").Text()
	if text == "" {
		for _, part := range []string{"state", "city", "district"} {
			text += v.Get(part).Text()
		}
		for line := range v.Get("line").Items() {
			text += line.Text()
		}
	}
	text = strings.Join(strings.Fields(fhir.Normalise(text)), "")
	if len(text) > 600 {
		return Address{}
	}
	a := Address{}
	a.Region, a.Detail = splitRegion(text)
	if district := fhir.Normalise(v.Get("district").Text()); district != "" {
		a.Region = district
	}
	a.Region, a.Detail = strings.Clone(a.Region), strings.Clone(a.Detail)
	a.words, a.numbers = tokens(a.Detail)
	return a
}

// splitRegion takes province, city and county off the front. A county or district is two to five characters long, so that
// 市 in the middle of a street's name is not taken for a level.
func splitRegion(text string) (region, detail string) {
	rest := []rune(text)
	for range 4 {
		cut := 0
		for i := 1; i < min(len(rest), 12); i++ {
			if strings.ContainsRune("路街巷村镇乡道号弄", rest[i]) {
				break
			}
			if strings.ContainsRune("省市县旗", rest[i]) || rest[i] == '区' && (i+1 >= len(rest) || rest[i-1] != '小') {
				cut = i + 1
				break
			}
		}
		if cut == 0 {
			break
		}
		region, rest = string(rest[:cut]), rest[cut:]
	}
	return region, string(rest)
}

// tokens are the words and the numbers of an address; the words that only say what a number counts are dropped.
func tokens(detail string) (words, numbers []string) {
	var word, number []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, string(word))
		}
		if len(number) > 0 {
			numbers = append(numbers, string(number))
		}
		word, number = nil, nil
	}
	for _, r := range detail {
		switch {
		case r >= '0' && r <= '9':
			if len(word) > 0 {
				flush()
			}
			number = append(number, r)
		case strings.ContainsRune("号幢栋座单元室层楼组房户", r) || !unicode.IsLetter(r):
			flush()
		default:
			if len(number) > 0 {
				flush()
			}
			word = append(word, r)
		}
	}
	flush()
	return words, numbers
}
