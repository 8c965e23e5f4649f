package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"concord/hub"
	"concord/hub/recognition/ledger"
)

// statisticsOptions say what is counted, and how it is told.
type statisticsOptions struct {
	labOptions
	from, to, by, format, out string
	where                     []string
	consortium                bool
}

func statisticsCommand() *cobra.Command {
	var o statisticsOptions
	cmd := &cobra.Command{Use: "statistics", Short: "Count what was offered, recognised and repeated", Args: cobra.NoArgs,
		Long: `Ask a hub for the statistics of recognition: what was offered, what doctors made of it, what was repeated all the same, and what was saved.
A member is told of what it ordered or gave; with scope integration or catalogue, of all.`,
		Example: `  concord statistics --by using,month --token "$(concord token --member county)"
  concord statistics --from 2026-01 --to 2026-04 --by item --where using=county --format xlsx --out quarter.xlsx --token …`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) }}
	f := cmd.Flags()
	f.StringVar(&o.address, "url", "http://127.0.0.1:8080", "base `URL` of the hub")
	f.StringVar(&o.token, "token", "", "bearer token")
	f.StringVar(&o.from, "from", "", "from this month, day or moment on")
	f.StringVar(&o.to, "to", "", "before this month, day or moment")
	f.StringVar(&o.by, "by", "", "what the rows are told apart by: using, giving, department, item, reason, month; comma-separated")
	f.StringArrayVar(&o.where, "where", nil, "only where a dimension has a value, as `dimension=value`; repeatable")
	f.BoolVar(&o.consortium, "consortium", false, "of the whole consortium; numbers of others are rounded")
	f.StringVar(&o.format, "format", "table", "table, json, csv or xlsx")
	f.StringVar(&o.out, "out", "", "write to this `file`")
	cmd.MarkFlagRequired("token")
	return cmd
}

func (o *statisticsOptions) run(cmd *cobra.Command) error {
	q := url.Values{}
	for name, value := range map[string]string{"from": o.from, "to": o.to, "by": o.by} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.consortium {
		q.Set("consortium", "true")
	}
	for _, one := range o.where {
		d, value, ok := strings.Cut(one, "=")
		if !ok || !slices.Contains(ledger.Dimensions(), ledger.Dimension(d)) {
			return &hub.Error{Kind: hub.Invalid, Path: "--where", Msg: fmt.Sprintf("%.64q is no dimension and value", one), Hint: "for example using=county"}
		}
		q.Set(d, value)
	}
	if !slices.Contains([]string{"table", "json", "csv", "xlsx"}, o.format) {
		return &hub.Error{Kind: hub.Invalid, Path: "--format", Msg: "is table, json, csv or xlsx"}
	}
	if o.format == "xlsx" && o.out == "" {
		return &hub.Error{Kind: hub.Invalid, Path: "--out", Msg: "a workbook is written to a file"}
	}
	to := cmd.OutOrStdout()
	if o.out != "" {
		file, err := os.Create(o.out)
		if err != nil {
			return fmt.Errorf("write the statistics: %w", err)
		}
		defer file.Close()
		to = file
	}
	q.Set("format", strings.Replace(o.format, "table", "json", 1))
	return callHub(cmd.Context(), o.address, o.token, "GET", "/recognition/statistics?"+q.Encode(), "", nil, func(r io.Reader) error {
		if o.format == "table" {
			return printStatistics(to, r)
		}
		_, err := io.Copy(to, r)
		return err
	})
}

// countedRow is a line of a report as the hub tells it.
type countedRow struct {
	Values map[ledger.Dimension]string
	Counts map[ledger.Measure]struct{ Count int }
	Rate   *float64
	Saved  []struct{ Amount, Currency string }
}

func printStatistics(to io.Writer, r io.Reader) error {
	var report struct {
		By      []ledger.Dimension
		Rounded int
		Total   countedRow
		Rows    []countedRow
	}
	if err := json.NewDecoder(r).Decode(&report); err != nil {
		return fmt.Errorf("read the hub's statistics: %w", err)
	}
	w := tabwriter.NewWriter(to, 0, 4, 2, ' ', 0)
	head := []string{}
	for _, d := range report.By {
		head = append(head, strings.ToUpper(string(d)))
	}
	if len(head) == 0 {
		head = append(head, "")
	}
	for _, m := range ledger.Measures() {
		head = append(head, strings.ToUpper(string(m)))
	}
	fmt.Fprintln(w, strings.Join(append(head, "RATE", "SAVED"), "\t"))
	line := func(values []string, t countedRow) {
		for _, m := range ledger.Measures() {
			values = append(values, fmt.Sprint(t.Counts[m].Count))
		}
		rate := "-"
		if t.Rate != nil {
			rate = fmt.Sprintf("%.1f%%", 100**t.Rate)
		}
		var saved []string
		for _, s := range t.Saved {
			saved = append(saved, s.Amount+" "+s.Currency)
		}
		fmt.Fprintln(w, strings.Join(append(values, rate, strings.Join(saved, ", ")), "\t"))
	}
	for _, row := range report.Rows {
		var values []string
		for _, d := range report.By {
			values = append(values, plain(row.Values[d]))
		}
		line(values, row)
	}
	total := make([]string, max(1, len(report.By)))
	total[0] = "total"
	line(total, report.Total)
	if report.Rounded > 0 {
		fmt.Fprintf(w, "numbers of other members are rounded to %d\n", report.Rounded)
	}
	return w.Flush()
}
