package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/recognition/register"
	"concord/mappings"
)

// desk is a running hub's register of recognised items, as a command speaks to it.
type desk struct{ to, token string }

func (d *desk) on(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.to, "to", "http://127.0.0.1:8080", "base `URL` of the hub")
	cmd.Flags().StringVar(&d.token, "token", os.Getenv("CONCORD_TOKEN"), "bearer token; changing needs one of scope catalogue (CONCORD_TOKEN)")
}

// ask sends a request below /recognition. An answer that is not of the codes wanted is an error with the hub's own words.
func (d *desk) ask(cmd *cobra.Command, method, path string, query url.Values, body []byte, wanted ...int) ([]byte, int, error) {
	at := strings.TrimSuffix(d.to, "/") + "/recognition" + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(cmd.Context(), method, at, bytes.NewReader(body))
	if err != nil {
		return nil, 0, fmt.Errorf("ask the hub: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	client := http.Client{Timeout: 5 * time.Minute}
	res, err := client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("ask the hub: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, 0, fmt.Errorf("read the hub's answer: %w", err)
	}
	if !slices.Contains(append(wanted, http.StatusOK, http.StatusCreated), res.StatusCode) {
		return nil, res.StatusCode, refusal(res.StatusCode, text)
	}
	return text, res.StatusCode, nil
}

// refusal words what a hub answered instead.
func refusal(status int, text []byte) error {
	type fault struct {
		Path    string  `json:"path"`
		Message string  `json:"message"`
		Faults  []fault `json:"faults"`
	}
	var f fault
	if err := json.Unmarshal(text, &f); err != nil || f.Message == "" {
		return fmt.Errorf("the hub answered %d", status)
	}
	lines := []string{f.Path + ": " + f.Message}
	for i, one := range f.Faults {
		if i > 0 {
			lines = append(lines, one.Path+": "+one.Message)
		}
	}
	return fmt.Errorf("the hub answered %d: %s", status, strings.Join(lines, "\n  "))
}

// get decodes the answer to a GET.
func get[T any](cmd *cobra.Command, d *desk, path string, query url.Values) (T, error) {
	var out T
	text, _, err := d.ask(cmd, http.MethodGet, path, query, nil)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

// told is a proposal as the hub tells it.
type told struct {
	ID          string                `json:"id"`
	State       string                `json:"state"`
	By          register.Person       `json:"by"`
	At          time.Time             `json:"at"`
	Reason      string                `json:"reason"`
	Effective   time.Time             `json:"effective"`
	Changes     int                   `json:"changes"`
	Ruling      *register.Ruling      `json:"ruling"`
	Differences []register.Difference `json:"differences"`
	More        int                   `json:"more"`
	Conflicts   []string              `json:"conflicts"`
}

func (p *told) print(w io.Writer) {
	if p.ID == "" {
		fmt.Fprintln(w, "nothing would change: no proposal was made")
		return
	}
	fmt.Fprintf(w, "proposal %s  %s  %d changes  by %s of %s\n  %s\n", p.ID, p.State, p.Changes, p.By.Name, p.By.Member, p.Reason)
	if !p.Effective.IsZero() {
		fmt.Fprintf(w, "  takes force %s\n", p.Effective.Local().Format(time.RFC3339))
	}
	if r := p.Ruling; r != nil {
		fmt.Fprintf(w, "  %s by %s of %s  %s\n", r.Verdict, r.By.Name, r.By.Member, r.Reason)
	}
	for _, d := range p.Differences {
		fmt.Fprintf(w, "  %s\n  %s\n", d.Chinese, d.English)
		for _, c := range d.Columns {
			fmt.Fprintf(w, "      %s\n      %s\n", c.Chinese, c.English)
		}
	}
	if p.More > 0 {
		fmt.Fprintf(w, "  and %d more\n", p.More)
	}
	if len(p.Conflicts) > 0 {
		fmt.Fprintf(w, "  other open proposals change the same: %s\n", strings.Join(p.Conflicts, ", "))
	}
}

func catalogueCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "catalogue", Short: "Show and change which items are recognised: one person proposes, another releases"}
	var d desk
	show := &cobra.Command{Use: "show [ITEM]", Short: "Print what is in force, or one row with its history", Args: cobra.MaximumNArgs(1)}
	at := show.Flags().String("at", "", "a `day` or moment instead of now")
	show.RunE = func(cmd *cobra.Command, args []string) error { return d.show(cmd, args, *at) }

	list := &cobra.Command{Use: "proposals", Short: "List proposals", Args: cobra.NoArgs}
	state := list.Flags().String("state", "open", "open, released, rejected or withdrawn; empty: all")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		out, err := get[struct {
			Proposals []told `json:"proposals"`
		}](cmd, &d, "/proposals", url.Values{"state": {*state}})
		for i := range out.Proposals {
			out.Proposals[i].print(cmd.OutOrStdout())
		}
		return err
	}
	diff := &cobra.Command{Use: "diff PROPOSAL", Short: "Print what a proposal changes, in Chinese and English", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		p, err := get[told](cmd, &d, "/proposals/"+url.PathEscape(args[0]), url.Values{"count": {"100000"}})
		if err == nil {
			p.print(cmd.OutOrStdout())
		}
		return err
	}}
	cmd.AddCommand(show, list, diff, d.proposeCommand(), lintCommand(), d.rollBackCommand(), d.releasesCommand())
	for verdict, short := range map[string]string{"release": "Release what another person has proposed", "reject": "Reject what another person has proposed", "withdraw": "Withdraw a proposal of one's own"} {
		cmd.AddCommand(d.ruleCommand(verdict, short))
	}
	for _, c := range cmd.Commands() {
		if c.Name() != "lint" {
			d.on(c)
		}
	}
	return cmd
}

