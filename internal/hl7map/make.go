package hl7map

import (
	"concord/hub"
	"concord/internal/hl7"
)

// maker makes values of one element.
type maker interface {
	// make appends values in JSON, all or the first that comes to something, and says how many.
	make(r *run, c context, all bool) int
	// constant tells whether they come from the rules alone.
	constant() bool
	// from is the paths without which it makes nothing; known is false where it may come from elsewhere: other resources,
	// variables, the value at hand.
	from() (paths []*path, known bool)
}

// list is several makers.
type list []maker

func (l list) make(r *run, c context, all bool) int {
	n := 0
	for _, m := range l {
		n += m.make(r, c, all)
		if n > 0 && !all {
			break
		}
	}
	return n
}

func (l list) constant() bool {
	for _, m := range l {
		if !m.constant() {
			return false
		}
	}
	return true
}

// object makes objects of a type.
type object struct {
	typ   string
	each  *path
	when  cond
	value *expr // instead of members
	block
}

// block is members, and those that depend on a value.
type block struct {
	members []element
	choice  *choice
	need    string // the member without which there is no object
	fixed   bool   // all of it is constant
}

// element is one member of an object.
type element struct {
	key   string // as written: "code":
	name  string
	many  bool
	maker maker
	fixed bool
	from  []*path // without a value at one of these there is no such member; none: unknown
}

// choice is $switch.
type choice struct {
	on    *path
	cases map[string][]guarded
	other []guarded
}

type guarded struct {
	when cond
	block
}

func (o *object) constant() bool {
	if o.each != nil || o.when != nil {
		return false
	}
	if o.value != nil {
		return o.value.constant()
	}
	return o.fixed
}

func (o *object) make(r *run, c context, all bool) int {
	if o.each == nil {
		return o.one(r, c, all)
	}
	n := 0
	o.each.contexts(r, c, func(at context) bool {
		n += o.one(r, at, all)
		return all || n == 0
	})
	return n
}

func (o *object) one(r *run, c context, all bool) int {
	if o.when != nil && !o.when.holds(r, c) {
		return 0
	}
	if o.value != nil {
		return o.value.make(r, c, all)
	}
	if r.depth++; r.depth > maxDepth {
		r.depth--
		return 0
	}
	defer func() { r.depth-- }()
	mark := len(r.out)
	r.separate()
	r.out = append(r.out, '{')
	if !o.block.write(r, c, nil) && !o.fixed {
		r.out = r.out[:mark]
		return 0
	}
	r.out = append(r.out, '}')
	return 1
}

// write appends the members, and tells whether any comes from the message. cleared is told of those that were sent empty.
func (b *block) write(r *run, c context, cleared *[]string) (any bool) {
	needed := b.need == ""
	for i := range b.members {
		m := &b.members[i]
		if m.from != nil && r.missing(m.from, c) {
			continue
		}
		mark := len(r.out)
		r.separate()
		r.out = append(r.out, m.key...)
		r.null = false
		if m.many {
			r.out = append(r.out, '[')
		}
		n := m.maker.make(r, c, m.many)
		if n == 0 {
			r.out = r.out[:mark]
			if cleared != nil && r.null {
				*cleared = append(*cleared, m.name)
			}
			continue
		}
		if m.many {
			r.out = append(r.out, ']')
		}
		any = any || !m.fixed
		needed = needed || m.name == b.need
	}
	if !needed {
		return false
	}
	if b.choice != nil {
		any = b.choice.write(r, c) || any
	}
	return any
}

func (w *choice) write(r *run, c context) bool {
	found := w.other
	w.on.values(r, c, func(v hl7.Value) bool {
		if list, ok := w.cases[v.Text()]; ok {
			found = list
			r.reads(v, false)
		}
		return false
	})
	for i := range found {
		if g := &found[i]; g.when == nil || g.when.holds(r, c) {
			return g.write(r, c, nil)
		}
	}
	return false
}

