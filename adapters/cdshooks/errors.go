package cdshooks

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"concord/hub"
)

// problem is how one kind of error looks in HTTP and in an OperationOutcome (R4 valueset-issue-type).
type problem struct {
	status int
	code   string
}

var problems = map[hub.ErrKind]problem{
	hub.Internal:           {http.StatusInternalServerError, "exception"},
	hub.NotFound:           {http.StatusNotFound, "not-found"},
	hub.Gone:               {http.StatusGone, "deleted"},
	hub.Invalid:            {http.StatusBadRequest, "invalid"},
	hub.Unprocessable:      {http.StatusUnprocessableEntity, "business-rule"},
	hub.Conflict:           {http.StatusConflict, "conflict"},
	hub.PreconditionFailed: {http.StatusPreconditionFailed, "conflict"},
	hub.MultipleMatches:    {http.StatusPreconditionFailed, "multiple-matches"},
	hub.TooLarge:           {http.StatusRequestEntityTooLarge, "too-long"},
	hub.Unauthenticated:    {http.StatusUnauthorized, "login"},
	hub.Forbidden:          {http.StatusForbidden, "forbidden"},
	hub.Unsupported:        {http.StatusBadRequest, "not-supported"},
	hub.TooMany:            {http.StatusTooManyRequests, "throttled"},
	hub.Unavailable:        {http.StatusServiceUnavailable, "transient"},
	hub.Exists:             {http.StatusConflict, "duplicate"},
	hub.TooCostly:          {http.StatusUnprocessableEntity, "too-costly"},
	hub.Corrupt:            {http.StatusInternalServerError, "exception"},
}

// issue is one fault of an OperationOutcome.
type issue struct {
	Severity    string   `json:"severity"`
	Code        string   `json:"code"`
	Diagnostics string   `json:"diagnostics"`
	Expression  []string `json:"expression,omitempty"`
}

// WriteError answers with the OperationOutcome of err, which the standard asks for where a service fails. It is the group's
// error writer too. Faults of ours say no more than that they are.
func WriteError(c *gin.Context, err error) {
	kind := hub.KindOf(err)
	p := problems[kind]
	i := issue{Severity: "error", Code: p.code, Diagnostics: "the hub met a fault of its own; it is in its log"}
	var e *hub.Error
	if kind != hub.Internal && kind != hub.Corrupt && errors.As(err, &e) {
		if i.Diagnostics = e.Msg; e.Hint != "" {
			i.Diagnostics += " (" + e.Hint + ")"
		}
		if e.Path != "" {
			i.Expression = []string{e.Path}
		}
		switch {
		case kind == hub.Unsupported && e.Path == "method":
			p.status = http.StatusMethodNotAllowed
		case kind == hub.Unsupported && e.Path == "Content-Type":
			p.status = http.StatusUnsupportedMediaType
		}
	} else {
		c.Error(err) // for the server's log
	}
	c.AbortWithStatusJSON(p.status, gin.H{"resourceType": "OperationOutcome", "issue": []issue{i}})
}
