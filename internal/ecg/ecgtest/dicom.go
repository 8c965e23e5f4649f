package ecgtest

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"concord/internal/dicom"
)

// Transfer syntaxes that DICOM writes.
const (
	ImplicitLittle = "1.2.840.10008.1.2"
	ExplicitLittle = "1.2.840.10008.1.2.1"
	ExplicitBig    = "1.2.840.10008.1.2.2"
)

// Multiplex is one item of Waveform Sequence: samples by frames, and what is said of them.
type Multiplex struct {
	Originality, Label string
	Rate               string
	Offset             string // ms
	Kind               string // SB UB SS US SL UL
	Padding            *int64
	Declared           int // samples, when that is not what is there
	Channels           []Channel
	Frames             [][]int64
	Cut                int // bytes taken off the data
}

// Channel is one item of Channel Definition Sequence; empty texts are left out.
type Channel struct {
	Scheme, Code, Meaning, Label             string
	Sensitivity, Unit, Correction, Baseline  string
	TimeSkew, SampleSkew, Low, High, Notched string
}

// DICOM writes an instance of a SOP class: groups and, as DICOM JSON, further attributes that sort behind 0020 and before 5400.
func DICOM(syntax, class string, further string, groups ...Multiplex) []byte {
	var items []string
	for _, g := range groups {
		items = append(items, g.json())
	}
	body := fmt.Sprintf(`{"00080016":{"vr":"UI","Value":[%q]},"00080018":{"vr":"UI","Value":["1.2.3.4"]},`+
		`"0008002A":{"vr":"DT","Value":["20260506070809.5+0800"]},"00100020":{"vr":"LO","Value":["P-0007"]},`+
		`"0020000D":{"vr":"UI","Value":["1.2.3"]},"0020000E":{"vr":"UI","Value":["1.2.3.1"]},%s"54000100":{"vr":"SQ","Value":[%s]}}`,
		class, further, strings.Join(items, ","))
	file := dicom.AppendMeta(nil, syntax, class, "1.2.3.4", dicom.ImplementationUID)
	file, err := dicom.AppendDataSet(file, []byte(body), syntax, []string{"ISO_IR 192"})
	if err != nil {
		panic(err)
	}
	return file
}

func (m Multiplex) width() int { return map[string]int{"B": 1, "S": 2, "L": 4}[m.Kind[1:]] }

func (m Multiplex) words(values ...int64) []byte {
	var out []byte
	for _, v := range values {
		out = append(out, binary.LittleEndian.AppendUint64(nil, uint64(v))[:m.width()]...)
	}
	return out
}

func (m Multiplex) json() string {
	var all []int64
	for _, f := range m.Frames {
		all = append(all, f...)
	}
	data := m.words(all...)
	data = data[:len(data)-m.Cut]
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	samples := len(m.Frames)
	if m.Declared != 0 {
		samples = m.Declared
	}
	vr := "OW"
	if m.width() == 1 {
		vr = "OB"
	}
	var b strings.Builder
	b.WriteByte('{')
	put(&b, "00181068", "DS", m.Offset)
	put(&b, "003A0004", "CS", m.Originality)
	fmt.Fprintf(&b, `"003A0005":{"vr":"US","Value":[%d]},"003A0010":{"vr":"UL","Value":[%d]},`, len(m.Channels), samples)
	put(&b, "003A001A", "DS", m.Rate)
	put(&b, "003A0020", "SH", m.Label)
	b.WriteString(`"003A0200":{"vr":"SQ","Value":[`)
	for i, c := range m.Channels {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(c.json())
	}
	fmt.Fprintf(&b, `]},"54001004":{"vr":"US","Value":[%d]},`, 8*m.width())
	put(&b, "54001006", "CS", m.Kind)
	if m.Padding != nil {
		pad := m.words(*m.Padding)
		if len(pad) == 1 {
			pad = append(pad, 0)
		}
		fmt.Fprintf(&b, `"5400100A":{"vr":%q,"InlineBinary":%q},`, vr, base64.StdEncoding.EncodeToString(pad))
	}
	fmt.Fprintf(&b, `"54001010":{"vr":%q,"InlineBinary":%q}}`, vr, base64.StdEncoding.EncodeToString(data))
	return b.String()
}

func (c Channel) json() string {
	var b strings.Builder
	b.WriteByte('{')
	put(&b, "003A0203", "SH", c.Label)
	if c.Code != "" || c.Meaning != "" {
		code(&b, "003A0208", c.Scheme, c.Code, c.Meaning)
	}
	put(&b, "003A0210", "DS", c.Sensitivity)
	if c.Unit != "" {
		code(&b, "003A0211", "UCUM", c.Unit, c.Unit)
	}
	put(&b, "003A0212", "DS", c.Correction)
	put(&b, "003A0213", "DS", c.Baseline)
	put(&b, "003A0214", "DS", c.TimeSkew)
	put(&b, "003A0215", "DS", c.SampleSkew)
	put(&b, "003A0220", "DS", c.Low)
	put(&b, "003A0221", "DS", c.High)
	put(&b, "003A0222", "DS", c.Notched)
	return strings.TrimSuffix(b.String(), ",") + "}"
}

func put(b *strings.Builder, tag, vr, value string) {
	if value != "" {
		fmt.Fprintf(b, `"%s":{"vr":"%s","Value":[%q]},`, tag, vr, value)
	}
}

func code(b *strings.Builder, tag, scheme, value, meaning string) {
	fmt.Fprintf(b, `"%s":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":[%q]},"00080102":{"vr":"SH","Value":[%q]},"00080104":{"vr":"LO","Value":[%q]}}]},`,
		tag, value, scheme, meaning)
}
