// Package identity is the door to the work list of identity, at /identity, in JSON: pairs of Patients that may be one
// person, what speaks for and against it, and the word of whoever has looked.
//
// Pairs are of Patients of all members: they are for the engineer (scope integration), who sees of each pair what the policy
// lets her read of both Patients, numbers and phones masked. A decision says why, and who it was if the token says so.
package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/identity"
	"concord/hub/identity/persons"
	"concord/hub/lookup"
	"concord/internal/fhir"
	"concord/internal/webfault"
)

// Board is the work list: persons.Board.
type Board interface {
	List(ctx context.Context, who access.Caller, f persons.Filter) ([]persons.Pair, *hub.Position, error)
	Read(ctx context.Context, who access.Caller, id string) (persons.Pair, error)
	History(ctx context.Context, who access.Caller, id string, limit int) ([]persons.Pair, error)
	Link(ctx context.Context, who access.Caller, x, y, reason string) (persons.Pair, error)
	Separate(ctx context.Context, who access.Caller, x, y, reason string) (persons.Pair, error)
	Undo(ctx context.Context, who access.Caller, x, y, reason string) (persons.Pair, error)
}

// Deps are what the adapter works with.
type Deps struct {
	Board   Board
	Reader  *lookup.Reader
	Records hub.Partition
	// Observe, where not nil, is told each decision: link, separate or undo.
	Observe func(what string)
}

// Limits of a request.
const (
	maxBody      = 64 << 10
	pairsUnasked = 50
	mostPairs    = 200
	mostRead     = 20_000 // pairs that are looked through for a page
	mostVersions = 200    // of a history
)

type server struct{ Deps }

// Mount registers the routes on an authenticated group at /identity.
func Mount(g *gin.RouterGroup, d Deps) {
	s := &server{d}
	for _, r := range []struct {
		method, path string
		answer       func(*gin.Context, access.Caller) (any, error)
	}{
		{http.MethodGet, "/pairs", s.pairs},
		{http.MethodPost, "/pairs", s.decideAny},
		{http.MethodGet, "/pairs/:id", s.pair},
		{http.MethodPost, "/pairs/:id/:decision", s.decide},
		{http.MethodGet, "/persons/:id/history", s.history},
	} {
		g.Handle(r.method, r.path, func(c *gin.Context) {
			who, _ := access.CallerFrom(c.Request.Context())
			c.Header("Cache-Control", "no-store")
			out, err := r.answer(c, who)
			if err != nil {
				webfault.Write(c, err)
				return
			}
			c.JSON(http.StatusOK, out)
		})
	}
}

// shown is a pair as JSON.
type shown struct {
	ID          string           `json:"id"`
	State       persons.State    `json:"state"`
	Verdict     identity.Verdict `json:"verdict,omitempty"`
	Grade       identity.Grade   `json:"grade,omitempty"`
	Probability float64          `json:"probability"`
	Bits        float64          `json:"bits"`
	// Rule is why the pair is in its state; Why says it in words.
	Rule     string    `json:"rule,omitempty"`
	Why      *words    `json:"why,omitempty"`
	Points   []point   `json:"points,omitempty"`
	Model    string    `json:"model,omitempty"`
	Version  uint64    `json:"version"`
	Updated  time.Time `json:"updated"`
	Decision *decision `json:"decision,omitempty"`
	Undone   *decision `json:"undone,omitempty"` // who took the last decision back
	Patients []string  `json:"patients,omitempty"`
	Sides    []side    `json:"sides,omitempty"`
}

type words struct {
	Chinese string `json:"zh"`
	English string `json:"en"`
}

type point struct {
	Field string  `json:"field"`
	Level string  `json:"level"`
	Bits  float64 `json:"bits"`
	words
}

