package hl7map

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // rules name zones, and the host may know none

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/internal/hl7"
)

// Rules are rules that were read and linted. They are not changed any more, and may be used by many at once.
type Rules struct {
	everybody *set
	members   map[string]*set
}

// set is the rules of one member, or of everybody.
type set struct {
	digest    string
	zone      *time.Location
	tables    map[string]*table
	templates map[string]*template
	rules     map[string]*rule
	messages  map[string]*message // by type: ORU^R01, or ORU for all of its events
	pass      map[spot]bool       // fields and segments that are not told as unread
}

// template makes objects of a type.
type template struct {
	name, typ string
	body      *object
}

// rule makes resources.
type rule struct {
	name, typ, group string
	each             *path
	when             cond
	id, part         []*expr
	distinct         bool
	at               *path
	display          *expr
	yields           []yield
	body             *object
}

// yield is an element that gives way to what is there already, where a condition holds: it is no more than a guess then.
type yield struct {
	element string
	when    cond
}

// message is what is made of a type of messages.
type message struct {
	name, version string
	root          *groupKind
	rules         []*rule
}

// Load reads rules; later files are laid over earlier ones, those of a member over those of everybody. The error is
// hub.Faults, each with file:line in Path.
func Load(files []File) (*Rules, error) {
	src := &source{names: map[*yaml.Node]string{}}
	var base *yaml.Node
	var common []File
	of := map[string][]File{}
	for _, f := range files {
		if f.Member != "" {
			of[f.Member] = append(of[f.Member], f)
			continue
		}
		common = append(common, f)
		if root := src.read(f); root != nil {
			base = src.lay(base, root)
		}
	}
	rules := &Rules{everybody: src.compile(base, common), members: map[string]*set{}}
	if len(src.faults) > 0 {
		return nil, src.faults
	}
	for _, m := range slices.Sorted(maps.Keys(of)) {
		tree := base
		for _, f := range of[m] {
			if root := src.read(f); root != nil {
				tree = src.lay(tree, root)
			}
		}
		rules.members[m] = src.compile(tree, slices.Concat(common, of[m]))
	}
	if len(src.faults) > 0 {
		return nil, src.faults
	}
	return rules, nil
}

// Members are those that have rules of their own, sorted.
func (r *Rules) Members() []string { return slices.Sorted(maps.Keys(r.members)) }

func (r *Rules) of(member string) *set {
	if s, ok := r.members[member]; ok {
		return s
	}
	return r.everybody
}

// Names are the names and versions of the rules of a member, as Result.Rules has them, by message type, sorted.
func (r *Rules) Names(member string) []string {
	s := r.of(member)
	var list []string
	for typ, m := range s.messages {
		list = append(list, typ+" "+m.name+"@"+m.version+"+"+s.digest)
	}
	slices.Sort(list)
	return list
}

// Map makes resources of a message by the rules of the member. A message of a type that no rules are for is an error of
// kind Unsupported, with MSH-9 in Path. All other faults are in the result.
func (r *Rules) Map(m *hl7.Message, o Options) (*Result, error) {
	s := r.of(o.Member)
	h := m.Header()
	if typ, event, ok := strings.Cut(h.Type, "_"); ok && h.Event == "" { // ORU_R01, as some write it
		h.Type, h.Event = typ, event
	}
	msg := s.messages[h.Type+"^"+h.Event]
	if msg == nil {
		msg = s.messages[h.Type]
	}
	if msg == nil {
		hint := "add one to the messages of the mappings"
		if queries[h.Type] {
			hint = "this is a question: the hub answers those in FHIR, not in HL7 v2"
		}
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "MSH-9", Msg: "no rules are for messages of this type", Hint: hint}
	}
	return s.run(m, msg, o).result(), nil
}

// queries are the types of messages that ask and tell nothing (HL7 v2 chapter 5, and the older ones of chapters 2 and 4).
var queries = map[string]bool{"QBP": true, "QRY": true, "QCN": true, "QSB": true, "QVR": true, "OSQ": true, "VQQ": true, "SPQ": true, "EQQ": true, "RQQ": true, "VXQ": true, "SQM": true}

// run begins the mapping of a message.
func (s *set) run(m *hl7.Message, msg *message, o Options) *run {
	r := &run{m: m, set: s, message: msg, member: o.Member, control: m.Header().Control, zone: s.zone,
		named: map[string][]int{}, byName: map[string][]*hl7.Segment{}, made: map[string][]instance{}, beside: map[around][]instance{}, apart: map[around][]int{},
		called: map[calling]answer{}, said: map[hub.Name]string{}, chosen: map[*pipe]map[string][]instance{}, uris: map[[2]string]string{},
		out: make([]byte, 0, 4<<10)}
	if r.zone == nil {
		r.zone = o.Zone
	}
	if r.zone == nil {
		r.zone = time.UTC
	}
	return r
}

// compiler makes a set of a tree.
type compiler struct {
	*source
	tables    map[string]*table
	templates map[string]*template
	rules     map[string]*rule
	bodies    map[string]*yaml.Node // of templates, for $use
	using     []string              // templates whose members are being taken over
}

