package people

import (
	"math/rand/v2"
	"sort"
	"strings"
)

// surnames with their share of people in tenths of a per mille, roughly as lists of the 2020 census print them [S]; from the
// hundredth on they fall off by rank [D].
const surnames = `王 720 李 705 张 670 刘 515 陈 453 杨 308 黄 223 赵 213 吴 201 周 190 徐 143 孙 139 马 130 朱 126 胡 120 郭 113 何 108 林 106 罗 105 高 103
郑 92 梁 85 谢 78 宋 76 唐 71 许 68 韩 67 邓 66 冯 64 曹 60 彭 59 曾 58 肖 57 田 56 董 54 潘 51 袁 50 蔡 48 蒋 47 余 46 于 45 杜 44 叶 43 程 42 魏 41 苏 41 吕 40 丁 39
任 38 卢 37 姚 36 沈 35 钟 35 姜 34 崔 33 谭 33 陆 32 范 32 汪 31 廖 30 石 29 金 28 韦 28 贾 27 夏 27 付 26 方 25 邹 25 熊 24 白 24 孟 23 秦 22 邱 22 侯 21 江 21 尹 20 薛 20
闫 19 段 19 雷 18 龙 18 黎 17 史 17 陶 17 贺 16 毛 16 郝 16 顾 15 龚 15 邵 15 万 14 覃 14 武 14 钱 13 戴 13 严 13 莫 12 孔 12 向 12 常 11 汤 11 康 10 易 10 乔 10 赖 10 文 9 庞 9 樊 9 兰 9 殷 9 施 8
洪 8 翟 8 安 8 颜 8 倪 8 牛 7 温 7 芦 7 季 7 俞 7 章 7 鲁 7 葛 6 伍 6 申 6 尤 6 毕 6 聂 6 柴 6 焦 6 柳 5 邢 5 岳 5 齐 5 梅 5 庄 5 辛 5 管 5 祝 5 左 5 涂 5 谷 5 祁 4 时 4 舒 4 耿 4 牟 4 卜 4 路 4 詹 4 关 4
苗 4 凌 4 费 4 纪 4 靳 4 盛 4 童 4 欧 4 甄 3 项 3 曲 3 成 3 游 3 阳 3 裴 3 席 3 卫 3 查 3 屈 3 鲍 3 位 2 覃 2 霍 2 翁 2 隋 2 植 2 甘 2 景 2 薄 2 单 2 包 2 司 2 柏 2 宁 2 柯 2 阮 2 桂 2 闵 2 解 2 强 2 丛 2 华 2 车 2 冉 2 房 2
边 2 辜 2 吉 2 饶 2 刁 2 瞿 2 戚 2 丘 2 古 2 米 2 池 2 滕 2 晋 2 苑 2 邬 2 臧 2 畅 2 宫 2 来 2 嵺 1 苟 1 全 1 褚 1 廉 1 简 1 娄 1 盖 1 符 1 奚 1 木 1 穆 1 党 1 燕 1 郎 1 邸 1 冀 1 谈 1 姬 1 屠 1 连 1 郜 1 晏 1 栾 1 郁 1 商 1 蒙 1 计 1 喻 1 揭 1 窦 1 迟 1 宇 1 敖 1 糜 1
鄢 1 冷 1 卓 1 花 1 仇 1 艾 1 蓝 1 都 1 巩 1 稽 1 井 1 练 1 仲 1 乐 1 虞 1 卞 1 封 1 竺 1 冼 1 原 1 官 1 衣 1 楚 1 佟 1 栗 1 匡 1 宗 1 应 1 台 1 巫 1 鞠 1 僧 1 桑 1 荆 1 谌 1 银 1 扬 1 明 1 沙 1 伏 1 岑 1 习 1 胥 1 保 1 和 1 欧阳 7 上官 2 司马 2 诸葛 1 皇甫 1 司徒 1 尉迟 1 慕容 1 令狐 1 夏侯 1`

