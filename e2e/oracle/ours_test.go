package oracle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// ours makes patients of a Chinese consortium with what the examples have too little of: values in several units, dates
// of every precision, identifiers with types, references of every form, values on both sides of a boundary. It is the
// same in each run.
func ours(base string) (all []map[string]any) {
	m := &maker{Rand: rand.New(rand.NewPCG(4, 1)), base: base + "/"}
	m.organizations()
	for i := range 24 {
		m.patient(i)
	}
	for i := range 160 {
		m.observation(i)
	}
	for i := range 40 {
		m.care(i)
	}
	for _, text := range m.made {
		body, err := decode([]byte(text))
		if err != nil {
			panic(fmt.Sprintf("%v in %s", err, text))
		}
		all = append(all, body)
	}
	return all
}

type maker struct {
	*rand.Rand
	base string // some references are absolute: those that begin so are the same as relative ones
	made []string
}

func (m *maker) add(format string, args ...any) {
	m.made = append(m.made, fmt.Sprintf(format, args...))
}

func (m *maker) one(list ...string) string { return list[m.IntN(len(list))] }

func quote(s string) string { b, _ := json.Marshal(s); return string(b) }

func (m *maker) organizations() {
	m.add(`{"resourceType":"Organization","id":"county","name":"明阳县人民医院","alias":["Mingyang"],"address":[{"city":"明阳","country":"中国"}],
		"identifier":[{"system":"http://example.org/org","value":"A-1"}],"active":true}`)
	for i, name := range []string{"高林卫生院", "文亮卫生院", "红军社区中心"} {
		m.add(`{"resourceType":"Organization","id":"village%d","name":%s,"partOf":{"reference":"Organization/county"},"active":%v}`, i, quote(name), i != 1)
	}
	m.add(`{"resourceType":"Practitioner","id":"dr-li","name":[{"family":"李","given":["静"]}],"identifier":[{"system":"http://example.org/dr","value":"7"}]}`)
	m.add(`{"resourceType":"Practitioner","id":"dr-zhao","name":[{"text":"赵建国"}],"gender":"male"}`)
}

var people = [][2]string{{"张", "伟"}, {"王", "芳"}, {"李", "娜"}, {"王", "秀英"}, {"刘", "洋"}, {"陈", "静"}, {"杨", "磊"}, {"赵", "丽"}, {"黄", "强"}, {"周", "敏"},
	{"吴", "军"}, {"徐", "明"}, {"孙", "红"}, {"欧阳", "志文"}, {"诸葛", "亮"}, {"马", "超"}, {"林", "建国"}, {"高", "月英"}}

func (m *maker) patient(i int) {
	n := people[i%len(people)]
	name := fmt.Sprintf(`{"family":%q,"given":[%q]}`, n[0], n[1])
	if i%4 == 1 {
		name = fmt.Sprintf(`{"text":%q,"use":"official"}`, n[0]+n[1])
	}
	if i%7 == 6 {
		name += `,{"family":"Müller-Ｗａｎｇ","given":["José  María","ＡＮＮＡ"]}`
	}
	birth := m.one(`"birthDate":"1970-05-12",`, `"birthDate":"1970-05",`, `"birthDate":"1970",`, `"birthDate":"1985-12-31",`, ``)
	dead := m.one(``, ``, `"deceasedBoolean":false,`, `"deceasedBoolean":true,`, `"deceasedDateTime":"2020-02-29T23:30:00+08:00",`)
	m.add(`{"resourceType":"Patient","id":"cn%d","meta":{"tag":[{"system":"http://example.org/tag","code":"%s"}],"source":"http://example.org/his/%d"},
		"identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"%s"}],"text":"病历号"},"system":"http://example.org/mrn","value":"M%04d"},
		{"value":"bare-%d"}],"name":[%s],%s%s"gender":"%s","active":%v,"telecom":[{"system":"phone","value":"1380000%04d"},{"system":"email","value":"p%d@example.org"}],
		"address":[{"text":"明阳县高林镇%d号","city":"明阳","postalCode":"20000%d"}],%s"generalPractitioner":[{"reference":"Practitioner/%s"}],
		"managingOrganization":{"reference":"%sOrganization/village%d"}}`,
		i, m.one("a", "b"), i%3, m.one("MR", "NI"), i, i, name, birth, dead, m.one("male", "female", "unknown"), i%5 != 0, i, i, i, i%5,
		m.one(``, `"communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"zh-CN"}],"text":"中文"}}],`),
		m.one("dr-li", "dr-zhao"), m.one("", m.base), i%3)
}

// measured are results with units that can be converted, on round boundaries more often than chance would.
var measured = []struct {
	code, display string
	values, units []string
}{
	{"2345-7", "Glucose 血糖", []string{"5.6", "5.55", "5.65", "5.60", "7", "11.1"}, []string{"mmol/L"}},
	{"2345-7", "Glucose 血糖", []string{"5600", "5550", "5649", "7000"}, []string{"umol/L"}},
	{"718-7", "Hemoglobin 血红蛋白", []string{"120", "119.5", "120.5", "12"}, []string{"g/L"}},
	{"718-7", "Hemoglobin 血红蛋白", []string{"12", "12.0", "11.95", "12.05"}, []string{"g/dL"}},
	{"29463-7", "Body weight 体重", []string{"70", "70.0", "69.5", "100", "99.5", "100.5"}, []string{"kg"}},
	{"29463-7", "Body weight 体重", []string{"70000", "69500", "154.324"}, []string{"g"}},
	{"8302-2", "Body height 身高", []string{"170", "1.70"}, []string{"cm", "m"}},
	{"8310-5", "Body temperature 体温", []string{"36.5", "37.0", "38.2"}, []string{"Cel"}},
}

