package dicom

import (
	"slices"
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
// Modalities in Study (0008,0061) and SOP Classes in Study (0008,0062) hold those of this instance, see WithInstance.
func AppendStudyJSON(dst []byte, h *Header) []byte {
	body := h.appendJSON(nil, JSONOptions{}, studyTags())
	if more := WithInstance(body, h); more != nil {
		body = more
	}
	return append(dst, body...)
}

// WithInstance is a study's stored body with the modality and SOP class of one more instance among those in the study; nil
// when it has them already.
func WithInstance(study []byte, h *Header) []byte {
	modalities, classes := StudyCodes(study)
	return WithStudyCodes(study, withCode(modalities, h.Text(tagModality)), withCode(classes, h.SOPClassUID))
}

func withCode(codes []string, code string) []string {
	if code == "" || slices.Contains(codes, code) {
		return codes
	}
	return append(codes, code)
}

// StudyCodes are Modalities in Study and SOP Classes in Study of a study's stored body.
func StudyCodes(study []byte) (modalities, classes []string) {
	for a := range Attributes(study) {
		switch a.Tag {
		case tagModalities:
			modalities = a.Strings()
		case tagClasses:
			classes = a.Strings()
		}
	}
	return modalities, classes
}

// WithStudyCodes is a study's stored body with these modalities and SOP classes, sorted; nil when it has them already.
func WithStudyCodes(study []byte, modalities, classes []string) []byte {
	hadModalities, hadClasses := StudyCodes(study)
	news := []byte{'{'}
	for _, s := range []struct {
		tag       Tag
		had, have []string
	}{{tagModalities, hadModalities, modalities}, {tagClasses, hadClasses, classes}} {
		have := slices.Sorted(slices.Values(s.have))
		if slices.Equal(s.had, have) {
			continue
		}
		if len(news) > 1 {
			news = append(news, ',')
		}
		news = appendCodes(news, s.tag, have...)
	}
	if len(news) == 1 {
		return nil
	}
	return Merge(nil, nil, append(news, '}'), study)
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
	return []Tag{tagCharset, 0x00080021, 0x00080031, tagModality, 0x00080070, 0x00080080, 0x00080201, 0x00081010, 0x0008103E,
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
