// Package recognition is the door to what a consortium has agreed on about recognition, at /recognition, in JSON: the catalogue
// of recognised items, who proposes and who releases what is changed in it, and the qualifications of institutions.
//
// Reading needs a scope for ActivityDefinition or Basic, or the scope catalogue; changing needs the scope catalogue, which a
// person has.
package recognition

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/recognition/register"
	"concord/internal/webbody"
	"concord/internal/webfault"
)

// Trail takes notes of what was changed.
type Trail interface {
	Note(ctx context.Context, e audit.Event) error
}

// Deps are what the adapter works with.
type Deps struct {
	Register *register.Register
	Trail    Trail
	Now      func() time.Time
}

// Bounds of what a request may bring.
const (
	maxBody  = 10 << 20
	maxTable = 10 << 20
)

type server struct{ Deps }

// Mount registers the routes on an authenticated group at /recognition.
func Mount(g *gin.RouterGroup, d Deps) {
	s := &server{d}
	for _, r := range []struct {
		method, path string
		may          func(access.Caller) error
		answer       func(*gin.Context, access.Caller) (any, error)
	}{
		{http.MethodGet, "/catalogue", mayRead, s.catalogue},
		{http.MethodGet, "/catalogue/:id", mayRead, s.item},
		{http.MethodGet, "/proposals", mayRead, s.proposals},
		{http.MethodPost, "/proposals", access.Caller.MayCatalogue, s.propose},
		{http.MethodGet, "/proposals/:id", mayRead, s.proposal},
		{http.MethodPost, "/proposals/:id/:verdict", access.Caller.MayCatalogue, s.rule},
		{http.MethodGet, "/releases", mayRead, s.releases},
		{http.MethodGet, "/releases/:number", mayRead, s.release},
		{http.MethodPost, "/releases/:number/rollback", access.Caller.MayCatalogue, s.rollBack},
		{http.MethodGet, "/qualifications", mayRead, s.qualifications},
		{http.MethodGet, "/qualifications/expiring", mayRead, s.expiring},
		{http.MethodGet, "/qualifications/template", mayRead, s.template},
		{http.MethodPost, "/qualifications/import", access.Caller.MayCatalogue, s.importTable},
	} {
		g.Handle(r.method, r.path, func(c *gin.Context) {
			who, _ := access.CallerFrom(c.Request.Context())
			c.Header("Cache-Control", "no-store")
			err := r.may(who) // before the body is read
			if err == nil {   // what another hub was told a moment ago is told here
				err = s.Register.Refresh(c.Request.Context())
			}
			var out any
			if err == nil {
				out, err = r.answer(c, who)
			}
			switch {
			case err != nil:
				webfault.Write(c, err)
			case out != nil:
				c.JSON(http.StatusOK, out)
			}
		})
	}
}

// mayRead: what a consortium recognises is no secret among its members, but a token that is good for something else only does
// not read it.
func mayRead(who access.Caller) error {
	if who.MayCatalogue() == nil || who.May(access.Read, "Basic") == nil {
		return nil
	}
	return who.May(access.Read, "ActivityDefinition")
}

func (s *server) note(c *gin.Context, who access.Caller, a audit.Action, id string) error {
	return s.Trail.Note(c.Request.Context(), audit.Event{Action: a, Member: who.Member, Token: who.TokenID, Type: register.EventType,
		Names: []hub.Name{{Type: register.EventType, ID: id}}, Count: 1})
}

// body reads a JSON body, numbers as they are written.
func body(c *gin.Context, into any) error {
	r, err := webbody.Reader(c.Request, maxBody)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	dec.UseNumber()
	err = dec.Decode(into)
	var known *hub.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, io.EOF):
		return nil // nothing to say is all right where a reason is optional
	case err != nil:
		return &hub.Error{Kind: hub.Invalid, Path: "body", Msg: "is no JSON of the form asked for", Err: err}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return &hub.Error{Kind: hub.Invalid, Path: "body", Msg: "has more than one JSON value"}
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

// moment reads a time of a query: an instant, or a day, which begins where the consortium lies.
func (s *server) moment(c *gin.Context, name string) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return time.Time{}, nil
	}
	return s.readMoment(name, text)
}

func (s *server) readMoment(name, text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, s.Register.Zone)
	if err != nil {
		return t, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is a day as 2026-01-31 or a moment as 2026-01-31T08:00:00+08:00"}
	}
	return t, nil
}
