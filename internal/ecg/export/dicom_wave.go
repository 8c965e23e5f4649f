package export

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"math"

	"concord/internal/ecg"
)

// multiplex is one item of the Waveform Sequence (PS3.3 C.10.9) without its Waveform Data.
func multiplex(g ecg.Group, bits int) attributes {
	originality, label := "ORIGINAL", "RHYTHM"
	if g.Kind != ecg.Rhythm {
		originality, label = "DERIVED", "MEDIAN BEAT"
	}
	if g.Label != "" {
		label = g.Label
	}
	vr := "SS"
	if bits == 32 {
		vr = "SL"
	}
	channels := make([]attributes, len(g.Leads))
	for i, l := range g.Leads {
		channels[i] = channel(g, l, bits)
	}
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
	}
	if gappy(g) {
		item[0x5400100A] = `{"vr":"OW","InlineBinary":"` + base64.StdEncoding.EncodeToString(sample(nil, ecg.Missing, bits)) + `"}`
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

// gappy tells whether some sample of the group is missing.
func gappy(g ecg.Group) bool {
	for _, l := range g.Leads {
		if l.Start != 0 || l.Samples.Len() != g.Len() {
			return true
		}
		for _, v := range l.Samples.All() {
			if v == ecg.Missing {
				return true
			}
		}
	}
	return false
}

// interleave writes the Waveform Data (C.10.9.1.7), in which the lowest number stands for samples that are missing. Its
// length is even: samples have two bytes or four. Errors stay in b.
func interleave(b *bufio.Writer, g ecg.Group, bits int) {
	frame := make([]byte, 0, len(g.Leads)*bits/8)
	for i := range g.Len() {
		frame = frame[:0]
		for _, l := range g.Leads {
			v := int32(ecg.Missing)
			if k := i - l.Start; k >= 0 && k < l.Samples.Len() {
				v = l.Samples.At(k)
			}
			frame = sample(frame, v, bits)
		}
		b.Write(frame)
	}
}

func sample(dst []byte, v int32, bits int) []byte {
	if bits == 32 {
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return binary.LittleEndian.AppendUint16(dst, uint16(max(v, math.MinInt16)))
}