func (c *compiler) isRule(name string) bool { return c.rules[name] != nil }

// compile reads a whole tree.
func (s *source) compile(tree *yaml.Node, files []File) *set {
	c := &compiler{source: s, tables: map[string]*table{}, templates: map[string]*template{}, rules: map[string]*rule{}, bodies: map[string]*yaml.Node{}}
	out := &set{digest: digest(files), tables: c.tables, templates: c.templates, rules: c.rules, messages: map[string]*message{}, pass: map[spot]bool{}}
	for k, v := range s.pairs(tree, "a file of rules") {
		switch k.Value {
		case "zone":
			zone, err := time.LoadLocation(v.Value)
			if err != nil || v.Value == "" || v.Value == "Local" {
				s.fault(v, "such as Asia/Shanghai", "%q is no time zone", v.Value)
			}
			out.zone = zone
		case "pass-over":
			for _, place := range s.texts(v) {
				p, ok := parsePath(place)
				if !ok || p.segment == "" {
					s.fault(v, "such as OBX-1 or EVN", "%q is no field and no segment", place)
				}
				if ok {
					out.pass[spot{p.segment, p.field}] = true
				}
			}
		case "source", "note", "tables", "templates", "resources", "messages":
		default:
			s.fault(k, "one of zone, pass-over, tables, templates, resources, messages, source, note", "rules have no %q", k.Value)
		}
	}
	for k, v := range s.pairs(member(tree, "tables"), "tables") {
		c.tables[k.Value] = s.table(k.Value, v)
	}
	for k, v := range s.pairs(member(tree, "templates"), "templates") {
		t := &template{name: k.Value}
		if n := member(v, "$type"); n != nil {
			t.typ = n.Value
		}
		if !complexType(t.typ) {
			s.fault(v, `such as "$type: Identifier"`, "template %s does not say which FHIR type it makes", k.Value)
			continue
		}
		if _, taken := converters[k.Value]; taken {
			s.fault(k, "", "%s is the name of a step", k.Value)
		}
		c.templates[k.Value], c.bodies[k.Value] = t, v
	}
	for k := range s.pairs(member(tree, "resources"), "resources") {
		c.rules[k.Value] = &rule{name: k.Value}
	}
	for k, v := range s.pairs(member(tree, "resources"), "resources") {
		c.rule(c.rules[k.Value], v)
	}
	for _, t := range c.templates {
		t.body = &object{typ: t.typ}
	}
	for k, v := range s.pairs(member(tree, "templates"), "templates") {
		if t := c.templates[k.Value]; t != nil {
			*t.body = *c.object(v, t.typ)
		}
	}
	messages := member(tree, "messages")
	for k, v := range s.pairs(messages, "messages") {
		c.message(out, k, c.like(messages, v, 0))
	}
	return out
}

// rule reads one resource rule.
func (c *compiler) rule(r *rule, n *yaml.Node) {
	r.group = "MESSAGE"
	if t := member(n, "type"); t != nil {
		r.typ = t.Value
	}
	if !complexType(r.typ) || strings.Contains(r.typ, ".") {
		c.fault(n, "such as Patient", "resource rule %s does not say which resource it makes", r.name)
		return
	}
	for k, v := range c.pairs(n, "a resource rule") {
		switch k.Value {
		case "type", "note":
		case "for":
			r.group = v.Value
		case "each":
			r.each = c.path(v)
		case "when":
			r.when = c.cond(v)
		case "id":
			r.id = c.exprs(v)
		case "part":
			r.part = c.exprs(v)
		case "distinct":
			r.distinct = v.Value == "true"
		case "at":
			r.at = c.path(v)
		case "display":
			r.display = c.expr(v, "")
		case "yields":
			for element, when := range c.pairs(v, "yields") {
				r.yields = append(r.yields, yield{element.Value, c.cond(when)})
			}
		case "body":
			r.body = c.object(v, r.typ)
		default:
			c.fault(k, "one of type, for, each, when, id, distinct, part, at, display, body, note", "a resource rule has no %q", k.Value)
		}
	}
	if len(r.id) == 0 {
		c.fault(n, "such as id: [PID-3 | key]", "resource rule %s has no id", r.name)
	}
	if r.body == nil {
		c.fault(n, "", "resource rule %s has no body", r.name)
		r.body = &object{}
	}
}

func (c *compiler) exprs(n *yaml.Node) (list []*expr) {
	for _, text := range c.texts(n) {
		e, err := c.parseExpr(text, "")
		if err != nil {
			c.fault(n, "", "%s: %v", text, err)
			continue
		}
		list = append(list, e)
	}
	return list
}

func (c *compiler) expr(n *yaml.Node, typ string) *expr {
	if n.Kind != yaml.ScalarNode {
		c.fault(n, "", "an expression is due")
		return &expr{typ: typ}
	}
	e, err := c.parseExpr(n.Value, typ)
	if err != nil {
		c.fault(n, "", "%s: %v", n.Value, err)
		return &expr{typ: typ}
	}
	return e
}

