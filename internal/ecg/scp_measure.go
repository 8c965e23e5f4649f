package ecg

import (
	"strings"
)

// absent marks a measurement of SCP-ECG that was not made: not computed, rejected, or no such wave (5.10.1).
func absent(v int) bool { return v == 29999 || v == 29998 || v == 19999 }

func (s *scp) measure(lead LeadCode, code, name string, v int, unit string) {
	if absent(v) || len(s.rec.Measurements) >= s.lim.Marks {
		return
	}
	s.rec.Measurements = append(s.rec.Measurements, Measurement{Code: code, Name: name, Quantity: Quantity{float64(v), unit}, Lead: lead, Group: -1})
}

// measurements reads sections 7 and 10.
func (s *scp) measurements() error {
	s.global()
	s.byLead()
	return nil
}

// scpAxes are in degrees, 999 for undefined.
func (s *scp) axis(code, name string, v int) {
	if v >= -360 && v <= 360 {
		s.measure(0, code, name, v, "deg")
	}
}

// global reads section 7 (5.10): averages, a block of onsets and offsets for each type of beat, of which the first is of
// the whole recording, spikes, and rates.
func (s *scp) global() {
	if len(s.sect[7]) == 0 {
		return
	}
	c := cursor{b: s.sect[7]}
	blocks, spikes, rr, pp := c.u8(), c.u8(), c.u16(), c.u16()
	positive := func(code, name string, v int, unit string) {
		if v > 0 {
			s.measure(0, code, name, v, unit)
		}
	}
	if c.short {
		s.remark("section 7 is cut short")
		return
	}
	var on [5]int // onset and offset of P, of QRS, offset of T, in ms from the beginning of the reference beat
	var axes [3]int
	for b := range blocks {
		block := cursor{b: c.take(16)}
		if c.short {
			s.remark("section 7 is shorter than its blocks")
			break
		}
		if b > 0 {
			continue
		}
		for i := range on {
			on[i] = block.u16()
		}
		for i := range axes {
			axes[i] = block.s16()
		}
	}
	between := func(code, name string, from, to int) {
		if !absent(from) && !absent(to) && to > from {
			s.measure(0, code, name, to-from, "ms")
		}
	}
	spiked := s.spikes(&c, spikes)
	c.take(c.u16()) // a type for each beat
	var rate, atrial, qtc, formula int
	if spiked && c.left() >= 7 {
		rate, atrial, qtc, formula = c.u16(), c.u16(), c.u16(), c.u8()
	}
	positive(VentricularRate, "ventricular rate", rate, "/min")
	positive(AtrialRate, "atrial rate", atrial, "/min")
	positive(RRInterval, "average RR interval", rr, "ms")
	positive(PPInterval, "average PP interval", pp, "ms")
	if blocks > 0 && on != [5]int{} {
		between(PDuration, "P duration", on[0], on[1])
		between(PRInterval, "PR interval", on[0], on[2])
		between(QRSDuration, "QRS duration", on[2], on[3])
		between(QTInterval, "QT interval", on[2], on[4])
	}
	code, name := QTcInterval, "corrected QT interval"
	switch formula {
	case 1:
		code, name = QTcBazett, name+" (Bazett)"
	case 2:
		name += " (Hodges)"
	case 3:
		code, name = QTcFridericia, name+" (Fridericia)"
	case 4:
		name += " (Framingham)"
	}
	positive(code, name, qtc, "ms")
	if blocks > 0 && (on != [5]int{} || axes != [3]int{}) {
		s.axis(PAxis, "P axis", axes[0])
		s.axis(QRSAxis, "QRS axis", axes[1])
		s.axis(TAxis, "T axis", axes[2])
	}
}

// spikes reads a pacemaker's spikes: times in ms and amplitudes in µV, then their kinds.
func (s *scp) spikes(c *cursor, n int) bool {
	for range n {
		ms, uV := c.u16(), c.s16()
		if c.short {
			s.remark("section 7 is shorter than its spikes")
			return false
		}
		a := Annotation{Code: PacemakerSpike, Text: "pacemaker spike", Group: -1, From: -1, To: -1}
		if g, ok := s.rec.Rhythm(); ok && !absent(ms) {
			at := int(float64(ms) / 1000 * g.Rate)
			if at < g.Len() {
				a.Group, a.From, a.To = 0, at, at
			}
		}
		if !absent(uV) {
			a.Value = &Quantity{float64(uV), "uV"}
		}
		s.rec.Annotations = append(s.rec.Annotations, a)
	}
	if n > 0 {
		s.rec.Patient.Pacemaker = "spikes found by the device"
	}
	return n == 0 || c.take(6*n) != nil
}

