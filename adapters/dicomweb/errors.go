package dicomweb

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
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
	hub.Unprocessable:      http.StatusConflict,
	hub.Conflict:           http.StatusConflict,
	hub.PreconditionFailed: http.StatusPreconditionFailed,
	hub.MultipleMatches:    http.StatusConflict,
	hub.TooLarge:           http.StatusRequestEntityTooLarge,
	hub.Unauthenticated:    http.StatusUnauthorized,
	hub.Forbidden:          http.StatusForbidden,
	hub.Unsupported:        http.StatusNotAcceptable,
	hub.TooMany:            http.StatusTooManyRequests,
	hub.Unavailable:        http.StatusServiceUnavailable,
	hub.Exists:             http.StatusConflict,
	hub.Corrupt:            http.StatusInternalServerError,
	hub.TooCostly:          http.StatusRequestEntityTooLarge,
}

// WriteError answers with a status and a small JSON problem. It is the group's error writer too.
func WriteError(c *gin.Context, err error) {
	kind := hub.KindOf(err)
	status := statuses[kind]
	msg := "the hub met a fault of its own; it is in its log"
	var e *hub.Error
	if kind != hub.Internal && kind != hub.Corrupt && errors.As(err, &e) {
		msg = e.Msg
		if e.Path != "" {
			msg = e.Path + ": " + msg
		}
		if kind == hub.Unsupported { // PS3.18 table 8.5-1
			switch e.Path {
			case "Content-Type", "Content-Encoding":
				status = http.StatusUnsupportedMediaType
			case "method":
				status = http.StatusMethodNotAllowed
			}
		}
		if e == errRange {
			status = http.StatusRequestedRangeNotSatisfiable
		}
		if e.Hint != "" {
			msg += " (" + e.Hint + ")"
		}
		if e.Kind == hub.Unavailable || e.Kind == hub.TooMany {
			c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.Retry.Seconds())))))
		}
	} else {
		slog.Error("request", "method", c.Request.Method, "route", c.FullPath(), "err", err)
	}
	body, _ := json.Marshal(map[string]any{"status": status, "error": kind.String(), "message": msg})
	c.Header("Content-Type", "application/json")
	c.Writer.WriteHeader(status)
	c.Writer.Write(body)
	c.Abort()
}

// notMade tells a fault of stored data as what it is to a client whose request is right: this representation of the instance
// cannot be made (406, PS3.18 10.4.3), while another, such as its stored bytes, may.
func notMade(err error) error {
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind != hub.Invalid || e.Path == "window" || e.Path == "viewport" {
		return err
	}
	return &hub.Error{Kind: hub.Unsupported, Path: e.Path, Msg: e.Msg, Hint: cmp.Or(e.Hint, "retrieve it as stored, with transfer-syntax=*"), Err: err}
}

// Failure reasons of STOW-RS (PS3.18 table I.2-2) and one warning (table I.2-1), as (0008,1197) and (0008,1196).
const (
	reasonProcessing       = 0x0110
	reasonSOPClass         = 0x0122 // not one that is stored
	reasonNotAuthorized    = 0x0124
	reasonOutOfResources   = 0xA700
	reasonNotSOPClass      = 0xA900 // closest: the data set does not match what it is sent to
	reasonCannotUnderstand = 0xC000
	reasonTransferSyntax   = 0xC122
	warningOtherBytesKept  = 0xB000 // closest: what is shown is not what was sent
	warningDiffers         = 0xB007 // closest: the data set does not match
)

// reasonOf is the failure reason of an instance that was refused.
func reasonOf(err error) int {
	var e *hub.Error
	errors.As(err, &e)
	switch hub.KindOf(err) {
	case hub.Unsupported:
		switch e.Path {
		case "MediaStorageSOPClassUID", "SOPClassUID":
			return reasonSOPClass
		case "TransferSyntaxUID":
			return reasonTransferSyntax
		}
		return reasonCannotUnderstand
	case hub.Invalid, hub.TooLarge: // of no use to send it again
		return reasonCannotUnderstand
	case hub.Forbidden:
		return reasonNotAuthorized
	case hub.Unprocessable:
		return reasonNotSOPClass
	case hub.Unavailable, hub.TooMany:
		return reasonOutOfResources
	}
	return reasonProcessing
}
