package dicom

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/dicom/dict"
)

// CompileQIDO reads the query parameters of a search for studies, series or instances (PS3.18 8.3.4 and 10.6.1).
//
// Attributes are tags or keywords, joined by dots into sequences. A repeated attribute, and values joined by backslash, are
// a list, of which one must be found; of UIDs and codes a comma joins, too. What is not understood is an Invalid error that
// names the parameter and says what can be asked for.
func CompileQIDO(level Level, params map[string][]string) (*Find, error) {
	f := &Find{Level: level, Limit: -1, Keys: Keys{Charset: []string{"ISO_IR 192"}, Rules: Rules{Combined: true}}}
	f.want(DefaultTags(level)...)
	f.want(TagAvailability, TagRetrieveURL)
	switch level {
	case Study:
		f.want(TagSeriesOfStudy, TagInstancesOfStudy)
	case Series:
		f.want(TagInstancesOfSeries)
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		values := params[name]
		var err error
		switch name {
		case "accept", "charset":
		case "emptyvaluematching":
			_, err = flag(name, values)
		case "fuzzymatching":
			f.Keys.Rules.Fuzzy, err = flag(name, values)
		case "multiplevaluematching":
			f.Keys.Rules.Multiple, err = flag(name, values)
		case "limit":
			f.Limit, err = count(name, values)
		case "offset":
			f.Offset, err = count(name, values)
		case "includefield":
			err = f.include(values)
		default:
			err = f.key(name, values)
		}
		if err != nil {
			return nil, err
		}
	}
	sortKeys(f.Keys.List)
	return f, f.compile(func(k *Key, why error) error { return why })
}

// Relational asks for the default attributes of the levels above, too, as a search for series or instances of all studies
// does (PS3.18 10.6.1.1).
func (f *Find) Relational() {
	for level := Study; level < f.Level; level++ {
		f.want(DefaultTags(level)...)
	}
}

func sortKeys(list []Key) {
	slices.SortFunc(list, func(a, b Key) int { return int(int64(a.Tag) - int64(b.Tag)) })
	for i := range list {
		sortKeys(list[i].Items)
	}
}

func flag(name string, values []string) (bool, error) {
	on := false
	for _, v := range values {
		switch v {
		case "true":
			on = true
		case "false":
			on = false
		default:
			return false, invalid(name, "must be true or false")
		}
	}
	return on, nil
}

func count(name string, values []string) (int, error) {
	if len(values) != 1 {
		return 0, invalid(name, "may be given once")
	}
	n, err := strconv.ParseUint(values[0], 10, 31)
	if err != nil {
		return 0, invalid(name, "must be a whole number, not negative")
	}
	return int(n), nil
}

func (f *Find) include(values []string) error {
	for _, list := range values {
		for name := range strings.SplitSeq(list, ",") {
			switch name = strings.TrimSpace(name); name {
			case "":
				continue
			case "all":
				f.IncludeAll = true
				continue
			}
			path, err := attributePath(name)
			if err != nil {
				return err
			}
			if !slices.Contains(f.Include, path[0]) {
				f.Include = append(f.Include, path[0]) // a sequence is returned whole
			}
		}
	}
	return nil
}

// key adds what a parameter asks of an attribute, which may be inside sequences.
func (f *Find) key(name string, values []string) error {
	path, err := attributePath(name)
	if err != nil {
		return err
	}
	switch path[0] {
	case tagCharset: // of the question, as some send it; a URL is UTF-8
		f.want(tagCharset)
		return nil
	case TagAvailability, TagRetrieveURL, TagRetrieveAE, TagLevel:
		if len(selecting(dict.CS, values)) > 0 {
			return invalid(name, "is told with each match and cannot be searched for")
		}
	}
	if len(path) > deepestKey {
		return tooLarge(name, "goes deeper than %d sequences", deepestKey)
	}
	list := &f.Keys.List
	var k *Key
	for i, tag := range path {
		at := slices.IndexFunc(*list, func(k Key) bool { return k.Tag == tag })
		if at < 0 {
			at = len(*list)
			*list = append(*list, Key{Tag: tag, VR: vrOf(tag, i < len(path)-1), name: name})
		}
		if k = &(*list)[at]; (k.VR == dict.SQ) != (i < len(path)-1) {
			return &hub.Error{Kind: hub.Invalid, Path: name, Msg: "does not name an attribute with a value",
				Hint: "attributes inside a sequence follow it behind a dot, such as RequestAttributesSequence.RequestedProcedureID"}
		}
		list = &k.Items
	}
	k.Values = append(k.Values, k.split(values)...)
	return nil
}

// vrOf is the value representation of an attribute. A private one counts as text, or as a sequence where it has attributes
// inside.
func vrOf(tag Tag, sequence bool) VR {
	if a, ok := dict.Lookup(tag); ok && !tag.Private() {
		return a.VR
	}
	if sequence {
		return dict.SQ
	}
	return dict.LO
}

// split turns a parameter's values into those of the key; none when one of them matches everything.
func (k *Key) split(values []string) []string {
	var all []string
	codes := k.VR == dict.UI || k.VR == dict.CS
	for _, list := range values {
		if k.VR.Single() {
			all = append(all, strings.TrimRight(list, " "))
			continue
		}
		for v := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '\\' || codes && r == ',' }) {
			all = append(all, strings.TrimSpace(v))
		}
	}
	return selecting(k.VR, all)
}
