// Package integration is the bench of the engineer who connects institutions, at /integration, in JSON: the log of the
// messages that they send, with what each was made into and what its sender was told; what failed and why; mapping again,
// one message or many; and what a message would come to, without keeping it.
//
// A member's token sees its own messages and needs system/MessageHeader: s to search, r to read, u to map again. A token of
// scope integration sees all members'.
package integration

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/messages"
	"concord/internal/webfault"
)

// Trail takes notes of what is disclosed beside the Reader, and of what is changed.
type Trail interface {
	Note(ctx context.Context, e audit.Event) error
}

// Deps are what the adapter works with.
type Deps struct {
	Log    *messages.Log
	Intake *messages.Intake
	Jobs   *messages.Jobs
	Trail  Trail
	// Read makes an Incoming of bytes of a format, as its adapter would.
	Read func(format string, raw []byte) messages.Incoming
	// Text is how a message reads that is no UTF-8; ok is false where it is no text. nil: none is.
	Text func(m *messages.Message, raw []byte) (text string, ok bool)
	// MaxMessage is how many bytes a message may have that is previewed, default 10 MB.
	MaxMessage int64
}

// Server answers the engineer.
type Server struct{ Deps }

// Mount registers the routes on an authenticated group at /integration.
func Mount(g *gin.RouterGroup, d Deps) *Server {
	if d.MaxMessage == 0 {
		d.MaxMessage = 10 << 20
	}
	if d.Text == nil {
		d.Text = func(*messages.Message, []byte) (string, bool) { return "", false }
	}
	s := &Server{d}
	for _, r := range []struct {
		method, path string
		answer       func(*gin.Context, access.Caller) error
	}{
		{http.MethodGet, "/messages", s.search},
		{http.MethodGet, "/messages/:id", s.message},
		{http.MethodGet, "/messages/:id/raw", s.raw},
		{http.MethodPost, "/messages/:id/replay", s.replay},
		{http.MethodGet, "/failures", s.failures},
		{http.MethodPost, "/map", s.preview},
		{http.MethodGet, "/replays", s.replays},
		{http.MethodPost, "/replays", s.startReplay},
		{http.MethodGet, "/replays/:id", s.replayOf},
		{http.MethodPost, "/replays/:id/stop", s.stopReplay},
	} {
		g.Handle(r.method, r.path, func(c *gin.Context) {
			who, _ := access.CallerFrom(c.Request.Context())
			c.Header("Cache-Control", "no-store")
			if err := r.answer(c, who); err != nil {
				webfault.Write(c, err)
			}
		})
	}
	return s
}
