package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/imaging"
	"concord/hub/settings"
	"concord/internal/dicom"
)

func forwardCommand() *cobra.Command {
	var to, by string
	cmd := &cobra.Command{
		Use: "forward STUDY --to TITLE", Short: "Send a study to a member's application entity", Args: cobra.ExactArgs(1),
		Long: `Send the instances of a study (its Study Instance UID) to an application entity of a member by C-STORE. The command writes
down that it is to be done; a hub that runs on the same store does it, and tries again after 5 seconds, then twice as late each
time up to an hour, for three days.`,
		Example: `  concord forward 1.2.840.113619.2.1 --to COUNTYPACS
  concord forward 1.2.840.113619.2.1 --to county-hospital      a member with one destination`,
		RunE: withIndex(func(cmd *cobra.Command, args []string, r *rooms) error {
			if err := dicom.CheckUID("STUDY", args[0]); err != nil {
				return err
			}
			title, member, err := r.receiver(to)
			if err != nil {
				return err
			}
			if err := r.hasStudy(cmd.Context(), args[0]); err != nil {
				return err
			}
			f := r.followers[settings.Records]
			if err := f.CatchUp(cmd.Context()); err != nil {
				return err
			}
			w := commit.New(f.Log(), f, commit.Options{})
			defer w.Close()
			if by == "" {
				by = member
			}
			errands := imaging.Errands{Follower: f, Writer: w, Now: time.Now}
			_, err = errands.Promise(cmd.Context(), imaging.Errand{Member: by, Title: title, Study: args[0], Due: time.Now()})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "the study will be sent to %s\n", title)
			}
			return err
		}),
	}
	storeFlags(cmd.Flags())
	cmd.Flags().StringVar(&to, "to", "", "application entity `TITLE` with a known address, or a member that has one")
	cmd.Flags().StringVar(&by, "by", "", "the member on whose behalf it is sent (default: the one that gets it)")
	cmd.MarkFlagRequired("to")
	return cmd
}

// hasStudy is NotFound where the hub has no such study.
func (r *rooms) hasStudy(ctx context.Context, uid string) error {
	f := r.followers[r.settings.DicomPartition(uid)]
	if err := f.CatchUp(ctx); err != nil {
		return err
	}
	heads, err := f.Heads(ctx, []hub.Name{dicom.StudyName(uid)})
	if err == nil && (heads[0].Version == 0 || heads[0].Deleted) {
		err = &hub.Error{Kind: hub.NotFound, Path: "STUDY", Msg: "there is no study " + uid, Hint: "its Study Instance UID, as QIDO-RS shows it"}
	}
	return err
}

// receiver finds an application entity by its title, or by the id of a member that has one.
func (r *rooms) receiver(to string) (title, member string, err error) {
	if m, ok := r.registry.ByAET(to); ok && m.Destinations[to] != "" {
		return to, m.ID, nil
	}
	m, ok := r.registry.Member(to)
	if !ok {
		return "", "", &hub.Error{Kind: hub.NotFound, Path: "to", Msg: fmt.Sprintf("%s is neither a member nor an application entity with an address", to),
			Hint: "concord member dicom ID --aet TITLE@HOST:PORT"}
	}
	switch titles := slices.Sorted(maps.Keys(m.Destinations)); len(titles) {
	case 0:
		return "", "", &hub.Error{Kind: hub.NotFound, Path: "to", Msg: "member " + to + " has no destination", Hint: "concord member dicom " + to + " --aet TITLE@HOST:PORT"}
	case 1:
		return titles[0], to, nil
	default:
		return "", "", &hub.Error{Kind: hub.Invalid, Path: "to", Msg: "member " + to + " has several destinations", Hint: strings.Join(titles, ", ")}
	}
}
