package index

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

const scanStep = 1000

// Reset empties partition p. Readers and writers are refused from the first moment: the stamp goes first, the
// slots' marks next (so that a commit on its way finds no place), then everything else. A Reset that was
// interrupted is completed by the next one, or by a Begin that finds it silent for a while; of two at the same
// time the later one wins and the other stops.
func (ix *Index) Reset(ctx context.Context, p hub.Partition) error {
	part, err := ix.partition(p)
	if err != nil {
		return err
	}
	return asHub(ctx, "empty the index of "+string(p), ix.reset(ctx, part))
}

func (ix *Index) reset(ctx context.Context, p *partition) error {
	me := rand.Text()
	if err := startEmptying(p, me).run(ctx, ix.client); err != nil {
		return err
	}
	return ix.empty(ctx, p, me)
}

func startEmptying(p *partition, me string) transaction {
	return transaction{{"hset", p.metaKey(), "emptying", alive(me)}, {"hdel", p.metaKey(), "stamp", "gen", "applied"}}
}

// empty removes everything, slots' marks first, as long as nobody else started to.
func (ix *Index) empty(ctx context.Context, p *partition, me string) error {
	meta := p.metaKey()
	pipe := ix.client.Pipeline()
	for slot := range p.slots {
		pipe.Unlink(ctx, p.markKey(slot))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	err := ix.scan(ctx, p, func(ctx context.Context, node *redis.Client, keys []string) error {
		if now, err := ix.client.HGet(ctx, meta, "emptying").Result(); err != nil || !isBy(now, me) {
			return errEmptying(p.name)
		}
		if err := ix.client.HSet(ctx, meta, "emptying", alive(me)).Err(); err != nil {
			return err
		}
		pipe := node.Pipeline()
		for _, k := range keys {
			if k != meta {
				pipe.Unlink(ctx, k)
			}
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return ix.guarded(ctx, meta, []string{"emptying"}, nil, func(vals []any) (transaction, error) {
		if now, _ := vals[0].(string); !isBy(now, me) {
			return nil, errEmptying(p.name)
		}
		return transaction{{"del", meta}}, nil
	})
}

// The field emptying says who empties the partition and when it was last at work: a random name, a blank, milliseconds
// since 1970.

func alive(me string) string { return me + " " + strconv.FormatInt(time.Now().UnixMilli(), 10) }

func isBy(emptying, me string) bool { return strings.HasPrefix(emptying, me+" ") }

// silence is how long whoever empties a partition may be at one portion of keys before it is taken for dead.
const silence = 15 * time.Second

func abandoned(emptying string) bool {
	_, at, _ := strings.Cut(emptying, " ")
	ms, _ := strconv.ParseInt(at, 10, 64)
	return time.Since(time.UnixMilli(ms)) > silence
}

// scan gives the partition's keys in portions, some perhaps twice.
func (ix *Index) scan(ctx context.Context, p *partition, each func(context.Context, *redis.Client, []string) error) error {
	return ix.masters(ctx, func(ctx context.Context, node *redis.Client) error {
		for _, pattern := range p.patterns() {
			for cursor := uint64(0); ; {
				keys, next, err := node.Scan(ctx, cursor, pattern, scanStep).Result()
				if err == nil && len(keys) > 0 {
					err = each(ctx, node, keys)
				}
				if err != nil {
					return err
				}
				if cursor = next; cursor == 0 {
					break
				}
			}
		}
		return nil
	})
}

// Dump writes every key and value of p, sorted, one line a value: key, tab, field or member, tab, value; quoted
// where they are not plain. The generation is left out, so that two indexes of the same log give the same bytes.
// It is for an index that nobody writes meanwhile.
func (ix *Index) Dump(ctx context.Context, w io.Writer, p hub.Partition) error {
	part, err := ix.partition(p)
	if err != nil {
		return err
	}
	all := map[string]struct{}{}
	err = ix.scan(ctx, part, func(_ context.Context, _ *redis.Client, keys []string) error {
		for _, k := range keys {
			all[k] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return asHub(ctx, "dump the index of "+string(p), err)
	}
	out := bufio.NewWriter(w)
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(all)), scanStep) {
		if err := ix.dump(ctx, out, keys); err != nil {
			return asHub(ctx, "dump the index of "+string(p), err)
		}
	}
	return out.Flush()
}

func (ix *Index) dump(ctx context.Context, w io.Writer, keys []string) error {
	pipe := ix.client.Pipeline()
	cmds := make([]redis.Cmder, len(keys))
	for i, k := range keys {
		switch kindOfKey(k) {
		case 't', 'a', 'e', 'm', 'u', near, next, wide, far, 'N', 'O', 'W', 'Y':
			cmds[i] = pipe.SMembers(ctx, k)
		case 'l', 'U':
			cmds[i] = pipe.ZRangeWithScores(ctx, k, 0, -1)
		default:
			cmds[i] = pipe.HGetAll(ctx, k)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for i, k := range keys {
		var lines []string
		switch cmd := cmds[i].(type) {
		case *redis.StringSliceCmd:
			for _, m := range cmd.Val() {
				lines = append(lines, strconv.Quote(m))
			}
		case *redis.ZSliceCmd:
			for _, z := range cmd.Val() {
				lines = append(lines, strconv.Quote(z.Member.(string))+"\t"+score(z.Score))
			}
		case *redis.MapStringStringCmd:
			for field, v := range cmd.Val() {
				if field != "gen" {
					lines = append(lines, strconv.Quote(field)+"\t"+strconv.Quote(v))
				}
			}
		}
		sort.Strings(lines)
		for _, line := range lines {
			if _, err := fmt.Fprintf(w, "%s\t%s\n", strconv.Quote(k), line); err != nil {
				return err
			}
		}
	}
	return nil
}

// kindOfKey is the letter behind the hash tag, t for the roll of types; meta and mark count as hashes.
func kindOfKey(key string) byte {
	_, rest, _ := strings.Cut(key, "}:")
	if rest == "types" {
		return 't'
	}
	if len(rest) < 2 || rest[1] != ':' {
		return 0
	}
	return rest[0]
}
