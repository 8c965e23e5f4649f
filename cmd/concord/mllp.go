package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"concord/adapters/hl7v2"
	"concord/adapters/webserver"
	"concord/hub"
	"concord/internal/hl7"
)

// MLLPConfig is how the hub takes HL7 v2 messages.
type MLLPConfig struct {
	// MLLP is the address of the HL7 v2 listener, MLLPTLS that of the one over TLS with --tls-cert; empty: none.
	MLLP    string `koanf:"mllp"`
	MLLPTLS string `koanf:"mllp-tls"`
	// Trusted are networks, comma-separated, from which a member's senders are believed when it has no networks of its own.
	Trusted string `koanf:"mllp-trusted"`

	// Mappings is a folder whose mappings are laid over those of the program.
	Mappings string `koanf:"mappings"`

	Application string `koanf:"mllp-application"`
	Facility    string `koanf:"mllp-facility"`

	MessageMB   int           `koanf:"mllp-message-mb"`
	Batch       int           `koanf:"mllp-batch"`
	Connections int           `koanf:"mllp-connections"`
	PerAddress  int           `koanf:"mllp-per-address"`
	MemoryMB    int           `koanf:"mllp-memory-mb"`
	Pause       time.Duration `koanf:"mllp-pause"`
	Idle        time.Duration `koanf:"mllp-idle"`
}

func defaultMLLP() MLLPConfig {
	return MLLPConfig{Trusted: "127.0.0.0/8,::1/128", MessageMB: 10, Batch: 10_000, Connections: 1024, PerAddress: 256, MemoryMB: 256,
		Pause: time.Minute, Idle: time.Hour}
}

func mllpFlags(f *pflag.FlagSet) {
	d := defaultMLLP()
	mappingFlags(f)
	f.String("mllp", "", "HL7 v2 `address`, such as :2575")
	f.String("mllp-tls", "", "HL7 v2 `address` over TLS with --tls-cert, such as :2576")
	f.String("mllp-trusted", d.Trusted, "`networks` from which senders of messages are believed to be members without networks of their own")
	f.String("mllp-application", "", "what answers name as their application (default: what the message was sent to)")
	f.String("mllp-facility", "", "what answers name as their facility (default: what the message was sent to)")
	f.Int("mllp-message-mb", d.MessageMB, "greatest HL7 v2 message, `MB`")
	f.Int("mllp-batch", d.Batch, "most messages of a batch")
	f.Int("mllp-connections", d.Connections, "most connections for HL7 v2")
	f.Int("mllp-per-address", d.PerAddress, "most connections for HL7 v2 of one address")
	f.Int("mllp-memory-mb", d.MemoryMB, "most `MB` of messages on their way in together")
	f.Duration("mllp-pause", d.Pause, "how long a message may take from its first byte to its last")
	f.Duration("mllp-idle", d.Idle, "how long a connection may be silent between messages")
}

// config checks the settings and makes the adapter's of them.
func (c MLLPConfig) config(drain time.Duration) (hl7v2.Config, error) {
	out := hl7v2.Config{Trusted: []netip.Prefix{}, Application: c.Application, Facility: c.Facility, Limits: hl7v2.Limits{
		Message: c.MessageMB << 20, Batch: c.Batch, Connections: c.Connections, PerAddress: c.PerAddress, Memory: c.MemoryMB << 20,
		Pause: c.Pause, Idle: c.Idle, Drain: drain}}
	if c.MessageMB < 1 || c.MessageMB > 1024 || c.MemoryMB < c.MessageMB {
		return out, &hub.Error{Kind: hub.Invalid, Path: "mllp-message-mb", Msg: "is 1 to 1024, and no more than mllp-memory-mb"}
	}
	for _, s := range list(c.Trusted) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return out, &hub.Error{Kind: hub.Invalid, Path: "mllp-trusted", Msg: fmt.Sprintf("%.64q is no network", s), Hint: "such as 10.2.0.0/16"}
		}
		out.Trusted = append(out.Trusted, p.Masked())
	}
	return out, nil
}

