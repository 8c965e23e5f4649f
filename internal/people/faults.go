package people

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"concord/internal/pinyin"
)

// dummies stand where a form insists on a number that nobody has at hand.
var dummies = []string{"111111111111111111", "000000000000000000", "123456789012345678", "340101190001010001", "999999999999999999", "无", "不详", "340000000000000000"}

var dummyPhones = []string{"13800000000", "11111111111", "13888888888", "00000000", "12345678", "055162345678", "无"}

func wrongDigit(r *rand.Rand, s string) string {
	b := []byte(s)
	for range 50 {
		k := r.IntN(len(b))
		if b[k] >= '0' && b[k] <= '9' {
			b[k] = '0' + (b[k]-'0'+byte(1+r.IntN(9)))%10
			return string(b)
		}
	}
	return s
}

func swapped(r *rand.Rand, s string) string {
	b := []byte(s)
	for range 50 {
		if k := r.IntN(len(b) - 1); b[k] != b[k+1] {
			b[k], b[k+1] = b[k+1], b[k]
			return string(b)
		}
	}
	return s
}

// misspell is what happens to a name between a mouth and a keyboard.
func (w *registry) misspell(f *form) {
	r, rates := w.r, &w.rates
	given := []rune(f.given)
	k := r.IntN(len(given))
	switch {
	case chance(r, rates.Homophone):
		if chance(r, .12) {
			f.family = homophone(r, f.family)
			return
		}
		f.given = string(given[:k]) + homophone(r, string(given[k])) + string(given[k+1:])
	case chance(r, rates.LookAlike):
		f.given = replaceOne(f.given, lookAlikes)
		if chance(r, .2) {
			f.family = replaceOne(f.family, lookAlikes)
		}
	case chance(r, rates.CharacterLost) && len(given) > 1:
		f.given = string(given[:k]) + string(given[k+1:])
	case chance(r, rates.OtherCharacter):
		f.given = string(given[:k]) + oneOf(r, strings.Split(eras[r.IntN(len(eras))].men, "")) + string(given[k+1:])
	case chance(r, rates.NameSwapped):
		f.family, f.given = f.given, f.family
	case chance(r, rates.RareAsPinyin):
		f.given = string(given[:k]) + strings.ToLower(latin(string(given[k]))) + string(given[k+1:])
	}
	if chance(r, rates.VariantForm*5) { // of the few that have variants
		f.family, f.given = replaceOne(f.family, variants), replaceOne(f.given, variants)
	}
}

// homophone is another character that an input method offers for the same syllable, or for one that sounds alike.
func homophone(r *rand.Rand, char string) string {
	table := homophones()
	syllable := latinLower(char)
	if chance(r, .2) { // southern ears: n and l, z and zh, in and ing
		if other, ok := strings.CutSuffix(syllable, "ng"); ok && len(table[other]) > 0 {
			syllable = other
		} else if len(table[syllable+"g"]) > 0 {
			syllable += "g"
		}
	}
	same := table[syllable]
	for range 10 {
		if len(same) == 0 {
			break
		}
		if other := oneOf(r, same); other != char {
			return other
		}
	}
	return char
}

// homophones groups the characters of all names, and some more of the same sounds that no list of names has.
var homophones = sync.OnceValue(func() map[string][]string {
	table := map[string][]string{}
	seen := map[string]bool{}
	add := func(text string) {
		for _, c := range text {
			s := string(c)
			if seen[s] || c < 0x3400 {
				continue
			}
			seen[s] = true
			syllable := latinLower(s)
			table[syllable] = append(table[syllable], s)
		}
	}
	for _, e := range eras {
		add(e.men + e.women)
	}
	add("玮炜苇纬蔚琼穹瑛婴颍影映祎仪怡宜颐懿意艺亿轶逸佚易依祺棋淇麒岐骐圻芷祉沚晗函焓寒翰汗菡莘忻歆馨芯锌昕欣辛鑫娣弟帝缔棣递倢捷婕洁杰劼桀彬斌宾滨镔濒蕴韵允芸筠耘郓珺君均钧骏峻竣郡俊雯闻纹玟汶文")
	return table
})

func latin(text string) string { return capital(latinLower(text)) }

func latinLower(text string) string {
	if whole, _ := pinyin.Spell(text); len(whole) > 0 {
		return whole[0]
	}
	return text
}

