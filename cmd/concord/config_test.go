package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestEveryFlagOfServeIsDocumentedWithItsDefault reads the tables of docs/configuration.md: `flag` | default | meaning.
func TestEveryFlagOfServeIsDocumentedWithItsDefault(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`--[^|]+) \\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		for _, flag := range regexp.MustCompile("`--([a-z0-9-]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[flag[1]] = strings.ReplaceAll(row[2], "`", "")
		}
	}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	serveFlags(flags)
	flags.VisitAll(func(f *pflag.Flag) {
		said, there := documented[f.Name]
		delete(documented, f.Name)
		value := f.DefValue
		switch value {
		case "":
			value = "none"
		case "true":
			value = "on"
		case "false":
			value = "off"
		}
		value = regexp.MustCompile(`m0s$`).ReplaceAllString(value, "m") // a duration of whole minutes
		if !f.Hidden && (!there || !strings.HasPrefix(said, value)) {
			t.Errorf("--%s has the default %q, the page says %q", f.Name, value, said)
		}
	})
	for name := range documented {
		t.Errorf("the page has --%s, serve has not", name)
	}
}
