package ecgtest

import (
	"encoding/binary"
	"math"
	"slices"

	"golang.org/x/text/encoding/simplifiedchinese"

	"concord/internal/ecg"
)

// Coding is how SCP writes samples.
type Coding uint8

const (
	Default   Coding = iota // the standard's Huffman table
	Own                     // one table of its own
	Switching               // two tables that hand over to each other
	Words                   // no section 2: sixteen bits a sample
)

// SCPOptions are what differs between carts.
type SCPOptions struct {
	Coding Coding
	Order  int // of differences: 0, 1, 2
	// Beat is the length of the reference beat in samples; 0 for no section 5. The rhythm must begin with it, its fiducial
	// point in a quarter of a second, and repeat it.
	Beat int
	// Subtract takes the beat out of the rhythm; Every keeps one of so many samples outside of protected areas.
	Subtract bool
	Every    int
	// Starts are the first samples of leads, counted from 1, for carts that record a few leads at a time.
	Starts []int
	// Spikes are a pacemaker's, in ms.
	Spikes []int
}

// SCP writes a recording as SCP-ECG: its first group, patient, device, statements and the measurements of section 7.
func SCP(rec *ecg.Recording, o SCPOptions) []byte {
	g := rec.Groups[0]
	sections := map[int][]byte{1: patient(rec), 3: leads(g, o), 6: rhythm(g, o), 7: measured(rec, o), 8: statements(rec)}
	if o.Coding != Words {
		sections[2] = tables(o.Coding)
	}
	if o.Beat > 0 {
		sections[4] = locations(g, o)
		sections[5] = reference(g, o)
	}
	return Frame(sections)
}

// Frame puts sections into a record with pointers and checksums.
func Frame(sections map[int][]byte) []byte {
	const pointers = 12
	at := 6 + 16 + 10*pointers
	var index, body []byte
	index = pointer(index, 0, 16+10*pointers, 7)
	for id := 1; id < pointers; id++ {
		content, ok := sections[id]
		if !ok {
			index = pointer(index, id, 0, 0)
			continue
		}
		if len(content)%2 == 1 {
			content = append(slices.Clone(content), 0)
		}
		s := section(id, content, "")
		index = pointer(index, id, len(s), at+1)
		at += len(s)
		body = append(body, s...)
	}
	file := make([]byte, 6)
	file = append(file, section(0, index, "SCPECG")...)
	file = append(file, body...)
	binary.LittleEndian.PutUint32(file[2:], uint32(len(file)))
	binary.LittleEndian.PutUint16(file, sum(file[2:]))
	return file
}

func pointer(dst []byte, id, size, at int) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(id))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	return binary.LittleEndian.AppendUint32(dst, uint32(at))
}

func section(id int, content []byte, mark string) []byte {
	s := make([]byte, 16, 16+len(content))
	binary.LittleEndian.PutUint16(s[2:], uint16(id))
	binary.LittleEndian.PutUint32(s[4:], uint32(16+len(content)))
	s[8], s[9] = 13, 13
	copy(s[10:], mark)
	s = append(s, content...)
	binary.LittleEndian.PutUint16(s, sum(s[2:]))
	return s
}

// sum is CRC-CCITT, a bit at a time.
func sum(p []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range p {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

func word(dst []byte, values ...int) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(v))
	}
	return dst
}

func long(dst []byte, values ...int) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return dst
}

// text is in GB 2312, as the language code of tag 14 says, with its NUL.
func text(s string) []byte {
	out, err := simplifiedchinese.GBK.NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return append([]byte(out), 0)
}

func patient(rec *ecg.Recording) (s []byte) {
	tag := func(n byte, value []byte) {
		s = append(s, n)
		s = append(word(s, len(value)), value...)
	}
	p := rec.Patient
	tag(0, text(p.Family))
	tag(1, text(p.Given))
	tag(2, text(p.ID))
	if p.Age != nil {
		tag(4, append(word(nil, int(p.Age.Value)), 1))
	}
	tag(5, append(word(nil, 1961), 3, 9))
	tag(8, []byte{map[ecg.Sex]byte{ecg.Male: 1, ecg.Female: 2}[p.Sex]})
	device := make([]byte, 36)
	device[7] = 0xff
	copy(device[8:14], rec.Device.Model)
	device[14], device[15], device[16] = 13, 0xd0, 0x27
	device = append(device, 0)
	for _, v := range []string{rec.Device.Serial, rec.Device.Software, "", rec.Device.Manufacturer} {
		device = append(device, text(v)...)
	}
	tag(14, device)
	tag(16, text(rec.Institution))
	t := rec.Acquired.Time
	tag(25, append(word(nil, t.Year()), byte(t.Month()), byte(t.Day())))
	tag(26, []byte{byte(t.Hour()), byte(t.Minute()), byte(t.Second())})
	f := rec.Groups[0].Filters
	tag(27, word(nil, int(math.Round(f.HighPass*100))))
	tag(28, word(nil, int(f.LowPass)))
	if _, offset := t.Zone(); rec.Acquired.Zoned {
		tag(34, append(word(nil, offset/60, 0), 0))
	}
	return append(s, 255, 0, 0)
}

// start is the first sample of lead i, from 1.
func (o SCPOptions) start(i int) int {
	if i < len(o.Starts) {
		return o.Starts[i]
	}
	return 1
}

