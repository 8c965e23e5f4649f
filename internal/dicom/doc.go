// Package dicom reads DICOM instances as the hub keeps them: from the bytes of a Part 10 file to a header that knows
// where everything lies, from there to DICOM JSON (PS3.18 annex F), and from stored DICOM JSON to index terms and back
// from a QIDO-RS query to clauses. It knows nothing of HTTP and nothing of storage.
//
// The words:
//
//   - ScanFile makes one forward pass over a stream and returns a Header; what it reads can be teed to storage.
//   - A Header holds the data set as a tape: its elements in stream order, values in one buffer. A value too large to
//     keep is Bulk: the tape has its offset and length only.
//   - Frames are byte ranges of the stream that hold one image each.
//   - A Level is what a query asks for: studies, series or instances.
//
// Memory is bounded by Limits.Header whatever the bytes say: nothing is allocated before bytes have come that need it.
package dicom
