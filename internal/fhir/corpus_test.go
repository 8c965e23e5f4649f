package fhir

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"concord/hub"
)

// corpus is the folder of real files that CONCORD_CORPUS names.
func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("CONCORD_CORPUS")
	if dir == "" {
		t.Skip("skipped: CONCORD_CORPUS names no corpus of real files")
	}
	return filepath.Join(dir, "fhir")
}

// examples reads the published R4 examples.
func examples(t testing.TB) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join(corpus(t), "r4-examples-clinical.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	all := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return all
}

// bundle reads one Synthea bundle.
func bundle(t testing.TB, path string) *Doc {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse(data, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestExamplesComeOutAsTheyWentIn(t *testing.T) {
	all := examples(t)
	if len(all) != 706 {
		t.Errorf("%d examples", len(all))
	}
	for name, data := range all {
		d, err := Parse(data, Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out := d.Splice("new", 2, instant)
		if !json.Valid(out) || bytes.IndexByte(out, '\n') >= 0 || cap(out) > len(out)+len(out)/4+256 {
			t.Errorf("%s: spliced text is no single line of JSON", name)
		}
		want, got := decode(t, data), decode(t, out)
		meta := got["meta"].(map[string]any)
		if got["id"] != "new" || meta["versionId"] != "2" || meta["lastUpdated"] != "2024-02-29T04:00:00.005Z" {
			t.Errorf("%s: id %v, meta %v", name, got["id"], meta)
		}
		for _, m := range []map[string]any{want, got} {
			delete(m, "id")
			if meta, ok := m["meta"].(map[string]any); ok {
				delete(meta, "versionId")
				delete(meta, "lastUpdated")
				if len(meta) == 0 {
					delete(m, "meta")
				}
			}
		}
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s changed", name)
		}
		if n := testing.AllocsPerRun(1, func() { d.Splice("new", 2, instant) }); n > 1 {
			t.Errorf("%s: %v allocations in a splice", name, n)
		}
	}
}

// decode reads JSON with numbers as they are written.
func decode(t testing.TB, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRealResourcesProjectToWellFormedTerms(t *testing.T) {
	bare := 0 // resources found by nothing but their id
	check := func(d *Doc, id string) {
		typ := d.Type()
		e, err := NewProjection(nil).Entry(d, hub.Name{Type: typ, ID: id})
		if err != nil {
			t.Errorf("%s/%s: %v", typ, id, err)
			return
		}
		if err := d.Check(); err != nil && wrongExamples[typ+"-"+id+".json"][0] == "" {
			t.Errorf("%s/%s: %v", typ, id, err)
		}
		if e.Route == "" {
			t.Errorf("%s/%s has no route", typ, id)
		}
		if len(e.Terms) < 2 {
			bare++
		}
		for _, term := range e.Terms {
			if term.Param == "" || term.Kind == hub.Range && !(term.Lo <= term.Hi) || term.Kind != hub.Range && term.Text == "" {
				t.Errorf("%s/%s: term %+v", typ, id, term)
			}
		}
	}
	for name, data := range examples(t) {
		d, err := Parse(data, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		check(d, d.ID())
	}
	paths, err := filepath.Glob(filepath.Join(corpus(t), "synthea", "*.json.gz"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no Synthea bundles: %v", err)
	}
	resources := 0
	for _, path := range paths {
		b := bundle(t, path)
		for entry := range b.Root().Get("entry").Items() {
			check(entry.Get("resource").Doc(), "x")
			resources++
		}
	}
	if bare > resources/100 {
		t.Errorf("%d of %d resources have no terms", bare, resources)
	}
}

func TestSyntheaPatientIsFoundByWhatTheBundleSays(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(corpus(t), "synthea", "1*.json.gz"))
	b := bundle(t, paths[0])
	urls := map[string]string{}
	for entry := range b.Root().Get("entry").Items() {
		r := entry.Get("resource").Doc()
		urls[entry.Get("fullUrl").Text()] = r.Type() + "/" + r.ID()
	}
	again, err := Parse(b.RewriteReferences(urls), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var patient string
	byQuery, byHand := 0, 0
	for entry := range again.Root().Get("entry").Items() {
		r := entry.Get("resource").Doc()
		if r.Type() == "Patient" {
			patient = r.ID()
		}
		if r.Type() != "Observation" {
			continue
		}
		e, err := NewProjection(nil).Entry(r, hub.Name{Type: r.Type(), ID: r.ID()})
		if err != nil {
			t.Fatal(err)
		}
		if e.Route != "Patient/"+patient {
			t.Fatalf("route %s", e.Route)
		}
		s := compile(t, "Observation", "patient="+patient+"&code=http://loinc.org|8302-2&date=ge2015&value-quantity=gt0||cm")
		if s.Query.Matches(&e) {
			byQuery++
		}
		for c := range r.Root().Get("code").Get("coding").Items() {
			if c.Get("code").Text() == "8302-2" && r.Root().Get("effectiveDateTime").Text() >= "2015" {
				byHand++
			}
		}
	}
	if byQuery != byHand || byHand == 0 {
		t.Errorf("the query finds %d body heights, the bundle has %d", byQuery, byHand)
	}
	for s := range again.References() {
		if strings.HasPrefix(s.Target, "urn:uuid:") && s.Literal {
			t.Fatalf("a reference was left: %s", s.Target)
		}
	}
}

// sample is the first resource of a type in a Synthea bundle, compact.
func sample(b *testing.B, typ string) []byte {
	paths, _ := filepath.Glob(filepath.Join(corpus(b), "synthea", "1*.json.gz"))
	for entry := range bundle(b, paths[0]).Root().Get("entry").Items() {
		if r := entry.Get("resource"); r.Get("resourceType").Text() == typ {
			return r.Compact()
		}
	}
	b.Fatal("no " + typ)
	return nil
}

func BenchmarkParse(b *testing.B) {
	each(b, func(data []byte, _ *Doc, _ string) { Parse(data, Limits{}) })
}

func BenchmarkSplice(b *testing.B) {
	each(b, func(_ []byte, d *Doc, _ string) { d.Splice("abc", 2, instant) })
}

func BenchmarkProject(b *testing.B) {
	p := NewProjection(nil)
	each(b, func(_ []byte, d *Doc, typ string) { p.Entry(d, hub.Name{Type: typ, ID: "abc"}) })
}

func each(b *testing.B, run func([]byte, *Doc, string)) {
	for _, typ := range []string{"Observation", "Patient"} {
		data := sample(b, typ)
		d := parse(b, string(data))
		b.Run(typ, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				run(data, d, typ)
			}
		})
	}
}

func BenchmarkCompileSearch(b *testing.B) {
	pairs, _ := Pairs("patient=7&code=http://loinc.org|8867-4&date=ge2020&_sort=-date&_count=50")
	b.ReportAllocs()
	for b.Loop() {
		CompileSearch("Observation", pairs, options)
	}
}
