package projection

import (
	"sync"

	"concord/hub"
)

// Cache keeps recently written commits and recently read records, up to a number of bytes. What it holds
// never changes, so it needs no invalidation. A nil *Cache keeps nothing.
//
// Records lie in segments one behind the other, and where they are is told by maps without pointers: a hundred thousand of them
// as things of their own made the garbage collection of a hub twice as long.
type Cache struct {
	shards [16]cacheShard
	mu     sync.RWMutex
	ids    map[hub.Partition]uint32
}

type cacheKey struct {
	seq uint64
	p   uint32 // of Cache.ids
	off uint32 // 0 stands for the whole commit: no record lies at byte 0
}

type cacheShard struct {
	mu       sync.Mutex
	limit    int
	size     int
	at       map[cacheKey]cachePlace
	segments []*segment // the oldest first
	gone     uint32     // how many were dropped before the first of them
	open     *segment   // the last of them that takes lines, nil for none
}

// cachePlace is where something lies.
type cachePlace struct {
	segment  uint32 // its place in the row of all there ever were
	off, len uint32
	used     bool // since it was put there
}

// segment is what is dropped at once: a commit, or lines of records.
type segment struct {
	data []byte
	keys []cacheKey
}

const (
	entryOverhead = 64       // roughly what one thing costs beyond its bytes
	segmentSize   = 64 << 10 // of lines; a longer one has a segment of its own
	mostKept      = 64 << 10 // of a line that is kept beside its commit
)

// NewCache keeps up to limit bytes.
func NewCache(limit int) *Cache {
	c := &Cache{ids: map[hub.Partition]uint32{}}
	for i := range c.shards {
		c.shards[i].limit = limit / len(c.shards)
		c.shards[i].at = map[cacheKey]cachePlace{}
	}
	return c
}

// AddCommit remembers the bytes of a commit that was just written, which nobody changes.
func (c *Cache) AddCommit(p hub.Partition, seq uint64, data []byte) {
	if c != nil {
		k := c.key(p, seq, 0)
		c.shard(k).put(k, data)
	}
}

// commit is what AddCommit was given.
func (c *Cache) commit(p hub.Partition, seq uint64) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	k := c.key(p, seq, 0)
	return c.shard(k).get(k)
}

// addLine remembers a copy of the line at loc.
func (c *Cache) addLine(p hub.Partition, loc hub.Loc, line []byte) {
	if c != nil {
		k := c.key(p, loc.Seq, loc.Off)
		c.shard(k).add(k, line)
	}
}

// line is the one at loc. What is asked for of a commit gets a place of its own: it is likely to be asked for again, and
// longer than the rest of the commit.
func (c *Cache) line(p hub.Partition, loc hub.Loc) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	k := c.key(p, loc.Seq, loc.Off)
	if line, has := c.shard(k).get(k); has && len(line) == int(loc.Len) {
		return line, true
	}
	commit, has := c.commit(p, loc.Seq)
	if end := uint64(loc.Off) + uint64(loc.Len); !has || end > uint64(len(commit)) {
		return nil, false
	}
	line := commit[loc.Off : loc.Off+loc.Len : loc.Off+loc.Len]
	if len(line) <= mostKept {
		c.shard(k).add(k, line)
	}
	return line, true
}

// Keep remembers a copy of something that was made of the record at loc, and Kept gives it back, or nil. space names what was made of
// which partition; there are few of them, and none is a partition's name.
func (c *Cache) Keep(space hub.Partition, loc hub.Loc, made []byte) {
	if len(made) <= mostKept {
		c.addLine(space, loc, made)
	}
}

// Kept is what Keep says; nobody changes it.
func (c *Cache) Kept(space hub.Partition, loc hub.Loc) []byte {
	if c == nil {
		return nil
	}
	k := c.key(space, loc.Seq, loc.Off)
	made, _ := c.shard(k).get(k)
	return made
}

func (c *Cache) key(p hub.Partition, seq uint64, off uint32) cacheKey {
	c.mu.RLock()
	id, known := c.ids[p]
	c.mu.RUnlock()
	if !known {
		c.mu.Lock()
		if id, known = c.ids[p]; !known {
			id = uint32(len(c.ids))
			c.ids[p] = id
		}
		c.mu.Unlock()
	}
	return cacheKey{seq, id, off}
}

func (c *Cache) shard(k cacheKey) *cacheShard {
	return &c.shards[(k.seq*31+uint64(k.off)+uint64(k.p))%uint64(len(c.shards))]
}

func (s *cacheShard) get(k cacheKey) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, has := s.at[k]
	if !has {
		return nil, false
	}
	if !at.used {
		at.used = true
		s.at[k] = at
	}
	return s.bytes(at), true
}

func (s *cacheShard) bytes(at cachePlace) []byte {
	data := s.segments[at.segment-s.gone].data
	return data[at.off : at.off+at.len : at.off+at.len]
}

// put makes data, which nobody changes, a segment of its own.
func (s *cacheShard) put(k cacheKey, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, has := s.at[k]; has || len(data)+entryOverhead > s.limit/2 {
		return
	}
	s.at[k] = cachePlace{segment: s.gone + uint32(len(s.segments)), len: uint32(len(data))}
	s.segments = append(s.segments, &segment{data, []cacheKey{k}})
	s.size += len(data) + entryOverhead
	s.trim()
}

// add copies a line to the open segment.
func (s *cacheShard) add(k cacheKey, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, has := s.at[k]; has || len(line)+entryOverhead > s.limit/2 {
		return
	}
	s.append(k, line)
	s.trim()
}

func (s *cacheShard) append(k cacheKey, line []byte) {
	last := len(s.segments) - 1
	if s.open == nil || last < 0 || s.segments[last] != s.open || len(s.open.data)+len(line) > cap(s.open.data) {
		s.open = &segment{data: make([]byte, 0, max(min(segmentSize, s.limit/8), len(line)))}
		s.segments = append(s.segments, s.open)
		last++
	}
	from := len(s.open.data)
	s.open.data, s.open.keys = append(s.open.data, line...), append(s.open.keys, k)
	s.at[k] = cachePlace{segment: s.gone + uint32(last), off: uint32(from), len: uint32(len(line))}
	s.size += len(line) + entryOverhead
}

// trim drops the oldest segments until the rest is within the limit. Lines that were used meanwhile get another turn, as far as they
// are not more than half of their segment.
func (s *cacheShard) trim() {
	for s.size > s.limit && len(s.segments) > 0 {
		old := s.segments[0]
		s.segments[0] = nil
		s.segments = s.segments[1:]
		id, kept := s.gone, 0
		s.gone++
		for _, k := range old.keys {
			at := s.at[k]
			if at.segment != id {
				continue
			}
			delete(s.at, k)
			s.size -= int(at.len) + entryOverhead
			if k.off != 0 && at.used && kept+int(at.len) <= len(old.data)/2 {
				kept += int(at.len)
				s.append(k, old.data[at.off:at.off+at.len])
			}
		}
	}
}
