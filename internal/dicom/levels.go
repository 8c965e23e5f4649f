package dicom

import (
	"strconv"

	"concord/hub"
	"concord/internal/dicom/dict"
)

// Level is one of the levels of the Query/Retrieve model (PS3.4 C.6). Of patients the hub keeps no records: they are found
// through their studies.
type Level uint8

const (
	Patient Level = iota
	Study
	Series
	Instance
)

// Type is the hub's record type of the level: "dicom.study", "dicom.series", "dicom.instance"; "dicom.patient" has no records.
func (l Level) Type() string {
	return [...]string{"dicom.patient", "dicom.study", "dicom.series", "dicom.instance"}[l]
}

// String is "patient", "study", "series" or "instance".
func (l Level) String() string { return l.Type()[len("dicom."):] }

// StudyName, SeriesName and InstanceName name the records of an instance.
func StudyName(study string) hub.Name { return hub.Name{Type: Study.Type(), ID: study} }

func SeriesName(study, series string) hub.Name {
	return hub.Name{Type: Series.Type(), ID: study + "/" + series}
}

func InstanceName(study, instance string) hub.Name {
	return hub.Name{Type: Instance.Type(), ID: study + "/" + instance}
}

// AppendStudyJSON appends what the header says of its study: the attributes of PS3.18 Table 10.6.3-3 and of the patient.
// Modalities in Study (0008,0061) holds this instance's modality; who folds instances together merges it.
func AppendStudyJSON(dst []byte, h *Header) []byte {
	modality := h.Text(0x00080060)
	if modality == "" {
		return h.appendJSON(dst, JSONOptions{}, studyTags())
	}
	dst = append(dst, '{')
	start := len(dst)
	due := true
	for a := range Attributes(h.appendJSON(nil, JSONOptions{}, studyTags())) {
		if due && a.Tag > tagModalities {
			dst = append(appendModalities(dst, modality), ',')
			due = false
		}
		dst = append(append(a.Tag.AppendHex(append(dst, '"')), `":`...), a.Raw...)
		dst = append(dst, ',')
	}
	if due {
		return append(appendModalities(dst, modality), '}')
	}
	if len(dst) > start {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

const tagModalities Tag = 0x00080061

func appendModalities(dst []byte, modality string) []byte {
	dst = appendString(append(dst, `"00080061":{"vr":"CS","Value":[`...), []byte(modality))
	return append(dst, "]}"...)
}

// AppendSeriesJSON appends what the header says of its series: the attributes of PS3.18 Table 10.6.3-4 and of common use.
func AppendSeriesJSON(dst []byte, h *Header) []byte {
	return h.appendJSON(dst, JSONOptions{}, seriesTags())
}

func studyTags() []Tag {
	return []Tag{tagCharset, 0x00080020, 0x00080030, 0x00080050, 0x00080051, 0x00080090, 0x00080201, 0x00081030, 0x00081032,
		0x00081048, 0x00081060, 0x00100010, 0x00100020, 0x00100021, 0x00100024, 0x00100030, 0x00100032, 0x00100040, 0x00101002,
		0x00101010, 0x00101020, 0x00101030, tagStudy, 0x00200010}
}

func seriesTags() []Tag {
	return []Tag{tagCharset, 0x00080021, 0x00080031, 0x00080060, 0x00080070, 0x00080080, 0x00080201, 0x00081010, 0x0008103E,
		0x00081050, 0x00081090, 0x00180015, 0x00181030, tagStudy, tagSeries, 0x00200011, 0x00200060, 0x00400244, 0x00400245, 0x00400275}
}

// InstanceTags are the attributes of an instance that QIDO-RS returns by default (PS3.18 Table 10.6.3-5), with those that
// tell viewers what it is.
func InstanceTags() []Tag {
	return []Tag{tagCharset, tagSOPClass, tagSOPInstance, 0x00080201, tagStudy, tagSeries, 0x00200013,
		tagFrameCount, tagRows, tagColumns, tagBits}
}

// DefaultTags are the attributes of a stored body that QIDO-RS returns at a level without includefield.
func DefaultTags(l Level) []Tag {
	switch l {
	case Study:
		return append(studyTags(), tagModalities)
	case Series:
		return seriesTags()
	}
	return InstanceTags()
}

// BulkValue is a value that DICOM JSON refers to instead of holding it.
type BulkValue struct {
	Path           string // as in BulkDataURI behind its prefix
	VR             VR
	Offset, Length int64 // in the stream; see Header.Deflated and BigEndian
	Encapsulated   bool
}

// Bulks lists the values not kept, in stream order.
func (h *Header) Bulks() []BulkValue {
	var all []BulkValue
	h.collectBulks(&all, "", uint32(h.meta), uint32(len(h.nodes)))
	return all
}

func (h *Header) collectBulks(all *[]BulkValue, path string, from, to uint32) {
	for e := range h.between(from, to) {
		switch {
		case e.Bulk:
			*all = append(*all, BulkValue{path + e.Tag.Hex(), e.VR, e.Offset, e.Length, e.Encapsulated})
		case e.VR == dict.SQ:
			n := 0
			for i := e.index + 1; i < h.nodes[e.index].next; i = h.nodes[i].next {
				n++
				h.collectBulks(all, path+e.Tag.Hex()+"/"+strconv.Itoa(n)+"/", i+1, h.nodes[i].next)
			}
		}
	}
}
