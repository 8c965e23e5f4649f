package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"concord/hub/commit"
	"concord/hub/identity/persons"
	"concord/hub/settings"
)

func identityRelinkCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "relink", Short: "Judge all patients again, as after a change of the model", Args: cobra.NoArgs,
		Long: `Have all Patients judged again by the model of this program, or of --identity-model. The command writes down that it is to be done; the
hubs on the same store do it, some hundred Patients a second, while they go on serving, and concord_identity_behind in /metrics shows how
far they are. What persons decided stays. With --dry-run nothing is written, and what would change is printed.`,
		Example: `  concord identity relink --dry-run
  concord identity relink`,
		RunE: withIndex(func(cmd *cobra.Command, _ []string, r *rooms) error {
			f := r.followers[settings.Records]
			if err := f.CatchUp(cmd.Context()); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if dry {
				p, err := persons.Ahead(cmd.Context(), f, r.identity, func(done int) { fmt.Fprintf(cmd.ErrOrStderr(), "\r%d patients", done) })
				fmt.Fprintln(cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				fmt.Fprintf(out, "%d patients judged by model %s\npersons: %d new, %d changed, %d ended\n", p.Patients, r.identity.Version, p.Made, p.Changed, p.Ended)
				for _, how := range slices.Sorted(maps.Keys(p.Pairs)) {
					fmt.Fprintf(out, "pairs %s: %d\n", how, p.Pairs[how])
				}
				return nil
			}
			w := commit.New(f.Log(), f, commit.Options{})
			defer w.Close()
			if err := persons.Again(cmd.Context(), f, w); err != nil {
				return err
			}
			fmt.Fprintln(out, "all patients will be judged again")
			return nil
		}),
	}
	storeFlags(cmd.Flags())
	cmd.Flags().BoolVar(&dry, "dry-run", false, "write nothing, and print what would change")
	return cmd
}
