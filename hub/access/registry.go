package access

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"concord/hub"
	"concord/hub/projection"
)

const (
	// pollEvery keeps what another process wrote no longer unknown than half a second and one read.
	pollEvery = 500 * time.Millisecond
	// DefaultStale is how old the Registry may be before it is not believed.
	DefaultStale = 30 * time.Second
)

// Registry holds the members as the log says. It is the commit.Target of its partition. All methods are safe for
// concurrent use; lookups take no lock.
type Registry struct {
	// Stale is how long the log may be out of reach before tokens are refused with Unavailable, since a member may
	// have been disabled meanwhile. Set it before use; 0 means DefaultStale.
	Stale time.Duration

	log  *projection.Log
	roll atomic.Pointer[roll]
	seen atomic.Int64 // when the tail was reached last, UnixNano; 0: never

	folding sync.Mutex // held by whoever replaces roll
}

// roll is the fold of the log up to seq. It is replaced, never changed.
type roll struct {
	seq      uint64
	members  map[string]Member
	heads    map[hub.Name]hub.Head
	byAET    map[string]string   // title → member id
	byCert   map[string]string   // fingerprint → member id
	bySender map[string][]string // APPLICATION^FACILITY → member ids
	byIssuer map[string]string   // iss of an EHR's JWTs → member id
}

// NewRegistry knows nobody until Refresh.
func NewRegistry(l *projection.Log) *Registry {
	r := &Registry{log: l}
	r.roll.Store(&roll{})
	return r
}

// Log is the log that is folded.
func (r *Registry) Log() *projection.Log { return r.log }

// Run keeps the Registry at the tail until ctx ends.
func (r *Registry) Run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := r.Refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		if failed := err != nil; failed != failing {
			failing = failed
			if failed {
				slog.Warn("members cannot be refreshed", "partition", r.log.Partition, "err", err)
			} else {
				slog.Info("members are refreshed again", "partition", r.log.Partition)
			}
		}
	}
}

// Refresh folds what the log has beyond what is known.
func (r *Registry) Refresh(ctx context.Context) error {
	r.folding.Lock()
	defer r.folding.Unlock()
	return r.refreshLocked(ctx)
}

func (r *Registry) refreshLocked(ctx context.Context) error {
	started := time.Now() // what is written after this may be missed, so the age counts from here
	from := r.roll.Load().seq
	tail, err := r.log.Tail(ctx, from)
	if err != nil {
		return err
	}
	if tail > from {
		if err := r.log.Commits(ctx, from+1, tail, func(c *hub.Commit, _ []byte) error { return r.fold(c) }); err != nil {
			return fmt.Errorf("read the members: %w", err)
		}
	}
	r.seen.Store(started.UnixNano())
	return nil
}

func (r *Registry) fold(c *hub.Commit) error {
	old := r.roll.Load()
	next := &roll{seq: c.Seq, members: maps.Clone(old.members), heads: maps.Clone(old.heads), byAET: map[string]string{}, byCert: map[string]string{}, bySender: map[string][]string{}, byIssuer: map[string]string{}}
	if next.members == nil {
		next.members, next.heads = map[string]Member{}, map[hub.Name]hub.Head{}
	}
	for i := range c.Records {
		rec := &c.Records[i]
		next.heads[rec.Name] = hub.Head{Partition: c.Partition, Name: rec.Name, Num: rec.Num, Version: rec.Version, Deleted: rec.Deleted, Loc: rec.Loc}
		switch {
		case rec.Name.Type != MemberType: // a later kind of record that this version does not know
		case rec.Deleted:
			delete(next.members, rec.Name.ID)
		default:
			m, err := memberOf(rec)
			if err != nil {
				return err
			}
			next.members[m.ID] = m
		}
	}
	for _, m := range next.members {
		for _, aet := range m.AETs {
			next.byAET[aet] = m.ID
		}
		for _, c := range m.Certificates {
			next.byCert[c] = m.ID
		}
		for _, s := range m.Senders {
			next.bySender[s] = append(next.bySender[s], m.ID)
		}
		if m.Issuer != "" {
			next.byIssuer[m.Issuer] = m.ID
		}
	}
	r.roll.Store(next)
	return nil
}

