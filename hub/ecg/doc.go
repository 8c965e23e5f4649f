// Package ecg keeps electrocardiograms: what carts send as files (SCP-ECG, HL7 aECG, and what nobody here can read) and what
// arrives as DICOM waveforms become the same FHIR resources, and each recording can be found, read and drawn by one id,
// wherever its bytes lie.
//
// Its words: a Recording's id is that of its DocumentReference and, where the bytes could be read, of its Observation and
// DiagnosticReport. A Tracing is a recording on its way into FHIR. The Original is its bytes as they were sent: those of a
// kept message, or of a DICOM instance. An opaque recording is one that is kept and named but not read.
//
// The Observation is the recording, which is complete, and final: curves may be recognised as pictures are. What a device states is
// never a physician's reading: the DiagnosticReport is preliminary.
package ecg
