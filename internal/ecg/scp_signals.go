package ecg

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// scpLead is one line of section 3; samples are numbered from 1.
type scpLead struct {
	code       LeadCode
	start, end int64
}

func (l scpLead) len() int64 { return l.end - l.start + 1 }

// scpBeat is section 4: the reference beat and where it was subtracted.
type scpBeat struct {
	length    int   // of the reference beat, in ms
	fiducial  int64 // sample of the reference beat, from 1
	complexes []scpQRS
	protected []span
}

type scpQRS struct {
	kind int
	span
	fiducial int64
}

// span is a range of samples, both ends in it.
type span struct{ from, to int64 }

// leadDefinition reads section 3 (5.6).
func (s *scp) leadDefinition() error {
	if s.sect[3] == nil {
		return invalid("section 3", "the record has no lead definition")
	}
	c := cursor{b: s.sect[3]}
	n, flags := c.u8(), c.u8()
	s.subtracted = flags&1 != 0
	if n > s.lim.Leads {
		return tooLarge("section 3", "the record has more than %d leads", s.lim.Leads)
	}
	for i := range n {
		l := scpLead{start: c.u32(), end: c.u32(), code: LeadCode(c.u8())}
		switch {
		case c.short && i > 0:
			s.unnamed(n)
			return nil
		case c.short:
			return invalid("section 3", "the lead definition is shorter than its %d leads", n)
		case l.end < l.start || l.end-l.start >= int64(s.lim.Samples):
			return invalid("section 3", "lead %d runs from sample %d to %d", i+1, l.start, l.end)
		}
		s.leads = append(s.leads, l)
	}
	if n == 0 {
		return invalid("section 3", "the record has no leads")
	}
	total := int64(0)
	for _, l := range s.leads {
		if total += l.len(); total > int64(s.lim.Samples) {
			return tooLarge("section 3", "the record has more than %d samples", s.lim.Samples)
		}
	}
	return nil
}

// unnamed gives n leads the range of the first, and no codes: which ones the section describes is not to be known.
func (s *scp) unnamed(n int) {
	s.remark("section 3 describes %d of %d leads: none of them is named", len(s.leads), n)
	for len(s.leads) < n {
		s.leads = append(s.leads, s.leads[0])
	}
	for i := range s.leads {
		s.leads[i].code = 0
	}
}

// qrsLocations reads section 4 (5.7).
func (s *scp) qrsLocations() error {
	if s.sect[4] == nil {
		return nil
	}
	c := cursor{b: s.sect[4]}
	s.beat.length, s.beat.fiducial = c.u16(), int64(c.u16())
	n := c.u16()
	for range n {
		q := scpQRS{kind: c.u16(), span: span{from: c.u32()}, fiducial: c.u32()}
		if q.to = c.u32(); c.short {
			s.remark("section 4 is shorter than its beats")
			return nil
		}
		s.beat.complexes = append(s.beat.complexes, q)
	}
	for range n {
		p := span{c.u32(), c.u32()}
		if c.short {
			break // written only when beats were subtracted
		}
		s.beat.protected = append(s.beat.protected, p)
	}
	return nil
}

// scpData is what sections 5 and 6 begin with (5.8, 5.9).
type scpData struct {
	avm      int // nV of a step
	interval int // µs
	order    int // of differences
	bimodal  bool
	lengths  []int
	data     []byte
}

func (s *scp) data(id int) (d scpData, ok bool) {
	if s.sect[id] == nil {
		return d, false
	}
	c := cursor{b: s.sect[id]}
	d.avm, d.interval, d.order = c.u16(), c.u16(), c.u8()
	d.bimodal = c.u8() == 1
	for range s.leads {
		d.lengths = append(d.lengths, c.u16())
	}
	d.data = c.b[c.at:]
	return d, !c.short && d.interval > 0 && d.order <= 2
}

func (d scpData) rate() float64 { return 1e6 / float64(d.interval) }

