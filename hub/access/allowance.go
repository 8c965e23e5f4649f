package access

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"concord/hub"
)

// Allowances hold each member to a rate of requests and to a number of them at a time, whichever way they come. They count
// on this process only, and are bounded by the number of members: only verified ones are counted.
type Allowances struct {
	rate       rate.Limit
	burst      int
	concurrent int64
	of         sync.Map // member id → *allowance
}

type allowance struct {
	rate    *rate.Limiter
	running atomic.Int64
}

// NewAllowances makes Allowances of requests a second, how many of them may come at once, and how many may be under way.
func NewAllowances(perSecond float64, burst, concurrent int) *Allowances {
	return &Allowances{rate: rate.Limit(perSecond), burst: burst, concurrent: int64(concurrent)}
}

// Enter counts a request, which lasts until leave is called. Over an allowance it fails with TooMany.
func (a *Allowances) Enter(member string) (leave func(), err error) {
	v, ok := a.of.Load(member)
	if !ok {
		v, _ = a.of.LoadOrStore(member, &allowance{rate: rate.NewLimiter(a.rate, a.burst)})
	}
	m := v.(*allowance)
	if !m.rate.Allow() {
		return nil, &hub.Error{Kind: hub.TooMany, Msg: "the member sends more requests a second than it may", Retry: time.Second}
	}
	if m.running.Add(1) > a.concurrent {
		m.running.Add(-1)
		return nil, &hub.Error{Kind: hub.TooMany, Msg: "the member has more requests under way than it may", Retry: time.Second}
	}
	return func() { m.running.Add(-1) }, nil
}