// An era is how children born in some years are named: characters by falling share, and how many names have one only.
type era struct {
	until       int // the first year that is not of it
	single      float64
	men, women  string
	wholeMen    string // names that fashion repeats whole
	wholeWomen  string
	fashionable float64
}

var eras = []era{
	{1950, .22, "德福贵财生文才玉树春金银长明清山海林根水土木元善仁义礼智信忠厚昌盛发富荣华国祥庆瑞云龙虎成学志永宝万有全正大光培兴连友顺来喜旺维广洪绍延兆炳世子之景鸿宗士其",
		"秀英兰桂珍玉芳凤莲淑香梅琴翠素云荣月珠菊娥花金银巧爱惠贞美春秋彩霞凡妹娣姑桃杏枝叶仙青清友莉连文雪瑞俊德庆菱茹蕙兆蓉佩贤姣娴苏芬芝", "", "", 0},
	{1966, .28, "建国军平新华民明志强永胜利保卫东红星跃进援朝国庆解放卫和文生德荣贵忠庆林海波涛成学发福祥根宝金木水火土玉树春生伟光荣全大小山云龙虎正义仁信清长江河洪振兴中邦援少先锋刚",
		"秀英桂兰玉珍凤芳霞梅丽华红萍云娟燕玲琴淑芬荣爱惠莲菊香英敏静珠美春秋月彩琼翠素贞明建国庆平和卫东新文青萍艳洁凡莉枝叶仙瑞俊佩巧亚友雪",
		"建国 建军 国庆 卫东 建华 志强 建平 保国 卫国 永强", "秀英 桂英 玉兰 桂兰 秀兰 玉英 秀珍 凤英 玉珍 淑珍", .10},
	{1982, .42, "伟强军勇涛波辉斌刚健峰磊鹏杰浩亮飞超明平华建国志文海东林春生永红卫兵洪宏良俊毅旭升成龙虎山川庆荣祥德福新利民全玉忠义仁信正阳光晓小大少云江河长清学友雷震鸣晖",
		"丽敏静艳娟霞玲红燕芳萍英梅琴娜莉华云秀兰桂玉珍凤春晓小雪冬秋月洁琳慧颖佳蓉琼莹晶婷文清翠惠芬爱香菊莲荣美淑贞素彩俊亚利群建海媛卫倩薇蕾",
		"伟 勇 军 磊 强 涛 斌 波 辉 鹏 志强 建军 建华 海波", "静 敏 丽 艳 娟 燕 红 霞 玲 芳 丽娟 海燕 春梅 晓燕 小红", .16},
	{1997, .38, "伟鹏磊超杰浩涛宇俊晨龙飞斌旭阳帅凯博文辉健强勇波亮亚志明海东林建国晓小少天佳家嘉子思梦一世成振华宏洋江雷震鑫淼森彬彪豪杰楠坤乾毅航帆翔腾迪恒",
		"婷静雪倩敏丹丽娜颖莹琳慧佳洁文雅晶晶梦思雨欣怡瑶梅燕玲娟霞艳红芳萍英琴晓小秋春冬月露薇蓉蕾媛璐瑾琪琦珊姗妮妍娇娅婧瑞亚海亚茜蕊嘉诗",
		"浩 杰 鹏 超 帅 凯 宇 晨 伟杰 俊杰 志伟 文杰 鹏飞", "婷婷 静 倩 雪 丹 颖 婷 敏 莹莹 丹丹 晶晶 佳佳 文静 雪梅", .16},
	{2200, .10, "子宇浩轩涵泽梓俊博睿文皓然晨辰铭昊天一诺航瑞奕煜宸佑嘉家佳明思远逸凡恩熙沐阳旭彦翰霖钰锐哲林志成承泰安康乐诚致雨墨言若希景瑜琛琪程晟翔腾飞鸿润",
		"梓涵欣怡雨桐诗佳雅馨萱可馨子琪语嫣梦瑶思若曦艺彤婉妍妍诺依晨心悦钰涵紫宁静一诺沐晴柠檬伊芮菲蕊蔓璇玥熙瑾瑜奕舒朵琳悠然安然清歌书瑶汐嘉琦淑云锦",
		"浩宇 子轩 浩然 宇轩 梓轩 子涵 宇航 皓轩 子豪 浩轩 俊杰 一诺 沐宸 奕辰 浩辰 宇泽", "欣怡 子涵 梓涵 诗涵 梓萱 雨桐 可馨 一诺 欣妍 雨涵 佳怡 若曦 语桐 一诺 依诺 梓妍", .14},
}

