package recognition

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/recognition/register"
	"concord/internal/fhir"
)

// catalogue answers GET /catalogue?at=…: the rows at a moment, now unless it is said, and the version then.
func (s *server) catalogue(c *gin.Context, _ access.Caller) (any, error) {
	at, err := s.moment(c, "at")
	if err != nil {
		return nil, err
	}
	return gin.H{"version": s.version(at), "items": s.Register.Items(at)}, nil
}

func (s *server) version(at time.Time) string {
	if at.IsZero() {
		return s.Register.Catalogue().Version
	}
	return s.Register.InForce(at).Version
}

// item answers GET /catalogue/{id}?at=…: one row, and the releases that changed it; as FHIR where that is asked for.
func (s *server) item(c *gin.Context, _ access.Caller) (any, error) {
	at, err := s.moment(c, "at")
	if err != nil {
		return nil, err
	}
	one, err := s.Register.Item(c.Param("id"), at)
	if err != nil {
		return nil, err
	}
	if c.NegotiateFormat("application/json", "application/fhir+json") == "application/fhir+json" {
		c.Data(http.StatusOK, "application/fhir+json", one.Row.Resource(one.By, one.Retired))
		return nil, nil
	}
	history := []summary{}
	for _, p := range s.Register.History(c.Param("id")) {
		history = append(history, summarise(p))
	}
	return gin.H{"version": s.version(at), "item": one, "history": history}, nil
}

// summary is a proposal without what it changes.
type summary struct {
	ID        string           `json:"id"`
	State     string           `json:"state"`
	By        register.Person  `json:"by"`
	At        time.Time        `json:"at"`
	Reason    string           `json:"reason"`
	Effective time.Time        `json:"effective,omitzero"`
	Base      int              `json:"base"`
	Reverts   int              `json:"reverts,omitempty"`
	Changes   int              `json:"changes"`
	Ruling    *register.Ruling `json:"ruling,omitempty"`
}

func summarise(p *register.Proposal) summary {
	return summary{p.ID, p.State(), p.By, p.At, p.Reason, p.Effective, p.Base, p.Reverts, len(p.Changes), p.Ruling}
}

// detail is a summary with what the proposal changes, for people; More is how many changes are not told.
type detail struct {
	summary
	Differences []register.Difference `json:"differences"`
	More        int                   `json:"more,omitempty"`
	Conflicts   []string              `json:"conflicts,omitempty"`
}

func (s *server) detail(p *register.Proposal, most int) detail {
	d := detail{summary: summarise(p), Differences: []register.Difference{}}
	if shown := *p; len(p.Changes) > most {
		shown.Changes, d.More = p.Changes[:most], len(p.Changes)-most
		d.Differences = s.Register.Differences(&shown)
	} else if len(p.Changes) > 0 {
		d.Differences = s.Register.Differences(p)
	}
	if p.Ruling == nil {
		d.Conflicts = s.Register.Conflicts(p)
	}
	return d
}

// shown is how many changes are told where the caller asks for no number.
const shown = 200

// proposals answers GET /proposals?state=open.
func (s *server) proposals(c *gin.Context, _ access.Caller) (any, error) {
	state := c.Query("state")
	switch state {
	case "", "open", "released", "rejected", "withdrawn":
	default:
		return nil, &hub.Error{Kind: hub.Invalid, Path: "state", Msg: "is one of open, released, rejected, withdrawn"}
	}
	most, err := number(c, "count", shown, 10_000)
	if err != nil {
		return nil, err
	}
	list, total := []summary{}, 0
	for _, p := range s.Register.Proposals(state) {
		if total++; len(list) < most {
			list = append(list, summarise(p))
		}
	}
	return gin.H{"proposals": list, "total": total}, nil
}

// proposal answers GET /proposals/{id}?count=….
func (s *server) proposal(c *gin.Context, _ access.Caller) (any, error) {
	most, err := number(c, "count", shown, 100_000)
	if err != nil {
		return nil, err
	}
	p, err := s.Register.Proposal(c.Param("id"))
	if err != nil {
		return nil, err
	}
	return s.detail(p, most), nil
}

// request is what a proposal is made of: changes, or resources as /fhir has them, edited.
type request struct {
	Reason    string            `json:"reason"`
	Effective string            `json:"effective"`
	Changes   []register.Change `json:"changes"`
	Resources []resource        `json:"resources"`
}

