// Package hub holds Concord's words and ports. It imports the standard library
// only and nothing of the web; every other room imports it.
//
// The words:
//
//   - A Member is an institution of the consortium. Every write and every read is made by one.
//   - A Record is one version of one thing the hub keeps (a FHIR resource, the header of a DICOM
//     instance). Its Name never changes; its Version counts from 1.
//   - A Blob is bulk bytes as received. A Record names it together with its SHA-256.
//   - A Commit is a batch of Records made durable by one PUT. All of it exists or none.
//   - A Log is the dense, hash-chained sequence of the Commits of one Partition.
//   - An Entry is all that one Record adds to the index; the next version replaces it whole.
//   - A Term is one searchable fact of an Entry.
//   - A Query asks the index for the Entries of one type whose Terms match.
//
// The ports: Objects (the truth), Index (the projection), Projector (Record → Entry).
package hub
