package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	door "concord/adapters/recognition"
	"concord/adapters/webserver"
	"concord/hub/recognition/register"
	"concord/hub/settings"
	"concord/internal/fhir"
	"concord/internal/webfault"
	"concord/mappings"
)

// RecognitionConfig is where the consortium's register of recognised items begins.
type RecognitionConfig struct {
	// Rules is a folder with files that take the place of those in mappings/recognition; empty: none do.
	Rules string `koanf:"recognition-rules"`
	// Regions are those that the consortium lies in, separated by commas: codes of GB/T 2260, areas of the catalogue.
	Regions string `koanf:"regions"`
}

func recognitionFlags(f *pflag.FlagSet) {
	f.String("recognition-rules", "", "`folder` with the catalogue of recognised items to begin with instead of that of the program")
	f.String("regions", "", "where the consortium lies, comma-separated: codes of GB/T 2260 such as 340321, areas of the catalogue")
}

// recognitionRoom is what a consortium has agreed on about recognition.
type recognitionRoom struct {
	register *register.Register
	expiring *prometheus.GaugeVec
}

// openRecognition makes the room.
func (r *rooms) openRecognition(reg prometheus.Registerer) error {
	var rules fs.FS
	if r.cfg.RecognitionConfig.Rules != "" {
		rules = os.DirFS(r.cfg.RecognitionConfig.Rules)
	}
	starter, err := mappings.RecognitionStarter(rules)
	if err != nil {
		return fmt.Errorf("read the catalogue of recognised items: %w", err)
	}
	l := &recognitionRoom{register: &register.Register{
		Follower: r.followers[settings.Records], Writer: r.writers[settings.Records], Starter: starter,
		Regions: origins(r.cfg.Regions), Zone: fhir.ChinaTime(), Now: time.Now,
		Institution: func(id string) (string, bool) {
			m, ok := r.registry.Member(id)
			return m.Name, ok
		},
		Institutions: func() []string {
			var ids []string
			for _, m := range r.registry.Members() {
				ids = append(ids, m.ID)
			}
			return ids
		},
	}}
	l.expiring = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "concord_qualifications_expiring",
		Help: "Passed qualifications that nothing follows: those that end within 30 days (soon), and those that ended within the last 30 (ended)."}, []string{"when"})
	reg.MustRegister(l.expiring, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "concord_catalogue_proposals_open",
		Help: "Proposals about the catalogue and qualifications that wait for a second person."}, func() float64 { return float64(len(l.register.Proposals("open"))) }))
	r.recognition = l
	return nil
}

func (r *rooms) mountRecognition(server *webserver.Server) {
	group := server.Group("/recognition", webfault.Write)
	r.mountLedger(group)
	door.Mount(group, door.Deps{Register: r.recognition.register, Trail: r.trail, Now: time.Now})
}

// wake tells the room that records were committed.
func (l *recognitionRoom) wake() {
	if l != nil {
		l.register.Wake()
	}
}

// run follows the register, and tells what expires, until ctx ends.
func (l *recognitionRoom) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { l.register.Run(ctx) })
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	told := ""
	for first := time.After(10 * time.Second); ; {
		select {
		case <-ctx.Done():
			return
		case <-first:
		case <-tick.C:
		}
		soon, ended := l.count()
		if today := time.Now().In(l.register.Zone).Format(time.DateOnly); today != told && l.register.Ready() == nil {
			if told = today; soon+ended > 0 {
				slog.Warn("qualifications end", "within_days", register.ExpiresSoon, "soon", soon, "ended", ended, "list", "/recognition/qualifications/expiring")
			}
		}
	}
}

func (l *recognitionRoom) count() (soon, ended int) {
	for _, e := range l.register.Expiring(register.ExpiresSoon) {
		if e.Days < 0 {
			ended++
		} else {
			soon++
		}
	}
	l.expiring.WithLabelValues("soon").Set(float64(soon))
	l.expiring.WithLabelValues("ended").Set(float64(ended))
	return soon, ended
}
