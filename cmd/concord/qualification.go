package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"concord/hub"
	"concord/hub/recognition/register"
)

func qualificationCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "qualification", Short: "Import and list who is qualified for what: external quality assessments and marks"}
	var d desk
	cmd.AddCommand(d.importCommand(), d.qualificationsCommand(), d.expiringCommand(), d.templateCommand())
	for _, c := range cmd.Commands() {
		d.on(c)
	}
	return cmd
}

func (d *desk) importCommand() *cobra.Command {
	var reason string
	var dry, skip bool
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Propose the qualifications of a table (.xlsx or .csv), for another person to release", Args: cobra.ExactArgs(1),
		Long: `Propose the qualifications of a table. Headings are Chinese or English: concord qualification template prints them.
Every cell is checked; with faults in it nothing is proposed, unless --skip-faulty leaves the lines at fault out.
The exit code is 1 when there are faults.`,
		Example: `  concord qualification import 2026-室间质评.xlsx --dry-run --token "$T"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("read the table: %w", err)
			}
			if reason == "" {
				reason = filepath.Base(args[0])
			}
			query := url.Values{"reason": {reason}, "dry-run": {strconv.FormatBool(dry)}, "skip-faulty": {strconv.FormatBool(skip)}}
			text, _, err := d.ask(cmd, http.MethodPost, "/qualifications/import", query, data, http.StatusUnprocessableEntity)
			if err != nil {
				return err
			}
			return printImport(cmd, text, dry)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the person who releases it (default: the file's name)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "check the table and propose nothing")
	cmd.Flags().BoolVar(&skip, "skip-faulty", false, "propose the lines without a fault")
	return cmd
}

func printImport(cmd *cobra.Command, text []byte, dry bool) error {
	var out struct {
		Rows     int              `json:"rows"`
		Good     int              `json:"good"`
		Faults   []register.Fault `json:"faults"`
		More     int              `json:"more"`
		Proposal *told            `json:"proposal"`
		Message  string           `json:"message"`
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return fmt.Errorf("read the hub's answer: %w", err)
	}
	if out.Message != "" {
		return refusal(http.StatusUnprocessableEntity, text)
	}
	w := cmd.OutOrStdout()
	for _, f := range out.Faults {
		fmt.Fprintf(w, "%s row %d %s: %s\n", f.Sheet, f.Row, f.Column, f.Msg)
	}
	if out.More > 0 {
		fmt.Fprintf(w, "and %d more faults\n", out.More)
	}
	fmt.Fprintf(w, "%d rows, %d without a fault\n", out.Rows, out.Good)
	switch faults := len(out.Faults) + out.More; {
	case out.Proposal != nil:
		out.Proposal.Differences = nil
		out.Proposal.print(w)
	case dry:
	case faults == 0:
		fmt.Fprintln(w, "the register says so already: no proposal was made")
	}
	if n := len(out.Faults) + out.More; n > 0 {
		return &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("%d faults", n)}
	}
	return nil
}

func (d *desk) qualificationsCommand() *cobra.Command {
	query := url.Values{}
	cmd := &cobra.Command{Use: "list", Short: "List qualifications", Args: cobra.NoArgs}
	institution, item := cmd.Flags().String("institution", "", "only those of this member"), cmd.Flags().String("item", "", "only those for this item")
	day := cmd.Flags().String("day", "", "only those that hold on this `day`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for name, v := range map[string]string{"institution": *institution, "item": *item, "day": *day} {
			if v != "" {
				query.Set(name, v)
			}
		}
		query.Set("count", "100000")
		out, err := get[struct {
			Qualifications []register.Qualification `json:"qualifications"`
		}](cmd, d, "/qualifications", query)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "INSTITUTION\tITEM\tFROM\tTO\tRESULT\tMARK\tSCOPE\tDOCUMENT")
		for _, q := range out.Qualifications {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", q.Institution, q.Item, q.Start, q.End, q.Result, q.Mark, q.Scope, q.Source)
		}
		return w.Flush()
	}
	return cmd
}

func (d *desk) expiringCommand() *cobra.Command {
	var days int
	cmd := &cobra.Command{Use: "expiring", Short: "List what ends soon, or has ended lately, and is followed by nothing", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		out, err := get[struct {
			Qualifications []register.Expiring `json:"qualifications"`
		}](cmd, d, "/qualifications/expiring", url.Values{"days": {strconv.Itoa(days)}})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "DAYS\tLAST DAY\tINSTITUTION\tITEM\tMARK")
		for _, q := range out.Qualifications {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", q.Days, q.End, q.Institution, q.Item, q.Mark)
		}
		return w.Flush()
	}}
	cmd.Flags().IntVar(&days, "days", register.ExpiresSoon, "how many days ahead, and back")
	return cmd
}

func (d *desk) templateCommand() *cobra.Command {
	return &cobra.Command{Use: "template FILE", Short: "Write the table to be filled in, .xlsx or .csv", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		format := "xlsx"
		if filepath.Ext(args[0]) == ".csv" {
			format = "csv"
		}
		text, _, err := d.ask(cmd, http.MethodGet, "/qualifications/template", url.Values{"format": {format}}, nil)
		if err != nil {
			return err
		}
		if err := os.WriteFile(args[0], text, 0o644); err != nil {
			return fmt.Errorf("write the template: %w", err)
		}
		return nil
	}}
}