// Member finds a member, disabled ones too.
func (r *Registry) Member(id string) (Member, bool) {
	m, ok := r.roll.Load().members[id]
	return m, ok
}

// Members lists all members by id, disabled ones too.
func (r *Registry) Members() []Member {
	return slices.SortedFunc(maps.Values(r.roll.Load().members), func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
}

// ByAET finds the member that calls from an application entity title; spaces at its ends are not significant.
func (r *Registry) ByAET(aet string) (Member, bool) {
	now := r.roll.Load()
	id, ok := now.byAET[strings.Trim(aet, " ")]
	if !ok {
		return Member{}, false
	}
	return now.members[id], true
}

// ByCertificate finds the member that calls with a certificate of this Fingerprint.
func (r *Registry) ByCertificate(fingerprint string) (Member, bool) {
	now := r.roll.Load()
	id, ok := now.byCert[fingerprint]
	if !ok {
		return Member{}, false
	}
	return now.members[id], true
}

// ByIssuer finds the member whose EHR's JWTs have this iss.
func (r *Registry) ByIssuer(issuer string) (Member, bool) {
	now := r.roll.Load()
	id, ok := now.byIssuer[issuer]
	if !ok {
		return Member{}, false
	}
	return now.members[id], true
}

// Active returns a member that may act now: known, not disabled, and known from a log that was read lately.
func (r *Registry) Active(id string, now time.Time) (Member, error) {
	if err := r.fresh(now); err != nil {
		return Member{}, err
	}
	m, ok := r.roll.Load().members[id]
	switch {
	case !ok:
		return Member{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the credential's member is not of this consortium"}
	case m.Disabled:
		return Member{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the credential's member is disabled"}
	}
	return m, nil
}

func (r *Registry) fresh(now time.Time) error {
	stale := r.Stale
	if stale == 0 {
		stale = DefaultStale
	}
	if seen := r.seen.Load(); seen == 0 || now.UnixNano()-seen > int64(stale) {
		return &hub.Error{Kind: hub.Unavailable, Msg: "the hub cannot read who its members are", Retry: time.Second}
	}
	return nil
}

// Authenticate checks a client secret. Whatever is wrong, the answer is the same.
func (r *Registry) Authenticate(id, secret string, now time.Time) (Member, error) {
	if err := r.fresh(now); err != nil {
		return Member{}, err
	}
	m, ok := r.roll.Load().members[id]
	if right := m.hasSecret(secret); !ok || !right || m.Disabled { // hashed in any case: an unknown id takes as long
		return Member{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the client is unknown, disabled, or its secret is wrong"}
	}
	return m, nil
}

// Applied implements commit.Target: membership changes are rare, so each one looks at the log's tail first.
func (r *Registry) Applied(ctx context.Context) (uint64, error) {
	if err := r.Refresh(ctx); err != nil {
		return 0, err
	}
	return r.roll.Load().seq, nil
}

// Prepare implements commit.Target.
func (r *Registry) Prepare(_ context.Context, c *hub.Commit, _ []*hub.Entry) func(context.Context) error {
	return func(ctx context.Context) error {
		r.folding.Lock()
		defer r.folding.Unlock()
		switch seq := r.roll.Load().seq; {
		case c.Seq <= seq:
			return nil
		case c.Seq == seq+1:
			return r.fold(c)
		}
		return r.refreshLocked(ctx)
	}
}

// Heads implements commit.Target.
func (r *Registry) Heads(_ context.Context, names []hub.Name) ([]hub.Head, error) {
	now := r.roll.Load()
	heads := make([]hub.Head, len(names))
	for i, n := range names {
		heads[i] = now.heads[n]
	}
	return heads, nil
}

// Search implements commit.Target; it is not offered.
func (r *Registry) Search(context.Context, hub.Query) (hub.Page, error) {
	return hub.Page{}, &hub.Error{Kind: hub.Unsupported, Msg: "partition " + string(r.log.Partition) + " has no index"}
}

// Project implements commit.Target: members have no terms.
func (r *Registry) Project(rec *hub.Record) (hub.Entry, error) {
	return hub.Entry{Route: rec.Name.String()}, nil
}
