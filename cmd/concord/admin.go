package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"concord/hub"
	"concord/hub/access"
)

// withStore runs a command on objects, settings and members.
func withStore(run func(cmd *cobra.Command, args []string, r *rooms) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd.Flags())
		if err != nil {
			return err
		}
		r, err := openStore(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		return errors.Join(run(cmd, args, r), r.close())
	}
}

func memberCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "member", Short: "Manage the institutions of the consortium"}
	cmd.PersistentFlags().SortFlags = false

	var name, tier string
	var addDICOM, newDICOM dicomFlags
	var addHL7, newHL7 access.HL7
	add := &cobra.Command{
		Use: "add ID", Short: "Take in an institution and print its client secret, once", Args: cobra.ExactArgs(1),
		Example: `  concord member add county-hospital --name "县人民医院" --tier lead --aet COUNTYPACS --hl7-sender LIS^COUNTY --network 10.2.0.0/16`,
		RunE: withStore(func(cmd *cobra.Command, args []string, r *rooms) error {
			d, err := addDICOM.read()
			if err != nil {
				return err
			}
			secret, err := r.registrar.Add(cmd.Context(), access.Member{ID: args[0], Name: name, Tier: access.Tier(tier), DICOM: d, HL7: addHL7})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), secret)
			return nil
		}),
	}
	add.Flags().StringVar(&name, "name", "", "the institution's name")
	add.Flags().StringVar(&tier, "tier", "community", "lead or community")
	addDICOM.on(add.Flags())
	hl7Flags(&addHL7, add.Flags())
	add.MarkFlagRequired("name")

	list := &cobra.Command{
		Use: "list", Short: "List the institutions", Args: cobra.NoArgs,
		RunE: withStore(func(cmd *cobra.Command, _ []string, r *rooms) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tTIER\tSTATE\tADDED\tNAME\tAE TITLES\tNETWORKS\tCERTIFICATES\tHL7 SENDERS")
			for _, m := range r.registry.Members() {
				state := "active"
				if m.Disabled {
					state = "disabled"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", m.ID, m.Tier, state, m.Added.Format(time.DateOnly), m.Name,
					titles(m.DICOM), strings.Trim(fmt.Sprint(m.Networks), "[]"), len(m.Certificates), strings.Join(m.Senders, ","))
			}
			return w.Flush()
		}),
	}
	change := func(use, short string, do func(r *rooms, ctx context.Context, id string) error) *cobra.Command {
		return &cobra.Command{Use: use + " ID", Short: short, Args: cobra.ExactArgs(1),
			RunE: withStore(func(cmd *cobra.Command, args []string, r *rooms) error { return do(r, cmd.Context(), args[0]) })}
	}
	disable := change("disable", "End an institution's access at once; what it wrote stays", func(r *rooms, ctx context.Context, id string) error { return r.registrar.Disable(ctx, id) })
	enable := change("enable", "Let a disabled institution in again", func(r *rooms, ctx context.Context, id string) error { return r.registrar.Enable(ctx, id) })
	renew := &cobra.Command{Use: "renew ID", Short: "Give an institution a new client secret and print it, once", Args: cobra.ExactArgs(1),
		RunE: withStore(func(cmd *cobra.Command, args []string, r *rooms) error {
			secret, err := r.registrar.Renew(cmd.Context(), args[0])
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), secret)
			}
			return err
		})}
	dicom := &cobra.Command{Use: "dicom ID", Short: "Replace all that is known of an institution's DICOM networking", Args: cobra.ExactArgs(1),
		Example: `  concord member dicom county-hospital --aet CT1,COUNTYPACS@10.2.0.7:104 --network 10.2.0.0/16 --certificate ct1.pem`,
		RunE: withStore(func(cmd *cobra.Command, args []string, r *rooms) error {
			d, err := newDICOM.read()
			if err != nil {
				return err
			}
			return r.registrar.SetDICOM(cmd.Context(), args[0], d)
		})}
	newDICOM.on(dicom.Flags())
	hl7 := &cobra.Command{Use: "hl7 ID", Short: "Replace all that is known of where an institution's HL7 v2 messages come from", Args: cobra.ExactArgs(1),
		Example: `  concord member hl7 county-hospital --hl7-sender LIS^COUNTY,HIS`,
		RunE: withStore(func(cmd *cobra.Command, args []string, r *rooms) error {
			return r.registrar.SetHL7(cmd.Context(), args[0], newHL7)
		})}
	hl7Flags(&newHL7, hl7.Flags())
	for _, c := range []*cobra.Command{add, list, disable, enable, renew, dicom, hl7} {
		storeFlags(c.Flags())
		cmd.AddCommand(c)
	}
	cmd.AddCommand(memberCDSCommand())
	return cmd
}

// hl7Flags are where a member's messages come from, as typed.
func hl7Flags(h *access.HL7, f *pflag.FlagSet) {
	f.StringSliceVar(&h.Senders, "hl7-sender", nil, "`APPLICATION^FACILITY` of its HL7 v2 messages (MSH-3, MSH-4), or one of both; believed from its networks (default: those of serve --mllp-trusted)")
}

// titles are a member's application entities as they were typed: TITLE, or TITLE@HOST:PORT.
func titles(d access.DICOM) string {
	var all []string
	for _, t := range d.AETs {
		if at := d.Destinations[t]; at != "" {
			t += "@" + at
		}
		all = append(all, t)
	}
	return strings.Join(all, ",")
}

