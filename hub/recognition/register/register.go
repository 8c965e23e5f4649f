package register

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/hub/recognition"
)

// Register keeps rows and qualifications. Its fields are set before it is used; it is safe for concurrent use, and what it
// answers from memory takes no lock.
type Register struct {
	Follower *projection.Follower // of the records
	Writer   *commit.Committer    // of the records
	Starter  Starter
	// Institution finds a member's name by its id.
	Institution func(id string) (name string, ok bool)
	// Institutions lists the ids of all members.
	Institutions func() []string
	// Regions are those that the consortium lies in, as qualifications name their scope; an asker that says none lies there.
	Regions []string
	// Zone is where days begin.
	Zone *time.Location
	Now  func() time.Time
	// Poll is how often other hubs' events are looked for; default 500 ms.
	Poll time.Duration

	once      sync.Once
	wake      chan struct{}
	folding   sync.Mutex // held by whoever replaces state
	state     atomic.Pointer[State]
	made      sync.Map // version → *recognition.Catalogue
	published atomic.Int64
}

// Asker is who would recognise a result.
type Asker struct {
	Member string
	// Regions it lies in; empty: those of the consortium.
	Regions []string
}

func (r *Register) init() { r.once.Do(func() { r.wake = make(chan struct{}, 1) }) }

// Ready is nil once the register has been read. Before, nothing is recognised: its catalogue has no items.
func (r *Register) Ready() error {
	if r.state.Load() == nil {
		return &hub.Error{Kind: hub.Unavailable, Msg: "the register of recognised items has not been read yet", Retry: time.Second}
	}
	return nil
}

func (r *Register) now() *State {
	if s := r.state.Load(); s != nil {
		return s
	}
	return &State{}
}

// Catalogue is what is in force now. A decision names its Version.
func (r *Register) Catalogue() *recognition.Catalogue {
	s := r.now()
	if r.Ready() != nil {
		return r.unread()
	}
	return r.catalogue(s, s.inForce(r.present(s)))
}

// present is now, by the clock of the hub or by that of another which has released something already, whichever is ahead.
func (r *Register) present(s *State) time.Time {
	if now := r.Now(); now.After(s.latest) {
		return now
	}
	return s.latest
}

// InForce is what is, was or will be in force at a moment, as far as is known now. Where the rows released do not go together
// with the starter of this program, it is a catalogue without items, whose version says so: nothing is recognised by chance.
func (r *Register) InForce(at time.Time) *recognition.Catalogue {
	s := r.now()
	if r.Ready() != nil {
		return r.unread()
	}
	return r.catalogue(s, s.inForce(at))
}

func (r *Register) unread() *recognition.Catalogue {
	return &recognition.Catalogue{Rows: recognition.Rows{Version: r.Starter.Version + ".unread"}}
}

// CatalogueAt is the catalogue of a version that a decision names. One of another starter is NotFound.
func (r *Register) CatalogueAt(text string) (*recognition.Catalogue, error) {
	if err := r.Ready(); err != nil {
		return nil, err
	}
	s := r.now()
	v, err := parseVersion(r.Starter.Version, text)
	if err != nil {
		return nil, err
	}
	if v.last > len(s.releases) {
		return nil, &hub.Error{Kind: hub.NotFound, Path: "version", Msg: "there has been no such release"}
	}
	return r.catalogue(s, v), nil
}

// catalogue is made once for each version: what a release says never changes.
func (r *Register) catalogue(s *State, v version) *recognition.Catalogue {
	if c, ok := r.made.Load(v); ok {
		return c.(*recognition.Catalogue)
	}
	c, err := r.compose(s.rows(v), v.of(r.Starter.Version))
	if err != nil {
		slog.Error("the rows released do not go together with the catalogue of this program: nothing is recognised by it", "version", v.of(r.Starter.Version), "err", err)
		c = &recognition.Catalogue{Rows: recognition.Rows{Version: v.of(r.Starter.Version) + ".unusable"}}
	}
	kept, _ := r.made.LoadOrStore(v, c)
	return kept.(*recognition.Catalogue)
}

func (r *Register) compose(over map[string]overlay, version string) (*recognition.Catalogue, error) {
	var rows []Row
	var without []string
	for _, id := range sorted(over) {
		if o := over[id]; o.row == nil {
			without = append(without, id)
		} else {
			rows = append(rows, o.row)
		}
	}
	return r.Starter.Compose(version, rows, without)
}

