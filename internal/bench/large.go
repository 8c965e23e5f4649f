package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"concord/internal/sample"
)

// perPatient are the results of each patient of a large load; one transaction brings them.
const perPatient = 500

// some is the number of marks in an answer that has at least one; how many depends on made-up values.
const some = -1

// large is a hub that holds a district's laboratory of some years.
type large struct {
	first, last Sample // the load's first and last tenth
	ids         []string
	identifiers []string // of each patient, as system|value
}

func largeDay(patient int) time.Time {
	return day(-(patient % 365)).Add(time.Duration(patient) * time.Second)
}

// largeWorks loads Options.Resources results and asks the questions of an electronic health record.
func (b *bench) largeWorks(ctx context.Context) ([]Work, error) {
	total := b.Resources
	if total <= 0 {
		total = 1_000_000
		if b.Quick {
			total = 10_000
		}
	}
	l, err := b.loadLarge(ctx, b.hub, max(10, total/perPatient))
	if err != nil {
		return nil, err
	}
	lab := sample.Analytes()
	code := func(i int) string { return url.QueryEscape("http://loinc.org|" + lab[i%len(lab)].LOINC) }
	n := len(l.ids)
	patient := func(i int) string { return l.ids[i*7919%n] }
	ask := func(title string, clients int, most Goal, want func(i int) (query, mark string, count int)) Work {
		hub := func(ctx context.Context, clients, round int) (Sample, error) {
			return load(ctx, b.hub, clients, b.reading(round), func(i int) call {
				query, mark, count := want(i)
				return call{b.hub.get("/fhir/"+query, fhirJSON), 1, func(a answer) error {
					if count == some && a.Status == 200 && bytes.Contains(a.Body, []byte(mark)) {
						return nil
					}
					return holds(a, mark, count)
				}}
			})
		}
		return Work{Title: title, Unit: "req", Clients: b.clients(clients), Goal: most, hub: hub}
	}
	match := `"mode":"match"`
	rounds := func(i int) int { return (perPatient - i%len(lab) + len(lab) - 1) / len(lab) } // how often a patient has analyte i
	several := make([]string, 8)
	hits := 0
	for i := range several {
		several[i] = code(i)
		hits += n * rounds(i)
	}
	from := day(-180).Format("2006-01-02")
	said := fmt.Sprintf(`"total":%d`, hits)
	return []Work{
		l.work(),
		ask("patient and code, newest first", 8, Goal{Of: "ms", AtMost: 3}, func(i int) (string, string, int) {
			return "Observation?patient=" + patient(i) + "&code=" + code(i) + "&_sort=-date&_count=20", match, min(20, rounds(i))
		}),
		ask("code and date range", 8, Goal{Of: "ms", AtMost: 10}, func(i int) (string, string, int) {
			return "Observation?code=" + code(i) + "&date=ge" + from + "&date=lt" + day(-i%90).Format("2006-01-02") + "&_count=20", match, 20
		}),
		ask("code and date range, newest first", 8, Goal{Of: "ms", AtMost: 10}, func(i int) (string, string, int) {
			return "Observation?code=" + code(i) + "&date=ge" + from + "&date=lt" + day(-i%90).Format("2006-01-02") + "&_sort=-date&_count=20", match, 20
		}),
		ask("chained by identifier", 8, Goal{Of: "ms", AtMost: 5}, func(i int) (string, string, int) {
			return "Observation?patient.identifier=" + url.QueryEscape(l.identifiers[i*7919%n]) + "&code=" + code(i) + "&_count=20", match, min(20, rounds(i))
		}),
		ask("a patient and their 500 results (_revinclude)", 1, Goal{Of: "ms", AtMost: 40}, func(i int) (string, string, int) {
			return "Patient?_id=" + patient(i) + "&_revinclude=Observation:patient", `"mode":"include"`, perPatient
		}),
		ask("value in a range, of one code", 8, Goal{Of: "ms", AtMost: 15}, func(i int) (string, string, int) {
			a := lab[i%len(lab)]
			return "Observation?code=" + code(i) + "&value-quantity=ge" + strconv.FormatFloat(a.Women[1], 'g', -1, 64) +
				url.QueryEscape("|http://unitsofmeasure.org|"+a.UCUM) + "&_count=20", match, some
		}),
		ask("value in a range, of one code, newest first", 8, Goal{Of: "ms", AtMost: 15}, func(i int) (string, string, int) {
			a := lab[i%len(lab)]
			return "Observation?code=" + code(i) + "&value-quantity=ge" + strconv.FormatFloat(a.Women[1], 'g', -1, 64) +
				url.QueryEscape("|http://unitsofmeasure.org|"+a.UCUM) + "&_sort=-date&_count=20", match, some
		}),
		ask(fmt.Sprintf("exact total of %d", hits), 1, Goal{Of: "ms", AtMost: 200}, func(int) (string, string, int) {
			return "Observation?code=" + strings.Join(several, ",") + "&_total=accurate&_count=20", said, 1
		}),
		ask(fmt.Sprintf("exact total of %d, of two conditions", hits), 1, Goal{Of: "ms", AtMost: 200}, func(int) (string, string, int) {
			return "Observation?code=" + strings.Join(several, ",") + "&status=final&_total=accurate&_count=20", said, 1
		}),
	}, nil
}

