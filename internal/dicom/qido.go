package dicom

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"concord/hub"
)

// Search is a QIDO-RS query compiled: what must hold at each level, and what to return.
type Search struct {
	Level Level
	// Clauses are, by level, what the study, the series and the instance must fulfil. Below Level there are none; UIDs of
	// parents are clauses of Level itself, since its entries have them as terms.
	Clauses [4][]hub.Clause
	// Include lists attributes asked for beyond the default ones; IncludeAll asks for all.
	Include    []Tag
	IncludeAll bool
	// Limit is −1 when none was given.
	Limit, Offset int
}

// Query is the search at its own level; the caller adds what the clauses of parent levels found, limit and sorting.
func (s *Search) Query() hub.Query {
	return hub.Query{Type: s.Level.Type(), All: s.Clauses[s.Level], Skip: s.Offset}
}

// CompileQIDO reads the query parameters of a search for studies, series or instances (PS3.18 8.3.4 and 10.6.1).
//
// Attributes are tags or keywords, joined by dots into sequences. Their values match as PS3.4 C.2.2.2 says: single
// value, "*" and "?" (but not in dates, times, numbers and UIDs), ranges "a-b", "a-", "-b", lists joined by backslash or,
// of UIDs and codes, comma; an empty value and "*" match everything. A repeated attribute is a list. A Modality asked of
// studies means Modalities in Study. What is not understood is an Invalid error that names the parameter.
func CompileQIDO(level Level, params map[string][]string) (*Search, error) {
	s := &Search{Level: level, Limit: -1}
	fuzzy, err := flag("fuzzymatching", params["fuzzymatching"])
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		values := params[name]
		switch name {
		case "fuzzymatching", "accept", "charset":
		case "emptyvaluematching", "multiplevaluematching":
			_, err = flag(name, values)
		case "limit":
			s.Limit, err = count(name, values)
		case "offset":
			s.Offset, err = count(name, values)
		case "includefield":
			err = s.include(values)
		default:
			err = s.match(name, values, fuzzy)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
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

func (s *Search) include(values []string) error {
	for _, list := range values {
		for name := range strings.SplitSeq(list, ",") {
			switch name = strings.TrimSpace(name); name {
			case "":
				continue
			case "all":
				s.IncludeAll = true
				continue
			}
			path, err := attributePath(name)
			if err != nil {
				return err
			}
			if !slices.Contains(s.Include, path[0]) {
				s.Include = append(s.Include, path[0]) // a sequence is returned whole
			}
		}
	}
	return nil
}

func (s *Search) match(name string, values []string, fuzzy bool) error {
	path, err := attributePath(name)
	if err != nil {
		return err
	}
	key, err := s.key(name, path)
	if err != nil {
		return err
	}
	clauses, err := compile(key, name, values, fuzzy)
	if err != nil {
		return err
	}
	at := key.level
	if key.match == byUID {
		at = s.Level
	}
	s.Clauses[at] = append(s.Clauses[at], clauses...)
	return nil
}

// key finds how the attribute is searched at this level.
func (s *Search) key(name string, path []Tag) (matchKey, error) {
	if s.Level == Study && len(path) == 1 && path[0] == 0x00080060 {
		path = []Tag{tagModalities}
	}
	for _, k := range matchKeys() {
		if k.path[0] != path[0] || (len(path) == 2) != (k.path[1] != 0) || len(path) == 2 && k.path[1] != path[1] || len(path) > 2 {
			continue
		}
		if k.level > s.Level {
			return k, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "belongs to the " + k.level.String() + " level and cannot select a " + s.Level.String(),
				Hint: "search that level instead"}
		}
		return k, nil
	}
	return matchKey{}, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "cannot be searched for",
		Hint: "attributes that can: " + strings.Join(Keywords(s.Level), ", ")}
}

// compile makes the clauses of one attribute; none when everything matches.
func compile(k matchKey, name string, values []string, fuzzy bool) ([]hub.Clause, error) {
	alternatives := split(k, values)
	if len(alternatives) == 0 {
		return nil, nil
	}
	if k.match == byName {
		return compileNames(k.param(), alternatives, fuzzy), nil
	}
	clause := hub.Clause{Param: k.param()}
	for _, v := range alternatives {
		m, err := compileValue(k.match, name, v)
		if err != nil {
			return nil, err
		}
		clause.Any = append(clause.Any, m)
	}
	return []hub.Clause{clause}, nil
}

