package ecg

import (
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/dicom"
)

// waveforms are the SOP classes of PS3.4 B.5 that hold waveforms, by UID; read says which are electrocardiograms.
var waveforms = map[string]struct {
	name string
	read bool
}{
	"1.2.840.10008.5.1.4.1.1.9.1.1": {"12-lead ECG Waveform Storage", true},
	"1.2.840.10008.5.1.4.1.1.9.1.2": {"General ECG Waveform Storage", true},
	"1.2.840.10008.5.1.4.1.1.9.1.3": {"Ambulatory ECG Waveform Storage", true},
	"1.2.840.10008.5.1.4.1.1.9.1.4": {"General 32-bit ECG Waveform Storage", true},
	"1.2.840.10008.5.1.4.1.1.9.2.1": {"Hemodynamic Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.3.1": {"Basic Cardiac Electrophysiology Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.4.1": {"Basic Voice Audio Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.4.2": {"General Audio Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.5.1": {"Arterial Pulse Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.6.1": {"Respiratory Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.6.2": {"Multi-channel Respiratory Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.7.1": {"Routine Scalp Electroencephalogram Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.7.2": {"Electromyogram Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.7.3": {"Electrooculogram Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.7.4": {"Sleep Electroencephalogram Waveform Storage", false},
	"1.2.840.10008.5.1.4.1.1.9.8.1": {"Body Position Waveform Storage", false},
}

// Waveform names a SOP class that holds waveforms, empty for others; ecg tells whether ReadDICOM reads it.
func Waveform(sopClass string) (name string, ecg bool) {
	w := waveforms[sopClass]
	return w.name, w.read
}

const (
	tagSOPClass       dicom.Tag = 0x00080016
	tagSOPInstance    dicom.Tag = 0x00080018
	tagStudy          dicom.Tag = 0x0020000D
	tagSeries         dicom.Tag = 0x0020000E
	tagAcquisitionDT  dicom.Tag = 0x0008002A
	tagTimezone       dicom.Tag = 0x00080201
	tagWaveforms      dicom.Tag = 0x54000100
	tagAnnotations    dicom.Tag = 0x0040B020
	tagCodeValue      dicom.Tag = 0x00080100
	tagCodeScheme     dicom.Tag = 0x00080102
	tagCodeMeaning    dicom.Tag = 0x00080104
	tagLongCode       dicom.Tag = 0x00080119
	tagConceptName    dicom.Tag = 0x0040A043
	tagConcept        dicom.Tag = 0x0040A168
	tagContext        dicom.Tag = 0x00400555
	tagPatientName    dicom.Tag = 0x00100010
	dicomHeaderBudget           = 32 << 20
)

// dicomReader is one instance while it is read.
type dicomReader struct {
	rec   *Recording
	lim   Limits
	h     *dicom.Header
	waves map[int64]wave // by the offset of Waveform Data
	used  int            // samples
	leads int
}

// ReadDICOM reads an instance of one of the SOP classes for electrocardiograms (PS3.3 A.34.3 to A.34.5), a Part 10 file or a
// bare data set. Samples are decoded as they pass. Other SOP classes are an Unsupported error whose Path names the class.
func ReadDICOM(r io.Reader, limits Limits) (*Recording, error) {
	d := &dicomReader{rec: &Recording{Format: DICOM}, lim: limits.withDefaults(), waves: map[int64]wave{}}
	set, syntax, err := dicom.DataSetOf(&capped{r: r, left: d.lim.Bytes, what: "the DICOM instance"})
	if err != nil {
		return nil, err
	}
	h, err := dicom.ReadDataSet(set, syntax, dicom.Limits{Header: dicomHeaderBudget, Depth: d.lim.Depth, Bulk: d.bulk})
	if err != nil {
		return nil, err
	}
	d.h = h
	class := d.text(tagSOPClass)
	name, read := Waveform(class)
	switch {
	case name == "":
		return nil, unsupported(class, "the DICOM instance holds no waveforms")
	case !read:
		return nil, unsupported(name, "the DICOM instance holds other waveforms than an electrocardiogram")
	}
	d.rec.Version = name
	for _, w := range h.Warnings {
		d.rec.remark(w)
	}
	if remark := h.Remark(); remark != "" {
		d.rec.remark(remark)
	}
	d.facts()
	d.acquired()
	d.context()
	if err := d.groups(); err != nil {
		return nil, err
	}
	d.annotations()
	return d.rec, nil
}

// capped is a reader of so many bytes, and an error where there are more.
type capped struct {
	r      io.Reader
	left   int64
	what   string
	failed error // the reader's own, but for its end
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		c.failed = err
	}
	if c.left -= int64(n); c.left < 0 {
		return 0, tooLarge("", "%s is larger than its limit", c.what)
	}
	return n, err
}

func (d *dicomReader) text(tag dicom.Tag) string { return known(clean(d.h.Text(tag))) }

// uid reads a UI; one that is against the grammar (PS3.5 9.1) is given as it is, with a remark.
func (d *dicomReader) uid(tag dicom.Tag) string {
	uid := d.text(tag)
	if parts := strings.Split(uid, "."); uid == "" || len(uid) > 64 || slices.Contains(parts, "") || strings.Trim(uid, "0123456789.") != "" {
		d.rec.remark("one of the instance's UIDs is no UID")
	}
	return uid
}

// facts reads patient, device and order from the root.
func (d *dicomReader) facts() {
	r, p := d.rec, &d.rec.Patient
	r.ID, r.StudyID, r.SeriesID = d.uid(tagSOPInstance), d.uid(tagStudy), d.uid(tagSeries)
	r.Accession, r.Order = d.text(0x00080050), d.text(0x00402017)
	p.ID, p.Authority = d.text(0x00100020), d.text(0x00100021)
	for _, other := range d.h.Texts(0x00101000) {
		if other = clean(other); other != "" {
			p.Others = append(p.Others, other)
		}
	}
	p.Name, p.Family, p.Given, p.Names = personName(d.h.Text(tagPatientName))
	p.Sex = map[string]Sex{"M": Male, "F": Female, "O": OtherSex}[d.text(0x00100040)]
	p.BirthDate = d.date(0x00100030)
	p.Age = dicomAge(d.h.Text(0x00101010))
	if m, ok := parseNumber(d.h.Text(0x00101020)); ok && m > 0 {
		p.Height = &Quantity{m, "m"}
	}
	if kg, ok := parseNumber(d.h.Text(0x00101030)); ok && kg > 0 {
		p.Weight = &Quantity{kg, "kg"}
	}
	p.Race = d.text(0x00102160)
	r.Device = Device{Manufacturer: d.text(0x00080070), Model: d.text(0x00081090), Serial: d.text(0x00181000),
		Software: strings.Join(d.h.Texts(0x00181020), " "), ID: d.text(0x00081010)}
	r.Institution, r.Department = d.text(0x00080080), d.text(0x00081040)
	r.Referring, _, _, _ = personName(d.h.Text(0x00080090))
	r.Reading, _, _, _ = personName(d.h.Text(0x00081060))
	r.Operator, _, _, _ = personName(d.h.Text(0x00081070))
	r.Reason = d.text(0x00401002)
	for _, tag := range []dicom.Tag{0x00384000, 0x00204000, 0x001021B0} {
		if c := d.text(tag); c != "" {
			r.Comments = append(r.Comments, c)
		}
	}
	p.Diagnoses = append(p.Diagnoses, d.all(0x00081080)...)
}

func (d *dicomReader) all(tag dicom.Tag) (all []string) {
	for _, v := range d.h.Texts(tag) {
		if v = clean(v); v != "" {
			all = append(all, v)
		}
	}
	return all
}

// personName reads a PN (PS3.5 6.2.1): the ideographic writing names the patient where there is one.
func personName(pn string) (name, family, given string, writings []string) {
	chosen := ""
	for i, group := range strings.SplitN(pn, "=", 3) {
		parts := strings.Split(group, "^")
		for j := range parts {
			parts[j] = clean(parts[j])
		}
		for len(parts) < 5 {
			parts = append(parts, "")
		}
		order := []string{parts[3], parts[1], parts[2], parts[0], parts[4]} // prefix, given, middle, family, suffix
		if i > 0 {
			order = []string{parts[0], parts[1]}
		}
		writing := scpName(order...)
		if writing == "" {
			continue
		}
		writings = append(writings, writing)
		if chosen == "" || i == 1 {
			chosen, name, family, given = group, writing, parts[0], scpName(parts[1], parts[2])
		}
	}
	return name, family, given, writings
}

// dicomAge reads an AS (042Y).
func dicomAge(as string) *Quantity {
	if len(as) != 4 {
		return nil
	}
	n, err := strconv.Atoi(as[:3])
	unit := map[byte]string{'D': "d", 'W': "wk", 'M': "mo", 'Y': "a"}[as[3]]
	if err != nil || unit == "" {
		return nil
	}
	return &Quantity{float64(n), unit}
}

// date reads a DA as FHIR writes dates.
func (d *dicomReader) date(tag dicom.Tag) string {
	v := strings.ReplaceAll(d.h.Text(tag), ".", "")
	t, err := time.Parse("20060102", v)
	switch {
	case v == "":
		return ""
	case err != nil:
		d.rec.remark("a date is malformed and not read")
		return ""
	}
	return t.Format("2006-01-02")
}

// acquired takes the most exact of the times that say when the recording was made (PS3.3 C.10.8).
func (d *dicomReader) acquired() {
	zone := d.h.Text(tagTimezone)
	for _, v := range []string{d.h.Text(tagAcquisitionDT), join(d.h.Text(0x00080022), d.h.Text(0x00080032)),
		join(d.h.Text(0x00080023), d.h.Text(0x00080033)), join(d.h.Text(0x00080020), d.h.Text(0x00080030))} {
		if v == "" {
			continue
		}
		t, ok := parseTime(v)
		if !ok {
			d.rec.remark("a time of acquisition is malformed")
			continue
		}
		if !t.Zoned && !t.Day && zone != "" {
			if z, ok := parseTime(t.Time.Format("20060102150405.000000") + zone); ok {
				t = z
			}
		}
		d.rec.Acquired = t
		return
	}
}

func join(date, clock string) string {
	if date == "" {
		return ""
	}
	return strings.ReplaceAll(date, ".", "") + strings.ReplaceAll(clock, ":", "")
}

// context reads from Acquisition Context what is about electrodes.
func (d *dicomReader) context() {
	e, _ := d.h.Find(tagContext)
	for item := range d.h.Items(e) {
		name, value := d.code(item, tagConceptName), d.code(item, tagConcept)
		if strings.Contains(strings.ToLower(name.Display), "electrode placement") || name.Code == "5.4.5-33-1" {
			if d.rec.Placement = value.Display; strings.EqualFold(value.Display, "unspecified") {
				d.rec.Placement = ""
			}
		}
	}
}

// code reads the first item of a code sequence (PS3.3 8.8).
func (d *dicomReader) code(item iter.Seq[dicom.Element], tag dicom.Tag) (c Coding) {
	for first := range d.h.Items(find(item, tag)) {
		for e := range first {
			v := d.first(e)
			switch e.Tag {
			case tagCodeValue, tagLongCode:
				c.Code = v
			case tagCodeScheme:
				c.System = v
			case tagCodeMeaning:
				c.Display = v
			}
		}
		return c
	}
	return c
}

// find is the element of an item, or one without a tag.
func find(item iter.Seq[dicom.Element], tag dicom.Tag) dicom.Element {
	for e := range item {
		if e.Tag == tag {
			return e
		}
	}
	return dicom.Element{}
}

// first is the first value of a text.
func (d *dicomReader) first(e dicom.Element) string {
	if v := d.h.Values(e); len(v) > 0 {
		return clean(v[0])
	}
	return ""
}

// parseNumber reads a DS, or a number of XML; infinities and NaN are none.
func parseNumber(s string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return v, err == nil && v-v == 0 && !strings.ContainsAny(s, "xX_pPnN")
}

// refused tells whether err says that content is at fault, rather than what it was read from.
func refused(err error) bool {
	var known *hub.Error
	return errors.As(err, &known)
}