func (c *compiler) cond(n *yaml.Node) cond {
	got, err := parseCond(n.Value, c.isRule)
	if err != nil {
		c.fault(n, "", "condition %q: %v", n.Value, err)
		return allOf{}
	}
	return got
}

// path reads a path with its "where".
func (c *compiler) path(n *yaml.Node) *path {
	at, where, filtered := strings.Cut(n.Value, " where ")
	p, ok := parsePath(strings.TrimSpace(at))
	if !ok {
		c.fault(n, "such as PID-5.1, .2 or NTE", "%q is no path", n.Value)
		return &path{}
	}
	if filtered {
		got, err := parseCond(where, c.isRule)
		if err != nil {
			c.fault(n, "", "condition %q: %v", where, err)
		}
		p.where = got
	}
	return p
}

// like lays a message over the one that it is like.
func (c *compiler) like(messages, n *yaml.Node, depth int) *yaml.Node {
	l := member(n, "like")
	if l == nil {
		return n
	}
	base := member(messages, l.Value)
	if base == nil || depth > maxDepth {
		c.fault(l, "", "no message is called %q", l.Value)
		return n
	}
	own := *n
	own.Content = slices.Clone(n.Content)
	own.Content = slices.Delete(own.Content, indexOf(&own, "like"), indexOf(&own, "like")+2)
	c.names[&own] = c.names[n]
	return c.lay(c.like(messages, base, depth+1), &own)
}

// message reads what is made of a type of messages.
func (c *compiler) message(out *set, name, n *yaml.Node) {
	m := &message{name: name.Value}
	kinds := map[string]*groupKind{}
	for k, v := range c.pairs(n, "a message") {
		switch k.Value {
		case "version":
			m.version = v.Value
		case "for":
			for _, typ := range c.texts(v) {
				if other := out.messages[typ]; other != nil {
					c.fault(v, "", "%s is mapped by %s, too", typ, other.name)
				}
				out.messages[typ] = m
			}
		case "groups":
			c.groups(v, kinds)
		case "resources":
			for _, rule := range c.texts(v) {
				if c.rules[rule] == nil {
					c.fault(v, "", "no resource rule is called %q", rule)
					continue
				}
				m.rules = append(m.rules, c.rules[rule])
			}
		case "note":
		default:
			c.fault(k, "one of version, for, like, groups, resources, note", "a message has no %q", k.Value)
		}
	}
	if m.version == "" {
		c.fault(n, "such as version: 1", "message %s has no version", m.name)
	}
	if m.root = kinds["MESSAGE"]; m.root == nil {
		c.fault(n, "", "message %s has no group MESSAGE", m.name)
		return
	}
	for i, r := range m.rules {
		if kinds[r.group] == nil {
			c.fault(n, "", "message %s has resource rule %s, but no group %s", m.name, r.name, r.group)
		}
		if slices.Contains(m.rules[:i], r) {
			c.fault(n, "", "message %s has resource rule %s twice", m.name, r.name)
		}
		for _, e := range r.id {
			for _, p := range e.pipes {
				if p.refs != "" && c.rules[p.refs].group != "" && slices.Contains(m.rules[i:], c.rules[p.refs]) {
					c.fault(n, "put "+p.refs+" first", "the id of %s needs %s, which is not known yet", r.name, p.refs)
				}
			}
		}
	}
}

func (c *compiler) groups(n *yaml.Node, kinds map[string]*groupKind) {
	for k := range c.pairs(n, "groups") {
		kinds[k.Value] = &groupKind{name: k.Value, may: map[string]bool{}}
	}
	for k, v := range c.pairs(n, "groups") {
		g := kinds[k.Value]
		for key, list := range c.pairs(v, "a group") {
			switch key.Value {
			case "begins":
				g.begins = c.texts(list)
				for _, s := range g.begins {
					g.may[s] = true
				}
			case "has":
				for _, s := range c.texts(list) {
					g.may[s] = true
				}
			case "holds":
				for _, name := range c.texts(list) {
					if kinds[name] == nil {
						c.fault(list, "", "no group is called %q", name)
						continue
					}
					g.holds = append(g.holds, kinds[name])
				}
			case "joins":
				g.joins = &join{}
				for part, v := range c.pairs(list, "joins") {
					switch part.Value {
					case "when":
						g.joins.when = c.cond(v)
					case "same":
						for _, text := range c.texts(v) {
							p, ok := parsePath(text)
							if !ok {
								c.fault(v, "", "%q is no path", text)
								continue
							}
							g.joins.same = append(g.joins.same, p)
						}
					default:
						c.fault(part, "one of when, same", "joins has no %q", part.Value)
					}
				}
			default:
				c.fault(key, "one of begins, has, holds, joins", "a group has no %q", key.Value)
			}
		}
		if len(g.begins) == 0 && k.Value != "MESSAGE" {
			c.fault(k, "", "group %s begins with nothing", k.Value)
		}
	}
}

// describe names a type in faults.
func describe(typ, key string) string { return fmt.Sprintf("%s.%s", typ, key) }