// latin names of foreign patients.
const (
	latinFamilies = "Smith Johnson Kim Park Lee Tanaka Suzuki Müller Schmidt Ivanov Petrova Nguyen Tran Garcia Martínez Rossi Dubois Okafor Mensah Hassan Ali Khan Singh Patel Santos Silva Wilson Brown O'Connor McDonald"
	latinGivens   = "John Michael David James Maria Anna Elena Sofia Ahmed Fatima Yuki Hiroshi Minh Linh Carlos José Pierre François Amina Kwame Olga Ivan Priya Rahul Peter Susan Robert Emily Jin-ho Seo-yeon"
	minorityFirst = "买买提 艾力 古丽 阿依 吐尔逊 阿不都 热依汗 木合塔尔 扎西 卓玛 次仁 达瓦 央金 巴图 格日乐 其其格 阿迪力 玛依拉 努尔兰 库尔班"
	minorityLast  = "艾合买提 吐尔地 买买江 热合曼 阿布力孜 卡德尔 肉孜 沙吾提 尼玛 多吉 平措 旺堆 苏和 毕力格 哈斯 巴特尔 依明 玉素甫 伊斯坎达尔 赛买提"
)

// weighted picks by share.
type weighted struct {
	of    []string
	until []float64
}

func (w *weighted) add(s string, share float64) {
	if n := len(w.until); n > 0 {
		share += w.until[n-1]
	}
	w.of, w.until = append(w.of, s), append(w.until, share)
}

func (w *weighted) pick(r *rand.Rand) string {
	x := r.Float64() * w.until[len(w.until)-1]
	return w.of[min(sort.SearchFloat64s(w.until, x), len(w.of)-1)]
}

// ranked gives the n-th of a list a share of 1/(n+8): a long tail, as names have.
func ranked(list []string) *weighted {
	w := &weighted{}
	for i, s := range list {
		w.add(s, 1/float64(i+8))
	}
	return w
}

// namer gives people their names.
type namer struct {
	family *weighted
	eras   []struct{ men, women, wholeMen, wholeWomen *weighted }
}

func newNamer() *namer {
	n := &namer{family: &weighted{}}
	fields := strings.Fields(surnames)
	for i := 0; i+1 < len(fields); i += 2 {
		share := 0.0
		for _, c := range fields[i+1] {
			share = share*10 + float64(c-'0')
		}
		n.family.add(fields[i], share)
	}
	for _, e := range eras {
		n.eras = append(n.eras, struct{ men, women, wholeMen, wholeWomen *weighted }{
			ranked(strings.Split(e.men, "")), ranked(strings.Split(e.women, "")), ranked(strings.Fields(e.wholeMen)), ranked(strings.Fields(e.wholeWomen))})
	}
	return n
}

func (n *namer) given(r *rand.Rand, year int, male bool) string {
	k := 0
	for year >= eras[k].until {
		k++
	}
	e, chars, whole := eras[k], n.eras[k].women, n.eras[k].wholeWomen
	if male {
		chars, whole = n.eras[k].men, n.eras[k].wholeMen
	}
	if chance(r, e.fashionable) {
		return whole.pick(r)
	}
	if chance(r, e.single) {
		return chars.pick(r)
	}
	// Two characters, the second often from beyond the fashion of the years.
	second := chars
	if chance(r, .25) {
		other := n.eras[r.IntN(len(n.eras))]
		if second = other.women; male {
			second = other.men
		}
	}
	return chars.pick(r) + second.pick(r)
}

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

func oneOf[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
