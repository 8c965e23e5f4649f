package dicom

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"concord/hub"
	"concord/internal/dicom/charset"
	"concord/internal/dicom/dict"
)

const (
	implicitLittle = "1.2.840.10008.1.2"
	explicitLittle = "1.2.840.10008.1.2.1"
	deflated       = "1.2.840.10008.1.2.1.99"
	explicitBig    = "1.2.840.10008.1.2.2"
	// GE's private syntax is implicit little endian with big endian pixel data.
	gePrivateImplicit = "1.2.840.113619.5.2"
	jpipDeflated      = "1.2.840.10008.1.2.4.95"
	jpipHTDeflated    = "1.2.840.10008.1.2.4.205"

	mediaDirectory = "1.2.840.10008.1.3.10"
)

const (
	tagMetaSOPInstance Tag = 0x00020003
	tagMetaSOPClass    Tag = 0x00020002
	tagTransferSyntax  Tag = 0x00020010
	tagCharset         Tag = 0x00080005
	tagSOPClass        Tag = 0x00080016
	tagSOPInstance     Tag = 0x00080018
	tagStudy           Tag = 0x0020000D
	tagSeries          Tag = 0x0020000E
)

// ScanFile reads one instance from its first byte to the end of r: a Part 10 file (PS3.10 7.1), tolerating a missing
// preamble, or a bare data set whose encoding is plain from its first element (Header.Bare).
//
// It pulls from r in one forward pass and keeps only what Limits allow, so r may be a tee into storage. On an error the
// rest of r is unread. Content at fault is an Invalid or TooLarge error whose Path is the keyword of the element; a
// failing r gives r's own error. Where r implements Discarder, bulk bytes are skipped with it.
func ScanFile(r io.Reader, limits Limits) (*Header, error) {
	s := newScanner(r, limits)
	defer s.src.release()
	syntax, err := s.fileMeta()
	if err == nil {
		err = s.refuseDirectory()
	}
	if err != nil {
		return nil, err
	}
	return s.instance(syntax)
}

// ScanDataSet reads a data set that was announced as being in syntax, as C-STORE sends it. Positions count from 0.
func ScanDataSet(r io.Reader, syntax string, limits Limits) (*Header, error) {
	s := newScanner(r, limits)
	defer s.src.release()
	return s.instance(syntax)
}

// ReadDataSet is ScanDataSet without the demand that the four UIDs of an instance be there: it reads queries and commands.
func ReadDataSet(r io.Reader, syntax string, limits Limits) (*Header, error) {
	s := newScanner(r, limits)
	defer s.src.release()
	err := s.body(syntax)
	return s.h, s.orFailure(err)
}

// Refused is the error about an instance that could be told by its UIDs before the fault was met, so that the sender hears
// which one it was.
type Refused struct {
	SOPClassUID, SOPInstanceUID string
	Err                         error
}

func (r *Refused) Error() string { return r.Err.Error() }
func (r *Refused) Unwrap() error { return r.Err }

func newScanner(r io.Reader, limits Limits) *scanner {
	return &scanner{src: newSource(r, 0), lim: limits.withDefaults(), h: &Header{
		nodes: make([]node, 0, 192), values: make([]byte, 0, 6<<10)}}
}

func (s *scanner) instance(syntax string) (*Header, error) {
	err := s.body(syntax)
	if err == nil {
		err = s.identify()
	}
	if err == nil {
		err = s.frames()
	}
	if err = s.orFailure(err); err != nil {
		return nil, s.named(err)
	}
	return s.h, nil
}

// named adds the instance's UIDs to err where both were read and hold: those of the data set, else those of group 2.
func (s *scanner) named(err error) error {
	var uids [2]string
	for i, tags := range [2][2]Tag{{tagSOPClass, tagMetaSOPClass}, {tagSOPInstance, tagMetaSOPInstance}} {
		if uids[i] = s.h.early(uint32(s.h.meta), tags[0]); uids[i] == "" {
			uids[i] = s.h.early(0, tags[1])
		}
		if CheckUID("", uids[i]) != nil {
			return err
		}
	}
	return &Refused{uids[0], uids[1], err}
}

