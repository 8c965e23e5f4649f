package ecg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"concord/internal/dicom/charset"
)

// scpText decodes text by the language code of the acquiring device (5.4.3.1, tag 14).
type scpText struct {
	set  charset.Set
	wide bool
}

// scpLanguages maps language codes to DICOM's names of character sets.
var scpLanguages = map[int]string{
	0x01: "ISO_IR 100", 0x03: "ISO_IR 101", 0x0b: "ISO_IR 110", 0x13: "ISO_IR 144", 0x1b: "ISO_IR 127", 0x23: "ISO_IR 126",
	0x2b: "ISO_IR 138", 0x33: "ISO_IR 166", 0x3b: "ISO_IR 203", 0x0f: "ISO_IR 13", 0x27: "GB18030", 0x2f: "ISO 2022 IR 149",
}

func scpTextOf(language int) scpText {
	if language == 0x07 { // ISO 10646
		return scpText{wide: true}
	}
	var terms []string
	if t := scpLanguages[language]; t != "" {
		terms = []string{t}
	}
	set, _ := charset.New(terms)
	return scpText{set: set}
}

// of is the text up to its NUL.
func (t scpText) of(p []byte) string {
	if t.wide && !utf8.Valid(p) || t.wide && len(p) > 1 && p[1] == 0 {
		var u []uint16
		for ; len(p) >= 2; p = p[2:] {
			c := binary.LittleEndian.Uint16(p)
			if c == 0 {
				break
			}
			u = append(u, c)
		}
		return clean(string(utf16.Decode(u)))
	}
	if i := bytes.IndexByte(p, 0); i >= 0 {
		p = p[:i]
	}
	if t.wide {
		return clean(string(p))
	}
	out, _ := t.set.Append(nil, p)
	return clean(string(out))
}

// clean trims, and takes out what no text has: control characters, and bytes that are no UTF-8.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.TrimSpace(s)
}

// patient reads section 1 (5.4): tags of one byte, each with its length.
func (s *scp) patient() error {
	var tags [256][][]byte
	c := cursor{b: s.sect[1]}
	for c.left() >= 3 {
		tag, n := c.u8(), c.u16()
		if tag == 255 || tag == 0 && n == 0 {
			break
		}
		value := c.take(n)
		if c.short {
			s.remark("section 1 ends inside tag %d", tag)
			break
		}
		if len(value) > 0 && len(tags[tag]) < 64 {
			tags[tag] = append(tags[tag], value)
		}
	}
	if s.sect[1] == nil {
		s.remark("section 1 is missing: nothing is known of the patient")
	}
	first := func(tag int) []byte {
		if len(tags[tag]) == 0 {
			return nil
		}
		return tags[tag][0]
	}
	s.device(first(14), first(15))
	text := func(tag int) string { return s.text.of(first(tag)) }
	texts := func(tag int) (all []string) {
		for _, v := range tags[tag] {
			if t := s.text.of(v); t != "" {
				all = append(all, t)
			}
		}
		return all
	}
	r := s.rec
	p := &r.Patient
	p.ID, p.Family, p.Given = text(2), text(0), text(1)
	p.Name = scpName(p.Given, p.Family, text(3))
	p.Age = scpQuantity(first(4), "", "a", "mo", "wk", "d", "h")
	p.BirthDate = s.date(first(5), "birth date")
	p.Height = scpQuantity(first(6), "", "cm", "[in_i]", "mm")
	p.Weight = scpQuantity(first(7), "", "kg", "g", "[lb_av]", "[oz_av]")
	p.Sex = scpSex(first(8))
	p.Race = scpRace(first(9))
	for _, v := range tags[10] {
		if len(v) > 3 {
			if t := s.text.of(v[3:]); t != "" {
				p.Medication = append(p.Medication, t)
			}
		}
	}
	p.Diagnoses = append(texts(13), texts(35)...)
	r.Institution, r.Department = text(16), text(18)
	r.Referring, r.Reading, r.Operator = text(20), text(21), text(22)
	r.Comments = texts(30)
	r.Order = text(31)
	r.Placement = scpPlacement(first(33))
	s.acquired(first(25), first(26), first(34))
	s.filters = scpFilters(first(27), first(28), first(29))
	return nil
}

func scpName(parts ...string) string {
	var all []string
	for _, p := range parts {
		if p != "" {
			all = append(all, p)
		}
	}
	if len(all) == 2 && strings.ContainsFunc(all[0]+all[1], func(r rune) bool { return r >= 0x2e80 }) {
		return all[1] + all[0] // family name first, no space
	}
	return strings.Join(all, " ")
}

// device reads tags 14 and 15: numbers, a code of the maker, the model, and strings from byte 36 on.
func (s *scp) device(acquiring, analyzing []byte) {
	s.text = scpTextOf(0)
	if len(acquiring) < 17 {
		return
	}
	s.text = scpTextOf(int(acquiring[16]))
	if v := scpVersion(int(acquiring[14])); v != "" {
		s.rec.Version = v
	}
	d := &s.rec.Device
	d.Model = s.text.of(acquiring[8:14])
	if id := binary.LittleEndian.Uint16(acquiring[4:]); id != 0 {
		d.ID = fmt.Sprint(id)
	}
	program, serial, software, maker := s.deviceTexts(acquiring)
	d.Serial, d.Software, d.Manufacturer = serial, software, maker
	if m := int(acquiring[7]); d.Manufacturer == "" && m < len(scpMakers) {
		d.Manufacturer = scpMakers[m]
	}
	if d.Analysis = program; len(analyzing) >= 17 {
		if p, _, _, _ := s.deviceTexts(analyzing); p != "" {
			d.Analysis = p
		}
	}
}

