package ecg

import (
	"bytes"
	"strings"
)

// Format is a file format that electrocardiograms come in; its value is its name as told to people. Opaque is one that is
// not known.
type Format string

const (
	SCP   Format = "SCP-ECG"
	AECG  Format = "HL7 aECG"
	DICOM Format = "DICOM"

	// The following are named and kept, not read.
	MFER       Format = "MFER"
	EDF        Format = "EDF"
	BDF        Format = "BDF"
	GDF        Format = "GDF"
	ISHNE      Format = "ISHNE Holter"
	Muse       Format = "GE MUSE XML"
	CardioSoft Format = "GE CardioSoft XML"
	Philips    Format = "Philips XML"
	Schiller   Format = "Schiller XML"
	Mortara    Format = "Mortara XML"
	XML        Format = "XML of another kind"
	PDF        Format = "PDF"
	PNG        Format = "PNG"
	JPEG       Format = "JPEG"
	ZIP        Format = "ZIP"
	Opaque     Format = ""
)

// Readable tells whether Read makes a Recording of it.
func (f Format) Readable() bool { return f == SCP || f == AECG || f == DICOM }

// Detect names the format of a file that begins with head, of which Head bytes are enough. It looks at marks that the
// formats put there and never at names of files, so it can be wrong about damaged ones; Read says then what is wrong.
func Detect(head []byte) Format {
	for _, m := range magics {
		if len(head) >= m.at && bytes.HasPrefix(head[m.at:], []byte(m.mark)) {
			return m.format
		}
	}
	if f, ok := detectXML(head); ok {
		return f
	}
	if unmarkedSCP(head) {
		return SCP
	}
	if bareDICOM(head) {
		return DICOM
	}
	return Opaque
}

var magics = []struct {
	at     int
	mark   string
	format Format
}{
	{128, "DICM", DICOM},
	{16, "SCPECG", SCP},
	{0, "\x40\x20MFR", MFER},
	{0, "0       ", EDF},
	{0, "\xffBIOSEMI", BDF},
	{0, "GDF ", GDF},
	{0, "ISHNE1.0", ISHNE},
	{0, "ANN  1.0", ISHNE},
	{0, "%PDF-", PDF},
	{0, "\x89PNG\r\n\x1a\n", PNG},
	{0, "\xff\xd8\xff", JPEG},
	{0, "PK\x03\x04", ZIP},
}

// roots are XML documents by the local name of their root element, in lower case.
var roots = map[string]Format{
	"annotatedecg": AECG, "restingecg": Muse, "cardiologyxml": CardioSoft, "restingecgdata": Philips,
	"examination": Schiller, "examdescript": Schiller, "ecg": Mortara,
}

// detectXML finds the root element behind declaration, comments and instructions.
func detectXML(head []byte) (Format, bool) {
	text := strings.TrimPrefix(string(plainASCII(head)), "\ufeff")
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		var skip string
		switch {
		case strings.HasPrefix(text, "<!--"):
			skip = "-->"
		case strings.HasPrefix(text, "<?"):
			skip = "?>"
		case strings.HasPrefix(text, "<!"):
			if i := strings.IndexAny(text, "[>"); i >= 0 && text[i] == '[' { // declarations of its own
				if _, text, _ = strings.Cut(text[i:], "]"); text == "" {
					return XML, true
				}
			}
			if skip = ">"; strings.Contains(text[:strings.Index(text+">", ">")], "[") {
				skip = "]>"
			}
		case strings.HasPrefix(text, "<"):
			name := text[1:min(len(text), 80)]
			if i := strings.IndexAny(name, " \t\r\n/>"); i >= 0 {
				name = name[:i]
			}
			_, local, ok := strings.Cut(name, ":")
			if !ok {
				local = name
			}
			if f, ok := roots[strings.ToLower(local)]; ok {
				return f, true
			}
			return XML, true
		default:
			return "", false
		}
		_, rest, ok := strings.Cut(text, skip)
		if !ok {
			return XML, strings.HasPrefix(text, "<?xml")
		}
		text = rest
	}
}

// plainASCII is UTF-16 with a byte order mark without its zero bytes, enough to find a name; other text is as it is.
func plainASCII(head []byte) []byte {
	if !bytes.HasPrefix(head, []byte{0xff, 0xfe}) && !bytes.HasPrefix(head, []byte{0xfe, 0xff}) {
		return head
	}
	return bytes.ReplaceAll(head[2:], []byte{0}, nil)
}

// bareDICOM recognises a data set without preamble: group 2 or 8, a small element number, and a VR or a small length.
func bareDICOM(head []byte) bool {
	if len(head) < 12 || head[0] != 2 && head[0] != 8 || head[1] != 0 || head[3] != 0 {
		return false
	}
	upper := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	return upper(head[4]) && upper(head[5]) || head[5] == 0 && head[6] == 0 && head[7] == 0
}

// unmarkedSCP recognises a record whose pointer section lacks its mark: the section's first pointer is to itself.
func unmarkedSCP(head []byte) bool {
	if len(head) < 32 || head[8] != 0 || head[9] != 0 || head[14] == 0 {
		return false
	}
	size := head[10:14]
	return head[10]|head[11] != 0 && head[12]|head[13] == 0 && bytes.Equal(head[22:28], append([]byte{0, 0}, size...))
}
