package dicom

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

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
// of a C-FIND, C-GET or C-MOVE (CompileFind) or from a URL (CompileQIDO). The index narrows, a test on the record settles
// what no term tells, so that what is found is what PS3.4 C.2.2.2 says, no more and no less.
type Find struct {
	Level Level
	// Keys are all attributes asked for, with the values they must have, if any.
	Keys Keys
	// Unsupported are keys that the hub can neither match nor return at this level; they match everything. A C-FIND whose
	// identifier has some answers FF01 instead of FF00 (PS3.4 Table C.4-1).
	Unsupported []Tag
	// Clauses are, by level, what study, series and instance must fulfil; the patient's are among the study's. Below Level
	// there are none. UIDs of parents are clauses of Level itself, since its entries have them as terms.
	Clauses [4][]hub.Clause
	// Include lists attributes asked for beyond the default ones of QIDO-RS; IncludeAll asks for all.
	Include    []Tag
	IncludeAll bool
	// Limit is −1 when none was given. Offset is how many results are left out.
	Limit, Offset int

	// Study and Series, when not empty, are where alone it is looked.
	Study, Series string

	wanted []Tag // what is told, sorted
}

// Attributes that every answer has, or that the hub computes.
const (
	TagLevel        Tag = 0x00080052 // Query/Retrieve Level
	TagRetrieveAE   Tag = 0x00080054
	TagAvailability Tag = 0x00080056
	TagRetrieveURL  Tag = 0x00081190

	TagStudiesOfPatient   Tag = 0x00201200
	TagSeriesOfPatient    Tag = 0x00201202
	TagInstancesOfPatient Tag = 0x00201204
	TagSeriesOfStudy      Tag = 0x00201206
	TagInstancesOfStudy   Tag = 0x00201208
	TagInstancesOfSeries  Tag = 0x00201209

	tagModality   Tag = 0x00080060
	tagTimezone   Tag = 0x00080201 // says how times are meant, and is not matched
	tagModalities Tag = 0x00080061
	tagClasses    Tag = 0x00080062 // SOP Classes in Study
)

// computed is the level of an attribute that is not stored but found out for each answer.
func computed(tag Tag) (Level, bool) {
	switch tag {
	case TagStudiesOfPatient, TagSeriesOfPatient, TagInstancesOfPatient:
		return Patient, true
	case TagSeriesOfStudy, TagInstancesOfStudy:
		return Study, true
	case TagInstancesOfSeries:
		return Series, true
	case TagLevel, TagRetrieveAE, TagAvailability, TagRetrieveURL, tagTimezone:
		return Patient, true
	}
	return 0, false
}

// Query is the search at its own level, that of studies for patients; the caller adds what the clauses of parent levels
// found, limit and sorting.
func (f *Find) Query() hub.Query {
	level := max(f.Level, Study)
	return hub.Query{Type: level.Type(), All: f.Place(slices.Clip(f.Clauses[level])), Skip: f.Offset}
}

// Place adds to clauses, which may be of any level, that only Study and Series are to be looked at.
func (f *Find) Place(clauses []hub.Clause) []hub.Clause {
	for tag, uid := range map[Tag]string{tagStudy: f.Study, tagSeries: f.Series} {
		if uid != "" {
			clauses = append(slices.Clip(clauses), hub.Clause{Param: tag.Hex(), Any: []hub.Match{exactly(uid)}})
		}
	}
	return clauses
}

// CompileFind reads the identifier of a C-FIND, C-GET or C-MOVE request: a data set in the transfer syntax negotiated. Its
// Query/Retrieve Level (0008,0052) must be one of root's. Every identifier may be relational (C.4.1.2.2.2): keys of the
// levels above match there; those of levels below are Unsupported. What cannot be read is an Invalid error that names the
// attribute; A900 answers it.
func CompileFind(root Root, identifier []byte, syntax string, rules Rules) (*Find, error) {
	keys, err := ReadKeys(identifier, syntax, rules)
	if err != nil {
		return nil, err
	}
	f := &Find{Keys: keys, Limit: -1}
	levels := map[string]Level{"STUDY": Study, "SERIES": Series, "IMAGE": Instance}
	if root == PatientRoot {
		levels["PATIENT"] = Patient
	}
	level, ok := levels[keys.Value(TagLevel)]
	if !ok {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "QueryRetrieveLevel", Msg: "is none of this information model",
			Hint: "STUDY, SERIES or IMAGE; PATIENT in Patient Root"}
	}
	f.Level = level
	return f, f.compile(func(k *Key, _ error) error {
		f.Unsupported = append(f.Unsupported, k.Tag)
		return nil
	})
}

