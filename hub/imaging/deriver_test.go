package imaging

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"concord/hub"
)

func TestAStudyIsDerivedWhenItHasSettledOrGrownForLong(t *testing.T) {
	for _, c := range []struct {
		name  string
		every time.Duration // the partition grows
		times int
		after time.Duration
	}{
		{"one commit", 0, 0, 250 * time.Millisecond},
		{"five commits in quick succession", 100 * time.Millisecond, 5, 750 * time.Millisecond},
		{"commits without end", 100 * time.Millisecond, 1000, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := NewDeriver(Deriver{Partitions: []hub.Partition{"p"}})
				ctx, stop := context.WithCancel(t.Context())
				go func() {
					for range c.times {
						time.Sleep(c.every)
						d.Wake("p")
						if ctx.Err() != nil {
							return
						}
					}
				}()
				begun := time.Now()
				if !d.settled(ctx, "p") {
					t.Error("not settled")
				}
				if took := time.Since(begun); took != c.after {
					t.Errorf("settled after %v, expected %v", took, c.after)
				}
				stop()
				if c.times > 0 {
					time.Sleep(c.every) // the growing ends
				}
			})
		})
	}
}
