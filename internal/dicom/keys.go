package dicom

import (
	"strings"

	"concord/internal/dicom/dict"
)

// matching is how an attribute is compared in a query (PS3.4 C.2.2.2).
type matching uint8

const (
	byUID    matching = iota // single value and list, C.2.2.2.1 and .2
	byText                   // single value and wildcard, C.2.2.2.4: LO, SH, CS
	byCode                   // as byText, but indexed for single values only
	byName                   // PN: wildcard without regard to case and width, or fuzzy
	byDate                   // single value and range, C.2.2.2.5
	byTime                   //
	byNumber                 // single value: IS
)

// matchKey is an attribute that can be asked for: the index has terms of it under its param.
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

// matchKeys is all that queries may match on: the required keys of PS3.18 Tables 10.6.1-5 and what clients ask for
// beyond them. Terms cost memory in the index, so a key is worth its line.
func matchKeys() []matchKey {
	const requests Tag = 0x00400275
	return []matchKey{
		{Study, [2]Tag{tagStudy}, byUID},
		{Study, [2]Tag{0x00080020}, byDate},
		{Study, [2]Tag{0x00080030}, byTime},
		{Study, [2]Tag{0x00080050}, byText},
		{Study, [2]Tag{tagModalities}, byText},
		{Study, [2]Tag{0x00080090}, byName},
		{Study, [2]Tag{0x00081030}, byText},
		{Study, [2]Tag{0x00100010}, byName},
		{Study, [2]Tag{0x00100020}, byText},
		{Study, [2]Tag{0x00100021}, byCode},
		{Study, [2]Tag{0x00100030}, byDate},
		{Study, [2]Tag{0x00100040}, byCode},
		{Study, [2]Tag{0x00200010}, byText},

		{Series, [2]Tag{tagSeries}, byUID},
		{Series, [2]Tag{0x00080021}, byDate},
		{Series, [2]Tag{0x00080031}, byTime},
		{Series, [2]Tag{0x00080060}, byText},
		{Series, [2]Tag{0x00080080}, byText},
		{Series, [2]Tag{0x00081010}, byText},
		{Series, [2]Tag{0x0008103E}, byText},
		{Series, [2]Tag{0x00081050}, byName},
		{Series, [2]Tag{0x00180015}, byText},
		{Series, [2]Tag{0x00181030}, byText},
		{Series, [2]Tag{0x00200011}, byNumber},
		{Series, [2]Tag{0x00200060}, byCode},
		{Series, [2]Tag{0x00400244}, byDate},
		{Series, [2]Tag{0x00400245}, byTime},
		{Series, [2]Tag{requests, 0x00400009}, byText},
		{Series, [2]Tag{requests, 0x00401001}, byText},

		{Instance, [2]Tag{tagSOPInstance}, byUID},
		{Instance, [2]Tag{tagSOPClass}, byUID},
		{Instance, [2]Tag{0x00080023}, byDate},
		{Instance, [2]Tag{0x00080033}, byTime},
		{Instance, [2]Tag{0x00200013}, byNumber},
		{Instance, [2]Tag{0x0040A491}, byCode},
		{Instance, [2]Tag{0x0040A493}, byCode},
	}
}

// Keywords lists what queries at a level can match on, for capability statements and hints.
func Keywords(l Level) []string {
	var all []string
	for _, k := range matchKeys() {
		if k.level <= l {
			all = append(all, k.keyword())
		}
	}
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
