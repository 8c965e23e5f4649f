package fhirpatch

import (
	"fmt"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/fhir"
)

// FHIRPath compiles a FHIRPath Patch (R4 fhirpatch.html): a Parameters resource with a parameter "operation" for each
// operation.
func FHIRPath(doc *fhir.Doc) (*Patch, error) {
	if doc.Type() != "Parameters" {
		return nil, invalid("a FHIRPath Patch is a Parameters resource")
	}
	p, i := &Patch{}, -1
	for param := range doc.Root().Get("parameter").Items() {
		i++
		where := fmt.Sprintf("Parameters.parameter[%d]", i)
		if name := param.Get("name").Text(); name != "operation" {
			return nil, &hub.Error{Kind: hub.Invalid, Path: where + ".name", Msg: "the parameters of a patch are called operation, not " + strconv.Quote(name)}
		}
		if len(p.operations) == maxOperations {
			return nil, &hub.Error{Kind: hub.TooLarge, Path: where, Msg: fmt.Sprintf("a patch may have %d operations", maxOperations)}
		}
		parts, err := partsOf(param)
		op := operation{where: where, verb: parts.text("type"), path: parts.text("path")}
		if err == nil {
			op.apply, err = fhirOperation(op.verb, op.path, parts)
		}
		if err != nil {
			return nil, op.failed(err)
		}
		p.operations = append(p.operations, op)
	}
	if len(p.operations) == 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "Parameters.parameter", Msg: "the patch has no operation"}
	}
	return p, nil
}

// parts are the parts of one operation by name.
type parts map[string]fhir.Value

func partsOf(param fhir.Value) (parts, error) {
	ps := parts{}
	for part := range param.Get("part").Items() {
		name := part.Get("name").Text()
		switch name {
		case "type", "path", "name", "value", "index", "source", "destination":
		default:
			return ps, invalid("an operation has no part %q", name)
		}
		if _, twice := ps[name]; twice {
			return ps, invalid("the part %s is there twice", name)
		}
		ps[name] = part
	}
	return ps, nil
}

// text is the part's value, whatever its type.
func (ps parts) text(name string) string {
	for key, v := range ps[name].Members() {
		if strings.HasPrefix(key, "value") {
			return v.Text()
		}
	}
	return ""
}

func (ps parts) position(name string) (int, error) {
	i, err := strconv.Atoi(ps.text(name))
	if err != nil || i < 0 {
		return 0, invalid("the operation needs the part %s, a number from 0 on", name)
	}
	return i, nil
}

func fhirOperation(verb, path string, ps parts) (func(*editor) error, error) {
	if path == "" {
		return nil, invalid("the operation has no path")
	}
	steps, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	var c content
	if verb == "add" || verb == "insert" || verb == "replace" {
		if c, err = contentOf(ps["value"]); err != nil {
			return nil, err
		}
	}
	switch verb {
	case "add":
		name := strings.TrimSuffix(ps.text("name"), "[x]")
		if name == "" {
			return nil, invalid("the operation needs the part name")
		}
		return func(e *editor) error { return e.add(steps, name, c) }, nil
	case "replace":
		return func(e *editor) error { return e.replaceElement(steps, c) }, nil
	case "delete":
		return func(e *editor) error { return e.delete(steps) }, nil
	case "insert", "move":
		if len(steps) == 0 || steps[len(steps)-1].kind != memberStep {
			return nil, invalid("the path must end in the name of the element that repeats")
		}
	default:
		return nil, invalid("the type is one of add, insert, delete, replace, move, not %q", verb)
	}
	if verb == "insert" {
		i, err := ps.position("index")
		return func(e *editor) error { return e.insert(steps, i, c) }, err
	}
	from, err := ps.position("source")
	if err != nil {
		return nil, err
	}
	to, err := ps.position("destination")
	return func(e *editor) error { return e.move(steps, from, to) }, err
}

// one follows a path that must find one element.
func (e *editor) one(steps []step) (place, error) {
	found, err := e.find(e.resource(), steps)
	if err != nil {
		return place{}, err
	}
	if len(found) != 1 {
		return place{}, unfit("the path finds %d elements, one is due", len(found))
	}
	return found[0], nil
}

func (e *editor) add(steps []step, name string, c content) error {
	p, err := e.one(steps)
	if err != nil {
		return err
	}
	el, there, err := p.element(name)
	if err != nil {
		return err
	}
	if there && !el.Many {
		return unfit("%s is there already; replace changes it", el.Key)
	}
	_, typ := p.holder()
	if el, err = c.choose(typ, el); err != nil {
		return err
	}
	value, aside, err := c.build(el)
	if err != nil {
		return err
	}
	owner := p.ownerOf()
	if el.Many {
		return owner.insertValue(el, owner.count(el), value, aside)
	}
	owner.put(el.Key, value)
	owner.put("_"+el.Key, aside)
	return nil
}

// ownerOf is the object for elements inside of p, made where a primitive has none yet.
func (p place) ownerOf() *node {
	if owner, _ := p.holder(); owner != nil {
		return owner
	}
	aside := made(fhir.Object)
	if p.index < 0 {
		p.owner.set("_"+p.Key, aside)
		return aside
	}
	p.owner.asides(p.Key).setItem(p.index, aside)
	return aside
}

