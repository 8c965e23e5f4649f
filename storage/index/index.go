package index

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// Index is hub.Index over Redis. Any number of hubs may share one Redis.
type Index struct {
	client     redis.UniversalClient
	local      Local // nil where the server is in another process
	cluster    bool
	partitions map[hub.Partition]*partition
	limits     Limits
	tuned      atomic.Bool
	rolls      map[hub.Partition]*rolls
	cache      *cache
	shelf      *shelf
	hands      *hands
	tallies    tallies
	outsets    outsets
	populations
}

var _ hub.Index = (*Index)(nil)

// Open uses client for an index of this layout, which Layout.Validate has found good. It asks nothing of Redis
// yet. The client stays the caller's to close.
func Open(client redis.UniversalClient, layout Layout) *Index {
	ix := &Index{client: client, partitions: make(map[hub.Partition]*partition, len(layout.Partitions)), rolls: map[hub.Partition]*rolls{},
		limits: layout.Limits.orDefaults()}
	if c, is := client.(localClient); is {
		ix.client, ix.local = c.Client, c.local
	}
	ix.shelf, ix.hands = newShelf(), newHands()
	ix.outsets.of = map[shelfMark]outset{}
	ix.cache, ix.populations.known = newCache(ix.limits.Cached), map[population]count{}
	_, ix.cluster = client.(*redis.ClusterClient)
	for name, pl := range layout.Partitions {
		ix.partitions[name], ix.rolls[name] = newPartition(name, pl, layout.Projection), &rolls{}
	}
	ix.tallies.open(len(ix.partitions))
	return ix
}

// Stamp is what this hub writes into an empty partition and asks of one it reads; empty for an unknown one.
func (ix *Index) Stamp(p hub.Partition) string {
	if part := ix.partitions[p]; part != nil {
		return part.stamp
	}
	return ""
}

// Marks reads how far p is. It returns a foreign stamp as it is; all other methods refuse it.
func (ix *Index) Marks(ctx context.Context, p hub.Partition) (hub.Marks, error) {
	part, err := ix.partition(p)
	if err != nil {
		return hub.Marks{}, err
	}
	cmd := ix.client.HMGet(ctx, part.metaKey(), metaFields...)
	if err := cmd.Err(); err != nil {
		return hub.Marks{}, asHub(ctx, "read the marks of "+string(p), err)
	}
	ix.tune(ctx)
	m, err := readMeta(cmd.Val())
	return m.Marks, err
}

