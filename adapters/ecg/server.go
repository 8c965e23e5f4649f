// Package ecg is the door for electrocardiograms, mounted at /ecg: carts and people send files in whatever format they have,
// and anybody who may read a recording gets it as a picture, as samples, or in the standard format that is wanted.
//
// Its own words: a form is one in which a recording is served; facts are what is known of it, as JSON.
package ecg

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/ecg"
)

// Deps are what the adapter works with.
type Deps struct {
	Library *ecg.Library
	Intake  *ecg.Intake
	// PublicURL is the hub's address as clients see it, without a trailing slash; empty: links are relative to the host.
	PublicURL string
	// Version of the hub: what is drawn may be drawn otherwise by another.
	Version string
	Limits  Limits
}

// Limits bound what a request may cost; zero values mean the defaults named.
type Limits struct {
	Seconds float64 // of a picture, default 60
	Results int     // of a list, default 50, at most MostResults
	Reading int     // recordings in memory to be drawn or converted at a time, default 4
}

// MostResults is how many recordings a page of the list may have.
const MostResults = 500

func (l *Limits) fill() {
	if l.Seconds == 0 {
		l.Seconds = 60
	}
	if l.Results == 0 {
		l.Results = 50
	}
	if l.Reading == 0 {
		l.Reading = 4
	}
}

type server struct {
	Deps
	room ecg.Room
}

// Mount registers the routes on an authenticated group at /ecg.
func Mount(g *gin.RouterGroup, d Deps) {
	d.Limits.fill()
	s := &server{Deps: d, room: ecg.NewRoom(d.Limits.Reading)}
	g.POST("", may(access.Create, "DocumentReference", "Observation", "DiagnosticReport"), s.take)
	for path, route := range map[string]struct {
		action access.Action
		handle gin.HandlerFunc
	}{"": {access.Search, s.list}, "/:id": {access.Read, s.chosen}, "/:id/:form": {access.Read, s.named}} {
		g.GET(path, may(route.action, "DocumentReference", "Observation"), route.handle)
		g.HEAD(path, may(route.action, "DocumentReference", "Observation"), route.handle)
	}
}

// may lets those through whose scope covers an action on all of the types.
func may(a access.Action, types ...string) gin.HandlerFunc {
	return func(c *gin.Context) {
		for _, typ := range types {
			if err := caller(c).May(a, typ); err != nil {
				WriteError(c, err)
				return
			}
		}
	}
}

func caller(c *gin.Context) access.Caller {
	who, _ := access.CallerFrom(c.Request.Context())
	return who
}

// base is where recordings are, as clients see it.
func (s *server) base() string { return s.PublicURL + "/ecg" }

func writeJSON(c *gin.Context, status int, media string, body []byte) {
	c.Header("Content-Type", media)
	c.Writer.WriteHeader(status)
	if c.Request.Method != http.MethodHead {
		c.Writer.Write(body)
	}
}

func invalid(path, msg string) *hub.Error { return &hub.Error{Kind: hub.Invalid, Path: path, Msg: msg} }
