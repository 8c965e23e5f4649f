package oracle

import "strings"

// Facts are what one search parameter says about one resource.
type Facts struct {
	Present    bool // there is an element, even one that cannot be matched
	Tokens     []Token
	Texts      []Text
	Spans      []Span
	Quantities []Quantity
	Refs       []Ref
	URIs       []string
	Groups     [][]*Facts // of a composite: for each context, the facts of its components
}

// Token is a code or an identifier with what else the modifiers look at.
type Token struct {
	System, Code string
	HasSystem    bool     // it can have one: Coding, CodeableConcept, Identifier
	Fold         bool     // case does not matter: its type is string
	Types        []Token  // of an Identifier
	Words        []string // CodeableConcept.text, Coding.display, Identifier.type.text
	Item         int      // which of the parameter's values it belongs to: the codings of a concept are one
}

// Ref is a reference or canonical.
type Ref struct {
	Text       string // without its version, and relative where it begins with the hub's own URL
	Type, ID   string // of a relative reference
	Local      string // the id of a contained resource
	Canonical  bool
	Identifier []Token
}

// facts reads parameter p from the resource that ev runs on, beginning at focus.
func (ev evaluator) facts(p *Param, e *path, focus Node) *Facts {
	f := &Facts{}
	if e == nil {
		return f
	}
	nodes := ev.eval(e, focus)
	if p.Type == "composite" {
		for _, context := range nodes {
			group := make([]*Facts, len(p.components))
			for i, c := range p.components {
				group[i] = ev.facts(c.param, c.expr, context)
			}
			f.Groups = append(f.Groups, group)
		}
		f.Present = len(nodes) > 0
		return f
	}
	for _, n := range nodes {
		if n.Type == "Extension" {
			for _, v := range ev.children(n, "value") {
				ev.add(f, p, v)
			}
			continue
		}
		ev.add(f, p, n)
	}
	return f
}

// add reads one value. What a type of parameter has no rule for is passed over.
func (ev evaluator) add(f *Facts, p *Param, n Node) {
	if n.Value == nil { // a primitive that has extensions but no value is missing (search.html#modifiers)
		return
	}
	before := f.count()
	switch p.Type {
	case "token":
		first := len(f.Tokens)
		ev.addToken(f, n)
		for i := first; i < len(f.Tokens); i++ {
			f.Tokens[i].Item = first
		}
	case "string":
		f.addText(n)
	case "date":
		f.addDate(ev, n)
	case "number", "quantity":
		f.addQuantity(n)
	case "reference":
		ev.addRef(f, p, n)
	case "uri":
		if s := n.text(); s != "" {
			f.URIs = append(f.URIs, s)
		}
	}
	if f.count() > before || applies(p.Type, n.Type) || ev.defs.IsType(n.Type) {
		f.Present = true
	}
}

func (f *Facts) count() int {
	return len(f.Tokens) + len(f.Texts) + len(f.Spans) + len(f.Quantities) + len(f.Refs) + len(f.URIs)
}

// searchable are the element types that each type of parameter is defined for (search.html, one table a type).
var searchable = map[string]string{
	"token":     " Coding CodeableConcept Identifier ContactPoint code boolean uri string id String canonical oid ",
	"string":    " string HumanName Address markdown code id String ",
	"date":      " date dateTime instant Period Timing ",
	"number":    " integer positiveInt unsignedInt decimal Range ",
	"quantity":  " Quantity Age Duration Distance Count Money Range SampledData ",
	"reference": " Reference canonical uri ",
	"uri":       " uri url canonical oid uuid ",
}

func applies(param, typ string) bool { return strings.Contains(searchable[param], " "+typ+" ") }

func (ev evaluator) addToken(f *Facts, n Node) {
	if !applies("token", n.Type) {
		return
	}
	switch n.Type {
	case "CodeableConcept":
		for _, c := range ev.children(n, "coding") {
			ev.addToken(f, c)
		}
		if text := n.get("text"); text != "" {
			f.Tokens = append(f.Tokens, Token{HasSystem: true, Words: []string{text}})
		}
	case "Coding":
		t := Token{System: n.get("system"), Code: n.get("code"), HasSystem: true}
		if d := n.get("display"); d != "" {
			t.Words = []string{d}
		}
		f.Tokens = append(f.Tokens, t)
	case "Identifier":
		t := Token{System: n.get("system"), Code: n.get("value"), HasSystem: true}
		for _, kind := range ev.children(n, "type") {
			types := &Facts{}
			ev.addToken(types, kind)
			t.Types = types.Tokens
			if text := kind.get("text"); text != "" {
				t.Words = []string{text}
			}
		}
		f.Tokens = append(f.Tokens, t)
	case "ContactPoint":
		f.Tokens = append(f.Tokens, Token{Code: n.get("value")})
	case "code":
		f.Tokens = append(f.Tokens, Token{System: ev.defs.systemOf(n.Bound), Code: n.text()})
	case "string":
		f.Tokens = append(f.Tokens, Token{Code: n.text(), Fold: true})
	default:
		f.Tokens = append(f.Tokens, Token{Code: n.text()})
	}
}

func (ev evaluator) addRef(f *Facts, p *Param, n Node) {
	switch {
	case ev.defs.IsType(n.Type): // a resource inside another (Bundle.entry.resource)
		for _, t := range p.Targets {
			if t == n.Type {
				f.Refs = append(f.Refs, Ref{Text: n.Type + "/" + n.get("id"), Type: n.Type, ID: n.get("id")})
			}
		}
	case n.Type == "Reference":
		r := Ref{Text: n.get("reference")}
		r.Text, _, _ = strings.Cut(r.Text, "/_history/")
		if id, local := strings.CutPrefix(r.Text, "#"); local {
			r.Local = "#" + id
		} else if typ, id, ok := typeAndID(r.Text); ok && r.Text == typ+"/"+id && ev.defs.IsType(typ) {
			r.Type, r.ID = typ, id
		}
		for _, i := range ev.children(n, "identifier") {
			id := &Facts{}
			ev.addToken(id, i)
			r.Identifier = append(r.Identifier, id.Tokens...)
		}
		f.Refs = append(f.Refs, r)
	case applies("reference", n.Type) || n.Type == "url" || n.Type == "oid" || n.Type == "uuid":
		if s := n.text(); s != "" {
			f.Refs = append(f.Refs, Ref{Text: s, Canonical: true})
		}
	}
}
