package ledger

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

	"concord/hub"
)

// book is the fold of the log: every opportunity as it is now, and by what they are found. It is made of the records alone, so
// every hub has the same and a hub that starts comes to it by reading.
type book struct {
	reading sync.Mutex // one reads the log at a time

	mu       sync.RWMutex
	at       uint64 // through where it came; 0: nothing was read yet
	all      map[string]*Opportunity
	patients map[string][]string // Patient → ids
	results  map[string][]string // result that a card offered → ids
	orders   map[string][]string // name of an order that the hub did not have → ids
	first    time.Time           // no opportunity is older
}

// mostBehind is how many commits are followed one by one; beyond, all opportunities are read anew.
const mostBehind = 5000

// refresh brings the book to what the index has now, and says where that is.
func (l *Ledger) refresh(ctx context.Context) (uint64, error) {
	b := &l.book
	b.reading.Lock()
	defer b.reading.Unlock()
	applied, err := l.Follower.Complete(ctx)
	if err != nil {
		return 0, err
	}
	switch {
	case b.at == applied && b.all != nil:
		return b.at, nil
	case b.all == nil || b.at > applied || applied-b.at > mostBehind:
		return l.read(ctx, applied)
	}
	var changed []*Opportunity
	var gone []string
	err = l.Follower.Log().Commits(ctx, b.at+1, applied, func(c *hub.Commit, _ []byte) error {
		for i := range c.Records {
			if rec := &c.Records[i]; rec.Name.Type == "GuidanceResponse" {
				if o, ok := ReadOpportunity(rec); ok {
					changed = append(changed, o.kept())
				} else {
					gone = append(gone, rec.Name.ID)
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range gone {
		delete(b.all, id)
	}
	for _, o := range changed {
		b.put(o)
	}
	b.at = applied
	return b.at, nil
}

// read reads all opportunities. What is committed meanwhile is followed afterwards, and may be read twice.
func (l *Ledger) read(ctx context.Context, at uint64) (uint64, error) {
	next := &book{}
	next.clear()
	q := hub.Query{Type: "GuidanceResponse", Limit: 1000}
	for {
		page, err := l.Follower.Search(ctx, q)
		if err != nil {
			return 0, err
		}
		locs := make([]hub.Loc, len(page.Hits))
		for i, hit := range page.Hits {
			locs[i] = hit.Head.Loc
		}
		recs, err := l.Follower.Log().Records(ctx, locs)
		if err != nil {
			return 0, err
		}
		for i := range recs {
			if o, ok := ReadOpportunity(&recs[i]); ok {
				next.put(o.kept())
			}
		}
		if !page.More || len(page.Hits) == 0 {
			break
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
	b := &l.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all, b.patients, b.results, b.orders, b.first, b.at = next.all, next.patients, next.results, next.orders, next.first, at
	return at, nil
}

func (b *book) clear() {
	b.all, b.patients, b.results, b.orders = map[string]*Opportunity{}, map[string][]string{}, map[string][]string{}, map[string][]string{}
}

func (b *book) put(o *Opportunity) {
	before := b.all[o.ID]
	b.all[o.ID] = o
	if b.first.IsZero() || o.First.Before(b.first) {
		b.first = o.First
	}
	note := func(in map[string][]string, under func(*Opportunity) []string) {
		var there []string
		if before != nil {
			there = under(before)
		}
		for _, key := range under(o) { // not looked for in the list: EHRs that call each draft "1" make long ones
			if key != "" && !slices.Contains(there, key) {
				in[key] = append(in[key], o.ID)
			}
		}
	}
	note(b.patients, func(o *Opportunity) []string { return []string{o.Patient} })
	note(b.results, (*Opportunity).firstOffered)
	note(b.orders, (*Opportunity).awaited)
}

// firstOffered are the results that were offered first.
func (o *Opportunity) firstOffered() (results []string) {
	for i := range o.Shown {
		if o.Shown[i].Best {
			results = append(results, o.Shown[i].Result)
		}
	}
	return results
}

// awaited are the names of orders that have not come.
func (o *Opportunity) awaited() (keys []string) {
	for i := range o.Orders {
		if o.Orders[i].Reference == "" {
			keys = append(keys, o.Orders[i].keys(o.Member)...)
		}
	}
	return keys
}

// keys are the names by which an order of a member is recognised when it comes.
func (r *Order) keys(member string) (all []string) {
	if _, id, ok := strings.Cut(r.ID, "ServiceRequest/"); ok || r.ID != "" {
		if !ok {
			id = r.ID
		}
		all = append(all, orderSystem+member+"|"+id)
	}
	for _, id := range r.Identifiers {
		if id.System != "" {
			all = append(all, id.System+"|"+id.Value)
		}
	}
	return all
}

// of are the opportunities that are found by some keys, each once.
func (b *book) of(in func(*book) map[string][]string, keys ...string) []*Opportunity {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var all []*Opportunity
	seen := map[string]bool{}
	for _, key := range keys {
		for _, id := range in(b)[key] {
			if o := b.all[id]; o != nil && !seen[id] {
				seen[id] = true
				all = append(all, o)
			}
		}
	}
	return all
}

func byPatient(b *book) map[string][]string { return b.patients }
func byResult(b *book) map[string][]string  { return b.results }
func byOrder(b *book) map[string][]string   { return b.orders }

// since tells whether there is an opportunity that something of a time may be about.
func (b *book) since(t time.Time) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.all) > 0 && !t.Before(b.first)
}

// each goes through all opportunities in no order.
func (b *book) each(do func(o *Opportunity)) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, o := range b.all {
		do(o)
	}
}

// kept is what of an opportunity is kept in memory: what is counted and what is looked for. Nothing of it shares memory with
// the record.
func (o *Opportunity) kept() *Opportunity {
	k := &Opportunity{ID: strings.Clone(o.ID), Member: intern(o.Member), Patient: strings.Clone(o.Patient), Department: intern(o.Department), Item: intern(o.Item),
		Title: intern(o.Title), Kind: intern(o.Kind), Outcome: intern(o.Outcome), Override: intern(o.Override),
		First: o.First, Last: o.Last, Choice: Choice{Verdict: intern(o.Choice.Verdict), Reason: intern(o.Choice.Reason), At: o.Choice.At},
		Repeat: Repeat{strings.Clone(o.Repeat.What), o.Repeat.At}}
	k.Saving.Amount, k.Saving.Currency = o.Saving.Amount, intern(o.Saving.Currency)
	for _, s := range o.Shown {
		k.Shown = append(k.Shown, Shown{Result: strings.Clone(s.Result), Patient: strings.Clone(s.Patient), Producer: intern(s.Producer), Expires: s.Expires, Best: s.Best, Unqualified: s.Unqualified})
	}
	for _, r := range o.Orders {
		one := Order{ID: strings.Clone(r.ID), Reference: strings.Clone(r.Reference)}
		for _, id := range r.Identifiers {
			one.Identifiers = append(one.Identifiers, Identifier{intern(id.System), strings.Clone(id.Value)})
		}
		k.Orders = append(k.Orders, one)
	}
	k.givers = k.Givers()
	for _, w := range o.Withdrawn {
		k.Withdrawn = append(k.Withdrawn, Loss{strings.Clone(w.Result), intern(w.Cause), w.At})
	}
	return k
}

// intern keeps one copy of a word that many have.
func intern[T ~string](s T) T { return T(unique.Make(string(s)).Value()) }