// The tables name a character and what is written instead.
const (
	lookAlikes  = "明朋 末未 未末 士土 土士 晴睛 己已 人入 天夭 王玉 玉王 日曰 干千 千干 大太 太大 刘列 柳抑 洋详 候侯 侯候 祥详 珊姗 玲铃 铃玲 俊峻 峰锋 海诲 泽译 傅傳 季李 李季 陈阵 杨扬 扬杨 晓哓 阳旧 荣莱 娜哪 睿叡 宇字 浩洁 轩轧 怡恰 茜西 毛手 兰三 丽雨 敏敝 静净 博搏 佳住 琪淇 淇琪 欣歆 韩朝 戴载 潘番 芳劳 伟纬 雪雷 雷雪 春舂 梅海 洪供 亮亭 玲玪 鹏鹍 彤形 昊吴 晨辰 妍研 婷停 瑞端 凯剀"
	variants    = "峰峯 于於 於于 群羣 略畧 强強 强彊 晋晉 升昇 升陞 喆哲 哲喆 淼渺 堃坤 坤堃 祐佑 佑祐 炫昡 叶葉 村邨 钟锺 钟鐘 岳嶽 杰傑 云雲 德徳 萧肖 肖萧 闫阎 付傅 傅付 戴代 邱丘 丘邱 芦卢 卢芦 阎闫 温溫 黄黃 真眞 静靜 青靑 清淸 丰豐 志誌 凤鳳 国囯 栋棟 迪廸 考攷 果菓 秋龝 灿燦 辉煇 炜煒 冰氷 异異 修脩 周週 欢懽 柏栢 泉灥 熙煕 峦巒 衍𧗳"
	traditional = "张張 刘劉 陈陳 杨楊 赵趙 吴吳 孙孫 马馬 罗羅 郑鄭 谢謝 许許 韩韓 邓鄧 冯馮 萧蕭 叶葉 苏蘇 吕呂 卢盧 钟鍾 谭譚 陆陸 贾賈 韦韋 邹鄒 阎閻 龙龍 贺賀 顾顧 龚龔 严嚴 汤湯 乔喬 赖賴 庞龐 颜顏 鲁魯 齐齊 庄莊 伟偉 国國 华華 军軍 强強 志志 明明 丽麗 兰蘭 凤鳳 静靜 艳豔 红紅 宁寧 东東 庆慶 荣榮 贵貴 宝寶 云雲 龙龍 飞飛 鹏鵬 杰傑 辉輝 刚剛 义義 礼禮 广廣 长長 爱愛 莲蓮 琼瓊 珍珍 莹瑩 颖穎 慧慧 娟娟 霞霞 玲玲 芳芳 萍萍 晓曉 冬冬 阳陽 梦夢 诗詩 语語 轩軒 泽澤 铭銘 远遠 凯凱 维維 贤賢 胜勝 进進 连連 顺順 兴興 发發 万萬 宪憲 岚嵐 岩岩 滨濱 涛濤 浏瀏 润潤 灿燦 炜煒 瑶瑤 玮瑋 纪紀 绍紹 绪緒 罡罡 闻聞 阁閣 锋鋒 锐銳 锦錦 镇鎮 键鍵 雾霧 韵韻 风風 驰馳 骏駿 鸿鴻 鹤鶴 齐齊 邱邱 蒋蔣 许許 沈瀋 姜薑 范範 钱錢 伦倫 佥僉 俊俊 亚亞 农農 恋戀 悦悅 惠惠 怀懷 战戰 权權 树樹 桥橋 楠楠 栋棟 欢歡 汉漢 洁潔 海海 润潤 满滿 漪漪 娇嬌 婵嬋 孙孫 学學 岗崗 岁歲 师師 帅帥 应應 开開 张張 归歸 录錄 征徵"
)

// replaceOne writes the first character of text that the table has in its other form.
func replaceOne(text, table string) string {
	for _, pair := range strings.Fields(table) {
		p := []rune(pair)
		if at := strings.IndexRune(text, p[0]); at >= 0 {
			return text[:at] + string(p[1]) + text[at+len(string(p[0])):]
		}
	}
	return text
}

func replaceAll(text, table string) string {
	for _, pair := range strings.Fields(table) {
		p := []rune(pair)
		text = strings.ReplaceAll(text, string(p[0]), string(p[1]))
	}
	return text
}

var plainLatin = strings.NewReplacer("ü", "ue", "é", "e", "í", "i", "ç", "c", "'", "", "-", " ")

// written is the address as one of many clerks writes it.
func (h *home) written(r *rand.Rand, scanned bool, rates *Rates) string {
	var b strings.Builder
	short := !scanned && chance(r, rates.AddressShort)
	if !short {
		b.WriteString(h.place.province)
	}
	if !short || chance(r, .5) {
		b.WriteString(h.place.city)
	}
	if !short || chance(r, .8) {
		b.WriteString(h.place.county)
	}
	b.WriteString(h.street)
	if h.village {
		if chance(r, .6) {
			fmt.Fprintf(&b, "%d%s", h.number, oneOf(r, []string{"号", "组", ""}))
		}
		return typed(r, b.String(), scanned, rates)
	}
	fmt.Fprintf(&b, "%d号", h.number)
	if h.estate != "" {
		b.WriteString(h.estate)
		switch {
		case scanned || chance(r, .5):
			fmt.Fprintf(&b, "%d幢%d单元%d室", h.block, h.unit, h.room)
		case chance(r, .5):
			fmt.Fprintf(&b, "%d-%d-%d", h.block, h.unit, h.room)
		default:
			fmt.Fprintf(&b, "%d栋%d", h.block, h.room)
		}
	} else {
		fmt.Fprintf(&b, "%d室", h.room)
	}
	return typed(r, b.String(), scanned, rates)
}

func typed(r *rand.Rand, s string, scanned bool, rates *Rates) string {
	if scanned {
		return s
	}
	switch {
	case chance(r, rates.AddressTyped):
		return wrongDigit(r, s)
	case chance(r, .05):
		return strings.NewReplacer("号", "#", "-", "－").Replace(s)
	case chance(r, .03):
		return strings.NewReplacer("0", "０", "1", "１", "2", "２", "3", "３").Replace(s)
	}
	return s
}
