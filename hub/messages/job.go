package messages

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
)

// JobType is the type of the records of jobs.
const JobType = "hub.replay"

// Job is messages being mapped again, one page after the other, the oldest first. It lies in the log with how far it is, so
// that any hub goes on with it when the one that was at it has gone.
type Job struct {
	ID      string `json:"id"`
	version uint64
	// Filter says which messages; Until is set to when it was asked for, so that it ends.
	Filter Filter `json:"filter"`
	// Rate is how many messages a second at most.
	Rate float64 `json:"rate"`
	// By is who asked, of Member.
	By     string    `json:"by"`
	Member string    `json:"-"`
	Since  time.Time `json:"since"`
	// Beat is when it was known to be worked at last, Holder by whom.
	Beat   time.Time `json:"beat"`
	Holder string    `json:"holder,omitempty"`
	// Ended is empty while it goes on; then "done", "stopped" or "failed", and Fault says why.
	Ended string `json:"ended,omitempty"`
	Fault string `json:"fault,omitempty"`
	// Total is how many messages there were at the beginning.
	Total int64 `json:"total"`
	Count
	// After is where the page ended that was mapped last.
	After *hub.Position `json:"after,omitempty"`
}

// Count is what became of the messages of a job so far.
type Count struct {
	Seen      int64 `json:"seen"`
	Mapped    int64 `json:"mapped"`
	Late      int64 `json:"late"`
	Failed    int64 `json:"failed"`    // dead letters, still or now
	Unchanged int64 `json:"unchanged"` // nothing was written
}

// How jobs end.
const (
	JobDone    = "done"
	JobStopped = "stopped"
	JobFailed  = "failed"
)

const (
	openParam = "open"
	jobPage   = 100
	jobSide   = 8                // messages of a page that are mapped side by side
	jobLost   = 20 * time.Second // without a beat it is somebody else's turn
	// DefaultRate is the rate of a job that names none, MostRate the greatest.
	DefaultRate = 200
	MostRate    = 5000
)

func projectJob(rec *hub.Record) (hub.Entry, error) {
	j, err := jobOf(rec)
	if err != nil {
		return hub.Entry{}, err
	}
	e := hub.Entry{Terms: []hub.Term{{Param: MemberParam, Text: j.Member}}}
	if j.Ended == "" {
		e.Terms = append(e.Terms, hub.Term{Param: openParam, Text: "true"})
	}
	return e, nil
}

func jobOf(rec *hub.Record) (Job, error) {
	j := Job{}
	if err := json.Unmarshal(rec.Body, &j); err != nil {
		return j, &hub.Error{Kind: hub.Corrupt, Msg: "the job is unreadable", Err: err}
	}
	j.ID, j.Member, j.version = rec.Name.ID, rec.Member, rec.Version
	return j, nil
}

// Jobs are the replays of all hubs on the same store.
type Jobs struct {
	Intake *Intake
	// Self tells this hub from the others; random.
	Self string

	wake chan struct{}
}

// NewJobs makes Jobs; they are worked at by Run.
func NewJobs(in *Intake) *Jobs {
	return &Jobs{Intake: in, Self: strings.ToLower(rand.Text()), wake: make(chan struct{}, 1)}
}

// Start begins a job on the messages that f lets through and who may map again.
func (js *Jobs) Start(ctx context.Context, who access.Caller, f Filter, perSecond float64) (Job, error) {
	if err := f.allow(who, access.Update); err != nil {
		return Job{}, err
	}
	if perSecond < 0 || perSecond > MostRate || math.IsNaN(perSecond) {
		return Job{}, &hub.Error{Kind: hub.Invalid, Path: "rate", Msg: "is more than 0 and at most 5000 messages a second"}
	}
	if perSecond == 0 {
		perSecond = DefaultRate
	}
	now := millis(js.Intake.Now())
	if f.Until.IsZero() || f.Until.After(now) {
		f.Until = now
	}
	j := Job{ID: strings.ToLower(rand.Text()), Filter: f, Rate: perSecond, By: who.Member, Member: who.Member, Since: now}
	q := f.query(false)
	q.Count = true
	page, err := js.Intake.Follower.Search(ctx, q)
	if err != nil {
		return Job{}, err
	}
	j.Total = page.Total
	if err := js.save(ctx, &j); err != nil {
		return Job{}, err
	}
	select {
	case js.wake <- struct{}{}:
	default:
	}
	return j, nil
}

