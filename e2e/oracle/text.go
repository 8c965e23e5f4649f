package oracle

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is one string that a string parameter looks at.
type Text struct {
	Raw    string
	Normal string
	Sounds []string // how it begins in pinyin and in pinyin's initials; nil for what has no Chinese character
}

func textOf(raw string) Text {
	t := Text{Raw: raw, Normal: normalise(raw)}
	t.Sounds = sounds(t.Normal)
	return t
}

func (f *Facts) addText(n Node) {
	add := func(values ...string) {
		for _, v := range values {
			if normalise(v) != "" {
				f.Texts = append(f.Texts, textOf(v))
			}
		}
	}
	switch n.Type {
	case "HumanName":
		add(n.get("text"), n.get("family"))
		add(n.list("given")...)
		add(n.list("prefix")...)
		add(n.list("suffix")...)
		if n.get("text") == "" {
			add(written(n.get("family"), n.list("given")))
		}
	case "Address":
		add(n.get("text"), n.get("city"), n.get("district"), n.get("state"), n.get("postalCode"), n.get("country"))
		add(n.list("line")...)
	case "string", "markdown", "code", "id", "String":
		add(n.text())
	}
}

// written is a whole name as one writes it: a Chinese family name first and without a space, else last.
func written(family string, given []string) string {
	if first, _ := utf8.DecodeRuneInString(family); unicode.Is(unicode.Han, first) {
		return family + strings.Join(given, "")
	}
	return strings.Join(append(given, family), " ")
}

// list are the texts of a repeating primitive member.
func (n Node) list(name string) (all []string) {
	items, _ := n.object()[name].([]any)
	for _, item := range items {
		all = append(all, Node{Value: item}.text())
	}
	return all
}

// accents names the base of each accented letter that the data has. What is not here and not ASCII stands for itself.
var accents = func() map[rune]string {
	table := map[rune]string{'ß': "ss", 'æ': "æ", 'ø': "ø", 'ł': "ł", 'œ': "œ", '’': "’", '²': "2", '™': "tm", '…': "...", '\u00a0': " ", '\u3000': " ", 'µ': "μ", 'ς': "σ"}
	for base, letters := range map[string]string{
		"a": "àáâãäåā", "c": "çćč", "e": "èéêëę", "i": "ìíîï", "n": "ñń", "o": "òóôõö", "u": "ùúûüū", "y": "ýÿ", "z": "źżž", "s": "śš", "g": "ğ",
		"и": "й", "е": "ё", "α": "ά",
	} {
		for _, l := range letters {
			table[l] = base
		}
	}
	for r := '！'; r <= '～'; r++ { // full width forms of ASCII
		table[r] = strings.ToLower(string(r - '！' + '!'))
	}
	return table
}()

// normalise drops case, accents and width, and makes white space single (search.html#string).
func normalise(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 0x300 && r <= 0x36f: // a combining accent
		case accents[r] != "":
			b.WriteString(accents[r])
		default:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// pinyin says how the characters of the data's names are read today.
var pinyin = map[rune][]string{
	'张': {"zhang"}, '伟': {"wei"}, '王': {"wang"}, '芳': {"fang"}, '李': {"li"}, '娜': {"na", "nuo"}, '秀': {"xiu"}, '英': {"ying"}, '刘': {"liu"}, '洋': {"yang"},
	'陈': {"chen"}, '静': {"jing"}, '杨': {"yang"}, '赵': {"zhao"}, '磊': {"lei"}, '黄': {"huang"}, '丽': {"li"}, '周': {"zhou"}, '强': {"qiang", "jiang"},
	'吴': {"wu"}, '敏': {"min"}, '徐': {"xu"}, '军': {"jun"}, '孙': {"sun"}, '欧': {"ou"}, '阳': {"yang"}, '明': {"ming"}, '诸': {"zhu"}, '葛': {"ge"}, '亮': {"liang"},
	'无': {"wu"}, '忌': {"ji"}, '上': {"shang"}, '海': {"hai"}, '市': {"shi"}, '埔': {"pu", "bu"}, '区': {"qu", "ou"}, '当': {"dang"}, '路': {"lu"}, '号': {"hao"},
	'县': {"xian"}, '镇': {"zhen"}, '人': {"ren"}, '民': {"min"}, '医': {"yi"}, '院': {"yuan"}, '卫': {"wei"}, '生': {"sheng"}, '社': {"she"}, '中': {"zhong"}, '心': {"xin"},
	'阴': {"yin"}, '性': {"xing"}, '弱': {"ruo"}, '童': {"tong"}, '年': {"nian"}, '体': {"ti"}, '结': {"jie"}, '果': {"guo"},
	'月': {"yue"}, '红': {"hong"}, '建': {"jian"}, '国': {"guo"}, '志': {"zhi"}, '文': {"wen"}, '马': {"ma"}, '超': {"chao"}, '林': {"lin"}, '高': {"gao"},
	'检': {"jian"}, '查': {"cha", "zha"}, '验': {"yan"}, '互': {"hu"}, '认': {"ren"}, '率': {"lv", "lu", "shuai"},
}

// sounds spells a normalised text in pinyin and in initials, without spaces, in every combination of readings; nil when
// it has a character that is not in the table, or none at all.
func sounds(normal string) []string {
	whole, initials := []string{""}, []string{""}
	han := false
	for _, r := range normal {
		readings := pinyin[r]
		switch {
		case len(readings) > 0:
			han = true
		case unicode.Is(unicode.Han, r):
			return nil
		case r == ' ':
			continue
		default:
			readings = []string{string(r)}
		}
		var longer, shorter []string
		for _, reading := range readings {
			for i := range whole {
				longer = append(longer, whole[i]+reading)
				shorter = append(shorter, initials[i]+string([]rune(reading)[:1]))
			}
		}
		whole, initials = longer, shorter
	}
	if !han {
		return nil
	}
	return append(whole, initials...)
}

// begins is the default way of matching strings; one that has Chinese characters is found by their sounds, too.
func (t Text) begins(asked string) bool {
	asked = normalise(asked)
	if strings.HasPrefix(t.Normal, asked) {
		return true
	}
	for _, s := range t.Sounds {
		if strings.HasPrefix(s, strings.ReplaceAll(asked, " ", "")) {
			return true
		}
	}
	return false
}
