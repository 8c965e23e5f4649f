package fhir

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

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

// unsupported are the statuses of what the hub does not do, by the part of the request that asks for it (R4
// http.html#mime-type, RFC 9110 15.5.6); elsewhere it is 400.
var unsupported = map[string]int{
	"Content-Type":     http.StatusUnsupportedMediaType,
	"Content-Encoding": http.StatusUnsupportedMediaType,
	"Accept":           http.StatusNotAcceptable,
	"_format":          http.StatusNotAcceptable,
	"method":           http.StatusMethodNotAllowed,
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

// describe turns an error into a status and an OperationOutcome. Faults of ours say no more than that they are.
func describe(err error) (int, outcome) {
	kind := hub.KindOf(err)
	p := problems[kind]
	i := issue{Severity: "error", Code: p.code}
	var e *hub.Error
	switch {
	case kind == hub.Internal || kind == hub.Corrupt:
		i.Diagnostics = "the hub met a fault of its own; it is in its log"
	case errors.As(err, &e):
		i.Diagnostics = e.Msg
		if e.Hint != "" {
			i.Diagnostics += " (" + e.Hint + ")"
		}
		if e.Path != "" {
			i.Expression = []string{e.Path}
		}
		if status, ok := unsupported[e.Path]; ok && kind == hub.Unsupported {
			p.status = status
		}
	}
	return p.status, outcome{"OperationOutcome", []issue{i}}
}

// WriteError answers with the OperationOutcome of err. It is the group's error writer too.
func WriteError(c *gin.Context, err error) {
	status, o := describe(err)
	if status >= 500 && status != http.StatusServiceUnavailable {
		slog.Error("request", "method", c.Request.Method, "route", c.FullPath(), "err", err)
	}
	retryAfter(c, err)
	body, _ := json.Marshal(o)
	writeResource(c, status, body)
	c.Abort()
}

func retryAfter(c *gin.Context, err error) {
	var e *hub.Error
	if errors.As(err, &e) && (e.Kind == hub.Unavailable || e.Kind == hub.TooMany) {
		c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.Retry.Seconds())))))
	}
}

// at puts the error below an element: "Bundle.entry[3].resource" and its own path.
func at(path string, err error) error {
	var e *hub.Error
	if !errors.As(err, &e) {
		return err
	}
	inner := *e
	switch {
	case inner.Path == "":
		inner.Path = path
	default:
		if _, rest, ok := strings.Cut(inner.Path, "."); ok { // the type name gives way to the place in the bundle
			inner.Path = path + ".resource." + rest
		} else {
			inner.Path = path + ".resource"
		}
	}
	return &inner
}

func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.QuoteToGraphic(s)
}
