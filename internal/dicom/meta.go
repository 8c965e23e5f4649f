package dicom

import (
	"encoding/binary"

	"concord/hub"
	"concord/internal/dicom/dict"
)

const preamble = 128

// fileMeta reads preamble, prefix and group 2 and returns the transfer syntax, declared or inferred.
func (s *scanner) fileMeta() (string, error) {
	p := s.src.peek(preamble + 4 + 8)
	switch {
	case len(p) == 0:
		return "", s.orFailure(invalid("", "the file is empty"))
	case len(p) >= preamble+4 && string(p[preamble:preamble+4]) == "DICM" && (groupTwo(p[preamble+4:]) || !plausible(p)):
		if p[0] == 'M' && p[1] == 'Z' || string(p[:4]) == "\x7fELF" {
			s.h.warn("the preamble looks like the start of a program")
		}
		s.src.take(preamble + 4)
	case groupTwo(p):
		s.h.warn("there is no preamble")
	case len(p) >= 12 && string(p[:4]) == "DICM" && groupTwo(p[4:]):
		s.h.warn("there is no preamble")
		s.src.take(4)
	case plausible(p):
		s.h.Bare = true
		s.h.warn("no File Meta Information: the transfer syntax was inferred")
		return inferSyntax(p), nil
	default:
		return "", s.orFailure(notDICOM(p))
	}
	if err := s.dataSet(level{end: -1, meta: true}); err != nil {
		return "", err
	}
	e, ok := s.h.find(0, uint32(len(s.h.nodes)), tagTransferSyntax)
	if !ok || len(e.Value) == 0 {
		p := s.src.peek(8)
		if len(p) < 8 {
			return "", s.orFailure(invalid("", "the file ends inside File Meta Information at byte %d", s.src.pos()))
		}
		s.h.warn("Transfer Syntax UID is missing: inferred from the data set")
		return inferSyntax(p), nil
	}
	uid := trimUID(e.Value)
	return uid, CheckUID("TransferSyntaxUID", uid)
}

func notDICOM(p []byte) error {
	e := &hub.Error{Kind: hub.Invalid, Msg: "this is not a DICOM file: no DICM at byte 128, and no data set"}
	switch {
	case len(p) >= 2 && p[0] == 0x1F && p[1] == 0x8B:
		e.Msg, e.Hint = "this is a gzip file, not a DICOM file", "decompress it first"
	case len(p) >= 4 && string(p[:4]) == "PK\x03\x04":
		e.Msg, e.Hint = "this is a zip archive, not a DICOM file", "unpack it first"
	case len(p) < preamble+4:
		e.Msg = "the file ends inside the preamble"
	}
	return e
}

// groupTwo reports whether p begins with an element of group 2 in explicit little endian.
func groupTwo(p []byte) bool {
	return len(p) >= 6 && p[0] == 2 && p[1] == 0 && (VR(p[4])<<8 | VR(p[5])).Known()
}

// plausible reports whether p begins like a data set: a low, even group and either a VR or a public attribute of
// credible length.
func plausible(p []byte) bool {
	if len(p) < 8 {
		return false
	}
	order := sniffOrder(p)
	group, element := order.Uint16(p), order.Uint16(p[2:])
	if group == 0 || group > 0x10 || group%2 == 1 {
		return false
	}
	if (VR(p[4])<<8 | VR(p[5])).Known() {
		return true
	}
	_, known := dict.Lookup(Tag(group)<<16 | Tag(element))
	return (known || element == 0) && order.Uint32(p[4:]) <= 1<<10
}

func sniffOrder(p []byte) binary.ByteOrder {
	if binary.BigEndian.Uint16(p) < binary.LittleEndian.Uint16(p) {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func inferSyntax(p []byte) string {
	explicit := (VR(p[4])<<8 | VR(p[5])).Known()
	switch {
	case sniffOrder(p) == binary.BigEndian:
		return explicitBig
	case explicit:
		return explicitLittle
	}
	return implicitLittle
}

// ImplementationUID names this implementation (PS3.7 D.3.3.2) on associations and in the files that the hub
// writes (PS3.10 7.1). It is a UUID made once (PS3.5 B.2), and part of what makes the same instance sent twice the same bytes:
// it does not change.
const ImplementationUID = "2.25.190384757202948172039485720394857203"

// AppendMeta appends preamble, prefix and group 2 (PS3.10 7.1) for a data set that came without, as from C-STORE.
func AppendMeta(dst []byte, syntax, sopClass, sopInstance, implementation string) []byte {
	dst = append(dst, make([]byte, preamble)...)
	dst = append(dst, "DICM"...)
	start := len(dst)
	dst = append(dst, 2, 0, 0, 0, 'U', 'L', 4, 0, 0, 0, 0, 0)
	dst = append(dst, 2, 0, 1, 0, 'O', 'B', 0, 0, 2, 0, 0, 0, 0, 1)
	for _, u := range []struct {
		element byte
		uid     string
	}{{0x02, sopClass}, {0x03, sopInstance}, {0x10, syntax}, {0x12, implementation}} {
		n := len(u.uid)
		dst = append(dst, 2, 0, u.element, 0, 'U', 'I', byte(n+n%2), byte(n>>8))
		dst = append(dst, u.uid...)
		if n%2 == 1 {
			dst = append(dst, 0)
		}
	}
	binary.LittleEndian.PutUint32(dst[start+8:], uint32(len(dst)-start-12))
	return dst
}
