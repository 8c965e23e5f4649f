package webserver

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const maxAddresses = 10_000

// throttle counts failures per address (an IPv6 network of 64 bits counts as one) in bounded memory: beyond that,
// new addresses share one count.
type throttle struct {
	burst int
	every time.Duration

	mu     sync.Mutex
	of     map[netip.Prefix]*rate.Limiter
	others *rate.Limiter
}

func newThrottle(burst int, every time.Duration) *throttle {
	t := &throttle{burst: burst, every: every, of: map[netip.Prefix]*rate.Limiter{}}
	t.others = t.fresh()
	return t
}

func (t *throttle) fresh() *rate.Limiter { return rate.NewLimiter(rate.Every(t.every), t.burst) }

// blocked tells whether address must wait before it may try again.
func (t *throttle) blocked(address string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.of[network(address)]
	if !ok && len(t.of) >= maxAddresses {
		l, ok = t.others, true
	}
	return ok && l.Tokens() < 1
}

// failed counts one failure.
func (t *throttle) failed(address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := network(address)
	l, ok := t.of[key]
	if !ok {
		if len(t.of) >= maxAddresses {
			t.pruneLocked()
		}
		if l = t.others; len(t.of) < maxAddresses {
			l = t.fresh()
			t.of[key] = l
		}
	}
	l.Allow()
}

func (t *throttle) pruneLocked() {
	for key, l := range t.of {
		if l.Tokens() >= float64(t.burst) {
			delete(t.of, key)
		}
	}
}

func network(address string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 64
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // the number of bits fits
	return p
}
