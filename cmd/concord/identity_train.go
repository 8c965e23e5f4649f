package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"concord/hub"
	"concord/hub/identity"
	"concord/hub/identity/trial"
	"concord/internal/people"
	"concord/mappings"
)

func identityCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "identity", Short: "Ask who is who, decide doubtful pairs, train and measure the matching", Args: cobra.NoArgs}
	cmd.AddCommand(identityMatchCommand(), identityPairsCommand())
	cmd.AddCommand(identityDeciding()...)
	cmd.AddCommand(identityRelinkCommand(), identityTrainCommand(), identityMeasureCommand())
	return cmd
}

// identityOptions choose a model and a population.
type identityOptions struct {
	tables, weights string
	seed            uint64
	people          int
}

func (o *identityOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.IntVar(&o.people, "people", 200_000, "size of the invented population")
	f.Uint64Var(&o.seed, "seed", 2, "another seed is another population; the model that comes with the program was trained on 1")
	f.StringVar(&o.tables, "tables", "", "`file` of tables instead of those that come with the program")
}

// identityFile reads a file of a model, or takes what comes with the program.
func identityFile(path string, own mappings.IdentityFile) (mappings.IdentityFile, error) {
	if path == "" {
		return own, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return own, fmt.Errorf("read a file of the model: %w", err)
	}
	return mappings.IdentityFile{Name: path, Data: data}, nil
}

func identityTrainCommand() *cobra.Command {
	o := identityOptions{}
	var version string
	cmd := &cobra.Command{
		Use: "train", Short: "Learn the weights of matching from records and print the model", Args: cobra.NoArgs,
		Long: `Learn from records how often fields agree for one person, for relatives and for strangers, and how common names are, and
print the file of weights (mappings/identity/model.yaml). Which records are of one person is not told to the training:
the weights are fitted by expectation and maximisation.

Without --records the population is an invented one. With --records it is read from a file of one FHIR Patient a line,
such as a bulk export of the hub's own; nothing of it but counts gets into the model: names that at least five Patients
have, and shares.`,
		Example: "  concord identity train --seed 1 > mappings/identity/model.yaml\n  concord identity train --records Patient.ndjson --model-version ours-2026.1 > model.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			tables, err := identityFile(o.tables, mappings.IdentityTables())
			if err != nil {
				return err
			}
			m, err := mappings.ParseIdentityTables(tables)
			if err != nil {
				return err
			}
			p, head, err := o.population(m)
			if err != nil {
				return err
			}
			if len(p.Traits) < 1000 {
				return &hub.Error{Kind: hub.Invalid, Path: "records", Msg: "too few Patients to learn from", Hint: "weights need thousands of them"}
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%d records read\n", len(p.Traits))
			weights, shares := p.Learn(4_000_000)
			_, err = cmd.OutOrStdout().Write(mappings.EncodeIdentity(version, "D", head, weights, shares))
			return err
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.weights, "records", "", "`file` of Patients, one a line, instead of an invented population")
	cmd.Flags().StringVar(&version, "model-version", "starter-2026.1", "version that each judgement will name")
	return cmd
}

func (o *identityOptions) population(m *identity.Model) (*trial.Population, string, error) {
	if o.weights == "" {
		p, err := trial.Read(m, people.Options{Seed: o.seed, People: o.people})
		return p, fmt.Sprintf(`Weights of matching and shares of names, made by: concord identity train --seed %d --people %d
Trained on an invented population [D]: its names and faults are ours, so are these figures. Train on your own Patients
(concord identity train --records Patient.ndjson) before relying on them.`, o.seed, o.people), err
	}
	f, err := os.Open(o.weights)
	if err != nil {
		return nil, "", fmt.Errorf("read Patients: %w", err)
	}
	defer f.Close()
	p, err := trial.ReadLines(m, f)
	return p, "Weights of matching and shares of names, made by: concord identity train --records\nTrained on this hub's own Patients.", err
}

func identityMeasureCommand() *cobra.Command {
	o := identityOptions{}
	faults := 1.0
	cmd := &cobra.Command{
		Use: "measure", Short: "Match an invented population and print how well that went", Args: cobra.NoArgs,
		Long: `Invent a population and what twelve institutions write down about it, faults included, match all records and print a
table: precision and recall of automatic links, the doubtful list, candidates, time. The exit code is 1 when a link joins
two different valid citizen numbers, or precision is below 0.9999 or recall below 0.97; recall is that of groups: of two records of one person, both of which
are linked with a third, a search finds both.

The population is invented by the same hands as the matching. It shows that the rules hold together and what they cost;
how often people of a given place err, only their own data shows.`,
		Example: "  concord identity measure\n  concord identity measure --people 20000 --seed 7",
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := o.model()
			if err != nil {
				return err
			}
			began := time.Now()
			rates := people.DefaultRates().Worse(faults)
			p, err := trial.Read(m, people.Options{Seed: o.seed, People: o.people, Rates: &rates})
			if err != nil {
				return err
			}
			read := time.Since(began)
			r := p.Run()
			printTrial(cmd.OutOrStdout(), m, r, read, time.Since(began))
			if r.AgainstNumbers > 0 || r.GroupPrecision() < .9999 || r.Precision() < .9999 || r.GroupRecall() < .97 {
				return &hub.Error{Kind: hub.Internal, Msg: "the bounds were missed"}
			}
			return nil
		},
	}
	o.flags(cmd)
	cmd.Flags().Float64Var(&faults, "faults", 1, "make clerks' faults so many times as frequent")
	cmd.Flags().StringVar(&o.weights, "weights", "", "`file` of weights instead of those that come with the program")
	return cmd
}

