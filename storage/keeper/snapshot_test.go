package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// every form a value can have, over several tags.
func fillForms(t testing.TB, c *redis.Client) {
	ctx := context.Background()
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "{r}:applied", "17", 0)
		p.Set(ctx, "empty", "", 0)
		p.Set(ctx, "large", strings.Repeat("x", 100_000), 0)
		p.Set(ctx, "timed", "v", time.Hour)
		p.SAdd(ctx, "{a}ids", 5, 1, 4294967295, 70)
		p.SAdd(ctx, "{a}ints", -5, 1<<40, 3)
		p.SAdd(ctx, "{a}names", "a", "", "b\x00c")
		p.HSet(ctx, "{b}map", "f", "v", "", "", "g", strings.Repeat("y", 300))
		p.ZAdd(ctx, "{b}lex", redis.Z{Member: "b\x001"}, redis.Z{Member: "a\x002"}, redis.Z{Member: ""})
		p.ZAdd(ctx, "{b}mixed", redis.Z{Score: 2.5, Member: "m"}, redis.Z{Score: -1, Member: "7"})
		p.ZAdd(ctx, "{b}one", redis.Z{Score: 3, Member: "x"}, redis.Z{Score: 3, Member: "y"})
		for i := range 1000 {
			p.SAdd(ctx, "{c}ids", i*37%1009)
			p.HSet(ctx, "{c}map", fmt.Sprint("field ", i), i)
			p.ZAdd(ctx, "{c}scores", redis.Z{Score: float64(i*31%97) / 4, Member: i})
			p.ZAdd(ctx, "{c}lex", redis.Z{Member: fmt.Sprintf("text %d\x00%d", i*31%97, i)})
		}
		p.Expire(ctx, "{c}ids", time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// content is all keys with what commands say of them.
func content(t testing.TB, c *redis.Client) map[string]string {
	ctx := context.Background()
	all := map[string]string{}
	for it := c.Scan(ctx, 0, "", 100).Iterator(); it.Next(ctx); {
		key := it.Val()
		var said any
		switch typ := c.Type(ctx, key).Val(); typ {
		case "string":
			said = c.Get(ctx, key).Val()
		case "set":
			members := c.SMembers(ctx, key).Val()
			slices.Sort(members)
			said = members
		case "hash":
			said = c.HGetAll(ctx, key).Val()
		case "zset":
			said = []any{c.ZRangeWithScores(ctx, key, 0, -1).Val(), c.ZMScore(ctx, key, "m", "7", "500", "x").Val()}
		}
		all[key] = fmt.Sprint(c.TTL(ctx, key).Val() > 0, said)
	}
	return all
}

func snapshotOf(t testing.TB, k *Keeper) []byte {
	var b bytes.Buffer
	if err := k.SnapshotTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestARestoredKeeperHasEveryKeyAndCanBeWrittenTo(t *testing.T) {
	first, second := New(Options{}), New(Options{})
	defer first.Close()
	defer second.Close()
	fillForms(t, dialClient(t, first))
	c := dialClient(t, second)
	c.Set(context.Background(), "before", "gone after", 0)
	if err := second.Restore(bytes.NewReader(snapshotOf(t, first))); err != nil {
		t.Fatal(err)
	}
	want := content(t, dialClient(t, first))
	if got := content(t, c); !maps.Equal(got, want) {
		for key := range want {
			if got[key] != want[key] {
				t.Errorf("%s is %.300s\nwant %.300s", key, got[key], want[key])
			}
		}
		t.Fatalf("%d keys, want %d", len(got), len(want))
	}
	fillForms(t, c) // the same writes again change nothing
	if got := content(t, c); !maps.Equal(got, want) {
		t.Fatal("writing the same once more changed the content")
	}
}

func TestASnapshotThatIsCutOrDamagedRestoresNothing(t *testing.T) {
	full := New(Options{})
	defer full.Close()
	c := dialClient(t, full)
	ctx := context.Background()
	c.Set(ctx, "{r}:applied", 17, 0)
	c.SAdd(ctx, "{a}s", 1, 2, 3)
	c.ZAdd(ctx, "{b}z", redis.Z{Score: 1, Member: 2})
	good := snapshotOf(t, full)

	k := New(Options{})
	defer k.Close()
	kept := dialClient(t, k)
	kept.Set(ctx, "kept", "v", 0)
	refused := func(what string, b []byte) {
		t.Helper()
		if err := k.Restore(bytes.NewReader(b)); !hub.Is(err, hub.Corrupt) {
			t.Fatalf("%s: %v", what, err)
		}
		if kept.Get(ctx, "kept").Val() != "v" || kept.DBSize(ctx).Val() != 1 {
			t.Fatalf("%s changed the keeper", what)
		}
	}
	for n := range good {
		refused(fmt.Sprintf("cut after %d bytes", n), good[:n])
		for bit := range 8 {
			bad := slices.Clone(good)
			bad[n] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d turned", bit, n), bad)
		}
	}
	broken := errors.New("the store is away")
	if err := k.Restore(io.MultiReader(bytes.NewReader(good[:20]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Fatalf("an error of the reader becomes %v", err)
	}
	if err := k.Restore(bytes.NewReader(good)); err != nil || kept.DBSize(ctx).Val() != 3 {
		t.Fatalf("the whole snapshot: %v", err)
	}
}

func TestASnapshotBeginsWithTheTagsAskedFor(t *testing.T) {
	k := New(Options{First: []string{"meta"}})
	defer k.Close()
	c := dialClient(t, k)
	for i := range 100 {
		c.Set(context.Background(), fmt.Sprintf("{t%d}", i), i, 0)
	}
	c.Set(context.Background(), "{meta}:mark", "first", 0)
	if b := snapshotOf(t, k); !bytes.Contains(b[:64], []byte("{meta}:mark")) {
		t.Fatalf("it begins with %q", b[:64])
	}
}

// TestASnapshotWhileWritingHoldsMarksBehindEntries writes entry and mark in one transaction over two tags: what a
// snapshot says of the mark must be true of the entries in it.
func TestASnapshotWhileWritingHoldsMarksBehindEntries(t *testing.T) {
	k := New(Options{First: []string{"r"}})
	defer k.Close()
	c := dialClient(t, k)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; ctx.Err() == nil; i++ {
			_, _ = c.TxPipelined(context.Background(), func(p redis.Pipeliner) error {
				p.SAdd(context.Background(), "{r07}:a", i)
				p.Set(context.Background(), "{r}:applied", i, 0)
				return nil
			})
		}
	}()
	for range 50 {
		again := New(Options{})
		if err := again.Restore(bytes.NewReader(snapshotOf(t, k))); err != nil {
			t.Fatal(err)
		}
		r := dialClient(t, again)
		applied, _ := r.Get(context.Background(), "{r}:applied").Int64()
		if n := r.SCard(context.Background(), "{r07}:a").Val(); n < applied {
			t.Fatalf("%d applied, %d entries", applied, n)
		}
		_ = again.Close()
	}
	cancel()
	<-done
}

func TestRestoringStopsTransactionsThatWatch(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c := dialClient(t, k)
	ctx := context.Background()
	empty := snapshotOf(t, k)
	c.Set(ctx, "k", 1, 0)
	err := c.Watch(ctx, func(tx *redis.Tx) error {
		if err := k.Restore(bytes.NewReader(empty)); err != nil {
			t.Fatal(err)
		}
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "k", 2, 0).Err() })
		return err
	}, "k")
	if !errors.Is(err, redis.TxFailedErr) {
		t.Fatalf("the transaction ends with %v", err)
	}
}