// signals reads sections 2, 5 and 6.
func (s *scp) signals() error {
	if len(s.sect[6]) == 0 && len(s.sect[5]) == 0 {
		return invalid("section 6", "the record has no signals")
	}
	if packed, ok := s.packed(); ok {
		s.addRhythm(packed)
		return nil
	}
	table, err := huffmanOf(s.sect[2])
	if err != nil {
		return err
	}
	var beats [][]int32
	reference, hasBeat := s.data(5)
	if hasBeat && s.beat.length > 0 {
		n := int64(s.beat.length) * 1000 / int64(reference.interval)
		if beats, err = s.decode("section 5", reference, table, func(scpLead) int64 { return n }); err != nil {
			return err
		}
	} else if len(s.sect[5]) > 0 {
		s.remark("section 5 is malformed or without the length of its beat in section 4, and is not read")
		hasBeat = false
	}
	rhythm, ok := s.data(6)
	switch {
	case !ok && len(s.sect[6]) > 0:
		return invalid("section 6", "the rhythm data begins with values that cannot be")
	case ok:
		if err := s.rhythm(rhythm, reference, hasBeat, table, beats); err != nil {
			return err
		}
	}
	if hasBeat && beats != nil {
		s.addBeats(reference, beats)
	}
	if len(s.rec.Groups) == 0 {
		return invalid("section 6", "the record has no samples")
	}
	return nil
}

// decode turns the data of each lead into values.
func (s *scp) decode(name string, d scpData, table huffman, want func(scpLead) int64) ([][]int32, error) {
	var all [][]int32
	c, total := cursor{b: d.data}, 0
	for i, l := range s.leads {
		p := c.take(d.lengths[i])
		if c.short {
			return nil, invalid(name, "the data of lead %d is longer than the section", i+1)
		}
		n := want(l)
		if n > int64(s.lim.Samples-total) {
			return nil, tooLarge(name, "the record has more than %d samples", s.lim.Samples)
		}
		values, ok := table.decode(p, n, d.order)
		if !ok {
			return nil, invalid(name, "the data of lead %d holds no code of its Huffman table after %d samples", i+1, len(values))
		}
		if int64(len(values)) < n {
			s.remark("%s has fewer samples than section 3 or 4 says", name)
		}
		total += len(values)
		all = append(all, values)
	}
	return all, nil
}

// rhythm decodes section 6 and undoes what compressed it: decimation between protected areas, and the reference beat
// that was subtracted (5.7.4 to 5.7.6).
func (s *scp) rhythm(d, reference scpData, hasBeat bool, table huffman, beats [][]int32) error {
	every := 1
	if hasBeat && (d.bimodal || s.subtracted) && d.interval > reference.interval {
		every = d.interval / reference.interval
		if d.interval%reference.interval != 0 || every > 16 {
			return invalid("section 6", "its sampling interval is no small multiple of section 5's")
		}
	}
	switch {
	case s.subtracted && beats == nil:
		return invalid("section 5", "the reference beat that was subtracted is missing")
	case d.bimodal && !hasBeat:
		return invalid("section 5", "the sampling interval of protected areas is missing")
	}
	protected := disjoint(s.beat.protected)
	if !d.bimodal {
		protected = nil
	}
	values, err := s.decode("section 6", d, table, func(l scpLead) int64 { return stored(l, protected, every) })
	if err != nil {
		return err
	}
	for i, l := range s.leads {
		if every > 1 {
			values[i] = expand(l, values[i], protected, every)
		}
		if s.subtracted {
			s.restore(l, values[i], beats[i], float64(reference.avm)/float64(max(d.avm, 1)))
		}
	}
	d.interval /= every
	p := scpSignals{rate: d.rate(), step: float64(d.avm) / 1000}
	for _, v := range values {
		p.leads = append(p.leads, SamplesOf(v...))
	}
	s.addRhythm(p)
	return nil
}

// disjoint sorts ranges and cuts what overlaps one before.
func disjoint(in []span) []span {
	all := slices.Clone(in)
	slices.SortFunc(all, func(a, b span) int { return int(min(1, max(-1, a.from-b.from))) })
	out := all[:0]
	last := int64(0)
	for _, p := range all {
		if p.from = max(p.from, last+1); p.to >= p.from {
			out = append(out, p)
			last = p.to
		}
	}
	return out
}

// runs yields the stretches of a lead in order: inside protected areas and between them.
func runs(l scpLead, protected []span, yield func(n int64, inside bool)) {
	at := l.start
	for _, p := range protected {
		if p.to < at {
			continue
		}
		if p.from > l.end {
			break
		}
		if p.from > at {
			yield(p.from-at, false)
			at = p.from
		}
		to := min(p.to, l.end)
		yield(to-at+1, true)
		at = to + 1
	}
	if at <= l.end {
		yield(l.end-at+1, false)
	}
}

// stored counts the values that section 6 holds of a lead.
func stored(l scpLead, protected []span, every int) (n int64) {
	runs(l, protected, func(k int64, inside bool) {
		if !inside {
			k = (k + int64(every) - 1) / int64(every)
		}
		n += k
	})
	return n
}