// resource is read by the FHIR reader, and not before the rest of the request has been.
type resource []byte

// UnmarshalJSON keeps the text.
func (r *resource) UnmarshalJSON(text []byte) error {
	*r = append((*r)[:0], text...)
	return nil
}

// propose answers POST /proposals.
func (s *server) propose(c *gin.Context, who access.Caller) (any, error) {
	var in request
	if err := body(c, &in); err != nil {
		return nil, err
	}
	q := register.Request{Reason: in.Reason, Changes: in.Changes}
	if in.Effective != "" {
		at, err := s.readMoment("effective", in.Effective)
		if err != nil {
			return nil, err
		}
		q.Effective = at
	}
	for i, text := range in.Resources {
		doc, err := fhir.Parse(text, fhir.Limits{})
		if err != nil {
			return nil, err
		}
		change, err := register.ReadResource(doc)
		if err != nil {
			return nil, at("resources", i, err)
		}
		q.Changes = append(q.Changes, change)
	}
	return s.proposed(c, who, func() (*register.Proposal, error) { return s.Register.Propose(c.Request.Context(), who, q) })
}

func at(list string, i int, err error) error {
	return &hub.Error{Kind: hub.KindOf(err), Path: list + "[" + strconv.Itoa(i) + "]", Msg: "is no resource of the register", Err: err}
}

// proposed answers with the proposal that came of a request; where it would change nothing there is none.
func (s *server) proposed(c *gin.Context, who access.Caller, do func() (*register.Proposal, error)) (any, error) {
	p, err := do()
	if err != nil {
		return nil, err
	}
	if p.ID == "" {
		return gin.H{"state": "unchanged", "changes": 0}, nil
	}
	if err := s.note(c, who, audit.Create, p.ID); err != nil {
		return nil, err
	}
	c.Header("Location", "/recognition/proposals/"+p.ID)
	c.JSON(http.StatusCreated, s.detail(p, shown))
	return nil, nil
}

var verdicts = map[string]register.Verdict{"release": register.Released, "reject": register.Rejected, "withdraw": register.Withdrawn}

// rule answers POST /proposals/{id}/release, …/reject and …/withdraw.
func (s *server) rule(c *gin.Context, who access.Caller) (any, error) {
	verdict, ok := verdicts[c.Param("verdict")]
	if !ok {
		return nil, &hub.Error{Kind: hub.NotFound, Path: "verdict", Msg: "a proposal is released, rejected or withdrawn", Hint: "release, reject, withdraw"}
	}
	var in struct {
		Reason string `json:"reason"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	p, err := s.Register.Rule(c.Request.Context(), who, c.Param("id"), verdict, in.Reason)
	if err != nil {
		return nil, err
	}
	return gin.H{"version": s.Register.Catalogue().Version, "proposal": summarise(p)}, s.note(c, who, audit.Update, p.ID)
}

// releases answers GET /releases.
func (s *server) releases(*gin.Context, access.Caller) (any, error) {
	list := []summary{}
	for _, p := range s.Register.Releases() {
		list = append(list, summarise(p))
	}
	return gin.H{"version": s.Register.Catalogue().Version, "releases": list}, nil
}

func (s *server) release(c *gin.Context, _ access.Caller) (any, error) {
	n, err := releaseNumber(c)
	if err != nil {
		return nil, err
	}
	for _, p := range s.Register.Releases() {
		if p.Ruling.Number == n {
			return s.detail(p, shown), nil
		}
	}
	return nil, &hub.Error{Kind: hub.NotFound, Path: "number", Msg: "there is no such release"}
}

// rollBack answers POST /releases/{number}/rollback: it proposes what takes the release back.
func (s *server) rollBack(c *gin.Context, who access.Caller) (any, error) {
	n, err := releaseNumber(c)
	if err != nil {
		return nil, err
	}
	var in struct {
		Reason string `json:"reason"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.proposed(c, who, func() (*register.Proposal, error) { return s.Register.RollBack(c.Request.Context(), who, n, in.Reason) })
}

func releaseNumber(c *gin.Context) (int, error) {
	n, err := strconv.Atoi(c.Param("number"))
	if err != nil || n < 1 {
		return 0, &hub.Error{Kind: hub.Invalid, Path: "number", Msg: "releases are numbered from 1"}
	}
	return n, nil
}
