// Package export writes a Recording in the forms in which others want it: CSV for a spreadsheet, SampledData for FHIR,
// a DICOM waveform (PS3.3 A.34) for archives and an HL7 annotated ECG. What it writes is a function of its arguments
// alone: the same recording gives the same bytes.
package export
