package dicomweb

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/related"
)

// Instances may come as metadata in JSON with their bulk data in parts of their own (PS3.18 10.5.1.1). The hub writes a Part
// 10 file of each and takes it in like any other. A BulkDataURI is looked for among the parts and nowhere else: the hub
// fetches nothing that a client names.

const (
	tagPixels          dicom.Tag = 0x7FE00010
	tagSOPClass        dicom.Tag = 0x00080016
	tagSOPInstance     dicom.Tag = 0x00080018
	tagAvailableSyntax dicom.Tag = 0x00083002
	tagTransferSyntax  dicom.Tag = 0x00020010
)

// largestBulk bounds the bulk data of one request, which waits on the disk until the metadata is understood.
const largestBulk = 16 << 30

// bulkPart is one part with bulk data: where it lies in the file that holds all of them.
type bulkPart struct {
	offset, size int64
	media        media
}

// bulkParts are the parts of one request by their location.
type bulkParts struct {
	file *os.File
	size int64
	base *url.URL
	at   map[string][]bulkPart
}

// key makes of a location what others that mean the same are made to, too.
func (b *bulkParts) key(location string) string {
	u, err := b.base.Parse(location)
	if err != nil {
		return location
	}
	return u.String()
}

func (b *bulkParts) close() {
	if b.file != nil {
		b.file.Close()
	}
}

// metadataAndBulk reads all parts of a request: metadata in the first, bulk data in the others.
func (s *Server) metadataAndBulk(c *gin.Context, parts *related.Reader) (next func() (incoming, error), done func(), err error) {
	first, err := nextPart(parts)
	if err == io.EOF {
		err = &hub.Error{Kind: hub.Invalid, Msg: "the request has no parts"}
	}
	if err != nil {
		return nil, nil, err
	}
	if t := parseMedia(first.ContentType).typ; t != typeJSON {
		return nil, nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "the first part must be application/dicom+json, not " + clip(t)}
	}
	base, _ := url.Parse(s.base(c) + "/studies/")
	bulk := &bulkParts{base: base, at: map[string][]bulkPart{}}
	metadata, err := io.ReadAll(io.LimitReader(partReader{first}, int64(s.Limits.Metadata)+1))
	if err == nil {
		err = s.spool(parts, bulk)
	}
	if err == nil {
		next, err = s.composed(c, bytes.NewReader(metadata), bulk)
	}
	if err != nil {
		bulk.close()
		return nil, nil, err
	}
	return next, bulk.close, nil
}

// spool puts the parts that are left into a file without a name.
func (s *Server) spool(parts *related.Reader, bulk *bulkParts) error {
	for n := 0; ; n++ {
		part, err := nextPart(parts)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n == s.Limits.Parts {
			return &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("a request may have %d parts", s.Limits.Parts)}
		}
		if part.Location == "" {
			return &hub.Error{Kind: hub.Invalid, Path: "Content-Location", Msg: "a part with bulk data has none"}
		}
		if bulk.file == nil {
			if bulk.file, err = unnamed(); err != nil {
				return &hub.Error{Kind: hub.Unavailable, Msg: "hold bulk data back", Err: err}
			}
		}
		key, kind := bulk.key(part.Location), parseMedia(part.ContentType) // Part is good for as long as it is read
		size, err := io.Copy(bulk.file, io.LimitReader(partReader{part}, largestBulk-bulk.size+1))
		if err != nil {
			return bulkFault(err)
		}
		bulk.at[key] = append(bulk.at[key], bulkPart{bulk.size, size, kind})
		if bulk.size += size; bulk.size > largestBulk {
			return &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the bulk data of a request may have %d bytes", int64(largestBulk)), Hint: "send application/dicom, which is streamed"}
		}
	}
}

func bulkFault(err error) error {
	if cut, ok := err.(*brokenBody); ok {
		return cut.fault()
	}
	return &hub.Error{Kind: hub.Unavailable, Msg: "hold bulk data back", Err: err}
}

