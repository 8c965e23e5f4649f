package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	door "concord/adapters/identity"
	"concord/adapters/webserver"
	"concord/hub/identity/persons"
	"concord/hub/settings"
	"concord/internal/webfault"
	"concord/mappings"
)

// IdentityConfig is how the hub tells people apart.
type IdentityConfig struct {
	// Model is a folder with tables.yaml and model.yaml, or one of them, in the place of those of the program. It is part of
	// the index's stamp: all hubs of a consortium, and concord rebuild, have the same.
	Model string `koanf:"identity-model"`
	// Link has this hub judge Patients as they come, and link those that are one person.
	Link bool `koanf:"link-patients"`
}

func identityFlags(f *pflag.FlagSet) {
	f.String("identity-model", "", "`folder` with tables.yaml and model.yaml about how people are told apart, instead of those of the program")
	f.Bool("link-patients", true, "judge patients as they come, and link those of one person; without it only persons link")
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

// personsRoom is what the hub knows of who is who.
type personsRoom struct {
	directory *persons.Directory
	linker    *persons.Linker
	decisions *prometheus.CounterVec
}

// openPersons has Patients judged as they come, and searches mean the persons.
func (r *rooms) openPersons(reg prometheus.Registerer) {
	records := r.followers[settings.Records]
	judged := prometheus.NewCounter(prometheus.CounterOpts{Name: "concord_identity_judged_total", Help: "Patients that were compared with all who may be the same person."})
	behind := prometheus.NewGauge(prometheus.GaugeOpts{Name: "concord_identity_behind", Help: "Commits of the log whose Patients are not judged yet."})
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_identity_decisions_total", Help: "What persons said of pairs of Patients: link, separate, undo."}, []string{"what"})
	reg.MustRegister(judged, behind, decisions)
	p := &personsRoom{directory: &persons.Directory{Follower: records}, decisions: decisions}
	p.linker = &persons.Linker{Follower: records, Writer: r.writers[settings.Records], Model: r.identity, Observe: func(left uint64, n int) {
		judged.Add(float64(n))
		behind.Set(float64(left))
	}}
	r.reader.Linked = p.directory.LinkedAll
	r.persons = p
	for _, state := range []persons.State{persons.Open, persons.Linked, persons.Separate, persons.Contradiction} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "concord_identity_pairs", Help: "Pairs of Patients by what they wait for or how they were settled.",
			ConstLabels: prometheus.Labels{"state": string(state)}}, counted(func(ctx context.Context) (int64, error) { return p.directory.Pairs(ctx, state) })))
	}
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "concord_identity_persons", Help: "Persons that have more than one Patient."}, counted(p.directory.Persons)))
}

// counted has a count read when it is asked for; NaN where it cannot be.
func counted(count func(context.Context) (int64, error)) func() float64 {
	return func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n, err := count(ctx)
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	}
}

func (r *rooms) mountIdentity(server *webserver.Server) {
	board := &persons.Board{Reader: r.reader, Records: settings.Records, Follower: r.followers[settings.Records], Writer: r.writers[settings.Records], Model: r.identity,
		Trail: r.trail, Now: time.Now}
	door.Mount(server.Group("/identity", webfault.Write), door.Deps{Board: board, Reader: r.reader, Records: settings.Records,
		Observe: func(what string) { r.persons.decisions.WithLabelValues(what).Inc() }})
}

// wake tells the room that records were committed.
func (p *personsRoom) wake() {
	if p != nil {
		p.linker.Wake()
	}
}

// runLinker links Patients until ctx ends, if this hub is to.
func (r *rooms) runLinker(ctx context.Context) {
	if r.cfg.IdentityConfig.Link {
		r.persons.linker.Run(ctx)
	}
}
