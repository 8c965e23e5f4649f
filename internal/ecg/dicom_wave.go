package ecg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"concord/internal/dicom"
	"concord/internal/dicom/dict"
)

const (
	tagOffset         dicom.Tag = 0x00181068 // Multiplex Group Time Offset, ms
	tagOriginality    dicom.Tag = 0x003A0004
	tagChannels       dicom.Tag = 0x003A0005
	tagSampleCount    dicom.Tag = 0x003A0010
	tagFrequency      dicom.Tag = 0x003A001A
	tagGroupLabel     dicom.Tag = 0x003A0020
	tagDefinitions    dicom.Tag = 0x003A0200
	tagBits           dicom.Tag = 0x54001004
	tagInterpretation dicom.Tag = 0x54001006
	tagPadding        dicom.Tag = 0x5400100A
	tagWaveformData   dicom.Tag = 0x54001010
)

// wave is the content of one Waveform Data.
type wave struct {
	channels  []Samples
	zeroPad   bool // 0 was declared as padding and read as a sample
	overflow  bool
	leftovers bool
	// fault is why it could not be read; told only once the instance is known to be an electrocardiogram.
	fault error
}

// bulk decodes Waveform Data in passing. What it needs comes before: tags are in ascending order (PS3.5 7.1).
func (d *dicomReader) bulk(before iter.Seq[dicom.Element], e dicom.Element, value io.Reader) error {
	if e.Tag != tagWaveformData {
		return nil
	}
	w, err := d.decode(before, e, value)
	if err != nil && !refused(err) {
		return err
	}
	w.fault = err
	d.waves[e.Offset] = w
	return nil
}

