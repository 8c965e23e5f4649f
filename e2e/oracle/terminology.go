package oracle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// codes is a set of system|code.
type codes map[string]bool

// codeSystem is a hierarchy: each code's parents.
type codeSystem struct {
	parents map[string][]string
	whole   bool
}

type concept struct {
	Code     string
	Concept  []concept
	Property []struct{ Code, ValueCode string }
}

// systemOf is the one code system of a value set, empty when it has several.
func (d *Definitions) systemOf(valueSet string) string {
	if valueSet == "" {
		return ""
	}
	system := ""
	for c := range d.ValueSet(valueSet) {
		s, _, _ := strings.Cut(c, "|")
		if system != "" && s != system {
			return ""
		}
		system = s
	}
	return system
}

// ValueSet lists a value set of the specification; nil when it is not there or cannot be listed.
func (d *Definitions) ValueSet(url string) codes {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.valueSet(url)
}

func (d *Definitions) valueSet(url string) codes {
	url, _, _ = strings.Cut(url, "|")
	if set, known := d.valueSets[url]; known {
		return set
	}
	d.valueSets[url] = nil // one that includes itself ends here
	type part struct {
		System   string
		Concept  []concept
		ValueSet []string
		Filter   []struct{ Property, Op, Value string }
	}
	var vs struct {
		URL     string
		Compose struct{ Include, Exclude []part }
	}
	if !d.read("ValueSet", url, &vs) || vs.URL != url {
		return nil
	}
	list := func(p part) codes {
		set := codes{}
		for _, c := range p.Concept {
			set[p.System+"|"+c.Code] = true
		}
		if p.System != "" && len(p.Concept) == 0 {
			cs := d.codeSystem(p.System)
			if cs == nil || !cs.whole {
				return nil
			}
			for code := range cs.parents {
				fits := true
				for _, f := range p.Filter {
					if f.Op != "is-a" || f.Property != "concept" {
						return nil
					}
					fits = fits && cs.under(code, f.Value)
				}
				if fits {
					set[p.System+"|"+code] = true
				}
			}
		}
		for _, v := range p.ValueSet {
			other := d.valueSet(v)
			if other == nil {
				return nil
			}
			if p.System == "" {
				for c := range other {
					set[c] = true
				}
			}
		}
		return set
	}
	set := codes{}
	for _, p := range vs.Compose.Include {
		part := list(p)
		if part == nil {
			return nil
		}
		for c := range part {
			set[c] = true
		}
	}
	for _, p := range vs.Compose.Exclude {
		for c := range list(p) {
			delete(set, c)
		}
	}
	d.valueSets[url] = set
	return set
}

// CodeSystem reads a code system of the specification; nil when it is not there.
func (d *Definitions) CodeSystem(url string) *codeSystem {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.codeSystem(url)
}

func (d *Definitions) codeSystem(url string) *codeSystem {
	if cs, known := d.systems[url]; known {
		return cs
	}
	d.systems[url] = nil
	var file struct {
		URL, Content string
		Concept      []concept
	}
	if !d.read("CodeSystem", url, &file) || file.URL != url {
		return nil
	}
	cs := &codeSystem{parents: map[string][]string{}, whole: file.Content == "complete"}
	var walk func(list []concept, parent string)
	walk = func(list []concept, parent string) {
		for _, c := range list {
			if _, known := cs.parents[c.Code]; !known {
				cs.parents[c.Code] = nil
			}
			if parent != "" {
				cs.parents[c.Code] = append(cs.parents[c.Code], parent)
			}
			for _, p := range c.Property {
				if p.Code == "subsumedBy" {
					cs.parents[c.Code] = append(cs.parents[c.Code], p.ValueCode)
				}
			}
			walk(c.Concept, c.Code)
		}
	}
	walk(file.Concept, "")
	d.systems[url] = cs
	return cs
}

// under reports whether code is ancestor or below it.
func (cs *codeSystem) under(code, ancestor string) bool {
	if code == ancestor {
		return true
	}
	for _, p := range cs.parents[code] {
		if p != code && cs.under(p, ancestor) {
			return true
		}
	}
	return false
}

// read finds the file of a canonical URL by the id it usually ends in.
func (d *Definitions) read(typ, url string, into any) bool {
	id := url[strings.LastIndexByte(url, '/')+1:]
	for _, name := range []string{id, "v2-" + id, "v3-" + id} {
		data, err := os.ReadFile(filepath.Join(d.folder, typ+"-"+name+".json"))
		if err == nil {
			return json.Unmarshal(data, into) == nil
		}
	}
	return false
}
