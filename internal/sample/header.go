package sample

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const (
	ctImageStorage   = "1.2.840.10008.5.1.4.1.1.2"
	explicitLittle   = "1.2.840.10008.1.2.1"
	implementation   = "2.25.171384211923845562413308925513180271001"
	utf8Set          = "ISO_IR 192"
	gb18030Set       = "GB18030"
	rotation         = 350 * time.Millisecond // between two slices
	patientPrecision = 3                      // decimals of a position in millimetres
)

// header writes the headers of one series. What its files share is put into elements once.
type header struct {
	seed   uint64
	o      Options
	shared []*dicom.Element
	err    error
}

func newHeader(seed uint64, o Options) *header {
	h := &header{seed: seed, o: o}
	p := o.Person
	description, contrast := "胸部CT平扫", ""
	if o.Enhanced {
		description, contrast = "胸部CT增强", "碘海醇"
	}
	bits, representation := 12, 0
	if o.Signed {
		bits, representation = 16, 1
	}
	for _, e := range []struct {
		tag   tag.Tag
		value any
	}{
		{tag.FileMetaInformationVersion, []byte{0, 1}},
		{tag.MediaStorageSOPClassUID, ctImageStorage},
		{tag.TransferSyntaxUID, explicitLittle},
		{tag.ImplementationClassUID, implementation},
		{tag.ImplementationVersionName, "CONCORD_SAMPLE"},
		{tag.SpecificCharacterSet, o.CharacterSet},
		{tag.ImageType, []string{"ORIGINAL", "PRIMARY", "AXIAL"}},
		{tag.SOPClassUID, ctImageStorage},
		{tag.StudyDate, o.Time.Format("20060102")},
		{tag.SeriesDate, o.Time.Format("20060102")},
		{tag.StudyTime, o.Time.Format("150405")},
		{tag.SeriesTime, o.Time.Format("150405")},
		{tag.AccessionNumber, o.Accession},
		{tag.Modality, "CT"},
		{tag.Manufacturer, "Concord"},
		{tag.InstitutionName, o.Institution},
		{tag.ReferringPhysicianName, "Chen^Ming=陈^明"},
		{tag.TimezoneOffsetFromUTC, o.Time.Format("-0700")},
		{tag.StationName, "CT01"},
		{tag.StudyDescription, description},
		{tag.SeriesDescription, "轴位 标准重建"},
		{tag.ManufacturerModelName, "Phantom"},
		{tag.PatientName, p.PN()},
		{tag.PatientID, p.Number},
		{tag.IssuerOfPatientID, o.Issuer},
		{tag.PatientBirthDate, p.Birth.Format("20060102")},
		{tag.PatientSex, p.DICOMSex()},
		{tag.PatientAge, age(p, o)},
		{tag.PatientAddress, p.Address},
		{tag.BodyPartExamined, "CHEST"},
		{tag.SliceThickness, decimal(o.spacing())},
		{tag.KVP, "120"},
		{tag.SpacingBetweenSlices, decimal(o.spacing())},
		{tag.DataCollectionDiameter, "500"},
		{tag.ProtocolName, "Chest routine"},
		{tag.ReconstructionDiameter, decimal(fieldOfView)},
		{tag.GantryDetectorTilt, "0"},
		{tag.RotationDirection, "CW"},
		{tag.ExposureTime, "500"},
		{tag.XRayTubeCurrent, "180"},
		{tag.Exposure, "90"},
		{tag.ConvolutionKernel, "STANDARD"},
		{tag.PatientPosition, "HFS"},
		{tag.StudyInstanceUID, h.uid("study", 0)},
		{tag.SeriesInstanceUID, h.uid("series", 0)},
		{tag.StudyID, strconv.FormatUint(h.seed%1_000_000, 10)},
		{tag.SeriesNumber, "2"},
		{tag.AcquisitionNumber, "1"},
		{tag.ImageOrientationPatient, []string{"1", "0", "0", "0", "1", "0"}},
		{tag.FrameOfReferenceUID, h.uid("frame of reference", 0)},
		{tag.PositionReferenceIndicator, "SN"},
		{tag.ImagesInAcquisition, strconv.Itoa(o.Slices)},
		{tag.SamplesPerPixel, 1},
		{tag.PhotometricInterpretation, "MONOCHROME2"},
		{tag.Rows, o.Rows},
		{tag.Columns, o.Columns},
		{tag.PixelSpacing, []string{decimal(o.pitch()), decimal(o.pitch())}},
		{tag.BitsAllocated, 16},
		{tag.BitsStored, bits},
		{tag.HighBit, bits - 1},
		{tag.PixelRepresentation, representation},
		{tag.WindowCenter, []string{"40", "-600"}},
		{tag.WindowWidth, []string{"400", "1500"}},
		{tag.RescaleIntercept, strconv.Itoa(intercept)},
		{tag.RescaleSlope, "1"},
		{tag.RescaleType, "HU"},
		{tag.WindowCenterWidthExplanation, []string{"纵隔窗", "肺窗"}},
	} {
		h.shared = append(h.shared, h.element(e.tag, e.value))
	}
	if contrast != "" {
		h.shared = append(h.shared, h.element(tag.ContrastBolusAgent, contrast))
	}
	return h
}