func (s *scp) deviceTexts(v []byte) (program, serial, software, maker string) {
	if len(v) < 37 {
		return
	}
	rest := bytes.Split(v[36:], []byte{0})
	var all [5]string // revision of the program, serial number, system software, SCP software, maker
	for i := range min(len(rest), len(all)) {
		all[i] = known(s.text.of(rest[i]))
	}
	return all[0], all[1], all[2], all[4]
}

// known is empty for words that say that nothing is known.
func known(s string) string {
	switch strings.ToLower(s) {
	case "unknown", "unspecified", "none", "n/a":
		return ""
	}
	return s
}

// scpMakers are the codes before strings replaced them.
var scpMakers = [...]string{"", "Burdick", "Cambridge", "Compumed", "Datamed", "Fukuda", "Hewlett-Packard", "Marquette Electronics",
	"Mortara Instrument", "Nihon Kohden", "Okin", "Quinton", "Siemens", "Spacelabs", "Telemed", "Hellige", "Esaote", "Schiller",
	"Picker-Schwarzer", "Elettronica Trentina", "Zwönitz"}

func scpQuantity(v []byte, units ...string) *Quantity {
	if len(v) < 3 || int(v[2]) >= len(units) || units[v[2]] == "" {
		return nil
	}
	n := binary.LittleEndian.Uint16(v)
	if n == 0 && units[1] != "a" {
		return nil
	}
	return &Quantity{Value: float64(n), Unit: units[v[2]]}
}

func scpSex(v []byte) Sex {
	if len(v) == 0 {
		return SexUnknown
	}
	return map[byte]Sex{1: Male, 2: Female, 9: OtherSex}[v[0]]
}

func scpRace(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	return map[byte]string{1: "Caucasian", 2: "Black", 3: "Oriental"}[v[0]]
}

func scpPlacement(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	return map[byte]string{1: "Standard 12-lead, electrodes placed individually", 2: "Mason-Likar, electrodes placed individually",
		3: "Standard 12-lead, limb electrodes on one pad", 4: "Mason-Likar, electrodes on one pad", 5: "Limb electrodes on one pad",
		6: "Derived from Frank XYZ leads", 7: "Non-standard"}[v[0]]
}

// date reads year, month and day. Makers who write the year with its high byte first are known by it.
func (s *scp) date(v []byte, what string) string {
	year, month, day, ok := s.ymd(v, what)
	switch {
	case !ok:
		return ""
	case month == 0:
		return fmt.Sprintf("%04d", year)
	case day == 0:
		return fmt.Sprintf("%04d-%02d", year, month)
	}
	return fmt.Sprintf("%04d-%02d-%02d", year, month, day)
}

func (s *scp) ymd(v []byte, what string) (year, month, day int, ok bool) {
	if len(v) < 4 {
		return 0, 0, 0, false
	}
	year, month, day = int(binary.LittleEndian.Uint16(v)), int(v[2]), int(v[3])
	if other := int(binary.BigEndian.Uint16(v)); (year < 1850 || year > 2200) && other >= 1850 && other <= 2200 {
		s.remark("the year of the %s has its bytes swapped", what)
		year = other
	}
	switch {
	case year == 0:
		return 0, 0, 0, false
	case year < 1850 || year > 2200 || month > 12 || day > 31 || month == 0 && day != 0:
		s.remark("the %s is no date", what)
		return 0, 0, 0, false
	case month > 0 && day > 0 && time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() != day:
		s.remark("the %s is no date", what)
		return 0, 0, 0, false
	}
	return year, month, day, true
}

// acquired joins date, time and zone (tags 25, 26, 34).
func (s *scp) acquired(date, clock, zone []byte) {
	year, month, day, ok := s.ymd(date, "date of acquisition")
	if !ok || month == 0 || day == 0 {
		return
	}
	t := Time{Time: time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), Day: true}
	if len(clock) >= 3 && clock[0] < 24 && clock[1] < 60 && clock[2] < 60 {
		t.Time = t.Time.Add(time.Duration(clock[0])*time.Hour + time.Duration(clock[1])*time.Minute + time.Duration(clock[2])*time.Second)
		t.Day = false
	}
	if len(zone) >= 2 && !t.Day {
		if minutes := int(int16(binary.LittleEndian.Uint16(zone))); minutes >= -14*60 && minutes <= 14*60 {
			at := time.FixedZone("", minutes*60)
			y, m, d := t.Time.Date()
			t = Time{Time: time.Date(y, m, d, t.Time.Hour(), t.Time.Minute(), t.Time.Second(), 0, at), Zoned: true}
		}
	}
	s.rec.Acquired = t
}

// scpFilters reads tags 27 to 29.
func scpFilters(base, low, bits []byte) (f Filters) {
	if len(base) >= 2 {
		f.HighPass = float64(binary.LittleEndian.Uint16(base)) / 100
	}
	if len(low) >= 2 {
		f.LowPass = float64(binary.LittleEndian.Uint16(low))
	}
	if len(bits) >= 1 {
		var words []string
		for i, w := range []string{"60 Hz notch", "50 Hz notch", "artifact", "baseline"} {
			if bits[0]>>i&1 == 0 {
				continue
			}
			if words = append(words, w); i < 2 {
				f.Notch = []float64{60, 50}[i]
			}
		}
		f.Other = strings.Join(words, ", ")
	}
	return f
}