// dicomFlags are how a member takes part in DICOM networking, as typed.
type dicomFlags struct{ titles, networks, certificates []string }

func (d *dicomFlags) on(f *pflag.FlagSet) {
	f.StringSliceVar(&d.titles, "aet", nil, "application entity `TITLE`s it calls from; TITLE@HOST:PORT: it takes instances there, TITLE@tls://HOST:PORT: over TLS")
	f.StringSliceVar(&d.networks, "network", nil, "addresses or `networks` from which its titles are believed (default: those of serve --dimse-trusted)")
	f.StringSliceVar(&d.certificates, "certificate", nil, "PEM `files` of the certificates it calls with, and shows where it is called over TLS")
}

func (d *dicomFlags) read() (access.DICOM, error) {
	var pems [][]byte
	for _, path := range d.certificates {
		data, err := os.ReadFile(path)
		if err != nil {
			return access.DICOM{}, fmt.Errorf("read a certificate: %w", err)
		}
		pems = append(pems, data)
	}
	return access.NewDICOM(d.titles, d.networks, pems)
}

func tokenCommand() *cobra.Command {
	var member, person, scope string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use: "token --member ID", Short: "Print a bearer token of an institution and nothing else", Args: cobra.NoArgs,
		RunE: withStore(func(cmd *cobra.Command, _ []string, r *rooms) error {
			token, err := r.issuer.IssueTo(person, member, scope, ttl)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			return nil
		}),
	}
	storeFlags(cmd.Flags())
	cmd.Flags().StringVar(&member, "member", "", "the institution's id")
	cmd.Flags().StringVar(&person, "person", "", "who of the institution it is for; needed for the scope catalogue")
	cmd.Flags().StringVar(&scope, "scope", "system/*.*", "SMART system scopes, blank-separated; metrics, integration, catalogue")
	cmd.Flags().DurationVar(&ttl, "ttl", time.Hour, "how long the token is good")
	cmd.MarkFlagRequired("member")
	return cmd
}

// withIndex runs a command on the store and its index, through the running hub's keeper where there is one.
func withIndex(run func(cmd *cobra.Command, args []string, r *rooms) error) func(*cobra.Command, []string) error {
	return withStore(func(cmd *cobra.Command, args []string, r *rooms) error {
		if err := r.openIndex(false); err != nil {
			return err
		}
		return run(cmd, args, r)
	})
}

func rebuildCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rebuild", Short: "Empty the index and fold the log again", Args: cobra.NoArgs,
		Long: `Empty the index and fold the log again. Running hubs answer 503 until it is complete; nothing is lost,
since the index has nothing that the log has not.`,
		RunE: withIndex(func(cmd *cobra.Command, _ []string, r *rooms) error {
			started := time.Now()
			if err := r.emptyIndex(cmd.Context()); err != nil {
				return err
			}
			for _, p := range r.settings.Partitions() {
				if err := r.followers[p].CatchUp(cmd.Context()); err != nil {
					return fmt.Errorf("rebuild %s: %w", p, err)
				}
				m, err := r.index.Marks(cmd.Context(), p)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%-10s %8d commits\n", p, m.Applied)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "rebuilt in %v\n", time.Since(started).Round(time.Millisecond))
			return nil
		}),
	}
	storeFlags(cmd.Flags())
	return cmd
}

// emptyIndex leaves it to be folded again.
func (r *rooms) emptyIndex(ctx context.Context) error {
	for _, p := range r.settings.Partitions() {
		if err := r.index.Reset(ctx, p); err != nil {
			return fmt.Errorf("empty the index of %s: %w", p, err)
		}
	}
	return nil
}

func dumpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dump", Short: "Print the index, sorted, for comparing", Args: cobra.NoArgs,
		RunE: withIndex(func(cmd *cobra.Command, _ []string, r *rooms) error {
			for _, p := range r.settings.Partitions() {
				if err := r.followers[p].CatchUp(cmd.Context()); err != nil {
					return err
				}
				if err := r.index.Dump(cmd.Context(), cmd.OutOrStdout(), p); err != nil {
					return fmt.Errorf("print the index of %s: %w", p, err)
				}
			}
			return nil
		}),
	}
	storeFlags(cmd.Flags())
	return cmd
}

func fsckCommand() *cobra.Command {
	var deep bool
	cmd := &cobra.Command{
		Use: "fsck", Short: "Check log chain, blobs and index; exit 1 and a line for each fault", Args: cobra.NoArgs,
		Long: `Check that the log is dense and chained, that versions are in order, that each blob exists with its size
(--deep: that its bytes have the digest recorded), and that the index is what folding the log gives.`,
		RunE: withIndex(func(cmd *cobra.Command, _ []string, r *rooms) error {
			f := &fsck{rooms: r, deep: deep, out: cmd.OutOrStdout()}
			if err := f.run(cmd.Context()); err != nil {
				return err
			}
			if f.faults > 0 {
				return &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("%d faults found", f.faults)}
			}
			return nil
		}),
	}
	storeFlags(cmd.Flags())
	cmd.Flags().BoolVar(&deep, "deep", false, "read every blob and compare its digest")
	return cmd
}