func (h *header) uid(purpose string, n int) string { return UID(h.seed, purpose, n) }

// element makes an element, its text in the series' character set. The first thing that goes wrong is kept for file.
func (h *header) element(t tag.Tag, value any) *dicom.Element {
	switch v := value.(type) {
	case string:
		value = []string{h.encode(v)}
	case []string:
		for i := range v {
			v[i] = h.encode(v[i])
		}
	case int:
		value = []int{v}
	}
	e, err := dicom.NewElement(t, value)
	if err != nil && h.err == nil {
		h.err = fmt.Errorf("write element %s: %w", t, err)
	}
	return e
}

func (h *header) encode(s string) string {
	if h.o.CharacterSet != gb18030Set {
		return s
	}
	out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil && h.err == nil {
		h.err = fmt.Errorf("write text in GB18030: %w", err)
	}
	return out
}

// file writes the header of slice i in front of pixels.
func (h *header) file(i int, pixels []byte) (File, error) {
	f := File{StudyUID: h.uid("study", 0), SeriesUID: h.uid("series", 0), InstanceUID: h.uid("instance", i), Number: i + 1, Pixels: pixels}
	corner := func(pixels int) string { return decimal(-float64(pixels-1) / 2 * h.o.pitch()) }
	z := h.o.place(i)
	at := h.o.Time.Add(time.Duration(i) * rotation)
	elements := append(slices.Clone(h.shared),
		h.element(tag.MediaStorageSOPInstanceUID, f.InstanceUID),
		h.element(tag.SOPInstanceUID, f.InstanceUID),
		h.element(tag.InstanceNumber, strconv.Itoa(f.Number)),
		h.element(tag.AcquisitionDate, at.Format("20060102")),
		h.element(tag.AcquisitionTime, at.Format("150405.000000")),
		h.element(tag.ContentDate, at.Format("20060102")),
		h.element(tag.ContentTime, at.Format("150405.000000")),
		h.element(tag.ImagePositionPatient, []string{corner(h.o.Columns), corner(h.o.Rows), decimal(z)}),
		h.element(tag.SliceLocation, decimal(z)),
	)
	if h.err != nil {
		return File{}, h.err
	}
	slices.SortFunc(elements, func(a, b *dicom.Element) int { return a.Tag.Compare(b.Tag) })
	head := bytes.NewBuffer(make([]byte, 0, 4096))
	if err := dicom.Write(head, dicom.Dataset{Elements: elements}); err != nil {
		return File{}, fmt.Errorf("write header of slice %d: %w", f.Number, err)
	}
	// Pixel Data (7FE0,0010), VR OW, a 32-bit length: PS3.5 7.1.2.
	f.Head = binary.LittleEndian.AppendUint32(append(head.Bytes(), 0xE0, 0x7F, 0x10, 0x00, 'O', 'W', 0, 0), uint32(len(pixels)))
	return f, nil
}

// decimal fits a DS of 16 characters (PS3.5 6.2) for what a body measures in millimetres.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }

func age(p *Person, o Options) string {
	years := o.Time.Year() - p.Birth.Year()
	if o.Time.YearDay() < p.Birth.YearDay() {
		years--
	}
	return fmt.Sprintf("%03dY", max(0, years))
}
