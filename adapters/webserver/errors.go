package webserver

import (
	"errors"
	"math"
	"net/http"
	"strconv"

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
	hub.Unsupported:        http.StatusUnsupportedMediaType,
	hub.TooMany:            http.StatusTooManyRequests,
	hub.Unavailable:        http.StatusServiceUnavailable,
	hub.Exists:             http.StatusConflict,
	hub.Corrupt:            http.StatusInternalServerError,
}

type plainError struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

// writePlain is the format of addresses that have none of their own. Faults of ours say no more than that they are.
func writePlain(c *gin.Context, err error) {
	kind := hub.KindOf(err)
	status := statuses[kind]
	var e *hub.Error
	if errors.As(err, &e) && kind == hub.Unsupported && e.Path == "method" {
		status = http.StatusMethodNotAllowed
	}
	c.JSON(status, plainError{kind.String(), message(err)})
}

func message(err error) string {
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind == hub.Internal || e.Kind == hub.Corrupt {
		return "the hub met a fault of its own; it is in its log"
	}
	if e.Hint != "" {
		return e.Msg + " (" + e.Hint + ")"
	}
	return e.Msg
}

func retryAfter(c *gin.Context, err error) {
	var e *hub.Error
	if errors.As(err, &e) && (e.Kind == hub.Unavailable || e.Kind == hub.TooMany) {
		c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.Retry.Seconds())))))
	}
}