// Qualification tells whether an institution was qualified for an item when a result was taken, in a scope that covers the
// asker, and the mark it then carried (互认标识), such as 全国HR; empty for none. A failed assessment is No; none, one that is
// pending, and one whose scope leaves the asker out are Unknown, as is everything before the register has been read. What ended
// after the result was taken does not touch it.
func (r *Register) Qualification(member, item string, taken time.Time, asker Asker) (fact recognition.Fact, mark string) {
	if taken.IsZero() {
		return recognition.Unknown, ""
	}
	regions := asker.Regions
	if len(regions) == 0 {
		regions = r.Regions
	}
	return standing(r.Catalogue(), r.now().lines[[2]string{member, item}], r.day(taken), regions)
}

func (r *Register) day(t time.Time) string {
	if r.Zone != nil {
		t = t.In(r.Zone)
	}
	return t.Format(time.DateOnly)
}

// Wake tells that records were committed: Run looks at once.
func (r *Register) Wake() {
	r.init()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run keeps the register fresh until ctx ends, and writes the resources that follow from releases.
func (r *Register) Run(ctx context.Context) {
	r.init()
	poll := r.Poll
	if poll == 0 {
		poll = 500 * time.Millisecond
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := r.Refresh(ctx)
		if err == nil {
			err = r.Publish(ctx)
		}
		if err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
			slog.Error("follow the register of recognised items", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-tick.C:
		}
	}
}

// ahead is how many events are asked for at once where there are new ones.
const ahead = 32

// Refresh reads the events that others have written since.
func (r *Register) Refresh(ctx context.Context) error {
	r.folding.Lock()
	defer r.folding.Unlock()
	s := r.now()
	for ask := 2; ; ask = ahead {
		// The last one known is asked for, too: a store that was set back to an earlier copy does not have it.
		from := max(s.events, 1)
		names := make([]hub.Name, ask)
		for i := range names {
			names[i] = eventName(from + i)
		}
		heads, err := r.Follower.Heads(ctx, names)
		if err != nil {
			return err
		}
		if s.events > 0 && heads[0].Version == 0 {
			slog.Warn("the register of recognised items went back: it is read again", "known", s.events)
			s = &State{}
			r.made.Clear()
			continue
		}
		var locs []hub.Loc
		for i, h := range heads {
			if from+i <= s.events {
				continue
			}
			if h.Version == 0 {
				break
			}
			locs = append(locs, h.Loc)
		}
		if len(locs) > 0 {
			if s, err = r.read(ctx, s, locs); err != nil {
				return err
			}
		}
		if len(locs) < ask-1 {
			r.foresee(s)
			r.state.Store(s)
			return nil
		}
	}
}

// foresee makes the catalogues that will be asked for next, so that who decides does not wait for them.
func (r *Register) foresee(s *State) {
	now := r.present(s)
	r.catalogue(s, s.inForce(now))
	r.catalogue(s, s.inForce(now.Add(10*time.Second)))
}

func (r *Register) read(ctx context.Context, s *State, locs []hub.Loc) (*State, error) {
	recs, err := r.Follower.Log().Records(ctx, locs)
	if err != nil {
		return nil, err
	}
	events := make([]event, len(recs))
	for i := range recs {
		if events[i], err = readEvent(&recs[i]); err != nil {
			return nil, err
		}
	}
	return s.fold(events)
}

// errBehind says that another event was written meanwhile.
var errBehind = errors.New("the register has moved on")

// append writes the next event, made from the state at the tail. When several are about to, each is made after the other.
func (r *Register) append(ctx context.Context, member string, next func(s *State, now time.Time) (event, error)) error {
	for range 20 {
		if err := r.Refresh(ctx); err != nil {
			return err
		}
		s := r.now()
		name := eventName(s.events + 1)
		_, err := r.Writer.Submit(ctx, commit.Write{Member: member, Names: []hub.Name{name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
			if v.Changed(name) {
				return nil, errBehind
			}
			head, err := v.Head(ctx, name)
			if err == nil && head.Version > 0 {
				err = errBehind
			}
			if err != nil {
				return nil, err
			}
			e, err := next(s, v.Time())
			if err != nil {
				return nil, err
			}
			body, err := encode(e)
			if err != nil {
				return nil, err
			}
			return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return body }}}, nil
		}})
		if err == nil {
			return r.Refresh(ctx)
		}
		if !errors.Is(err, errBehind) {
			return err
		}
	}
	return &hub.Error{Kind: hub.Unavailable, Msg: "too many people edit the catalogue at this moment", Retry: time.Second}
}
