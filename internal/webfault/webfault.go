// Package webfault answers HTTP requests that failed, where no format of its own says how: with a status and a small JSON object.
package webfault

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"concord/hub"
)

// status is that of a kind of error.
func status(k hub.ErrKind) int {
	switch k {
	case hub.NotFound:
		return http.StatusNotFound
	case hub.Gone:
		return http.StatusGone
	case hub.Invalid, hub.TooCostly:
		return http.StatusBadRequest
	case hub.Unprocessable, hub.Unsupported:
		return http.StatusUnprocessableEntity
	case hub.Conflict, hub.Exists:
		return http.StatusConflict
	case hub.PreconditionFailed, hub.MultipleMatches:
		return http.StatusPreconditionFailed
	case hub.TooLarge:
		return http.StatusRequestEntityTooLarge
	case hub.Unauthenticated:
		return http.StatusUnauthorized
	case hub.Forbidden:
		return http.StatusForbidden
	case hub.TooMany:
		return http.StatusTooManyRequests
	case hub.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Fault is one thing wrong, as JSON; the others, where several were found, are beside the first.
type Fault struct {
	Error   string  `json:"error"`
	Path    string  `json:"path,omitempty"`
	Message string  `json:"message"`
	Faults  []Fault `json:"faults,omitempty"`
}

// mostFaults is how many of several faults are told.
const mostFaults = 100

// Write answers with the status of an error and what is wrong. Faults of the hub itself are for its log and not for whoever asks.
func Write(c *gin.Context, err error) {
	kind := hub.KindOf(err)
	code := status(kind)
	out := Fault{Error: kind.String(), Message: "the hub met a fault of its own; it is in its log"}
	var e *hub.Error
	if kind != hub.Internal && kind != hub.Corrupt && errors.As(err, &e) {
		if kind == hub.Unsupported && e.Path == "method" {
			code = http.StatusMethodNotAllowed
		}
		out = told(e)
		var several hub.Faults
		if errors.As(err, &several) && len(several) > 1 {
			for _, one := range several[:min(len(several), mostFaults)] {
				out.Faults = append(out.Faults, told(one))
			}
		}
		if e.Retry > 0 {
			c.Header("Retry-After", strconv.Itoa(int(math.Ceil(e.Retry.Seconds()))))
		}
	} else {
		c.Error(err) // for the server's log
	}
	c.AbortWithStatusJSON(code, out)
}

func told(e *hub.Error) Fault {
	f := Fault{Error: e.Kind.String(), Path: e.Path, Message: e.Msg}
	if e.Err != nil {
		f.Message += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		f.Message += " (" + e.Hint + ")"
	}
	return f
}
