package main

import (
	"slices"
	"strings"
)

type searchParameter struct {
	URL, Code, Type, Expression string
	Base, Target                []string
	Component                   []struct{ Definition, Expression string }
}

func readParams(from string) ([]searchParameter, error) {
	return readAll[searchParameter](from, "SearchParameter")
}

// corrected are the expressions of R4 that name what is not there: mothersMaidenName has the URL of the search parameter
// in the place of the extension's (patient-mothersMaidenName, which PDQm's ITI-78 searches).
var corrected = strings.NewReplacer("StructureDefinition/patient-extensions-Patient-mothersMaidenName", "StructureDefinition/patient-mothersMaidenName")

func paramLines(params []searchParameter) string {
	clean := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	var lines []string
	for _, p := range params {
		var parts []string
		for _, c := range p.Component {
			parts = append(parts, c.Definition+" "+clean(c.Expression))
		}
		slices.Sort(p.Base)
		slices.Sort(p.Target)
		lines = append(lines, strings.Join([]string{p.Code, p.Type, strings.Join(p.Base, " "),
			strings.Join(p.Target, " "), p.URL, corrected.Replace(clean(p.Expression)), strings.Join(parts, "; ")}, "\t"))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
