package keeper

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestExecWritesOnlyWhatWasDecidedOnWhatIsThere(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c, ctx := dialClient(t, k), context.Background()
	exec := func(were []any, commands ...[]any) bool {
		t.Helper()
		done, err := k.Exec("{g}m", []string{"applied", "missing"}, were, commands)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if !exec([]any{nil, nil}, []any{"hset", "{g}m", "applied", uint64(7)}, []any{"zadd", "{x}z", 1.5, "a"}, []any{"sadd", "{y}s", "b", []byte("c"), -3}) {
		t.Fatal("refused where nothing was there")
	}
	if exec([]any{nil, nil}, []any{"del", "{y}s"}) || exec([]any{"6", nil}, []any{"del", "{y}s"}) || exec([]any{"7", ""}, []any{"del", "{y}s"}) {
		t.Fatal("written on what is no longer so")
	}
	if !exec([]any{"7", nil}, []any{"hset", "{g}m", "applied", 8}) {
		t.Fatal("refused on what is so")
	}
	if got := c.HGet(ctx, "{g}m", "applied").Val(); got != "8" {
		t.Errorf("applied is %q", got)
	}
	if n, z := c.SCard(ctx, "{y}s").Val(), c.ZScore(ctx, "{x}z", "a").Val(); n != 3 || z != 1.5 {
		t.Errorf("%d members, score %v", n, z)
	}
}

func TestExecTellsTheFirstErrorAndRunsTheRest(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c, ctx := dialClient(t, k), context.Background()
	c.Set(ctx, "text", "x", 0)
	done, err := k.Exec("g", nil, nil, [][]any{{"sadd", "text", "a"}, {"hset", "text", "a", "b"}, {"sadd", "s", "a"}})
	if !done || !redis.HasErrorPrefix(err, "WRONGTYPE") || c.SCard(ctx, "s").Val() != 1 {
		t.Errorf("done %v, %v, %d members", done, err, c.SCard(ctx, "s").Val())
	}
	for say, commands := range map[string][][]any{
		"an unknown command":     {{"sadd", "s", "b"}, {"nosuch", "s"}},
		"too few words":          {{"sadd", "s", "b"}, {"sadd", "s"}},
		"no words":               {{"sadd", "s", "b"}, {}},
		"a word of another kind": {{"sadd", "s", "b"}, {"sadd", "s", true}},
		"a command of sessions":  {{"sadd", "s", "b"}, {"multi"}},
	} {
		if done, err := k.Exec("g", nil, nil, commands); done || err == nil || c.SCard(ctx, "s").Val() != 1 {
			t.Errorf("%s: done %v, %v", say, done, err)
		}
	}
	if done, err := k.Exec("text", []string{"a"}, []any{nil}, [][]any{{"sadd", "s", "b"}}); done || err != nil {
		t.Errorf("guarded by what is no hash: %v, %v", done, err)
	}
	k.Close()
	if _, err := k.Exec("g", nil, nil, [][]any{{"sadd", "s", "b"}}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Who watches a key over a connection learns that Exec wrote it, and the two never both go through.
func TestExecAndWatchersNeverBothSucceed(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	ctx, c := context.Background(), dialClient(t, k)
	c.HSet(ctx, "g", "n", 0)
	var wg sync.WaitGroup
	var sum atomic.Int64
	for range 4 {
		wg.Go(func() {
			for range 200 {
				was := c.HMGet(ctx, "g", "n").Val()
				n, _ := strconv.Atoi(was[0].(string))
				done, err := k.Exec("g", []string{"n"}, was, [][]any{{"hset", "g", "n", n + 1}})
				if err != nil {
					t.Error(err)
				}
				if done {
					sum.Add(1)
				}
			}
		})
		wg.Go(func() {
			for range 200 {
				err := c.Watch(ctx, func(tx *redis.Tx) error {
					n, err := tx.HGet(ctx, "g", "n").Int()
					if err != nil {
						return err
					}
					_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.HSet(ctx, "g", "n", n+1); return nil })
					return err
				}, "g")
				if err == nil {
					sum.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got, _ := c.HGet(ctx, "g", "n").Int(); int64(got) != sum.Load() {
		t.Errorf("%d additions went through, the sum is %d", sum.Load(), got)
	}
}
