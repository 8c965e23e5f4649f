package hl7v2

import (
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/hl7"
)

// Mount puts POST on a group that has authenticated its callers: a message, or a batch, is answered with its
// acknowledgement, whatever that says. The status tells of the hub: 200 with an answer; 204 if the sender asked for none;
// 503 and 429 with Retry-After, an answer too, where the same may be sent again.
func (s *Server) Mount(group *gin.RouterGroup) {
	group.POST("", func(c *gin.Context) {
		if err := s.post(c); err != nil {
			WriteError(c, err)
		}
	})
}

func (s *Server) post(c *gin.Context) error {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != MediaType && kind != "application/hl7-v2" && kind != "text/plain" {
		return &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "this address takes HL7 v2 messages", Hint: "send " + MediaType + " or text/plain"}
	}
	caller, ok := access.CallerFrom(c.Request.Context())
	if !ok {
		return &hub.Error{Kind: hub.Unauthenticated, Msg: "the request carries no credential"}
	}
	if err := caller.May(access.Create|access.Update, "*"); err != nil {
		return err // a message makes resources of many types
	}
	most := int64(s.Limits.Message)
	if c.Request.ContentLength > most {
		return tooLarge(most)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, most))
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		return tooLarge(most)
	}
	if err != nil {
		return &hub.Error{Kind: hub.Invalid, Msg: "the body could not be read to its end", Err: err}
	}
	from := origin{ViaHTTP, func(hl7.Header) (access.Caller, error) { return caller, nil }}
	answers, worst := s.receiveAll(c.Request.Context(), from, unframed(raw))
	var body []byte
	for _, a := range answers {
		body = append(body, a...)
	}
	status := http.StatusOK
	if worst.err != nil {
		status = statusOf(worst.err)
		retryAfter(c, worst.err)
	}
	if len(body) == 0 && status == http.StatusOK {
		c.Status(http.StatusNoContent)
		return nil
	}
	c.Data(status, kind, body)
	return nil
}

// WriteError answers a request that never was a message, in JSON.
func WriteError(c *gin.Context, err error) {
	body := struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{hub.KindOf(err).String(), faultsOf(err)[0].Text}
	retryAfter(c, err)
	c.JSON(statusOf(err), body)
}

func statusOf(err error) int {
	switch hub.KindOf(err) {
	case hub.Unavailable:
		return http.StatusServiceUnavailable
	case hub.TooMany:
		return http.StatusTooManyRequests
	case hub.Unauthenticated:
		return http.StatusUnauthorized
	case hub.Forbidden:
		return http.StatusForbidden
	case hub.TooLarge:
		return http.StatusRequestEntityTooLarge
	case hub.Invalid:
		return http.StatusBadRequest
	case hub.Unprocessable:
		return http.StatusUnprocessableEntity
	case hub.Conflict:
		return http.StatusConflict
	case hub.Unsupported:
		return http.StatusUnsupportedMediaType
	}
	return http.StatusInternalServerError
}

func retryAfter(c *gin.Context, err error) {
	var e *hub.Error
	if errors.As(err, &e) && (e.Kind == hub.Unavailable || e.Kind == hub.TooMany) {
		c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.Retry.Seconds())))))
	}
}

func tooLarge(most int64) error {
	return &hub.Error{Kind: hub.TooLarge, Msg: "the body has more than " + strconv.FormatInt(most, 10) + " bytes"}
}

// unframed takes the frame off that some senders put round a message over HTTP too.
func unframed(raw []byte) []byte {
	if n := len(raw); n > 2 && raw[0] == 0x0b && raw[n-2] == 0x1c && raw[n-1] == '\r' {
		return raw[1 : n-2]
	}
	return raw
}
