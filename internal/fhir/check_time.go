package fhir

// leadingDate is the length of the date that s begins with, YYYY, YYYY-MM or YYYY-MM-DD: the longest one that is followed
// by the end or by a T. It is not ok when that is no date of the calendar from year 1 on.
func leadingDate(s string) (length int, ok bool) {
	year, ok := decimals(s, 0, 4)
	if !ok || year == 0 {
		return 0, false
	}
	if len(s) == 4 {
		return 4, true
	}
	month, ok := decimals(s, 5, 2)
	if !ok || s[4] != '-' || month < 1 || month > 12 {
		return 0, false
	}
	if len(s) == 7 {
		return 7, true
	}
	day, ok := decimals(s, 8, 2)
	if !ok || s[7] != '-' || day < 1 || day > daysOf(year, month) {
		return 0, false
	}
	return 10, true
}

func daysOf(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// leadingTime is the length of the time hh:mm:ss with any fraction that s begins with, 0 when there is none. The second 60
// is a leap second.
func leadingTime(s string) int {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return 0
	}
	hour, ok1 := decimals(s, 0, 2)
	minute, ok2 := decimals(s, 3, 2)
	second, ok3 := decimals(s, 6, 2)
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return 0
	}
	end := 8
	if len(s) > 8 && s[8] == '.' {
		for end = 9; end < len(s) && isDigit(s[end]); end++ {
		}
		if end == 9 {
			return 0
		}
	}
	return end
}

// isZonedTime is T, a time and its offset from UTC: Z or from -14:00 to +14:00.
func isZonedTime(s string) bool {
	if s == "" || s[0] != 'T' {
		return false
	}
	length := leadingTime(s[1:])
	if length == 0 {
		return false
	}
	zone := s[1+length:]
	if zone == "Z" {
		return true
	}
	if len(zone) != 6 || zone[0] != '+' && zone[0] != '-' || zone[3] != ':' {
		return false
	}
	hour, ok1 := decimals(zone, 1, 2)
	minute, ok2 := decimals(zone, 4, 2)
	return ok1 && ok2 && minute <= 59 && (hour <= 13 || hour == 14 && minute == 0)
}

// decimals reads the number that n digits of s from at on make.
func decimals(s string, at, n int) (v int, ok bool) {
	if len(s) < at+n {
		return 0, false
	}
	for i := at; i < at+n; i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, true
}
