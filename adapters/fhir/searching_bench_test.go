package fhir_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkASearchOfSyntheaObservations asks for pages of real observations: run with -benchmem.
func BenchmarkASearchOfSyntheaObservations(b *testing.B) {
	dir := os.Getenv("CONCORD_CORPUS")
	if dir == "" {
		b.Skip("skipped: CONCORD_CORPUS names no corpus of real files")
	}
	c := start(b)
	paths, err := filepath.Glob(filepath.Join(dir, "fhir", "synthea", "*.json.gz"))
	if err != nil {
		b.Fatal(err)
	}
	type entry struct {
		Resource json.RawMessage   `json:"resource"`
		Request  map[string]string `json:"request"`
	}
	batch := struct {
		ResourceType string  `json:"resourceType"`
		Type         string  `json:"type"`
		Entry        []entry `json:"entry"`
	}{"Bundle", "batch", nil}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			b.Fatal(err)
		}
		var bundle struct{ Entry []entry }
		if err := json.NewDecoder(z).Decode(&bundle); err != nil {
			b.Fatal(err)
		}
		f.Close()
		for _, e := range bundle.Entry {
			var head struct{ ResourceType string }
			if json.Unmarshal(e.Resource, &head); head.ResourceType == "Observation" && len(batch.Entry) < 2000 {
				batch.Entry = append(batch.Entry, entry{e.Resource, map[string]string{"method": "POST", "url": "Observation"}})
			}
		}
	}
	body, err := json.Marshal(batch)
	if err != nil {
		b.Fatal(err)
	}
	c.post("", string(body)).want(200)
	for _, query := range []string{"_count=100", "_count=1000", "_count=100&_summary=true", "_count=100&_pretty=true", "_count=100&_include=Observation:subject"} {
		b.Run(query, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req, err := http.NewRequest("GET", c.base+"/Observation?"+query, nil)
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set("Test-Member", c.member)
				req.Header.Set("Test-Scope", c.scope)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != 200 {
					b.Fatal(res.StatusCode, err)
				}
				b.SetBytes(n)
			}
		})
	}
}
