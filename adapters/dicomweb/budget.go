package dicomweb

import (
	"context"
	"sync"
	"time"

	"concord/hub"
)

// budget bounds the bytes that requests hold in memory at the same time for frames being decoded. One request always gets
// through, however large.
type budget struct {
	mu    sync.Mutex
	held  int64
	most  int64
	freed chan struct{} // closed and made anew whenever something is given back
}

func newBudget(most int64) *budget { return &budget{most: most, freed: make(chan struct{})} }

// enter waits until n bytes may be held.
func (b *budget) enter(ctx context.Context, n int64) error {
	for {
		b.mu.Lock()
		if b.held == 0 || b.held+n <= b.most {
			b.held += n
			b.mu.Unlock()
			return nil
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return &hub.Error{Kind: hub.Unavailable, Msg: "too many frames are being decoded", Retry: time.Second, Err: ctx.Err()}
		}
	}
}

func (b *budget) leave(n int64) {
	b.mu.Lock()
	b.held -= n
	close(b.freed)
	b.freed = make(chan struct{})
	b.mu.Unlock()
}
