package imaging

import (
	"encoding/json"
	"fmt"
	"slices"

	"concord/internal/dicom"
)

// modalitiesInStudy is (0008,0061), which the hub computes (PS3.18 table 10.6.3-3).
const modalitiesInStudy dicom.Tag = 0x00080061

type attribute struct {
	VR    string   `json:"vr"`
	Value []string `json:"Value,omitempty"`
}

// withModality returns the study's body with modality among its Modalities in Study; nil when it is there already.
func withModality(body []byte, modality string) ([]byte, error) {
	var attrs map[string]json.RawMessage
	if err := json.Unmarshal(body, &attrs); err != nil {
		return nil, fmt.Errorf("read a study's attributes: %w", err)
	}
	list := attribute{VR: "CS"}
	if raw, ok := attrs[modalitiesInStudy.Hex()]; ok {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("read a study's modalities: %w", err)
		}
		if modality == "" || slices.Contains(list.Value, modality) {
			return nil, nil
		}
	}
	if modality != "" {
		list.Value = append(list.Value, modality)
		slices.Sort(list.Value)
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	attrs[modalitiesInStudy.Hex()] = raw
	return json.Marshal(attrs) // map keys are sorted: tags in order, as DICOM JSON wants them
}
