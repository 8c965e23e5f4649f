package hl7map

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"concord/hub"
)

// source is files laid over each other, and what is wrong with them.
type source struct {
	names  map[*yaml.Node]string // the files that nodes come from
	faults hub.Faults
}

// maxDepth is how deep rules may be nested, and how deep templates and rules may call each other.
const maxDepth = 48

func (s *source) fault(n *yaml.Node, hint, format string, args ...any) {
	path := s.names[n]
	if n != nil && n.Line > 0 {
		path = fmt.Sprintf("%s:%d", path, n.Line)
	}
	s.faults = append(s.faults, &hub.Error{Kind: hub.Invalid, Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// read parses one file; nil if it is empty or broken.
func (s *source) read(f File) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal(f.Data, &doc); err != nil {
		s.faults = append(s.faults, &hub.Error{Kind: hub.Invalid, Path: f.Name, Msg: "read the rules", Err: err})
		return nil
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	s.adopt(root, f.Name, 0)
	if root.Kind != yaml.MappingNode {
		s.fault(root, "", "rules are a mapping: tables, templates, resources, messages")
		return nil
	}
	return root
}

// adopt notes a file's nodes and refuses what would make them ambiguous.
func (s *source) adopt(n *yaml.Node, file string, depth int) {
	s.names[n] = file
	switch {
	case depth > maxDepth:
		s.fault(n, "", "rules are nested deeper than %d", maxDepth)
		n.Content = nil
	case n.Kind == yaml.AliasNode:
		s.fault(n, "name a template with $use instead", "aliases are not read in rules")
		n.Kind, n.Tag, n.Alias = yaml.ScalarNode, "!!null", nil
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := n.Content[i]; seen[k.Value] {
				s.names[k] = file
				s.fault(k, "", "%q is there twice", k.Value)
			}
			seen[n.Content[i].Value] = true
		}
	}
	for _, c := range n.Content {
		s.adopt(c, file, depth+1)
	}
}

// lay lays over onto base: neither is changed.
func (s *source) lay(base, over *yaml.Node) *yaml.Node {
	switch {
	case base == nil:
		base = &yaml.Node{Kind: yaml.MappingNode}
	case over == nil:
		return base
	}
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	out := *base
	out.Content = slices.Clone(base.Content)
	s.names[&out] = s.names[over]
	out.Line = over.Line
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, v := over.Content[i], over.Content[i+1]
		name, adds := strings.CutSuffix(key.Value, "+")
		if v.Kind != yaml.SequenceNode {
			name, adds = key.Value, false
		}
		at := indexOf(&out, name)
		switch {
		case adds && at >= 0 && out.Content[at+1].Kind == yaml.SequenceNode:
			list := *out.Content[at+1]
			list.Content = append(slices.Clone(list.Content), v.Content...)
			s.names[&list] = s.names[v]
			out.Content[at+1] = &list
		case adds:
			s.fault(key, "", "%q is no list that is there, so nothing can be added to it", name)
		case v.Tag == "!!null" && at >= 0:
			out.Content = slices.Delete(out.Content, at, at+2)
		case at >= 0:
			out.Content[at+1] = s.lay(out.Content[at+1], v)
		default:
			out.Content = append(out.Content, key, s.lay(bare(v), v))
		}
	}
	return &out
}

// bare is an empty mapping for a mapping, so that what is added is read like what is laid over.
func bare(v *yaml.Node) *yaml.Node {
	if v.Kind != yaml.MappingNode {
		return v
	}
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: v.Line}
}

func indexOf(m *yaml.Node, key string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// member is the value of a key; nil if it is not there.
func member(m *yaml.Node, key string) *yaml.Node {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	if i := indexOf(m, key); i >= 0 {
		return m.Content[i+1]
	}
	return nil
}

// pairs yields the members of a mapping. Anything else has none, which is a fault.
func (s *source) pairs(m *yaml.Node, what string) func(func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		if m == nil || m.Tag == "!!null" {
			return
		}
		if m.Kind != yaml.MappingNode {
			s.fault(m, "", "%s is a mapping", what)
			return
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if !yield(m.Content[i], m.Content[i+1]) {
				return
			}
		}
	}
}

// texts are a list of texts, or one.
func (s *source) texts(n *yaml.Node) []string {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.ScalarNode:
		return []string{n.Value}
	case n.Kind != yaml.SequenceNode:
		s.fault(n, "", "this is a list of names")
		return nil
	}
	var list []string
	for _, c := range n.Content {
		if c.Kind != yaml.ScalarNode {
			s.fault(c, "", "this is a name")
			continue
		}
		list = append(list, c.Value)
	}
	return list
}

// digest names the files of one member's rules.
func digest(files []File) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%d\x00", len(f.Data))
		h.Write(f.Data)
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}
