package integration

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/messages"
)

// line is a message in a list.
type line struct {
	ID       string           `json:"id"`
	Member   string           `json:"member"`
	Format   string           `json:"format"`
	Type     string           `json:"type,omitempty"`
	Sender   string           `json:"sender,omitempty"`
	Control  string           `json:"control,omitempty"`
	Sent     time.Time        `json:"sent,omitzero"`
	Received time.Time        `json:"received"`
	Status   messages.Status  `json:"status"`
	Mapping  string           `json:"mapping,omitempty"`
	Patients []string         `json:"patients,omitempty"`
	Faults   []messages.Fault `json:"faults,omitempty"`
	Size     int64            `json:"size"`
	Made     int              `json:"made"`
	Unmapped int              `json:"unmapped"`
	Attempts int              `json:"attempts"`
}

func lineOf(m *messages.Message) line {
	return line{m.ID, m.Member, m.Format, m.Type, m.Sender, m.Control, m.Sent, m.Received, m.Status, m.Mapping, m.Patients, m.Faults, m.Size,
		len(m.Made), len(m.Unmapped), len(m.Earlier) + 1}
}

// search answers GET /messages.
func (s *Server) search(c *gin.Context, who access.Caller) error {
	f, limit, err := filterOf(c, "_count", "_after", "_total")
	if err != nil {
		return err
	}
	after, err := positionOf(c.Query("_after"))
	if err != nil {
		return err
	}
	page, err := s.Log.Search(c.Request.Context(), who, f, after, limit, c.Query("_total") == "true")
	if err != nil {
		return err
	}
	out := struct {
		Total    *int64 `json:"total,omitempty"`
		Messages []line `json:"messages"`
		After    string `json:"after,omitempty"` // as _after for the next page
	}{Messages: []line{}}
	for i := range page.Messages {
		out.Messages = append(out.Messages, lineOf(&page.Messages[i]))
	}
	if page.Total >= 0 {
		out.Total = &page.Total
	}
	if page.Next != nil {
		raw, _ := json.Marshal(page.Next)
		out.After = base64.RawURLEncoding.EncodeToString(raw)
	}
	c.JSON(http.StatusOK, out)
	return nil
}

// filterOf reads the parameters of a filter; others than these and also must not be there.
func filterOf(c *gin.Context, also ...string) (f messages.Filter, limit int, err error) {
	limit = 50
	texts := map[string]*string{"member": &f.Member, "format": &f.Format, "type": &f.Type, "sender": &f.Sender, "control": &f.Control,
		"patient": &f.Patient, "made": &f.Made, "status": &f.Status}
	times := map[string]*time.Time{"since": &f.Since, "until": &f.Until}
	for name, values := range c.Request.URL.Query() {
		switch {
		case texts[name] != nil:
			*texts[name] = values[0]
		case times[name] != nil:
			if *times[name], err = timeOf(name, values[0]); err != nil {
				return f, 0, err
			}
		case name == "_count":
			if limit, err = strconv.Atoi(values[0]); err != nil || limit < 1 || limit > 500 {
				return f, 0, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is 1 to 500"}
			}
		default:
			known := false
			for _, a := range also {
				known = known || a == name
			}
			if !known {
				return f, 0, &hub.Error{Kind: hub.Invalid, Path: quote(name), Msg: "there is no such parameter here"}
			}
		}
		if len(values) > 1 {
			return f, 0, &hub.Error{Kind: hub.Invalid, Path: quote(name), Msg: "is given more than once"}
		}
	}
	return f, limit, checkStatus(f.Status)
}

// checkStatus refuses words that no message ends as, for a list of nothing would look like an answer.
func checkStatus(some string) error {
	for status := range strings.SplitSeq(some, ",") {
		switch messages.Status(status) {
		case "", messages.Mapped, messages.Late, messages.Dead, messages.Refused:
		default:
			return &hub.Error{Kind: hub.Invalid, Path: "status", Msg: quote(status) + " is none", Hint: "mapped, late, dead, refused, or several with commas"}
		}
	}
	return nil
}

func quote(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return strconv.Quote(s)
}

// timeOf reads a time, or a date, which begins at midnight UTC.
func timeOf(name, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is a time such as 2026-03-01T08:00:00Z, or a date"}
}

func positionOf(cursor string) (*hub.Position, error) {
	if cursor == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	at := &hub.Position{}
	if err != nil || json.Unmarshal(raw, at) != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "_after", Msg: "is not what a page gave", Hint: "start again from the first page"}
	}
	return at, nil
}

// mostShown is how large a message may be to be shown beside the rest.
const mostShown = 1 << 20

// detail is one message: as sent, what it was made into, and what its sender was told.
type detail struct {
	line
	Charset string `json:"charset,omitempty"`
	Media   string `json:"media,omitempty"`
	SHA256  string `json:"sha256"`
	Differs string `json:"differs,omitempty"`
	// Text is the message as sent, decoded; Bytes are there where it is no text. Both are left out where it is larger than a
	// megabyte: /raw has it.
	Text      *string            `json:"text,omitempty"`
	Bytes     []byte             `json:"bytes,omitempty"`
	Answer    messages.Bytes     `json:"answer,omitempty"`
	Made      []string           `json:"madeNames,omitempty"`
	Removed   []string           `json:"removed,omitempty"`
	Unmapped  []messages.Code    `json:"unmappedCodes,omitempty"`
	Unread    []string           `json:"unread,omitempty"`
	Resources []json.RawMessage  `json:"resources"` // as they are now
	Earlier   []messages.Attempt `json:"superseded,omitempty"`
}

// message answers GET /messages/id.
func (s *Server) message(c *gin.Context, who access.Caller) error {
	ctx := c.Request.Context()
	m, err := s.Log.Message(ctx, who, c.Param("id"))
	if err != nil {
		return err
	}
	recs, err := s.Log.Resources(ctx, who, &m)
	if err != nil {
		return err
	}
	out := s.detailOf(&m)
	for i := range recs {
		out.Resources = append(out.Resources, recs[i].Body)
	}
	if m.Size <= mostShown {
		raw, err := s.Log.Raw(ctx, who, &m)
		if err != nil {
			return err
		}
		text, ok := s.Text(&m, raw)
		switch {
		case ok:
			out.Text = &text
		case utf8.Valid(raw):
			text = string(raw)
			out.Text = &text
		default:
			out.Bytes = raw
		}
	}
	c.JSON(http.StatusOK, out)
	return nil
}

func (s *Server) detailOf(m *messages.Message) detail {
	return detail{line: lineOf(m), Charset: m.Charset, Media: m.Media, SHA256: m.SHA256, Differs: m.Differs, Answer: m.Answer,
		Made: m.Made, Removed: m.Removed, Unmapped: m.Unmapped, Unread: m.Unread, Resources: []json.RawMessage{}, Earlier: m.Earlier}
}

// raw answers GET /messages/id/raw with the bytes as they were sent. A browser must not take them for a page.
func (s *Server) raw(c *gin.Context, who access.Caller) error {
	m, err := s.Log.Message(c.Request.Context(), who, c.Param("id"))
	if err != nil {
		return err
	}
	raw, err := s.Log.Raw(c.Request.Context(), who, &m)
	if err != nil {
		return err
	}
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Content-Disposition", `attachment; filename="message"`)
	c.Data(http.StatusOK, "application/octet-stream", raw)
	return nil
}

// failures answers GET /failures.
func (s *Server) failures(c *gin.Context, who access.Caller) error {
	f, _, err := filterOf(c)
	if err != nil {
		return err
	}
	out, err := s.Log.Failures(c.Request.Context(), who, f)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, out)
	return nil
}
