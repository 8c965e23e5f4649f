package keeper

import "testing"

func TestTheTagOfAKeyIsBetweenItsFirstBraces(t *testing.T) {
	for key, want := range map[string]string{
		"{r07}:e:Observation":                  "r07",
		"{r07}":                                "r07",
		"{}:x":                                 "{}:x",
		"{}{a}":                                "{}{a}",
		"{a}{b}":                               "a",
		"{{a}}":                                "{a",
		"x{a}y":                                "a",
		"{a":                                   "{a",
		"{":                                    "{",
		"":                                     "",
		"no tag":                               "no tag",
		"{a tag of more than sixteen bytes}:x": "a tag of more than sixteen bytes",
	} {
		if got := tagOf(key); got != want {
			t.Errorf("the tag of %q is %q, want %q", key, got, want)
		}
	}
}
