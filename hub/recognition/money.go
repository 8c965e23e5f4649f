package recognition

import (
	"slices"
	"strconv"
	"strings"
)

// Price is what an item or a panel costs in a region.
type Price struct {
	Item   string // id of an item or a panel
	Region string // a division of GB/T 2260 or an area; empty: wherever nothing nearer is said
	Money
	Source string
}

// Money is an amount in the smallest unit of a currency (ISO 4217): 1250 CNY are 12.50 yuan. Its zero is not known.
type Money struct {
	Amount   int64
	Currency string
}

// Known says whether there is an amount at all.
func (m Money) Known() bool { return m.Currency != "" }

// String writes the amount for people: 12.50 CNY.
func (m Money) String() string {
	if !m.Known() {
		return ""
	}
	text := strconv.FormatInt(m.Amount, 10)
	for len(strings.TrimPrefix(text, "-")) < 3 {
		text = strings.Replace("0"+text, "0-", "-0", 1)
	}
	return text[:len(text)-2] + "." + text[len(text)-2:] + " " + m.Currency
}

// Area is a region of recognition that joins divisions (GB/T 2260).
type Area struct {
	ID               string
	Chinese, English string
	Divisions        []string
	Source           string
}

// Price is what an item or panel costs whoever lies in regions: the price of the narrowest region that covers one of them.
func (c *Catalogue) Price(id string, regions []string) Money {
	var found Money
	nearest := -1
	for _, p := range c.lexicon.prices[id] {
		if near := c.nearness(p.Region, regions); near > nearest {
			found, nearest = p.Money, near
		}
	}
	return found
}

// nearness is how narrow a region is that covers one of several: -1 where it covers none.
func (c *Catalogue) nearness(region string, regions []string) int {
	switch {
	case region == "":
		return 0
	case nationwide(region):
		return 1
	case c.Covers(region, regions) != Yes:
		return -1
	case !division(region):
		return 2
	case strings.HasSuffix(region, "0000"):
		return 3
	case strings.HasSuffix(region, "00"):
		return 4
	}
	return 5
}

// Covers says whether a scope, as marks of recognition name theirs, covers somebody who lies in regions. A scope is
// nationwide (全国, CN), a division of GB/T 2260 such as 320500 with all divisions in it, an area by id or by name, or
// several of these separated by |. Who says no region may lie anywhere; a scope that is not understood may cover anybody.
func (c *Catalogue) Covers(scope string, regions []string) Fact {
	known := true
	for one := range strings.SplitSeq(scope, "|") {
		one = strings.TrimSpace(one)
		divisions, area := c.lexicon.areas[one]
		switch {
		case nationwide(one):
			return Yes
		case slices.ContainsFunc(regions, func(r string) bool {
			return r == one || within(r, one) || slices.ContainsFunc(divisions, func(d string) bool { return within(r, d) })
		}):
			return Yes
		case !division(one) && !area:
			known = false
		}
	}
	if !known || len(regions) == 0 {
		return Unknown
	}
	return No
}

func nationwide(scope string) bool { return scope == "全国" || scope == "CN" }

// division says whether a code has the form of GB/T 2260: two digits each for province, city and county.
func division(code string) bool {
	if len(code) != 6 || code[0] == '0' {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}

// within says whether one division lies in another, whose pairs of trailing zeros stand for all.
func within(inner, outer string) bool {
	if !division(inner) || !division(outer) {
		return false
	}
	return strings.HasPrefix(inner, strings.TrimSuffix(strings.TrimSuffix(outer, "00"), "00"))
}
