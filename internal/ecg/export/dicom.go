package export

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/ecg"
)

// Identity is what a written instance is named by. The UIDs are the caller's to derive, so that the same recording gets
// the same ones again.
type Identity struct{ Study, Series, Instance string }

// A class is an IOD of ECG waveforms and what it allows (PS3.3 A.34.3 to A.34.5 and A.34.13). Zero is no limit.
type class struct {
	uid                       string
	groups, channels, samples int
	minRate, maxRate          float64
	wide                      bool // 32 bits a sample, else 16
	standard                  bool // the standard twelve leads only
}

// classes are tried in this order.
var classes = []class{
	{uid: "1.2.840.10008.5.1.4.1.1.9.1.1", groups: 5, channels: 13, samples: 16384, minRate: 200, maxRate: 1000, standard: true},
	{uid: "1.2.840.10008.5.1.4.1.1.9.1.2", groups: 4, channels: 24, minRate: 200, maxRate: 1000},
	{uid: "1.2.840.10008.5.1.4.1.1.9.1.3", groups: 1, channels: 12, minRate: 50, maxRate: 1000},
	{uid: "1.2.840.10008.5.1.4.1.1.9.1.4", groups: 4, channels: 24, wide: true},
}

const explicitLittle = "1.2.840.10008.1.2.1"

// DICOM writes a Part 10 file: 12-lead, general, ambulatory or general 32-bit ECG, the first that allows what the
// recording has; its samples are the recording's, unchanged. A recording that none allows is an Unsupported error. Samples
// are written as they are read, so that a day takes no more memory than a minute.
func DICOM(w io.Writer, rec *ecg.Recording, id Identity) error {
	for _, u := range []struct{ name, uid string }{{"StudyInstanceUID", id.Study}, {"SeriesInstanceUID", id.Series}, {"SOPInstanceUID", id.Instance}} {
		if u.uid == "" {
			return &hub.Error{Kind: hub.Invalid, Path: u.name, Msg: "a DICOM instance needs it"}
		}
		if err := dicom.CheckUID(u.name, u.uid); err != nil {
			return err
		}
	}
	c, err := classOf(rec)
	if err != nil {
		return err
	}
	head := dicom.AppendMeta(nil, explicitLittle, c.uid, id.Instance, dicom.ImplementationUID)
	head, err = appendSet(head, dataSet(rec, id, c))
	if err != nil {
		return err
	}
	bits := 16
	if c.wide {
		bits = 32
	}
	groups := make([][]byte, len(rec.Groups))
	var length uint64
	for i, g := range rec.Groups {
		if groups[i], err = multiplexed(g, bits); err != nil {
			return err
		}
		length += 8 + uint64(len(groups[i])) + dataLength(g, bits)
	}
	if length > math.MaxUint32-1 {
		return &hub.Error{Kind: hub.Unsupported, Path: "WaveformSequence", Msg: "no DICOM sequence can be so long"}
	}
	b := bufio.NewWriterSize(w, 64<<10)
	b.Write(head)
	b.Write(elementHead(0x54000100, "SQ", uint32(length)))
	for i, g := range rec.Groups {
		b.Write(binary.LittleEndian.AppendUint32([]byte{0xFE, 0xFF, 0x00, 0xE0}, uint32(uint64(len(groups[i]))+dataLength(g, bits))))
		b.Write(groups[i])
		interleave(b, g, bits)
	}
	return b.Flush() // which keeps the first error
}

// appendSet appends a data set in Explicit VR Little Endian, its text in UTF-8.
func appendSet(dst []byte, set attributes) ([]byte, error) {
	return dicom.AppendDataSet(dst, []byte(set.json()), explicitLittle, []string{"ISO_IR 192"})
}

// multiplexed is an item of the Waveform Sequence up to the value of Waveform Data, which is its last attribute.
func multiplexed(g ecg.Group, bits int) ([]byte, error) {
	item, err := appendSet(nil, multiplex(g, bits))
	if err != nil {
		return nil, err
	}
	// An item's first attribute is the character set, which is the instance's and need not be said again.
	if bytes.HasPrefix(item, []byte{0x08, 0x00, 0x05, 0x00, 'C', 'S'}) {
		item = item[8+int(binary.LittleEndian.Uint16(item[6:])):]
	}
	return append(item, elementHead(0x54001010, "OW", uint32(dataLength(g, bits)))...), nil
}

func dataLength(g ecg.Group, bits int) uint64 {
	return uint64(g.Len()) * uint64(len(g.Leads)) * uint64(bits/8)
}

// elementHead is tag, VR and length of an element whose VR has four bytes for it (PS3.5 7.1.2).
func elementHead(tag uint32, vr string, length uint32) []byte {
	head := binary.LittleEndian.AppendUint16(nil, uint16(tag>>16))
	head = binary.LittleEndian.AppendUint16(head, uint16(tag))
	return binary.LittleEndian.AppendUint32(append(head, vr[0], vr[1], 0, 0), length)
}

func classOf(rec *ecg.Recording) (class, error) {
	if len(rec.Groups) == 0 {
		return class{}, &hub.Error{Kind: hub.Unprocessable, Msg: "the recording has no signals that could be written"}
	}
	for _, g := range rec.Groups {
		if g.Len() == 0 {
			return class{}, &hub.Error{Kind: hub.Unprocessable, Msg: "some signals of the recording have no samples"}
		}
	}
	for _, c := range classes {
		if c.allows(rec) {
			return c, nil
		}
	}
	return class{}, &hub.Error{Kind: hub.Unsupported, Path: "SOPClassUID", Msg: "no DICOM waveform allows so many leads or groups, or this rate"}
}

