package messages

import (
	"bytes"
	"strconv"

	"concord/internal/fhir"
)

// Compare lists the values in which two resources differ, as deep as both have the same shape; path is that of the root.
// Their ids and metas are not compared. Items of lists are compared by their places.
func Compare(path string, before, after fhir.Value) []Element {
	var all []Element
	root := path
	var walk func(path string, a, b fhir.Value)
	walk = func(path string, a, b fhir.Value) {
		switch {
		case a.Kind() == fhir.Object && b.Kind() == fhir.Object:
			skip := func(name string) bool { return path == root && (name == "id" || name == "meta") }
			for name, v := range a.Members() {
				if !skip(name) {
					walk(path+"."+name, v, b.Get(name))
				}
			}
			for name, v := range b.Members() {
				if !skip(name) && a.Get(name).Kind() == fhir.Absent {
					walk(path+"."+name, fhir.Value{}, v)
				}
			}
		case a.Kind() == fhir.Array && b.Kind() == fhir.Array:
			as, bs := items(a), items(b)
			for i := range max(len(as), len(bs)) {
				walk(path+"["+strconv.Itoa(i)+"]", at(as, i), at(bs, i))
			}
		case !bytes.Equal(a.Compact(), b.Compact()):
			all = append(all, Element{path, a.Compact(), b.Compact()})
		}
	}
	walk(path, before, after)
	return all
}

func items(v fhir.Value) (all []fhir.Value) {
	for item := range v.Items() {
		all = append(all, item)
	}
	return all
}

func at(all []fhir.Value, i int) fhir.Value {
	if i < len(all) {
		return all[i]
	}
	return fhir.Value{}
}
