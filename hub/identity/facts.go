package identity

import (
	"slices"
	"time"
)

// compareBirth finds how far two dates agree, and by which slip they may differ.
func compareBirth(a, b Birth) string {
	if a.Year == 0 || b.Year == 0 {
		return ""
	}
	partial := a.Month == 0 || b.Month == 0 || a.Day == 0 || b.Day == 0
	switch {
	case a == b && partial:
		return "month"
	case a == b && placeholder(a):
		return "placeholder"
	case a == b:
		return "same"
	case partial:
		switch {
		case a.Year == b.Year && (a.Month == b.Month && a.Month != 0):
			return "month"
		case a.Year == b.Year && (a.Month == 0 || b.Month == 0):
			return "year"
		}
		return "differ"
	case a.Year == b.Year && a.Month == b.Day && a.Day == b.Month:
		return "swapped"
	case oneEdit(digits(a), digits(b)):
		return "digit"
	case (placeholder(a) || placeholder(b)) && abs(a.Year-b.Year) <= 1:
		return "year"
	case abs(a.Year-b.Year) == 1 && a.Month == b.Month && a.Day == b.Day:
		return "year-off"
	case lunar(a, b):
		return "lunar"
	}
	return "differ"
}

// digits are the eight of a whole date.
func digits(b Birth) string {
	n := b.Year*10_000 + b.Month*100 + b.Day
	var text [8]byte
	for i := range text {
		text[7-i] = '0' + byte(n%10)
		n /= 10
	}
	return string(text[:])
}

// lunar: a date of the old calendar stands 17 to 51 days before the same day of the new one. It may be, no more.
func lunar(a, b Birth) bool {
	at := func(x Birth) time.Time { return time.Date(x.Year, time.Month(x.Month), x.Day, 0, 0, 0, 0, time.UTC) }
	days := abs(int(at(a).Sub(at(b)).Hours() / 24))
	return days >= 17 && days <= 51
}

func abs(n int) int { return max(n, -n) }

// farApart: the dates are of two generations.
func farApart(a, b Birth) bool { return a.Year != 0 && b.Year != 0 && abs(a.Year-b.Year) >= 10 }

func comparePhones(a, b []string) string {
	if len(a) == 0 || len(b) == 0 {
		return ""
	}
	level := "differ"
	for _, x := range a {
		for _, y := range b {
			switch {
			case phoneTail(x) == phoneTail(y):
				return "same"
			case len(x) >= 8 && oneEdit(x, y):
				level = "near"
			}
		}
	}
	return level
}

func compareAddresses(a, b []Address) string {
	best := ""
	order := LevelNames("address")
	for i := range a {
		for j := range b {
			level := compareAddress(&a[i], &b[j])
			if best == "" || level != "" && slices.Index(order, level) < slices.Index(order, best) {
				best = level
			}
		}
	}
	return best
}

func compareAddress(a, b *Address) string {
	region := a.Region == "" || b.Region == "" || a.Region == b.Region
	if a.Detail == "" || b.Detail == "" {
		switch {
		case a.Region == "" || b.Region == "":
			return ""
		case region:
			return "region"
		}
		return "differ"
	}
	first := len(a.words) > 0 && len(b.words) > 0 && a.words[0] == b.words[0]
	switch {
	case !region, !first && (a.Region == "" || b.Region == ""):
		return "differ"
	case !first:
		return "region"
	case sameDoor(a.numbers, b.numbers) && sameWords(a.words, b.words):
		return "same"
	case sameWords(a.words, b.words) && (len(a.numbers) == 0 || len(b.numbers) == 0 || a.numbers[0] == b.numbers[0]):
		return "place"
	}
	return "street"
}

// sameDoor: the numbers end alike, and those of the shorter way of writing are among those of the longer, in order.
func sameDoor(a, b []string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) == 0 || a[len(a)-1] != b[len(b)-1] || len(a) < 2 && len(b) > 2 {
		return false
	}
	k := 0
	for _, n := range b {
		if k < len(a) && a[k] == n {
			k++
		}
	}
	return k == len(a)
}

func sameWords(a, b []string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// compareNumbers finds the strongest agreement of numbers. Only citizen numbers speak against one person when they
// differ: of the others everybody may have several.
func compareNumbers(a, b []Number) string {
	level, differ := "", false
	order := LevelNames("number")
	for i := range a {
		for j := range b {
			if a[i].Kind != b[j].Kind || a[i].System != b[j].System {
				continue
			}
			this := compareNumber(&a[i], &b[j])
			if this == "differ" {
				differ = true
			} else if this != "" && (level == "" || slices.Index(order, this) < slices.Index(order, level)) {
				level = this
			}
		}
	}
	if level == "" && differ {
		return "differ"
	}
	return level
}

func compareNumber(a, b *Number) string {
	equal := a.Value == b.Value && a.Valid && b.Valid
	switch {
	case equal && a.resident:
		return "citizen"
	case equal && a.System != "":
		return "local"
	case equal:
		return "other"
	case a.resident && a.Valid != b.Valid && nearNumber(a.Value, b.Value):
		return "citizen-near"
	case a.resident && a.Valid && b.Valid && !a.Old && !b.Old: // cards and passports are issued anew
		return "differ"
	}
	return ""
}

// nearNumber: one mistyped digit; an old number is held against the new one without century and check digit.
func nearNumber(a, b string) bool {
	if len(a) < 14 || len(b) < 14 {
		return false
	}
	return oneEdit(a, b) || len(a) == 15 && len(b) == 18 && oneEdit(a, b[:6]+b[8:17]) || len(b) == 15 && len(a) == 18 && oneEdit(b, a[:6]+a[8:17])
}

func sharesNumber(a, b *Traits, is func(x *Number) bool) bool {
	for i := range a.Numbers {
		for j := range b.Numbers {
			x, y := &a.Numbers[i], &b.Numbers[j]
			if x.Valid && y.Valid && x.Kind == y.Kind && x.System == y.System && x.Value == y.Value && is(x) && is(y) {
				return true
			}
		}
	}
	return false
}

// residents are a Patient's valid citizen numbers, those in force only or old ones too.
func residents(t *Traits, old bool) (out []string) {
	for _, n := range t.Numbers {
		if n.resident && n.Valid && (old || !n.Old) {
			out = append(out, n.Value)
		}
	}
	return out
}

func contains(list []string, what ...string) bool {
	return slices.ContainsFunc(what, func(s string) bool { return slices.Contains(list, s) })
}
