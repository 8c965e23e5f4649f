package ecg

import (
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"strconv"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/internal/ecg"
	"concord/internal/ecg/export"
)

// potential is the partition-2 code of ISO 11073-10101 of the electric potential of a lead: the lead's number follows it.
const potential = 2<<16 | 1<<8

// Sampled is the recording's signals as an Observation with a component of SampledData for each lead (R4
// observation-example-sample-data.html). It has no id: it is made when it is asked for.
func Sampled(e Entry, r *ecg.Recording, g ecg.Group) ([]byte, error) {
	type component struct {
		Code  models.CodeableConcept `json:"code"`
		Value json.RawMessage        `json:"valueSampledData"`
	}
	o := struct {
		ResourceType string                   `json:"resourceType"`
		Status       string                   `json:"status"`
		Category     []models.CodeableConcept `json:"category"`
		Code         models.CodeableConcept   `json:"code"`
		Subject      *models.Reference        `json:"subject,omitempty"`
		Effective    *string                  `json:"effectiveDateTime,omitempty"`
		DerivedFrom  []models.Reference       `json:"derivedFrom"`
		Component    []component              `json:"component"`
	}{
		ResourceType: "Observation", Status: "final", Category: []models.CodeableConcept{coded(systemCategory, "procedure", "Procedure")},
		Code: coded(systemLOINC, studyCode, studyName), Effective: instant(r.Acquired), DerivedFrom: []models.Reference{{Reference: ptr("DocumentReference/" + e.ID)}},
	}
	if e.Patient != "" || e.PatientName != "" {
		o.Subject = &models.Reference{Reference: textOrNil(e.Patient), Display: textOrNil(e.PatientName)}
	}
	for _, l := range g.Leads {
		data, err := export.SampledData(g, l)
		if err != nil {
			return nil, err
		}
		code := models.CodeableConcept{Text: textOrNil(l.Label)}
		if l.Code != 0 {
			code.Coding = []models.Coding{{System: ptr(systemMDC), Code: ptr(strconv.Itoa(potential + int(l.Code))), Display: ptr("MDC_ECG_ELEC_POTL_" + l.Code.String())}}
		}
		o.Component = append(o.Component, component{code, data})
	}
	return json.Marshal(o)
}

// UIDOf is a UID made of a recording's id and what it is for, the same for the same (PS3.5 B.2: the root 2.25 and a number of
// 128 bits).
func UIDOf(id, part string) string {
	sum := sha256.Sum256([]byte(id + "/" + part))
	return "2.25." + new(big.Int).SetBytes(sum[:16]).String()
}

// IdentityOf names the DICOM object that a recording is written as.
func IdentityOf(id string) export.Identity {
	return export.Identity{Study: UIDOf(id, "study"), Series: UIDOf(id, "series"), Instance: UIDOf(id, "instance")}
}
