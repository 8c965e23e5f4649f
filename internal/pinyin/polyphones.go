package pinyin

import (
	"strings"
	"sync"
)

// polyphones are the characters that names, addresses and words of today read in several ways, the usual one first. All
// others have one reading here: what a dictionary lists besides is obsolete or rare (王 yu, 月 ru).
const polyphones = `行 xing,hang 长 chang,zhang 重 zhong,chong 乐 le,yue 朝 chao,zhao 调 diao,tiao 藏 cang,zang 传 chuan,zhuan 弹 dan,tan
参 can,shen,cen 便 bian,pian 朴 pu,piao,po 差 cha,chai 单 dan,shan,chan 曾 ceng,zeng 解 jie,xie 盖 gai,ge 仇 chou,qiu 查 cha,zha
区 qu,ou 翟 zhai,di 尉 wei,yu 种 zhong,chong 洗 xi,xian 召 zhao,shao 员 yuan,yun 柏 bai,bo 伯 bo,bai 薄 bo,bao 都 du,dou
会 hui,kuai 率 lv,shuai 角 jiao,jue 觉 jue,jiao 校 xiao,jiao 降 jiang,xiang 强 qiang,jiang 省 sheng,xing 盛 sheng,cheng
宿 su,xiu 秘 mi,bi 泌 mi,bi 血 xue,xie 咽 yan,ye 大 da,dai 还 hai,huan 得 de,dei 地 di,de 的 de,di 了 le,liao 着 zhe,zhuo,zhao
和 he,huo 合 he,ge 给 gei,ji 系 xi,ji 塞 sai,se 色 se,shai 厦 xia,sha 阿 a,e 奇 qi,ji 茜 qian,xi 莎 sha,suo 娜 na,nuo 晟 sheng,cheng
俞 yu,shu 於 yu,wu 隗 wei,kui 覃 qin,tan 车 che,ju 轧 zha,ya 番 fan,pan 蚌 bang,beng 六 liu,lu 堡 bao,pu,bu 莞 guan,wan 泊 bo,po
卡 ka,qia 壳 ke,qiao 粘 nian,zhan 落 luo,la,lao 露 lu,lou 剥 bo,bao 屏 ping,bing 模 mo,mu 没 mei,mo 佛 fo,fu 贾 jia,gu 夹 jia,ga
句 ju,gou 折 zhe,she 祭 ji,zhai 繁 fan,po 叶 ye,xie 谷 gu,yu 扎 zha,za 爪 zhao,zhua 似 si,shi 识 shi,zhi 说 shuo,shui 颤 chan,zhan
龟 gui,jun,qiu 嚼 jiao,jue 臂 bi,bei 膀 bang,pang 脉 mai,mo 尿 niao,sui 溺 ni,niao 纶 lun,guan 拓 tuo,ta 缪 miao,mou 圩 wei,xu
褚 chu,zhu 牟 mou,mu 乜 nie,mie 冯 feng,ping 若 ruo,re 呱 gua,gu 匙 chi,shi 殷 yin,yan 埔 pu,bu
吁 xu,yu 隽 juan,jun 亲 qin,qing 熟 shu,shou 什 shen,shi 阚 kan,han 莘 shen,xin 杉 shan,sha 弄 nong,long
钥 yao,yue 蔚 wei,yu 术 shu,zhu 恶 e,wu`

var polyphoneTable = sync.OnceValue(func() map[rune][]string {
	table := map[rune][]string{}
	fields := strings.Fields(polyphones)
	for i := 0; i+1 < len(fields); i += 2 {
		table[[]rune(fields[i])[0]] = strings.Split(fields[i+1], ",")
	}
	return table
})
