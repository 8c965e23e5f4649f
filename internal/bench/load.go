package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Sample is what one turn did.
type Sample struct {
	Units   int // of the work: instances, requests, resources
	Elapsed time.Duration
	// Of single requests:
	P50, P95, P99 time.Duration
}

// Rate is units a second.
func (s Sample) Rate() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Units) / s.Elapsed.Seconds()
}

// bounds end a turn: so many requests, or so long, whichever comes first.
type bounds struct {
	count int
	time  time.Duration
	// pace is how many things become due a second, and each is measured from when it is due; 0: as fast as answers come.
	pace float64
}

// stuck is how long after the end of its turn an answer may come.
const stuck = 60 * time.Second

// call is one request of a turn and what its answer must be.
type call struct {
	*request
	units int
	check func(answer) error
}

// load lets clients ask site for one call after the other, each waiting for its answer, until b is reached. next makes
// the i-th call ready; it is called from many goroutines. The first wrong answer ends it.
func load(ctx context.Context, site *Site, clients int, b bounds, next func(i int) call) (Sample, error) {
	conns := make([]*conn, clients)
	until := time.Now().Add(b.time + stuck)
	for i := range conns {
		conns[i] = &conn{site: site, until: until}
		defer conns[i].close()
		if err := conns[i].dial(ctx); err != nil {
			return Sample{}, err
		}
	}
	return repeat(ctx, clients, b, func(ctx context.Context, client, i int) (int, error) {
		c := next(i)
		a, err := conns[client].do(ctx, c.request)
		if err == nil {
			if err = c.check(a); err != nil {
				err = fmt.Errorf("%s: %w", site.Name, err)
			}
		}
		return c.units, err
	})
}

// repeat lets clients do one thing after the other until b is reached; do says how many units that was.
func repeat(ctx context.Context, clients int, b bounds, do func(ctx context.Context, client, i int) (int, error)) (Sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg    sync.WaitGroup
		taken atomic.Int64
		units atomic.Int64
		took  = make([][]time.Duration, clients)
		start = time.Now()
	)
	for client := range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(taken.Add(1)) - 1
				begun := time.Now()
				if b.pace > 0 {
					begun = start.Add(time.Duration(float64(i) / b.pace * float64(time.Second)))
				}
				if i >= b.count || begun.Sub(start) >= b.time {
					return
				}
				time.Sleep(time.Until(begun))
				n, err := do(ctx, client, i)
				if err != nil {
					cancel(err)
					return
				}
				units.Add(int64(n))
				took[client] = append(took[client], time.Since(begun))
			}
		})
	}
	wg.Wait()
	s := Sample{Units: int(units.Load()), Elapsed: time.Since(start)}
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	all := slices.Concat(took...)
	if len(all) == 0 {
		return s, fmt.Errorf("nothing was done in %v", b.time)
	}
	slices.Sort(all)
	s.P50, s.P95, s.P99 = quantile(all, 0.50), quantile(all, 0.95), quantile(all, 0.99)
	return s, nil
}

// quantile is the least of the sorted durations that at least the share q of them do not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	i := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(i, 1), len(sorted))-1]
}

// shown cuts an answer for an error message. It is the load's own made-up data.
func shown(body []byte) string {
	return fmt.Sprintf("%.120q", body)
}
