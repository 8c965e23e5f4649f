package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"concord/hub"
	"concord/hub/laboratory"
)

// labOptions say which hub is asked, and by whom.
type labOptions struct{ address, token string }

func laboratoryCommand() *cobra.Command {
	var o labOptions
	cmd := &cobra.Command{Use: "laboratory", Aliases: []string{"lab"}, Short: "Settle what local codes mean; see to critical values",
		Long: `Ask a hub which local codes of laboratories nobody has said the meaning of, say it, and see to critical values.`}
	cmd.PersistentFlags().StringVar(&o.address, "url", "http://127.0.0.1:8080", "base `URL` of the hub")
	cmd.PersistentFlags().StringVar(&o.token, "token", "", "bearer token of a member, or of scope integration for the codes of all")
	cmd.MarkPersistentFlagRequired("token")
	cmd.AddCommand(o.codesCommand(), o.settleCommand(), o.criticalsCommand())
	for _, step := range []laboratory.Step{laboratory.Acknowledge, laboratory.Act, laboratory.Close} {
		cmd.AddCommand(o.stepCommand(step))
	}
	return cmd
}

func (o *labOptions) get(ctx context.Context, path string, into any) error {
	return callHub(ctx, o.address, o.token, "GET", path, "", nil, func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

func (o *labOptions) post(ctx context.Context, path string, what, into any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return callHub(ctx, o.address, o.token, "POST", path, "application/json", body, func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

func (o *labOptions) codesCommand() *cobra.Command {
	var member string
	cmd := &cobra.Command{Use: "codes", Short: "List local codes without a standard one, the most frequent first", Args: cobra.NoArgs,
		Example: `  concord laboratory codes --token "$(concord token --member village-clinic)"
  concord laboratory codes --token "$(concord token --member county --scope integration)" --member village-clinic`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list struct{ Codes []laboratory.Waiting }
			if err := o.get(cmd.Context(), "/laboratory/codes?suggest=1&member="+url.QueryEscape(member), &list); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "COUNT\tMEMBER\tCODE\tNAME\tUNIT\tSPECIMEN\tNEAREST\tID")
			for _, c := range list.Codes {
				near := ""
				switch {
				case c.Settled:
					near = "settled; map the messages again"
				case len(c.Suggestions) > 0:
					near = fmt.Sprintf("%s %s (%.2f)", c.Suggestions[0].Code, c.Suggestions[0].Display, c.Suggestions[0].Score)
				}
				fmt.Fprintln(w, strings.Join([]string{fmt.Sprint(c.Count), c.Member, plain(c.Code.Code), plain(c.Name), plain(c.Unit), plain(c.Specimen), near, c.ID}, "\t"))
			}
			return w.Flush()
		}}
	cmd.Flags().StringVar(&member, "member", "", "only this member's codes")
	return cmd
}

// plain is a text from outside that is fit for a terminal: without control characters.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return ' '
		}
		return c
	}, text)
}

func (o *labOptions) settleCommand() *cobra.Command {
	var m laboratory.Meaning
	var to []string
	var member, code, display string
	var consortium bool
	cmd := &cobra.Command{Use: "settle [ID]", Short: "Say what a local code means", Args: cobra.MaximumNArgs(1),
		Long: `Say what a local code means: one of the queue by its ID, any other by --local. It is in force for messages from then on;
concord remap completes those that came before.`,
		Example: `  concord laboratory settle 5q…x2 --to 2823-3 --to urn:yibao|250403001 --token …
  concord laboratory settle --local urn:lis|0021 --to 2823-3 --specimen 血清 --token …
  concord laboratory settle 5q…x2 --none --token …`,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, one := range to {
				c, ok := codingOf(one)
				if !ok {
					c = laboratory.Coding{System: laboratory.LOINC, Code: one}
				}
				m.To = append(m.To, c)
			}
			var done struct{ Map string }
			switch {
			case len(args) == 1 && code == "":
				if err := o.post(cmd.Context(), "/laboratory/codes/"+url.PathEscape(args[0]), m, &done); err != nil {
					return err
				}
			case len(args) == 0 && code != "":
				local, ok := codingOf(code)
				if !ok {
					local = laboratory.Coding{Code: code}
				}
				local.Display = display
				what := struct {
					Member     string            `json:"member,omitempty"`
					Consortium bool              `json:"consortium,omitempty"`
					Code       laboratory.Coding `json:"code"`
					laboratory.Meaning
				}{member, consortium, local, m}
				if err := o.post(cmd.Context(), "/laboratory/codes", what, &done); err != nil {
					return err
				}
			default:
				return &hub.Error{Kind: hub.Invalid, Msg: "name a code of the queue by its ID, or any by --local"}
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "written in", done.Map)
			return err
		}}
	f := cmd.Flags()
	f.StringArrayVar(&to, "to", nil, "standard `code`: of LOINC, or system|code; may be given several times")
	f.BoolVar(&m.None, "none", false, "there is no standard code")
	f.StringVar(&m.Specimen, "specimen", "", "only for this specimen, as the laboratory writes it")
	f.StringVar(&m.Unit, "unit", "", "only for this unit, as the laboratory writes it")
	f.StringVar(&code, "local", "", "local `system|code`")
	f.StringVar(&display, "display", "", "the local code's name")
	f.StringVar(&member, "member", "", "whose code it is (default: the token's member)")
	f.BoolVar(&consortium, "consortium", false, "it means this for all members that do not say otherwise")
	return cmd
}

// codingOf reads system|code.
func codingOf(text string) (laboratory.Coding, bool) {
	at := strings.LastIndexByte(text, '|')
	if at < 0 {
		return laboratory.Coding{}, false
	}
	return laboratory.Coding{System: text[:at], Code: text[at+1:]}, true
}

func (o *labOptions) criticalsCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{Use: "criticals", Short: "List critical values that wait for somebody", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list struct {
				Criticals []struct {
					ID, State, Member, Patient, Text string
					Overdue                          bool
					Raised                           time.Time
					Escalations                      int
				}
			}
			if err := o.get(cmd.Context(), "/laboratory/criticals?state="+url.QueryEscape(state), &list); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "RAISED\tSTATE\tESCALATED\tMEMBER\tPATIENT\tWHAT\tID")
			for _, c := range list.Criticals {
				if c.Overdue {
					c.State += ", overdue"
				}
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", c.Raised.Local().Format(time.DateTime), c.State, c.Escalations, c.Member, c.Patient, plain(c.Text), c.ID)
			}
			return w.Flush()
		}}
	cmd.Flags().StringVar(&state, "state", "open", "open, overdue or all")
	return cmd
}

func (o *labOptions) stepCommand(step laboratory.Step) *cobra.Command {
	var in struct {
		Who  string `json:"who"`
		Note string `json:"note,omitempty"`
	}
	cmd := &cobra.Command{Use: string(step) + " ID", Short: "Take a critical value's step: " + string(step), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var done struct{ State string }
			if err := o.post(cmd.Context(), "/laboratory/criticals/"+url.PathEscape(args[0])+"/"+string(step), in, &done); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), done.State)
			return err
		}}
	cmd.Flags().StringVar(&in.Who, "who", "", "the `person` who does it")
	cmd.Flags().StringVar(&in.Note, "note", "", "what is to be remembered of it")
	cmd.MarkFlagRequired("who")
	return cmd
}