type decision struct {
	Link   bool      `json:"link"`
	Member string    `json:"member"`
	Person string    `json:"person,omitempty"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

func show(p *persons.Pair) shown {
	e := &p.Evidence
	out := shown{ID: p.ID, State: p.State, Verdict: p.Verdict, Grade: e.Grade, Probability: e.Probability, Bits: e.Bits, Rule: p.Why, Model: e.Model,
		Version: p.Version, Updated: p.Updated.UTC(), Decision: (*decision)(p.Decision), Undone: (*decision)(p.Undone)}
	if p.Decision != nil { // it stands above what the model says, which is still told
		out.Rule = e.Rule
	}
	if out.Rule != "" {
		out.Why = (*words)(new(identity.RuleText(out.Rule)))
	}
	for _, at := range e.Points {
		out.Points = append(out.Points, point{at.Field, at.Level, at.Bits, words(at.Text())})
	}
	if p.A != "" {
		out.Patients = []string{"Patient/" + p.A, "Patient/" + p.B}
	}
	return out
}

// pairs answers GET /pairs?state=…&member=…&patient=…&limit=…&cursor=…: those that were judged last first. Without a state
// these are the ones that wait for somebody, open and contradiction.
func (s *server) pairs(c *gin.Context, who access.Caller) (any, error) {
	f := persons.Filter{State: persons.State(c.Query("state")), Member: c.Query("member"), Patient: c.Query("patient")}
	switch f.State {
	case "", persons.Open, persons.Contradiction, persons.Linked, persons.Separate, "decided":
	default:
		return nil, &hub.Error{Kind: hub.Invalid, Path: "state", Msg: "is open, contradiction, linked, separate or decided"}
	}
	if f.Patient != "" && !strings.Contains(f.Patient, "/") {
		f.Patient = "Patient/" + f.Patient
	}
	var err error
	if f.Limit, err = counted(c, "limit", pairsUnasked, mostPairs); err != nil {
		return nil, err
	}
	if f.After, err = position(c.Query("cursor")); err != nil {
		return nil, err
	}
	out, next, err := s.page(c.Request.Context(), who, f)
	if err != nil {
		return nil, err
	}
	answer := gin.H{"pairs": out}
	if next != nil {
		text, _ := json.Marshal(next) // numbers
		answer["next"] = base64.RawURLEncoding.EncodeToString(text)
	}
	return answer, nil
}

// page is a full page of pairs, or the last: how many are left out does not show.
func (s *server) page(ctx context.Context, who access.Caller, f persons.Filter) (out []shown, next *hub.Position, err error) {
	out = []shown{}
	for want, read := f.Limit, 0; ; {
		f.Limit = want - len(out)
		list, more, err := s.Board.List(ctx, who, f)
		if err != nil {
			return nil, nil, err
		}
		some, err := s.sided(ctx, who, list)
		if err != nil {
			return nil, nil, err
		}
		out, read = append(out, some...), read+len(list)
		if more == nil || len(out) >= want || read >= mostRead {
			return out, more, nil
		}
		f.After = more
	}
}

// position reads a cursor.
func position(cursor string) (*hub.Position, error) {
	if cursor == "" {
		return nil, nil
	}
	var p hub.Position
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil || len(p.Values) != 1 || len(p.Keys) > 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "cursor", Msg: "is not one that a list ended with"}
	}
	return &p, nil
}

// sided adds both sides to pairs and leaves those out of which the caller may not read both.
func (s *server) sided(ctx context.Context, who access.Caller, list []persons.Pair) ([]shown, error) {
	if err := who.May(access.Search, "Patient"); err != nil {
		return nil, err
	}
	var refs []string
	for i := range list {
		refs = append(refs, "Patient/"+list[i].A, "Patient/"+list[i].B)
	}
	recs, err := s.patients(ctx, who, refs)
	if err != nil {
		return nil, err
	}
	sides := map[string]side{}
	for i := range recs {
		if sides[recs[i].Name.ID], err = sideOf(&recs[i]); err != nil {
			return nil, err
		}
	}
	out := []shown{}
	for i := range list {
		a, is := sides[list[i].A]
		b, both := sides[list[i].B]
		if is && both {
			one := show(&list[i])
			one.Sides = []side{a, b}
			out = append(out, one)
		}
	}
	return out, nil
}

// patients reads Patients, each once, as far as the caller may.
func (s *server) patients(ctx context.Context, who access.Caller, refs []string) ([]hub.Record, error) {
	var names []hub.Name
	seen := map[string]bool{}
	for _, ref := range refs {
		if typ, id, ok := strings.Cut(ref, "/"); ok && !seen[ref] {
			seen[ref] = true
			names = append(names, hub.Name{Type: typ, ID: id})
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return s.Reader.Many(ctx, who, s.Records, names)
}

// find is a pair whose Patients the caller may read both.
func (s *server) find(ctx context.Context, who access.Caller, id string) (shown, persons.Pair, error) {
	p, err := s.Board.Read(ctx, who, id)
	if err != nil {
		return shown{}, p, err
	}
	list, err := s.sided(ctx, who, []persons.Pair{p})
	if err == nil && len(list) == 0 {
		err = &hub.Error{Kind: hub.NotFound, Path: "id", Msg: "there is no such pair"}
	}
	if err != nil {
		return shown{}, p, err
	}
	return list[0], p, nil
}

// pair answers GET /pairs/{id}: the pair, and all that was judged and said about it, newest first.
func (s *server) pair(c *gin.Context, who access.Caller) (any, error) {
	one, _, err := s.find(c.Request.Context(), who, c.Param("id"))
	if err != nil {
		return nil, err
	}
	history, err := s.Board.History(c.Request.Context(), who, one.ID, mostVersions)
	if err != nil {
		return nil, err
	}
	versions := make([]shown, len(history))
	for i := range history {
		versions[i] = show(&history[i])
	}
	return gin.H{"pair": one, "history": versions}, nil
}

// decide answers POST /pairs/{id}/link, …/separate and …/undo, with a reason.
func (s *server) decide(c *gin.Context, who access.Caller) (any, error) {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if err := who.MayIntegrate(); err != nil {
		return nil, err
	}
	_, p, err := s.find(c.Request.Context(), who, c.Param("id"))
	if err != nil {
		return nil, err
	}
	return s.decided(c.Request.Context(), who, c.Param("decision"), p.A, p.B, in.Reason)
}

// decideAny answers POST /pairs: a decision about any two Patients, also of those that nothing was judged about.
func (s *server) decideAny(c *gin.Context, who access.Caller) (any, error) {
	var in struct {
		Patients []string `json:"patients"`
		Decision string   `json:"decision"`
		Reason   string   `json:"reason"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if err := who.MayIntegrate(); err != nil {
		return nil, err
	}
	if len(in.Patients) != 2 || in.Patients[0] == in.Patients[1] {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "patients", Msg: "a decision is about two Patients", Hint: `as "Patient/a"`}
	}
	if err := who.May(access.Read, "Patient"); err != nil {
		return nil, err
	}
	recs, err := s.patients(c.Request.Context(), who, in.Patients)
	if err != nil {
		return nil, err
	}
	if len(recs) != 2 || recs[0].Name.Type != "Patient" || recs[1].Name.Type != "Patient" {
		return nil, &hub.Error{Kind: hub.NotFound, Path: "patients", Msg: "there are no such Patients"}
	}
	return s.decided(c.Request.Context(), who, in.Decision, in.Patients[0], in.Patients[1], in.Reason)
}

