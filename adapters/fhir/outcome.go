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

// coded is an error for which a profile asks for another code than its kind has.
type coded struct {
	error
	code string
}

func (c *coded) Unwrap() error { return c.error }

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

// mostIssues bounds an OperationOutcome; what goes beyond is counted.
const mostIssues = 500

// describe turns an error into a status and an OperationOutcome with an issue for each fault. The status is that of the
// first. Faults of ours say no more than that they are.
func describe(err error) (int, outcome) {
	o := outcome{ResourceType: "OperationOutcome"}
	var all hub.Faults
	if !errors.As(err, &all) || len(all) == 0 {
		status, i := explain(err)
		o.Issue = []issue{i}
		return status, o
	}
	first := 0
	for n, e := range all {
		status, i := explain(e)
		if n == 0 {
			first = status
		}
		if n == mostIssues {
			o.Issue = append(o.Issue, issue{Severity: "information", Code: "informational", Diagnostics: "and " + strconv.Itoa(len(all)-n) + " more"})
			break
		}
		o.Issue = append(o.Issue, i)
	}
	return first, o
}

func explain(err error) (int, issue) {
	kind := hub.KindOf(err)
	p := problems[kind]
	i := issue{Severity: "error", Code: p.code}
	var other *coded
	if errors.As(err, &other) {
		i.Code = other.code
	}
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
	return p.status, i
}

func (o *outcome) json() []byte {
	raw, _ := json.Marshal(o) // strings always have a JSON form
	return raw
}

// WriteError answers with the OperationOutcome of err. It is the group's error writer too.
func WriteError(c *gin.Context, err error) {
	status, o := describe(err)
	writeOutcome(c, err, status, &o)
}

// refuseAll answers for a transaction of which nothing was done. What one of its entries does not find or may not do there
// says nothing about the address that the bundle was sent to, so the status is 400 (R4 http.html#transaction-response).
func refuseAll(c *gin.Context, err error) {
	status, o := describe(err)
	switch status {
	case http.StatusNotFound, http.StatusGone, http.StatusMethodNotAllowed:
		status = http.StatusBadRequest
	}
	writeOutcome(c, err, status, &o)
}

func writeOutcome(c *gin.Context, err error, status int, o *outcome) {
	if status >= 500 && status != http.StatusServiceUnavailable {
		slog.Error("request", "method", c.Request.Method, "route", c.FullPath(), "err", err)
	}
	retryAfter(c, err)
	writeResource(c, status, o.json())
	c.Abort()
}

func retryAfter(c *gin.Context, err error) {
	var e *hub.Error
	if errors.As(err, &e) && (e.Kind == hub.Unavailable || e.Kind == hub.TooMany) {
		c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.Retry.Seconds())))))
	}
}

// gather adds the faults of err to all. What is no fault of the request, such as a store that is down, comes back.
func gather(all *hub.Faults, err error) error {
	var many hub.Faults
	var one *hub.Error
	switch {
	case err == nil:
	case errors.As(err, &many):
		*all = append(*all, many...)
	case errors.As(err, &one) && one.Kind != hub.Internal && one.Kind != hub.Corrupt && one.Kind != hub.Unavailable:
		*all = append(*all, one)
	default:
		return err
	}
	return nil
}

// headers are what an error may have as its path that is no element, with the element of a bundle's entry that stands for it.
var headers = map[string]string{"If-Match": ".request.ifMatch", "If-None-Match": ".request.ifNoneMatch", "If-None-Exist": ".request.ifNoneExist", "method": ".request.method"}

// at puts an error below an entry of a bundle: its path "Patient.name" becomes "Bundle.entry[3].resource.name".
func at(path string, err error) error {
	return moved(err, func(inner string) string {
		if header, ok := headers[inner]; ok {
			return path + header
		}
		if inner == "" {
			return path
		}
		if i := strings.IndexAny(inner, ".["); i >= 0 { // the type gives way to the place in the bundle
			return path + ".resource" + inner[i:]
		}
		return path + ".resource"
	})
}

// atRequest puts an error at a part of an entry's request.
func atRequest(path, part string, err error) error {
	return moved(err, func(string) string { return path + ".request." + part })
}

// moved gives every fault of err another path.
func moved(err error, to func(path string) string) error {
	var many hub.Faults
	var one *hub.Error
	switch {
	case errors.As(err, &many):
		all := make(hub.Faults, len(many))
		for i, e := range many {
			inner := *e
			inner.Path = to(inner.Path)
			all[i] = &inner
		}
		return all
	case errors.As(err, &one):
		inner := *one
		inner.Path = to(inner.Path)
		return &inner
	}
	return err
}

func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.QuoteToGraphic(s)
}
