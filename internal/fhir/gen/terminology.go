package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// termConcept is a code with those below it; what it is called is left out.
type termConcept struct {
	Code     string         `json:"code"`
	Property []termProperty `json:"property,omitempty"`
	Concept  []termConcept  `json:"concept,omitempty"`
}

// termProperty is a property of a concept; only those that name its parents are kept.
type termProperty struct {
	Code      string `json:"code"`
	ValueCode string `json:"valueCode,omitempty"`
}

type valueSetPart struct {
	System   string            `json:"system,omitempty"`
	Concept  []termConcept     `json:"concept,omitempty"`
	Filter   []json.RawMessage `json:"filter,omitempty"`
	ValueSet []string          `json:"valueSet,omitempty"`
}

// terminologyLines lists the code systems and value sets of the package: type, canonical URL and what is needed of the
// resource's JSON, separated by tabs.
func terminologyLines(from string) (string, error) {
	var lines []string
	add := func(typ, url string, content any) error {
		data, err := json.Marshal(content)
		if err != nil || strings.Contains(string(data), "`") {
			return err
		}
		lines = append(lines, typ+"\t"+url+"\t"+string(data)+"\n")
		return nil
	}
	err := eachFile(from, "CodeSystem", func(path string) error {
		var s struct {
			ResourceType, URL, Content string
			Concept                    []termConcept
		}
		if err := readJSON(path, &s); err != nil || s.ResourceType != "CodeSystem" || s.Concept == nil {
			return err
		}
		return add("CodeSystem", s.URL, map[string]any{"content": s.Content, "concept": onlyParents(s.Concept)})
	})
	if err != nil {
		return "", err
	}
	err = eachFile(from, "ValueSet", func(path string) error {
		var s struct {
			ResourceType, URL string
			Compose           struct {
				Include []valueSetPart `json:"include,omitempty"`
				Exclude []valueSetPart `json:"exclude,omitempty"`
			}
		}
		if err := readJSON(path, &s); err != nil || s.ResourceType != "ValueSet" || s.Compose.Include == nil {
			return err
		}
		return add("ValueSet", s.URL, map[string]any{"compose": s.Compose})
	})
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), ""), err
}

func eachFile(from, typ string, read func(path string) error) error {
	files, err := filepath.Glob(filepath.Join(from, typ+"-*.json"))
	for _, path := range files {
		if err == nil {
			err = read(path)
		}
	}
	return err
}

func onlyParents(list []termConcept) []termConcept {
	for i := range list {
		list[i].Property = slices.DeleteFunc(list[i].Property, func(p termProperty) bool { return p.Code != "subsumedBy" && p.Code != "parent" })
		list[i].Concept = onlyParents(list[i].Concept)
	}
	return list
}