// work is the load's own line: its last tenth beside its first.
func (l *large) work() Work {
	told := func(s Sample) turn { return func(context.Context, int, int) (Sample, error) { return s, nil } }
	return Work{Title: "load, its last tenth", Unit: "res", Clients: 2, hub: told(l.last),
		peers: []peer{{name: "its first tenth", goal: Goal{Of: "ratio", AtLeast: 0.8}, turn: told(l.first)}}}
}

// loadLarge sends patients with their results, a transaction each.
func (b *bench) loadLarge(ctx context.Context, s *Site, patients int) (*large, error) {
	l := &large{ids: make([]string, patients), identifiers: make([]string, patients)}
	made := make([]func() []byte, patients) // made by a client shortly before it is sent
	for i := range made {
		made[i] = sync.OnceValue(func() []byte { return sample.Transaction(b.seed(9)+uint64(i), perPatient, largeDay(i)) })
	}
	tenth := patients / 10
	for from := 0; from < patients; from += tenth {
		n := min(tenth, patients-from)
		sent, err := load(ctx, s, 2, bounds{count: n, time: time.Hour}, func(i int) call {
			i += from
			body := made[i]()
			made[i] = nil
			c := call{s.request("POST", "/fhir", []string{"Content-Type", fhirJSON, "Accept", fhirJSON, "Prefer", "return=minimal"}, body), perPatient + 1, nil}
			c.check = func(a answer) error {
				if err := holds(a, `"201 Created"`, perPatient+1); err != nil {
					return err
				}
				_, rest, _ := bytes.Cut(a.Body, []byte("/Patient/"))
				id, _, _ := bytes.Cut(rest, []byte("/_history"))
				l.ids[i], l.identifiers[i] = string(id), firstIdentifier(body)
				return nil
			}
			return c
		})
		if err != nil {
			return nil, fmt.Errorf("load patient %d and the following: %w", from, err)
		}
		b.say("loaded %d of %d patients with %d results each: %.0f resources/s", from+n, patients, perPatient, sent.Rate())
		if from == 0 {
			l.first = sent
		}
		l.last = sent
	}
	return l, nil
}

// firstIdentifier is that of the first resource of a bundle, as system|value.
func firstIdentifier(bundle []byte) string {
	var doc struct {
		Entry []struct {
			Resource struct {
				Identifier []struct{ System, Value string }
			}
		}
	}
	if json.Unmarshal(bundle, &doc) != nil || len(doc.Entry) == 0 || len(doc.Entry[0].Resource.Identifier) == 0 {
		return ""
	}
	i := doc.Entry[0].Resource.Identifier[0]
	return i.System + "|" + i.Value
}
