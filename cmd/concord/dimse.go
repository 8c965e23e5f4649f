package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"concord/adapters/dimse"
	"concord/hub"
	"concord/hub/access"
	"concord/internal/upperlayer"
)

// DIMSEConfig is how the hub takes part in DICOM networking.
type DIMSEConfig struct {
	// DIMSE is the address of the DICOM listener, DIMSETLS that of the one over TLS with --tls-cert; empty: none.
	DIMSE    string `koanf:"dimse"`
	DIMSETLS string `koanf:"dimse-tls"`
	// TLSCA is a PEM file of the authorities of application entities that are called over TLS; empty: those of the system.
	TLSCA string `koanf:"dimse-tls-ca"`
	// AET is the hub's own application entity title; with Strict it must be called by it.
	AET    string `koanf:"dimse-aet"`
	Strict bool   `koanf:"dimse-strict"`
	// Trusted are networks, comma-separated, from which a member's AE title is believed when it has no networks of its own.
	Trusted string `koanf:"dimse-trusted"`
	// Private are SOP classes, comma-separated, that are stored besides the standard ones.
	Private string `koanf:"dimse-private"`

	Associations int           `koanf:"dimse-associations"`
	PerAET       int           `koanf:"dimse-per-aet"`
	PerAddress   int           `koanf:"dimse-per-address"`
	PDUKB        int           `koanf:"dimse-pdu-kb"`
	ARTIM        time.Duration `koanf:"dimse-artim"`
	Idle         time.Duration `koanf:"dimse-idle"`
	Pause        time.Duration `koanf:"dimse-pause"`
	Answer       time.Duration `koanf:"dimse-answer"`
}

func defaultDIMSE() DIMSEConfig {
	return DIMSEConfig{AET: "CONCORD", Trusted: "127.0.0.0/8,::1/128", Associations: 512, PerAET: 128, PerAddress: 128, PDUKB: 256,
		ARTIM: 30 * time.Second, Idle: 5 * time.Minute, Pause: 30 * time.Second, Answer: 2 * time.Minute}
}

func dimseFlags(f *pflag.FlagSet) {
	d := defaultDIMSE()
	f.String("dimse", "", "DICOM `address`, such as :11112")
	f.String("dimse-tls", "", "DICOM `address` over TLS with --tls-cert, such as :2762")
	f.String("dimse-tls-ca", "", "PEM `file` of the authorities of those who are called over TLS (default: the system's)")
	f.String("dimse-aet", d.AET, "the hub's application entity `title`")
	f.Bool("dimse-strict", d.Strict, "reject associations that call another title than --dimse-aet")
	f.String("dimse-trusted", d.Trusted, "`networks` from which AE titles are believed of members without networks of their own")
	f.String("dimse-private", "", "private storage `SOP classes` to be stored as well")
	f.Int("dimse-associations", d.Associations, "most associations")
	f.Int("dimse-per-aet", d.PerAET, "most associations of one calling AE title")
	f.Int("dimse-per-address", d.PerAddress, "most associations of one address")
	f.Int("dimse-pdu-kb", d.PDUKB, "greatest PDU that is asked for, `KB`")
	f.Duration("dimse-artim", d.ARTIM, "how long an association request may take")
	f.Duration("dimse-idle", d.Idle, "how long an association may be silent between messages")
	f.Duration("dimse-pause", d.Pause, "how long a peer may pause inside a message")
	f.Duration("dimse-answer", d.Answer, "how long a peer may take to answer what the hub has sent it")
}

// config checks the settings and makes the adapter's of them.
func (c DIMSEConfig) config(certFile, keyFile string) (dimse.Config, error) {
	out := dimse.Config{AETitle: c.AET, Strict: c.Strict, Trusted: []netip.Prefix{}, Private: list(c.Private), Version: version(),
		Limits:  upperlayer.Limits{Associations: c.Associations, PerAE: c.PerAET, PerAddress: c.PerAddress},
		Options: upperlayer.Options{MaxPDU: uint32(c.PDUKB) << 10, ARTIM: c.ARTIM, Idle: c.Idle, Pause: c.Pause, Answer: c.Answer}}
	if c.PDUKB < 4 || c.PDUKB > 1024 {
		return out, &hub.Error{Kind: hub.Invalid, Path: "dimse-pdu-kb", Msg: "is 4 to 1024"}
	}
	for _, s := range list(c.Trusted) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return out, &hub.Error{Kind: hub.Invalid, Path: "dimse-trusted", Msg: fmt.Sprintf("%.64q is no network", s), Hint: "such as 10.2.0.0/16"}
		}
		out.Trusted = append(out.Trusted, p.Masked())
	}
	if c.TLSCA != "" {
		pem, err := os.ReadFile(c.TLSCA)
		if err != nil {
			return out, fmt.Errorf("read the authorities for DICOM: %w", err)
		}
		if out.Authorities = x509.NewCertPool(); !out.Authorities.AppendCertsFromPEM(pem) {
			return out, &hub.Error{Kind: hub.Invalid, Path: "dimse-tls-ca", Msg: "the file has no PEM certificate"}
		}
	}
	if certFile == "" || keyFile == "" {
		if c.DIMSETLS != "" {
			return out, &hub.Error{Kind: hub.Invalid, Path: "dimse-tls", Msg: "needs a certificate and its key", Hint: "set tls-cert and tls-key"}
		}
		return out, nil
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return out, fmt.Errorf("read the certificate for DICOM: %w", err)
	}
	out.Certificate, out.TLS = &cert, &tls.Config{Certificates: []tls.Certificate{cert}}
	return out, nil
}