func unnamed() (*os.File, error) {
	f, err := os.CreateTemp("", "concord-bulk-*")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// composed reads metadata and returns an iterator over the instances made of it. bulk may be nil.
func (s *Server) composed(c *gin.Context, metadata io.Reader, bulk *bulkParts) (func() (incoming, error), error) {
	data, err := io.ReadAll(metadata)
	if err != nil {
		return nil, bulkFault(err)
	}
	if len(data) > s.Limits.Metadata {
		return nil, &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the metadata of a request may have %d bytes", s.Limits.Metadata)}
	}
	objects, err := dicom.ReadJSON(data, s.Archive.Limits)
	if err != nil {
		return nil, err
	}
	if bulk == nil {
		bulk = &bulkParts{base: &url.URL{}}
	}
	n := -1
	return func() (incoming, error) {
		if n++; n >= len(objects) {
			return incoming{}, io.EOF
		}
		o := &objects[n]
		if o.Err != nil {
			return malformed(o), nil
		}
		return compose(o.Body, transferSyntax(o.Raw), bulk), nil
	}, nil
}

// malformed is an instance whose metadata is not understood; its UIDs name it where they can be read.
func malformed(o *dicom.JSONObject) incoming {
	in := incoming{Reader: faulty{o.Err}, sopClass: textOf(o.Raw, tagSOPClass), sop: textOf(o.Raw, tagSOPInstance)}
	if dicom.CheckUID("", in.sopClass) != nil || dicom.CheckUID("", in.sop) != nil {
		in.sopClass, in.sop = "", ""
	}
	return in
}

// faulty is read with its error only.
type faulty struct{ error }

func (f faulty) Read([]byte) (int, error) { return 0, f.error }

// compose writes one instance while it is being read.
func compose(object []byte, syntax string, bulk *bulkParts) incoming {
	r, w := io.Pipe()
	in := incoming{Reader: r, close: r, sopClass: textOf(object, tagSOPClass), sop: textOf(object, tagSOPInstance), composed: true, pixels: bulk.pixels(object)}
	go func() {
		syntax, err := bulk.syntax(object, syntax)
		if err == nil {
			_, err = w.Write(dicom.AppendMeta(nil, syntax, in.sopClass, in.sop, dicom.ImplementationUID))
		}
		if err == nil {
			err = dicom.Encode(w, object, func(tag dicom.Tag, uri string) (dicom.Bulk, error) { return bulk.value(tag, uri, syntax) })
		}
		w.CloseWithError(err) // nil: the end
	}()
	return in
}

// syntax is the transfer syntax that the pixel data of an instance asks for; declared is what the metadata says.
func (b *bulkParts) syntax(object []byte, declared string) (string, error) {
	for a := range dicom.Attributes(object) {
		if a.Tag != tagPixels || a.BulkDataURI() == "" {
			continue
		}
		parts := b.at[b.key(a.BulkDataURI())]
		if len(parts) == 0 {
			break
		}
		ts := parts[0].media.params["transfer-syntax"]
		_, encapsulated := frameTypes()[declared]
		switch typ := parts[0].media.typ; {
		case ts != "":
		case encapsulated && (typ == typeOctets || typ == frameTypes()[declared]):
			ts = declared
		case typ == typeOctets || typ == "":
			ts = explicitLittle
		case typ == typeJPEG:
			head := make([]byte, min(parts[0].size, 64<<10))
			b.file.ReadAt(head, parts[0].offset)
			ts = jpegSyntax(head)
		default:
			ts = defaultSyntax(typ)
		}
		if native(ts) {
			return explicitLittle, nil
		}
		if _, ok := frameTypes()[ts]; !ok {
			return "", &hub.Error{Kind: hub.Unsupported, Path: "TransferSyntaxUID", Msg: "pixel data of " + clip(parts[0].media.typ) + " " + clip(ts) + " cannot be put into a file"}
		}
		return ts, nil
	}
	return explicitLittle, nil
}

// pixels is the size of the part with an instance's pixel data, where it is one part.
func (b *bulkParts) pixels(object []byte) int64 {
	for a := range dicom.Attributes(object) {
		if a.Tag == tagPixels && a.BulkDataURI() != "" {
			if parts := b.at[b.key(a.BulkDataURI())]; len(parts) == 1 {
				return parts[0].size
			}
		}
	}
	return 0
}

// value finds the parts that a BulkDataURI names. Compressed pixel data has one for each frame.
func (b *bulkParts) value(tag dicom.Tag, uri, syntax string) (dicom.Bulk, error) {
	parts := b.at[b.key(uri)]
	if len(parts) == 0 {
		return dicom.Bulk{}, &hub.Error{Kind: hub.Invalid, Path: tag.Hex(), Msg: "its BulkDataURI names no part of the request",
			Hint: "send the value in a part with this Content-Location; the hub fetches nothing from elsewhere"}
	}
	if tag == tagPixels && syntax != explicitLittle {
		v := dicom.Bulk{Fragments: make([]int64, len(parts))}
		readers := make([]io.Reader, len(parts))
		for i, p := range parts {
			v.Fragments[i], readers[i] = p.size, io.NewSectionReader(b.file, p.offset, p.size)
		}
		v.Reader = io.MultiReader(readers...)
		return v, nil
	}
	if len(parts) > 1 {
		return dicom.Bulk{}, &hub.Error{Kind: hub.Invalid, Path: tag.Hex(), Msg: "several parts have the Content-Location of its BulkDataURI"}
	}
	return dicom.Bulk{Reader: io.NewSectionReader(b.file, parts[0].offset, parts[0].size), Size: parts[0].size}, nil
}

// transferSyntax is what metadata says of its transfer syntax: group 2 is no part of DICOM JSON, but clients send it.
func transferSyntax(object []byte) string {
	return cmp.Or(textOf(object, tagTransferSyntax), textOf(object, tagAvailableSyntax))
}

// textOf is the first value of an attribute, empty where there is none.
func textOf(object []byte, tag dicom.Tag) string {
	for a := range dicom.Attributes(object) {
		if a.Tag == tag {
			if all := a.Strings(); len(all) > 0 {
				return all[0]
			}
		}
	}
	return ""
}

// defaultSyntax is what a media type stands for without a transfer-syntax parameter (PS3.18 table 8.7.3-2).
func defaultSyntax(typ string) string {
	defaults := []string{"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.110"}
	i := slices.IndexFunc(defaults, func(ts string) bool { return frameTypes()[ts] == typ })
	if i < 0 {
		return ""
	}
	return defaults[i]
}

// jpegSyntax finds the process of a JPEG stream by its frame header (ITU-T T.81 table B.1). The table's default, lossless,
// would be wrong for most of what clients send.
func jpegSyntax(stream []byte) string {
	process := ""
	for i := 2; i+4 <= len(stream) && stream[i] == 0xFF; {
		marker, length := stream[i+1], int(stream[i+2])<<8|int(stream[i+3])
		switch marker {
		case 0xC0:
			return "1.2.840.10008.1.2.4.50"
		case 0xC1:
			return "1.2.840.10008.1.2.4.51"
		case 0xC3:
			process = "1.2.840.10008.1.2.4.57"
		case 0xDA: // the predictor stands behind the components
			if at := i + 5 + 2*int(stream[min(i+4, len(stream)-1)]); process != "" && at < len(stream) && stream[at] == 1 {
				return "1.2.840.10008.1.2.4.70"
			}
			return process
		}
		i += 2 + length
	}
	return process
}
