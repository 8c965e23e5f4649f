package identity

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"concord/hub"
)

var statuses = map[hub.ErrKind]int{
	hub.Internal:           http.StatusInternalServerError,
	hub.NotFound:           http.StatusNotFound,
	hub.Gone:               http.StatusGone,
	hub.Invalid:            http.StatusBadRequest,
	hub.Unprocessable:      http.StatusUnprocessableEntity,
	hub.Conflict:           http.StatusConflict,
	hub.PreconditionFailed: http.StatusPreconditionFailed,
	hub.MultipleMatches:    http.StatusPreconditionFailed,
	hub.TooLarge:           http.StatusRequestEntityTooLarge,
	hub.Unauthenticated:    http.StatusUnauthorized,
	hub.Forbidden:          http.StatusForbidden,
	hub.Unsupported:        http.StatusUnprocessableEntity,
	hub.TooMany:            http.StatusTooManyRequests,
	hub.Unavailable:        http.StatusServiceUnavailable,
	hub.Exists:             http.StatusConflict,
	hub.TooCostly:          http.StatusBadRequest,
	hub.Corrupt:            http.StatusInternalServerError,
}

// fault is one thing wrong, as JSON.
type fault struct {
	Error   string `json:"error"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// WriteError answers with a status and a small JSON object. It is the group's error writer too.
func WriteError(c *gin.Context, err error) {
	kind := hub.KindOf(err)
	status := statuses[kind]
	out := fault{Error: kind.String(), Message: "the hub met a fault of its own; it is in its log"}
	var e *hub.Error
	if kind != hub.Internal && kind != hub.Corrupt && errors.As(err, &e) {
		if kind == hub.Unsupported && e.Path == "method" {
			status = http.StatusMethodNotAllowed
		}
		if out.Path, out.Message = e.Path, e.Msg; e.Hint != "" {
			out.Message += " (" + e.Hint + ")"
		}
	} else {
		c.Error(err) // for the server's log
	}
	c.AbortWithStatusJSON(status, out)
}