// early is the UID of a tag on a tape that may end inside a value, or inside a sequence, whose items have a greater tag.
func (h *Header) early(from uint32, tag Tag) string {
	for i := from; i < uint32(len(h.nodes)) && h.nodes[i].tag <= tag; i = h.nodes[i].next {
		if n := h.nodes[i]; n.tag == tag && n.flags&bulk == 0 && uint64(n.at)+uint64(n.size) <= uint64(len(h.values)) {
			return trimUID(h.element(i).Value)
		}
	}
	return ""
}

// orFailure prefers the reader's own error to the truncation that it looked like.
func (s *scanner) orFailure(err error) error {
	if f := s.src.failure(); err != nil && f != nil {
		return readError(f, s.src.pos())
	}
	return err
}

func readError(err error, at int64) error {
	var known *hub.Error
	if errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("read instance at byte %d: %w", at, err)
}

// body reads the data set and all that follows.
func (s *scanner) body(syntax string) error {
	s.h.TransferSyntax = syntax
	s.h.DataSet = s.src.pos()
	s.h.meta = len(s.h.nodes)
	root, err := s.encoding(syntax)
	if err != nil {
		return err
	}
	outer := s.src
	if s.h.Deflated {
		s.src = newSource(newInflater(outer, s.lim.Inflated), outer.pos())
		root.implicit = false
	}
	if err := s.dataSet(root); err != nil {
		return err
	}
	if s.h.Deflated {
		if f := s.src.failure(); f != nil {
			return f
		}
		if s.src.err == errDeflateCut {
			return invalid("", "the deflated data set ends early at byte %d", outer.pos())
		}
		if !s.lim.HeaderOnly {
			outer.drain()
		}
	}
	s.h.Size = outer.pos()
	if f := outer.failure(); f != nil {
		return readError(f, outer.pos())
	}
	if e, ok := s.h.Find(tagCharset); ok && len(e.Value) > 0 {
		s.h.Charset = texts(e, nil)
	}
	s.noteRepairs()
	return nil
}

// encoding finds how the data set of a transfer syntax is written, and refuses a first element that contradicts it.
func (s *scanner) encoding(syntax string) (level, error) {
	root := level{end: -1}
	first := s.src.peek(8)
	letters := len(first) == 8 && (VR(first[4])<<8 | VR(first[5])).Known()
	switch syntax {
	case implicitLittle, gePrivateImplicit:
		root.implicit = true
		if letters && first[0] <= 0x08 && first[1] == 0 {
			return root, &hub.Error{Kind: hub.Invalid, Path: "TransferSyntaxUID",
				Msg:  "declares Implicit VR, but VRs are explicit",
				Hint: "correct the transfer syntax and send again"}
		}
	case explicitLittle:
		if len(first) == 8 && !letters && !(VR(first[4])<<8 | VR(first[5])).Letters() {
			return root, &hub.Error{Kind: hub.Invalid, Path: "TransferSyntaxUID",
				Msg:  "declares Explicit VR, but there is no VR",
				Hint: "correct the transfer syntax and send again"}
		}
	case explicitBig:
		root.big, s.h.BigEndian = true, true
	case deflated, jpipDeflated, jpipHTDeflated:
		s.h.Deflated = true
	default: // encapsulated and unknown ones are explicit little endian (PS3.5 A.4); unknown ones are believed only so far
		root.implicit = !letters && len(first) == 8
		if root.implicit {
			s.h.warn("transfer syntax is not known and the data set has no VRs: read as Implicit VR Little Endian")
		}
	}
	return root, nil
}

func (s *scanner) refuseDirectory() error {
	class, _ := s.h.find(0, uint32(len(s.h.nodes)), tagMetaSOPClass)
	if trimUID(class.Value) != mediaDirectory {
		return nil
	}
	return &hub.Error{Kind: hub.Unsupported, Path: "MediaStorageSOPClassUID", Msg: "a DICOMDIR is not an instance",
		Hint: "send the files it lists"}
}

