package cdshooks

import (
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition/ledger"
	"concord/internal/fhir"
)

// Limits of feedback.
const (
	mostFeedback = 100
	mostComment  = 200 // characters
)

// feedback takes what the doctors made of cards (CDS Hooks 2.0, Feedback). All of it is checked before any is kept.
func (s *server) feedback(c *gin.Context) {
	if err := s.keepFeedback(c); err != nil {
		WriteError(c, err)
		return
	}
	c.Status(http.StatusOK)
}

func (s *server) keepFeedback(c *gin.Context) error {
	if _, ok := services()[c.Param("service")]; !ok {
		return &hub.Error{Kind: hub.NotFound, Path: "service", Msg: "there is no such service", Hint: "GET /cds-services lists them"}
	}
	who, _ := access.CallerFrom(c.Request.Context())
	if err := who.May(access.Search, "ServiceRequest"); err != nil {
		return err
	}
	root, err := s.readJSON(c.Request)
	if err != nil {
		return err
	}
	list := root.Get("feedback")
	if list.Kind() != fhir.Array {
		return invalid("feedback", "feedback is an array")
	}
	var all []ledger.Feedback
	for one := range list.Items() {
		if len(all) == mostFeedback {
			return &hub.Error{Kind: hub.TooLarge, Path: "feedback", Msg: fmt.Sprintf("more than %d entries were sent at a time", mostFeedback)}
		}
		f, err := s.readFeedback(fmt.Sprintf("feedback[%d]", len(all)), one)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return invalid("feedback", "feedback has one entry at least")
	}
	if s.Ledger == nil {
		return &hub.Error{Kind: hub.Unsupported, Path: "feedback", Msg: "this hub keeps no feedback"}
	}
	for _, f := range all {
		if err := s.Ledger.Feedback(c.Request.Context(), who, f); err != nil {
			return err
		}
	}
	return nil
}

// readFeedback reads one entry.
func (s *server) readFeedback(path string, v fhir.Value) (f ledger.Feedback, err error) {
	if f.Card = v.Get("card").Text(); !uuidGrammar.MatchString(f.Card) {
		return f, invalid(path+".card", "card is the uuid of a card")
	}
	if f.At, err = time.Parse(time.RFC3339, v.Get("outcomeTimestamp").Text()); err != nil {
		return f, invalid(path+".outcomeTimestamp", "outcomeTimestamp is a time in UTC as RFC 3339 writes it")
	}
	switch f.Outcome = ledger.Outcome(v.Get("outcome").Text()); f.Outcome {
	case ledger.Accepted:
		return f, accepted(path+".acceptedSuggestions", v.Get("acceptedSuggestions"))
	case ledger.Overridden:
		return f, overridden(path+".overrideReason", v.Get("overrideReason"), &f)
	}
	return f, invalid(path+".outcome", "outcome is accepted or overridden")
}

func accepted(path string, v fhir.Value) error {
	i := 0
	for one := range v.Items() {
		if !uuidGrammar.MatchString(one.Get("id").Text()) {
			return invalid(fmt.Sprintf("%s[%d].id", path, i), "id is the uuid of a suggestion")
		}
		i++
	}
	if v.Kind() != fhir.Array || i == 0 {
		return invalid(path, "what was accepted is missing")
	}
	return nil
}

// overridden reads a reason, which a doctor need not give.
func overridden(path string, v fhir.Value, f *ledger.Feedback) error {
	if v.Kind() == fhir.Absent {
		return nil
	}
	if v.Kind() != fhir.Object {
		return invalid(path, "overrideReason is an object")
	}
	if reason := v.Get("reason"); reason.Kind() != fhir.Absent {
		if f.Reason = reason.Get("code").Text(); f.Reason == "" || len(f.Reason) > 64 {
			return invalid(path+".reason.code", "a reason has a code of at most 64 bytes")
		}
	}
	if f.Text = v.Get("userComment").Text(); utf8.RuneCountInString(f.Text) > mostComment {
		return &hub.Error{Kind: hub.Invalid, Path: path + ".userComment", Msg: fmt.Sprintf("the comment is longer than %d characters", mostComment)}
	}
	return nil
}
