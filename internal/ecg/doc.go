// Package ecg reads electrocardiograms as carts and archives send them, each into one Recording: SCP-ECG (EN 1064,
// ISO 11073-91064), HL7 annotated ECG (aECG) and DICOM waveforms (PS3.3 A.34). It knows nothing of HTTP and of storage.
//
// The words:
//
//   - A Recording is what one file says: of whom, when, with which device, its signals and what the device made of them.
//   - A Group is signals sampled together: the rhythm as recorded, or a representative beat that was computed.
//   - A Lead is one signal of a Group: whole numbers, Samples, and the Scale that makes volts of them.
//   - A Remark is a sentence about something that is against the format's standard and was tolerated.
//
// Memory is bounded by Limits and by the bytes that came: no length that a file declares is allocated ahead of its
// content. Samples take two bytes each as long as sixteen bits hold them, so a day of three leads is about its file's size.
// What a file does not say is zero or empty, never guessed.
package ecg
