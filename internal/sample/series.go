package sample

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"time"

	"concord/hub"
)

// Options say what a CT series looks like. The zero value of a field stands for the default named beside it.
type Options struct {
	Slices        int // 40
	Rows, Columns int // 512
	Person        *Person
	// Time is when the series was acquired, in the zone whose clock the scanner shows. It must be set.
	Time         time.Time
	Accession    string // "CT" and ten digits
	Issuer       string // of the PatientID; "SAMPLE"
	Institution  string // 临江社区卫生服务中心
	CharacterSet string // "ISO_IR 192" (UTF-8, the default) or "GB18030"
	Enhanced     bool   // contrast medium in the blood
	Signed       bool   // pixels of 16 bits two's complement instead of 12 bits unsigned
}

// Limits keep a slip from asking for gigabytes.
const (
	maxSlices = 100_000
	maxEdge   = 4096
)

// complete fills in the defaults of a seed.
func (o Options) complete(seed uint64) (Options, error) {
	fill(&o.Slices, 40)
	fill(&o.Rows, 512)
	fill(&o.Columns, 512)
	fill(&o.Issuer, "SAMPLE")
	fill(&o.Institution, "临江社区卫生服务中心")
	fill(&o.CharacterSet, utf8Set)
	fill(&o.Accession, accession(seed))
	if o.Person == nil {
		p := NewPerson(seed)
		o.Person = &p
	}
	wrong := func(path, msg string) (Options, error) {
		return o, &hub.Error{Kind: hub.Invalid, Path: path, Msg: msg}
	}
	switch {
	case o.Time.IsZero():
		return wrong("Time", "a series needs the time of its acquisition")
	case o.Slices < 0 || o.Slices > maxSlices:
		return wrong("Slices", fmt.Sprintf("a series has 1 to %d slices", maxSlices))
	case o.Rows < 0 || o.Rows > maxEdge || o.Columns < 0 || o.Columns > maxEdge:
		return wrong("Rows", fmt.Sprintf("a slice has 1 to %d rows and columns", maxEdge))
	case o.CharacterSet != utf8Set && o.CharacterSet != gb18030Set:
		return wrong("CharacterSet", "the character set is ISO_IR 192 or GB18030")
	}
	return o, nil
}

// accession is the number that ties a seed's order, images and report together.
func accession(seed uint64) string {
	return fmt.Sprintf("CT%010d", dice(seed, "accession").Int64N(10_000_000_000))
}

func fill[T comparable](field *T, with T) {
	var zero T
	if *field == zero {
		*field = with
	}
}

// File is one DICOM instance in Part 10 form, Explicit VR Little Endian: Head, then Pixels. Several files may share
// Pixels; neither slice may be changed.
type File struct {
	StudyUID, SeriesUID, InstanceUID string
	Number                           int    // InstanceNumber, from 1
	Head                             []byte // preamble to the header of Pixel Data
	Pixels                           []byte
}

// Size is the number of bytes of the file.
func (f File) Size() int64 { return int64(len(f.Head) + len(f.Pixels)) }

// Reader reads the file without copying it together.
func (f File) Reader() io.Reader {
	return io.MultiReader(bytes.NewReader(f.Head), bytes.NewReader(f.Pixels))
}

// Bytes is the file in a slice of its own.
func (f File) Bytes() []byte {
	return append(append(make([]byte, 0, f.Size()), f.Head...), f.Pixels...)
}

// CTSeries yields the slices of one chest CT from the apex downwards. It renders as it goes, about a tenth of a second
// a slice of 512×512, and stops when the loop does. Wrong options yield one error.
func CTSeries(seed uint64, o Options) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		o, err := o.complete(seed)
		if err != nil {
			yield(File{}, err)
			return
		}
		phantom := NewPhantom(seed, o.Enhanced)
		for i := range o.Slices {
			f, err := newHeader(seed, o).file(i, o.pixels(phantom, i))
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// Bench yields n distinct instances in studies of o.Slices each, study k being that of seed+k with a patient and
// identifiers of its own. A handful of slices is rendered once and shared by all, so that only the header costs time.
func Bench(seed uint64, n int, o Options) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		first, err := o.complete(seed)
		if err != nil {
			yield(File{}, err)
			return
		}
		const rendered = 4
		phantom := NewPhantom(seed, o.Enhanced)
		var shared [rendered][]byte
		for i := range shared {
			shared[i] = first.pixels(phantom, i*first.Slices/rendered)
		}
		var head *header
		for i := range n {
			slice, study := i%first.Slices, seed+uint64(i/first.Slices)
			if slice == 0 {
				of, err := o.complete(study)
				if err != nil {
					yield(File{}, err)
					return
				}
				head = newHeader(study, of)
			}
			f, err := head.file(slice, shared[slice*rendered/first.Slices])
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// spacing is the distance of two slices.
func (o Options) spacing() float64 { return chestHeight / float64(o.Slices) }

// pitch is the edge of a pixel.
func (o Options) pitch() float64 { return fieldOfView / float64(max(o.Rows, o.Columns)) }

// place is the z of slice i in patient coordinates.
func (o Options) place(i int) float64 { return -(float64(i) + 0.5) * o.spacing() }

const intercept = -1024

// pixels renders slice i as little-endian words: the value is HU − intercept.
func (o Options) pixels(p *Phantom, i int) []byte {
	hu := p.Slice(o.place(i), o.Rows, o.Columns)
	out := make([]byte, 0, 2*len(hu))
	for _, v := range hu {
		out = binary.LittleEndian.AppendUint16(out, uint16(v-intercept))
	}
	return out
}
