package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/hub"
	"concord/hub/ecg"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/internal/fhir"
	"concord/mappings"
)

// recogniseOptions are those of concord recognise.
type recogniseOptions struct {
	cases, catalogue, results, class, tier, at string
	consortium, qualified, producer            string
	regions, exceptions                        []string
	explain, images                            bool
}

func recogniseCommand() *cobra.Command {
	var o recogniseOptions
	cmd := &cobra.Command{
		Use: "recognise [ORDER.json | PATH…]", Short: "Decide without a hub whether an earlier result may be recognised; check cases",
		Long: `Decide, without a hub, whether results may stand for an order. ORDER.json is a ServiceRequest, --results a Bundle (or one
resource) with ImagingStudies and Observations of one patient. What only a consortium knows is said by the flags; what is
not said is not known. --explain lays out what each rule looked at and found.

--cases checks a truth table instead: it prints a line for each case that is decided otherwise, and how many there were. The
exit code is 1 when there was one. Without a file (--cases=) it takes the one that comes with the program.

--images lists what the studies in DICOM files and folders are taken for, and which descriptions nobody can read.

--catalogue is a folder whose catalogue.yaml, items.yaml, dictionary.yaml and prices.yaml, as far as it has them, take the
place of the program's.`,
		Example: `  concord recognise order.json --results results.json --class AMB --tier lead --explain
  concord recognise --cases mappings/recognition/cases.yaml --catalogue my-catalogue`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var dir fs.FS
			if o.catalogue != "" {
				dir = os.DirFS(o.catalogue)
			}
			catalogue, err := mappings.ReadRecognition(dir)
			if err != nil {
				return err
			}
			switch {
			case cmd.Flags().Changed("cases") && len(args) == 0 && !o.images:
				return o.check(cmd.OutOrStdout(), catalogue)
			case o.images && len(args) > 0 && !cmd.Flags().Changed("cases"):
				return listImages(cmd.OutOrStdout(), catalogue, args)
			case o.images || cmd.Flags().Changed("cases") || len(args) != 1:
				return &hub.Error{Kind: hub.Invalid, Msg: "either one order is to be decided, or --cases are to be checked, or --images to be listed"}
			}
			return o.decide(cmd.OutOrStdout(), catalogue, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cases, "cases", "", "check the cases in `FILE`")
	f.StringVar(&o.catalogue, "catalogue", "", "`folder` with files that take the place of the program's catalogue")
	f.StringVar(&o.results, "results", "", "`file` with a Bundle of earlier results")
	f.StringVar(&o.class, "class", "", "class of the encounter: AMB, IMP, EMER …")
	f.StringVar(&o.tier, "tier", "", "tier of who orders")
	f.StringVar(&o.producer, "producer-tier", "", "tier of who produced the results")
	f.StringSliceVar(&o.regions, "region", nil, "where who orders lies: a division of GB/T 2260 or an area; repeated")
	f.StringSliceVar(&o.exceptions, "exception", nil, "flag of the order: emergency, surgery …; repeated")
	f.StringVar(&o.consortium, "consortium", "", "whether producer and orderer are of one consortium: yes or no")
	f.StringVar(&o.qualified, "qualified", "", "whether the producer was qualified: yes or no")
	f.StringVar(&o.at, "at", "", "moment of the order, as 2026-11-22T10:00:00+08:00; now unless given")
	f.BoolVar(&o.images, "images", false, "list what DICOM files are taken for")
	f.BoolVar(&o.explain, "explain", false, "lay out what each rule looked at and found")
	return cmd
}

// check runs the cases and prints those that are decided otherwise.
func (o *recogniseOptions) check(w io.Writer, catalogue *recognition.Catalogue) error {
	cases, err := mappings.RecognitionCases()
	if o.cases != "" {
		data, readErr := os.ReadFile(o.cases)
		if readErr != nil {
			return readErr
		}
		cases, err = mappings.ParseRecognitionCases(o.cases, data)
	}
	if err != nil {
		return err
	}
	failed := 0
	for i := range cases {
		differences := cases[i].Check(catalogue)
		if len(differences) > 0 {
			failed++
			fmt.Fprintf(w, "%s: %s: %s\n", cases[i].Place, cases[i].Name, strings.Join(differences, "; "))
		}
	}
	fmt.Fprintf(w, "%d cases by catalogue %s, %d decided otherwise\n", len(cases), catalogue.Version, failed)
	if failed > 0 {
		return &hub.Error{Kind: hub.Invalid, Path: "cases", Msg: fmt.Sprintf("%d of %d cases are decided otherwise", failed, len(cases))}
	}
	return nil
}

func (o *recogniseOptions) decide(w io.Writer, catalogue *recognition.Catalogue, order string) error {
	request, now, err := o.request(order)
	if err != nil {
		return err
	}
	candidates, err := o.candidates()
	if err != nil {
		return err
	}
	d := recognition.Decide(request, candidates, catalogue, now)
	printDecision(w, &d, "")
	if o.explain {
		for _, line := range recognition.Explain(d) {
			printLine(w, &line)
		}
	}
	return nil
}

func (o *recogniseOptions) request(file string) (r recognition.Request, now time.Time, err error) {
	doc, err := readDoc(file)
	if err != nil {
		return r, now, err
	}
	draft := advice.Draft(file, doc.Root())
	if now = time.Now(); o.at != "" {
		if now, err = time.Parse(time.RFC3339, o.at); err != nil {
			return r, now, &hub.Error{Kind: hub.Invalid, Path: "at", Msg: "the moment is written as 2026-11-22T10:00:00+08:00"}
		}
	}
	return recognition.Request{Exam: draft.Exam, Class: o.class, Tier: o.tier, Regions: o.regions, Exceptions: append(draft.Exceptions, o.exceptions...)}, now, nil
}

func readDoc(file string) (*fhir.Doc, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	doc, err := fhir.Parse(bytes.TrimSpace(data), fhir.Limits{})
	if err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Path: file, Msg: "read FHIR JSON", Err: err}
	}
	return doc, nil
}

