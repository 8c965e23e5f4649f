package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/hub"
	"concord/internal/bench"
)

func benchCommand() *cobra.Command {
	var o bench.Options
	var report string
	cmd := &cobra.Command{
		Use: "bench", Short: "Put a load on a hub and print a table", Args: cobra.NoArgs,
		Long: `Put the project's own load on a hub and print a table: how much work a second, how long half and 99 of 100 requests
take at most, and the same of a peer where there is one. Medians of three rounds; in brackets the least and greatest.

The hub is started for it on a loopback port, with a folder of its own below --data that is removed again; or it is the
one named by --to and --token, where the load's data stays. Where Orthanc is installed (Debian: orthanc orthanc-dicomweb)
one is started beside it and does the same DICOM work in turns, never at the same time. --data decides which disk is
measured: a folder in memory flatters everybody.

The load is made on the same machine and takes its share of it: some 15 µs of processor a request and 0.1 ms a megabyte.
Compare what stands in one table; figures of another hour or machine are of little use.

With --s3 and --redis the hub runs on these; the bucket and the database must be empty and are emptied again. Storing is
then compared with plain PUTs of the same files, and FHIR work with a hub on the embedded default.

The loads are ` + strings.Join(bench.Names(), ", ") + `. The last three take long and
need some 3 GB of disk: they are run when they are named, recognise and large with as many results as --resources says. The exit code is 1 when a load went wrong, not when a goal was missed.`,
		Example: `  concord bench --quick
  concord bench --only stow,frames --data /srv/data --json figures.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Binary, err = os.Executable(); err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			o.Progress = cmd.ErrOrStderr()
			started := time.Now()
			rows, err := bench.Run(cmd.Context(), o)
			if perr := bench.Print(cmd.OutOrStdout(), rows); err == nil {
				err = perr
			}
			if err != nil {
				return err
			}
			if report != "" {
				if err := writeReport(report, started, rows); err != nil {
					return err
				}
			}
			for _, r := range rows {
				if r.Error != "" {
					return &hub.Error{Kind: hub.Internal, Msg: "a load went wrong: " + r.Work}
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&o.Quick, "quick", false, "a few seconds in all, to see whether it works")
	f.StringSliceVar(&o.Only, "only", nil, "run these loads only, by `name`")
	f.IntVar(&o.Clients, "clients", 0, "this many clients instead of each load's own number")
	f.IntVar(&o.Rounds, "rounds", 0, "rounds of each load (default 3, quick 1)")
	f.IntVar(&o.Resources, "resources", 0, "results of the large load (default 1,000,000, quick 10,000)")
	f.StringVar(&o.Data, "data", "", "`folder` for what is written (default: the system's temporary folder)")
	f.StringVar(&o.To, "to", "", "base `URL` of a running hub instead of one that is started")
	f.StringVar(&o.Token, "token", "", "bearer token for --to")
	f.StringVar(&o.S3, "s3", "", "put the hub's objects into this empty bucket, http://KEY:SECRET@HOST:9000/BUCKET")
	f.StringVar(&o.Redis, "redis", "", "put the hub's index into this empty Redis, redis://HOST:6379/0")
	f.StringVar(&report, "json", "", "also write the figures to this `file`")
	f.StringVar(&o.Profile, "cpuprofile", "", "write a CPU profile of the hub that is started to this `file`")
	f.MarkHidden("cpuprofile")
	cmd.MarkFlagsRequiredTogether("to", "token")
	cmd.MarkFlagsMutuallyExclusive("to", "s3")
	cmd.MarkFlagsMutuallyExclusive("to", "redis")
	cmd.MarkFlagsMutuallyExclusive("to", "cpuprofile")
	return cmd
}

// writeReport keeps the figures with what is needed to read them later.
func writeReport(path string, started time.Time, rows []bench.Row) error {
	data, err := json.MarshalIndent(struct {
		Version string      `json:"version"`
		Go      string      `json:"go"`
		System  string      `json:"system"`
		CPUs    int         `json:"cpus"`
		Started time.Time   `json:"started"`
		Took    string      `json:"took"`
		Rows    []bench.Row `json:"rows"`
	}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, runtime.NumCPU(), started.UTC(), time.Since(started).Round(time.Second).String(), rows}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}