// Stop ends a job of who's own, or any with the scope access.Integration, behind the page it is at.
func (js *Jobs) Stop(ctx context.Context, who access.Caller, id string) (Job, error) {
	for try := 0; ; try++ {
		j, err := js.Job(ctx, who, id)
		if err != nil || j.Ended != "" {
			return j, err
		}
		if err := (&Filter{Member: j.Member}).allow(who, access.Update); err != nil {
			return Job{}, err
		}
		j.Ended = JobStopped
		if err = js.save(ctx, &j); err == nil || !hub.Is(err, hub.Conflict) || try == 5 {
			return j, err
		}
	}
}

// Job reads one job; another member's is NotFound.
func (js *Jobs) Job(ctx context.Context, who access.Caller, id string) (Job, error) {
	unknown := &hub.Error{Kind: hub.NotFound, Msg: "there is no such replay"}
	head, err := tail{js.Intake}.Head(ctx, hub.Name{Type: JobType, ID: id})
	if err == nil && head.Version == 0 {
		err = unknown
	}
	if err != nil {
		return Job{}, err
	}
	rec, err := js.Intake.Follower.Log().Record(ctx, head.Loc)
	if err != nil {
		return Job{}, err
	}
	j, err := jobOf(&rec)
	if err == nil && (&Filter{Member: j.Member}).allow(who, access.Read) != nil {
		err = unknown
	}
	return j, err
}

// List lists the newest jobs of who's own, or all with the scope access.Integration.
func (js *Jobs) List(ctx context.Context, who access.Caller, limit int) ([]Job, error) {
	f := Filter{}
	if err := f.allow(who, access.Search); err != nil {
		return nil, err
	}
	q := hub.Query{Type: JobType, Limit: limit, Sort: []hub.Sort{{Param: hub.LastUpdated, Desc: true}}}
	if f.Member != "" {
		q.All = []hub.Clause{{Param: MemberParam, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: f.Member}}}}
	}
	return js.find(ctx, q)
}

func (js *Jobs) find(ctx context.Context, q hub.Query) ([]Job, error) {
	page, err := js.Intake.Follower.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	all := []Job{}
	for _, hit := range page.Hits {
		rec, err := js.Intake.Follower.Log().Record(ctx, hit.Head.Loc)
		if err != nil {
			return nil, err
		}
		j, err := jobOf(&rec)
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, nil
}

// save writes a job if nobody else has changed it since it was read; a Conflict if so.
func (js *Jobs) save(ctx context.Context, j *Job) error {
	name := hub.Name{Type: JobType, ID: j.ID}
	recs, err := js.Intake.Writer.Submit(ctx, commit.Write{Member: j.Member, Names: []hub.Name{name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, name)
		if err == nil && head.Version != j.version {
			err = &hub.Error{Kind: hub.Conflict, Msg: "the replay was changed meanwhile"}
		}
		body, _ := compactJSON(j)
		return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return body }}}, err
	}})
	if err == nil {
		j.version = recs[0].Version
	}
	return err
}

// Run works at jobs until ctx ends.
func (js *Jobs) Run(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		for {
			worked, err := js.Work(ctx)
			if err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
				slog.Error("map messages again", "err", err)
			}
			if !worked || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-js.wake:
		case <-tick.C:
		}
	}
}

