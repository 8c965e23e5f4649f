package imaging

import "concord/internal/dicom"

// modalitiesInStudy is (0008,0061), which the hub computes (PS3.18 table 10.6.3-3).
const modalitiesInStudy dicom.Tag = 0x00080061

type attribute struct {
	VR    string   `json:"vr"`
	Value []string `json:"Value,omitempty"`
}
