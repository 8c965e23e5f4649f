// Package pinyin spells Chinese text in Latin letters, so that it can be found by typing them.
//
// Some characters are read in several ways. A text has all its readings of today, the usual ones first, up to MaxReadings; a
// surname that is read in its own way (单 shan, 仇 qiu) is read so first.
package pinyin

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	readings "github.com/mozillazg/go-pinyin"
)

// The bounds of what is spelled: characters behind the 24th are left out, and of a text's readings those
// beyond the eighth. polyphones have up to three.
const (
	MaxCharacters = 24
	MaxReadings   = 8
)

// Spell gives the readings of a text without tones and spaces, and their initials: 张伟 is zhangwei and zw. Letters and
// digits stand for themselves, other signs for nothing. A text without Chinese characters has none.
func Spell(text string) (whole, initials []string) {
	whole, initials = []string{""}, []string{""}
	chinese := false
	for _, syllables := range characters(text) {
		if len(syllables) == 0 {
			continue
		}
		chinese = chinese || syllables[0].chinese
		whole = extend(whole, syllables, func(s syllable) string { return s.text })
		initials = extend(initials, syllables, func(s syllable) string { return s.text[:s.initial] })
	}
	if !chinese {
		return nil, nil
	}
	return whole, initials
}

// syllable is one way to read a character.
type syllable struct {
	text    string
	initial int // length of its first letter
	chinese bool
}

// extend puts each syllable behind each beginning: those of the first syllable come first, so that a bound never takes a
// usual reading away.
func extend(beginnings []string, syllables []syllable, part func(syllable) string) []string {
	var all []string
	for _, s := range syllables {
		for _, b := range beginnings {
			if next := b + part(s); len(all) < MaxReadings && !slices.Contains(all, next) {
				all = append(all, next)
			}
		}
	}
	return all
}

// characters reads a text, one item for each character.
func characters(text string) [][]syllable {
	var all [][]syllable
	surname := surnameOf(text)
	for _, r := range text {
		if len(all) == MaxCharacters {
			break
		}
		var first string
		if len(all) < len(surname) {
			first = surname[len(all)]
		}
		all = append(all, read(r, first))
	}
	return all
}

// read gives the ways to read a character, first the one that is known to be due, if any.
func read(r rune, first string) []syllable {
	if !unicode.Is(unicode.Han, r) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return []syllable{{string(r), len(string(r)), false}}
		}
		return nil
	}
	var all []syllable
	add := func(text string) {
		if text != "" && !slices.ContainsFunc(all, func(s syllable) bool { return s.text == text }) {
			all = append(all, syllable{text, 1, true})
		}
	}
	add(first)
	if several := polyphoneTable()[r]; several != nil {
		for _, text := range several {
			add(text)
		}
	} else {
		usual, _, _ := strings.Cut(readings.PinyinDict[int(r)], ",")
		add(toneless(usual))
	}
	if len(all) == 0 {
		return []syllable{{string(r), len(string(r)), true}}
	}
	for _, s := range all {
		if strings.HasPrefix(s.text, "lv") || strings.HasPrefix(s.text, "nv") { // ü is typed as v or u
			add(s.text[:1] + "u" + s.text[2:])
		}
	}
	return all
}

// toneless drops the marks of tones.
func toneless(text string) string {
	plain := make([]byte, 0, 8)
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			plain = append(plain, byte(r))
		case strings.ContainsRune("āáǎà", r):
			plain = append(plain, 'a')
		case strings.ContainsRune("ēéěèếềê", r):
			plain = append(plain, 'e')
		case strings.ContainsRune("īíǐì", r):
			plain = append(plain, 'i')
		case strings.ContainsRune("ōóǒò", r):
			plain = append(plain, 'o')
		case strings.ContainsRune("ūúǔù", r):
			plain = append(plain, 'u')
		case strings.ContainsRune("ǖǘǚǜü", r):
			plain = append(plain, 'v')
		case strings.ContainsRune("ńňǹ", r):
			plain = append(plain, 'n')
		case r == 'ḿ':
			plain = append(plain, 'm')
		}
	}
	return string(plain)
}

// surnames are those whose reading is not the usual one of their characters, or one of several.
const surnames = `单 shan 曾 zeng 仇 qiu 解 xie 盖 ge 查 zha 区 ou 朴 piao 翟 zhai 任 ren 华 hua 乐 yue 尉 wei 缪 miao 种 chong 秘 bi 冼 xian 洗 xian
召 shao 员 yun 贠 yun 宓 mi 燕 yan 那 na 黑 he 折 she 覃 qin 隗 wei 佘 she 郇 xun 祭 zhai 繁 po 句 gou 薄 bo 车 che 瞿 qu 牟 mu 谌 chen
郗 xi 沈 shen 叶 ye 石 shi 万 wan 晟 cheng 葛 ge 尹 yin 应 ying 宁 ning 纪 ji 訾 zi 卜 bu 柏 bai 褚 chu 都 du 干 gan 贾 jia 角 jue 阚 kan 乜 nie 逄 pang 不 fou
尉迟 yu,chi 万俟 mo,qi 单于 chan,yu 长孙 zhang,sun 令狐 ling,hu 澹台 tan,tai 欧阳 ou,yang 夏侯 xia,hou 诸葛 zhu,ge 皇甫 huang,fu 宇文 yu,wen 鲜于 xian,yu 尉犁 yu,li
呼延 hu,yan 濮阳 pu,yang 淳于 chun,yu 太叔 tai,shu 公孙 gong,sun 轩辕 xuan,yuan 钟离 zhong,li 慕容 mu,rong 司徒 si,tu 司空 si,kong 上官 shang,guan 东方 dong,fang`

// surnameOf is how the surname that a text begins with is read, a syllable a character; nil for what is read as usual.
// Those of two characters go before.
func surnameOf(text string) []string {
	for n := 2; n > 0; n-- {
		end := 0
		for range n {
			_, size := utf8.DecodeRuneInString(text[end:])
			end += size
		}
		if syllables := surnameTable()[text[:end]]; syllables != nil {
			return syllables
		}
	}
	return nil
}

var surnameTable = sync.OnceValue(func() map[string][]string {
	table := map[string][]string{}
	fields := strings.Fields(surnames)
	for i := 0; i+1 < len(fields); i += 2 {
		table[fields[i]] = strings.Split(fields[i+1], ",")
	}
	return table
})
