package ecg

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// scpBytes is the greatest SCP-ECG file that is read, whatever Limits say: its sections point at each other and are held together.
const scpBytes = 64 << 20

// scpSamples is the greatest number of samples in one: a code of one bit may stand for sixteen of them, so that a file could
// say much more than it is worth. It is three quarters of an hour of twelve leads.
const scpSamples = 16 << 20

// scp is one SCP-ECG record while it is read.
type scp struct {
	rec  *Recording
	lim  Limits
	file []byte
	sect [12][]byte // content behind the header of sections 0 to 11; nil when absent
	text scpText

	filters Filters

	leads      []scpLead
	subtracted bool // section 3: reference beat subtraction was used
	beat       scpBeat
}

// ReadSCP reads an SCP-ECG record (EN 1064:2005+A1, ISO 11073-91064). Checksums that do not match, pointers that count
// from 0, sizes that are wrong and similar faults become remarks as long as the signals can be told for sure; a record
// that ends inside a section it needs is an Invalid error.
func ReadSCP(r io.Reader, limits Limits) (*Recording, error) {
	limits = limits.withDefaults()
	limits.Bytes, limits.Samples = min(limits.Bytes, scpBytes), min(limits.Samples, scpSamples)
	file, err := io.ReadAll(io.LimitReader(r, limits.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("read SCP-ECG record: %w", err)
	}
	if int64(len(file)) > limits.Bytes {
		return nil, tooLarge("", "the SCP-ECG record is larger than %d bytes", limits.Bytes)
	}
	s := &scp{rec: &Recording{Format: SCP}, lim: limits, file: file}
	for _, step := range []func() error{s.sections, s.patient, s.leadDefinition, s.qrsLocations, s.signals, s.measurements, s.statements} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s.rec, nil
}

func (s *scp) remark(format string, args ...any) { s.rec.remark(fmt.Sprintf(format, args...)) }

// scpHead is the length of a section's header: CRC, id, length, two versions, six reserved bytes (5.2.7).
const scpHead = 16

// sections checks the record's frame and finds the sections by the pointers of section 0 (5.3).
func (s *scp) sections() error {
	if len(s.file) < 6+scpHead {
		return invalid("section 0", "the file ends at byte %d, before the header of an SCP-ECG record does", len(s.file))
	}
	declared := int64(binary.LittleEndian.Uint32(s.file[2:]))
	switch size := int64(len(s.file)); {
	case declared == size:
	case declared > 0 && declared < size:
		s.remark("bytes follow the record")
	default:
		s.remark("the record's length is wrong")
	}
	if end := min(declared, int64(len(s.file))); declared <= int64(len(s.file)) && end > 2 {
		if crc(s.file[2:end]) != binary.LittleEndian.Uint16(s.file) {
			s.remark("the record's checksum does not match")
		}
	}
	at, head, ok := s.header(6, 0)
	if !ok {
		return invalid("section 0", "the record does not begin with a pointer section")
	}
	if string(s.file[at+10:at+16]) != "SCPECG" {
		s.remark("section 0 lacks the mark SCPECG")
	}
	s.rec.Version = scpVersion(int(s.file[at+9]))
	pointers := cursor{b: s.file[at+scpHead : min(at+head, len(s.file))]}
	for pointers.left() >= 10 {
		id, size, index := pointers.u16(), pointers.u32(), pointers.u32()
		if size == 0 || id == 0 {
			continue
		}
		if id >= len(s.sect) {
			if id >= 12 && id <= 1023 {
				s.remark("section %d is not read", id)
			}
			continue
		}
		if err := s.section(id, size, index); err != nil {
			return err
		}
	}
	return nil
}

// section finds one section where its pointer says, which counts from 1.
func (s *scp) section(id int, size, index int64) error {
	name := fmt.Sprintf("section %d", id)
	at, own, ok := s.header(index-1, id)
	if !ok {
		if at, own, ok = s.header(index, id); ok {
			s.remark("pointers of section 0 count from 0")
		}
	}
	switch {
	case !ok && index-1+size > int64(len(s.file)):
		return invalid(name, "the file ends at byte %d, inside or before %s", len(s.file), name)
	case !ok:
		s.remark("%s is not where its pointer says and is not read", name)
		return nil
	case int64(own) != size:
		s.remark("%s and its pointer disagree on its length", name)
	}
	length := max(int64(own), scpHead)
	if int64(at)+length > int64(len(s.file)) && int64(at)+size <= int64(len(s.file)) {
		length = max(size, scpHead)
	}
	if int64(at)+length > int64(len(s.file)) {
		return invalid(name, "the file ends at byte %d, inside %s", len(s.file), name)
	}
	whole := s.file[at : int64(at)+length]
	if sum := binary.LittleEndian.Uint16(whole); sum != crc(whole[2:]) {
		s.remark("the checksum of %s does not match", name)
	}
	if s.sect[id] != nil {
		s.remark("%s is there twice: the first is read", name)
		return nil
	}
	s.sect[id] = whole[scpHead:]
	return nil
}

// header tells whether the header of section id is at byte at, and the length it says.
func (s *scp) header(at int64, id int) (pos, length int, ok bool) {
	if at < 0 || at+scpHead > int64(len(s.file)) {
		return 0, 0, false
	}
	h := s.file[at:]
	n := binary.LittleEndian.Uint32(h[4:])
	if int(binary.LittleEndian.Uint16(h[2:])) != id || n < scpHead || n > 1<<31 {
		return 0, 0, false
	}
	return int(at), int(n), true
}

// scpVersion writes a protocol version, of which tens are the edition: 13 is 1.3, 20 is 2.0.
func scpVersion(v int) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d", v/10, v%10)
}

// crc is CRC-CCITT with all ones at the start (5.2.4).
func crc(p []byte) uint16 {
	sum := uint16(0xffff)
	for _, c := range p {
		sum = bits.RotateLeft16(sum, 8) ^ uint16(c)
		sum ^= sum & 0xff >> 4
		sum ^= sum << 12
		sum ^= sum & 0xff << 5
	}
	return sum
}
