package pinyin

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNamesAreSpelled(t *testing.T) {
	for _, c := range []struct{ text, whole, initials string }{
		{"张伟", "zhangwei", "zw"},
		{"欧阳娜娜", "ouyangnana", "oynn"},
		{"单雄信", "shanxiongxin", "sxx"},
		{"曾国藩", "zengguofan", "zgf"},
		{"仇英", "qiuying", "qy"},
		{"解晓东", "xiexiaodong", "xxd"},
		{"盖叫天", "gejiaotian", "gjt"},
		{"尉迟恭", "yuchigong", "ycg"},
		{"尉健行", "weijianxing", "wjx"},
		{"单于", "chanyu", "cy"},
		{"吕布", "lvbu", "lb"},
		{"吕布", "lubu", "lb"},
		{"朴·a1", "piaoa1", "pa1"},
		{"银行", "yinhang", "yh"},
		{"银行", "yinxing", "yx"},
		{"中 心", "zhongxin", "zx"},
	} {
		whole, initials := Spell(c.text)
		if !slices.Contains(whole, c.whole) || !slices.Contains(initials, c.initials) {
			t.Errorf("%s is %v, %v", c.text, whole, initials)
		}
	}
}

func TestSurnameReadingComesFirst(t *testing.T) {
	for text, want := range map[string]string{"单田芳": "shan", "曾毅": "zeng", "仇和": "qiu", "解放": "xie", "盖宁": "ge", "查良镛": "zha", "长孙无忌": "zhangsun"} {
		if whole, _ := Spell(text); !strings.HasPrefix(whole[0], want) {
			t.Errorf("%s is %v", text, whole)
		}
	}
}

func TestWhatIsNotChineseHasNoReading(t *testing.T) {
	for _, text := range []string{"", "Zhang Wei", "123", "カタ"} {
		if whole, initials := Spell(text); whole != nil || initials != nil {
			t.Errorf("%q is %v, %v", text, whole, initials)
		}
	}
}

func TestObsoleteReadingsAreLeftOut(t *testing.T) {
	for text, want := range map[string]string{"王": "wang", "月": "yue", "石": "shi", "南": "nan", "王女士": "wangnvshi wangnushi", "大庆": "daqing daiqing",
		"重庆": "zhongqing chongqing", "音乐": "yinle yinyue", "那英": "naying", "宁夏": "ningxia", "任华": "renhua", "佛山": "foshan fushan", "无锡": "wuxi"} {
		if whole, _ := Spell(text); strings.Join(whole, " ") != want {
			t.Errorf("%s is %v", text, whole)
		}
	}
}

func TestPolyphonesAreRead(t *testing.T) {
	for r, all := range polyphoneTable() {
		if len(all) < 2 || len(all) > 3 {
			t.Errorf("%c has %v", r, all)
		}
		if spelled := read(r, ""); spelled[0].text != all[0] || spelled[1].text != all[1] {
			t.Errorf("%c is %v", r, spelled)
		}
	}
}

func TestReadingsAreLatin(t *testing.T) {
	for r := rune(0x4e00); r < 0x9fa6; r++ {
		for _, s := range read(r, "") {
			if strings.Trim(s.text, "abcdefghijklmnopqrstuvwxyz") != "" && s.text != string(r) {
				t.Errorf("%c is %q", r, s.text)
			}
		}
	}
}

func TestReadingsAreBounded(t *testing.T) {
	whole, initials := Spell(strings.Repeat("行乐单曾", 50))
	if len(whole) != MaxReadings || len(initials) > MaxReadings || utf8.RuneCountInString(initials[0]) != MaxCharacters {
		t.Errorf("%d readings, %d initials %v", len(whole), len(initials), initials)
	}
}

func FuzzSpell(f *testing.F) {
	f.Add("张三丰")
	f.Fuzz(func(t *testing.T, text string) {
		whole, initials := Spell(text)
		if len(whole) > MaxReadings || len(initials) > MaxReadings || (whole == nil) != (initials == nil) {
			t.Fatalf("%q: %v %v", text, whole, initials)
		}
		for _, s := range whole {
			if len(s) > 7*MaxCharacters || s == "" {
				t.Fatalf("%q: %q", text, s)
			}
		}
	})
}

func TestTonedTellsTonesApart(t *testing.T) {
	for text, want := range map[string]string{"张伟": "zhāngwěi", "": "", "Li 明": "Limíng"} {
		if got := Toned(text); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	if Toned("明") != Toned("铭") || Toned("佳怡") == Toned("佳艺") {
		t.Error("sounds are not told apart by tone")
	}
}
