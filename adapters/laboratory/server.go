// Package laboratory is the door to what the hub knows of laboratories, at /laboratory, in JSON: the codes that nobody has
// said the meaning of, and critical values that wait for somebody.
package laboratory

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/laboratory"
	"concord/internal/webfault"
)

// Trail takes notes of what was changed.
type Trail interface {
	Note(ctx context.Context, e audit.Event) error
}

// Deps are what the adapter works with.
type Deps struct {
	Queue  *laboratory.Queue
	Board  *laboratory.Board
	Alarms *laboratory.Alarms
	Trail  Trail
	Now    func() time.Time
}

// maxBody is how long a request's body may be.
const maxBody = 64 << 10

type server struct{ Deps }

// Mount registers the routes on an authenticated group at /laboratory.
func Mount(g *gin.RouterGroup, d Deps) {
	s := &server{d}
	for _, r := range []struct {
		method, path string
		answer       func(*gin.Context, access.Caller) (any, error)
	}{
		{http.MethodGet, "/codes", s.codes},
		{http.MethodPost, "/codes", s.settleAny},
		{http.MethodGet, "/codes/:id", s.code},
		{http.MethodPost, "/codes/:id", s.settle},
		{http.MethodGet, "/resolve", s.resolve},
		{http.MethodGet, "/criticals", s.criticals},
		{http.MethodGet, "/criticals/:id", s.critical},
		{http.MethodPost, "/criticals/:id/:step", s.step},
	} {
		g.Handle(r.method, r.path, func(c *gin.Context) {
			who, _ := access.CallerFrom(c.Request.Context())
			c.Header("Cache-Control", "no-store")
			out, err := r.answer(c, who)
			if err != nil {
				webfault.Write(c, err)
				return
			}
			c.JSON(http.StatusOK, out)
		})
	}
}

// codes answers GET /codes?member=…&suggest=3.
func (s *server) codes(c *gin.Context, who access.Caller) (any, error) {
	suggest, err := number(c, "suggest", 3, 10)
	if err != nil {
		return nil, err
	}
	list, err := s.Queue.List(c.Request.Context(), who, c.Query("member"), suggest)
	if list == nil {
		list = []laboratory.Waiting{}
	}
	return gin.H{"codes": list}, err
}

func (s *server) code(c *gin.Context, who access.Caller) (any, error) {
	return s.Queue.One(c.Request.Context(), who, c.Param("id"))
}

// settle answers POST /codes/{id}: what the code of the queue means.
func (s *server) settle(c *gin.Context, who access.Caller) (any, error) {
	var m laboratory.Meaning
	if err := body(c, &m); err != nil {
		return nil, err
	}
	w, err := s.Queue.One(c.Request.Context(), who, c.Param("id"))
	if err != nil {
		return nil, err
	}
	return s.settled(c, who, w.Member, w.Code, m)
}

