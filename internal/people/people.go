package people

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"concord/internal/cnid"
	"concord/internal/pinyin"
)

// person is somebody who does not exist, with what changed in their life.
type person struct {
	index                  int
	family, given          string
	formerFamily           string // before a change of name; empty: none
	formerGiven            string
	familyLatin, nameLatin string
	foreign                bool
	male                   bool
	birth                  time.Time
	number, formerNumber   string // citizen numbers; the former one was changed
	card, insurance        string
	passport, oldPassport  string
	phone, formerPhone     string
	home, formerHome       *home
	house                  *household
	twin                   int // place among twins; 0: none
	mother                 *person
	lunar                  bool // tells the birthday of the old calendar
	dead                   bool
}

type household struct {
	people []*person
	phone  string // a line at home, or the phone of whoever manages things
}

type home struct {
	place   place
	street  string
	number  int
	estate  string
	block   int
	unit    int
	room    int
	village bool
}

// population makes households one by one.
type population struct {
	r     *rand.Rand
	names *namer
	used  map[string]bool // citizen numbers given
	count int
	today time.Time
}

// household invents one. Its people are related, as people are who come to the same clinics.
func (p *population) household() *household {
	h := &household{}
	r := p.r
	here := p.home()
	head := p.person(h, p.birth(24, 78), chance(r, .6), p.names.family.pick(r), here)
	h.people = append(h.people, head)
	h.phone = head.phone
	var spouse *person
	if age(head, p.today) > 24 && chance(r, .72) {
		birth := head.birth.AddDate(0, 0, r.IntN(3650)-1825)
		spouse = p.person(h, birth, !head.male, p.names.family.pick(r), here)
		h.people = append(h.people, spouse)
	}
	p.children(h, head, spouse, here)
	if age(head, p.today) < 55 && chance(r, .18) { // an old parent lives with them
		male := chance(r, .4)
		parent := p.person(h, head.birth.AddDate(-21-r.IntN(14), 0, -r.IntN(365)), male, head.family, here)
		if !male {
			parent.family = p.names.family.pick(r)
		}
		h.people = append(h.people, parent)
	}
	for _, someone := range h.people {
		p.share(someone)
	}
	return h
}

func (p *population) children(h *household, head, spouse *person, here *home) {
	r, mother, father := p.r, head, spouse
	if head.male {
		mother, father = spouse, head
	}
	parent := head
	if mother != nil {
		parent = mother
	}
	years := age(parent, p.today)
	for n := 0; n < 2 && years > 22 && chance(r, .55); n++ {
		birth := parent.birth.AddDate(20+r.IntN(18), 0, r.IntN(365))
		if birth.After(p.today) || age(&person{birth: birth}, p.today) > 30 && chance(r, .8) {
			continue // grown up and gone
		}
		family := parent.family
		if father != nil && chance(r, .93) {
			family = father.family
		}
		child := p.person(h, birth, chance(r, .52), family, here)
		child.mother = mother
		h.people = append(h.people, child)
		if !chance(r, .015) {
			continue
		}
		child.twin = 1
		second := p.person(h, birth, child.male == chance(r, .65), family, here)
		second.twin, second.mother = 2, mother
		if first, second2 := []rune(child.given), []rune(second.given); len(first) == 2 && chance(r, .65) { // alike: 佳怡, 佳琪
			if len(second2) < 2 {
				second2 = append(second2, second2[0])
			}
			second2[0] = first[0]
			if second2[1] == first[1] {
				second2[1] = []rune(p.names.eras[4].women.pick(r))[0]
			}
			second.given = string(second2)
		}
		for second.given == child.given {
			second.given = p.names.given(r, birth.Year(), second.male)
		}
		p.spell(second)
		h.people = append(h.people, second)
	}
}

// share lets children and the old have a phone of somebody else at home.
func (p *population) share(one *person) {
	years := age(one, p.today)
	switch {
	case years < 12, years < 18 && chance(p.r, .6), years > 70 && chance(p.r, .45):
		one.phone, one.formerPhone = one.house.phone, ""
		if one.mother != nil && chance(p.r, .5) {
			one.phone = one.mother.phone
		}
	case chance(p.r, .06):
		one.phone = one.house.phone
	}
}

func (p *population) person(h *household, birth time.Time, male bool, family string, here *home) *person {
	r := p.r
	one := &person{index: p.count, birth: birth, male: male, family: family, house: h, home: here, phone: mobile(r)}
	p.count++
	one.given = p.names.given(r, birth.Year(), male)
	years := age(one, p.today)
	one.number = p.citizen(one)
	if chance(r, .002) && years > 5 { // a wrong birth date or a number given twice was set right by the police
		other := *one
		if chance(r, .5) {
			other.birth = birth.AddDate(oneOf(r, []int{-1, 0, 0, 1}), oneOf(r, []int{-1, 0, 1}), 0)
		}
		one.formerNumber = p.citizen(&other)
	}
	if chance(r, .65) {
		one.card = fmt.Sprintf("%016X%016X", r.Uint64(), r.Uint64())
	}
	if chance(r, .93) {
		one.insurance = fmt.Sprintf("%08X%012d", r.Uint32(), r.Int64N(1_000_000_000_000))
	}
	if chance(r, .22) {
		one.formerPhone = mobile(r)
	}
	if chance(r, .2) {
		one.formerHome = p.home()
	}
	one.lunar = birth.Year() < 1968 && chance(r, .05)
	one.dead = years > 65 && chance(r, .04)
	switch {
	case chance(r, .006):
		one.foreign, one.number, one.formerNumber, one.insurance = true, "", "", ""
		one.family, one.given = oneOf(r, strings.Fields(latinFamilies)), oneOf(r, strings.Fields(latinGivens))
		one.passport = passport(r)
		if chance(r, .15) {
			one.oldPassport = passport(r)
		}
	case chance(r, .006):
		one.family, one.given = oneOf(r, strings.Fields(minorityLast)), oneOf(r, strings.Fields(minorityFirst))+"·"
	case chance(r, .012):
		one.formerGiven = one.given
		one.given = p.names.given(r, birth.Year(), male)
	case years < 25 && chance(r, .012): // after a divorce, a child has the other parent's name
		one.formerFamily = one.family
		one.family = p.names.family.pick(r)
	case !male && birth.Year() < 1945 && chance(r, .05): // 王李氏, or the husband's name before one's own
		one.formerFamily = p.names.family.pick(r) + one.family
	case !male && chance(r, .003): // married abroad or in Hong Kong
		one.formerFamily = one.family
		one.family = p.names.family.pick(r)
	}
	p.spell(one)
	return one
}

