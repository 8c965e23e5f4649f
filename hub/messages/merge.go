package messages

import (
	"bytes"
	"slices"
	"strings"

	"concord/internal/fhir"
)

// A message says of a patient or a ward what its sender saw fit to send: what it does not mention has not changed. So a
// shared resource is merged into what is there, element by element. Lists in unions gain items, those in nested are merged
// like the resource, and all other elements are replaced whole.

// unions are the lists whose items are told apart by their values at some paths.
var unions = map[string][]string{"identifier": {"system", "value"}, "link": {"type", "other.reference"}}

var nested = []string{"period", "hospitalization"}

// mergeOnto makes r what old becomes by it. meta keeps what old's has, with r's own source.
func (r *resource) mergeOnto(old fhir.Value, source string) error {
	doc, err := fhir.Parse(append(merge(r.name.Type, old, r.doc.Root(), r.cleared, r.yields, source), '}'), fhir.Limits{})
	r.doc = doc
	return err
}

// merge writes an object without its closing brace.
func merge(typ string, old, now fhir.Value, cleared, yields []string, source string) []byte {
	w := objectWriter{buf: []byte{'{'}}
	for name, was := range old.Members() {
		is := now.Get(name)
		switch {
		case name == "meta" || name == "id":
		case slices.Contains(cleared, strings.TrimPrefix(name, "_")):
		case is.Kind() != fhir.Absent && !slices.Contains(yields, name):
			w.member(name, mergeMember(name, was, is))
		case replaced(typ, name, now):
		default:
			w.member(name, was.Compact())
		}
	}
	for name, is := range now.Members() {
		if name != "meta" && name != "id" && old.Get(name).Kind() == fhir.Absent {
			w.member(name, is.Compact())
		}
	}
	if typ != "" {
		w.meta(old.Get("meta"), now.Get("meta"), source)
	}
	return w.buf
}

// replaced reports whether now says otherwise what the element says: as another type of the same choice, or as a primitive
// whose extensions are not sent again.
func replaced(typ, name string, now fhir.Value) bool {
	plain, extension := strings.CutPrefix(name, "_")
	if extension && now.Get(plain).Kind() != fhir.Absent {
		return true
	}
	e, ok := fhir.ElementOf(typ, plain)
	if !ok || e.Choice == "" {
		return false
	}
	return slices.ContainsFunc(fhir.Choices(typ, e.Choice), func(other fhir.Element) bool {
		return now.Get(other.Key).Kind() != fhir.Absent
	})
}

func mergeMember(name string, was, is fhir.Value) []byte {
	paths, union := unions[name]
	switch {
	case union && was.Kind() == fhir.Array && is.Kind() == fhir.Array:
		return unite(was, is, paths)
	case slices.Contains(nested, name) && was.Kind() == fhir.Object && is.Kind() == fhir.Object:
		return append(merge("", was, is, nil, nil, ""), '}')
	}
	return is.Compact()
}

// unite is the items of was, those that is has too as is has them, and those that only is has. Several of one key, such as the
// numbers of placer and filler where one system gives both, stay apart: each goes with the one that says the same, else with
// one of the same type, else with any of the key that nothing goes with yet.
func unite(was, is fhir.Value, paths []string) []byte {
	type slot struct {
		key, typ string
		item     []byte
		met      bool
	}
	slotOf := func(item fhir.Value, met bool) slot {
		return slot{keyOf(item, paths), string(item.Get("type").Compact()), item.Compact(), met}
	}
	var slots []slot
	for item := range was.Items() {
		slots = append(slots, slotOf(item, false))
	}
	find := func(fits func(*slot) bool) *slot {
		if i := slices.IndexFunc(slots, func(s slot) bool { return fits(&s) }); i >= 0 {
			return &slots[i]
		}
		return nil
	}
	var other []slot // none says the same
	for item := range is.Items() {
		one := slotOf(item, true)
		if there := find(func(s *slot) bool { return bytes.Equal(s.item, one.item) }); there != nil {
			there.met = true
		} else {
			other = append(other, one)
		}
	}
	for _, one := range other {
		there := find(func(s *slot) bool {
			return s.key == one.key && s.typ == one.typ && (!s.met || bytes.Equal(s.item, one.item))
		})
		if there == nil {
			there = find(func(s *slot) bool { return s.key == one.key && !s.met })
		}
		if there != nil {
			*there = one
		} else {
			slots = append(slots, one)
		}
	}
	items := make([][]byte, len(slots))
	for i := range slots {
		items[i] = slots[i].item
	}
	return append(append([]byte{'['}, bytes.Join(items, []byte{','})...), ']')
}

func keyOf(item fhir.Value, paths []string) string {
	key := ""
	for _, path := range paths {
		v := item
		for step := range strings.SplitSeq(path, ".") {
			v = v.Get(step)
		}
		key += v.Text() + "\x00"
	}
	return key
}

// same reports whether two resources say the same, whatever their meta and id.
func same(a, b fhir.Value) bool {
	n := 0
	for name, v := range a.Members() {
		if name == "meta" || name == "id" {
			continue
		}
		if n++; !bytes.Equal(v.Compact(), b.Get(name).Compact()) {
			return false
		}
	}
	for name := range b.Members() {
		if name != "meta" && name != "id" {
			n--
		}
	}
	return n == 0
}

type objectWriter struct{ buf []byte }

func (w *objectWriter) member(name string, value []byte) {
	if w.buf[len(w.buf)-1] != '{' {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(append(append(w.buf, '"'), name...), `":`...)
	w.buf = append(w.buf, value...)
}

// meta writes what two metas say together, with another source.
func (w *objectWriter) meta(old, now fhir.Value, source string) {
	m := objectWriter{buf: []byte{'{'}}
	for name, v := range now.Members() {
		if name != "source" || source == "" {
			m.member(name, v.Compact())
		}
	}
	for name, v := range old.Members() {
		if now.Get(name).Kind() == fhir.Absent && name != "versionId" && name != "lastUpdated" && (name != "source" || source == "") {
			m.member(name, v.Compact())
		}
	}
	if source != "" {
		m.member("source", []byte(`"`+source+`"`))
	}
	if len(m.buf) > 1 {
		w.member("meta", append(m.buf, '}'))
	}
}
