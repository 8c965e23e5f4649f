package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"concord/adapters/cdshooks"
	"concord/adapters/dicomweb"
	"concord/adapters/fhir"
	"concord/adapters/webserver"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/imaging"
	"concord/hub/recognition"
	"concord/hub/recognition/register"
	"concord/hub/settings"
)

func serveCommand() *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use: "serve", Short: "Run a hub", Args: cobra.NoArgs,
		Long: `Run a hub. Without --s3 and --redis it keeps everything in the folder --data and needs no other service.
Ten hubs on the same --s3 and --redis are one hub.`,
		Example: `  concord serve --data /var/lib/concord --listen :8080
  concord serve --s3 http://KEY:SECRET@minio:9000/concord --redis redis://redis:6379/0`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd.Flags())
			if err != nil {
				return err
			}
			if profile != "" {
				stop, err := profileCPU(profile)
				if err != nil {
					return err
				}
				defer stop()
			}
			return serve(cmd.Context(), cfg, cmd)
		},
	}
	serveFlags(cmd.Flags())
	cmd.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile to this `file`")
	cmd.Flags().MarkHidden("cpuprofile")
	return cmd
}

// profileCPU writes a profile until stop is called.
func profileCPU(path string) (stop func(), err error) {
	out, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		out.Close()
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	return func() { pprof.StopCPUProfile(); out.Close() }, nil
}

// serve runs a hub until ctx ends.
func serve(ctx context.Context, cfg Config, cmd *cobra.Command) (err error) {
	if cfg.DemoExit {
		cfg.Demo = true
	}
	if cfg.Demo {
		if cfg.TLSCert != "" {
			return &hub.Error{Kind: hub.Invalid, Path: "demo", Msg: "the demo's story is told over plain HTTP", Hint: "leave tls-cert and tls-key out"}
		}
		// One line a request would bury the story.
		slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	}
	if cfg.S3 == "" && cfg.Redis == "" {
		spareProcessors()
	}
	r, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.openIndex(true); err != nil {
		return err
	}
	if cfg.Demo && r.embedded != nil { // another version's index must not be in the story's way
		if err := r.emptyIndex(ctx); err != nil {
			return err
		}
	}
	server, err := webserver.New(webserver.Config{
		Listen: cfg.Listen, CertFile: cfg.TLSCert, KeyFile: cfg.TLSKey, PublicURL: cfg.PublicURL, Version: version(), Drain: cfg.Drain, Origins: origins(cfg.CORSOrigins),
		DICOM:  cfg.DIMSEConfig.doors(),
		Limits: webserver.Limits{Rate: cfg.MemberRate, Burst: int(cfg.MemberRate), Concurrent: cfg.MemberConcurrent},
	}, webserver.Deps{
		Tokens: r.issuer, Members: r.registry, Trail: lateTrail{r}, Ready: r.ready, FHIR: fhir.WriteError, DICOMweb: dicomweb.WriteError,
		CDS: cdshooks.WriteError, EHR: r.assertions(),
	})
	if err != nil {
		return err
	}
	r.openHub(server.Metrics())
	if err := r.openLaboratory(server.Metrics()); err != nil {
		return err
	}
	if err := r.openRecognition(server.Metrics()); err != nil {
		return err
	}
	r.openLedger(server.Metrics(), r.recognition.register.Catalogue)
	r.openDescriptions(r.recognition.register.Catalogue)
	registerLag(server.Metrics(), r, func(p hub.Partition) float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n, err := r.followers[p].Lag(ctx)
		if err != nil {
			return -1
		}
		return float64(n)
	})
	if err := r.mount(server); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // ends after the last request
	defer stop()
	g, gctx := errgroup.WithContext(ctx)
	dicomAt, err := r.listenDIMSE(gctx, g, server.Metrics(), server.Allowances())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	mllpAt, err := r.openHL7(gctx, g, server)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	g.Go(func() error { return server.Serve(gctx, listener) })
	go r.registry.Run(background)
	go func() { // until it is done, requests are answered 503
		if err := r.catchUp(background); err != nil && background.Err() == nil {
			slog.Error("the index cannot catch up; requests are answered 503", "err", err)
		}
	}()
	var behind sync.WaitGroup
	if cfg.Prepare {
		r.deriver.Settled = r.images.Changed
		behind.Go(func() { r.images.Prepare(background) })
	}
	behind.Go(func() { r.deriver.Run(background) })
	behind.Go(func() { r.laboratory.run(background) })
	behind.Go(func() { r.quota.Run(background) })
	behind.Go(func() { r.recognition.run(background) })
	behind.Go(func() { r.ledger.run(background) })
	behind.Go(func() { r.runLinker(background) })
	behind.Go(func() { r.jobs.Run(background) })
	if r.embedded != nil {
		go r.embedded.keepSaved(background, cfg.Snapshot, r.applied)
	}
	if cfg.Demo {
		g.Go(func() error {
			return r.demo(gctx, "http://"+reachable(listener.Addr()), dicomAt, mllpAt, cmd.OutOrStdout())
		})
	}
	err = g.Wait()
	stop()
	behind.Wait()
	r.images.Close()
	if errors.Is(err, errStoryTold) {
		return nil
	}
	return err
}

