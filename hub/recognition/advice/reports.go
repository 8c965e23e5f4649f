package advice

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/internal/fhir"
)

// mostReports bounds the reports of one person that are looked through for those about results; they are information only.
const mostReports = 100

// reports adds to answers the reports about results that a doctor will be shown.
func (g *gathering) reports(ctx context.Context, answers []Answer) error {
	shown := map[string]bool{} // Observations by name, studies by UID
	for i := range answers {
		for id := range answers[i].shown() {
			r := answers[i].Result(id)
			shown[r.Name.String()] = true
			if r.Study != "" {
				shown["urn:oid:"+r.Study] = true
			}
		}
	}
	if len(shown) == 0 || g.who.May(access.Search, "DiagnosticReport") != nil {
		return nil
	}
	q, err := compile("DiagnosticReport", "-date", fhir.Pair{Name: "patient", Value: strings.Join(g.person, ",")})
	if err != nil {
		return err
	}
	q.Limit = mostReports
	found, err := g.Reader.Search(ctx, g.who, []hub.Partition{g.Records}, q, "recognition")
	if err != nil {
		return fmt.Errorf("search for reports: %w", err)
	}
	about := map[string][]Report{}
	for i := range found.Records {
		rec := &found.Records[i]
		doc, err := fhir.Parse(rec.Body, fhir.Limits{})
		if err != nil {
			return fmt.Errorf("read %s: %w", rec.Name.Type, err)
		}
		r := doc.Root()
		one := Report{Name: rec.Name, Status: r.Get("status").Text(), Title: title(r.Get("code"))}
		if one.Status == "entered-in-error" || one.Status == "cancelled" {
			continue
		}
		for _, element := range []string{"result", "imagingStudy"} {
			for ref := range r.Get(element).Items() {
				name := ref.Get("reference").Text()
				if name == "" {
					name = ref.Get("identifier").Get("value").Text()
				}
				if shown[name] {
					about[name] = append(about[name], one)
				}
			}
		}
	}
	for i := range answers {
		for id := range answers[i].shown() {
			r := answers[i].Result(id)
			for _, key := range []string{r.Name.String(), "urn:oid:" + r.Study} {
				for _, report := range about[key] {
					report.Result = r.Name
					if !slices.Contains(answers[i].Reports, report) {
						answers[i].Reports = append(answers[i].Reports, report)
					}
				}
			}
		}
	}
	return nil
}

// shown yields the judgements a doctor will be shown: all that are not refused.
func (a *Answer) shown() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for d := range Parts(&a.Decision) {
			for i := range d.Judgements {
				if d.Judgements[i].Outcome != recognition.NotRecognisable && !yield(d.Judgements[i].ID) {
					return
				}
			}
		}
	}
}

// Parts yields a decision and, where it is one on a panel, those of its members.
func Parts(d *recognition.Decision) func(yield func(*recognition.Decision) bool) {
	return func(yield func(*recognition.Decision) bool) {
		if !yield(d) {
			return
		}
		for i := range d.Members {
			if !yield(&d.Members[i]) {
				return
			}
		}
	}
}
