package imaging

import (
	"encoding/binary"
	"math"
	"sync"

	"concord/hub"
	"concord/hub/projection"
	"concord/internal/dicom"
)

// Rows remembers how studies were told, so that neither their records are read again nor what is wanted of them picked out anew. What
// is computed for each answer (the address, the numbers of series and instances) is left out and put in its place when it is told.
//
// A row is made of one version of a record, which never changes, and of what was wanted; so it is never wrong.
type Rows struct {
	Cache *projection.Cache

	mu    sync.Mutex
	kinds map[string]*rowKind
}

// rowKind is what was wanted, and the names under which its rows are kept.
type rowKind struct {
	cache  *projection.Cache
	spaces map[hub.Partition]hub.Partition
}

// mostKinds bounds the sets of attributes whose rows are remembered. Each viewer asks for one or two.
const mostKinds = 32

// computedTags are those that are put into a row, in their order.
var computedTags = [...]dicom.Tag{dicom.TagAvailability, dicom.TagRetrieveURL, dicom.TagSeriesOfStudy, dicom.TagInstancesOfStudy}

// kindOf is nil where rows are not remembered: below the level of studies they are made of two records, what is told of a patient's
// other studies is no study's own, and without a Base a Retrieve URL would be the record's.
func (f *Finder) kindOf(find *dicom.Find) *rowKind {
	if f.Rows == nil || f.Base == "" || find.Level != dicom.Study || find.IncludeAll ||
		find.WantsAny(dicom.TagStudiesOfPatient, dicom.TagSeriesOfPatient, dicom.TagInstancesOfPatient) {
		return nil
	}
	return f.Rows.kindOf(find.Wanted(), f.Partitions)
}

// kindOf is nil when there are too many kinds.
func (r *Rows) kindOf(wanted string, ps []hub.Partition) *rowKind {
	r.mu.Lock()
	defer r.mu.Unlock()
	kind := r.kinds[wanted]
	if kind == nil && len(r.kinds) < mostKinds {
		if r.kinds == nil {
			r.kinds = map[string]*rowKind{}
		}
		kind = &rowKind{r.Cache, map[hub.Partition]hub.Partition{}}
		for _, p := range ps {
			kind.spaces[p] = hub.Partition("study\x00"+wanted+"\x00") + p
		}
		r.kinds[wanted] = kind
	}
	return kind
}

// known is for lookup.Reader.SearchBut: the row behind the id of its record.
func (k *rowKind) known(p hub.Partition, at hub.Loc) (name hub.Name, row []byte) {
	kept := k.cache.Kept(k.spaces[p], at)
	if len(kept) == 0 {
		return name, nil
	}
	n := 1 + int(kept[0])
	return hub.Name{Type: dicom.Study.Type(), ID: string(kept[1:n])}, kept[n:]
}

// keep takes a row that was made for the record.
func (k *rowKind) keep(p hub.Partition, rec *hub.Record, row []byte) {
	if len(rec.Name.ID) > 255 || k.spaces[p] == "" {
		return
	}
	kept := make([]byte, 0, 1+len(rec.Name.ID)+len(row))
	kept = append(append(append(kept, byte(len(rec.Name.ID))), rec.Name.ID...), row...)
	k.cache.Keep(k.spaces[p], rec.Loc, kept)
}

// A row is: for each of computedTags where in the body it comes, two bytes each, and the body, a DICOM JSON object without them.
const rowHead = 2 * len(computedTags)

// appendRow makes body, which has its tags ascending and none of computedTags, a row; ok is false if it is too long.
func appendRow(dst, body []byte) (row []byte, ok bool) {
	if len(body) > math.MaxUint16 {
		return dst, false
	}
	at, next := 1, 0
	before := func(tag dicom.Tag) {
		for ; next < len(computedTags) && computedTags[next] < tag; next++ {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(at))
		}
	}
	for a := range dicom.Attributes(body) {
		before(a.Tag)
		at += len(`"00000000":`) + len(a.Raw) + len(`,`)
	}
	at = len(body) - 1
	before(math.MaxUint32)
	return append(dst, body...), true
}

// appendWhole appends a row's body with what computed appends for each of computedTags, a member or nothing.
func appendWhole(dst, row []byte, computed func(dst []byte, tag dicom.Tag) []byte) []byte {
	body, done := row[rowHead:], 0
	for i, tag := range computedTags {
		at := int(binary.LittleEndian.Uint16(row[2*i:]))
		dst, done = append(dst, body[done:at]...), at
		begun := len(dst)
		if dst[begun-1] == '}' { // behind the last member
			dst = append(dst, ',')
		}
		from := len(dst)
		if dst = computed(dst, tag); len(dst) == from {
			dst = dst[:begun]
		} else if body[at] != '}' {
			dst = append(dst, ',')
		}
	}
	return append(dst, body[done:]...)
}