// lateTrail is the trail that openHub makes after the server: the server's metrics have to be there first.
type lateTrail struct{ r *rooms }

func (t lateTrail) Note(ctx context.Context, e audit.Event) error { return t.r.trail.Note(ctx, e) }

// mount puts the adapters on the server's groups.
func (r *rooms) mount(server *webserver.Server) error {
	r.openAdvice(r.recognition.register.Catalogue)
	r.adviser.Qualification = func(member, item string, taken time.Time, asker string) (recognition.Fact, string) {
		return r.recognition.register.Qualification(member, item, taken, register.Asker{Member: asker})
	}
	fhir.Mount(server.FHIR(), fhir.Deps{
		Reader: r.reader, Blobs: r.objects, Writer: r.writers[settings.Records], Partition: settings.Records, Policy: access.Mutual{},
		Project: r.fhir, Adviser: r.adviser, Decisions: r.ledger.ledger, Measures: r.ledger.ledger, Viewer: r.cfg.Viewer, Identity: r.identity, Persons: r.persons.directory, Took: r.metrics.blob,
		CursorKey: r.settings.TokenKey, PublicURL: r.cfg.PublicURL, Version: version(),
		Limits: fhir.Limits{Resource: int64(r.cfg.MaxResourceMB) << 20, Bundle: int64(r.cfg.MaxBundleMB) << 20, Entries: r.cfg.MaxBundleEntries, Deletes: r.cfg.MaxDeletes,
			Binary: int64(r.cfg.MaxBinaryMB) << 20, Attachment: r.cfg.AttachmentKB << 10},
		Rules: fhir.Rules{NoUpdateCreate: !r.cfg.UpdateCreate, ConditionalDelete: fhir.Deletion(r.cfg.ConditionalDelete)},
	})
	r.images = dicomweb.Mount(server.DICOMweb(), dicomweb.Deps{
		Reader: r.reader, Archive: r.archive, Shelf: &imaging.Shelf{Objects: r.objects, Derived: r.objects}, Rows: &imaging.Rows{Cache: r.cache}, Pixels: r.pixels, Policy: access.Mutual{}, Trail: r.trail,
		Partitions: r.dicomPartitions(), PartitionOf: r.settings.DicomPartition, PublicURL: r.cfg.PublicURL,
	})
	r.images.MountWADO(server.WADO())
	r.mountECG(server)
	r.mountLaboratory(server)
	r.mountIdentity(server)
	r.mountCDS(server)
	r.mountIntegration(server)
	r.mountRecognition(server)
	return nil
}

// origins reads a list separated by commas.
func origins(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// reachable turns a listener's address into one that this machine can call.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
