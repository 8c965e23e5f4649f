package index

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// errAgain, returned by a decision beside its writes, asks for another round after they are done.
var errAgain = errors.New("again")

// transaction is commands that are run as one: each its words, strings or numbers, beginning with the verb.
type transaction [][]any

func (tx *transaction) add(words ...any) { *tx = append(*tx, words) }

// guarded writes on condition, without scripts: it watches key, reads the fields of that hash (and whatever extra
// queues) in the same trip, and lets decide say what to write. The writes happen only if nobody wrote key in the
// meantime; otherwise all is read and decided again. Nothing to write ends it. It takes two trips when it writes.
func (ix *Index) guarded(ctx context.Context, key string, fields []string, extra func(redis.Pipeliner),
	decide func(vals []any) (transaction, error)) error {
	const rounds = 200
	for range rounds {
		err := ix.guardedOnce(ctx, key, fields, extra, decide)
		switch {
		case errors.Is(err, redis.TxFailedErr) || errors.Is(err, errAgain):
			continue
		case ix.moved(ctx, err):
			continue
		}
		return err
	}
	return &hub.Error{Kind: hub.Unavailable, Msg: "too many hubs write the same slot of the index", Retry: 100 * time.Millisecond}
}

func (ix *Index) guardedOnce(ctx context.Context, key string, fields []string, extra func(redis.Pipeliner),
	decide func(vals []any) (transaction, error)) error {
	node, err := ix.node(ctx, key)
	if err != nil {
		return err
	}
	if ix.local != nil {
		return ix.guardedHere(ctx, key, fields, extra, decide)
	}
	conn := node.Conn()
	defer conn.Close()
	pipe := conn.Pipeline()
	pipe.Do(ctx, "watch", key)
	state := pipe.HMGet(ctx, key, fields...)
	if extra != nil {
		extra(pipe)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		_ = conn.Do(context.WithoutCancel(ctx), "unwatch").Err()
		return err
	}
	write, verdict := decide(state.Val())
	if len(write) == 0 {
		_ = conn.Do(context.WithoutCancel(ctx), "unwatch").Err()
		return verdict
	}
	if err := write.run(ctx, conn); err != nil {
		return err
	}
	return verdict
}

// run does them in one MULTI.
func (tx transaction) run(ctx context.Context, on interface{ TxPipeline() redis.Pipeliner }) error {
	pipe := on.TxPipeline()
	for _, words := range tx {
		pipe.Do(ctx, words...)
	}
	_, err := pipe.Exec(ctx)
	return err
}

// guardedHere is guardedOnce without a watch: the keeper compares what was read.
func (ix *Index) guardedHere(ctx context.Context, key string, fields []string, extra func(redis.Pipeliner),
	decide func(vals []any) (transaction, error)) error {
	pipe := ix.client.Pipeline()
	state := pipe.HMGet(ctx, key, fields...)
	if extra != nil {
		extra(pipe)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	write, verdict := decide(state.Val())
	if len(write) == 0 {
		return verdict
	}
	switch done, err := ix.local.Exec(key, fields, state.Val(), write); {
	case err != nil:
		return err
	case !done:
		return redis.TxFailedErr
	}
	return verdict
}

// node is where key lies.
func (ix *Index) node(ctx context.Context, key string) (*redis.Client, error) {
	switch c := ix.client.(type) {
	case *redis.Client:
		return c, nil
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key)
	}
	return nil, errClient
}

// moved reports whether err says that another node holds the key now; then the map of the cluster is read anew.
func (ix *Index) moved(ctx context.Context, err error) bool {
	c, ok := ix.client.(*redis.ClusterClient)
	if err == nil || !ok || ctx.Err() != nil {
		return false
	}
	if _, is := redis.IsMovedError(err); !is {
		return false
	}
	c.ReloadState(ctx)
	return true
}
