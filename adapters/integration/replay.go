package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/messages"
	"concord/internal/webbody"
	"concord/internal/webfault"
)

// note puts something done with messages into the trail, before it is done.
func (s *Server) note(c *gin.Context, who access.Caller, a audit.Action, query string, names ...hub.Name) error {
	return s.Trail.Note(c.Request.Context(), audit.Event{Action: a, Member: who.Member, Token: who.TokenID, Type: messages.Type, Names: names, Query: query, Count: len(names)})
}

// replay answers POST /messages/id/replay: the message as it is kept now. With dryRun=true it is a preview.
func (s *Server) replay(c *gin.Context, who access.Caller) error {
	name := hub.Name{Type: messages.Type, ID: c.Param("id")}
	if c.Query("dryRun") == "true" {
		if err := s.note(c, who, audit.Read, "dryRun", name); err != nil {
			return err
		}
		p, err := s.Intake.PreviewAgain(c.Request.Context(), who, name.ID)
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, previewed{outcomeOf(&p.Message), p})
		return nil
	}
	if err := s.note(c, who, audit.Update, "replay", name); err != nil {
		return err
	}
	m, err := s.Intake.Replay(c.Request.Context(), who, name.ID, who.Member)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, s.detailOf(&m))
	return nil
}

// outcome is how a mapping ended.
type outcome struct {
	Status   messages.Status  `json:"status"`
	Mapping  string           `json:"mapping,omitempty"`
	Faults   []messages.Fault `json:"faults,omitempty"`
	Unmapped []messages.Code  `json:"unmappedCodes,omitempty"`
	Unread   []string         `json:"unread,omitempty"`
}

func outcomeOf(m *messages.Message) outcome {
	return outcome{m.Status, m.Mapping, m.Faults, m.Unmapped, m.Unread}
}

type previewed struct {
	outcome
	messages.Preview
}

// preview answers POST /map?format=F&member=M: what the message in the body would come to. Nothing is kept.
func (s *Server) preview(c *gin.Context, who access.Caller) error {
	member := c.DefaultQuery("member", who.Member)
	if member != who.Member {
		if err := who.MayIntegrate(); err != nil {
			return err
		}
	} else if who.MayIntegrate() != nil {
		if err := who.May(access.Read, messages.RightType); err != nil {
			return err
		}
	}
	body, err := webbody.Reader(c.Request, s.MaxMessage)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	inc := s.Read(c.DefaultQuery("format", "hl7v2"), raw)
	p, err := s.Intake.Preview(c.Request.Context(), access.NewCaller(member, access.AllResources, who.TokenID), inc)
	if err != nil {
		return err
	}
	var changed []hub.Name // whose present content the differences tell
	for i := range p.Differences {
		if p.Differences[i].How == "changed" {
			changed = append(changed, p.Differences[i].ID())
		}
	}
	if err := s.note(c, who, audit.Read, "map", changed...); err != nil {
		return err
	}
	c.JSON(http.StatusOK, previewed{outcomeOf(&p.Message), p})
	return nil
}

// replayAsked is the body of POST /replays.
type replayAsked struct {
	messages.Filter
	// Since and Until are the Filter's as they are asked for: times or dates.
	Since string  `json:"since"`
	Until string  `json:"until"`
	Rate  float64 `json:"rate"` // messages a second; 0: the default
	// DryRun previews instead, at most Limit messages, 0: 1,000.
	DryRun bool `json:"dryRun"`
	Limit  int  `json:"limit"`
}

// times puts the times that are asked for into the Filter.
func (a *replayAsked) times() (err error) {
	if a.Since != "" {
		a.Filter.Since, err = timeOf("since", a.Since)
	}
	if a.Until != "" && err == nil {
		a.Filter.Until, err = timeOf("until", a.Until)
	}
	return err
}

