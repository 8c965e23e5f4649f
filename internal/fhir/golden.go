package fhir

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"concord/hub"
)

// A golden Person is what the hub makes of several Patients. It links them, shows each thing that they say once, and names beside it
// those that say it: so that what is left of it without some of them can be told from it alone.
const (
	// SourceURL is the extension of an element that says which Patient, in which version, says it. There is one for each.
	SourceURL = "urn:concord:extension:source"
	// OtherwiseURL is the extension of a sex or a birth date that says what fewer Patients say of it: a value, and sources.
	OtherwiseURL = "urn:concord:extension:otherwise"
)

// GoldenSource is the extension that names a version of a Patient ("Patient/a/_history/1").
func GoldenSource(version string) map[string]any {
	return map[string]any{"url": SourceURL, "valueReference": map[string]any{"reference": version}}
}

// GoldenChoice is what a Person shows of that of which there is one only, where Patients say several things: what most of them say, the
// lesser text where several do. said are the sources of each; extensions go beside the value.
func GoldenChoice(said map[string][]any) (value string, extensions []any) {
	for v, by := range said {
		if value == "" || len(by) > len(said[value]) || len(by) == len(said[value]) && v < value {
			value = v
		}
	}
	extensions = slices.Clone(said[value])
	var others []string
	for v := range said {
		if v != value {
			others = append(others, v)
		}
	}
	slices.Sort(others)
	for _, v := range others {
		extensions = append(extensions, map[string]any{"url": OtherwiseURL, "extension": append([]any{map[string]any{"url": "value", "valueString": v}}, said[v]...)})
	}
	return value, extensions
}

// GoldenSources are the Patients that a Person links or has elements of, as "Patient/a".
func GoldenSources(person []byte) (patients []string) {
	doc, err := Parse(person, Limits{})
	if err != nil {
		return nil
	}
	for span := range doc.References() {
		if ref := patientIn(span.Target); ref != "" && !slices.Contains(patients, ref) {
			patients = append(patients, strings.Clone(ref))
		}
	}
	return patients
}

// patientIn is the Patient that a reference means, without its version; empty where it means something else.
func patientIn(ref string) string {
	if !strings.HasPrefix(ref, "Patient/") {
		return ""
	}
	ref, _, _ = strings.Cut(ref, "/_history/")
	return ref
}

// GoldenOf is what a golden Person would be if there were only those of its Patients that may be seen: nil where that is fewer than two,
// which make no Person, the very same bytes where it is all, and else without meta.
func GoldenOf(person []byte, may func(patient string) bool) ([]byte, error) {
	if !slices.ContainsFunc(GoldenSources(person), func(p string) bool { return !may(p) }) {
		return person, nil
	}
	var all map[string]any
	dec := json.NewDecoder(bytes.NewReader(person))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		return nil, &hub.Error{Kind: hub.Corrupt, Msg: "read a Person", Err: err}
	}
	for name, v := range all {
		switch x := v.(type) {
		case []any:
			if x = slices.DeleteFunc(x, func(item any) bool { return !shown(item, may) }); len(x) == 0 {
				delete(all, name)
			} else {
				all[name] = x
			}
		case map[string]any:
			if plain, of := strings.CutPrefix(name, "_"); of {
				choose(all, plain, x, may)
			}
		}
	}
	if links, _ := all["link"].([]any); len(links) < 2 {
		return nil, nil
	}
	delete(all, "meta")
	return json.Marshal(all)
}

// shown leaves of an element the sources that may be seen, and tells whether it still is anybody's.
func shown(element any, may func(string) bool) bool {
	o, _ := element.(map[string]any)
	if linked := patientOf(o["target"]); linked != "" {
		return may(linked)
	}
	extensions, _ := o["extension"].([]any)
	sources := func(e any) bool { return sourceOf(e) != "" }
	if !slices.ContainsFunc(extensions, sources) {
		return true
	}
	o["extension"] = slices.DeleteFunc(extensions, func(e any) bool { p := sourceOf(e); return p != "" && !may(p) })
	return slices.ContainsFunc(o["extension"].([]any), sources)
}

// choose makes the choice of an element of which there is one only among what those say that may be seen.
func choose(person map[string]any, name string, beside map[string]any, may func(string) bool) {
	said, value := map[string][]any{}, person[name]
	take := func(value any, extensions []any) {
		text, _ := value.(string)
		for _, e := range extensions {
			if p := sourceOf(e); p != "" && may(p) {
				said[text] = append(said[text], e)
			}
		}
	}
	extensions, _ := beside["extension"].([]any)
	take(value, extensions)
	for _, e := range extensions {
		if o, _ := e.(map[string]any); o["url"] == OtherwiseURL {
			inner, _ := o["extension"].([]any)
			for _, v := range inner {
				if v, _ := v.(map[string]any); v["url"] == "value" {
					take(v["valueString"], inner)
				}
			}
		}
	}
	delete(person, name)
	delete(person, "_"+name)
	if len(said) > 0 {
		value, extensions := GoldenChoice(said)
		person[name], person["_"+name] = value, map[string]any{"extension": extensions}
	}
}

// sourceOf is the Patient that an extension names as its source.
func sourceOf(extension any) string {
	o, _ := extension.(map[string]any)
	if o["url"] != SourceURL {
		return ""
	}
	return patientOf(o["valueReference"])
}

func patientOf(reference any) string {
	r, _ := reference.(map[string]any)
	text, _ := r["reference"].(string)
	return patientIn(text)
}