func (d *desk) show(cmd *cobra.Command, args []string, at string) error {
	query := url.Values{}
	if at != "" {
		query.Set("at", at)
	}
	if len(args) == 1 {
		text, _, err := d.ask(cmd, http.MethodGet, "/catalogue/"+url.PathEscape(args[0]), query, nil)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := json.Indent(&out, text, "", "  "); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), out.String())
		return nil
	}
	out, err := get[struct {
		Version string          `json:"version"`
		Items   []register.Item `json:"items"`
	}](cmd, d, "/catalogue", query)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), out.Version)
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ITEM\tKIND\tWINDOW\tRELEASE\tNAME")
	for _, i := range out.Items {
		window, release := fmt.Sprint(i.Row["window"]), "starter"
		if i.Release > 0 {
			release = strconv.Itoa(i.Release)
		}
		if i.Retired {
			window = "retired"
		}
		zh, en := i.Row.Names()
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s %s\n", i.Row.ID(), i.Row.Kind(), window, release, zh, en)
	}
	return w.Flush()
}

// edits is a file of what is to be changed: rows as in mappings/recognition/items.yaml, or ids.
type edits struct {
	Items   []map[string]any `yaml:"items" json:"-"`
	Retire  []string         `yaml:"retire" json:"-"`
	Restore []string         `yaml:"restore" json:"-"`
}

func readEdits(path string) ([]register.Change, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read what is to be changed: %w", err)
	}
	var e edits
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&e); err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Path: path, Msg: "read what is to be changed", Hint: "items: [rows], retire: [ids], restore: [ids]", Err: err}
	}
	var all []register.Change
	for _, columns := range e.Items {
		text, err := json.Marshal(columns)
		if err != nil {
			return nil, fmt.Errorf("read a row of %s: %w", path, err)
		}
		var row register.Row
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&row); err != nil {
			return nil, fmt.Errorf("read a row of %s: %w", path, err)
		}
		all = append(all, register.Change{Item: row.ID(), Row: row})
	}
	for _, id := range e.Retire {
		all = append(all, register.Change{Item: id, Retire: true})
	}
	for _, id := range e.Restore {
		all = append(all, register.Change{Item: id, Restore: true})
	}
	return all, nil
}

