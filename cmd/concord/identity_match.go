package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"concord/hub"
)

// identityMatchCommand asks a hub which Patients may be the one of a file.
func identityMatchCommand() *cobra.Command {
	var o labOptions
	var certain, why bool
	var count int
	cmd := &cobra.Command{
		Use: "match FILE", Short: "Ask a hub which patients may be the one described, and why", Args: cobra.ExactArgs(1),
		Long: `Ask a hub which Patients may be the one that a file describes (a FHIR Patient; - reads it from standard input), likeliest
first. Nothing is written, in the hub or elsewhere.`,
		Example: `  concord identity match patient.json --token "$(concord token --member county)"
  echo '{"resourceType":"Patient","name":[{"text":"欧阳铭哲"}],"birthDate":"1985-03-12"}' | concord identity match - --why --token …
  concord identity match patient.json --certain --token …`,
		RunE: func(cmd *cobra.Command, args []string) error {
			patient, err := readOr(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			if !json.Valid(patient) {
				return &hub.Error{Kind: hub.Invalid, Path: args[0], Msg: "is no JSON"}
			}
			body := fmt.Sprintf(`{"resourceType":"Parameters","parameter":[{"name":"resource","resource":%s},{"name":"onlyCertainMatches","valueBoolean":%t},{"name":"evidence","valueBoolean":%t},{"name":"count","valueInteger":%d}]}`,
				patient, certain, why, count)
			return callFHIR(cmd.Context(), o, "POST", "/fhir/Patient/$match", []byte(body), func(r io.Reader) error {
				var found matchBundle
				if err := json.NewDecoder(r).Decode(&found); err != nil {
					return err
				}
				return found.print(cmd.OutOrStdout(), why)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.address, "url", "http://127.0.0.1:8080", "base `URL` of the hub")
	f.StringVar(&o.token, "token", "", "bearer token of a member")
	f.BoolVar(&certain, "certain", false, "only who it is for certain: one or none")
	f.BoolVar(&why, "why", false, "say what speaks for and against")
	f.IntVar(&count, "count", 20, "most patients to print")
	cmd.MarkFlagRequired("token")
	return cmd
}

// readOr reads a file, or what is on standard input.
func readOr(in io.Reader, path string) ([]byte, error) {
	const most = 1 << 20
	if path == "-" {
		return io.ReadAll(io.LimitReader(in, most))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

type matchBundle struct {
	Entry []struct {
		Resource struct {
			ResourceType, ID string
			Issue            []struct{ Diagnostics string }
		}
		Search struct {
			Score     float64
			Extension []matchExtension
		}
	}
}

type matchExtension struct {
	URL         string
	ValueCode   string
	ValueString string
	Extension   []matchExtension
}

func (x *matchExtension) text(url string) string {
	for _, inner := range x.Extension {
		if inner.URL == url {
			return inner.ValueString
		}
	}
	return ""
}

func (b *matchBundle) print(out io.Writer, why bool) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SCORE\tGRADE\tPATIENT")
	patients := 0
	for i := range b.Entry {
		e := &b.Entry[i]
		if e.Resource.ResourceType != "Patient" {
			for _, issue := range e.Resource.Issue {
				fmt.Fprintln(w, plain(issue.Diagnostics))
			}
			continue
		}
		patients++
		grade := ""
		for j := range e.Search.Extension {
			if c := e.Search.Extension[j].ValueCode; c != "" {
				grade = c
			}
		}
		fmt.Fprintf(w, "%.4f\t%s\tPatient/%s\n", e.Search.Score, grade, e.Resource.ID)
		for j := range e.Search.Extension {
			if x := &e.Search.Extension[j]; why && len(x.Extension) > 0 {
				printEvidence(w, x)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if patients == 0 {
		fmt.Fprintln(out, "nobody came into question")
	}
	return nil
}

func printEvidence(w io.Writer, x *matchExtension) {
	fmt.Fprintf(w, "\t\t%s · %s\n", x.text("zh"), x.text("en"))
	for i := range x.Extension {
		if point := &x.Extension[i]; point.URL == "point" {
			fmt.Fprintf(w, "\t\t  %s\n", strings.Join([]string{point.text("zh"), point.text("en")}, " · "))
		}
	}
}