// settleAny answers POST /codes: what a code means that need not have been met.
func (s *server) settleAny(c *gin.Context, who access.Caller) (any, error) {
	var in struct {
		Member     string            `json:"member"`
		Consortium bool              `json:"consortium"`
		Code       laboratory.Coding `json:"code"`
		laboratory.Meaning
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	switch {
	case in.Consortium:
		in.Member = laboratory.Origin
	case in.Member == "":
		in.Member = who.Member
	}
	return s.settled(c, who, in.Member, in.Code, in.Meaning)
}

func (s *server) settled(c *gin.Context, who access.Caller, member string, code laboratory.Coding, m laboratory.Meaning) (any, error) {
	name, err := s.Queue.Settle(c.Request.Context(), who, member, code, m)
	if err != nil {
		return nil, err
	}
	return gin.H{"map": name.String()}, s.note(c, who, name)
}

func (s *server) note(c *gin.Context, who access.Caller, n hub.Name) error {
	return s.Trail.Note(c.Request.Context(), audit.Event{Action: audit.Update, Member: who.Member, Token: who.TokenID, Type: n.Type, Names: []hub.Name{n}, Count: 1})
}

// resolve answers GET /resolve?member=…&system=…&code=…&name=…&specimen=…&unit=….
func (s *server) resolve(c *gin.Context, who access.Caller) (any, error) {
	q := laboratory.Question{Member: c.Query("member"), Name: c.Query("name"), Specimen: c.Query("specimen"), Unit: c.Query("unit")}
	if q.Member == "" {
		q.Member = who.Member
	}
	if code := c.Query("code"); code != "" {
		q.Codings = []laboratory.Coding{{System: c.Query("system"), Code: code}}
	}
	a, suggestions, err := s.Queue.Resolve(c.Request.Context(), who, q)
	if err != nil {
		return nil, err
	}
	out := gin.H{"add": a.Add, "settled": a.Settled}
	if a.Add == nil {
		out["add"] = []laboratory.Coding{}
	}
	if a.Analyte != nil {
		out["analyte"] = a.Analyte.ID
	}
	if !a.Settled {
		out["suggestions"] = suggestions
	}
	return out, nil
}

// alarm is a critical value as JSON.
type alarm struct {
	ID            string           `json:"id"`
	State         laboratory.State `json:"state"`
	Overdue       bool             `json:"overdue"`
	Patient       string           `json:"patient,omitempty"`
	Observation   string           `json:"observation"`
	Encounter     string           `json:"encounter,omitempty"`
	Recipients    []string         `json:"recipients,omitempty"`
	Member        string           `json:"member"`
	Text          string           `json:"text"`
	Raised        time.Time        `json:"raised"`
	AcknowledgeBy time.Time        `json:"acknowledgeBy"`
	ActBy         time.Time        `json:"actBy"`
	Escalations   int              `json:"escalations"`
}

func (s *server) shown(a *laboratory.Alarm) alarm {
	return alarm{a.ID, a.State, a.Overdue(s.Now()), a.Patient, a.Observation, a.Encounter, a.Recipients, a.Member, a.Text, a.Raised.UTC(), a.AckBy.UTC(), a.ActBy.UTC(), a.Escalations}
}

// criticals answers GET /criticals?state=open|overdue|all&patient=…&member=….
func (s *server) criticals(c *gin.Context, who access.Caller) (any, error) {
	w := laboratory.Wanted{Patient: c.Query("patient"), Member: c.Query("member")}
	switch c.DefaultQuery("state", "open") {
	case "open":
	case "overdue":
		w.Overdue = true
	case "all":
		w.Closed = true
	default:
		return nil, &hub.Error{Kind: hub.Invalid, Path: "state", Msg: "is open, overdue or all"}
	}
	list, err := s.Board.List(c.Request.Context(), who, w)
	if err != nil {
		return nil, err
	}
	out := make([]alarm, len(list))
	for i := range list {
		out[i] = s.shown(&list[i])
	}
	return gin.H{"criticals": out}, nil
}

func (s *server) critical(c *gin.Context, who access.Caller) (any, error) {
	a, err := s.Board.One(c.Request.Context(), who, c.Param("id"))
	return s.shown(&a), err
}

// step answers POST /criticals/{id}/acknowledge, …/act and …/close, with who does it and a note.
func (s *server) step(c *gin.Context, who access.Caller) (any, error) {
	var in struct {
		Who  string `json:"who"`
		Note string `json:"note"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if err := who.May(access.Update, "CommunicationRequest"); err != nil {
		return nil, err
	}
	if in.Who == "" || len(in.Who) > 200 || len(in.Note) > 4000 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "who", Msg: "names the person who does it, in 200 bytes at most; a note has 4,000 at most"}
	}
	before, err := s.Board.One(c.Request.Context(), who, c.Param("id"))
	if err != nil {
		return nil, err
	}
	a, err := s.Alarms.Step(c.Request.Context(), before.ID, laboratory.Step(c.Param("step")), laboratory.Doing{Member: who.Member, Who: in.Who, Note: in.Note})
	if err != nil {
		return nil, err
	}
	return s.shown(&a), s.note(c, who, hub.Name{Type: "CommunicationRequest", ID: a.ID})
}

// body reads a small JSON body.
func body(c *gin.Context, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &hub.Error{Kind: hub.TooLarge, Path: "body", Msg: "is longer than 64 KB"}
	case err != nil:
		return &hub.Error{Kind: hub.Invalid, Path: "body", Msg: "is no JSON of the form asked for"}
	}
	return nil
}

func number(c *gin.Context, name string, otherwise, most int) (int, error) {
	text := c.Query(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is a number from 0 to " + strconv.Itoa(most)}
	}
	return n, nil
}
