package dicomweb

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/internal/dicom"
	"concord/internal/dicom/dict"
)

// metadataXML answers with one part of XML for each instance (PS3.18 10.4.1.1.2).
func (s *Server) metadataXML(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	base := s.base(c)
	parts, told := make([]part, len(recs)), tell(recs, base)
	for i := range recs {
		var object bytes.Buffer
		told.header(&object, i)
		parts[i] = bytesPart(typeXML, nativeXML(object.Bytes()))
		parts[i].location = location(base, &recs[i]) + "/metadata"
	}
	s.multipart(c, typeXML, parts)
}

// nativeXML writes a DICOM JSON object as the Native DICOM Model (PS3.19 A.1).
func nativeXML(object []byte) []byte {
	w := xmlWriter{}
	w.WriteString(xml.Header + `<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">`)
	w.dataSet(object)
	w.WriteString(`</NativeDicomModel>`)
	return w.Bytes()
}

type xmlWriter struct{ bytes.Buffer }

func (w *xmlWriter) dataSet(object []byte) {
	for a := range dicom.Attributes(object) {
		w.WriteString(`<DicomAttribute tag="` + a.Tag.Hex() + `" vr="` + a.VR().String() + `"`)
		if known, ok := dict.Lookup(a.Tag); ok && !a.Tag.Private() {
			w.WriteString(` keyword="` + known.Keyword + `"`)
		}
		w.WriteString(`>`)
		w.value(a)
		w.WriteString(`</DicomAttribute>`)
	}
}

func (w *xmlWriter) value(a dicom.Attribute) {
	if uri := a.BulkDataURI(); uri != "" {
		w.WriteString(`<BulkData uri="`)
		w.text(uri)
		w.WriteString(`"/>`)
		return
	}
	if inline := a.InlineBinary(); inline != "" {
		w.WriteString(`<InlineBinary>` + inline + `</InlineBinary>`)
		return
	}
	n := 0
	for raw := range a.Items() {
		n++
		number := ` number="` + strconv.Itoa(n) + `"`
		switch {
		case a.VR() == dict.SQ:
			w.WriteString(`<Item` + number + `>`)
			w.dataSet(raw)
			w.WriteString(`</Item>`)
		case a.VR() == dict.PN:
			w.WriteString(`<PersonName` + number + `>`)
			w.name(dicom.ValueText(raw))
			w.WriteString(`</PersonName>`)
		case string(raw) == "null":
		default:
			w.WriteString(`<Value` + number + `>`)
			w.text(dicom.ValueText(raw))
			w.WriteString(`</Value>`)
		}
	}
}

// name writes the component groups of a person name, joined by "=", component by component.
func (w *xmlWriter) name(groups string) {
	for i, group := range strings.SplitN(groups, "=", 3) {
		if group == "" {
			continue
		}
		element := [...]string{"Alphabetic", "Ideographic", "Phonetic"}[i]
		w.WriteString("<" + element + ">")
		for j, component := range strings.SplitN(group, "^", 5) {
			if component == "" {
				continue
			}
			part := [...]string{"FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"}[j]
			w.WriteString("<" + part + ">")
			w.text(component)
			w.WriteString("</" + part + ">")
		}
		w.WriteString("</" + element + ">")
	}
}

// text escapes; what XML 1.0 cannot hold becomes U+FFFD.
func (w *xmlWriter) text(s string) { xml.EscapeText(&w.Buffer, []byte(s)) }
