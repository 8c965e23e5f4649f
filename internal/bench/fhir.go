package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"concord/internal/sample"
)

const fhirJSON = "application/fhir+json"

// entries of a transaction: one patient and their results.
const (
	results = 50
	entries = results + 1
)

// both makes a work of the hub that is compared with one on the embedded default, where the hub has a store elsewhere.
func (b *bench) both(title, unit string, clients int, goal Goal, on func(s *Site) turn) Work {
	w := Work{Title: title, Unit: unit, Clients: b.clients(clients), hub: on(b.hub)}
	if b.embedded == nil {
		w.Goal = goal
	} else {
		w.peers = []peer{{name: b.embedded.Name, goal: Goal{Of: "ratio", AtLeast: 0.7}, turn: on(b.embedded)}}
	}
	return w
}

// createWorks sends one Observation a request.
func (b *bench) createWorks(context.Context) ([]Work, error) {
	var bodies [][]byte
	for seed := range uint64(10) {
		bodies = append(bodies, sample.LabObservations(b.seed(4)+seed, "Patient/"+sample.UUID(seed, "patient", 0), results, day(1))...)
	}
	on := func(s *Site) turn {
		calls := make([]call, len(bodies))
		for i, body := range bodies {
			calls[i] = call{s.request("POST", "/fhir/Observation", []string{"Content-Type", fhirJSON, "Accept", fhirJSON}, body), 1, func(a answer) error {
				if a.Status != 201 || len(a.Body) < len(body) || !strings.Contains(a.Location, "/Observation/") {
					return fmt.Errorf("nothing was created: %d %s", a.Status, shown(a.Body))
				}
				return nil
			}}
		}
		return func(ctx context.Context, clients, round int) (Sample, error) {
			return load(ctx, s, clients, b.reading(round), func(i int) call { return calls[i%len(calls)] })
		}
	}
	return []Work{b.both("create an Observation", "req", 32, Goal{Of: "rate", AtLeast: 2000}, on)}, nil
}

// transaction is the request that creates one patient and their results.
func (s *Site) transaction(body []byte) call {
	return call{s.request("POST", "/fhir", []string{"Content-Type", fhirJSON, "Accept", fhirJSON}, body), entries, func(a answer) error {
		return holds(a, `"201 Created"`, entries)
	}}
}

func (b *bench) bundles(n int) [][]byte {
	for i := len(b.made); i < n; i++ {
		b.made = append(b.made, sample.Transaction(b.seed(5)+uint64(i), results, day(2)))
	}
	return b.made[:n]
}

// transactionWorks sends a patient with 50 results a request.
func (b *bench) transactionWorks(context.Context) ([]Work, error) {
	count := 200
	if b.Quick {
		count = 40
	}
	bodies := b.bundles(count)
	on := func(s *Site) turn {
		calls := make([]call, len(bodies))
		for i, body := range bodies {
			calls[i] = s.transaction(body)
		}
		return func(ctx context.Context, clients, round int) (Sample, error) {
			return load(ctx, s, clients, b.reading(round), func(i int) call { return calls[i%len(calls)] })
		}
	}
	return []Work{b.both(fmt.Sprintf("transaction of %d resources", entries), "res", 8, Goal{Of: "rate", AtLeast: 5000}, on)}, nil
}

// people are the patients on a site that reading and searching asks for, stored once.
func (b *bench) people(ctx context.Context) error {
	if b.patients != nil {
		return nil
	}
	b.patients = map[*Site][]string{}
	for _, s := range b.hubs() {
		ids := make([]string, len(b.bundles(100)))
		_, err := load(ctx, s, 4, bounds{count: len(ids), time: b.writing().time}, func(i int) call {
			c := s.transaction(b.bundles(len(ids))[i])
			check := c.check
			c.check = func(a answer) error {
				if err := check(a); err != nil {
					return err
				}
				_, rest, _ := bytes.Cut(a.Body, []byte("/Patient/"))
				id, _, _ := bytes.Cut(rest, []byte("/_history"))
				ids[i] = string(id)
				return nil
			}
			return c
		})
		if err != nil {
			return fmt.Errorf("load patients: %w", err)
		}
		b.patients[s] = ids
	}
	return nil
}

// readWorks reads patients that the hub has in memory.
func (b *bench) readWorks(ctx context.Context) ([]Work, error) {
	if err := b.people(ctx); err != nil {
		return nil, err
	}
	on := func(s *Site) turn {
		var calls []call
		for _, id := range b.patients[s] {
			calls = append(calls, call{s.get("/fhir/Patient/"+id, fhirJSON), 1, func(a answer) error { return holds(a, `"id":"`+id+`"`, 1) }})
		}
		return func(ctx context.Context, clients, round int) (Sample, error) {
			return load(ctx, s, clients, b.reading(round), func(i int) call { return calls[i%len(calls)] })
		}
	}
	goal := Goal{Of: "rate", AtLeast: 8000}
	return []Work{b.both("read a Patient", "req", 8, goal, on), b.both("read a Patient", "req", 32, goal, on)}, nil
}

// searchWorks asks for one patient's results of one kind, the newest first.
func (b *bench) searchWorks(ctx context.Context) ([]Work, error) {
	if err := b.people(ctx); err != nil {
		return nil, err
	}
	code := sample.Analytes()[0].LOINC
	on := func(s *Site) turn {
		var calls []call
		for i, id := range b.patients[s] {
			want := occurrences(b.bundles(i + 1)[i], code)
			q := fmt.Sprintf("/fhir/Observation?patient=%s&code=%s&_sort=-date&_count=10", id, url.QueryEscape("http://loinc.org|"+code))
			calls = append(calls, call{s.get(q, fhirJSON), 1, func(a answer) error { return holds(a, `"mode":"match"`, want) }})
		}
		return func(ctx context.Context, clients, round int) (Sample, error) {
			return load(ctx, s, clients, b.reading(round), func(i int) call { return calls[i%len(calls)] })
		}
	}
	return []Work{b.both("search patient and code, newest first", "req", 8, Goal{}, on)}, nil
}

// occurrences counts the results of a bundle that have a code.
func occurrences(bundle []byte, code string) (n int) {
	var doc struct {
		Entry []struct {
			Resource struct {
				Code struct{ Coding []struct{ Code string } }
			}
		}
	}
	if json.Unmarshal(bundle, &doc) != nil {
		return -1
	}
	for _, e := range doc.Entry {
		for _, c := range e.Resource.Code.Coding {
			if c.Code == code {
				n++
			}
		}
	}
	return n
}
