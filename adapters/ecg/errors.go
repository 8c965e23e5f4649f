package ecg

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"concord/hub"
)

const mediaFHIR = "application/fhir+json"

// problem is how one kind of error looks in HTTP and in an OperationOutcome (R4 valueset-issue-type).
type problem struct {
	status int
	code   string
}

var problems = map[hub.ErrKind]problem{
	hub.Internal:        {http.StatusInternalServerError, "exception"},
	hub.NotFound:        {http.StatusNotFound, "not-found"},
	hub.Gone:            {http.StatusGone, "deleted"},
	hub.Invalid:         {http.StatusBadRequest, "invalid"},
	hub.Unprocessable:   {http.StatusUnprocessableEntity, "business-rule"},
	hub.Conflict:        {http.StatusConflict, "conflict"},
	hub.TooLarge:        {http.StatusRequestEntityTooLarge, "too-long"},
	hub.Unauthenticated: {http.StatusUnauthorized, "login"},
	hub.Forbidden:       {http.StatusForbidden, "forbidden"},
	hub.Unsupported:     {http.StatusNotAcceptable, "not-supported"},
	hub.TooMany:         {http.StatusTooManyRequests, "throttled"},
	hub.Unavailable:     {http.StatusServiceUnavailable, "transient"},
	hub.TooCostly:       {http.StatusUnprocessableEntity, "too-costly"},
	hub.Corrupt:         {http.StatusInternalServerError, "exception"},
}

type issue struct {
	Severity    string   `json:"severity"`
	Code        string   `json:"code"`
	Diagnostics string   `json:"diagnostics,omitempty"`
	Expression  []string `json:"expression,omitempty"`
}

type outcome struct {
	ResourceType string  `json:"resourceType"`
	Issue        []issue `json:"issue"`
}

// WriteError answers with the OperationOutcome of err. It is the group's error writer too.
func WriteError(c *gin.Context, err error) {
	kind := hub.KindOf(err)
	p, known := problems[kind]
	if !known {
		p = problems[hub.Internal]
	}
	i := issue{Severity: "error", Code: p.code, Diagnostics: "the hub met a fault of its own; it is in its log"}
	var e *hub.Error
	if p.status != http.StatusInternalServerError && errors.As(err, &e) {
		i.Diagnostics = e.Msg
		if e.Hint != "" {
			i.Diagnostics += " (" + e.Hint + ")"
		}
		if e.Path != "" {
			i.Expression = []string{e.Path}
		}
		switch {
		case kind == hub.Unsupported && e.Path == "method":
			p.status = http.StatusMethodNotAllowed
		case kind == hub.Unsupported && e.Path == "Content-Encoding":
			p.status = http.StatusUnsupportedMediaType
		case kind == hub.Unavailable || kind == hub.TooMany:
			c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.Retry.Seconds())))))
		}
	} else {
		slog.Error("request", "method", c.Request.Method, "route", c.FullPath(), "err", err)
	}
	for _, name := range []string{"Content-Disposition", "ETag", "Content-Length"} {
		c.Writer.Header().Del(name)
	}
	tell(c, p.status, i)
	c.Abort()
}

// tell writes an OperationOutcome.
func tell(c *gin.Context, status int, issues ...issue) {
	body, _ := json.Marshal(outcome{"OperationOutcome", issues}) // strings always have a JSON form
	writeJSON(c, status, mediaFHIR, body)
}
