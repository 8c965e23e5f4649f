package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

type valueSet struct {
	URL     string
	Compose struct{ Include, Exclude []include }
}

type include struct {
	System   string
	Concept  []concept
	Filter   []struct{ Property string }
	ValueSet []string
}

type codeSystem struct {
	URL, Content string
	Concept      []concept
}

type concept struct {
	Code    string
	Concept []concept
}

// bindingLines writes the value sets that elements are bound to. One that a filter defines has its system and no codes, one
// that is not among the definitions no system either; one made of other value sets is an error.
func bindingLines(from string, structures []structure) (string, error) {
	sets, err := readAll[valueSet](from, "ValueSet")
	if err != nil {
		return "", err
	}
	systems, err := readAll[codeSystem](from, "CodeSystem")
	if err != nil {
		return "", err
	}
	bound := map[string]string{} // canonical URLs by name
	for _, s := range structures {
		for _, e := range s.Snapshot.Element {
			url := e.mustCodes()
			if name := setName(url); url != "" && cmp.Or(bound[name], url) != url {
				return "", fmt.Errorf("%s and %s have the same name", bound[name], url)
			} else if url != "" {
				bound[name] = url
			}
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(bound)) {
		fields := []string{name}
		at := slices.IndexFunc(sets, func(s valueSet) bool { return s.URL == bound[name] })
		if at >= 0 {
			if len(sets[at].Compose.Exclude) > 0 {
				return "", fmt.Errorf("%s excludes codes", bound[name])
			}
			for _, in := range sets[at].Compose.Include {
				field, err := in.codes(systems)
				if err != nil {
					return "", fmt.Errorf("%s: %w", bound[name], err)
				}
				fields = append(fields, field)
			}
		}
		lines = append(lines, strings.Join(fields, "\t"))
	}
	return strings.Join(lines, "\n"), nil
}

// codes is the system and its codes, separated by spaces.
func (in include) codes(systems []codeSystem) (string, error) {
	if in.System == "" || len(in.ValueSet) > 0 {
		return "", fmt.Errorf("it includes other value sets")
	}
	fields := []string{in.System}
	if len(in.Filter) > 0 {
		return in.System, nil
	}
	add := func(list []concept) {
		for _, c := range list {
			fields = append(fields, c.Code)
		}
	}
	if add(in.Concept); len(in.Concept) == 0 {
		for _, s := range systems {
			if s.URL == in.System && s.Content == "complete" {
				add(flat(s.Concept))
			}
		}
	}
	for _, f := range fields {
		if strings.ContainsAny(f, " \t`") {
			return "", fmt.Errorf("code %q cannot be written", f)
		}
	}
	return strings.Join(fields, " "), nil
}

func flat(list []concept) []concept {
	var all []concept
	for _, c := range list {
		all = append(append(all, c), flat(c.Concept)...)
	}
	return all
}

// setName is the last step of a value set's canonical URL.
func setName(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }
