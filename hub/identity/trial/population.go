// Package trial measures how well patients are matched, on an invented population of which the truth is known, and
// gathers from one what weights are learnt from.
package trial

import (
	"bufio"
	"bytes"
	"cmp"
	"hash/maphash"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"

	"concord/hub"
	"concord/hub/identity"
	"concord/hub/identity/learn"
	"concord/internal/fhir"
	"concord/internal/people"
)

// Population is what all records say, with the truth beside it.
type Population struct {
	Model  *identity.Model
	Traits []identity.Traits
	Person []int32 // whose each record is
	Twin   []bool
	seed   uint64
}

// Read invents a population and reads its records.
func Read(m *identity.Model, o people.Options) (*Population, error) {
	p := &Population{Model: m, seed: o.Seed}
	for r := range people.Records(o) {
		doc, err := fhir.Parse(r.Body, fhir.Limits{})
		if err != nil {
			return nil, &hub.Error{Kind: hub.Internal, Path: r.ID, Msg: "read an invented record", Err: err}
		}
		p.Traits = append(p.Traits, m.Traits(doc.Root()))
		p.Person = append(p.Person, int32(r.Person))
		p.Twin = append(p.Twin, r.Twin)
	}
	return p, nil
}

// ReadLines reads Patients, one a line, of which no truth is known.
func ReadLines(m *identity.Model, r io.Reader) (*Population, error) {
	p := &Population{Model: m, seed: 1}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		doc, err := fhir.Parse(bytes.Clone(lines.Bytes()), fhir.Limits{})
		if err != nil {
			return nil, &hub.Error{Kind: hub.Invalid, Path: "line " + strconv.Itoa(n), Msg: "read a Patient", Err: err}
		}
		if doc.Root().Get("resourceType").Text() == "Patient" {
			p.Traits = append(p.Traits, m.Traits(doc.Root()))
		}
	}
	return p, lines.Err()
}

// Learn works out weights and shares of names. Strangers are counted in so many random pairs.
func (p *Population) Learn(random int) (learn.Weights, learn.Shares) {
	return learn.Learn(p.Samples(random)), p.Shares()
}

type keyed struct {
	hash   uint64
	record int32
}

// pairs of records that share one of the texts that keys gives for a record, each pair once, sorted; and how many texts
// more than most records had, which were passed over.
func (p *Population) pairs(most int, keys func(t *identity.Traits) []string) (pairs []uint64, hot int) {
	seed := maphash.MakeSeed()
	var all []keyed
	for i := range p.Traits {
		for _, key := range keys(&p.Traits[i]) {
			all = append(all, keyed{hash: maphash.String(seed, key), record: int32(i)})
		}
	}
	slices.SortFunc(all, func(x, y keyed) int { return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.record, y.record)) })
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].hash == all[from].hash {
			to++
		}
		if to-from > most {
			hot++
		} else {
			for i := from; i < to; i++ {
				for j := i + 1; j < to; j++ {
					pairs = append(pairs, uint64(all[i].record)<<32|uint64(all[j].record))
				}
			}
		}
		from = to
	}
	slices.Sort(pairs)
	return slices.Compact(pairs), hot
}

func (p *Population) patterns(pairs iter.Seq[[2]int]) learn.Patterns {
	out := learn.Patterns{}
	for pair := range pairs {
		out[p.Model.Levels(&p.Traits[pair[0]], &p.Traits[pair[1]])]++
	}
	return out
}

// Samples draws what weights are learnt from. The truth is not looked at.
func (p *Population) Samples(random int) learn.Samples {
	r := rand.New(rand.NewPCG(p.seed, 1))
	each := func(pairs []uint64) iter.Seq[[2]int] {
		return func(yield func([2]int) bool) {
			for _, pair := range pairs {
				if !yield([2]int{int(pair >> 32), int(uint32(pair))}) {
					return
				}
			}
		}
	}
	strangers := func(yield func([2]int) bool) {
		for range random {
			a, b := r.IntN(len(p.Traits)), r.IntN(len(p.Traits))
			if a != b && !yield([2]int{a, b}) {
				return
			}
		}
	}
	byKey := func(prefix byte) []uint64 {
		pairs, _ := p.pairs(16, func(t *identity.Traits) (out []string) {
			for _, key := range p.Model.Keys(t) {
				if key[0] == prefix {
					out = append(out, key)
				}
			}
			return out
		})
		return pairs
	}
	homes, _ := p.pairs(16, func(t *identity.Traits) (out []string) {
		for _, a := range t.Addresses {
			out = append(out, a.Region+"|"+a.Detail)
		}
		return out
	})
	return learn.Samples{Random: learn.Strangers(p.patterns(strangers)), SamePhone: p.patterns(each(byKey('p'))), SameAddress: p.patterns(each(homes)), SameNameAndBirth: p.patterns(each(byKey('d')))}
}

// Shares counts names.
func (p *Population) Shares() learn.Shares {
	var c learn.Counter
	for i := range p.Traits {
		c.Add(&p.Traits[i])
	}
	return c.Shares()
}