// Begin stamps an empty partition. Several hubs may begin the same one; all get the same generation. A Redis that
// may evict keys is refused: searches would miss what it dropped and nobody would know.
func (ix *Index) Begin(ctx context.Context, p hub.Partition) (hub.Marks, error) {
	part, err := ix.partition(p)
	if err != nil {
		return hub.Marks{}, err
	}
	ix.tune(ctx)
	if err := ix.masters(ctx, keepsAll); err != nil {
		return hub.Marks{}, asHub(ctx, "begin the index of "+string(p), err)
	}
	var marks hub.Marks
	me := rand.Text()
	err = ix.guarded(ctx, part.metaKey(), metaFields, nil, func(vals []any) (transaction, error) {
		m, err := readMeta(vals)
		marks = m.Marks
		switch {
		case err != nil:
			return nil, err
		case m.emptying != "" && abandoned(m.emptying):
			return startEmptying(part, me), errLost
		case m.emptying != "":
			return nil, errEmptying(p)
		case m.Stamp != "":
			if err := m.readable(part); err != nil {
				return nil, err
			}
			if err := ix.whole(ctx, part, m.Generation); !errors.Is(err, errLost) {
				return nil, err
			}
			return startEmptying(part, me), errLost
		case m.Generation == "":
			return transaction{{"hset", part.metaKey(), "gen", rand.Text()}}, errAgain
		}
		// The stamp comes last: a partition whose slots do not all know the generation has none.
		pipe := ix.client.Pipeline()
		for slot := range part.slots {
			pipe.HSet(ctx, part.markKey(slot), "gen", m.Generation)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
		marks.Stamp = part.stamp
		return transaction{{"hset", part.metaKey(), "stamp", part.stamp, "applied", 0}}, nil
	})
	if errors.Is(err, errLost) {
		if err = ix.empty(ctx, part, me); err == nil {
			return ix.Begin(ctx, p)
		}
	}
	if err != nil {
		return hub.Marks{}, asHub(ctx, "begin the index of "+string(p), err)
	}
	return marks, nil
}

var errLost = errors.New("a part of the index was lost")

// whole returns errLost when a slot does not know the generation. While meta stays as it is, each slot has to.
func (ix *Index) whole(ctx context.Context, p *partition, generation string) error {
	pipe := ix.client.Pipeline()
	gens := make([]*redis.StringCmd, p.slots)
	for slot := range p.slots {
		gens[slot] = pipe.HGet(ctx, p.markKey(slot), "gen")
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for _, gen := range gens {
		if err := gen.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if gen.Val() != generation {
			return errLost
		}
	}
	return nil
}

func (ix *Index) partition(p hub.Partition) (*partition, error) {
	if part := ix.partitions[p]; part != nil {
		return part, nil
	}
	return nil, &hub.Error{Kind: hub.Invalid, Path: string(p), Msg: "the index has no such partition"}
}

// tune asks Redis for compact encodings, once. A managed Redis may refuse; then it only takes more memory.
func (ix *Index) tune(ctx context.Context) {
	if ix.tuned.Swap(true) {
		return
	}
	_ = ix.masters(ctx, func(ctx context.Context, node *redis.Client) error {
		pipe := node.Pipeline()
		for _, s := range [][2]string{{"set-max-intset-entries", "65536"}, {"hash-max-listpack-entries", "192"}, {"hash-max-listpack-value", "128"}} {
			pipe.ConfigSet(ctx, s[0], s[1])
		}
		_, _ = pipe.Exec(ctx)
		return nil
	})
}

// keepsAll refuses a server that drops keys when its memory is full. One that does not say is trusted.
func keepsAll(ctx context.Context, node *redis.Client) error {
	c, err := node.ConfigGet(ctx, "maxmemory*").Result()
	if err != nil || c["maxmemory"] == "" || c["maxmemory"] == "0" || c["maxmemory-policy"] == "noeviction" {
		return nil
	}
	return &hub.Error{Kind: hub.Unavailable, Msg: "Redis may drop parts of the index: its maxmemory-policy is " + c["maxmemory-policy"],
		Hint: "set maxmemory-policy noeviction", Retry: 10 * time.Second}
}

// masters calls do for each node that holds keys, one after the other.
func (ix *Index) masters(ctx context.Context, do func(context.Context, *redis.Client) error) error {
	switch c := ix.client.(type) {
	case *redis.Client:
		return do(ctx, c)
	case *redis.ClusterClient:
		turn := make(chan struct{}, 1)
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			turn <- struct{}{}
			defer func() { <-turn }()
			return do(ctx, node)
		})
	}
	return errClient
}

var errClient = &hub.Error{Kind: hub.Unsupported, Msg: "the index needs one Redis or a Redis Cluster"}

// meta is what a partition says of itself.
type meta struct {
	hub.Marks
	emptying string // who is at it, see alive; empty for nobody
}

var metaFields = []string{"stamp", "gen", "applied", "emptying"}

func readMeta(vals []any) (meta, error) {
	var m meta
	var err error
	m.Stamp, _ = vals[0].(string)
	m.Generation, _ = vals[1].(string)
	m.Applied, err = number(vals[2])
	m.emptying, _ = vals[3].(string)
	return m, err
}

// readable refuses a partition that cannot be served.
func (m meta) readable(p *partition) error {
	switch {
	case m.emptying != "":
		return errEmptying(p.name)
	case m.Stamp == "":
		return errEmpty(p.name)
	case m.Stamp != p.stamp:
		return errStamp(p, m.Stamp)
	}
	return nil
}

// mark is what a slot says of itself: seq touched it last, changed rewrote something in it last.
type mark struct {
	gen          string
	seq, changed uint64
}

var markFields = []string{"gen", "seq", "changed"}

func readMark(vals []any) (mark, error) {
	var m mark
	var err1, err2 error
	m.gen, _ = vals[0].(string)
	m.seq, err1 = number(vals[1])
	m.changed, err2 = number(vals[2])
	return m, errors.Join(err1, err2)
}

func number(v any) (uint64, error) {
	s, ok := v.(string)
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, errUnreadable
	}
	return n, nil
}

// SlotOf is the slot where the things of a route lie, −1 for an unknown partition.
func (ix *Index) SlotOf(p hub.Partition, route string) int {
	if part := ix.partitions[p]; part != nil {
		return part.slotOf(route)
	}
	return -1
}