func (c class) allows(rec *ecg.Recording) bool {
	if len(rec.Groups) > c.groups {
		return false
	}
	for _, g := range rec.Groups {
		if !(g.Rate > 0) || len(g.Leads) == 0 || len(g.Leads) > c.channels || g.Rate < c.minRate || c.maxRate > 0 && g.Rate > c.maxRate ||
			c.samples > 0 && g.Len() > c.samples {
			return false
		}
		for _, l := range g.Leads {
			if _, _, voltage := l.Microvolts(); !voltage || !finite(l.Scale) || !finite(l.Baseline) ||
				c.standard && !isStandard(l.Code) || !c.wide && !narrow(l.Samples) {
				return false
			}
		}
	}
	return true
}

func isStandard(code ecg.LeadCode) bool {
	for _, s := range ecg.Twelve() {
		if s == code {
			return true
		}
	}
	return false
}

// narrow tells whether sixteen bits hold every sample, and one value is left for those that are missing.
func narrow(s ecg.Samples) bool {
	for _, v := range s.All() {
		if v != ecg.Missing && (v <= math.MinInt16 || v > math.MaxInt16) {
			return false
		}
	}
	return true
}

// dataSet is the instance (PS3.3 Table A.34.3-1 and its neighbours) but for the Waveform Sequence, which comes last.
func dataSet(rec *ecg.Recording, id Identity, c class) attributes {
	p, d := rec.Patient, rec.Device
	day, clock, moment := whenTaken(rec.Acquired)
	set := attributes{
		0x00080016: text("UI", c.uid),
		0x00080018: text("UI", id.Instance),
		0x00080020: text("DA", day),
		0x00080023: text("DA", day),
		0x0008002A: text("DT", moment),
		0x00080030: text("TM", clock),
		0x00080033: text("TM", clock),
		0x00080050: text("SH", rec.Accession),
		0x00080060: text("CS", "ECG"),
		0x00080070: text("LO", d.Manufacturer),
		0x00080090: name(rec.Referring),
		0x00081090: text("LO", d.Model),
		0x00100010: name(dicomName(p)...),
		0x00100020: text("LO", p.ID),
		0x00100030: text("DA", strings.ReplaceAll(fullDate(p.BirthDate), "-", "")),
		0x00100040: text("CS", map[ecg.Sex]string{ecg.Male: "M", ecg.Female: "F", ecg.OtherSex: "O"}[p.Sex]),
		0x0020000D: text("UI", id.Study),
		0x0020000E: text("UI", id.Series),
		0x00200010: text("SH"),
		0x00200011: numbers("IS", 1),
		0x00200013: numbers("IS", 1),
		0x00400555: items(),
	}
	set.add(0x00080080, "LO", rec.Institution)
	set.add(0x00081040, "LO", rec.Department)
	set.add(0x00100021, "LO", p.Authority)
	set.add(0x00101010, "AS", ageString(p.Age))
	set.add(0x00181000, "LO", d.Serial)
	set.add(0x00181020, "LO", d.Software)
	set.add(0x00401002, "LO", rec.Reason)
	if rec.Reading != "" {
		set[0x00081060] = name(rec.Reading)
	}
	if rec.Operator != "" {
		set[0x00081070] = name(rec.Operator)
	}
	if v, ok := measured(p.Height, map[string]float64{"m": 1, "cm": 0.01, "mm": 0.001}); ok {
		set[0x00101020] = numbers("DS", v)
	}
	if v, ok := measured(p.Weight, map[string]float64{"kg": 1, "g": 0.001}); ok {
		set[0x00101030] = numbers("DS", v)
	}
	if a := findings(rec); len(a) > 0 {
		set[0x0040B020] = items(a...)
	}
	return set
}

func whenTaken(t ecg.Time) (day, clock, moment string) {
	if t.IsZero() {
		return "", "", ""
	}
	day = t.Time.Format("20060102")
	if t.Day {
		return day, "", day
	}
	clock = t.Time.Format("150405.999999")
	moment = day + clock
	if t.Zoned {
		moment += t.Time.Format("-0700")
	}
	return day, clock, moment
}

func fullDate(s string) string {
	if len(s) != len("2006-01-02") {
		return ""
	}
	return s
}

// dicomName is the patient's name in up to three writings (PS3.5 6.2.1.2), the one that has parts with its parts.
func dicomName(p ecg.Patient) []string {
	writings := append([]string(nil), p.Names[:min(len(p.Names), 3)]...)
	if len(writings) == 0 {
		writings = []string{p.Name}
	}
	for i, w := range writings {
		if w == p.Name && p.Family != "" {
			writings[i] = strings.TrimRight(p.Family+"^"+p.Given, "^")
		}
	}
	return writings
}

// ageString is of VR AS, empty for what that cannot say.
func ageString(q *ecg.Quantity) string {
	if q == nil || !(q.Value >= 0 && q.Value < 1000) {
		return ""
	}
	letter, ok := map[string]string{"a": "Y", "mo": "M", "wk": "W", "d": "D"}[q.Unit]
	if !ok {
		return ""
	}
	return ("000" + strconv.Itoa(int(q.Value)))[len(strconv.Itoa(int(q.Value))):] + letter
}

func measured(q *ecg.Quantity, units map[string]float64) (float64, bool) {
	if q == nil || !finite(q.Value) {
		return 0, false
	}
	f, ok := units[q.Unit]
	return q.Value * f, ok
}