// spell writes the name in Latin letters, as the card of a foreign system would have it.
func (p *population) spell(one *person) {
	one.familyLatin, one.nameLatin = one.family, one.given
	if one.foreign {
		return
	}
	if whole, _ := pinyin.Spell(one.family); len(whole) > 0 {
		one.familyLatin = capital(whole[0])
	}
	if whole, _ := pinyin.Spell(strings.TrimSuffix(one.given, "·")); len(whole) > 0 {
		one.nameLatin = capital(whole[0])
	}
}

// citizen makes a number nobody else has. Twins and neighbours get numbers one after the other.
func (p *population) citizen(one *person) string {
	sequence := p.r.IntN(500) * 2
	if chance(p.r, .5) {
		sequence = p.r.IntN(40) * 2 // small stations begin anew every day
	}
	if one.male {
		sequence++
	}
	region := one.home.place.code
	if chance(p.r, .3) {
		region = oneOf(p.r, places).code
	}
	for {
		s, err := cnid.MakeResident(region, one.birth, sequence%1000)
		if err == nil && !p.used[s] {
			p.used[s] = true
			return s
		}
		sequence += 2
		if err != nil {
			region = places[0].code
		}
	}
}

func (p *population) birth(least, most int) time.Time {
	// The middle-aged are many: the mean of two dice.
	years := float64(most-least) * (p.r.Float64() + p.r.Float64()) / 2
	return p.today.AddDate(-least, 0, -int(years*365.25)).Truncate(24 * time.Hour)
}

func (p *population) home() *home {
	r := p.r
	h := &home{place: oneOf(r, places), village: chance(r, .35)}
	if h.village {
		h.street = oneOf(r, townships) + oneOf(r, villages)
		h.number = 1 + r.IntN(120)
		return h
	}
	h.street = oneOf(r, streets)
	h.number = 1 + r.IntN(900)
	if chance(r, .7) {
		h.estate = oneOf(r, estates)
		h.block, h.unit = 1+r.IntN(40), 1+r.IntN(4)
	}
	h.room = (1+r.IntN(28))*100 + 1 + r.IntN(6)
	return h
}

func age(one *person, today time.Time) int { return int(today.Sub(one.birth).Hours() / 24 / 365.25) }

func mobile(r *rand.Rand) string {
	return "1" + oneOf(r, []string{"30", "31", "35", "36", "37", "38", "39", "50", "51", "52", "58", "59", "77", "80", "82", "87", "88", "89", "91", "98", "99"}) + fmt.Sprintf("%08d", r.IntN(100_000_000))
}

func passport(r *rand.Rand) string {
	return string(rune('A'+r.IntN(26))) + fmt.Sprintf("%08d", r.IntN(100_000_000))
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

type place struct{ code, province, city, county string }

// places are codes and names of GB/T 2260, neighbours of one another as a consortium's patients are.
var places = []place{
	{"340104", "安徽省", "合肥市", "蜀山区"}, {"340111", "安徽省", "合肥市", "包河区"}, {"340121", "安徽省", "合肥市", "长丰县"}, {"340123", "安徽省", "合肥市", "肥西县"},
	{"340181", "安徽省", "合肥市", "巢湖市"}, {"340202", "安徽省", "芜湖市", "镜湖区"}, {"341102", "安徽省", "滁州市", "琅琊区"}, {"341125", "安徽省", "滁州市", "定远县"},
	{"341502", "安徽省", "六安市", "金安区"}, {"341522", "安徽省", "六安市", "霍邱县"}, {"340802", "安徽省", "安庆市", "迎江区"}, {"320102", "江苏省", "南京市", "玄武区"},
	{"310115", "上海市", "", "浦东新区"}, {"530902", "云南省", "临沧市", "临翔区"}, {"410102", "河南省", "郑州市", "中原区"},
}

var (
	streets   = strings.Fields("人民路 解放路 中山东路 建设大道 长江西路 黄山路 望江路 金寨路 徽州大道 屯溪路 芜湖路 环城北路 新华街 胜利路 文化路 青年路 幸福巷 南一环路 潜山路 合作化路")
	estates   = strings.Fields("阳光花园 翡翠城 书香苑 锦绣家园 和平小区 金色港湾 绿城百合 国际花都 安居苑 丽景苑 滨湖世纪城 望湖小区 天鹅湖畔 向阳新村 城市之光")
	townships = strings.Fields("双墩镇 三河镇 柘皋镇 炉桥镇 众兴乡 龙潭乡 西山镇 马集镇 临水镇 石塘镇 花园乡 新桥镇")
	villages  = strings.Fields("张庄村 李家村 大王村 小陈村 柳树村 杨湾村 新民村 光明村 前进村 河口村 山前村 石桥村 红旗村 东风村 黄岗村 吴圩村")
)