func (d *desk) proposeCommand() *cobra.Command {
	var reason, effective string
	cmd := &cobra.Command{
		Use: "propose FILE", Short: "Propose rows of the catalogue, for another person to release", Args: cobra.ExactArgs(1),
		Long: `Propose rows of the catalogue. FILE is YAML (or JSON): items, rows as in mappings/recognition/items.yaml, each whole;
retire, ids of items that are recognised no more; restore, ids of items whose row is to be the starter's again.`,
		Example: `  concord catalogue propose alt.yaml --reason "省临检中心 2026-3 号" --effective 2026-04-01 --token "$T"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := readEdits(args[0])
			if err != nil {
				return err
			}
			body, err := json.Marshal(map[string]any{"reason": reason, "effective": effective, "changes": changes})
			if err != nil {
				return fmt.Errorf("propose: %w", err)
			}
			return d.told(cmd, "/proposals", body)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the person who releases it and for later")
	cmd.Flags().StringVar(&effective, "effective", "", "`day` or moment from which on it is in force (default: its release)")
	cmd.MarkFlagRequired("reason")
	return cmd
}

// told posts and prints the proposal that comes back.
func (d *desk) told(cmd *cobra.Command, path string, body []byte) error {
	text, _, err := d.ask(cmd, http.MethodPost, path, nil, body)
	if err != nil {
		return err
	}
	var p told
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	p.print(cmd.OutOrStdout())
	return nil
}

func (d *desk) ruleCommand(verdict, short string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: verdict + " PROPOSAL", Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		body, _ := json.Marshal(map[string]string{"reason": reason})
		text, _, err := d.ask(cmd, http.MethodPost, "/proposals/"+url.PathEscape(args[0])+"/"+verdict, nil, body)
		if err != nil {
			return err
		}
		var out struct {
			Version  string `json:"version"`
			Proposal told   `json:"proposal"`
		}
		if err := json.Unmarshal(text, &out); err != nil {
			return err
		}
		out.Proposal.print(cmd.OutOrStdout())
		fmt.Fprintln(cmd.OutOrStdout(), "in force:", out.Version)
		return nil
	}}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

func (d *desk) rollBackCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "rollback NUMBER", Short: "Propose what takes a release back", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		body, _ := json.Marshal(map[string]string{"reason": reason})
		return d.told(cmd, "/releases/"+url.PathEscape(args[0])+"/rollback", body)
	}}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	cmd.MarkFlagRequired("reason")
	return cmd
}

func (d *desk) releasesCommand() *cobra.Command {
	return &cobra.Command{Use: "releases", Short: "List the releases, with who and why", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		out, err := get[struct {
			Version  string `json:"version"`
			Releases []told `json:"releases"`
		}](cmd, d, "/releases", nil)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "in force:", out.Version)
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "RELEASE\tIN FORCE FROM\tCHANGES\tPROPOSED BY\tRELEASED BY\tREASON")
		for _, p := range out.Releases {
			fmt.Fprintf(w, "%d\t%s\t%d\t%s (%s)\t%s (%s)\t%s\n", p.Ruling.Number, p.Ruling.Effective.Local().Format(time.RFC3339), p.Changes,
				p.By.Name, p.By.Member, p.Ruling.By.Name, p.Ruling.By.Member, p.Reason)
		}
		return w.Flush()
	}}
}

// lintCommand checks rows on the catalogue of the program, without a hub.
func lintCommand() *cobra.Command {
	return &cobra.Command{Use: "lint FILE", Short: "Check rows against the catalogue of the program, without a hub", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		changes, err := readEdits(args[0])
		if err != nil {
			return err
		}
		starter, err := mappings.RecognitionStarter(nil)
		if err != nil {
			return err
		}
		var rows []register.Row
		var without []string
		for _, c := range changes {
			switch {
			case c.Row != nil:
				rows = append(rows, c.Row)
			case c.Retire:
				without = append(without, c.Item)
			}
		}
		if _, err := starter.Compose(starter.Version+"+lint", rows, without); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d changes, no fault\n", len(changes))
		return nil
	}}
}
