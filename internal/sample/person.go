package sample

import (
	"fmt"
	"math/rand/v2"
	"time"

	"concord/internal/cnid"
)

// Person is somebody who does not exist.
type Person struct {
	Family, Given             string // 张, 伟
	FamilyPinyin, GivenPinyin string // Zhang, Wei
	Male                      bool
	Birth                     time.Time // midnight UTC
	ResidentID                string    // valid by GB 11643
	HealthCard                string    // 电子健康卡
	Number                    string    // 病案号 at the institution that registered them
	Phone, Address            string
	City, District            string
}

// PN is the name as DICOM writes it: alphabetic=ideographic (PS3.5 6.2.1), "Zhang^Wei=张^伟".
func (p Person) PN() string {
	return p.FamilyPinyin + "^" + p.GivenPinyin + "=" + p.Family + "^" + p.Given
}

// DICOMSex is M or F.
func (p Person) DICOMSex() string {
	if p.Male {
		return "M"
	}
	return "F"
}

// Gender is the code of FHIR's administrative-gender.
func (p Person) Gender() string {
	if p.Male {
		return "male"
	}
	return "female"
}

// NewPerson invents the person of a seed. Two seeds may share a name and a birth date, as people do; the resident id
// tells them apart but for one in some ten million.
func NewPerson(seed uint64) Person {
	r := dice(seed, "person")
	family, male := pick(r, families), r.IntN(2) == 0
	given := pick(r, women)
	if male {
		given = pick(r, men)
	}
	place := pick(r, places)
	birth := time.Date(1934, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(85*365))
	sequence := r.IntN(500) * 2
	if male {
		sequence++
	}
	id, err := cnid.MakeResident(place.code, birth, sequence)
	if err != nil {
		panic(err) // only the tables below could be the cause
	}
	return Person{
		Family: family.han, FamilyPinyin: family.pinyin, Given: given.han, GivenPinyin: given.pinyin,
		Male: male, Birth: birth, ResidentID: id,
		HealthCard: fmt.Sprintf("%016X%016X", r.Uint64(), r.Uint64()),
		Number:     fmt.Sprintf("P%09d", r.IntN(1_000_000_000)),
		Phone:      fmt.Sprintf("1%s%08d", pick(r, []string{"38", "39", "50", "59", "86", "88"}), r.IntN(100_000_000)),
		City:       place.city, District: place.district,
		Address: fmt.Sprintf("%s%s%s%d号%d室", place.city, place.district, pick(r, streets), 1+r.IntN(999), 101+r.IntN(1500)),
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

type spelt struct{ han, pinyin string }

var families = []spelt{{"张", "Zhang"}, {"王", "Wang"}, {"李", "Li"}, {"赵", "Zhao"}, {"刘", "Liu"}, {"陈", "Chen"},
	{"杨", "Yang"}, {"黄", "Huang"}, {"周", "Zhou"}, {"吴", "Wu"}, {"徐", "Xu"}, {"孙", "Sun"}, {"马", "Ma"},
	{"朱", "Zhu"}, {"胡", "Hu"}, {"郭", "Guo"}, {"何", "He"}, {"欧阳", "Ouyang"}, {"司马", "Sima"}, {"吕", "Lü"}}

var men = []spelt{{"伟", "Wei"}, {"强", "Qiang"}, {"磊", "Lei"}, {"军", "Jun"}, {"建国", "Jianguo"}, {"志强", "Zhiqiang"},
	{"国华", "Guohua"}, {"明", "Ming"}, {"浩然", "Haoran"}, {"子轩", "Zixuan"}, {"德胜", "Desheng"}, {"永福", "Yongfu"}}

var women = []spelt{{"芳", "Fang"}, {"娜", "Na"}, {"敏", "Min"}, {"静", "Jing"}, {"秀英", "Xiuying"}, {"丽华", "Lihua"},
	{"桂兰", "Guilan"}, {"雨桐", "Yutong"}, {"欣怡", "Xinyi"}, {"玉珍", "Yuzhen"}, {"婷", "Ting"}, {"春梅", "Chunmei"}}

// places are codes and names of GB/T 2260.
var places = []struct{ code, city, district string }{
	{"310101", "上海市", "黄浦区"}, {"310115", "上海市", "浦东新区"}, {"340104", "合肥市", "蜀山区"},
	{"530902", "临沧市", "临翔区"}, {"320102", "南京市", "玄武区"}, {"330106", "杭州市", "西湖区"}, {"110105", "北京市", "朝阳区"}}

var streets = []string{"人民路", "解放路", "中山东路", "建设大道", "和平里", "新华街", "长江路", "幸福巷"}