func (o *identityOptions) model() (*identity.Model, error) {
	if o.tables == "" && o.weights == "" {
		return mappings.Identity()
	}
	tables, err := identityFile(o.tables, mappings.IdentityTables())
	if err != nil {
		return nil, err
	}
	weights, err := identityFile(o.weights, mappings.IdentityWeights())
	if err != nil {
		return nil, err
	}
	return mappings.ParseIdentity(tables, weights)
}

func printTrial(out io.Writer, m *identity.Model, r *trial.Report, read, all time.Duration) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what string, format string, args ...any) {
		fmt.Fprintf(t, "%s\t"+format+"\n", append([]any{what}, args...)...)
	}
	row("model", "%s", m.Version)
	row("people, records, pairs of one person", "%d, %d, %d", r.People, r.Records, r.TruePairs)
	row("pairs compared, share of true pairs among them", "%d, %.4f", r.Candidates, r.KeyRecall())
	row("candidates of a newcomer, mean and 99 of 100", "%.1f, %d (%d keys too common were passed over)", r.CandidatesMean, r.Candidates99, r.Hot)
	row("links, false ones, between twins", "%d, %d, %d", r.Links, r.FalseLinks, r.TwinLinks)
	row("precision of links", "%.6f (at worst %.6f at 95 %%)", r.Precision(), 1-r.Interval())
	row("recall of links, pair by pair", "%.4f", r.Recall())
	row("  not linked since name and birth date alone never do", "%d", r.NothingElse)
	row("links between two valid citizen numbers", "%d", r.AgainstNumbers)
	row("doubtful pairs, of one person", "%d, %d (%.2f %% of links)", r.Asks, r.AsksTrue, 100*float64(r.Asks)/float64(max(1, r.Links)))
	row("doubtful pairs not in one group anyway", "%d, %d of one person", r.OpenAsks, r.OpenAsksTrue)
	row("quarantined pairs, of one person", "%d, %d", r.Contradictions, r.ContradictionsTrue)
	row("groups, pairs within, false ones", "%d, %d, %d", r.Groups, r.GroupPairs, r.FalseGroupPairs)
	row("precision and recall of groups", "%.6f, %.4f (%d links refused)", r.GroupPrecision(), r.GroupRecall(), r.RefusedLinks)
	row("time of one comparison", "%v", r.Compare)
	row("time in all, of reading", "%v, %v", all.Round(time.Millisecond), read.Round(time.Millisecond))
	rules := make([]string, 0, len(r.Rules))
	for rule := range r.Rules {
		rules = append(rules, rule)
	}
	slices.SortFunc(rules, func(x, y string) int {
		return cmp.Or(cmp.Compare(r.Rules[y].All, r.Rules[x].All), cmp.Compare(x, y))
	})
	for _, rule := range rules {
		row("  "+rule, "%d, of one person %d", r.Rules[rule].All, r.Rules[rule].True)
	}
	t.Flush()
}