// candidates reads the results, with the facts that the flags state.
func (o *recogniseOptions) candidates() ([]recognition.Candidate, error) {
	if o.results == "" {
		return nil, nil
	}
	facts := map[string]recognition.Fact{"": recognition.Unknown, "yes": recognition.Yes, "no": recognition.No}
	for name, value := range map[string]string{"consortium": o.consortium, "qualified": o.qualified} {
		if _, ok := facts[value]; !ok {
			return nil, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "yes or no, or left out where it is not known"}
		}
	}
	doc, err := readDoc(o.results)
	if err != nil {
		return nil, err
	}
	resources := []fhir.Value{doc.Root()}
	if doc.Type() == "Bundle" {
		resources = nil
		for entry := range doc.Root().Get("entry").Items() {
			resources = append(resources, entry.Get("resource"))
		}
	}
	var records []hub.Record
	for _, r := range resources {
		records = append(records, hub.Record{Name: hub.Name{Type: r.Get("resourceType").Text(), ID: r.Get("id").Text()}, Body: r.Raw()})
	}
	adviser := &advice.Adviser{BodyTerm: mappings.BodyTerm, Score: recognition.Coding{System: ecg.System, Code: ecg.QualityScore}, Now: time.Now}
	list, err := adviser.Candidates(records)
	for i := range list {
		list[i].Tier, list[i].SameConsortium, list[i].Qualified = o.producer, facts[o.consortium], facts[o.qualified]
	}
	return list, err
}

func printDecision(w io.Writer, d *recognition.Decision, indent string) {
	what := "an item that the catalogue does not have"
	switch {
	case d.Panel != nil:
		what = d.Panel.Chinese + " / " + d.Panel.English
	case d.Item != nil:
		what = d.Item.Chinese + " / " + d.Item.English
	}
	fmt.Fprintf(w, "%s%s: %s (catalogue %s)\n", indent, d.Outcome, what, d.Catalogue)
	printReasons(w, d.Reasons, indent+"  ")
	if d.Override != "" {
		fmt.Fprintf(w, "%s  reason filled in: %s\n", indent, d.Override)
	}
	if d.Saving.Known() {
		fmt.Fprintf(w, "%s  saves %s\n", indent, d.Saving)
	}
	for i := range d.Judgements {
		j := &d.Judgements[i]
		fmt.Fprintf(w, "%s  %s: %s", indent, j.ID, j.Outcome)
		if !j.Expires.IsZero() {
			fmt.Fprintf(w, ", holds until %s", j.Expires.Format(time.RFC3339))
		}
		fmt.Fprintln(w)
		printReasons(w, j.Reasons, indent+"    ")
	}
	for i := range d.Members {
		printDecision(w, &d.Members[i], indent+"  ")
	}
}

func printReasons(w io.Writer, list []recognition.Reason, indent string) {
	for _, r := range list {
		fmt.Fprintf(w, "%s%-7s %s: %s / %s\n", indent, r.Effect, r.Code, r.Chinese(), r.English())
	}
}

func printLine(w io.Writer, line *recognition.Line) {
	about := line.Candidate
	if line.Item != nil {
		about = strings.TrimSpace(line.Item.ID + " " + about)
	}
	fmt.Fprintf(w, "%s rule %d %s / %s: %s\n", about, line.Rule, line.Chinese, line.English, line.Effect)
	for _, r := range line.Findings {
		for _, in := range r.Inputs() {
			fmt.Fprintf(w, "    %s / %s = %s\n", in.Chinese, in.English, in.Value)
		}
	}
}