// Below is the same question about what lies further down: the instances of the studies that f finds.
func (f *Find) Below(level Level) *Find {
	b := &Find{Level: max(level, f.Level), Keys: f.Keys, Clauses: f.Clauses, Limit: -1, Study: f.Study, Series: f.Series}
	b.Clauses[b.Level] = slices.Clone(b.Clauses[b.Level])
	if from := max(f.Level, Study); b.Level > from { // its entries have the UIDs of those above them, too
		b.Clauses[from] = nil
		for _, c := range f.Clauses[from] {
			at := from
			if isUID(c.Param) {
				at = b.Level
			}
			b.Clauses[at] = append(b.Clauses[at], c)
		}
	}
	return b
}

func isUID(param string) bool {
	return param == tagStudy.Hex() || param == tagSeries.Hex() || param == tagSOPInstance.Hex()
}

// compile makes the clauses of all keys. unsupported is told of keys that cannot be answered at the level, and why.
func (f *Find) compile(unsupported func(k *Key, why error) error) error {
	rest := [4][]Key{}
	f.want(f.Include...)
	for i := range f.Keys.List {
		k := &f.Keys.List[i]
		f.want(k.Tag)
		level, ok, err := f.place(k)
		if err != nil {
			err = unsupported(k, err)
		}
		if err != nil {
			return err
		}
		if !ok || !k.Selects() {
			continue
		}
		asked := *k
		if f.Level == Study && k.Tag == tagModality {
			asked.Tag, asked.name = tagModalities, k.Name() // of a study, its modalities are meant
		}
		if f.Keys.Rules.Combined && combinedTime(f.Keys.List, k) {
			rest[level] = append(rest[level], asked) // the date narrows
			continue
		}
		clauses, exact, err := asked.clauses(f.Keys.Rules)
		if err != nil {
			return err
		}
		if p := partner(f.Keys.List, k.Tag); f.Keys.Rules.Combined && p != nil && sameRanges(k, p) {
			exact = false
		}
		f.Clauses[level] = append(f.Clauses[level], clauses...)
		if !exact {
			rest[level] = append(rest[level], asked)
		}
	}
	for level := Study; level <= f.Level || level == Study; level++ {
		if len(rest[level]) == 0 {
			continue
		}
		all, err := conditions(inOrder(rest[level]), f.Keys.Rules)
		if err != nil {
			return err
		}
		f.Clauses[level] = append(f.Clauses[level], hub.Clause{Test: func(rec *hub.Record) (bool, error) { return hold(all, rec.Body), nil }})
	}
	return nil
}

// place finds the level whose records tell what a key asks for; ok is false where nothing is to be matched. The error says
// why the key cannot be answered.
func (f *Find) place(k *Key) (at Level, ok bool, err error) {
	own := max(f.Level, Study)
	if level, is := computed(k.Tag); is {
		switch {
		case level > f.Level:
			return 0, false, f.below(k, level)
		case k.Selects() && k.Tag.Group() == 0x0020:
			return 0, false, invalid(k.Name(), "is counted for the answer and cannot be searched for")
		}
		return 0, false, nil
	}
	level := levelOf(k.Tag)
	switch {
	case k.Tag == tagModality && f.Level == Study:
		return Study, true, nil
	case level > own || f.Level == Patient && !ofPatient(k.Tag):
		return 0, false, f.below(k, level)
	case isUID(k.Tag.Hex()):
		return own, true, nil
	}
	return level, true, nil
}

func (f *Find) below(k *Key, level Level) error {
	if _, ok := indexed(k.Tag, 0); ok {
		return &hub.Error{Kind: hub.Invalid, Path: k.Name(), Msg: fmt.Sprintf("belongs to the %s level and cannot select a %s", level, f.Level),
			Hint: "search that level instead"}
	}
	return &hub.Error{Kind: hub.Invalid, Path: k.Name(), Msg: fmt.Sprintf("cannot be searched for, since no %s has it", f.Level),
		Hint: "attributes that can: " + strings.Join(matchable(f.Level), ", ")}
}

