package imaging

import "concord/internal/dicom"

const (
	sopClass dicom.Tag = 0x00080016
	// modalitiesInStudy is what the hub computes (PS3.18 table 10.6.3-3).
	modalitiesInStudy dicom.Tag = 0x00080061
)
