package upperlayer

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// crowd counts who is there.
type crowd struct {
	limits Limits

	mu        sync.Mutex
	waiting   map[net.Conn]bool
	waitingOf map[netip.Addr]int
	open      map[*Association]bool
	count     int // associations, those that are being agreed upon included
	byAE      map[string]int
	byAddress map[netip.Addr]int
	closed    bool
	empty     chan struct{} // closed when the last association of a closed crowd is gone
}

func (c *crowd) init() {
	c.waiting, c.waitingOf = map[net.Conn]bool{}, map[netip.Addr]int{}
	c.open, c.byAE, c.byAddress = map[*Association]bool{}, map[string]int{}, map[netip.Addr]int{}
	c.empty = make(chan struct{})
}

// wait lets a connection in, whose association is not yet.
func (c *crowd) wait(a netip.Addr, conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting)-c.count >= c.limits.Waiting || c.waitingOf[a]-c.byAddress[a] >= c.limits.Waiting/2 {
		return false
	}
	c.waiting[conn] = true
	c.waitingOf[a]++
	return true
}

// gone forgets a connection.
func (c *crowd) gone(a netip.Addr, conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, conn)
	count(c.waitingOf, a, -1)
}

// admit counts one more association, or says that there are enough.
func (c *crowd) admit(p Peer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.count >= c.limits.Associations || c.byAE[p.Calling] >= c.limits.PerAE || c.byAddress[p.Address] >= c.limits.PerAddress {
		return false
	}
	c.count++
	count(c.byAE, p.Calling, 1)
	count(c.byAddress, p.Address, 1)
	return true
}

// leave takes back what admit counted.
func (c *crowd) leave(p Peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count--
	count(c.byAE, p.Calling, -1)
	count(c.byAddress, p.Address, -1)
	if c.closed && c.count == 0 {
		close(c.empty)
	}
}

// opened notes an association that is to be drained at the end; false when that has begun.
func (c *crowd) opened(a *Association) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.open[a] = true
	return true
}

func (c *crowd) ended(a *Association) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, a)
}

// drain ends all associations: the idle ones at once, the others in their time.
func (c *crowd) drain() {
	c.mu.Lock()
	c.closed = true
	var all []*Association
	for a := range c.open {
		all = append(all, a)
	}
	if c.count == 0 {
		close(c.empty)
	}
	c.mu.Unlock()
	for _, a := range all {
		a.drain()
	}
	patience := time.NewTimer(c.limits.Drain)
	defer patience.Stop()
	select {
	case <-c.empty:
	case <-patience.C:
		for _, a := range all {
			a.abort(errDraining)
		}
	}
}

// closeAll ends every connection.
func (c *crowd) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.waiting {
		conn.Close()
	}
}

func count[K comparable](m map[K]int, k K, by int) {
	if m[k] += by; m[k] <= 0 {
		delete(m, k)
	}
}
