package charset

import (
	"strings"
	"testing"

	"concord/hub"
)

func TestEncode(t *testing.T) {
	tests := []struct{ name, set, text, want string }{
		{"ASCII needs no declaration", "", "Smith^John", "Smith^John"},
		{"Latin-1", "ISO_IR 100", "Buc^Jérôme", "Buc^J\xe9r\xf4me"},
		{"Thai", "ISO_IR 166", "นาย", "\xb9\xd2\xc2"},
		{"half-width katakana", "ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "\xd4\xcf\xc0\xde^\xc0\xdb\xb3"},
		{"Japanese as in PS3.5 H.3.1", `\ISO 2022 IR 87`, "Yamada^Tarou=山田^太郎=やまだ^たろう",
			"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"},
		{"Japanese as in PS3.5 H.3.2", `ISO 2022 IR 13\ISO 2022 IR 87`, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
			"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"},
		{"Korean as in PS3.5 I.2", `\ISO 2022 IR 149`, "Hong^Gildong=洪^吉洞", "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"},
		{"Chinese as in PS3.5 K.2", `\ISO 2022 IR 58`, "Zhang^XiaoDong=张^小东", "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"},
		{"Latin, Greek and Latin again", `ISO 2022 IR 100\ISO 2022 IR 126`, "é α é", "\xe9 \x1b-F\xe1 \x1b-A\xe9"},
		{"a delimiter ends a designation", `ISO 2022 IR 100\ISO 2022 IR 126`, `α\é`, "\x1b-F\xe1\\\xe9"},
		{"Japanese as the first value, which the standard does not allow", "ISO 2022 IR 87", "山", "\x1b$B;3\x1b(B"},
		{"supplementary kanji", `\ISO 2022 IR 87\ISO 2022 IR 159`, "丂山", "\x1b$(D0!\x1b$B;3\x1b(B"},
		{"GB18030", "GB18030", "𠀀", "\x95\x32\x82\x36"},
		{"GBK", "GBK", "昞", "\x95\x5c"},
		{"UTF-8", "ISO_IR 192", "王^小東", "王^小東"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			terms := strings.Split(tt.set, `\`)
			got, err := Encode(terms, tt.text)
			if err != nil || string(got) != tt.want {
				t.Fatalf("%q %v, want %q", got, err, tt.want)
			}
			set, _ := New(terms)
			if back, repair := set.Append(nil, got); string(back) != tt.text || repair != AsDeclared {
				t.Errorf("reads back as %q, %v", back, repair)
			}
		})
	}
}

func TestEncodeRefusesWhatASetDoesNotHave(t *testing.T) {
	for _, tt := range []struct{ set, text string }{
		{"", "é"}, {"ISO_IR 100", "张"}, {"ISO_IR 100", "α"}, {"ISO 2022 IR 100", "张"}, {`\ISO 2022 IR 58`, "朱镕基"},
		{"GBK", "𠀀"}, {"ISO_IR 13", "山"}, {`\ISO 2022 IR 149`, "张三丰𠀀"}, {"ISO_IR 999", "é"}, {"ISO_IR 100", "a\x1bb"},
	} {
		if out, err := Encode(strings.Split(tt.set, `\`), tt.text); !hub.Is(err, hub.Unprocessable) {
			t.Errorf("%q in %q: %q, %v", tt.text, tt.set, out, err)
		}
	}
}

// FuzzEncode wants what was encoded to be read as what it was.
func FuzzEncode(f *testing.F) {
	for _, term := range []string{"ISO_IR 100", "ISO_IR 13", "GB18030", "GBK", `\ISO 2022 IR 87\ISO 2022 IR 159`, `\ISO 2022 IR 149`, `\ISO 2022 IR 58`, `ISO 2022 IR 13\ISO 2022 IR 87`} {
		f.Add(term, "A^张三\\é=山田 ﾔ洪")
		f.Add(term, "山田^太郎\r\nA")
		f.Add(term, "张^小东 A")
	}
	f.Fuzz(func(t *testing.T, declared, text string) {
		terms := strings.Split(declared, `\`)
		out, err := Encode(terms, text)
		if err != nil || strings.ContainsAny(text, "\x1b\uFFFD") || strings.ToValidUTF8(text, "") != text {
			return
		}
		set, _ := New(terms)
		if back, repair := set.Append(nil, out); string(back) != text && repair == AsDeclared {
			t.Errorf("%q in %q is %q, read as %q", text, terms, out, back)
		}
	})
}