// doors says how modalities reach the hub: title, port, and TLS.
func (c DIMSEConfig) doors() (doors []string) {
	for _, d := range []struct{ address, how string }{{c.DIMSE, ""}, {c.DIMSETLS, ", TLS"}} {
		if _, port, err := net.SplitHostPort(d.address); err == nil {
			doors = append(doors, c.AET+" : "+port+d.how)
		}
	}
	return doors
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// listenDIMSE opens the DICOM listeners and adds what serves them to g. Both are one server, but for their TLS; each has
// its own limits. It returns the address of the one without TLS, empty where there is none.
func (r *rooms) listenDIMSE(ctx context.Context, g *errgroup.Group, reg prometheus.Registerer, allowances *access.Allowances) (plain string, err error) {
	cfg := r.cfg.DIMSEConfig
	if cfg.DIMSE == "" && cfg.DIMSETLS == "" {
		return "", nil
	}
	c, err := cfg.config(r.cfg.TLSCert, r.cfg.TLSKey)
	if err != nil {
		return "", err
	}
	c.Limits.Drain = r.cfg.Drain
	deps := dimse.Deps{
		Tokens: r.issuer, Members: r.registry, Trail: r.trail, Archive: r.archive, Reader: r.reader,
		Partitions: r.dicomPartitions(), PartitionOf: r.settings.DicomPartition, Observe: newAssociationMetrics(reg),
		Holdings: r.holdings(), Allowances: allowances,
	}
	g.Go(func() error { dimse.New(c, deps).RunErrands(ctx); return nil })
	for _, l := range []struct {
		address string
		tls     *tls.Config
	}{{cfg.DIMSE, nil}, {cfg.DIMSETLS, c.TLS}} {
		if l.address == "" {
			continue
		}
		listener, err := net.Listen("tcp", l.address)
		if err != nil {
			return "", fmt.Errorf("listen for DICOM on %s: %w", l.address, err)
		}
		slog.Info("listening for DICOM", "address", listener.Addr().String(), "title", c.AETitle, "tls", l.tls != nil)
		if l.tls == nil {
			plain = reachable(listener.Addr())
		}
		c := c
		c.TLS = l.tls
		server := dimse.New(c, deps)
		g.Go(func() error { return server.Serve(ctx, listener) })
	}
	return plain, nil
}

// associationMetrics is what the DICOM network shows at /metrics.
type associationMetrics struct {
	open     prometheus.Gauge
	ended    *prometheus.CounterVec
	refused  *prometheus.CounterVec
	messages *prometheus.CounterVec
	bytes    *prometheus.CounterVec
}

func newAssociationMetrics(reg prometheus.Registerer) *associationMetrics {
	m := &associationMetrics{
		open:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "concord_dimse_associations", Help: "Associations that are open."}),
		ended:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_dimse_associations_total", Help: "Associations that ended, by how."}, []string{"end"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_dimse_refused_total", Help: "Connections that did not become an association, by why."}, []string{"reason"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_dimse_messages_total", Help: "Messages received, by command."}, []string{"command"}),
		bytes:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_dimse_received_bytes_total", Help: "Bytes of data sets received, by command."}, []string{"command"}),
	}
	reg.MustRegister(m.open, m.ended, m.refused, m.messages, m.bytes)
	return m
}

// Opened implements upperlayer.Observer.
func (m *associationMetrics) Opened() { m.open.Inc() }

// Closed implements upperlayer.Observer.
func (m *associationMetrics) Closed(err error) {
	m.open.Dec()
	end := "failed"
	switch {
	case err == nil:
		end = "released"
	case errors.Is(err, upperlayer.ErrAborted):
		end = "aborted"
	case errors.Is(err, upperlayer.ErrClosed):
		end = "closed"
	}
	m.ended.WithLabelValues(end).Inc()
}

// Refused implements upperlayer.Observer.
func (m *associationMetrics) Refused(err error) {
	reason := "broken"
	switch {
	case errors.Is(err, upperlayer.RejectLimit), errors.Is(err, upperlayer.ErrCrowded):
		reason = "limit"
	case errors.Is(err, upperlayer.RejectCongestion):
		reason = "congestion"
	case hub.Is(err, hub.Unauthenticated):
		reason = "caller"
	case errors.As(err, new(*upperlayer.Rejection)):
		reason = "rejected"
	}
	m.refused.WithLabelValues(reason).Inc()
}

// Message implements upperlayer.Observer.
func (m *associationMetrics) Message(f upperlayer.Field, bytes int64) {
	name := "other" // a made-up command makes no label
	if f.Known() {
		name = f.String()
	}
	m.messages.WithLabelValues(name).Inc()
	m.bytes.WithLabelValues(name).Add(float64(bytes))
}