// Answer appends the identifier of a C-FIND response, in syntax: the attributes that were asked for, with what body, the JSON
// of a match, has of them, empty where it has none, and the level. Of sequences with keys inside it has the items that match.
// Text is in the character set of the question where that can express it, else in UTF-8. aet is the Retrieve AE Title
// (0008,0054), empty for none.
func (f *Find) Answer(dst, body []byte, syntax, aet string) ([]byte, error) {
	own := appendCodes([]byte{'{'}, TagLevel, [...]string{"PATIENT", "STUDY", "SERIES", "IMAGE"}[f.Level])
	if aet != "" {
		own = appendCodes(append(own, ','), TagRetrieveAE, aet)
	}
	own = append(own, '}')
	return AppendDataSet(dst, Merge(nil, nil, own, f.Keys.Select(nil, body)), syntax, f.Keys.Charset)
}

// appendCodes appends an attribute of characters with its values, without the braces around it.
func appendCodes(dst []byte, tag Tag, values ...string) []byte {
	vr := vrOf(tag, false)
	dst = append(tag.AppendHex(append(dst, '"')), `":{"vr":"`...)
	dst = append(dst, byte(vr>>8), byte(vr), '"')
	if len(values) == 0 {
		return append(dst, '}')
	}
	dst = append(dst, `,"Value":`...)
	for i, v := range values {
		dst = appendString(append(dst, "[,"[min(i, 1)]), []byte(v))
	}
	return append(dst, "]}"...)
}

// Wants reports whether an attribute is in the answer: it was asked for, or is one of the default ones of QIDO-RS.
func (f *Find) Wants(tag Tag) bool {
	if f.IncludeAll {
		return true
	}
	_, found := slices.BinarySearch(f.wanted, tag)
	return found
}

// Wanted names all that Wants is true of: the same for two questions if both are told the same of a match, of the same level.
func (f *Find) Wanted() string {
	if f.IncludeAll {
		return "all"
	}
	b := make([]byte, 0, 4*len(f.wanted))
	for _, t := range f.wanted {
		b = binary.BigEndian.AppendUint32(b, uint32(t))
	}
	return string(b)
}

// WantsAny is Wants for one of several.
func (f *Find) WantsAny(tags ...Tag) bool { return slices.ContainsFunc(tags, f.Wants) }

// WantsStudy reports whether the answer needs what only the record of the study has: below that level, its attributes. Those
// of patient and study are in each instance, too.
func (f *Find) WantsStudy() bool {
	switch f.Level {
	case Series:
		return f.IncludeAll || slices.ContainsFunc(f.wanted, func(t Tag) bool {
			return levelOf(t) == Study && t != tagStudy && t != tagCharset && t != tagTimezone
		})
	case Instance:
		return slices.Contains(f.wanted, tagModalities) || slices.Contains(f.wanted, tagClasses)
	}
	return false
}

// Blank is a DICOM JSON object of the attributes that are told of a match even where nothing is known, all of them empty: of
// those asked for, what PS3.18 Tables 10.6.3-3 to 10.6.3-5 require.
func (f *Find) Blank() []byte {
	const required = `{"00080020":{"vr":"DA"},"00080030":{"vr":"TM"},"00080050":{"vr":"SH"},"00080060":{"vr":"CS"},"00080061":{"vr":"CS"},"00080090":{"vr":"PN"},` +
		`"00100010":{"vr":"PN"},"00100020":{"vr":"LO"},"00100030":{"vr":"DA"},"00100040":{"vr":"CS"},"00200010":{"vr":"SH"},"00200011":{"vr":"IS"},"00200013":{"vr":"IS"}}`
	return Merge(nil, func(tag Tag) bool {
		_, asked := slices.BinarySearch(f.wanted, tag)
		return asked && levelOf(tag) <= f.Level
	}, []byte(required))
}

// want adds to what is told.
func (f *Find) want(tags ...Tag) {
	f.wanted = append(f.wanted, tags...)
	slices.Sort(f.wanted)
	f.wanted = slices.Compact(f.wanted)
}
