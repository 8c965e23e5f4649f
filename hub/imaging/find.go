package imaging

import (
	"context"
	"iter"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/internal/dicom"
)

// Finder answers questions about studies, for whoever asks in whatever language. Everything found passes the policy, and
// the disclosure is noted, in the Reader.
type Finder struct {
	Reader      *lookup.Reader
	Partitions  []hub.Partition // the DICOM ones
	PartitionOf func(study string) hub.Partition
}

// Found is one match.
type Found struct {
	// Study, Series and Instance are its UIDs, down to its level.
	Study, Series, Instance string
	// Record is what the hub keeps of it; of a patient, one of the studies.
	Record hub.Record
	// Body is DICOM JSON: what the record has, what is asked for of the levels above, and what the hub computes.
	Body []byte
}

// All yields all that q finds, page by page, in the order in which it was stored. It ends with the first error. Only the names of q's keys
// are noted, never their values.
func (f *Finder) All(ctx context.Context, who access.Caller, q *dicom.Find) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {}
}
