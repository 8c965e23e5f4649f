package projection

import (
	"context"
	"sync"

	"concord/hub"
)

// recent are the last commits read, decoded: many follow the same log, each a little later than the other.
type recent struct {
	mu    sync.Mutex
	reads [recentCommits]read // by number, modulo
}

// read is a commit and its bytes.
type read struct {
	commit *hub.Commit
	data   []byte
}

// Bounds of what is kept for others, by commits and by the bytes of each: 32 MB a partition at most.
const (
	recentCommits = 128
	recentBytes   = 256 << 10
)

func (r *recent) get(seq uint64) *read {
	r.mu.Lock()
	defer r.mu.Unlock()
	if there := r.reads[seq%recentCommits]; there.commit != nil && there.commit.Seq == seq {
		return &there
	}
	return nil
}

func (r *recent) put(one read) {
	if len(one.data) > recentBytes {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads[one.commit.Seq%recentCommits] = one
}

// shared gives a commit that others may be given, too.
func (l *Log) shared(ctx context.Context, seq uint64) (read, error) {
	if r := l.recent.get(seq); r != nil {
		return *r, nil
	}
	data, ok := l.Cache.get(cacheKey{l.Partition, seq, 0})
	var c *hub.Commit
	var err error
	if ok {
		c, err = hub.DecodeCommit(data)
	} else {
		c, data, err = l.Commit(ctx, seq)
	}
	if err != nil {
		return read{}, err
	}
	one := read{c, data}
	l.recent.put(one)
	return one, nil
}
