package export

import (
	"encoding/base64"
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
// recording has; its samples are the recording's, unchanged. A recording that none allows is an Unsupported error. It
// holds some four times the file's size in memory.
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
	body := dataSet(rec, id, c).json()
	out := dicom.AppendMeta(nil, explicitLittle, c.uid, id.Instance, dicom.ImplementationUID)
	out, err = dicom.AppendDataSet(out, []byte(body), explicitLittle, []string{"ISO_IR 192"})
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
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
			c.samples > 0 && g.Len() > c.samples || int64(g.Len())*int64(len(g.Leads)) > math.MaxInt32/4 {
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

// dataSet is the instance (PS3.3 Table A.34.3-1 and its neighbours).
func dataSet(rec *ecg.Recording, id Identity, c class) attributes {
	p, d := rec.Patient, rec.Device
	day, clock, moment := whenTaken(rec.Acquired)
	groups := make([]attributes, len(rec.Groups))
	for i, g := range rec.Groups {
		groups[i] = multiplex(g, c.wide)
	}
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
		0x54000100: items(groups...),
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

// multiplex is one item of the Waveform Sequence (PS3.3 C.10.9).
func multiplex(g ecg.Group, wide bool) attributes {
	originality, label := "ORIGINAL", "RHYTHM"
	if g.Kind != ecg.Rhythm {
		originality, label = "DERIVED", "MEDIAN BEAT"
	}
	if g.Label != "" {
		label = g.Label
	}
	bits, vr := 16, "SS"
	if wide {
		bits, vr = 32, "SL"
	}
	channels := make([]attributes, len(g.Leads))
	for i, l := range g.Leads {
		channels[i] = channel(g, l, bits)
	}
	data, gaps := interleave(g, bits)
	item := attributes{
		0x00181068: numbers("DS", float64(g.Offset)/1e6),
		0x003A0004: text("CS", originality),
		0x003A0005: numbers("US", float64(len(g.Leads))),
		0x003A0010: numbers("UL", float64(g.Len())),
		0x003A001A: numbers("DS", g.Rate),
		0x003A0020: text("SH", label),
		0x003A0200: items(channels...),
		0x54001004: numbers("US", float64(bits)),
		0x54001006: text("CS", vr),
		0x54001010: inline("OW", data),
	}
	if gaps {
		item[0x5400100A] = inline("OW", sample(nil, ecg.Missing, bits))
	}
	return item
}

// channel is one item of the Channel Definition Sequence (C.10.9.1.4).
func channel(g ecg.Group, l ecg.Lead, bits int) attributes {
	source := attributes{0x00080100: text("SH", l.Label), 0x00080102: text("SH", "99CONCORD"), 0x00080104: text("LO", "Lead "+l.Label)}
	if l.Code.String() != "" {
		source = code("MDC", l.Code.Number(), "Lead "+l.Code.String())
	}
	unit := map[string]string{"nV": "nanovolt", "uV": "microvolt", "mV": "millivolt", "V": "volt"}[l.Unit]
	c := attributes{
		0x003A0203: text("SH", l.Label),
		0x003A0208: items(source),
		0x003A0210: numbers("DS", l.Scale),
		0x003A0211: items(code("UCUM", l.Unit, unit)),
		0x003A0212: numbers("DS", 1),
		0x003A0213: numbers("DS", l.Baseline),
		0x003A0215: numbers("DS", l.Skew.Seconds()*g.Rate),
		0x003A021A: numbers("US", float64(bits)),
	}
	for tag, v := range map[uint32]float64{0x003A0220: g.Filters.HighPass, 0x003A0221: g.Filters.LowPass, 0x003A0222: g.Filters.Notch} {
		if v > 0 && finite(v) {
			c[tag] = numbers("DS", v)
		}
	}
	return c
}

// interleave is the Waveform Data (C.10.9.1.7), in which the lowest number stands for samples that are missing.
func interleave(g ecg.Group, bits int) (data []byte, gaps bool) {
	n := g.Len()
	data = make([]byte, 0, n*len(g.Leads)*bits/8)
	for i := range n {
		for _, l := range g.Leads {
			v := int32(ecg.Missing)
			if k := i - l.Start; k >= 0 && k < l.Samples.Len() {
				v = l.Samples.At(k)
			}
			gaps = gaps || v == ecg.Missing
			data = sample(data, v, bits)
		}
	}
	return data, gaps
}

func sample(dst []byte, v int32, bits int) []byte {
	if bits == 32 {
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return binary.LittleEndian.AppendUint16(dst, uint16(max(v, math.MinInt16)))
}

// findings are the Waveform Annotation Sequence (C.10.10): statements and measurements of the whole recording.
func findings(rec *ecg.Recording) []attributes {
	var all []attributes
	at := func(group int, a attributes) {
		a[0x0040A0B0] = numbers("US", float64(min(max(group, 0), len(rec.Groups)-1)+1), 0)
		a[0x0040A180] = numbers("US", float64(max(group, 0)))
		all = append(all, a)
	}
	for _, s := range rec.Statements {
		if s.Text != "" {
			at(0, attributes{0x00700006: text("ST", s.Text)})
		}
	}
	for _, m := range rec.Measurements {
		concept, ok := concepts[m.Code]
		if !ok || m.Lead != 0 || !finite(m.Value) {
			continue
		}
		at(m.Group, attributes{
			0x004008EA: items(code("UCUM", m.Unit, m.Unit)),
			0x0040A043: items(code(concept.scheme, concept.code, concept.meaning)),
			0x0040A30A: numbers("DS", m.Value),
		})
	}
	return all
}

// concepts are the names of measurements in DICOM (PS3.16 CID 3227 to 3229; rates as SCP-ECG numbers them).
var concepts = map[string]struct{ scheme, code, meaning string }{
	ecg.HeartRate:       {"SCPECG", "5.10.2.5-1", "Ventricular Heart Rate"},
	ecg.VentricularRate: {"SCPECG", "5.10.2.5-1", "Ventricular Heart Rate"},
	ecg.AtrialRate:      {"SCPECG", "5.10.2.5-3", "Atrial Heart Rate"},
	ecg.PDuration:       {"MDC", "2:16184", "P duration global"},
	ecg.PRInterval:      {"MDC", "2:15872", "PR interval global"},
	ecg.QRSDuration:     {"MDC", "2:16156", "QRS duration global"},
	ecg.QTInterval:      {"MDC", "2:16160", "QT interval global"},
	ecg.QTcInterval:     {"MDC", "2:15876", "QTc interval global"},
	ecg.QTcBazett:       {"MDC", "2:15880", "QTc global using Bazett formula"},
	ecg.QTcFridericia:   {"MDC", "2:15892", "QTc global using Fredericia formula"},
	ecg.RRInterval:      {"MDC", "2:16168", "RR interval global"},
	ecg.PPInterval:      {"MDC", "2:16140", "PP interval global"},
	ecg.PAxis:           {"MDC", "2:16128", "P Axis"},
	ecg.QRSAxis:         {"MDC", "2:16132", "QRS axis"},
	ecg.TAxis:           {"MDC", "2:16136", "T axis"},
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

func inline(vr string, data []byte) string {
	return `{"vr":"` + vr + `","InlineBinary":"` + base64.StdEncoding.EncodeToString(data) + `"}`
}