// identify takes the UIDs out of the data set and checks their grammar.
func (s *scanner) identify() error {
	h := s.h
	h.SOPClassUID = h.uid(tagSOPClass)
	if metaClass, _ := h.find(0, uint32(h.meta), tagMetaSOPClass); h.SOPClassUID == "" && len(metaClass.Value) > 0 {
		h.SOPClassUID = trimUID(metaClass.Value)
		h.warn("SOP Class UID is missing from the data set: taken from group 2")
	}
	h.SOPInstanceUID, h.StudyInstanceUID, h.SeriesInstanceUID = h.uid(tagSOPInstance), h.uid(tagStudy), h.uid(tagSeries)
	for _, id := range []struct {
		tag Tag
		uid string
	}{{tagSOPInstance, h.SOPInstanceUID}, {tagStudy, h.StudyInstanceUID}, {tagSeries, h.SeriesInstanceUID}, {tagSOPClass, h.SOPClassUID}} {
		if err := CheckUID(dict.Name(id.tag), id.uid); err != nil {
			return err
		}
	}
	if m, ok := h.find(0, uint32(h.meta), tagMetaSOPInstance); ok && trimUID(m.Value) != h.SOPInstanceUID {
		h.warn("group 2 has another SOP Instance UID; the data set's counts")
	}
	return nil
}

func (h *Header) uid(tag Tag) string {
	e, _ := h.Find(tag)
	return trimUID(e.Value)
}

func trimUID(v []byte) string { return string(bytes.Trim(v, " \x00")) }

// CheckUID refuses what is not dot-separated numbers of 64 characters at most (PS3.5 9.1). Leading zeros, which real
// files have, pass. path names the element in the error.
func CheckUID(path, uid string) error {
	if uid == "" {
		return invalid(path, "is missing or empty")
	}
	if len(uid) > 64 {
		return invalid(path, "is longer than 64 characters")
	}
	for part := range strings.SplitSeq(uid, ".") {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return invalid(path, "is not a UID: numbers separated by single dots")
		}
	}
	return nil
}

// noteRepairs warns of text that is not what Specific Character Set says, and remembers GBK where some value is surely so.
func (s *scanner) noteRepairs() {
	h := s.h
	set, unknown := charset.New(h.Charset)
	if len(unknown) > 0 {
		h.warn("Specific Character Set has a term that is not defined")
	}
	var seen [charset.Lossy + 1]bool
	h.examine(uint32(h.meta), uint32(len(h.nodes)), set, &seen)
	if seen[charset.AsGBK] {
		h.evidence = charset.AsGBK
		seen = [charset.Lossy + 1]bool{}
		h.examine(uint32(h.meta), uint32(len(h.nodes)), set.Given(h.evidence), &seen)
	}
	for repair := charset.AsGBK; repair <= charset.Lossy; repair++ {
		if seen[repair] {
			if h.repair == charset.AsDeclared {
				h.repair = repair
			}
			h.warn("text does not fit Specific Character Set: " + repair.String())
		}
	}
}

// examine notes how the text of a data set and its items is read; items may have a character set of their own.
func (h *Header) examine(from, to uint32, set charset.Set, seen *[charset.Lossy + 1]bool) {
	if e, ok := h.find(from, to, tagCharset); ok && from != uint32(h.meta) {
		set, _ = charset.New(texts(e, nil))
		set = set.Given(h.evidence)
	}
	for e := range h.between(from, to) {
		switch {
		case e.VR == dict.SQ && !e.Bulk:
			for i := e.index + 1; i < h.nodes[e.index].next; i = h.nodes[i].next {
				h.examine(i+1, h.nodes[i].next, set, seen)
			}
		case e.VR.Text() && !charset.Plain(e.Value):
			_, repair := set.Append(nil, e.Value)
			seen[repair] = true
		}
	}
}
