package hl7map

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/hl7"
)

// run is the mapping of one message.
type run struct {
	m       *hl7.Message
	set     *set
	message *message
	member  string
	control string
	zone    *time.Location

	groups []group
	named  map[string][]int          // the groups of a name, once asked for
	byName map[string][]*hl7.Segment // the segments of a name
	made   map[string][]instance     // the resources of a rule, in the order of their groups
	beside map[around][]instance     // of these, what is not in a group of a kind
	apart  map[around][]int          // likewise groups
	chosen map[*pipe]map[string][]instance
	uris   map[[2]string]string // of names, by table

	self   hub.Name // of the resource that is being made: nothing refers to itself
	out    []byte   // JSON of what is being made
	null   bool     // the null value was met
	depth  int
	called map[calling]answer
	alone  bool                // nothing but the value at hand has been looked at
	said   map[hub.Name]string // the bodies of those made for references

	resources []Resource
	aside     []Resource // made for references
	codes     []Code
	faults    hub.Faults
	read      reading
}

// instance is one resource of a rule that is to be made.
type instance struct {
	name hub.Name
	at   context
}

// calling is a rule on a value. What a rule makes of the value alone it makes wherever that is: group is −1 then.
type calling struct {
	rule  *rule
	raw   string
	group int
}

// answer is what a rule made of a value; no reference if there is no name and nothing to display.
type answer struct {
	name    hub.Name
	display string
}

// The most that is told of what is wrong with one message.
const (
	maxFaults   = 100
	maxUnmapped = 1000
)

func (r *run) result() *Result {
	for i := range r.m.Segments {
		s := &r.m.Segments[i]
		r.byName[s.Name] = append(r.byName[s.Name], s)
	}
	r.read.begin(r.m)
	r.arrange(r.message.root)
	for _, ru := range r.message.rules {
		r.identify(ru)
	}
	for _, ru := range r.message.rules {
		for _, one := range r.made[ru.name] {
			r.resources = append(r.resources, r.build(ru, one))
		}
	}
	return &Result{
		Rules:     r.message.name + "@" + r.message.version + "+" + r.set.digest,
		Resources: append(r.resources, r.aside...), Unmapped: r.codes, Unread: r.unread(), Faults: r.faults,
	}
}

// identify finds which resources a rule makes, and names them.
func (r *run) identify(ru *rule) {
	var list []instance
	seen := map[string]int{}
	for _, g := range r.all(ru.group) {
		at := context{group: g}
		one := func(c context) bool {
			if ru.when != nil && !ru.when.holds(r, c) {
				return true
			}
			key, ok := r.key(ru, c)
			if !ok {
				return true
			}
			if ru.distinct {
				if seen[key]++; seen[key] > 1 {
					key += "\x00#" + strconv.Itoa(seen[key])
				}
			}
			list = append(list, instance{r.name(ru.typ, key), c})
			return true
		}
		if ru.each != nil {
			ru.each.contexts(r, at, one)
		} else {
			one(at)
		}
	}
	r.made[ru.name] = list
}

// all are the groups of a name in the whole message.
func (r *run) all(name string) []int {
	if name == r.groups[0].kind.name {
		return []int{0}
	}
	return r.near(name, 0)
}

// key is what a rule's id is made of; false if none of it is there.
func (r *run) key(ru *rule, c context) (string, bool) {
	var b strings.Builder
	some := false
	for _, e := range ru.id {
		s := e.string(r, c)
		some = some || s != ""
		b.WriteString(s)
		b.WriteByte(0)
	}
	return b.String(), some
}

func (r *run) name(typ, key string) hub.Name { return Name(r.member, typ, key) }

// Name is the name of what a member's messages call by a key: the same for the same member, type and key, and telling
// nothing of them.
func Name(member, typ, key string) hub.Name {
	b := make([]byte, 0, len(member)+len(typ)+len(key)+8)
	b = append(append(b, "hl7v2\x00"...), member...)
	b = append(append(append(b, 0), typ...), 0)
	sum := sha256.Sum256(append(b, key...))
	return hub.Name{Type: typ, ID: idLetters.EncodeToString(sum[:20])}
}

var idLetters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")

// referred are the resources that a pipe refers to.
func (r *run) referred(p *pipe, c context) []instance {
	if p.alike != nil {
		return r.alike(p, c)
	}
	return r.nearest(p.refs, c.group)
}

