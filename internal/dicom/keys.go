package dicom

import (
	"slices"
	"strings"
	"sync"

	"concord/internal/dicom/dict"
)

// matching is how the index answers for an attribute (PS3.4 C.2.2.2).
type matching uint8

const (
	byUID    matching = iota // single value and list, C.2.2.2.1 and .2
	byID                     // text that is mostly asked for as a whole: indexed for that apart
	byText                   // single value and wildcard, C.2.2.2.4: LO, SH, CS
	byCode                   // what many have in common: indexed for single values only, which takes little
	byName                   // PN
	byDate                   // single value and range, C.2.2.2.5
	byDay                    // a date that is mostly asked for by a few days: each is a term of its own, too
	byTime                   //
	byNumber                 // single value: IS
)

// matchKey is an attribute that the index has terms of, under its param.
type matchKey struct {
	level Level
	path  [2]Tag // the attribute, or a sequence and the attribute in its items
	match matching
}

// param is the name of the key's terms: "00100020", in items "00400275.00401001".
func (k matchKey) param() string {
	if k.path[1] == 0 {
		return k.path[0].Hex()
	}
	return k.path[0].Hex() + "." + k.path[1].Hex()
}

const tagRequests Tag = 0x00400275

// matchKeys is what narrows a query: the required keys of PS3.18 Tables 10.6.1-5 and what clients ask for beyond them.
// Other attributes that records have are matched by reading those records. Terms cost memory in the index, so a key is
// worth its line.
var matchKeys = sync.OnceValue(func() []matchKey {
	return []matchKey{
		{Study, [2]Tag{tagStudy}, byUID},
		{Study, [2]Tag{0x00080020}, byDay},
		{Study, [2]Tag{0x00080030}, byTime},
		{Study, [2]Tag{0x00080050}, byID},
		{Study, [2]Tag{tagModalities}, byCode},
		{Study, [2]Tag{tagClasses}, byUID},
		{Study, [2]Tag{0x00080090}, byName},
		{Study, [2]Tag{0x00081030}, byText},
		{Study, [2]Tag{0x00100010}, byName},
		{Study, [2]Tag{0x00100020}, byID},
		{Study, [2]Tag{0x00100021}, byCode},
		{Study, [2]Tag{0x00100030}, byDate},
		{Study, [2]Tag{0x00100040}, byCode},
		{Study, [2]Tag{0x00200010}, byText},

		{Series, [2]Tag{tagSeries}, byUID},
		{Series, [2]Tag{0x00080021}, byDate},
		{Series, [2]Tag{0x00080031}, byTime},
		{Series, [2]Tag{0x00080060}, byCode},
		{Series, [2]Tag{0x00080080}, byCode},
		{Series, [2]Tag{0x00081010}, byCode},
		{Series, [2]Tag{0x0008103E}, byText},
		{Series, [2]Tag{0x00081050}, byName},
		{Series, [2]Tag{0x00180015}, byCode},
		{Series, [2]Tag{0x00181030}, byText},
		{Series, [2]Tag{0x00200011}, byNumber},
		{Series, [2]Tag{0x00200060}, byCode},
		{Series, [2]Tag{0x00400244}, byDate},
		{Series, [2]Tag{0x00400245}, byTime},
		{Series, [2]Tag{tagRequests, 0x00400009}, byText},
		{Series, [2]Tag{tagRequests, 0x00401001}, byText},

		{Instance, [2]Tag{tagSOPInstance}, byUID},
		{Instance, [2]Tag{tagSOPClass}, byUID},
		{Instance, [2]Tag{0x00080023}, byDate},
		{Instance, [2]Tag{0x00080033}, byTime},
		{Instance, [2]Tag{0x00200013}, byNumber},
		{Instance, [2]Tag{0x0040A491}, byCode},
		{Instance, [2]Tag{0x0040A493}, byCode},
	}
})

// indexed finds the key of an attribute, or of one inside a sequence's items (inner not 0).
func indexed(tag, inner Tag) (*matchKey, bool) {
	all := matchKeys()
	i := slices.IndexFunc(all, func(k matchKey) bool { return k.path == [2]Tag{tag, inner} })
	if i < 0 {
		return nil, false
	}
	return &all[i], true
}

// projected are, by level, the keys that its entries have terms of: its own and the UIDs above it.
var projected = sync.OnceValue(func() (keys [4][]matchKey) {
	for level := Study; level <= Instance; level++ {
		for _, k := range matchKeys() {
			if k.level == level || k.match == byUID && k.path[0]>>16 == 0x0020 && k.level < level {
				keys[level] = append(keys[level], k)
			}
		}
	}
	return keys
})

// levelOf is the level that has an attribute in its records: that of its key in the index, else the highest one that keeps
// it. Instances have everything.
func levelOf(tag Tag) Level {
	if k := slices.IndexFunc(matchKeys(), func(k matchKey) bool { return k.path[0] == tag }); k >= 0 {
		return matchKeys()[k].level
	}
	switch {
	case slices.Contains(studyTags(), tag):
		return Study
	case slices.Contains(seriesTags(), tag):
		return Series
	}
	return Instance
}

// ofPatient reports whether an attribute is one of the patient's in the Patient Root model (PS3.4 Table C.6-1), among those
// that studies keep.
func ofPatient(tag Tag) bool { return tag.Group() == 0x0010 && levelOf(tag) == Study }

// Keywords lists what queries at a level can match on without reading records, for capability statements and hints.
func Keywords(l Level) []string {
	var all []string
	for _, k := range matchKeys() {
		if k.level <= l {
			all = append(all, k.keyword())
		}
	}
	return all
}

// matchable lists all that can be matched at a level, for hints; at that of instances everything can.
func matchable(l Level) []string {
	all := Keywords(l)
	for _, tags := range [][]Tag{studyTags(), seriesTags()}[:min(l, Series)] {
		for _, t := range tags {
			if name := dict.Name(t); t != tagCharset && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return all
}

func (k matchKey) keyword() string {
	if k.path[1] == 0 {
		return dict.Name(k.path[0])
	}
	return dict.Name(k.path[0]) + "." + dict.Name(k.path[1])
}

// attributePath reads a query's attribute: tags or keywords, joined by dots into items of sequences.
func attributePath(name string) ([]Tag, error) {
	var path []Tag
	for part := range strings.SplitSeq(name, ".") {
		if tag, ok := dict.ParseTag(part); ok {
			path = append(path, tag)
			continue
		}
		a, ok := dict.ByKeyword(part)
		if !ok {
			e := invalid(name, "is no attribute: neither a tag of eight digits nor a keyword")
			if near := dict.Nearest(part); near != "" {
				e.Hint = "did you mean " + near + "?"
			}
			return nil, e
		}
		path = append(path, a.Tag)
	}
	return path, nil
}
