package dicomweb

import (
	"slices"
	"strings"

	"concord/internal/pixels"
)

// The types of what is asked for.
const (
	typeDICOM  = "application/dicom"
	typeOctets = "application/octet-stream"
	typeZip    = "application/zip"
	typeJPEG   = "image/jpeg"
	typePNG    = "image/png"
	typeGIF    = "image/gif"
	typeJSON   = "application/dicom+json"
	typeXML    = "application/dicom+xml"
)

const (
	implicitLittle = "1.2.840.10008.1.2"
	explicitLittle = "1.2.840.10008.1.2.1"
	deflatedLittle = "1.2.840.10008.1.2.1.99"
	explicitBig    = "1.2.840.10008.1.2.2"
)

// frameTypes are the media types of encapsulated frames by transfer syntax (PS3.18 table 8.7.3-2).
func frameTypes() map[string]string {
	return map[string]string{
		"1.2.840.10008.1.2.4.50": typeJPEG, "1.2.840.10008.1.2.4.51": typeJPEG,
		"1.2.840.10008.1.2.4.57": typeJPEG, "1.2.840.10008.1.2.4.70": typeJPEG,
		"1.2.840.10008.1.2.4.80": "image/jls", "1.2.840.10008.1.2.4.81": "image/jls",
		"1.2.840.10008.1.2.4.90": "image/jp2", "1.2.840.10008.1.2.4.91": "image/jp2",
		"1.2.840.10008.1.2.4.92": "image/jpx", "1.2.840.10008.1.2.4.93": "image/jpx",
		"1.2.840.10008.1.2.4.201": "image/jphc", "1.2.840.10008.1.2.4.202": "image/jphc", "1.2.840.10008.1.2.4.203": "image/jphc",
		"1.2.840.10008.1.2.4.110": "image/jxl", "1.2.840.10008.1.2.4.111": "image/jxl", "1.2.840.10008.1.2.4.112": "image/jxl",
		"1.2.840.10008.1.2.5": "image/dicom-rle",
	}
}

// native says whether frames of a syntax lie in the file as they do in Explicit VR Little Endian.
func native(syntax string) bool {
	return syntax == explicitLittle || syntax == implicitLittle || syntax == deflatedLittle
}

// becomesNative says whether instances of a syntax can be written anew in Explicit VR Little Endian.
func becomesNative(syntax string) bool {
	return native(syntax) || syntax == explicitBig || pixels.Decodable(syntax)
}

// wanted are the transfer syntaxes that a range admits: those of its parameter, any for *, and Explicit VR Little Endian
// without one (PS3.18 8.7.3.5.2), but any where the range leaves the type open, too.
func (m media) wanted() string {
	if ts := m.params["transfer-syntax"]; ts != "" {
		return ts
	}
	if inner := m.inner(); inner == "" || strings.Contains(inner, "*") {
		return "*"
	}
	return explicitLittle
}

// delivery is how instances are sent.
type delivery struct {
	form form
	// anew are the syntaxes whose instances are sent in Explicit VR Little Endian; the others are sent as they were.
	anew []string
}

type form uint8

const (
	multipart form = iota
	single
	archive
)

// instanceAnswer chooses how instances of these syntaxes are sent; one may come without multipart. ok is false when nothing
// fits.
func instanceAnswer(accept []media, syntaxes []string, alone bool) (d delivery, ok bool) {
	for _, m := range accept {
		switch {
		case m.typ == typeZip:
			return delivery{form: archive}, true
		case m.multipart() && covers(m.inner(), typeDICOM), m.typ == "*/*":
			d.form = multipart
		case alone && covers(m.typ, typeDICOM):
			d.form = single
		default:
			continue
		}
		if d.anew, ok = anew(accept, d.form, syntaxes); ok {
			return d, true
		}
	}
	return delivery{}, false
}

// anew lists the syntaxes that no range of a form takes as they are; ok is false when one of them cannot be written as a
// range wants it.
func anew(accept []media, f form, syntaxes []string) (list []string, ok bool) {
	var wanted []string
	for _, m := range accept {
		if (m.multipart() || m.typ == "*/*") == (f == multipart) && covers(m.inner(), typeDICOM) {
			wanted = append(wanted, m.wanted())
		}
	}
	if slices.Contains(wanted, "*") {
		return nil, true
	}
	for _, ts := range syntaxes {
		if slices.Contains(wanted, ts) {
			continue
		}
		if !slices.Contains(wanted, explicitLittle) || !becomesNative(ts) {
			return nil, false
		}
		list = append(list, ts)
	}
	return list, true
}

// frameDelivery is how frames are sent.
type frameDelivery struct {
	typ       string
	multipart bool
	decoded   bool // in Explicit VR Little Endian, though they are stored otherwise
}

// frameAnswer chooses how frames are sent. ok is false when nothing fits.
func frameAnswer(accept []media, stored string, count int) (d frameDelivery, ok bool) {
	own := frameTypes()[stored]
	for _, m := range accept {
		d = frameDelivery{multipart: m.multipart() || m.typ == "*/*"}
		if !d.multipart && count > 1 {
			continue
		}
		wanted := m.wanted()
		inner := m.inner()
		asStored := wanted == "*" || wanted == stored || wanted == explicitLittle && native(stored)
		switch {
		case covers(inner, typeOctets) && asStored:
			d.typ = typeOctets
		case own != "" && covers(inner, own) && (asStored || m.params["transfer-syntax"] == ""):
			d.typ = own
		case covers(inner, typeOctets) && wanted == explicitLittle && becomesNative(stored):
			d.typ, d.decoded = typeOctets, true
		default:
			continue
		}
		return d, true
	}
	return frameDelivery{}, false
}

// imageAnswer chooses the type of a rendered image among those that can be made, the first one by default, and whether the
// client takes it in multipart only.
func imageAnswer(accept []media, types ...string) (typ string, multipart, ok bool) {
	for _, m := range accept {
		for _, t := range types {
			if covers(m.inner(), t) {
				return t, m.multipart(), true
			}
		}
	}
	return "", false, false
}
