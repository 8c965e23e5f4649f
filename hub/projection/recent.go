package projection

import (
	"context"
	"slices"
	"sync"

	"concord/hub"
)

// recent are the last commits written or read, decoded: many follow the same log, each a little later than the other.
type recent struct {
	mu       sync.Mutex
	followed bool                // somebody asked for a commit
	reads    [recentCommits]read // by number, modulo
	bytes    int
}

// read is a commit and its bytes.
type read struct {
	commit *hub.Commit
	data   []byte
}

// Bounds of what is kept for others, a partition. A commit of 200 senders at once is more than a megabyte.
const (
	recentCommits = 128
	recentBytes   = 16 << 20
)

func (r *recent) get(seq uint64) *read {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.followed = true
	if there := r.reads[seq%recentCommits]; there.commit != nil && there.commit.Seq == seq {
		return &there
	}
	return nil
}

// put keeps one, which nobody else has yet, in place of those that were put before it, as many as the bounds want.
func (r *recent) put(one read) {
	if len(one.data) > recentBytes/4 {
		return
	}
	memos := make([]hub.Memo, len(one.commit.Records))
	for i := range memos {
		one.commit.Records[i].Memo = &memos[i]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := one.commit.Seq % recentCommits
	r.drop(at)
	r.reads[at] = one
	r.bytes += len(one.data)
	for i := uint64(1); i < recentCommits && r.bytes > recentBytes; i++ {
		r.drop((at + i) % recentCommits)
	}
}

func (r *recent) drop(at uint64) {
	r.bytes -= len(r.reads[at].data)
	r.reads[at] = read{}
}

// Written tells of a commit that was just written, and its bytes: those who follow the log need not read it.
func (l *Log) Written(c *hub.Commit, data []byte) {
	l.Cache.AddCommit(l.Partition, c.Seq, data)
	l.recent.mu.Lock()
	followed := l.recent.followed
	l.recent.mu.Unlock()
	if !followed {
		return
	}
	own := *c
	own.Records = slices.Clone(c.Records)
	for i := range own.Records { // as if it were decoded: with the bytes, no other copy of the bodies stays in memory
		if rec := &own.Records[i]; len(rec.Body) > 0 {
			end := int(rec.Loc.Off) + int(rec.Loc.Len) - 1 // a line ends with the body and a brace
			rec.Body = data[end-len(rec.Body) : end : end]
		}
	}
	l.recent.put(read{&own, data})
}

// shared gives a commit that others may be given, too.
func (l *Log) shared(ctx context.Context, seq uint64) (read, error) {
	if r := l.recent.get(seq); r != nil {
		return *r, nil
	}
	data, ok := l.Cache.commit(l.Partition, seq)
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
