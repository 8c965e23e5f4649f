package main

import (
	"context"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	door "concord/adapters/recognition"
	"concord/hub/identity/persons"
	"concord/hub/recognition"
	"concord/hub/recognition/ledger"
	"concord/hub/settings"
	"concord/internal/fhir"
	"concord/mappings"
)

// ledgerRoom keeps what was offered at ordering and what became of it.
type ledgerRoom struct {
	ledger *ledger.Ledger
	follow *ledger.Follow
}

// openLedger makes the room.
func (r *rooms) openLedger(reg prometheus.Registerer, catalogue func() *recognition.Catalogue) {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_recognition_events_total",
		Help: "What this hub wrote about opportunities to recognise a result: offered, chosen, repeated, withdrawn, acknowledged, dropped; by the member that orders and how it was."},
		[]string{"event", "member", "kind", "is"})
	l := &ledger.Ledger{
		Follower: r.followers[settings.Records], Index: r.index, Writer: r.writers[settings.Records], Reader: r.reader, Records: settings.Records,
		Linked: (&persons.Directory{Follower: r.followers[settings.Records]}).Linked, Catalogue: catalogue, BodyTerm: mappings.BodyTerm, Now: time.Now, Limits: ledger.Limits{Zone: fhir.ChinaTime()},
		Observe: func(e ledger.Event, o *ledger.Opportunity) {
			is := string(o.Outcome)
			if e == ledger.Chosen {
				is = string(o.Choice.Verdict)
			}
			events.WithLabelValues(string(e), o.Member, string(o.Kind), is).Inc()
		},
	}
	reg.MustRegister(events, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "concord_recognition_offers_waiting",
		Help: "Offers that wait in this hub to be written."}, func() float64 { return float64(l.Waiting()) }))
	r.ledger = &ledgerRoom{l, ledger.NewFollow(l)}
}

// mountLedger puts the ledger's doors beside those of the register.
func (r *rooms) mountLedger(g *gin.RouterGroup) {
	door.MountLedger(g, door.LedgerDeps{Ledger: r.ledger.ledger, Trail: r.trail, Zone: fhir.ChinaTime()})
}

// wake tells the room that records were committed.
func (l *ledgerRoom) wake() {
	if l != nil {
		l.follow.Wake()
	}
}

// run keeps what is offered, and follows what becomes of it, until ctx ends; what was offered by then is kept.
func (l *ledgerRoom) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { l.ledger.Keep(ctx) })
	wg.Go(func() { l.follow.Run(ctx) })
	wg.Wait()
}
