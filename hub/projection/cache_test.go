package projection

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"concord/hub"
)

// Whatever is put in and asked for in any order, the cache has it as it was or not at all, and stays within its bounds.
func TestTheCacheTellsWhatItWasTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 16 * 8 << 10
		c := NewCache(limit)
		commit := func(p hub.Partition, seq uint64) []byte {
			return bytes.Repeat([]byte(fmt.Sprint(p, seq, ";")), 40+int(seq*37)%800)
		}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			p := rapid.SampledFrom([]hub.Partition{"a", "b"}).Draw(t, "partition")
			seq := rapid.Uint64Range(1, 40).Draw(t, "commit")
			whole := commit(p, seq)
			loc := hub.Loc{Seq: seq, Off: rapid.Uint32Range(1, 30).Draw(t, "offset"), Len: rapid.SampledFrom([]uint32{5, 60}).Draw(t, "length")}
			line := whole[loc.Off : loc.Off+loc.Len]
			switch rapid.IntRange(0, 3).Draw(t, "do") {
			case 0:
				c.AddCommit(p, seq, whole)
			case 1:
				c.addLine(p, loc, bytes.Clone(line))
			case 2:
				if got, has := c.commit(p, seq); has && !bytes.Equal(got, whole) {
					t.Fatalf("commit %d of %s is another", seq, p)
				}
			default:
				if got, has := c.line(p, loc); has && !bytes.Equal(got, line) {
					t.Fatalf("line %v of %s is %q, want %q", loc, p, got, line)
				}
			}
		}
		for i := range c.shards {
			s, held := &c.shards[i], 0
			for _, at := range s.at {
				held += int(at.len) + entryOverhead
			}
			if held != s.size || s.size > s.limit {
				t.Fatalf("shard %d says %d bytes of %d and holds %d", i, s.size, s.limit, held)
			}
		}
	})
}

// What is used stays while what is not goes.
func TestTheCacheKeepsWhatIsUsed(t *testing.T) {
	c := NewCache(1 << 20)
	line := bytes.Repeat([]byte("x"), 1000)
	often := hub.Loc{Seq: 1, Off: 7, Len: 1000}
	c.addLine("p", often, line)
	for i := range uint32(5000) {
		c.addLine("p", hub.Loc{Seq: 2, Off: 1 + i*1000, Len: 1000}, line)
		if _, has := c.line("p", often); !has {
			t.Fatalf("gone after %d others", i)
		}
	}
	if _, has := c.line("p", hub.Loc{Seq: 2, Off: 1, Len: 1000}); has {
		t.Error("the first of the others is still there")
	}
}