func (s *server) decided(ctx context.Context, who access.Caller, what, x, y, reason string) (any, error) {
	var say func(ctx context.Context, who access.Caller, x, y, reason string) (persons.Pair, error)
	switch what {
	case "link":
		say = s.Board.Link
	case "separate":
		say = s.Board.Separate
	case "undo":
		say = s.Board.Undo
	default:
		return nil, &hub.Error{Kind: hub.Invalid, Path: "decision", Msg: "is link, separate or undo"}
	}
	p, err := say(ctx, who, x, y, reason)
	if err != nil {
		return nil, err
	}
	if s.Observe != nil {
		s.Observe(what)
	}
	return gin.H{"pair": show(&p)}, nil
}

// version is one state of a person.
type version struct {
	Version  uint64    `json:"version"`
	At       time.Time `json:"at"`
	Patients []string  `json:"patients"`
	Removed  bool      `json:"removed,omitempty"`
}

// history answers GET /persons/{id}/history: which Patients a Person had when, newest first. Patients that the caller may not
// read are left out, and versions are as many as there are.
func (s *server) history(c *gin.Context, who access.Caller) (any, error) {
	for _, typ := range []string{"Person", "Patient"} {
		if err := who.May(access.Read, typ); err != nil {
			return nil, err
		}
	}
	ctx, name := c.Request.Context(), hub.Name{Type: "Person", ID: c.Param("id")}
	recs, _, err := s.Reader.Versions(ctx, who, s.Records, name, 0, mostVersions)
	if err != nil {
		return nil, err
	}
	out := make([]version, len(recs))
	var refs []string
	for i := range recs {
		out[i] = version{Version: recs[i].Version, At: recs[i].Time.UTC(), Patients: []string{}, Removed: recs[i].Deleted}
		of, err := linked(&recs[i])
		if err != nil {
			return nil, err
		}
		out[i].Patients, refs = append(out[i].Patients, of...), append(refs, of...)
	}
	patients, err := s.patients(ctx, who, refs)
	if err != nil {
		return nil, err
	}
	may := map[string]bool{}
	for i := range patients {
		may[patients[i].Name.String()] = true
	}
	if len(may) == 0 {
		return nil, &hub.Error{Kind: hub.NotFound, Path: "id", Msg: "there is no such person"}
	}
	for i := range out {
		shown := []string{}
		for _, ref := range out[i].Patients {
			if may[ref] {
				shown = append(shown, ref)
			}
		}
		out[i].Patients = shown
	}
	return gin.H{"person": name.String(), "versions": out}, nil
}

// linked are the Patients that a version of a Person links.
func linked(rec *hub.Record) (of []string, err error) {
	if rec.Deleted {
		return nil, nil
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return nil, &hub.Error{Kind: hub.Corrupt, Msg: "read a Person", Err: err}
	}
	for l := range doc.Root().Get("link").Items() {
		if ref := l.Get("target").Get("reference").Text(); strings.HasPrefix(ref, "Patient/") {
			of = append(of, ref)
		}
	}
	return of, nil
}

// body reads a small JSON body.
func body(c *gin.Context, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &hub.Error{Kind: hub.TooLarge, Path: "body", Msg: "is longer than 64 KB"}
	case err != nil:
		return &hub.Error{Kind: hub.Invalid, Path: "body", Msg: "is no JSON of the form asked for"}
	}
	return nil
}

// counted is a parameter from 1 on.
func counted(c *gin.Context, name string, otherwise, most int) (int, error) {
	text := c.Query(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is a number from 1 to " + strconv.Itoa(most)}
	}
	return n, nil
}
