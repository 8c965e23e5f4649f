package people

import (
	"strconv"
)

// Systems of the numbers that the records carry. The first two are in common use with shared documents.
const (
	CitizenSystem   = "urn:oid:2.16.156.10011.1.3"
	CardSystem      = "urn:oid:2.16.156.10011.1.19"
	InsuranceSystem = "urn:concord:insurance-credential"
	PassportSystem  = "urn:concord:passport"
	typeSystem      = "http://terminology.hl7.org/CodeSystem/v2-0203"
)

// text builds JSON by hand: a population is large, and its members are few and known.
type text struct{ b []byte }

func (t *text) raw(s string) *text { t.b = append(t.b, s...); return t }

func (t *text) str(s string) *text {
	t.b = append(t.b, '"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			t.b = append(t.b, '\\', c)
		case c < 0x20:
			t.b = append(t.b, ' ')
		default:
			t.b = append(t.b, c)
		}
	}
	t.b = append(t.b, '"')
	return t
}

// patient is the form as FHIR Patient.
func (f *form) patient(member string, number int) []byte {
	t := &text{b: make([]byte, 0, 1200)}
	t.raw(`{"resourceType":"Patient","active":true,"identifier":[`)
	own := "urn:concord:member:" + member
	t.identifier("usual", own+":mr", "MR", "M"+strconv.Itoa(100000+number))
	if f.number != "" {
		system := CitizenSystem
		if f.own {
			system = own + ":ni"
		}
		t.raw(",").identifier("official", system, "NI", f.number)
	}
	if f.oldNumber != "" {
		t.raw(",").identifier("old", CitizenSystem, "NI", f.oldNumber)
	}
	if f.card != "" {
		t.raw(",").identifier("secondary", CardSystem, "HC", f.card)
	}
	if f.insurance != "" {
		t.raw(",").identifier("secondary", InsuranceSystem, "MI", f.insurance)
	}
	if f.passport != "" {
		t.raw(",").identifier("official", PassportSystem, "PPN", f.passport)
	}
	t.raw(`],"name":[`)
	t.name("official", f.text, f.family, f.given)
	if f.formerName != "" {
		use := "old"
		if f.formerFamily != f.family && f.formerName == f.given {
			use = "maiden"
		}
		t.raw(",").name(use, "", f.formerFamily, f.formerName)
	}
	t.raw(`]`)
	if f.sex != "" {
		t.raw(`,"gender":`).str(f.sex)
	}
	if f.birth != "" {
		t.raw(`,"birthDate":`).str(f.birth)
	}
	if f.phone != "" {
		t.raw(`,"telecom":[{"system":"phone","use":"mobile","value":`).str(f.phone).raw(`}]`)
	}
	if f.address != "" {
		t.raw(`,"address":[{"use":"home","text":`).str(f.address)
		if f.split {
			p := f.addressParts.place
			t.raw(`,"state":`).str(p.province)
			if p.city != "" {
				t.raw(`,"city":`).str(p.city)
			}
			t.raw(`,"district":`).str(p.county)
		}
		t.raw(`}]`)
	}
	if f.twin > 0 {
		t.raw(`,"multipleBirthInteger":`).raw(strconv.Itoa(f.twin))
	}
	if f.dead {
		t.raw(`,"deceasedBoolean":true`)
	}
	if f.motherName != "" {
		t.raw(`,"contact":[{"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"MTH"}]}],"name":{"text":`).str(f.motherName).raw(`}}]`)
	}
	t.raw(`}`)
	return t.b
}

func (t *text) identifier(use, system, code, value string) {
	t.raw(`{"use":"` + use + `","system":"` + system + `","type":{"coding":[{"system":"` + typeSystem + `","code":"` + code + `"}]},"value":`).str(value).raw(`}`)
}

func (t *text) name(use, whole, family, given string) {
	t.raw(`{"use":"` + use + `"`)
	if whole != "" {
		t.raw(`,"text":`).str(whole)
	} else {
		t.raw(`,"family":`).str(family).raw(`,"given":[`).str(given).raw(`]`)
	}
	t.raw(`}`)
}