func leads(g ecg.Group, o SCPOptions) []byte {
	flags := byte(4)
	if o.Subtract {
		flags |= 1
	}
	s := []byte{byte(len(g.Leads)), flags | byte(min(len(g.Leads), 31))<<3}
	for i, l := range g.Leads {
		s = long(s, o.start(i), o.start(i)+l.Samples.Len()-1)
		s = append(s, byte(l.Code))
	}
	return s
}

// fiducial is the sample of a beat, from 1.
func fiducial(g ecg.Group) int { return int(g.Rate/4) + 1 }

func beats(g ecg.Group, o SCPOptions) int { return g.Len() / o.Beat }

// area is the protected range of beat k, both ends in it.
func area(g ecg.Group, o SCPOptions, k int) (from, to int) {
	at := k*o.Beat + fiducial(g)
	return at - 32, at + 31
}

func locations(g ecg.Group, o SCPOptions) []byte {
	s := word(nil, int(math.Round(float64(o.Beat)/g.Rate*1000)), fiducial(g), beats(g, o))
	for k := range beats(g, o) {
		s = word(s, 0)
		s = long(s, k*o.Beat+1, k*o.Beat+fiducial(g), (k+1)*o.Beat)
	}
	if o.Subtract {
		for k := range beats(g, o) {
			from, to := area(g, o, k)
			s = long(s, from, to)
		}
	}
	return s
}

func reference(g ecg.Group, o SCPOptions) []byte {
	var all [][]int32
	for _, l := range g.Leads {
		all = append(all, values(l.Samples)[:o.Beat])
	}
	return signals(all, g, o, 1)
}

func values(s ecg.Samples) (all []int32) {
	for _, v := range s.All() {
		all = append(all, v)
	}
	return all
}

func rhythm(g ecg.Group, o SCPOptions) []byte {
	every := max(o.Every, 1)
	var all [][]int32
	for _, l := range g.Leads {
		v := values(l.Samples)
		if o.Subtract {
			beat := slices.Clone(v[:o.Beat])
			for i := range beats(g, o) * o.Beat {
				v[i] -= beat[i%o.Beat]
			}
		}
		if every > 1 {
			v = decimated(v, g, o)
		}
		all = append(all, v)
	}
	return signals(all, g, o, every)
}

// decimated keeps protected areas and the mean of every so many samples between them.
func decimated(v []int32, g ecg.Group, o SCPOptions) (out []int32) {
	at := 1
	thin := func(to int) {
		for at <= to {
			end, sum := min(at+o.Every-1, to), 0.0
			for i := at; i <= end; i++ {
				sum += float64(v[i-1])
			}
			out = append(out, int32(math.Round(sum/float64(end-at+1))))
			at = end + 1
		}
	}
	for k := range beats(g, o) {
		from, to := area(g, o, k)
		thin(from - 1)
		out = append(out, v[from-1:to]...)
		at = to + 1
	}
	thin(len(v))
	return out
}

// signals writes section 5 or 6.
func signals(all [][]int32, g ecg.Group, o SCPOptions, every int) []byte {
	s := word(nil, int(g.Leads[0].Scale*1000), int(math.Round(1e6/g.Rate))*every)
	s = append(s, byte(o.Order), 0)
	if every > 1 {
		s[5] = 1
	}
	var data []byte
	for _, v := range all {
		p := o.Coding.encode(differences(v, o.Order))
		if len(p)%2 == 1 {
			p = append(p, 0)
		}
		s, data = word(s, len(p)), append(data, p...)
	}
	return append(s, data...)
}

func differences(v []int32, order int) []int32 {
	out := slices.Clone(v)
	for i := range out {
		switch {
		case order == 1 && i >= 1:
			out[i] = v[i] - v[i-1]
		case order == 2 && i >= 2:
			out[i] = v[i] - 2*v[i-1] + v[i-2]
		}
	}
	return out
}

func measured(rec *ecg.Recording, o SCPOptions) []byte {
	value := func(code string) int {
		if m, ok := rec.Measured(code); ok {
			return int(m.Value)
		}
		return 29999
	}
	const onset = 100 // of P
	pr, qrs, qt := value(ecg.PRInterval), value(ecg.QRSDuration), value(ecg.QTInterval)
	s := []byte{1, byte(len(o.Spikes))}
	s = word(s, 800, 29999)
	s = word(s, onset, 29999, onset+pr, onset+pr+qrs, onset+pr+qt, value(ecg.PAxis), value(ecg.QRSAxis), value(ecg.TAxis))
	for _, ms := range o.Spikes {
		s = word(s, ms, -1500)
	}
	for range o.Spikes {
		s = append(s, 1, 1, 0, 0, 0, 0)
	}
	s = word(s, 0, value(ecg.VentricularRate), 29999, value(ecg.QTcBazett))
	return append(s, 1, 0, 0)
}

func statements(rec *ecg.Recording) []byte {
	t := rec.Acquired.Time
	s := append([]byte{0}, word(nil, t.Year())...)
	s = append(s, byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()), byte(len(rec.Statements)))
	for i, st := range rec.Statements {
		p := text(st.Text)
		s = append(s, byte(i+1))
		s = append(word(s, len(p)), p...)
	}
	return s
}
