package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	door "concord/adapters/laboratory"
	"concord/adapters/webserver"
	"concord/hub"
	"concord/hub/laboratory"
	"concord/hub/settings"
	"concord/internal/webfault"
	"concord/mappings"
)

// LaboratoryConfig is how the hub treats results of laboratories.
type LaboratoryConfig struct {
	// Rules is a folder with files that take the place of those in mappings/laboratory; empty: none do.
	Rules string `koanf:"laboratory-rules"`
	// Acknowledge, Act and Again are the timers of critical values; Fresh is how old a result may be to be one.
	Acknowledge time.Duration `koanf:"critical-acknowledge"`
	Act         time.Duration `koanf:"critical-act"`
	Again       time.Duration `koanf:"critical-again"`
	Fresh       time.Duration `koanf:"critical-fresh"`
}

func defaultLaboratory() LaboratoryConfig {
	t := laboratory.Timers{}.OrDefault()
	return LaboratoryConfig{Acknowledge: t.Acknowledge, Act: t.Act, Again: t.Again, Fresh: t.Fresh}
}

func laboratoryFlags(f *pflag.FlagSet) {
	d := defaultLaboratory()
	f.String("laboratory-rules", "", "`folder` with rules about laboratories instead of those of the program; read again when they change")
	f.Duration("critical-acknowledge", d.Acknowledge, "how long a critical value may wait to be acknowledged")
	f.Duration("critical-act", d.Act, "how long a critical value may wait to be acted on")
	f.Duration("critical-again", d.Again, "how long after an escalation of a critical value the next one comes")
	f.Duration("critical-fresh", d.Fresh, "how old a result may be, from when its specimen was taken, to be notified as critical")
}

// laboratoryRoom is what the hub does about laboratories.
type laboratoryRoom struct {
	cfg     LaboratoryConfig
	rules   atomic.Pointer[laboratory.Rules]
	maps    *laboratory.MapsFile
	alarms  *laboratory.Alarms
	watches []*laboratory.Watch
	read    func(description string) bool // whether a description of images is understood
}

// openLaboratory makes the room, and has it complete what mappings make of messages.
func (r *rooms) openLaboratory(reg prometheus.Registerer) error {
	records, writer := r.followers[settings.Records], r.writers[settings.Records]
	l := &laboratoryRoom{cfg: r.cfg.LaboratoryConfig}
	rules, err := mappings.ReadLaboratory(l.folder())
	if err != nil {
		return fmt.Errorf("read the rules about laboratories: %w", err)
	}
	l.rules.Store(rules)
	timers := laboratory.Timers{Acknowledge: l.cfg.Acknowledge, Act: l.cfg.Act, Again: l.cfg.Again, Fresh: l.cfg.Fresh}
	l.maps = &laboratory.MapsFile{Follower: records, Now: time.Now}
	criticals := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_critical_values_total",
		Help: "Critical values by what happened to them: notified, acknowledged, acted, closed, withdrawn, escalated."}, []string{"what"})
	reg.MustRegister(criticals)
	l.alarms = &laboratory.Alarms{Follower: records, Writer: writer, Rules: l.rules.Load, Timers: timers, Now: time.Now,
		Observe: func(what string) { criticals.WithLabelValues(what).Inc() }}
	deltas := &laboratory.Deltas{Follower: records, Writer: writer, Rules: l.rules.Load, Timers: timers}
	for name, derive := range map[string]func(context.Context, []hub.Record) error{"alarms": l.alarms.Derive, "deltas": deltas.Derive} {
		l.watches = append(l.watches, &laboratory.Watch{Name: name, Follower: records, Writer: writer, Derive: derive})
	}
	r.intake.Refiners = append(r.intake.Refiners, &laboratory.Refiner{Rules: l.rules.Load, Maps: l.maps.Current}, &laboratory.Parents{Follower: records})
	r.laboratory = l
	return nil
}

func (r *rooms) mountLaboratory(server *webserver.Server) {
	l := r.laboratory
	door.Mount(server.Group("/laboratory", webfault.Write), door.Deps{
		Queue:  &laboratory.Queue{Reader: r.reader, Records: settings.Records, Writer: r.writers[settings.Records], Rules: l.rules.Load, Maps: l.maps, Read: l.read},
		Board:  &laboratory.Board{Reader: r.reader, Records: settings.Records, Now: time.Now},
		Alarms: l.alarms, Trail: r.trail, Now: time.Now,
	})
}

// wake tells the room that records were committed.
func (l *laboratoryRoom) wake() {
	if l == nil {
		return
	}
	for _, w := range l.watches {
		w.Wake()
	}
}

// run follows results, minds the timers and reads the rules again when they change, until ctx ends.
func (l *laboratoryRoom) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, w := range l.watches {
		wg.Go(func() { w.Run(ctx) })
	}
	wg.Go(func() { l.alarms.Run(ctx, min(5*time.Second, max(l.cfg.Acknowledge/4, 100*time.Millisecond))) })
	if l.cfg.Rules != "" {
		wg.Go(func() { l.reread(ctx) })
	}
}

func (l *laboratoryRoom) folder() fs.FS {
	if l.cfg.Rules == "" {
		return nil
	}
	return os.DirFS(l.cfg.Rules)
}

// reread takes changed rules into force. Rules with a fault are told and the former ones stay.
func (l *laboratoryRoom) reread(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	before := l.signature()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := l.signature()
		if now == before {
			continue
		}
		before = now
		rules, err := mappings.ReadLaboratory(l.folder())
		if err != nil {
			slog.Error("read the rules about laboratories; the former ones stay in force", "err", err)
			continue
		}
		l.rules.Store(rules)
		slog.Info("rules about laboratories are in force", "version", rules.Version)
	}
}

// signature tells the folder's files of one moment from those of another.
func (l *laboratoryRoom) signature() string {
	files, _ := os.ReadDir(l.cfg.Rules)
	sum := ""
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			sum += fmt.Sprintln(f.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return sum
}