// scpLeadMeasures are the numbers of section 10 in their order (5.13.3); those without a unit are codes or in twos.
var scpLeadMeasures = [...]struct{ code, name, unit string }{
	{PDuration, "P duration", "ms"}, {PRInterval, "PR interval", "ms"}, {QRSDuration, "QRS duration", "ms"}, {QTInterval, "QT interval", "ms"},
	{"MDC_ECG_TIME_PD_Q", "Q duration", "ms"}, {"", "R duration", "ms"}, {"", "S duration", "ms"}, {"", "R' duration", "ms"}, {"", "S' duration", "ms"},
	{"MDC_ECG_V_Q", "Q amplitude", "uV"}, {"MDC_ECG_V_R", "R amplitude", "uV"}, {"MDC_ECG_V_S", "S amplitude", "uV"}, {"", "R' amplitude", "uV"},
	{"", "S' amplitude", "uV"}, {"MDC_ECG_AMPL_J", "J amplitude", "uV"}, {"", "P+ amplitude", "uV"}, {"", "P- amplitude", "uV"},
	{"", "T+ amplitude", "uV"}, {"", "T- amplitude", "uV"}, {"", "ST slope", "uV/s"}, {}, {}, {"", "isoelectric segment at QRS onset", "ms"},
	{"", "isoelectric segment at QRS offset", "ms"}, {"", "intrinsicoid deflection", "ms"}, {}, {}, {"", "ST amplitude at J+20 ms", "uV"},
	{"", "ST amplitude at J+60 ms", "uV"}, {"", "ST amplitude at J+80 ms", "uV"}, {"", "ST amplitude at J+RR/16", "uV"}, {"", "ST amplitude at J+RR/8", "uV"},
}

// byLead reads section 10.
func (s *scp) byLead() {
	c := cursor{b: s.sect[10]}
	n := c.u16()
	c.u16()
	for range n {
		lead, size := LeadCode(c.u16()), c.u16()
		block := cursor{b: c.take(size)}
		if c.short {
			s.remark("section 10 is shorter than its leads")
			return
		}
		for _, m := range scpLeadMeasures {
			if v := block.s16(); !block.short && m.unit != "" && v != 0 {
				s.measure(lead, m.code, m.name, v, m.unit)
			}
		}
	}
}

// statements reads section 11, and section 8 where there is none (5.11, 5.14).
func (s *scp) statements() error {
	for _, id := range []int{11, 8} {
		c := cursor{b: s.sect[id]}
		confirmed := c.u8()
		c.take(4 + 3) // when
		n := c.u8()
		if c.short {
			continue
		}
		status := [...]string{"original", "confirmed", "overread"}[min(confirmed, 2)]
		for range n {
			c.u8()
			p := c.take(c.u16())
			if c.short {
				s.remark("section %d is shorter than its statements", id)
				break
			}
			st := Statement{Status: status}
			if st.Text = s.text.of(p); id == 11 {
				st.Text, st.Sent = s.universal(p)
			}
			if st.Text != "" && len(s.rec.Statements) < s.lim.Marks {
				s.rec.Statements = append(s.rec.Statements, st)
			}
		}
		if len(s.rec.Statements) > 0 {
			return nil
		}
	}
	return nil
}

// universal reads a statement of section 11: a type, then codes and words that end in NULs. Type 1 is codes of EN 1064's
// annex B, 2 is free text, 3 logic that joins others.
func (s *scp) universal(p []byte) (text string, sent Coding) {
	if len(p) < 2 {
		return "", Coding{}
	}
	kind := p[0]
	var words []string
	for _, w := range strings.Split(string(p[1:]), "\x00") {
		if t := s.text.of([]byte(w)); t != "" {
			words = append(words, t)
		}
	}
	text = strings.Join(words, " ")
	if kind == 1 && len(words) > 0 {
		sent = Coding{System: "SCP-ECG", Code: words[0]}
		if len(words) > 1 {
			sent.Display = strings.Join(words[1:], " ")
		}
	}
	return text, sent
}
