package ecg

import (
	"math"

	"concord/internal/ecg"
)

// Systems of codes.
const (
	systemLOINC    = "http://loinc.org"
	systemMDC      = "urn:iso:std:iso:11073:10101"
	systemUCUM     = "http://unitsofmeasure.org"
	systemUID      = "urn:dicom:uid"
	systemSections = "http://terminology.hl7.org/CodeSystem/v2-0074"
	systemTypes    = "http://terminology.hl7.org/CodeSystem/v2-0203"
	systemCategory = "http://terminology.hl7.org/CodeSystem/observation-category"

	// System is of the hub's own codes about electrocardiograms: ecg (a category of documents), quality-score,
	// quality-finding.
	System = "urn:concord:ecg"
	// QualityScore is the code of the component that says how good the signal is, 0 to 100.
	QualityScore = "quality-score"
	// Category marks the DocumentReferences of recordings.
	Category = "ecg"
)

// study is the LOINC code of an electrocardiogram as a whole.
const (
	studyCode = "11524-6"
	studyName = "EKG study"
)

// measure says which LOINC code a measurement of the whole recording has. The first of codes that a recording has is taken.
type measure struct {
	codes []string
	loinc string
	name  string
}

func measures() []measure {
	return []measure{
		{[]string{ecg.HeartRate, ecg.VentricularRate}, "8867-4", "Heart rate"},
		{[]string{ecg.PRInterval}, "8625-6", "P-R Interval"},
		{[]string{ecg.QRSDuration}, "8633-0", "QRS duration"},
		{[]string{ecg.QTInterval}, "8634-8", "Q-T interval"},
		{[]string{ecg.QTcInterval}, "8636-3", "Q-T interval corrected"},
		{[]string{ecg.QTcBazett}, "76635-2", "Q-T interval corrected based on Bazett formula"},
		{[]string{ecg.QTcFridericia}, "76634-5", "Q-T interval corrected based on Fridericia formula"},
		{[]string{ecg.PAxis}, "8626-4", "P wave axis"},
		{[]string{ecg.QRSAxis}, "8632-2", "QRS axis"},
		{[]string{ecg.TAxis}, "8638-9", "T wave axis"},
	}
}

// of finds it. A heart rate that the device does not say follows from the mean interval between beats that it does say.
func (m measure) of(r *ecg.Recording) (ecg.Quantity, bool) {
	if found, ok := r.Measured(m.codes...); ok {
		return found.Quantity, true
	}
	if m.codes[0] == ecg.HeartRate {
		if rr, ok := r.Measured(ecg.RRInterval); ok && rr.Unit == "ms" && rr.Value >= 100 {
			return ecg.Quantity{Value: math.Round(60_000 / rr.Value), Unit: "/min"}, true
		}
	}
	return ecg.Quantity{}, false
}

// Waveforms are the SOP Classes of electrocardiograms (PS3.4 table B.5-1): 12-lead, general, ambulatory, general with 32 bits.
func Waveforms() []string {
	const ecg = "1.2.840.10008.5.1.4.1.1.9.1."
	return []string{ecg + "1", ecg + "2", ecg + "3", ecg + "4"}
}

// Formats of messages by what the file is; Unread is for all that has no reader.
const (
	FormatSCP  = "scp-ecg"
	FormatAECG = "aecg"
	FormatFile = "dicom-ecg" // a DICOM file that is no instance of the archive
	Unread     = "ecg"
)

// MessageFormats are those of all files.
func MessageFormats() []string { return []string{FormatSCP, FormatAECG, FormatFile, Unread} }

// MessageFormat is the format of the message that a file of a format is kept as.
func MessageFormat(f ecg.Format) string {
	switch f {
	case ecg.SCP:
		return FormatSCP
	case ecg.AECG:
		return FormatAECG
	case ecg.DICOM:
		return FormatFile
	}
	return Unread
}

// MediaType is what a file of a format is served as.
func MediaType(f ecg.Format) string {
	switch f {
	case ecg.SCP:
		return "application/x-scp-ecg"
	case ecg.AECG, ecg.Muse, ecg.CardioSoft, ecg.Philips, ecg.Schiller, ecg.Mortara, ecg.XML:
		return "application/xml"
	case ecg.DICOM:
		return "application/dicom"
	case ecg.PDF:
		return "application/pdf"
	case ecg.PNG:
		return "image/png"
	case ecg.JPEG:
		return "image/jpeg"
	case ecg.ZIP:
		return "application/zip"
	}
	return "application/octet-stream"
}

// Suffix is that of a file name.
func Suffix(f ecg.Format) string {
	switch f {
	case ecg.SCP:
		return ".scp"
	case ecg.DICOM:
		return ".dcm"
	case ecg.MFER:
		return ".mwf"
	}
	switch m := MediaType(f); m {
	case "application/xml", "application/pdf", "image/png", "image/jpeg", "application/zip":
		return map[string]string{"application/xml": ".xml", "application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg", "application/zip": ".zip"}[m]
	}
	return ".bin"
}

// Rules names and versions what recordings are mapped by.
const Rules = "ecg@1"