// decode turns interleaved samples into one run a channel (PS3.3 C.10.9.1.7).
func (d *dicomReader) decode(item iter.Seq[dicom.Element], e dicom.Element, value io.Reader) (w wave, err error) {
	n, _ := find(item, tagChannels).Int()
	if n < 1 || n > int64(d.lim.Leads-d.leads) {
		return w, tooLarge("NumberOfWaveformChannels", "the instance has %d channels here, the limit for all groups is %d", n, d.lim.Leads)
	}
	d.leads += int(n)
	bits, _ := find(item, tagBits).Int()
	kind := strings.TrimRight(string(find(item, tagInterpretation).Value), " \x00")
	number, width := interpretation(kind, e.Order(), e.VR == dict.OW)
	if number == nil || int64(width)*8 != bits {
		return w, unsupported("WaveformSampleInterpretation", "samples of %d bits interpreted as %.2q are not read", bits, kind)
	}
	pad, padded := int64(0), false
	if p := find(item, tagPadding); len(p.Value) >= width {
		pad, padded = number(p.Value), true
	}
	if padded && pad == 0 {
		w.zeroPad, padded = true, false
	}
	w.channels = make([]Samples, n)
	frame := int(n) * width
	declared, _ := find(item, tagSampleCount).Int()
	buf, have := make([]byte, max(frame, 32<<10/frame*frame)), 0
	for {
		k, err := io.ReadFull(value, buf[have:])
		have += k
		whole := buf[:have/frame*frame]
		for ; len(whole) > 0; whole = whole[frame:] {
			if declared > 0 && int64(w.channels[0].Len()) == declared {
				w.leftovers = true
				break
			}
			if d.used += int(n); d.used > d.lim.Samples {
				return w, tooLarge("WaveformData", "the instance has more than %d samples", d.lim.Samples)
			}
			for c := range w.channels {
				v := number(whole[c*width:])
				switch {
				case padded && v == pad:
					v = Missing
				case v <= Missing || v >= 1<<31:
					w.overflow = true
					v = max(Missing+1, min(v, 1<<31-1))
				}
				w.channels[c].Append(int32(v))
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return w, nil
		}
		if err != nil {
			return w, fmt.Errorf("read waveform data: %w", err)
		}
		have = copy(buf, buf[have/frame*frame:have])
	}
}

// interpretation reads one sample of the value of Waveform Sample Interpretation (PS3.3 C.10.9.1.5); nil for those that are
// sound. In values made of words (OW) the low word of a longer number comes first whatever the order of bytes.
func interpretation(kind string, order binary.ByteOrder, words bool) (number func([]byte) int64, width int) {
	long := order.Uint32
	if words {
		long = func(p []byte) uint32 { return uint32(order.Uint16(p)) | uint32(order.Uint16(p[2:]))<<16 }
	}
	switch kind {
	case "SB":
		return func(p []byte) int64 { return int64(int8(p[0])) }, 1
	case "UB":
		return func(p []byte) int64 { return int64(p[0]) }, 1
	case "SS":
		return func(p []byte) int64 { return int64(int16(order.Uint16(p))) }, 2
	case "US":
		return func(p []byte) int64 { return int64(order.Uint16(p)) }, 2
	case "SL":
		return func(p []byte) int64 { return int64(int32(long(p))) }, 4
	case "UL":
		return func(p []byte) int64 { return int64(long(p)) }, 4
	}
	return nil, 0
}

// groups reads the items of Waveform Sequence.
func (d *dicomReader) groups() error {
	e, ok := d.h.Find(tagWaveforms)
	if !ok {
		return invalid("WaveformSequence", "the instance has no waveforms")
	}
	i := 0
	for item := range d.h.Items(e) {
		i++
		g, err := d.group(item)
		if err != nil {
			return err
		}
		if len(d.rec.Groups) >= d.lim.Leads {
			return tooLarge("WaveformSequence", "the instance has more than %d groups", d.lim.Leads)
		}
		// Groups without leads keep their place until annotations, which count them, are read.
		d.rec.Groups = append(d.rec.Groups, g)
		if len(g.Leads) == 0 {
			return invalid("WaveformSequence", "group %d has no samples", i)
		}
	}
	if i == 0 {
		return invalid("WaveformSequence", "the instance has no waveforms")
	}
	return nil
}

func (d *dicomReader) group(item iter.Seq[dicom.Element]) (g Group, err error) {
	data := find(item, tagWaveformData)
	w, bulk := d.waves[data.Offset]
	if !bulk {
		w, err = d.decode(item, data, bytes.NewReader(data.Value))
	}
	if err == nil {
		err = w.fault
	}
	if err != nil {
		return g, err
	}
	rate, ok := parseNumber(d.first(find(item, tagFrequency)))
	if !ok || rate <= 0 || rate > 1e6 {
		return g, invalid("SamplingFrequency", "a group has no sampling frequency")
	}
	g = Group{Rate: rate, Label: d.first(find(item, tagGroupLabel))}
	if ms, ok := parseNumber(d.first(find(item, tagOffset))); ok && ms > -1e12 && ms < 1e12 {
		g.Offset = time.Duration(ms * float64(time.Millisecond))
	}
	if w.channels[0].Len() == 0 {
		return g, nil
	}
	declared, _ := find(item, tagSampleCount).Int()
	d.tell(w, declared)
	i := 0
	for definition := range d.h.Items(find(item, tagDefinitions)) {
		if i < len(w.channels) {
			l, f := d.channel(definition, i, rate)
			l.Samples = w.channels[i]
			switch none := (Filters{}); {
			case g.Filters == none:
				g.Filters = f
			case f != none && f != g.Filters:
				d.rec.remark("channels of one group were filtered differently: the first one's filters are told")
			}
			g.Leads = append(g.Leads, l)
		}
		i++
	}
	if i != len(w.channels) {
		d.rec.remark(fmt.Sprintf("%d channels are defined, %d are there", i, len(w.channels)))
	}
	for i := len(g.Leads); i < len(w.channels); i++ {
		g.Leads = append(g.Leads, Lead{Label: fmt.Sprint(i + 1), Scale: 1, Samples: w.channels[i]})
	}
	g.Kind = groupKind(g, d.first(find(item, tagOriginality)), d.rec.Groups)
	return g, nil
}

func (d *dicomReader) tell(w wave, declared int64) {
	if w.zeroPad {
		d.rec.remark("0 is declared as padding; it is read as a sample")
	}
	if w.overflow {
		d.rec.remark("samples beyond 31 bits were cut to it")
	}
	switch n := int64(w.channels[0].Len()); {
	case n < declared:
		d.rec.remark(fmt.Sprintf("a group has %d samples where %d are declared", n, declared))
	case w.leftovers:
		d.rec.remark("a group has more samples than are declared; those are not read")
	}
}

// groupKind tells representative beats from rhythm: by their label, or because they are derived and short beside an original.
func groupKind(g Group, originality string, before []Group) Kind {
	label := strings.ToUpper(g.Label)
	for _, word := range []string{"MEDIAN", "REPRESENTATIVE", "AVERAGE", "TEMPLATE", "BEAT"} {
		if strings.Contains(label, word) && originality != "ORIGINAL" {
			return Median
		}
	}
	switch {
	case originality != "DERIVED" || len(before) == 0:
		return Rhythm
	case g.Duration() < 2500*time.Millisecond:
		return Median
	}
	return Other
}

// channel reads one item of Channel Definition Sequence.
func (d *dicomReader) channel(item iter.Seq[dicom.Element], i int, rate float64) (l Lead, f Filters) {
	l.Scale = 1
	source := d.code(item, 0x003A0208)
	sensitivity := 0.0
	for e := range item {
		v := d.first(e)
		n, ok := parseNumber(v)
		switch e.Tag {
		case 0x003A0203:
			l.Label = v
		case 0x003A020C:
			l.Derived = v != ""
		case 0x003A0210:
			if ok && n != 0 {
				sensitivity = n
			}
		case 0x003A0212:
			if ok && n != 0 {
				l.Scale = n
			}
		case 0x003A0213:
			l.Baseline = orZero(n, ok)
		case 0x003A0214:
			l.Skew = seconds(orZero(n, ok))
		case 0x003A0215:
			if l.Skew == 0 {
				l.Skew = seconds(orZero(n, ok) / rate)
			}
		case 0x003A0220:
			f.HighPass = orZero(n, ok)
		case 0x003A0221:
			f.LowPass = orZero(n, ok)
		case 0x003A0222:
			f.Notch = orZero(n, ok)
		}
	}
	if sensitivity != 0 {
		l.Scale *= sensitivity
		l.Unit = d.code(item, 0x003A0211).Code
	} else {
		d.rec.remark("a channel has no sensitivity: its samples are numbers without a unit")
	}
	if l.Code = leadByCode(source); l.Code == 0 {
		if l.Code = leadByName(l.Label); l.Code == 0 {
			l.Code = leadByName(source.Display)
		}
		if l.Code != 0 {
			d.rec.remark("leads are known by their words, not by a code")
		}
	}
	switch {
	case l.Code != 0:
		l.Label = l.Code.String()
	case l.Label == "" && source.Display != "":
		l.Label = source.Display
	case l.Label == "":
		l.Label = fmt.Sprint(i + 1)
	}
	return l, f
}

func orZero(v float64, ok bool) float64 {
	if !ok {
		return 0
	}
	return v
}

// seconds as a duration; zero for what no duration holds.
func seconds(s float64) time.Duration {
	if s > -1e9 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	return 0
}
