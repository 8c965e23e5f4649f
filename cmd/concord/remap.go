package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/hub"
	"concord/hub/messages"
)

// remapOptions are those of concord remap.
type remapOptions struct {
	filter         messages.Filter
	since, until   string
	rate           float64
	limit          int
	dry, detach    bool
	address, token string
}

func remapCommand() *cobra.Command {
	var o remapOptions
	cmd := &cobra.Command{
		Use: "remap", Short: "Map kept messages again by the rules as they are now", Args: cobra.NoArgs,
		Long: `Have a hub map messages again that it has kept, the oldest first. What they make is replaced as by a correction;
the attempts before stay with the messages as superseded ones. --dry-run shows what would change and changes nothing.
The work goes on in the hub when this command is interrupted, and in another hub when that one ends.`,
		Example: `  concord remap --member village-clinic --since 2026-03-01 --dry-run --token "$T"
  concord remap --member village-clinic --since 2026-03-01 --status dead --token "$T"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, t := range []struct {
				name, text string
				to         *time.Time
			}{{"since", o.since, &o.filter.Since}, {"until", o.until, &o.filter.Until}} {
				var err error
				if *t.to, err = timeFlag(t.name, t.text); err != nil {
					return err
				}
			}
			if o.dry {
				return o.try(cmd.Context(), cmd.OutOrStdout())
			}
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.address, "url", "http://127.0.0.1:8080", "base `URL` of the hub")
	f.StringVar(&o.token, "token", "", "bearer token: of the member, or of scope integration")
	f.StringVar(&o.filter.Member, "member", "", "`id` of the member that sent them (default: the token's)")
	f.StringVar(&o.since, "since", "", "received from this `time` or date on")
	f.StringVar(&o.until, "until", "", "received before this `time` or date")
	f.StringVar(&o.filter.Format, "format", "", "of this `format`, such as hl7v2")
	f.StringVar(&o.filter.Type, "type", "", "of this `type`: ORU, or ORU^R01")
	f.StringVar(&o.filter.Status, "status", "", "that ended so: `mapped`, late, dead, refused, or several with commas")
	f.StringVar(&o.filter.Sender, "sender", "", "of this sending `system`: application|facility")
	f.StringVar(&o.filter.Patient, "patient", "", "about this patient: `Patient/id`")
	f.Float64Var(&o.rate, "rate", messages.DefaultRate, "most messages a second")
	f.IntVar(&o.limit, "limit", 1000, "most messages that a dry run looks at")
	f.BoolVar(&o.dry, "dry-run", false, "show what would change and change nothing")
	f.BoolVar(&o.detach, "detach", false, "do not wait for the end")
	cmd.MarkFlagRequired("token")
	cmd.MarkFlagRequired("since")
	return cmd
}

func timeFlag(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, time.Local)
	if err != nil {
		err = &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is a time such as 2026-03-01T08:00:00+08:00, or a date"}
	}
	return t, err
}

// asked is the body of POST /integration/replays.
func (o *remapOptions) asked() []byte {
	body, _ := json.Marshal(struct {
		messages.Filter
		Rate   float64 `json:"rate,omitempty"`
		DryRun bool    `json:"dryRun,omitempty"`
		Limit  int     `json:"limit,omitempty"`
	}{o.filter, o.rate, o.dry, o.limit})
	return body
}

// try prints what would change, message by message.
func (o *remapOptions) try(ctx context.Context, out io.Writer) error {
	return callHub(ctx, o.address, o.token, "POST", "/integration/replays", "application/json", o.asked(), func(r io.Reader) error {
		lines := bufio.NewReader(r)
		for {
			text, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return errors.New("the dry run was cut off")
			}
			if err != nil {
				return err
			}
			var line struct {
				ID, Member, Type, Control string
				Received                  time.Time
				Was, Status               messages.Status
				Differences               []messages.Difference
				Error, Message            string
				Seen                      *int
				Differ                    int
				Resources, Statuses       map[string]int
				More                      bool
			}
			if err := json.Unmarshal(text, &line); err != nil {
				return err
			}
			switch {
			case line.Error != "":
				return errors.New(line.Message)
			case line.Seen != nil:
				fmt.Fprintf(out, "%d of %d messages would change%s%s\n", line.Differ, *line.Seen, counts(line.Resources), counts(line.Statuses))
				if line.More {
					fmt.Fprintln(out, "there are more messages; --limit lets more be looked at")
				}
				return nil
			}
			fmt.Fprintf(out, "%s %s %s %s\n", line.Received.Format(time.RFC3339), line.Type, line.Control, line.ID)
			if line.Was != line.Status {
				fmt.Fprintf(out, "    %s → %s\n", line.Was, line.Status)
			}
			for i := range line.Differences {
				printDifference(out, &line.Differences[i])
			}
		}
	})
}

func counts(of map[string]int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(of)) {
		fmt.Fprintf(&b, ", %d %s", of[name], name)
	}
	return b.String()
}

// run starts the work and follows it to its end.
func (o *remapOptions) run(ctx context.Context, out io.Writer) error {
	var j messages.Job
	read := func(r io.Reader) error { j = messages.Job{}; return json.NewDecoder(r).Decode(&j) }
	if err := callHub(ctx, o.address, o.token, "POST", "/integration/replays", "application/json", o.asked(), read); err != nil {
		return err
	}
	fmt.Fprintf(out, "replay %s: %d messages\n", j.ID, j.Total)
	for j.Ended == "" && !o.detach {
		select {
		case <-ctx.Done():
			return fmt.Errorf("it goes on in the hub; to end it: POST /integration/replays/%s/stop", j.ID)
		case <-time.After(time.Second):
		}
		seen := j.Seen
		if err := callHub(ctx, o.address, o.token, "GET", "/integration/replays/"+j.ID, "", nil, read); err != nil {
			return err
		}
		if j.Seen != seen {
			fmt.Fprintf(out, "%d of %d\n", j.Seen, j.Total)
		}
	}
	fmt.Fprintf(out, "%s: %d seen, %d mapped, %d unchanged, %d too late, %d failed\n", or(j.Ended, "begun"), j.Seen, j.Count.Mapped, j.Unchanged, j.Late, j.Failed)
	if j.Ended == messages.JobFailed {
		return errors.New(j.Fault)
	}
	return nil
}
