package main

import (
	"io"

	"github.com/spf13/cobra"

	"concord/adapters/dicomweb"
	"concord/adapters/dimse"
)

// statements are the conformance statements there are; docs has them as they are printed.
func statements() map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"dicom": func(w io.Writer) error {
			c, err := defaultDIMSE().config("", "")
			if err != nil {
				return err
			}
			return dimse.WriteConformance(w, c)
		},
		"dicomweb": dicomweb.WriteConformance,
	}
}

func conformanceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "conformance dicom|dicomweb", Short: "Print a DICOM conformance statement, in Markdown", ValidArgs: []string{"dicom", "dicomweb"},
		Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(cmd *cobra.Command, args []string) error { return statements()[args[0]](cmd.OutOrStdout()) },
	}
}