func (e *expr) make(r *run, c context, all bool) int {
	for _, p := range e.pipes {
		if n := p.make(r, c, e.typ, all); n > 0 {
			return n
		}
	}
	return 0
}

func (p *pipe) make(r *run, c context, typ string, all bool) (n int) {
	switch {
	case p.refs != "":
		for _, one := range r.referred(p, c) {
			r.refer(typ, one.name, "")
			if n++; !all {
				break
			}
		}
		return n
	case p.path == nil:
		s, ok := p.constantText(r, c), true
		for _, st := range p.steps {
			if s, ok = st.convert.do(r, hl7.Value{}, s, st.arg); !ok {
				return 0
			}
		}
		return count(p.put(r, c, typ, s, hl7.Value{}))
	case p.joined != nil:
		return count(p.put(r, c, typ, p.together(r, c), hl7.Value{}))
	}
	p.path.values(r, c, func(v hl7.Value) bool {
		if p.one(r, c, typ, v) {
			n++
		}
		return all || n == 0
	})
	return n
}

// one makes one value of one of the message's.
func (p *pipe) one(r *run, c context, typ string, v hl7.Value) bool {
	if v.Null() {
		r.null = true
		r.reads(v, true)
		return false
	}
	switch {
	case p.with != nil:
		c.value = v
		return p.with.body.one(r, c, false) > 0
	case p.by != nil:
		c.value = v
		return r.call(p.by, typ, c)
	}
	s, ok := p.convert(r, v)
	if !ok || !p.put(r, c, typ, s, v) {
		return false
	}
	r.reads(v, p.whole)
	return true
}

// together is all values as one text.
func (p *pipe) together(r *run, c context) string {
	var b []byte
	n := 0
	p.path.values(r, c, func(v hl7.Value) bool {
		if v.Null() {
			r.null = true
			return true
		}
		if s, ok := p.convert(r, v); ok {
			if n++; n > 1 {
				b = append(b, *p.joined...)
			}
			b = append(b, s...)
			r.reads(v, p.whole)
		}
		return true
	})
	return string(b)
}

// put writes a text as a value of the element's type, through the table if there is one.
func (p *pipe) put(r *run, c context, typ, s string, v hl7.Value) bool {
	if s == "" {
		return false
	}
	if p.table == nil {
		return r.primitive(typ, s, v)
	}
	e, ok := p.table.find(s)
	if !ok {
		if p.table.other == nil {
			r.unmapped(p.table.name, s, v)
			return false
		}
		e = *p.table.other
	}
	switch {
	case e.code == "":
		r.reads(v, false)
		return false
	case !p.coding:
		return r.primitive(typ, e.code, v)
	}
	r.separate()
	r.out = append(r.out, '{')
	if e.system != "" {
		r.out = appendString(append(r.out, `"system":`...), e.system)
		r.out = append(r.out, ',')
	}
	r.out = appendString(append(r.out, `"code":`...), e.code)
	if e.display != "" {
		r.out = appendString(append(r.out, `,"display":`...), e.display)
	}
	r.out = append(r.out, '}')
	return true
}

func count(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

// refer writes a reference, as the element's type has it.
func (r *run) refer(typ string, to hub.Name, display string) {
	r.separate()
	if typ != "Reference" {
		r.out = appendString(r.out, to.String())
		return
	}
	r.out = append(r.out, '{')
	if to.ID != "" {
		r.out = append(append(append(r.out, `"reference":"`...), to.Type...), '/')
		r.out = append(append(r.out, to.ID...), '"')
	}
	if display != "" {
		r.separate()
		r.out = appendString(append(r.out, `"display":`...), display)
	}
	r.out = append(r.out, '}')
}

// separate writes a comma between two values.
func (r *run) separate() {
	if n := len(r.out); n > 0 {
		switch r.out[n-1] {
		case '{', '[', ':':
		default:
			r.out = append(r.out, ',')
		}
	}
}
