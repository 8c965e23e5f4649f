package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"concord/hub"
	"concord/hub/laboratory"
	"concord/internal/fhir"
	"concord/mappings"
)

// offlineLaboratory completes mapped messages as a hub does, with ConceptMaps of a folder instead of a hub's; nil where
// neither such a folder nor rules are named.
func offlineLaboratory(cfg LaboratoryConfig, conceptMaps string) (*laboratory.Refiner, error) {
	if cfg.Rules == "" && conceptMaps == "" {
		return nil, nil
	}
	rules, err := mappings.ReadLaboratory((&laboratoryRoom{cfg: cfg}).folder())
	if err != nil {
		return nil, fmt.Errorf("read the rules about laboratories: %w", allFaults(err))
	}
	recs, err := readConceptMaps(conceptMaps)
	if err != nil {
		return nil, fmt.Errorf("read the concept maps: %w", err)
	}
	maps := laboratory.NewMaps(recs)
	return &laboratory.Refiner{
		Rules: func() *laboratory.Rules { return rules },
		Maps:  func(context.Context) (*laboratory.Maps, error) { return maps, nil },
	}, nil
}

// readConceptMaps reads ConceptMaps, alone or in Bundles, from *.json: those of the consortium in the folder itself, those
// of a member in the folder that has its name.
func readConceptMaps(folder string) (recs []hub.Record, err error) {
	if folder == "" {
		return nil, nil
	}
	return recs, fs.WalkDir(os.DirFS(folder), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".json" {
			return err
		}
		data, err := fs.ReadFile(os.DirFS(folder), p)
		if err != nil {
			return err
		}
		member, _, inFolder := strings.Cut(p, "/")
		if !inFolder {
			member = laboratory.Origin
		}
		bodies, err := resourcesIn(data)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		for _, body := range bodies {
			doc, err := fhir.Parse(body, fhir.Limits{})
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			recs = append(recs, hub.Record{Name: hub.Name{Type: doc.Type(), ID: doc.ID()}, Member: member, Body: body})
		}
		return nil
	})
}

// resourcesIn is a resource, or those of a Bundle.
func resourcesIn(data []byte) ([][]byte, error) {
	var b struct {
		ResourceType string `json:"resourceType"`
		Entry        []struct {
			Resource json.RawMessage `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, err
	}
	if b.ResourceType != "Bundle" {
		return [][]byte{data}, nil
	}
	var bodies [][]byte
	for _, e := range b.Entry {
		if len(e.Resource) > 0 {
			bodies = append(bodies, e.Resource)
		}
	}
	return bodies, nil
}
