package index

import (
	"sync"
	"time"
)

// populations are how much lived of each type in each slot a moment ago: good enough to choose between two ways of
// searching, and a command a slot less.
type populations struct {
	mu    sync.Mutex
	known map[population]count
}

type population struct {
	p    *partition
	slot int
	typ  string
}

type count struct {
	n  int
	at time.Time
}

// moment is how long a count is trusted.
const moment = 10 * time.Second

func (ps *populations) population(p *partition, slot int, typ string) (n int, known bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	c, known := ps.known[population{p, slot, typ}]
	return c.n, known && time.Since(c.at) < moment
}

// populate does not take 0, for which a search ends early.
func (ps *populations) populate(p *partition, slot int, typ string, n int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if n > 0 {
		ps.known[population{p, slot, typ}] = count{n, time.Now()}
	} else {
		delete(ps.known, population{p, slot, typ})
	}
}
