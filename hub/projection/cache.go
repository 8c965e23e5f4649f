package projection

import (
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
	order list.List // front: used last
}

type cacheItem struct {
	key  cacheKey
	data []byte
}

// entryOverhead is roughly what one item costs beyond its bytes.
const entryOverhead = 200

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

func (c *Cache) addLine(p hub.Partition, loc hub.Loc, line []byte) {
	c.add(cacheKey{p, loc.Seq, loc.Off}, line)
}

func (c *Cache) line(p hub.Partition, loc hub.Loc) ([]byte, bool) {
	if data, ok := c.get(cacheKey{p, loc.Seq, 0}); ok && uint64(loc.Off)+uint64(loc.Len) <= uint64(len(data)) {
		return data[loc.Off : loc.Off+loc.Len : loc.Off+loc.Len], true
	}
	return c.get(cacheKey{p, loc.Seq, loc.Off})
}

func (c *Cache) shard(k cacheKey) *cacheShard {
	return &c.shards[(k.seq*31+uint64(k.off)+uint64(len(k.p)))%uint64(len(c.shards))]
}

func (c *Cache) get(k cacheKey) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.items[k]
	if !ok {
		return nil, false
	}
	s.order.MoveToFront(e)
	return e.Value.(*cacheItem).data, true
}

func (c *Cache) add(k cacheKey, data []byte) {
	if c == nil {
		return
	}
	s := c.shard(k)
	if len(data)+entryOverhead > s.limit/2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.items[k]; ok {
		return
	}
	s.items[k] = s.order.PushFront(&cacheItem{k, data})
	s.size += len(data) + entryOverhead
	for s.size > s.limit {
		last := s.order.Back()
		item := s.order.Remove(last).(*cacheItem)
		delete(s.items, item.key)
		s.size -= len(item.data) + entryOverhead
	}
}
