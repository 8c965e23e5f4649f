package keeper

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// Options are what a Keeper can be told. The zero value is good.
type Options struct {
	// First are the hash tags a snapshot takes first: those whose keys say how far the others are.
	First []string
	// Now is the clock for keys that expire; nil means time.Now.
	Now func() time.Time
}

// Keeper holds keys in memory and answers Redis commands on connections. It is safe for concurrent use.
type Keeper struct {
	opts     Options
	commands commands
	spaces   [spaceCount]space
	seed     maphash.Seed
	started  time.Time

	open  context.Context // ends with Close
	close context.CancelFunc

	mu     sync.Mutex // guards what follows
	closed bool
	lastID int64
	conns  map[*conn]struct{}
	config map[string]string
}

// New makes an empty keeper.
func New(opts Options) *Keeper {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	k := &Keeper{opts: opts, commands: newCommands(), seed: maphash.MakeSeed(), started: opts.Now(),
		conns: make(map[*conn]struct{}), config: defaultConfig()}
	k.open, k.close = context.WithCancel(context.Background())
	for i := range k.spaces {
		k.spaces[i].reset(k.seed)
	}
	return k
}

// Close ends all connections and every Serve. The keys stay readable by SnapshotTo.
func (k *Keeper) Close() error {
	k.close()
	k.mu.Lock()
	k.closed = true
	conns := make([]*conn, 0, len(k.conns))
	for c := range k.conns {
		conns = append(conns, c)
	}
	k.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	return nil
}

func (k *Keeper) now() int64 { return k.opts.Now().UnixMilli() }