// Work takes a job that nobody is at and goes on with it to its end; worked is false where there is none.
func (js *Jobs) Work(ctx context.Context) (worked bool, err error) {
	open, err := js.find(ctx, hub.Query{Type: JobType, Limit: 50, All: []hub.Clause{{Param: openParam, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: "true"}}}}})
	if err != nil {
		return false, err
	}
	for i := range open {
		j := &open[i]
		if j.Holder != js.Self && js.Intake.Now().Sub(j.Beat) < jobLost {
			continue
		}
		j.Holder, j.Beat = js.Self, millis(js.Intake.Now())
		if err := js.save(ctx, j); hub.Is(err, hub.Conflict) {
			continue
		} else if err != nil {
			return false, err
		}
		return true, js.carryOut(ctx, j)
	}
	return false, nil
}

func (js *Jobs) carryOut(ctx context.Context, j *Job) error {
	limiter := rate.NewLimiter(rate.Limit(j.Rate), max(1, int(j.Rate/10)))
	q := j.Filter.query(false)
	q.Limit = jobPage
	for j.Ended == "" {
		q.After = j.After
		page, err := js.Intake.Follower.Search(ctx, q)
		if err == nil {
			err = js.mapAll(ctx, j, page.Hits, limiter)
		}
		switch {
		case ctx.Err() != nil:
			return nil // another hub, or this one when it is back, goes on
		case hub.Is(err, hub.Unavailable):
			return err
		case err != nil:
			j.Ended, j.Fault = JobFailed, faultErrors(err)[0].Msg
		case !page.More:
			j.Ended = JobDone
		}
		if n := len(page.Hits); n > 0 && err == nil {
			j.After = &page.Hits[n-1].Pos
		}
		j.Beat = millis(js.Intake.Now())
		if err := js.save(ctx, j); hub.Is(err, hub.Conflict) {
			return nil // stopped, or taken over
		} else if err != nil {
			return err
		}
	}
	return nil
}

// mapAll maps the messages of a page again. One that is changed at the same time is left to who changes it.
func (js *Jobs) mapAll(ctx context.Context, j *Job, hits []hub.Hit, limiter *rate.Limiter) error {
	who := access.NewCaller(j.Member, access.AllResources+" "+access.Integration, "replay "+j.ID) // what it may was asked at the start
	before, after := make([]Message, len(hits)), make([]Message, len(hits))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(jobSide)
	for i, hit := range hits {
		if err := limiter.Wait(gctx); err != nil {
			break // the group's error tells why
		}
		g.Go(func() error {
			rec, err := js.Intake.Follower.Log().Record(gctx, hit.Head.Loc)
			if before[i], err = stored(&rec, err); err != nil {
				return err
			}
			after[i], err = js.Intake.Replay(gctx, who, before[i].ID, j.By)
			if hub.Is(err, hub.Conflict) {
				after[i], err = before[i], nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range after {
		j.add(&before[i], &after[i])
	}
	return ctx.Err()
}

func (c *Count) add(before, after *Message) {
	c.Seen++
	switch {
	case after.failed():
		c.Failed++
	case after.Attempt.At.Equal(before.Attempt.At):
		c.Unchanged++
	case after.Status == Late:
		c.Late++
	default:
		c.Mapped++
	}
}

// Try previews the messages that f lets through, the oldest first, until yield has enough.
func (js *Jobs) Try(ctx context.Context, who access.Caller, f Filter, yield func(before *Message, p Preview) bool) error {
	if err := f.allow(who, access.Read); err != nil {
		return err
	}
	q := f.query(false)
	q.Limit = jobPage
	for {
		page, err := js.Intake.Follower.Search(ctx, q)
		if err != nil {
			return err
		}
		for _, hit := range page.Hits {
			rec, err := js.Intake.Follower.Log().Record(ctx, hit.Head.Loc)
			before, err := stored(&rec, err)
			if err != nil {
				return err
			}
			p, err := js.Intake.PreviewAgain(ctx, who, before.ID)
			if err != nil {
				return err
			}
			if !yield(&before, p) {
				return nil
			}
		}
		if !page.More || len(page.Hits) == 0 {
			return nil
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
}
