// Package messages keeps what institutions send in languages other than FHIR and DICOM: HL7 v2 messages, ECG files. A
// message is kept as it was sent; what it means is made into FHIR resources by a Mapper, and both lie in one commit with a
// Provenance that names the message and the mapping. A message may be mapped again, later, from what was kept.
//
// Its words: an Incoming is a message on its way in; a Message is one that is kept; a Mapping is what a Mapper made of it;
// a part is the resources of a message that belong together and are replaced as a whole by a later message about the same
// thing, such as those of one report; a Resource that belongs to no part is shared (a patient, a ward) and lives on when no
// message speaks of it any more. A dead letter is a message that is kept but could not be mapped.
//
// The package knows no format: whoever takes bytes in says what is needed to keep them.
package messages