func (m *maker) observation(i int) {
	k := measured[m.IntN(len(measured))]
	unit := m.one(k.units...)
	comparator := m.one(``, ``, ``, ``, ``, `"comparator":"<",`, `"comparator":">=",`)
	value := fmt.Sprintf(`"valueQuantity":{"value":%s,%s"unit":"%s","system":"http://unitsofmeasure.org","code":"%s"},`, m.one(k.values...), comparator, unit, unit)
	switch i % 10 {
	case 7:
		value = `"valueString":"` + m.one("阴性", "Positive", "weakly positive 弱阳性") + `",`
	case 8:
		value = `"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"` + m.one("260385009", "10828004") + `","display":"Negative"}],"text":"结果"},`
	case 9:
		value = fmt.Sprintf(`"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":%d,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
			{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":%d,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}],`, 110+m.IntN(40), 60+m.IntN(40))
	}
	effective := m.one(`"effectiveDateTime":"2024-03-0%d",`, `"effectiveDateTime":"2024-03-0%dT08:30:00+08:00",`, `"effectiveDateTime":"2024-03-0%dT23:59:59Z",`,
		`"effectivePeriod":{"start":"2024-03-0%d","end":"2024-04-01"},`, `"effectivePeriod":{"start":"2024-03-0%dT12:00:00+08:00"},`, `"effectiveInstant":"2024-03-0%dT10:00:00.250+08:00",`,
		`"effectiveTiming":{"event":["2024-03-0%d","2024-05-01"]},`)
	m.add(`{"resourceType":"Observation","id":"cn%d","status":"%s",%s%s"code":{"coding":[{"system":"http://loinc.org","code":"%s","display":%q}],"text":%q},
		"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"%s"}]}],
		"subject":{"reference":"%s"%s},"performer":[{"reference":"Organization/village%d"}]%s}`,
		i, m.one("final", "final", "amended", "preliminary"), value, fmt.Sprintf(effective, 1+m.IntN(9)), k.code, k.display, k.display,
		m.one("laboratory", "vital-signs"), m.subject(), m.one(``, `,"identifier":{"system":"http://example.org/mrn","value":"M0003"}`), m.IntN(3),
		m.one(``, `,"encounter":{"reference":"Encounter/cn1"}`, `,"derivedFrom":[{"reference":"Observation/cn0/_history/1"}]`, `,"interpretation":[{"text":"偏高"}]`))
}

func (m *maker) subject() string {
	return m.one("", m.base) + fmt.Sprintf("Patient/cn%d", m.IntN(24))
}

// care makes what patients have besides results.
func (m *maker) care(i int) {
	who := fmt.Sprintf("Patient/cn%d", m.IntN(24))
	if i < 10 {
		m.add(`{"resourceType":"Encounter","id":"cn%d","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"%s"},"subject":{"reference":"%s"},
			"period":{"start":"2024-03-0%dT08:00:00+08:00"%s},"serviceProvider":{"reference":"Organization/village%d"}}`,
			i, m.one("AMB", "IMP"), who, 1+i%9, m.one(``, `,"end":"2024-03-20"`), i%3)
	}
	onset := m.one(`,"onsetDateTime":"2023"`, `,"onsetAge":{"value":45,"unit":"岁","system":"http://unitsofmeasure.org","code":"a"}`, `,"onsetString":"童年"`,
		`,"onsetPeriod":{"start":"2022-11"}`, `,"onsetRange":{"low":{"value":40,"system":"http://unitsofmeasure.org","code":"a"},"high":{"value":50,"system":"http://unitsofmeasure.org","code":"a"}}`, ``)
	m.add(`{"resourceType":"Condition","id":"cn%d","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"%s"}]},
		"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"%s","display":"高血压"}]},"subject":{"reference":"%s"}%s}`,
		i, m.one("active", "recurrence", "inactive", "remission", "resolved"), m.one("I10", "E11.9"), who, onset)
	m.add(`{"resourceType":"RiskAssessment","id":"cn%d","status":"final","subject":{"reference":"%s"},"prediction":[{"probabilityDecimal":%s},{"probabilityDecimal":%s}]}`,
		i, who, m.one("0.1", "0.8", "0.80", "0.85", "0.75"), m.one("0.02", "0.95", "0.5"))
	if i%4 == 0 {
		m.add(`{"resourceType":"MedicationRequest","id":"cn%d","status":"active","intent":"order","subject":{"reference":"%s"},"medicationReference":{"reference":"#m"},
			"contained":[{"resourceType":"Medication","id":"m","code":{"coding":[{"system":"http://example.org/drug","code":"%s"}]}}]}`, i, who, m.one("x", "y"))
		var items []string
		for range 5 {
			items = append(items, fmt.Sprintf(`{"item":{"reference":"%s/cn%d"}}`, m.one("Patient", "Observation", "Condition"), m.IntN(24)))
		}
		m.add(`{"resourceType":"List","id":"cn%d","status":"current","mode":"working","entry":[%s]}`, i, strings.Join(items, ","))
		m.add(`{"resourceType":"DiagnosticReport","id":"cn%d","status":"final","code":{"text":"化验"},"subject":{"reference":"%s"},"result":[{"reference":"Observation/cn%d"},{"reference":"Observation/cn%d"}],"issued":"2024-03-05T10:00:00.000Z"}`,
			i, who, m.IntN(160), m.IntN(160))
	}
}