// put sets a member unless there is nothing to set.
func (n *node) put(name string, child *node) {
	if child != nil {
		n.set(name, child)
	}
}

// asides is the array of ids and extensions beside the array called key, with as many places.
func (n *node) asides(key string) *node {
	list := n.get("_" + key)
	if list == nil {
		list = made(fhir.Array)
		n.set("_"+key, list)
	}
	for list.len() < n.get(key).len() {
		list.insert(list.len(), null())
	}
	return list
}

func (n *node) setItem(i int, child *node) {
	n.open()
	child.up = n
	n.kids[i].node = child
	n.touch()
}

// insertValue puts a value at position i of an element that repeats.
func (n *node) insertValue(el fhir.Element, i int, value, aside *node) error {
	list := n.get(el.Key)
	if list == nil {
		list = made(fhir.Array)
		n.set(el.Key, list)
	}
	if list.kind != fhir.Array {
		return unfit("%s is not an array", el.Key)
	}
	for list.len() < i { // there were only ids and extensions
		list.insert(list.len(), null())
	}
	beside := n.get("_" + el.Key)
	if aside != nil || beside != nil {
		if beside = n.asides(el.Key); aside == nil {
			aside = null()
		}
		beside.insert(min(i, beside.len()), aside)
	}
	if value == nil {
		value = null()
	}
	list.insert(i, value)
	return nil
}

func (e *editor) delete(steps []step) error {
	found, err := e.find(e.resource(), steps)
	switch {
	case err != nil:
		return err
	case len(found) == 0: // nothing to delete is no fault
		return nil
	case len(found) > 1:
		return unfit("the path finds %d elements; a patch deletes one at a time", len(found))
	}
	p := found[0]
	if p.owner == nil {
		return unfit("the resource itself cannot be deleted by a patch")
	}
	if p.index < 0 {
		p.owner.drop(p.Key)
		if p.Primitive() {
			p.owner.drop("_" + p.Key)
		}
		return nil
	}
	for _, name := range p.arrays() {
		if list := p.owner.get(name); p.index < list.len() {
			list.remove(p.index)
		}
	}
	return nil
}

// arrays are the members that hold the values of a repeating element.
func (p place) arrays() []string {
	if p.Primitive() {
		return []string{p.Key, "_" + p.Key}
	}
	return []string{p.Key}
}

func (e *editor) replaceElement(steps []step, c content) error {
	p, err := e.one(steps)
	if err != nil {
		return err
	}
	if p.owner == nil {
		return unfit("the resource itself cannot be replaced by a patch")
	}
	was := p.Key
	if p.Choice != "" {
		if p.Element, err = c.choose(p.within, p.Element); err != nil {
			return err
		}
	}
	value, aside, err := c.build(p.Element)
	if err != nil {
		return err
	}
	if p.index >= 0 {
		if value == nil {
			value = null()
		}
		if list := p.owner.get(p.Key); p.index < list.len() {
			list.setItem(p.index, value)
		}
		if aside != nil {
			p.owner.asides(p.Key).setItem(p.index, aside)
		} else if beside := p.owner.get("_" + p.Key); p.index < beside.len() {
			beside.setItem(p.index, null())
		}
		return nil
	}
	p.owner.drop("_" + was)
	i := p.owner.find(was)
	if i < 0 || value == nil {
		p.owner.drop(was)
	} else if was != p.Key {
		p.owner.rename(i, p.Key)
	}
	p.owner.put(p.Key, value)
	p.owner.put("_"+p.Key, aside)
	return nil
}

func (e *editor) insert(steps []step, i int, c content) error {
	p, el, err := e.list(steps)
	if err != nil {
		return err
	}
	owner := p.ownerOf()
	if n := owner.count(el); i > n {
		return unfit("there are %d, the position %d is beyond the end", n, i)
	}
	value, aside, err := c.build(el)
	if err != nil {
		return err
	}
	return owner.insertValue(el, i, value, aside)
}

// count is how many values a repeating element has.
func (n *node) count(el fhir.Element) int { return max(n.get(el.Key).len(), n.get("_"+el.Key).len()) }

// list finds a repeating element, whether it is there or not, and what it is in.
func (e *editor) list(steps []step) (place, fhir.Element, error) {
	last := steps[len(steps)-1]
	p, err := e.one(steps[:len(steps)-1])
	if err != nil {
		return p, fhir.Element{}, err
	}
	el, _, err := p.element(last.name)
	if err == nil && !el.Many {
		err = invalid("%s does not repeat", last.name)
	}
	return p, el, err
}

func (e *editor) move(steps []step, from, to int) error {
	p, el, err := e.list(steps)
	if err != nil {
		return err
	}
	owner, _ := p.holder()
	if n := owner.count(el); from >= n || to >= n {
		return unfit("there are %d, %d cannot be moved to %d", n, from, to)
	}
	names := []string{el.Key}
	if el.Primitive() && owner.get("_"+el.Key) != nil {
		owner.asides(el.Key)
		names = append(names, "_"+el.Key)
	}
	for _, name := range names {
		if list := owner.get(name); from < list.len() && to < list.len() {
			list.insert(to, list.remove(from))
		}
	}
	return nil
}
