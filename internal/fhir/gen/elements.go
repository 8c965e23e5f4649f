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
	Type                        []struct {
		Code          string
		TargetProfile []string
	}
	Binding struct{ Strength, ValueSet string }
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

// readSystems finds the value sets that draw from exactly one code system.
func readSystems(from string) (map[string]string, error) {
	type valueSet struct {
		URL     string
		Compose struct {
			Include []struct {
				System   string
				ValueSet []string
			}
		}
	}
	sets, err := readAll[valueSet](from, "ValueSet")
	if err != nil {
		return nil, err
	}
	systems := map[string]string{}
	for _, s := range sets {
		if in := s.Compose.Include; len(in) == 1 && len(in[0].ValueSet) == 0 && in[0].System != "" {
			systems[s.URL] = in[0].System
		}
	}
	return systems, nil
}

func elementLines(all []structure, systems map[string]string) string {
	fields := map[string][]string{}
	for _, s := range all {
		for _, e := range s.Snapshot.Element {
			parent, name, nested := cutLast(e.Path)
			if !nested {
				fields[e.Path] = append(fields[e.Path], []string{}...)
				continue
			}
			fields[parent] = append(fields[parent], name+":"+typesOf(e, systems))
		}
	}
	var lines []string
	for path, list := range fields {
		lines = append(lines, strings.Join(append([]string{path}, list...), " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func typesOf(e element, systems map[string]string) string {
	var names []string
	for _, t := range e.Type {
		switch t.Code {
		case "BackboneElement", "Element":
			names = append(names, e.Path)
		case "http://hl7.org/fhirpath/System.String":
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
	set, _, _ := strings.Cut(e.Binding.ValueSet, "|")
	if system := systems[set]; text == "code" && e.Binding.Strength == "required" && system != "" {
		text += "@" + system
	}
	return text
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
