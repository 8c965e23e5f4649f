package fhir

import (
	"slices"
	"strconv"
	"strings"

	"concord/hub"
)

// resultParams shape the result instead of choosing it (R4 search.html#modifyingresults), in the order of the self link.
var resultParams = []string{"_sort", "_count", "_total", "_summary", "_elements", "_format", "_pretty"}

// unsupportedParams are known to R4, not to the hub.
var unsupportedParams = map[string]string{
	"_has":           "reverse chaining is not supported",
	"_include":       "_include is not supported",
	"_revinclude":    "_revinclude is not supported",
	"_contained":     "searching in contained resources is not supported",
	"_containedType": "searching in contained resources is not supported",
	"_filter":        "filter expressions are not supported",
	"_query":         "named queries are not supported",
	"_text":          "full-text search is not supported",
	"_content":       "full-text search is not supported",
	"_list":          "searching by list is not supported",
	"_type":          "searching several types at once is not supported",
	"_score":         "relevance is not computed",
}

func (c *searchCompiler) result(name, modifier, value string) error {
	invalid := func(msg string) error {
		return &hub.Error{Kind: hub.Invalid, Path: name, Msg: "search: " + msg}
	}
	if modifier != "" {
		return c.notKnown(name+":"+modifier, "the parameter takes no modifier", "")
	}
	if _, twice := c.results[name]; twice {
		return invalid("the parameter may be given once")
	}
	switch name {
	case "_count":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return invalid("the page size is a whole number from 0 on")
		}
		c.Query.Limit = min(n, c.options.MaxCount)
		value = strconv.Itoa(c.Query.Limit)
	case "_total":
		if !slices.Contains([]string{"none", "estimate", "accurate"}, value) {
			return invalid("one of none, estimate, accurate is due")
		}
		c.Total = value
		c.Query.Count = value != "none"
	case "_summary":
		if !slices.Contains([]string{"true", "text", "data", "count", "false"}, value) {
			return invalid("one of true, text, data, count, false is due")
		}
		c.Summary = value
	case "_elements":
		for e := range strings.SplitSeq(value, ",") {
			if definitions().elements[c.resource.name].has(e) {
				c.Elements = append(c.Elements, e)
				continue
			}
			return invalid(c.resource.name + " has no element " + strconv.Quote(e))
		}
	case "_sort":
		if err := c.sort(value); err != nil {
			return err
		}
	case "_format":
		c.Format = value
	case "_pretty":
		if value != "true" && value != "false" {
			return invalid("true or false is due")
		}
		c.Pretty = value
	}
	c.results[name] = value
	return nil
}

func (t *elementType) has(name string) bool {
	_, plain := t.members[name]
	_, choice := t.choices[name]
	return plain || choice
}

func (c *searchCompiler) sort(value string) error {
	var keys []hub.Sort
	for key := range strings.SplitSeq(value, ",") {
		code, desc := strings.CutPrefix(key, "-")
		p := c.resource.byCode[code]
		switch {
		case code == hub.LastUpdated:
		case p == nil:
			return c.notKnown("_sort", c.resource.name+" has no search parameter "+strconv.Quote(code), didYouMean(code, c.known()))
		case !p.Served() || p.Type != DateParam && p.Type != NumberParam && p.Type != QuantityParam:
			return &hub.Error{Kind: hub.Unsupported, Path: "_sort", Msg: "search: sorting by " + strconv.Quote(code) + " of type " + string(p.Type) + " is not supported",
				Hint: "dates, numbers, quantities and _lastUpdated can be sorted by"}
		}
		keys = append(keys, hub.Sort{Param: code, Desc: desc})
	}
	c.Query.Sort = keys
	return nil
}

// finish settles what depends on several result parameters and writes them to Applied.
func (c *searchCompiler) finish() error {
	if c.Summary == "count" {
		c.Query.Limit = 0
	}
	if c.Query.Limit == 0 {
		c.Query.Count = true // R4 search.html#count: as _summary=count
	}
	if _, given := c.results["_count"]; !given && c.Summary != "count" {
		c.results["_count"] = strconv.Itoa(c.Query.Limit)
	}
	for _, name := range resultParams {
		if value, given := c.results[name]; given && name != "_format" && name != "_pretty" {
			c.Applied = append(c.Applied, Pair{name, value})
		}
	}
	return nil
}

// didYouMean is a hint with the known name nearest to the one given, empty when none is near.
func didYouMean(given string, known []string) string {
	best, distance := "", len(given)/2+2
	for _, k := range known {
		if d := editDistance(given, k); k != "" && d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// editDistance counts the insertions, deletions and replacements of bytes between a and b, on at most 64 bytes of each.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 0; i < len(a); i++ {
		diagonal := row[0]
		row[0] = i + 1
		for j := 0; j < len(b); j++ {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
