package sample

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Systems of the identifiers and codes that the samples carry. The two OIDs are the ones in common use with shared
// documents (WS/T 500); they were not read in the standard itself.
const (
	ResidentIDSystem = "urn:oid:2.16.156.10011.1.3"  // 居民身份证号码
	HealthCardSystem = "urn:oid:2.16.156.10011.1.19" // 居民健康卡号
	CreditCodeSystem = "urn:concord:credit-code"     // 统一社会信用代码
	NumberSystem     = "urn:concord:sample:patient"  // 病案号
	AccessionSystem  = "urn:concord:sample:accession"

	loinc               = "http://loinc.org"
	ucum                = "http://unitsofmeasure.org"
	identifierType      = "http://terminology.hl7.org/CodeSystem/v2-0203"
	observationCategory = "http://terminology.hl7.org/CodeSystem/observation-category"
	interpretation      = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
	reportSection       = "http://terminology.hl7.org/CodeSystem/v2-0074"
	nameForm            = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
)

type (
	object = map[string]any
	list   = []any
	number = json.Number
)

// PatientResource is the person as FHIR Patient, without an id.
func PatientResource(p Person) []byte { return encode(patient(p)) }

func patient(p Person) object {
	identifier := func(code, use, system, value string) object {
		return object{"use": use, "system": system, "value": value, "type": concept(identifierType, code, "", "")}
	}
	written := func(form, text, family, given string) object {
		return object{"use": "official", "text": text, "family": family, "given": list{given},
			"extension": list{object{"url": nameForm, "valueCode": form}}}
	}
	return object{
		"resourceType": "Patient",
		"active":       true,
		"identifier": list{
			identifier("NI", "official", ResidentIDSystem, p.ResidentID),
			identifier("HC", "secondary", HealthCardSystem, p.HealthCard),
			identifier("MR", "usual", NumberSystem, p.Number),
		},
		"name": list{
			written("IDE", p.Family+p.Given, p.Family, p.Given),
			written("SYL", p.FamilyPinyin+" "+p.GivenPinyin, p.FamilyPinyin, p.GivenPinyin),
		},
		"telecom":   list{object{"system": "phone", "value": p.Phone, "use": "mobile"}},
		"gender":    p.Gender(),
		"birthDate": p.Birth.Format(time.DateOnly),
		"address":   list{object{"use": "home", "text": p.Address, "city": p.City, "district": p.District, "country": "CN"}},
	}
}

// Organization is an institution as FHIR Organization; the credit code goes in as given.
func Organization(name, creditCode string) []byte {
	return encode(object{
		"resourceType": "Organization",
		"active":       true,
		"name":         name,
		"identifier":   list{object{"use": "official", "system": CreditCodeSystem, "value": creditCode}},
		"type":         list{concept("http://terminology.hl7.org/CodeSystem/organization-type", "prov", "Healthcare Provider", "医疗机构")},
	})
}

// ServiceRequest is an order for a plain chest CT.
func ServiceRequest(seed uint64, subject string, at time.Time) []byte {
	return encode(object{
		"resourceType": "ServiceRequest",
		"status":       "active",
		"intent":       "order",
		"identifier":   list{object{"system": AccessionSystem, "value": accession(seed)}},
		"category":     list{concept("http://snomed.info/sct", "363679005", "Imaging", "影像检查")},
		"priority":     "routine",
		"code":         concept(loinc, "29252-4", "CT Chest WO contrast", "胸部CT平扫"),
		"subject":      object{"reference": subject},
		"authoredOn":   instant(at),
		"reasonCode":   list{object{"text": "咳嗽两周"}},
		"bodySite":     list{concept("http://snomed.info/sct", "51185008", "Thoracic structure", "胸部")},
	})
}

// DiagnosticReport is the reading of the chest CT whose study UID is given.
func DiagnosticReport(seed uint64, subject, studyUID string, at time.Time) []byte {
	nodule := NewPhantom(seed, false).Nodule
	return encode(object{
		"resourceType":      "DiagnosticReport",
		"status":            "final",
		"identifier":        list{object{"system": AccessionSystem, "value": accession(seed)}},
		"category":          list{concept(reportSection, "RAD", "Radiology", "放射")},
		"code":              concept(loinc, "29252-4", "CT Chest WO contrast", "胸部CT平扫"),
		"subject":           object{"reference": subject},
		"effectiveDateTime": instant(at),
		"issued":            instant(at.Add(time.Hour)),
		"imagingStudy":      list{object{"type": "ImagingStudy", "identifier": object{"system": "urn:dicom:uid", "value": "urn:oid:" + studyUID}}},
		"conclusion":        fmt.Sprintf("右肺上叶见直径约%.0fmm结节，边缘欠光整，建议3个月后复查。余肺未见明显异常。", 2*nodule.Radius),
		"conclusionCode":    list{concept("http://snomed.info/sct", "427359005", "Solitary nodule of lung", "肺结节")},
	})
}

// Transaction is a Bundle that creates one patient and n results of theirs (50 when n is 0), tied by urn:uuid references.
func Transaction(seed uint64, n int, at time.Time) []byte {
	if n == 0 {
		n = 50
	}
	subject := "urn:uuid:" + UUID(seed, "patient", 0)
	entry := func(url, typ string, resource []byte) object {
		return object{"fullUrl": url, "resource": json.RawMessage(resource), "request": object{"method": "POST", "url": typ}}
	}
	entries := list{entry(subject, "Patient", PatientResource(NewPerson(seed)))}
	for i, o := range LabObservations(seed, subject, n, at) {
		entries = append(entries, entry("urn:uuid:"+UUID(seed, "observation", i), "Observation", o))
	}
	return encode(object{"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

func concept(system, code, display, text string) object {
	coding := object{"system": system, "code": code}
	if display != "" {
		coding["display"] = display
	}
	c := object{"coding": list{coding}}
	if text != "" {
		c["text"] = text
	}
	return c
}

func instant(t time.Time) string { return t.Format("2006-01-02T15:04:05.000-07:00") }

// encode writes one line of JSON; the samples hold nothing that JSON cannot say.
func encode(o object) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
