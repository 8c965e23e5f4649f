package ecg

import "encoding/binary"

// packed reads section 6 of hand-held recorders that follow neither the standard nor their own header: one stream in which
// the leads take turns, four samples in three words. A word's low ten bits are a sample; bits 10 to 13 of the three hold the
// fourth from its high bits down, the two on top are marks of beats. Zero lies at 512. Where the interval would be the file
// has the rate in Hz.
//
// ok is set only when the lengths fit this reading and cannot fit the standard's.
func (s *scp) packed() (p scpSignals, ok bool) {
	if len(s.sect[6]) < 8 {
		return p, false
	}
	c := cursor{b: s.sect[6]}
	step, rate, order, bimodal, size := c.u16(), c.u16(), c.u8(), c.u8(), c.u16()
	n, want := size/6*4, int64(0)
	for _, l := range s.leads {
		want += l.len()
	}
	if order != 0 || bimodal != 0 || rate < 50 || rate > 2000 || size != c.left() || int64(n) != want || n > s.lim.Samples {
		return p, false
	}
	if len(s.leads) == 1 && s.sect[2] == nil {
		return p, false // words of the standard
	}
	s.remark("section 6 holds samples of ten bits packed by turns, and the rate in place of the interval")
	p = scpSignals{rate: float64(rate), step: float64(step) / 1000, leads: make([]Samples, len(s.leads))}
	i := 0
	for ; c.left() >= 6; i += 4 {
		q := c.take(6)
		var fourth uint16
		for k := range 3 {
			w := binary.LittleEndian.Uint16(q[2*k:])
			fourth = fourth<<4 | w>>10&15
			s.unpack(&p, i+k, w)
		}
		s.unpack(&p, i+3, fourth)
	}
	if einthoven(p.leads) {
		s.remark("the three signals fit leads I, II and III: the first and the third add up to the second")
	}
	return p, true
}

// einthoven tells whether the second of three signals is the sum of the others, but for a quarter of its size.
func einthoven(leads []Samples) bool {
	if len(leads) != 3 {
		return false
	}
	var off, size int64
	for i := range min(leads[0].Len(), leads[1].Len(), leads[2].Len()) {
		second := leads[1].At(i)
		off += int64(max(leads[0].At(i)+leads[2].At(i)-second, second-leads[0].At(i)-leads[2].At(i)))
		size += int64(max(second, -second))
	}
	return size > 0 && off*4 < size
}

func (s *scp) unpack(p *scpSignals, i int, w uint16) {
	lead := &p.leads[i%len(s.leads)]
	if w&0x8000 != 0 && i%len(s.leads) == 0 && len(s.rec.Annotations) < s.lim.Marks {
		at := lead.Len()
		s.rec.Annotations = append(s.rec.Annotations, Annotation{Code: "MDC_ECG_BEAT", From: at, To: at, Text: "beat found by the device"})
	}
	lead.Append(int32(w&0x3ff) - 512)
}
