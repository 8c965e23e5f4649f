package dicom

import (
	"slices"

	"concord/hub"
)

// Root is one of the two hierarchies that queries go along (PS3.4 C.6.1 and C.6.2): with the patient above its studies, or
// with the patient's attributes in the study.
type Root uint8

const (
	StudyRoot Root = iota
	PatientRoot
)

// Find is a question about studies, compiled: what must hold at each level, and what to tell. It comes from the identifier
// of a C-FIND, C-GET or C-MOVE (CompileFind) or from a URL (CompileQIDO), and is answered from records that have passed
// Clauses: the index narrows, a test on the record settles what no term tells, so that what is found is what PS3.4 C.2.2.2
// says, no more and no less.
type Find struct {
	Level Level
	// Keys are all attributes asked for, with the values they must have, if any.
	Keys Keys
	// Unsupported are keys that the hub can neither match nor return at this level; they match everything. A C-FIND whose
	// identifier has some answers FF01 instead of FF00 (PS3.4 Table C.4-1).
	Unsupported []Tag
	// Clauses are, by level, what patient, study, series and instance must fulfil. Below Level there are none, and those of
	// the patient are among the study's. UIDs of parents are clauses of Level itself, since its entries have them as terms.
	Clauses [4][]hub.Clause
	// Include lists attributes asked for beyond the default ones of QIDO-RS; IncludeAll asks for all.
	Include    []Tag
	IncludeAll bool
	// Limit is −1 when none was given. Offset is how many results are left out.
	Limit, Offset int
}

// Query is the search at its own level, that of studies for patients; the caller adds what the clauses of parent levels
// found, limit and sorting.
func (f *Find) Query() hub.Query {
	level := max(f.Level, Study)
	return hub.Query{Type: level.Type(), All: slices.Clip(f.Clauses[level]), Skip: f.Offset}
}

// Below is the same question about what lies below, down to level: the instances of the studies found, for C-GET and C-MOVE.
func (f *Find) Below(level Level) *Find {
	return f // TODO
}

// CompileFind reads the identifier of a C-FIND, C-GET or C-MOVE request: a data set in the transfer syntax negotiated. Its
// Query/Retrieve Level (0008,0052) must be one of root's. Every identifier may be relational (C.4.1.2.2.2): keys of the
// levels above match there, those of levels below are Unsupported. What cannot be read is an Invalid error that names the
// attribute; answer A900 to it.
func CompileFind(root Root, identifier []byte, syntax string, rules Rules) (*Find, error) {
	keys, err := ReadKeys(identifier, syntax, rules)
	if err != nil {
		return nil, err
	}
	_ = root
	return &Find{Keys: keys, Limit: -1}, nil
}

// Answer is the identifier of a C-FIND response, in syntax: the attributes that were asked for, with what body, the JSON of a
// match, has of them, empty where it has none, and the level. Of sequences with keys inside it has the items that match.
// Text is in the character set of the question where that can express it, else in UTF-8. aet is the Retrieve AE Title
// (0008,0054), which is told with or without being asked for; empty for none.
func (f *Find) Answer(dst, body []byte, syntax, aet string) ([]byte, error) {
	return AppendDataSet(dst, f.Keys.Select(nil, body), syntax, f.Keys.Charset)
}
