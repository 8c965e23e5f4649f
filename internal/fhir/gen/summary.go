package main

import (
	"slices"
	"strings"
)

// summaryStructure is what _summary and _elements need of a StructureDefinition.
type summaryStructure struct {
	Name, Kind, Derivation string
	Snapshot               struct {
		Element []struct {
			Path      string
			Min       int
			IsSummary bool
		}
	}
}

// summaryLines lists for each type and backbone element the members that a summary leaves out, then, behind a colon, the
// mandatory ones.
func summaryLines(from string) (string, error) {
	all, err := readAll[summaryStructure](from, "StructureDefinition")
	if err != nil {
		return "", err
	}
	left, due := map[string][]string{}, map[string][]string{}
	for _, s := range all {
		if s.Derivation == "constraint" || s.Kind != "resource" && s.Kind != "complex-type" || whole[s.Name] {
			continue
		}
		for _, e := range s.Snapshot.Element {
			parent, name, nested := cutLast(e.Path)
			switch {
			case !nested || modifies[name]:
			case e.Min > 0:
				due[parent] = append(due[parent], name)
			case !e.IsSummary:
				left[parent] = append(left[parent], name)
			}
		}
	}
	var lines []string
	for path, names := range left {
		line := path + " " + strings.Join(names, " ")
		if len(due[path]) > 0 {
			line += " : " + strings.Join(due[path], " ")
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

// whole are the types that are never cut: their parts have no meaning without each other.
var whole = map[string]bool{"Extension": true, "Narrative": true}

// modifies are elements without which the rest could be misread; they always stay.
var modifies = map[string]bool{"implicitRules": true, "modifierExtension": true}