// startReplay answers POST /replays: a job that goes on by itself, or, with dryRun, a line of JSON for each message that would
// change and one with the sum.
func (s *Server) startReplay(c *gin.Context, who access.Caller) error {
	body, err := webbody.Reader(c.Request, 64<<10)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	asked := replayAsked{}
	if err := strict(data, &asked); err != nil {
		return err
	}
	if err := checkStatus(asked.Status); err != nil {
		return err
	}
	if err := asked.times(); err != nil {
		return err
	}
	if asked.DryRun {
		return s.tryAll(c, who, &asked)
	}
	if err := s.note(c, who, audit.Update, "replays"); err != nil {
		return err
	}
	j, err := s.Jobs.Start(c.Request.Context(), who, asked.Filter, asked.Rate)
	if err != nil {
		return err
	}
	c.Header("Location", "/integration/replays/"+j.ID)
	c.JSON(http.StatusAccepted, j)
	return nil
}

// tried is a line of a dry run.
type tried struct {
	ID       string           `json:"id"`
	Member   string           `json:"member"`
	Type     string           `json:"type"`
	Control  string           `json:"control"`
	Received time.Time        `json:"received"`
	Was      messages.Status  `json:"was"`
	Status   messages.Status  `json:"status"`
	Faults   []messages.Fault `json:"faults,omitempty"`

	Differences []messages.Difference `json:"differences"`
}

// trySum is the last line of a dry run.
type trySum struct {
	Seen      int            `json:"seen"`
	Differ    int            `json:"differ"`
	Resources map[string]int `json:"resources"` // by how they would change
	Statuses  map[string]int `json:"statuses"`  // "dead → mapped"
	More      bool           `json:"more,omitempty"`
}

func (s *Server) tryAll(c *gin.Context, who access.Caller, asked *replayAsked) error {
	limit := asked.Limit
	if limit <= 0 {
		limit = 1000
	}
	if limit > 100_000 {
		return &hub.Error{Kind: hub.Invalid, Path: "limit", Msg: "is at most 100000"}
	}
	if err := s.note(c, who, audit.Read, "dryRun"); err != nil {
		return err
	}
	sum := trySum{Resources: map[string]int{}, Statuses: map[string]int{}}
	out := json.NewEncoder(c.Writer)
	err := s.Jobs.Try(c.Request.Context(), who, asked.Filter, func(before *messages.Message, p messages.Preview) bool {
		if sum.Seen == limit {
			sum.More = true
			return false
		}
		sum.Seen++
		if len(p.Differences) == 0 && before.Status == p.Message.Status {
			return true
		}
		sum.Differ++
		for _, d := range p.Differences {
			sum.Resources[d.How]++
		}
		if before.Status != p.Message.Status {
			sum.Statuses[string(before.Status)+" → "+string(p.Message.Status)]++
		}
		c.Header("Content-Type", "application/x-ndjson")
		return out.Encode(tried{before.ID, before.Member, before.Type, before.Control, before.Received, before.Status, p.Message.Status, p.Message.Faults, p.Differences}) == nil
	})
	if err != nil {
		if !c.Writer.Written() {
			return err
		}
		c.Error(err)
		return out.Encode(webfault.Fault{Error: hub.KindOf(err).String(), Message: "the dry run ended here"})
	}
	c.Header("Content-Type", "application/x-ndjson")
	return out.Encode(sum)
}

// strict reads JSON and refuses members that are not known.
func strict(data []byte, v any) error {
	if len(data) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &hub.Error{Kind: hub.Invalid, Path: "body", Msg: "is a JSON object of restrictions, rate, dryRun and limit", Hint: "see docs/integration.md"}
	}
	return nil
}

// replays answers GET /replays: the newest jobs.
func (s *Server) replays(c *gin.Context, who access.Caller) error {
	all, err := s.Jobs.List(c.Request.Context(), who, 100)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"replays": all})
	return nil
}

// replayOf answers GET /replays/id: how far it is.
func (s *Server) replayOf(c *gin.Context, who access.Caller) error {
	j, err := s.Jobs.Job(c.Request.Context(), who, c.Param("id"))
	if err == nil {
		c.JSON(http.StatusOK, j)
	}
	return err
}

// stopReplay answers POST /replays/id/stop.
func (s *Server) stopReplay(c *gin.Context, who access.Caller) error {
	if err := s.note(c, who, audit.Update, "replays"); err != nil {
		return err
	}
	j, err := s.Jobs.Stop(c.Request.Context(), who, c.Param("id"))
	if err == nil {
		c.JSON(http.StatusOK, j)
	}
	return err
}
