package register

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/hub/recognition"
)

// Starter is where a consortium begins: the catalogue that comes with the program.
type Starter interface {
	// Rows are its items as rows.
	Rows() ([]Row, error)
	// Compose makes the catalogue of a version with rows in place of those of the same id, and without those retired. All
	// that is wrong with it comes back as one error; an error of a row has its id as Path.
	Compose(version string, rows []json.RawMessage, retired []string) (*recognition.Catalogue, error)
}

// Register keeps rows and qualifications. It is safe for concurrent use; what it answers from memory takes no lock.
type Register struct {
	Follower *projection.Follower // of the records
	Writer   *commit.Committer    // of the records
	Starter  Starter
	// Regions are those that the consortium lies in, as qualifications name their scope; an asker that says none lies there.
	Regions []string
	// Zone is where days begin.
	Zone *time.Location
	Now  func() time.Time

	once  sync.Once
	wake  chan struct{}
	fold  sync.Mutex // held by whoever replaces now
	state atomic.Pointer[State]
}

// Asker is who would recognise a result.
type Asker struct {
	Member string
	// Regions it lies in; empty: those of the consortium.
	Regions []string
}

// Ready is nil once the register has been read; before, what it answers is the starter's, and nothing should be decided by it.
func (r *Register) Ready() error {
	if s := r.state.Load(); s == nil {
		return &hub.Error{Kind: hub.Unavailable, Msg: "the register of recognised items has not been read yet", Retry: time.Second}
	}
	return nil
}

// Catalogue is what is in force now. A decision names its Version.
func (r *Register) Catalogue() *recognition.Catalogue { return r.InForce(r.Now()) }

// Wake tells that records were committed: Run looks at once.
func (r *Register) Wake() {
	r.init()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Register) init() { r.once.Do(func() { r.wake = make(chan struct{}, 1) }) }

// InForce is what is, was or will be in force at a moment, as far as is known now.
func (r *Register) InForce(at time.Time) *recognition.Catalogue { return nil }

// CatalogueAt is the catalogue of a version that a decision names. One of another starter is NotFound.
func (r *Register) CatalogueAt(version string) (*recognition.Catalogue, error) { return nil, nil }

// Qualification tells whether an institution was qualified for an item when a result was taken, in a scope that covers the
// asker, and the mark it then carried (互认标识), such as 全国HR; empty for none. A failed assessment is No; none, one that is
// pending, and one whose scope leaves the asker out are Unknown. What ended after the result was taken does not touch it.
func (r *Register) Qualification(member, item string, taken time.Time, asker Asker) (fact recognition.Fact, mark string) {
	return recognition.Unknown, ""
}

// Refresh reads what other hubs have released.
func (r *Register) Refresh(ctx context.Context) error { return nil }

// Run keeps the register fresh until ctx ends, and writes the resources that follow from releases.
func (r *Register) Run(ctx context.Context) {}

// State is all that is known at one point of the log; it is never changed.
type State struct{}
