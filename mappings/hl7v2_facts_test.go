package mappings_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"concord/internal/facts"
	"concord/internal/hl7"
	"concord/internal/hl7map"
)

// leastFound is the share of facts that must be found, in percent of all that are expected, rightly or wrongly.
const leastFound = 95.0

// missesFile lists the facts of the expected bundles that ours do not say: bundle, fact, and why. The bundles are one
// converter's opinion; where it is wrong, the reason says so. With CONCORD_UPDATE=1 the test writes it anew and keeps
// the reasons.
const missesFile = "testdata/hl7v2-misses.tsv"

// score counts facts.
type score struct{ asked, found, all, allFound, wrong int }

func (s score) String() string {
	return fmt.Sprintf("%5d of %5d facts (%.1f %%; %.1f %% without %d expected wrongly), with places and organisations %.1f %%",
		s.found, s.asked, percent(s.found, s.asked), percent(s.found, s.asked-s.wrong), s.wrong, percent(s.allFound, s.all))
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }

func (s *score) add(o score) {
	s.asked, s.found, s.all, s.allFound, s.wrong = s.asked+o.asked, s.found+o.found, s.all+o.all, s.allFound+o.allFound, s.wrong+o.wrong
}

func TestTheFactsThatAnotherConverterFindsAreFound(t *testing.T) {
	root := corpus(t)
	rules := rulesOfHL7v2(t)
	expected, err := filepath.Glob(filepath.Join(root, "expected-fhir", "*.json.gz"))
	if err != nil || len(expected) == 0 {
		t.Fatalf("no expected bundles: %v", err)
	}
	var total score
	var missing []string
	for _, path := range expected {
		name := strings.TrimSuffix(filepath.Base(path), ".json.gz")
		want, err := facts.Of(read(t, path))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		msg, err := hl7.Parse(read(t, filepath.Join(root, "fhir-converter", name+".hl7")), hl7.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var have []facts.Fact
		if r, err := rules.Map(msg, hl7map.Options{Member: "m1"}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if have, err = facts.Of(made(t, r)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := score{}
		for _, f := range want {
			switch {
			case f.Offered():
			case f.Asked():
				s.asked++
				s.all++
			default:
				s.all++
			}
		}
		s.found, s.allFound = s.asked, s.all
		for _, f := range facts.Missing(want, have) {
			switch {
			case f.Offered():
			case f.Asked():
				s.found--
				s.allFound--
				if strings.HasPrefix(reasonFor(f.String()), wrong) {
					s.wrong++
				}
				missing = append(missing, name+"\t"+f.String())
			default:
				s.allFound--
			}
		}
		t.Logf("%-30s %v", name, s)
		total.add(s)
	}
	t.Logf("%-30s %v", "together", total)
	if p := percent(total.found, total.asked); p < leastFound {
		t.Errorf("%.2f %% of the facts are found, %.0f %% are due", p, leastFound)
	}
	compareMisses(t, missing)
}

// compareMisses holds what is missing to what is listed.
func compareMisses(t *testing.T, missing []string) {
	t.Helper()
	listed := map[string]string{}
	if f, err := os.Open(missesFile); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			parts := strings.SplitN(s.Text(), "\t", 3)
			if len(parts) == 3 && !strings.HasPrefix(s.Text(), "#") {
				listed[parts[0]+"\t"+parts[1]] = parts[2]
			}
		}
	}
	sort.Strings(missing)
	if os.Getenv("CONCORD_UPDATE") != "" {
		var b strings.Builder
		b.WriteString("# Facts of the expected bundles that ours do not say: bundle, fact, why. Kept by CONCORD_UPDATE=1 go test ./mappings -run Facts.\n")
		for _, m := range missing {
			_, fact, _ := strings.Cut(m, "\t")
			why := reasonFor(fact)
			if why == "" {
				why = listed[m]
			}
			if why == "" {
				why = "not made: in the kept message only"
			}
			fmt.Fprintf(&b, "%s\t%s\n", m, why)
		}
		if err := os.WriteFile(missesFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, m := range missing {
		if _, ok := listed[m]; !ok {
			t.Errorf("missing, and not listed in %s: %s", missesFile, m)
		}
		delete(listed, m)
	}
	for m := range listed {
		t.Errorf("listed in %s, and not missing any more: %s", missesFile, m)
	}
}

// wrong begins the reason of a fact that the expectation has wrong: not to be found.
const wrong = "expected wrongly: "

// reasons say why facts are missing, by their topics and what their lines have in them; the first that fits counts.
var reasons = []struct{ topic, has, why string }{
	{"Patient.extension.value", "1002 {v3-religious", wrong + "AME (table 0006) is African Methodist Episcopal, not African Religions"},
	{"Patient.extension.value", "SMITH--Angela", wrong + "the whole name of the mother, joined by hyphens, is no maiden name"},
	{"Patient.extension.value", "Hispanic or Latino", wrong + "the words are not those of the message"},
	{"Patient.name.given", "Addsm", wrong + "XPN.15 is what somebody is called by, no given name"},
	{"Patient.name", "", wrong + "the name of a guarantor or an insured is not one of the patient's names"},
	{"Patient.address", "1619 SOUTH", wrong + "the address of a guarantor is not the patient's"},
	{"Patient.telecom.use", "home", wrong + "a cell phone (CP) is mobile in FHIR"},
	{"Patient.identifier", ".type = SB", wrong + "PID-19 is a social security number (SS), no number of a social beneficiary"},
	{"Patient.identifier", "g-ssn", wrong + "the guarantor's number is not the patient's"},
	{"Patient.identifier", "1516", wrong + "the guarantor's number is not the patient's"},
	{"Patient.identifier", "55121", wrong + "the number of the guarantor's employer is not the patient's"},
	{"Practitioner.identifier", "{hcd}", wrong + "the type of a universal id is no assigning authority"},
	{"Practitioner.identifier", "{l}", wrong + "the type of a universal id is no assigning authority"},
	{"PractitionerRole.code", "", "told by the place of the person: performer, requester, not by a role of its own"},
	{"Patient.meta.security", "LABEL", wrong + "to assign a label is no label"},
	{"Encounter.meta.security", "LABEL", wrong + "to assign a label is no label"},
	{"Patient.meta.security", "instructions", wrong + "the converter's own code"},
	{"Encounter.meta.security", "instructions", wrong + "the converter's own code"},
	{"Procedure.performer.function", "", wrong + "the converter's own code; ours is SNOMED CT's, with the same words"},
	{"Procedure.status", "unknown", wrong + "a procedure with a date in PR1 was done"},
	{"Procedure.identifier", "", wrong + "PR1-20 is the number of another procedure"},
	{"Coverage.identifier", "PLN", wrong + "the converter's own code of a type"},
	{"Condition.identifier", "CLIP", wrong + "a type of a universal id is no type of an identifier"},
	{"ChargeItem.identifier", "TID", wrong + "the converter's own code of a type"},
	{"Document.identifier", "DOCI", wrong + "the converter's own code of a type"},
	{"Specimen.identifier", "-pt-", "the container's accession number (SAC-2): in the kept message only"},
	{"Specimen.identifier", "ship", wrong + "a shipment's number is not the specimen's"},
	{"Specimen.identifier", "", wrong + "an order's number is not its specimen's"},
	{"RelatedPerson.address.district", "test", wrong + "the first part of XAD.9 is the county's code, the second its name; ours has the first"},
	{"Document.status", "unknown", wrong + "a DocumentReference is current, superseded or entered in error"},
	{"Observation", ".status = unknown", wrong + "OBX-11 tells a status"},
	{"Observation", "= 120", "a repetition of a number: ours is in a note"},
	{"ServiceRequest.occurrence.repeat.offset", "", "computed from TQ1-3.9 and its unit: not made"},
	{"ServiceRequest.intent", "filler-order", wrong + "ORC-1 is NW: an order"},
	{"Patient.birthDate.extension", "", "the time of birth (PID-7) is in the kept message only"},
	{"RelatedPerson.extension.value", "White", wrong + "the words are not those of the message"},
	{"ServiceRequest.identifier", "&l", wrong + "subcomponents are joined with their delimiter"},
	{"DiagnosticReport.identifier", "&l", wrong + "subcomponents are joined with their delimiter"},
	{"Account.identifier", "{dns}", wrong + "the type of a universal id is no assigning authority"},
	{"Document.docStatus", "preliminary", wrong + "TXA-17 is AU, authenticated: final"},
	{"Document.category", "radiology report", wrong + "TXA-24 is text, no code"},
	{"Document.attachment.contentType", "MRXS", wrong + "no media type is called so"},
}

func reasonFor(fact string) string {
	for _, r := range reasons {
		if strings.HasPrefix(fact, r.topic) && strings.Contains(fact, r.has) {
			return r.why
		}
	}
	return ""
}