func FuzzRestore(f *testing.F) {
	k := New(Options{})
	fillForms(f, dialClient(f, k))
	whole := snapshotOf(f, k)
	f.Add(whole[:min(len(whole), 3000)])
	small := New(Options{})
	c := dialClient(f, small)
	c.ZAdd(context.Background(), "z", redis.Z{Score: 1, Member: "x"}, redis.Z{Score: 2, Member: "y"})
	f.Add(snapshotOf(f, small)[len(snapshotMagic)+sectionHead:])
	f.Fuzz(func(t *testing.T, body []byte) {
		k := New(Options{})
		defer k.Close()
		_ = k.Restore(bytes.NewReader(body))
		// The same as the body of a section whose head is right, so that decoding is reached.
		b := append([]byte(snapshotMagic), make([]byte, sectionHead)...)
		b[len(snapshotMagic)] = byte(len(body))
		b[len(snapshotMagic)+1] = byte(len(body) >> 8)
		sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
		for i := range 4 {
			b[len(snapshotMagic)+8+i] = byte(sum >> (8 * i))
		}
		end := make([]byte, sectionHead)
		end[8] = 1
		if k.Restore(bytes.NewReader(append(append(b, body...), end...))) != nil {
			return
		}
		// What was accepted can be read, written and saved.
		c := dialClient(t, k)
		for key := range content(t, c) {
			for _, cmd := range [][]any{{"SADD", key, "x", "1"}, {"SREM", key, "1"}, {"HSET", key, "f", "v"}, {"ZADD", key, "1", "x", "2", "3"}, {"ZREM", key, "x"}} {
				_ = c.Do(context.Background(), cmd...).Err()
			}
		}
		if err := New(Options{}).Restore(bytes.NewReader(snapshotOf(t, k))); err != nil {
			t.Fatalf("its own snapshot is refused: %v", err)
		}
	})
}