// tls makes what the listener over TLS serves with; nil where there is none.
func (c MLLPConfig) tls(certFile, keyFile string) (*tls.Config, error) {
	if c.MLLPTLS == "" {
		return nil, nil
	}
	if certFile == "" || keyFile == "" {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "mllp-tls", Msg: "needs a certificate and its key", Hint: "set tls-cert and tls-key"}
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate for HL7 v2: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}, nil
}

// limits are those of one message.
func (c MLLPConfig) limits() hl7.Limits { return hl7.Limits{Bytes: c.MessageMB << 20} }

// openHL7 mounts HL7 v2 on the server, opens the MLLP listeners and adds what serves them to g.
func (r *rooms) openHL7(ctx context.Context, g *errgroup.Group, server *webserver.Server) (plain string, err error) {
	cfg := r.cfg.MLLPConfig
	if err := r.mapHL7(); err != nil {
		return "", err
	}
	c, err := cfg.config(r.cfg.Drain)
	if err != nil {
		return "", err
	}
	secure, err := cfg.tls(r.cfg.TLSCert, r.cfg.TLSKey)
	if err != nil {
		return "", err
	}
	deps := hl7v2.Deps{Intake: r.intake, Members: r.registry, Trail: r.trail, Allowances: server.Allowances(), Observe: newMLLPMetrics(server.Metrics())}
	hl7v2.New(c, deps).Mount(server.Group("/hl7v2", hl7v2.WriteError))
	for _, l := range []struct {
		address string
		tls     *tls.Config
	}{{cfg.MLLP, nil}, {cfg.MLLPTLS, secure}} {
		if l.address == "" {
			continue
		}
		listener, err := net.Listen("tcp", l.address)
		if err != nil {
			return "", fmt.Errorf("listen for HL7 v2 on %s: %w", l.address, err)
		}
		slog.Info("listening for HL7 v2", "address", listener.Addr().String(), "tls", l.tls != nil)
		if l.tls == nil {
			plain = reachable(listener.Addr())
		}
		c := c
		c.TLS = l.tls
		s := hl7v2.New(c, deps)
		g.Go(func() error { return s.Serve(ctx, listener) })
	}
	return plain, nil
}

// mllpMetrics is what HL7 v2 shows at /metrics.
type mllpMetrics struct {
	open    prometheus.Gauge
	ended   *prometheus.CounterVec
	refused *prometheus.CounterVec
	answers *prometheus.CounterVec
	bytes   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMLLPMetrics(reg prometheus.Registerer) *mllpMetrics {
	m := &mllpMetrics{
		open:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "concord_mllp_connections", Help: "Connections for HL7 v2 that are open."}),
		ended:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_mllp_connections_total", Help: "Connections for HL7 v2 that ended, by how."}, []string{"end"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_mllp_refused_total", Help: "Connections for HL7 v2 that were not accepted, by why."}, []string{"reason"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_hl7v2_messages_total", Help: "HL7 v2 messages received, by way and by what they were answered."}, []string{"via", "code"}),
		bytes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_hl7v2_received_bytes_total", Help: "Bytes of HL7 v2 messages received, by way."}, []string{"via"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "concord_hl7v2_message_seconds", Help: "Time from a message's last byte until its answer is ready, which is after it is durable.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"via"}),
	}
	reg.MustRegister(m.open, m.ended, m.refused, m.answers, m.bytes, m.seconds)
	return m
}

// Opened implements hl7v2.Observer.
func (m *mllpMetrics) Opened() { m.open.Inc() }

// Closed implements hl7v2.Observer.
func (m *mllpMetrics) Closed(why string) {
	m.open.Dec()
	m.ended.WithLabelValues(why).Inc()
}

// Refused implements hl7v2.Observer.
func (m *mllpMetrics) Refused(why string) { m.refused.WithLabelValues(why).Inc() }

// Answered implements hl7v2.Observer.
func (m *mllpMetrics) Answered(via string, code hl7.Code, bytes int, took time.Duration) {
	name := string(code)
	if name == "" {
		name = "none"
	}
	m.answers.WithLabelValues(via, name).Inc()
	m.bytes.WithLabelValues(via).Add(float64(bytes))
	m.seconds.WithLabelValues(via).Observe(took.Seconds())
}
