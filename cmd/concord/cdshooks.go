package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"concord/adapters/cdshooks"
	"concord/adapters/webserver"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/ecg"
	"concord/hub/identity/persons"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/hub/settings"
	"concord/mappings"
)

// CDSConfig is how the hub advises at ordering.
type CDSConfig struct {
	// CDSBudget is how long a hook may take before it is answered without cards.
	CDSBudget time.Duration `koanf:"cds-budget"`
	// CDSOrders is how many draft orders one call may ask about, CDSCalls how many hooks are answered at a time.
	CDSOrders int `koanf:"cds-orders"`
	CDSCalls  int `koanf:"cds-calls"`
	CDSBodyMB int `koanf:"cds-body-mb"`
	// CDSSource is the name that cards come from.
	CDSSource string `koanf:"cds-source"`
	// Viewer is the address of a viewer of images, with {study} where the Study Instance UID belongs; empty: there is none.
	Viewer string `koanf:"viewer"`
}

func defaultCDS() CDSConfig {
	return CDSConfig{CDSBudget: 500 * time.Millisecond, CDSOrders: 50, CDSCalls: 64, CDSBodyMB: 5, CDSSource: "Concord"}
}

func cdsFlags(f *pflag.FlagSet) {
	d := defaultCDS()
	f.Duration("cds-budget", d.CDSBudget, "how long a CDS hook may take before it is answered without cards")
	f.Int("cds-orders", d.CDSOrders, "most draft orders that one call may ask about")
	f.Int("cds-calls", d.CDSCalls, "CDS hooks that are answered at the same time; more are answered without cards")
	f.Int("cds-body-mb", d.CDSBodyMB, "longest CDS hook, `MB`")
	f.String("cds-source", d.CDSSource, "the `name` that cards come from")
	f.String("viewer", "", "`address` of a viewer of images, with {study} where the Study Instance UID belongs")
}

func (c CDSConfig) check() error {
	if c.Viewer != "" && (!strings.Contains(c.Viewer, "{study}") || !strings.HasPrefix(c.Viewer, "https://") && !strings.HasPrefix(c.Viewer, "http://")) {
		return &hub.Error{Kind: hub.Invalid, Path: "viewer", Msg: "is an http address with {study} in it"}
	}
	return nil
}

// openAdvice makes the adviser that tells at ordering which results may be recognised.
func (r *rooms) openAdvice(catalogue func() *recognition.Catalogue) {
	directory := &persons.Directory{Follower: r.followers[settings.Records]}
	r.adviser = &advice.Adviser{
		Reader: r.reader, Records: settings.Records, Catalogue: catalogue, Members: r.registry,
		Retrievable: r.archive.Retrievable, BodyTerm: mappings.BodyTerm,
		Score: recognition.Coding{System: ecg.System, Code: ecg.QualityScore}, Now: time.Now,
		Limits: advice.Limits{Orders: r.cfg.CDSOrders},
		Linked: directory.Linked, Quarantined: directory.Quarantined,
	}
}

// mountCDS puts CDS Hooks on the server.
func (r *rooms) mountCDS(server *webserver.Server) {
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "concord_cds_hook_seconds",
		Help:    "How long CDS hooks took, by hook and by what became of them: cards, none, unknown (no such patient of the member), late, busy, refused, failed.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}}, []string{"hook", "what"})
	server.Metrics().MustRegister(took)
	d := cdshooks.Deps{
		Adviser: r.adviser, Ledger: r.ledger.ledger, PublicURL: r.cfg.PublicURL, Viewer: r.cfg.Viewer, Source: r.cfg.CDSSource, Now: time.Now,
		Limits:  cdshooks.Limits{Budget: r.cfg.CDSBudget, Body: int64(r.cfg.CDSBodyMB) << 20, Calls: int64(r.cfg.CDSCalls)},
		Observe: func(hook, what string, d time.Duration) { took.WithLabelValues(hook, what).Observe(d.Seconds()) },
	}
	cdshooks.Mount(server.CDS(), d)
}

// assertions checks the tokens that EHRs sign themselves; that each is good once is known to all hubs on one index.
func (r *rooms) assertions() *access.Assertions {
	return &access.Assertions{Registry: r.registry, Now: time.Now, Once: func(ctx context.Context, key string, until time.Time) (bool, error) {
		client, ok := r.client.(redis.UniversalClient)
		if !ok {
			return false, &hub.Error{Kind: hub.Internal, Msg: "there is no index to remember tokens in"}
		}
		return client.SetNX(ctx, "concord:once:"+key, 1, max(time.Until(until), time.Millisecond)).Result()
	}}
}

// memberCDSCommand sets how a member's EHR says who it is.
func memberCDSCommand() *cobra.Command {
	var issuer, file string
	cmd := &cobra.Command{
		Use: "cds ID", Short: "Replace the issuer and the public keys of the tokens that an institution's EHR calls CDS Hooks with", Args: cobra.ExactArgs(1),
		Example: `  concord member cds county-hospital --issuer https://ehr.county.example --jwks county.jwks.json
  concord member cds county-hospital                  # takes both away`,
		RunE: withStore(func(cmd *cobra.Command, args []string, r *rooms) error {
			var c access.CDS
			if issuer != "" || file != "" {
				set, err := os.ReadFile(file)
				if err != nil {
					return fmt.Errorf("read the keys: %w", err)
				}
				if c, err = access.NewCDS(issuer, set); err != nil {
					return err
				}
			}
			return r.registrar.SetCDS(cmd.Context(), args[0], c)
		}),
	}
	cmd.Flags().StringVar(&issuer, "issuer", "", "the `URI` that its tokens have as iss")
	cmd.Flags().StringVar(&file, "jwks", "", "`file` with its JSON Web Key Set; keys are never fetched")
	storeFlags(cmd.Flags())
	return cmd
}
