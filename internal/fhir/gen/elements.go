package main

import (
	"slices"
	"strings"
)

type structure struct {
	Name, Kind, Type, Derivation string
	Abstract                     bool
	Snapshot                     struct{ Element []element }
}

type element struct {
	Path, Max, ContentReference string
	Min                         int
	Type                        []struct {
		Code          string
		TargetProfile []string
	}
	Binding struct {
		Strength, ValueSet string
		Extension          []struct{ URL, ValueCanonical string }
	}
}

// readStructures reads the resources and complex types, not the profiles on them.
func readStructures(from string) ([]structure, error) {
	all, err := readAll[structure](from, "StructureDefinition")
	return slices.DeleteFunc(all, func(s structure) bool {
		return s.Derivation == "constraint" || s.Kind != "resource" && s.Kind != "complex-type"
	}), err
}

func typeLines(all []structure) string {
	var names []string
	for _, s := range all {
		if s.Kind == "resource" && !s.Abstract {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}

func elementLines(all []structure) string {
	fields := map[string][]string{}
	for _, s := range all {
		for _, e := range s.Snapshot.Element {
			parent, name, nested := cutLast(e.Path)
			if !nested {
				fields[e.Path] = append(fields[e.Path], []string{}...)
				continue
			}
			fields[parent] = append(fields[parent], name+":"+typesOf(e))
		}
	}
	var lines []string
	for path, list := range fields {
		lines = append(lines, strings.Join(append([]string{path}, list...), " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func typesOf(e element) string {
	var names []string
	for _, t := range e.Type {
		switch t.Code {
		case "BackboneElement", "Element":
			names = append(names, e.Path)
		case "http://hl7.org/fhirpath/System.String": // the id of an element or resource, the url of an extension
			names = append(names, "string")
		case "Reference", "canonical":
			names = append(names, t.Code+targets(t.TargetProfile))
		default:
			names = append(names, t.Code)
		}
	}
	if e.ContentReference != "" {
		names = append(names, strings.TrimPrefix(e.ContentReference, "#"))
	}
	text := strings.Join(names, "|")
	if e.Max != "0" && e.Max != "1" {
		text += "*"
	}
	if e.Min > 0 {
		text += "!"
	}
	if set := e.mustCodes(); set != "" {
		text += "=" + setName(set)
	}
	return text
}

// mustCodes is the canonical URL of the value set that the element's codes must be from: that of a required binding or,
// for a code, the largest one that a weaker binding admits. It is empty when there is none.
func (e element) mustCodes() string {
	set := ""
	if e.Binding.Strength == "required" {
		set = e.Binding.ValueSet
	}
	for _, x := range e.Binding.Extension {
		if strings.HasSuffix(x.URL, "/elementdefinition-maxValueSet") && len(e.Type) == 1 && e.Type[0].Code == "code" {
			set = x.ValueCanonical
		}
	}
	set, _, _ = strings.Cut(set, "|")
	return set
}

// targets lists the resource types that a reference may point to, in parentheses; nothing when any may be.
func targets(profiles []string) string {
	var names []string
	for _, p := range profiles {
		name, ok := strings.CutPrefix(p, "http://hl7.org/fhir/StructureDefinition/")
		if !ok || name == "Resource" {
			return ""
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "(" + strings.Join(names, ",") + ")"
}

func cutLast(path string) (parent, name string, ok bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}
