package fhir

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// resultParams shape the result instead of choosing it (R4 search.html#modifyingresults), in the order of the self link.
var resultParams = []string{"_sort", "_count", "_total", "_summary", "_elements", "_format", "_pretty"}

// result compiles one of them.
func (s scope) result(name, modifier, value string) error {
	if modifier != "" {
		return notKnown(name+":"+modifier, "the parameter takes no modifier", "")
	}
	if _, twice := s.results[name]; twice {
		return invalid(name, "the parameter may be given once")
	}
	switch name {
	case "_count":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // of what is out of range n is the greatest
			return invalid(name, "the page size is a whole number from 0 on")
		}
		s.Query.Limit = int(min(n, uint64(s.options.MaxCount)))
		value = strconv.Itoa(s.Query.Limit)
	case "_total":
		if !slices.Contains([]string{"none", "estimate", "accurate"}, value) {
			return invalid(name, "one of none, estimate, accurate is due")
		}
		s.Total = value
		s.Query.Count = value != "none"
	case "_summary":
		if !slices.Contains([]string{"true", "text", "data", "count", "false"}, value) {
			return invalid(name, "one of true, text, data, count, false is due")
		}
		s.Summary = value
	case "_elements":
		for e := range strings.SplitSeq(value, ",") {
			if !s.hasElement(e) {
				return invalid(name, s.resource.name+" has no element "+strconv.Quote(e))
			}
			s.Elements = append(s.Elements, e)
		}
	case "_sort":
		if err := s.sort(value); err != nil {
			return err
		}
	case "_format":
		s.Format = value
	case "_pretty":
		if value != "true" && value != "false" {
			return invalid(name, "true or false is due")
		}
		s.Pretty = value
	}
	s.results[name] = value
	return nil
}

// hasElement reports whether one of the types searched has the element.
func (s scope) hasElement(name string) bool {
	return slices.ContainsFunc(append(slices.Clip(s.options.Among), s.resource.name), func(typ string) bool {
		t := definitions().elements[typ]
		return t != nil && t.has(name)
	})
}

func (t *elementType) has(name string) bool {
	_, plain := t.members[name]
	_, choice := t.choices[name]
	return plain || choice
}

// finish settles what depends on several result parameters and writes them to Applied.
func (c *searchCompiler) finish() {
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
}

// didYouMean is a hint with the known name nearest to the one given, empty when none is near.
func didYouMean(given string, known []string) string {
	best, distance := "", min(len(given), max(3, len(given)/3+2))
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
