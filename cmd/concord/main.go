// Command concord runs and administers a hub.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "concord:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "concord",
		Short: "An open hub for medical consortia 医联体 / 医共体",
		Long: `Concord lets the institutions of a consortium share images, ECGs and laboratory results,
and tells a doctor about to order a test that a recognisable result exists.
基层检查、上级诊断、区域互认。

Settings come from flags, from CONCORD_* variables and from the YAML file named by --config.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(serveCommand(), memberCommand(), tokenCommand(), catalogueCommand(), qualificationCommand(), recogniseCommand(), uploadCommand(), forwardCommand(), mapCommand(), remapCommand(), laboratoryCommand(), statisticsCommand(), conformanceCommand(), rebuildCommand(), fsckCommand(), dumpCommand(), identityCommand(), benchCommand())
	return cmd
}

// version is the module's version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
