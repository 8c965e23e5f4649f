package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"concord/mappings"
)

// IdentityConfig is how the hub tells people apart.
type IdentityConfig struct {
	// Model is a folder with tables.yaml and model.yaml, or one of them, in the place of those of the program. It is part of
	// the index's stamp: all hubs of a consortium, and concord rebuild, have the same.
	Model string `koanf:"identity-model"`
}

func identityFlags(f *pflag.FlagSet) {
	f.String("identity-model", "", "`folder` with tables.yaml and model.yaml about how people are told apart, instead of those of the program")
}

// openIdentity reads the model and has the projection make its keys.
func (r *rooms) openIdentity() error {
	tables, weights := mappings.IdentityTables(), mappings.IdentityWeights()
	if folder := r.cfg.IdentityConfig.Model; folder != "" {
		for name, file := range map[string]*mappings.IdentityFile{"tables.yaml": &tables, "model.yaml": &weights} {
			path := filepath.Join(folder, name)
			if _, err := os.Stat(path); os.IsNotExist(err) {
				continue
			}
			own, err := identityFile(path, *file)
			if err != nil {
				return err
			}
			*file = own
		}
	}
	model, err := mappings.ParseIdentity(tables, weights)
	if err != nil {
		return fmt.Errorf("read the model of identity: %w", err)
	}
	r.identity, r.fhir = model, r.fhir.With(model.Terms)
	return nil
}
