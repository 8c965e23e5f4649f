package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"concord/hub"
)

// pairShown is a pair as /identity shows it.
type pairShown struct {
	ID, State, Grade string
	Probability      float64
	Why              *identityWords
	Points           []struct{ Zh, En string }
	Updated          time.Time
	Patients         []string
	Decision, Undone *saidOfPair
	Sides            []struct {
		Patient, Member   string
		Names             []string
		BirthDate, Gender string
		Identifiers       []struct{ System, Value string }
		Phones, Addresses []string
	}
}

type identityWords struct{ Zh, En string }

// saidOfPair is what a person said.
type saidOfPair struct{ Member, Person, Reason string }

func (d *saidOfPair) who() string { return plain(strings.TrimSpace(d.Person + " of " + d.Member)) }

// flags are those of commands that ask a hub about identity.
func (o *labOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.address, "url", "http://127.0.0.1:8080", "base `URL` of the hub")
	cmd.Flags().StringVar(&o.token, "token", "", "bearer token with the scope integration (concord token --scope …)")
	cmd.MarkFlagRequired("token")
}

func identityPairsCommand() *cobra.Command {
	var o labOptions
	q := url.Values{}
	var state, member, patient string
	var limit int
	cmd := &cobra.Command{
		Use: "pairs [ID]", Short: "List the pairs of patients that wait for a person; show one with its evidence and history", Args: cobra.MaximumNArgs(1),
		Long: `List pairs of Patients that may be one person, those that were judged last first; with an ID, show both sides of one, what
speaks for and against it, and all that was said about it. Numbers and phones are masked.`,
		Example: `  T="$(concord token --member county --scope 'system/*.rs integration' --person 王芳)"
  concord identity pairs --token "$T"
  concord identity pairs --state contradiction --member village --token "$T"
  concord identity pairs 5f2c… --token "$T"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return o.showPair(cmd, args[0])
			}
			for name, value := range map[string]string{"state": state, "member": member, "patient": patient, "limit": strconv.Itoa(limit)} {
				if value != "" {
					q.Set(name, value)
				}
			}
			var list struct {
				Pairs []pairShown
				Next  string
			}
			if err := o.get(cmd.Context(), "/identity/pairs?"+q.Encode(), &list); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "STATE\tPROBABILITY\tONE\tOTHER\tWHY\tID")
			for i := range list.Pairs {
				p := &list.Pairs[i]
				fmt.Fprintf(w, "%s\t%.4f\t%s\t%s\t%s\t%s\n", p.State, p.Probability, p.side(0), p.side(1), p.why(), p.ID)
			}
			if err := w.Flush(); err != nil || list.Next == "" {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "there are more; --limit shows up to 200 of them")
			return err
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "`open`, contradiction, linked, separate or decided (default: open and contradiction)")
	f.StringVar(&member, "member", "", "only pairs of which one is this member's (`id`)")
	f.StringVar(&patient, "patient", "", "only pairs of this `Patient/id`")
	f.IntVar(&limit, "limit", 50, "most pairs to list")
	return cmd
}

// side is who one of the two is, in short.
func (p *pairShown) side(n int) string {
	if n >= len(p.Sides) {
		return ""
	}
	s := &p.Sides[n]
	name := ""
	if len(s.Names) > 0 {
		name = s.Names[0]
	}
	return plain(strings.Join([]string{s.Patient, s.Member, name, s.BirthDate}, " "))
}

func (p *pairShown) why() string {
	if p.Why == nil {
		return ""
	}
	return p.Why.Zh + " · " + p.Why.En
}

// showPair prints one pair with all that is known of it.
func (o *labOptions) showPair(cmd *cobra.Command, id string) error {
	var one struct {
		Pair    pairShown
		History []pairShown
	}
	if err := o.get(cmd.Context(), "/identity/pairs/"+url.PathEscape(id), &one); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	p := &one.Pair
	fmt.Fprintf(out, "%s, probability %.4f: %s\n", p.State, p.Probability, p.why())
	for i := range p.Sides {
		s := &p.Sides[i]
		fmt.Fprintf(out, "\n%s of %s\n", s.Patient, s.Member)
		for _, line := range []struct{ what, text string }{{"name", strings.Join(s.Names, ", ")}, {"born", s.BirthDate}, {"sex", s.Gender},
			{"phone", strings.Join(s.Phones, ", ")}, {"address", strings.Join(s.Addresses, "; ")}} {
			if line.text != "" {
				fmt.Fprintf(out, "  %-8s %s\n", line.what, plain(line.text))
			}
		}
		for _, n := range s.Identifiers {
			fmt.Fprintf(out, "  %-8s %s %s\n", "number", plain(n.Value), plain(n.System))
		}
	}
	fmt.Fprintln(out)
	for _, point := range p.Points {
		fmt.Fprintf(out, "  %s · %s\n", point.Zh, point.En)
	}
	fmt.Fprintln(out, "\nhistory, newest first")
	for i := range one.History {
		fmt.Fprintln(out, " ", one.History[i].line())
	}
	return nil
}

// line is one version of a pair.
func (p *pairShown) line() string {
	text := p.Updated.Local().Format(time.DateTime) + " " + p.State
	if d := p.Decision; d != nil {
		text += " as " + d.who() + " said: " + plain(d.Reason)
	} else if d := p.Undone; d != nil {
		text += " as " + d.who() + " took the decision back: " + plain(d.Reason)
	} else if p.Why != nil {
		text += ": " + p.why()
	}
	return text
}

// identityDecideCommand makes link, separate and undo.
func identityDecideCommand(what, short, long string) *cobra.Command {
	var o labOptions
	var reason string
	cmd := &cobra.Command{
		Use: what + " ID | PATIENT PATIENT", Short: short, Args: cobra.RangeArgs(1, 2), Long: long,
		Example: fmt.Sprintf(`  concord identity %[1]s 5f2c… --reason 证件原件已核对 --token "$T"
  concord identity %[1]s Patient/c1 Patient/v1 --reason 电话核实 --token "$T"`, what),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return &hub.Error{Kind: hub.Invalid, Path: "reason", Msg: "a decision says why"}
			}
			path, body := "/identity/pairs", any(map[string]any{"patients": args, "decision": what, "reason": reason})
			if len(args) == 1 {
				path, body = path+"/"+url.PathEscape(args[0])+"/"+what, map[string]any{"reason": reason}
			}
			text, err := json.Marshal(body)
			if err != nil {
				return err
			}
			var done struct{ Pair pairShown }
			err = callHub(cmd.Context(), o.address, o.token, "POST", path, "application/json", text, func(r io.Reader) error { return json.NewDecoder(r).Decode(&done) })
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", strings.Join(done.Pair.Patients, " and "), done.Pair.State)
			return err
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, in 500 characters at most")
	cmd.MarkFlagRequired("reason")
	return cmd
}

// identityDeciding are the commands of whoever has looked.
func identityDeciding() []*cobra.Command {
	return []*cobra.Command{
		identityDecideCommand("link", "Say that two patients are one person", `Say that two Patients are one person: from then on a search for one finds the results of both. Refused where both have
different valid citizen numbers in force. It holds until it is undone.`),
		identityDecideCommand("separate", "Say that two patients are two people", `Say that two Patients are two people: nothing links them, whatever they come to have in common, until it is undone.`),
		identityDecideCommand("undo", "Take back what was said about two patients", `Take back what a person said about two Patients: they are again what the model makes of them. All versions stay in the
history.`),
	}
}
