package ecg

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"concord/hub/ecg"
	"concord/internal/webbody"
)

// take answers POST /ecg: one file as the body, whatever it is; Content-Type is not looked at, since carts and browsers say
// what they like. What became of it is an OperationOutcome:
//
//	201 a recording, new          200 the same bytes were there already
//	202 kept as sent, not read    422 kept as a message, but unreadable: the reason is told
func (s *server) take(c *gin.Context) {
	body, err := webbody.Reader(c.Request, 0)
	if err != nil {
		WriteError(c, err)
		return
	}
	t, err := s.Intake.Take(c.Request.Context(), caller(c), body)
	if err != nil {
		c.Header("Connection", "close") // the rest of the body is not wanted
		WriteError(c, err)
		return
	}
	status, issues := s.account(t)
	if !t.Refused {
		c.Header("Location", s.base()+"/"+t.ID)
	}
	tell(c, status, issues...)
}

// account is what the sender is told.
func (s *server) account(t ecg.Taken) (status int, issues []issue) {
	switch {
	case t.Refused:
		return http.StatusUnprocessableEntity, []issue{{Severity: "error", Code: "invalid", Diagnostics: t.Why},
			{Severity: "information", Code: "informational", Diagnostics: "the bytes are kept as message " + t.Message}}
	case t.Opaque:
		return http.StatusAccepted, []issue{{Severity: "warning", Code: "not-supported", Diagnostics: "kept as sent and not read: " + t.Why},
			{Severity: "information", Code: "informational", Diagnostics: "the bytes are at " + s.base() + "/" + t.ID + "/original"}}
	}
	status = http.StatusCreated
	said := "the recording is at " + s.base() + "/" + t.ID
	switch {
	case t.Again:
		status, said = http.StatusOK, "these bytes were sent before; "+said
	case t.Study != "":
		said += " as soon as the study has been derived, within seconds"
	}
	issues = []issue{{Severity: "information", Code: "informational", Diagnostics: said}}
	if t.Warning != "" {
		issues = append(issues, issue{Severity: "warning", Code: "duplicate", Diagnostics: t.Warning})
	}
	return status, issues
}
