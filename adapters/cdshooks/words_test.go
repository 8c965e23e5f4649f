package cdshooks

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestATextIsCutAtACharacterAndNeverLonger(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"", 5, ""}, {"abcde", 5, "abcde"}, {"abcdef", 5, "abcd…"}, {"肌酐肌酐肌酐", 5, "肌酐肌酐…"},
		{"😀😀", 4, "😀😀"}, {"😀😀😀", 5, "😀😀…"}, {"a😀😀", 4, "a😀…"},
	} {
		if got := cut(c.text, c.most); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

// FuzzTextsOfOthers holds that whatever a sender writes cannot open a tag, a link or an image, and that a summary stays short.
func FuzzTextsOfOthers(f *testing.F) {
	for _, s := range []string{"肌酐", "<b>", "[x](y)", "![x](y)", "`code`", "a\n# b", "\u202eabc", "&lt;", "http://x", strings.Repeat("😀", 200), "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := escape(s)
		for i, r := range out {
			switch r {
			case '<', '>', '\n', '\r', '\u202e':
				t.Fatalf("%q gives %q", s, out)
			case '[', ']', '(', ')', '!', '`', '*', '_', '#', '|', '~':
				if i == 0 || out[i-1] != '\\' {
					t.Fatalf("%q gives %q with a bare %q", s, out, r)
				}
			}
		}
		if !utf8.ValidString(out) && utf8.ValidString(s) {
			t.Fatalf("%q gives no UTF-8", s)
		}
		if n := len(utf16.Encode([]rune(cut(s, 139)))); n > 139 {
			t.Fatalf("%q is cut to %d", s, n)
		}
	})
}