// split turns the parameter's values into alternatives; one that matches everything makes all of them void.
func split(k matchKey, values []string) []string {
	var all []string
	codes := k.match == byUID || k.path[0] == tagModalities || k.path[0] == 0x00080060
	for _, list := range values {
		for v := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '\\' || codes && r == ',' }) {
			if v = strings.TrimSpace(v); v != "" && strings.Trim(v, "*") == "" {
				return nil
			}
			if v != "" {
				all = append(all, v)
			}
		}
	}
	return all
}

func compileValue(match matching, name, v string) (hub.Match, error) {
	wild := strings.ContainsAny(v, "*?")
	switch match {
	case byText:
		if wild {
			return hub.Match{Kind: hub.Pattern, Text: Fold(v)}, nil
		}
		return exact(v), nil
	case byUID:
		return exact(v), CheckUID(name, v)
	case byCode:
		if wild {
			return hub.Match{}, invalid(name, "takes no wildcards")
		}
		return exact(v), nil
	case byNumber:
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil {
			return hub.Match{}, invalid(name, "is matched by a whole number only")
		}
		return exact(strconv.FormatInt(n, 10)), nil
	case byDate:
		return compileRange(name, v, "a date is YYYYMMDD, a range YYYYMMDD-YYYYMMDD, either end may be missing",
			func(s string) (lo, hi float64, ok bool) { lo, ok = parseDate(s); return lo, lo, ok })
	}
	return compileRange(name, v, "a time is HHMMSS.FFFFFF, shortened from the right, a range two of them with a hyphen", parseTime)
}

func exact(v string) hub.Match { return hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: v} }

// compileRange matches every term that overlaps what is asked.
func compileRange(name, v, hint string, parse func(string) (lo, hi float64, ok bool)) (hub.Match, error) {
	from, to, isRange := strings.Cut(v, "-")
	if !isRange {
		to = from
	}
	lo, hi := math.Inf(-1), math.Inf(1)
	okFrom, okTo := from != "" || to != "", true
	if from != "" {
		lo, _, okFrom = parse(from)
	}
	if to != "" {
		_, hi, okTo = parse(to)
	}
	if !okFrom || !okTo {
		return hub.Match{}, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is no valid value or range", Hint: hint}
	}
	return hub.Match{Kind: hub.Within, LoMin: math.Inf(-1), LoMax: hi, HiMin: lo, HiMax: math.Inf(1)}, nil
}

// compileNames matches person names without regard to case and width. Each component group that is given must match;
// fuzzy asks that every word begins one of the name's words, whatever their order.
func compileNames(param string, names []string, fuzzy bool) []hub.Clause {
	if fuzzy && len(names) == 1 {
		return fuzzyName(param, names[0])
	}
	if len(names) > 1 {
		clause := hub.Clause{Param: param}
		for _, name := range names {
			group, _, _ := strings.Cut(name, "=")
			clause.Any = append(clause.Any, nameMatch(group))
		}
		return []hub.Clause{clause}
	}
	var clauses []hub.Clause
	for group := range strings.SplitSeq(names[0], "=") {
		if strings.Trim(group, "*^ ") != "" {
			clauses = append(clauses, hub.Clause{Param: param, Any: []hub.Match{nameMatch(group)}})
		}
	}
	return clauses
}

func nameMatch(group string) hub.Match {
	text := foldName(group)
	if strings.ContainsAny(text, "*?") {
		return hub.Match{Kind: hub.Pattern, Text: text}
	}
	return hub.Match{Kind: hub.Equals, Term: hub.Text, Text: text}
}

func fuzzyName(param, name string) []hub.Clause {
	var clauses []hub.Clause
	for word := range strings.FieldsFuncSeq(Fold(name), func(r rune) bool { return strings.ContainsRune(" ,^=*?", r) }) {
		clause := hub.Clause{Param: param, Any: []hub.Match{
			{Kind: hub.Prefix, Text: word}, {Kind: hub.Pattern, Text: "* " + word + "*"}, {Kind: hub.Pattern, Text: "*^" + word + "*"}}}
		if ideographic(word) {
			clause.Any = []hub.Match{{Kind: hub.Pattern, Text: "*" + word + "*"}}
		}
		clauses = append(clauses, clause)
	}
	return clauses
}

// Includes reports whether an attribute is in the answer to the search.
func (s *Search) Includes(tag Tag) bool {
	return s.IncludeAll || slices.Contains(s.Include, tag) || slices.Contains(DefaultTags(s.Level), tag)
}