// expand puts decimated values back at their places, each in the middle of the samples it stands for, and joins them by
// straight lines.
func expand(l scpLead, values []int32, protected []span, every int) []int32 {
	var out []int32
	runs(l, protected, func(n int64, inside bool) {
		k := n
		if !inside {
			k = (n + int64(every) - 1) / int64(every)
		}
		k = min(k, int64(len(values)))
		part := values[:k]
		values = values[k:]
		if inside {
			out = append(out, part...)
			return
		}
		for i := range min(n, k*int64(every)) {
			at := max(0, (float64(i)-float64(every-1)/2)/float64(every))
			j := min(int64(at), k-1)
			v := float64(part[j])
			if j+1 < k {
				v += (at - float64(j)) * float64(part[j+1]-part[j])
			}
			out = append(out, int32(math.Round(v)))
		}
	})
	return out
}

// restore adds the reference beat where it was subtracted, in steps of the rhythm.
func (s *scp) restore(l scpLead, values, beat []int32, scale float64) {
	var zones []scpQRS
	for _, q := range s.beat.complexes {
		if q.kind == 0 {
			zones = append(zones, q)
		}
	}
	slices.SortFunc(zones, func(a, b scpQRS) int { return int(min(1, max(-1, a.from-b.from))) })
	done := l.start - 1
	for _, q := range zones {
		if q.from <= done && done >= l.start {
			s.remark("reference beats were subtracted from overlapping places")
		}
		first := s.beat.fiducial - q.fiducial - 1 // place in beat of sample 0
		from := max(q.from, done+1, -first)
		to := min(q.to, l.start+int64(len(values))-1, int64(len(beat))-1-first)
		for at := from; at <= to; at++ {
			values[at-l.start] += int32(math.Round(float64(beat[at+first]) * scale))
		}
		done = max(done, to)
	}
}

// scpSignals are decoded leads, in the order of section 3.
type scpSignals struct {
	rate  float64
	step  float64 // µV
	leads []Samples
}

func (s *scp) addRhythm(p scpSignals) {
	first := s.leads[0].start
	for _, l := range s.leads {
		first = min(first, l.start)
	}
	g := Group{Kind: Rhythm, Rate: p.rate, Filters: s.filters}
	if first > 1 {
		g.Offset = time.Duration(float64(first-1) / p.rate * float64(time.Second))
	}
	g.Leads = s.group(p, func(l scpLead) int { return int(l.start - first) })
	if g.Len() == 0 {
		return
	}
	at := len(s.rec.Groups)
	s.rec.Groups = append(s.rec.Groups, g)
	for _, q := range s.beat.complexes {
		if len(s.rec.Annotations) >= s.lim.Marks {
			break
		}
		if pos := q.fiducial - first; pos >= 0 && pos < int64(g.Len()) {
			s.rec.Annotations = append(s.rec.Annotations, Annotation{Code: "MDC_ECG_BEAT", Group: at, From: int(pos), To: int(pos),
				Text: fmt.Sprintf("QRS fiducial point, reference beat type %d", q.kind)})
		}
	}
}

func (s *scp) addBeats(d scpData, beats [][]int32) {
	p := scpSignals{rate: d.rate(), step: float64(d.avm) / 1000}
	for _, v := range beats {
		p.leads = append(p.leads, SamplesOf(v...))
	}
	g := Group{Kind: Median, Label: "reference beat 0", Rate: p.rate, Filters: s.filters}
	g.Leads = s.group(p, func(scpLead) int { return 0 })
	if g.Len() == 0 {
		return
	}
	at := len(s.rec.Groups)
	s.rec.Groups = append(s.rec.Groups, g)
	if pos := int(s.beat.fiducial) - 1; pos >= 0 && pos < g.Len() {
		s.rec.Annotations = append(s.rec.Annotations, Annotation{Code: "MDC_ECG_BEAT", Group: at, From: pos, To: pos, Text: "QRS fiducial point"})
	}
}

func (s *scp) group(p scpSignals, start func(scpLead) int) (leads []Lead) {
	if p.step == 0 {
		s.remark("the size of a step is 0")
	}
	for i, l := range s.leads {
		lead := Lead{Code: l.code, Label: l.code.String(), Samples: p.leads[i], Scale: p.step, Unit: "uV", Start: start(l)}
		if lead.Label == "" {
			lead.Code, lead.Label = 0, fmt.Sprint(i+1)
		}
		leads = append(leads, lead)
	}
	return leads
}
