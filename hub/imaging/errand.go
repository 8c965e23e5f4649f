package imaging

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
)

// Errand is what the hub owes an application entity and tries until it is done: the report on a storage commitment, a study
// to be sent. It lies in the log before it is promised, so that it outlives the hub that took it on.
type Errand struct {
	Name    hub.Name `json:"-"`
	version uint64
	// Member is on whose behalf it is done.
	Member string `json:"-"`
	// Title is the application entity that it is owed to.
	Title string `json:"title"`
	// Transaction and Instances are a storage commitment's.
	Transaction string     `json:"transaction,omitempty"`
	Instances   []Instance `json:"instances,omitempty"`
	// Study is to be sent.
	Study string `json:"study,omitempty"`
	// Since is when it was promised, Due when it is to be tried next, Tries how often it was.
	Since time.Time `json:"since"`
	Due   time.Time `json:"due"`
	Tries int       `json:"tries"`
	// Ended is how it ended, in a word; empty while it has not.
	Ended string `json:"ended,omitempty"`
}

// Instance names an instance by its SOP class and UID.
type Instance struct {
	Class string `json:"class"`
	UID   string `json:"uid"`
}

// ErrandType is the type of the records of errands.
const ErrandType = "dicom.errand"

// How errands end.
const (
	ErrandDone    = "done"
	ErrandGivenUp = "given up"
)

const dueParam = "due"

// ProjectErrand lets errands that have not ended be found by when they are due.
func ProjectErrand(body []byte) (hub.Entry, error) {
	var e Errand
	if err := json.Unmarshal(body, &e); err != nil {
		return hub.Entry{}, &hub.Error{Kind: hub.Corrupt, Msg: "the errand is unreadable", Err: err}
	}
	if e.Ended != "" {
		return hub.Entry{}, nil
	}
	at := hub.Instant(e.Due)
	return hub.Entry{Terms: []hub.Term{{Param: dueParam, Kind: hub.Range, Lo: at, Hi: at}}}, nil
}

// Errands keeps the errands of all hubs on the same store. Each is done by one of them at a time: who does it has claimed
// it, by a version that puts it off.
type Errands struct {
	Follower *projection.Follower // of the records
	Writer   *commit.Committer
	Now      func() time.Time
}

// Promise makes an errand durable, to be tried at e.Due. The name is made of the member and the transaction, if it has one:
// the same promise twice is one, and another one under the same name is a Conflict.
func (s *Errands) Promise(ctx context.Context, e Errand) (Errand, error) {
	e.Name = hub.Name{Type: ErrandType, ID: e.Member + "/" + strings.ToLower(rand.Text())}
	if e.Transaction != "" {
		e.Name.ID = e.Member + "/" + e.Transaction
	}
	e.Since = s.Now().UTC()
	recs, err := s.Writer.Submit(ctx, commit.Write{Member: e.Member, Names: []hub.Name{e.Name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, e.Name)
		if err != nil || head.Version == 0 {
			return []commit.Draft{e.draft()}, err
		}
		rec, err := v.Record(ctx, e.Name)
		if err != nil {
			return nil, err
		}
		there, err := errandOf(&rec)
		if err != nil {
			return nil, err
		}
		if there.Title != e.Title || fmt.Sprint(there.Instances) != fmt.Sprint(e.Instances) {
			return nil, &hub.Error{Kind: hub.Conflict, Path: "TransactionUID", Msg: "is in use"}
		}
		return []commit.Draft{e.draft()}, nil // asked again: told again
	}})
	if err == nil {
		e.version = recs[0].Version
	}
	return e, err
}

// Due lists errands that are to be tried by now, the longest due first.
func (s *Errands) Due(ctx context.Context, limit int) ([]Errand, error) {
	q := hub.Query{Type: ErrandType, Limit: limit, Sort: []hub.Sort{{Param: dueParam}}, All: []hub.Clause{{Param: dueParam, Any: []hub.Match{{
		Kind: hub.Within, LoMin: math.Inf(-1), LoMax: hub.Instant(s.Now()), HiMin: math.Inf(-1), HiMax: math.Inf(1)}}}}}
	page, err := s.Follower.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	locs := make([]hub.Loc, len(page.Hits))
	for i := range page.Hits {
		locs[i] = page.Hits[i].Head.Loc
	}
	recs, err := s.Follower.Log().Records(ctx, locs)
	if err != nil {
		return nil, err
	}
	var all []Errand
	for i := range recs {
		e, err := errandOf(&recs[i])
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// Change writes e's Due, Tries and Ended, if nobody else has changed it since it was read; a Conflict if so.
func (s *Errands) Change(ctx context.Context, e *Errand) error {
	recs, err := s.Writer.Submit(ctx, commit.Write{Member: e.Member, Names: []hub.Name{e.Name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, e.Name)
		if err == nil && head.Version != e.version {
			err = &hub.Error{Kind: hub.Conflict, Msg: "another hub is at the errand"}
		}
		return []commit.Draft{e.draft()}, err
	}})
	if err == nil {
		e.version = recs[0].Version
	}
	return err
}

func (e Errand) draft() commit.Draft {
	body, _ := json.Marshal(e)
	return commit.Draft{Name: e.Name, Body: constant(body)}
}

func errandOf(rec *hub.Record) (Errand, error) {
	e := Errand{}
	if err := json.Unmarshal(rec.Body, &e); err != nil {
		return e, &hub.Error{Kind: hub.Corrupt, Msg: "the errand is unreadable", Err: err}
	}
	e.Name, e.version, e.Member = rec.Name, rec.Version, rec.Member
	return e, nil
}
