package projection

import (
	"bytes"
	"container/list"
	"sync"

	"concord/hub"
)

// Cache keeps recently written commits and recently read records, up to a number of bytes. What it holds
// never changes, so it needs no invalidation. A nil *Cache keeps nothing.
type Cache struct {
	shards [16]cacheShard
}

type cacheKey struct {
	p   hub.Partition
	seq uint64
	off uint32 // 0 stands for the whole commit: no record lies at byte 0
}

type cacheShard struct {
	mu    sync.Mutex
	limit int
	size  int
	items map[cacheKey]*list.Element
	order list.List // front: came last, or was used when its turn to go had come
}

type cacheItem struct {
	key  cacheKey
	data []byte
	rec  hub.Record // of a line: what it says, whose body lies in data
	used bool       // since it came to the front last
}

const (
	entryOverhead = 400      // roughly what one item costs beyond its bytes
	mostCopied    = 64 << 10 // of a line that is kept beside its commit
)

// NewCache keeps up to limit bytes.
func NewCache(limit int) *Cache {
	c := &Cache{}
	for i := range c.shards {
		c.shards[i].limit = limit / len(c.shards)
		c.shards[i].items = map[cacheKey]*list.Element{}
	}
	return c
}

// AddCommit remembers the bytes of a commit that was just written.
func (c *Cache) AddCommit(p hub.Partition, seq uint64, data []byte) {
	c.add(cacheKey{p, seq, 0}, data)
}

// keepLine remembers a line, which nobody else writes to or holds, and returns what it says.
func (c *Cache) keepLine(p hub.Partition, loc hub.Loc, line []byte) (hub.Record, error) {
	rec, err := decodeAt(line, loc)
	if err == nil {
		c.addItem(&cacheItem{key: cacheKey{p, loc.Seq, loc.Off}, data: line, rec: rec})
	}
	return rec, err
}

// record is the one at loc. What is asked for of a commit gets a place of its own: it is likely to be asked for again, and
// longer than the rest of the commit.
func (c *Cache) record(p hub.Partition, loc hub.Loc) (rec hub.Record, has bool, err error) {
	if c == nil {
		return rec, false, nil
	}
	if item := c.item(cacheKey{p, loc.Seq, loc.Off}); item != nil && item.rec.Loc == loc {
		return item.rec, true, nil
	}
	commit, has := c.get(cacheKey{p, loc.Seq, 0})
	if end := uint64(loc.Off) + uint64(loc.Len); !has || end > uint64(len(commit)) {
		return rec, false, nil
	}
	line := commit[loc.Off : loc.Off+loc.Len : loc.Off+loc.Len]
	if len(line) > mostCopied {
		rec, err = decodeAt(line, loc)
	} else {
		rec, err = c.keepLine(p, loc, bytes.Clone(line))
	}
	return rec, true, err
}

func (c *Cache) shard(k cacheKey) *cacheShard {
	return &c.shards[(k.seq*31+uint64(k.off)+uint64(len(k.p)))%uint64(len(c.shards))]
}

func (c *Cache) get(k cacheKey) ([]byte, bool) {
	item := c.item(k)
	if item == nil {
		return nil, false
	}
	return item.data, true
}

// item is nil where nothing is kept.
func (c *Cache) item(k cacheKey) *cacheItem {
	if c == nil {
		return nil
	}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.items[k]
	if !ok {
		return nil
	}
	item := e.Value.(*cacheItem)
	item.used = true
	return item
}

func (c *Cache) add(k cacheKey, data []byte) { c.addItem(&cacheItem{key: k, data: data}) }

func (c *Cache) addItem(item *cacheItem) {
	if c == nil {
		return
	}
	s := c.shard(item.key)
	if len(item.data)+entryOverhead > s.limit/2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.items[item.key]; ok {
		return
	}
	s.items[item.key] = s.order.PushFront(item)
	s.size += len(item.data) + entryOverhead
	for s.size > s.limit {
		last := s.order.Back()
		if old := last.Value.(*cacheItem); old.used {
			old.used = false
			s.order.MoveToFront(last)
			continue
		}
		old := s.order.Remove(last).(*cacheItem)
		delete(s.items, old.key)
		s.size -= len(old.data) + entryOverhead
	}
}
