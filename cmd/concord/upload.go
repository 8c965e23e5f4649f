package main

import (
	"github.com/spf13/cobra"

	"concord/internal/upload"
)

func uploadCommand() *cobra.Command {
	var o upload.Options
	cmd := &cobra.Command{
		Use: "upload PATH…", Short: "Send DICOM files, electrocardiograms and FHIR resources to a hub", Args: cobra.MinimumNArgs(1),
		Long: `Send files, folders and .zip archives to a hub: DICOM instances by STOW-RS, files of ECG carts
(SCP-ECG, HL7 aECG and others) to /ecg, FHIR resources and bundles by REST.
What the hub acknowledged is remembered, so that an interrupted run continues where it was when it is started again.
The exit code is 1 when anything was refused; the list at the end says what and why.`,
		Example: `  concord upload ./ct-series --to http://127.0.0.1:8080 --token "$(concord token --member village-clinic)"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Paths = args
			ctx, stop, release := upload.Interrupts(cmd.Context())
			defer release()
			o.Stop = stop
			_, err := upload.Run(ctx, o, cmd.OutOrStdout())
			return err
		},
	}
	cmd.Flags().StringVar(&o.To, "to", "http://127.0.0.1:8080", "base `URL` of the hub")
	cmd.Flags().StringVar(&o.Token, "token", "", "bearer token of the member that sends")
	cmd.Flags().IntVar(&o.Parallel, "parallel", 4, "requests at the same time")
	cmd.Flags().StringVar(&o.Journal, "resume-file", "", "`file` that remembers what was acknowledged (default: one in the cache folder)")
	cmd.Flags().IntVar(&o.Retries, "retries", 6, "how often a request is repeated after 429, 503 and network errors")
	cmd.MarkFlagRequired("token")
	return cmd
}
