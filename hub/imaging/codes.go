package imaging

import (
	"strings"
	"unicode"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/internal/dicom"
)

// codingSystems are the FHIR names of coding schemes (PS3.16 Table 8-1). SRT, retired, has the old identifiers of SNOMED.
func codingSystems() map[string]string {
	return map[string]string{
		"DCM": systemDCM, "SCT": systemSCT, "SRT": systemSRT, "SNM3": systemSRT, "99SDM": systemSRT,
		"LN": "http://loinc.org", "UCUM": systemUCUM, "I10": "http://hl7.org/fhir/sid/icd-10", "ICD10": "http://hl7.org/fhir/sid/icd-10",
		"I10C": "http://hl7.org/fhir/sid/icd-10-cm", "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm", "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
		"C4": "http://www.ama-assn.org/go/cpt", "CPT4": "http://www.ama-assn.org/go/cpt", "RADLEX": "http://radlex.org", "MDC": "urn:iso:std:iso:11073:10101",
		"FMA": "http://purl.org/sig/ont/fma", "NCIt": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl", "UMLS": "http://www.nlm.nih.gov/research/umls",
	}
}

const (
	systemDCM  = "http://dicom.nema.org/resources/ontology/DCM"
	systemSCT  = "http://snomed.info/sct"
	systemSRT  = "http://snomed.info/srt"
	systemUCUM = "http://unitsofmeasure.org"
)

// concepts are the items of a code sequence.
func (a attributes) concepts(tag dicom.Tag) []models.CodeableConcept {
	var all []models.CodeableConcept
	for item := range a.items(tag) {
		if c, ok := item.coding(); ok {
			all = append(all, models.CodeableConcept{Coding: []models.Coding{c}})
		}
	}
	return all
}

// concept is the first item of a code sequence.
func (a attributes) concept(tag dicom.Tag) (c models.Coding, ok bool) {
	for item := range a.items(tag) {
		return item.coding()
	}
	return c, false
}

// coding reads the Code Sequence Macro (PS3.3 Table 8.8-1).
func (a attributes) coding() (c models.Coding, ok bool) {
	code := a.text(0x00080100)
	for _, longer := range []dicom.Tag{0x00080119, 0x00080120} {
		if code == "" {
			code = a.text(longer)
		}
	}
	scheme := a.text(0x00080102)
	c = models.Coding{Code: textOrNil(code), Display: textOrNil(a.text(0x00080104)), Version: textOrNil(a.text(0x00080103))}
	if system, known := codingSystems()[scheme]; known {
		c.System = &system
	} else if uid := a.text(0x0008010C); uid != "" {
		c.System = ptr("urn:oid:" + uid)
	}
	return c, code != "" || c.Display != nil
}

// is tells whether a coding is one of the codes of a scheme's system.
func is(c models.Coding, system string, codes ...string) bool {
	if c.System == nil || c.Code == nil || *c.System != system {
		return false
	}
	for _, code := range codes {
		if *c.Code == code {
			return true
		}
	}
	return false
}

// person is a name as people write it: the ideographic group where there is one, else prefix, given, middle, family name
// and suffix (PS3.5 6.2.1.1 has the family name first).
func person(name string) string {
	parts := strings.Split(name, "^")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if ideographic(name) {
		return strings.Join(parts, "")
	}
	order := []int{3, 1, 2, 0, 4}
	var words []string
	for _, i := range order {
		if i < len(parts) && parts[i] != "" {
			words = append(words, parts[i])
		}
	}
	return strings.Join(words, " ")
}

// ideographic tells whether a name is in a script that puts no space between family and given name.
func ideographic(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool {
		return unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana)
	})
}

// people are references to persons of whom no more than the name is known.
func (a attributes) people(tag dicom.Tag) []models.Reference {
	var all []models.Reference
	for raw := range a.values(tag) {
		if name := person(plain(raw)); name != "" {
			all = append(all, models.Reference{Display: &name})
		}
	}
	return all
}