// nearest are the resources of a rule in this group or below, else in the nearest around that has any. What is in another
// group of the same kind beside this one is another's: the specimen of one order is not that of the next.
func (r *run) nearest(name string, at int) []instance {
	r.alone = false
	all := r.made[name]
	for from := -1; at >= 0 && len(all) > 0; from, at = at, r.groups[at].around {
		byGroup := func(one instance, g int) int { return one.at.group - g }
		lo, _ := slices.BinarySearchFunc(all, at, byGroup)
		hi, _ := slices.BinarySearchFunc(all, r.groups[at].end, byGroup)
		if lo == hi {
			continue
		}
		if from < 0 {
			return all[lo:hi]
		}
		key := around{name, at, r.groups[from].kind}
		list, known := r.beside[key]
		if !known {
			for _, one := range all[lo:hi] {
				if !r.within(one.at.group, at, key.kind) {
					list = append(list, one)
				}
			}
			r.beside[key] = list
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// around is a group, seen from a group of some kind directly in it.
type around struct {
	name string
	at   int
	kind *groupKind
}

// within tells whether a group is, or is in, one of a kind directly in at.
func (r *run) within(g, at int, kind *groupKind) bool {
	for ; g > at; g = r.groups[g].around {
		if r.groups[g].around == at {
			return r.groups[g].kind == kind
		}
	}
	return false
}

// build makes a resource.
func (r *run) build(ru *rule, one instance) Resource {
	res := Resource{Name: one.name, Rule: ru.name}
	before := r.self
	r.self = one.name
	defer func() { r.self = before }()
	mark := len(r.out)
	r.out = append(r.out, `{"resourceType":"`...)
	r.out = append(append(append(r.out, ru.typ...), `","id":"`...), one.name.ID...)
	r.out = append(r.out, '"')
	var cleared *[]string
	if len(ru.part) == 0 {
		cleared = &res.Cleared
	}
	ru.body.write(r, one.at, cleared)
	r.out = append(r.out, '}')
	res.Body = bytes.Clone(r.out[mark:])
	r.out = r.out[:mark]
	for _, e := range ru.part {
		if s := e.string(r, one.at); s != "" {
			res.Part += s + "\x1f"
		}
	}
	if len(ru.part) > 0 {
		if res.Part = strings.TrimSuffix(res.Part, "\x1f"); res.Part == "" {
			res.Part = "message/" + r.control
		}
	}
	for _, y := range ru.yields {
		if y.when.holds(r, one.at) {
			res.Yields = append(res.Yields, y.element)
		}
	}
	if ru.at != nil {
		ru.at.values(r, one.at, func(v hl7.Value) bool {
			res.At, _ = v.Time(r.zone)
			return res.At.IsZero()
		})
	}
	return res
}

// call makes a resource of the value at hand, once, and writes the reference to it.
func (r *run) call(ru *rule, typ string, c context) bool {
	at := calling{ru, c.value.Raw(), -1}
	a, known := r.called[at]
	if !known {
		at.group = c.group
		a, known = r.called[at]
	}
	if known {
		r.reads(c.value, true)
	} else {
		before := r.alone
		r.alone = true
		a = r.answer(ru, c)
		if r.alone {
			at.group = -1
		}
		r.alone = r.alone && before
		r.called[at] = a
	}
	if a.name.ID == "" && (a.display == "" || typ != "Reference") {
		return false
	}
	r.refer(typ, a.name, a.display)
	return true
}

func (r *run) answer(ru *rule, c context) (a answer) {
	if ru.display != nil {
		a.display = ru.display.string(r, c)
	}
	key, ok := r.key(ru, c)
	if r.depth >= maxDepth || !ok || ru.when != nil && !ru.when.holds(r, c) {
		return a
	}
	if a.name = r.name(ru.typ, key); a.name == r.self {
		r.alone = false
		return answer{}
	}
	null := r.null
	r.depth++
	res := r.build(ru, instance{a.name, c})
	r.depth--
	r.null = null
	if r.said[a.name] != string(res.Body) {
		r.said[a.name] = string(res.Body)
		r.aside = append(r.aside, res)
	}
	return a
}

// variable is the text of one.
func (r *run) variable(name string, c context) string {
	switch name {
	case "$member":
		return r.member
	case "$control":
		return r.control
	case "$local":
		return "urn:concord:member:" + url.PathEscape(r.member)
	case "$group":
		r.alone = false
		return strconv.Itoa(c.group)
	}
	r.alone = false
	return strconv.Itoa(c.index + 1)
}

// unmapped notes a code that a table does not have.
func (r *run) unmapped(table, code string, v hl7.Value) {
	if len(r.codes) < maxUnmapped {
		r.codes = append(r.codes, Code{Place: v.Place().String(), Table: table, Code: code})
	}
}
