package recognition

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/recognition/ledger"
	"concord/internal/webfault"
)

// Ledger keeps what was offered and counts it.
type Ledger interface {
	Statistics(ctx context.Context, who access.Caller, f ledger.Filter) (ledger.Report, error)
	List(ctx context.Context, who access.Caller, f ledger.Filter, m ledger.Measure, after string, limit int) (ledger.Listing, error)
	Withdrawals(ctx context.Context, who access.Caller, member string, all bool) ([]ledger.Withdrawal, error)
	Withdrawal(ctx context.Context, who access.Caller, id string) (ledger.Withdrawal, error)
	Acknowledge(ctx context.Context, who access.Caller, id string, d ledger.Doing) (ledger.Withdrawal, error)
}

// LedgerDeps are what the doors to the ledger work with.
type LedgerDeps struct {
	Ledger Ledger
	Trail  Trail
	// Zone is that of days and months.
	Zone *time.Location
}

type counter struct{ LedgerDeps }

// MountLedger registers the routes of the ledger on an authenticated group at /recognition.
func MountLedger(g *gin.RouterGroup, d LedgerDeps) {
	s := &counter{d}
	for _, r := range []struct {
		method, path string
		answer       func(*gin.Context, access.Caller) (any, error)
	}{
		{http.MethodGet, "/statistics", s.statistics},
		{http.MethodGet, "/opportunities", s.opportunities},
		{http.MethodGet, "/withdrawals", s.withdrawals},
		{http.MethodGet, "/withdrawals/:id", s.withdrawal},
		{http.MethodPost, "/withdrawals/:id/acknowledge", s.acknowledge},
	} {
		g.Handle(r.method, r.path, func(c *gin.Context) {
			who, _ := access.CallerFrom(c.Request.Context())
			c.Header("Cache-Control", "no-store")
			out, err := r.answer(c, who)
			switch {
			case err != nil:
				webfault.Write(c, err)
			case out != nil:
				c.JSON(http.StatusOK, out)
			}
		})
	}
}

// mayCount: numbers of the ledger are for who may search what they are counted from, or who looks after the whole.
func mayCount(who access.Caller) error {
	if who.MayIntegrate() == nil || who.MayCatalogue() == nil {
		return nil
	}
	return who.May(access.Search, "GuidanceResponse")
}

// filter reads ?from=…&to=…&by=using,item&using=…&giving=…&department=…&item=…&reason=…&month=…&consortium=true. A parameter
// that is not known is refused: a number that was filtered by nothing would be another than the one asked for.
func (s *counter) filter(c *gin.Context, others ...string) (f ledger.Filter, err error) {
	known := append([]string{"from", "to", "by", "consortium", "format"}, others...)
	for name, values := range c.Request.URL.Query() {
		d := ledger.Dimension(name)
		switch {
		case len(values) > 1:
			return f, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is given twice"}
		case slices.Contains(ledger.Dimensions(), d):
			if f.Where == nil {
				f.Where = map[ledger.Dimension]string{}
			}
			f.Where[d] = values[0]
		case !slices.Contains(known, name):
			return f, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "there is no such parameter"}
		}
	}
	if f.From, err = s.moment(c, "from"); err != nil {
		return f, err
	}
	if f.To, err = s.moment(c, "to"); err != nil {
		return f, err
	}
	if by := c.Query("by"); by != "" {
		for d := range strings.SplitSeq(by, ",") {
			f.By = append(f.By, ledger.Dimension(d))
		}
	}
	if text := c.Query("consortium"); text != "" {
		if f.Consortium, err = strconv.ParseBool(text); err != nil {
			return f, &hub.Error{Kind: hub.Invalid, Path: "consortium", Msg: "is true or false"}
		}
	}
	return f, nil
}

// moment reads a time of a query: an instant, or a day or a month, which begin where the consortium lies.
func (s *counter) moment(c *gin.Context, name string) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01"} {
		if t, err := time.ParseInLocation(layout, text, s.Zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is a month as 2026-01, a day as 2026-01-31, or a moment as 2026-01-31T08:00:00+08:00"}
}

// statistics answers GET /statistics.
func (s *counter) statistics(c *gin.Context, who access.Caller) (any, error) {
	if err := mayCount(who); err != nil {
		return nil, err
	}
	f, err := s.filter(c)
	if err != nil {
		return nil, err
	}
	as, err := formOf(c)
	if err != nil {
		return nil, err
	}
	r, err := s.Ledger.Statistics(c.Request.Context(), who, f)
	if err != nil {
		return nil, err
	}
	if as != "json" {
		return nil, s.table(c, as, "recognition-statistics", s.figures(&r))
	}
	return s.shown(&r), nil
}

// number is a count, and the list that it opens.
type count struct {
	Count int    `json:"count"`
	List  string `json:"list,omitempty"`
}

type money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
	List     string `json:"list,omitempty"`
}

type counts struct {
	Counts map[ledger.Measure]count `json:"counts"`
	Rate   *float64                 `json:"rate,omitempty"`
	Saved  []money                  `json:"saved,omitempty"`
}

type row struct {
	Values map[ledger.Dimension]string `json:"values"`
	counts
}

type report struct {
	From    *time.Time                  `json:"from,omitempty"`
	To      *time.Time                  `json:"to,omitempty"`
	Where   map[ledger.Dimension]string `json:"where,omitempty"`
	By      []ledger.Dimension          `json:"by,omitempty"`
	Through uint64                      `json:"through"`
	// Rounded is what numbers of others were rounded to.
	Rounded int    `json:"rounded,omitempty"`
	Total   counts `json:"total"`
	Rows    []row  `json:"rows,omitempty"`
}

func (s *counter) shown(r *ledger.Report) report {
	out := report{Where: r.Filter.Where, By: r.Filter.By, Through: r.Through, Rounded: r.Rounded, Total: s.counts(r, nil, &r.Total)}
	if t := r.Filter.From; !t.IsZero() {
		t = t.In(s.Zone)
		out.From = &t
	}
	if t := r.Filter.To; !t.IsZero() {
		t = t.In(s.Zone)
		out.To = &t
	}
	if len(r.Filter.By) == 0 {
		return out
	}
	for i := range r.Rows {
		one := row{Values: map[ledger.Dimension]string{}, counts: s.counts(r, r.Rows[i].Values, &r.Rows[i].Counts)}
		for j, d := range r.Filter.By {
			one.Values[d] = r.Rows[i].Values[j]
		}
		out.Rows = append(out.Rows, one)
	}
	return out
}

func (s *counter) counts(r *ledger.Report, values []string, of *ledger.Counts) counts {
	out := counts{Counts: map[ledger.Measure]count{}}
	for _, m := range ledger.Measures() {
		out.Counts[m] = count{of.Of[m], s.list(r, values, m)}
	}
	if rate, ok := of.Rate(); ok {
		out.Rate = &rate
	}
	for _, m := range of.Money() {
		amount, currency, _ := strings.Cut(m.String(), " ")
		out.Saved = append(out.Saved, money{amount, currency, s.list(r, values, ledger.Acceptances)})
	}
	return out
}

// list is the path of the list that a number opens; a rounded number opens none.
func (s *counter) list(r *ledger.Report, values []string, m ledger.Measure) string {
	if r.Rounded > 0 {
		return ""
	}
	q := url.Values{"what": {string(m)}}
	for d, v := range r.Filter.Where {
		q.Set(string(d), v)
	}
	for i, v := range values {
		q.Set(string(r.Filter.By[i]), v)
	}
	if t := r.Filter.From; !t.IsZero() {
		q.Set("from", t.In(s.Zone).Format(time.RFC3339Nano))
	}
	if t := r.Filter.To; !t.IsZero() {
		q.Set("to", t.In(s.Zone).Format(time.RFC3339Nano))
	}
	return "/recognition/opportunities?" + q.Encode()
}

// withdrawal is one as JSON.
type withdrawal struct {
	ID          string       `json:"id"`
	State       string       `json:"state"`
	Patient     string       `json:"patient"`
	Using       string       `json:"using"`
	Giving      string       `json:"giving"`
	Result      string       `json:"result"`
	Cause       ledger.Cause `json:"cause"`
	Item        string       `json:"item"`
	Title       string       `json:"title,omitempty"`
	Text        string       `json:"text"`
	Opportunity string       `json:"opportunity"`
	Order       string       `json:"order,omitempty"`
	Raised      time.Time    `json:"raised"`
}

func shownWithdrawal(w *ledger.Withdrawal) withdrawal {
	state := "open"
	if !w.Open {
		state = "acknowledged"
	}
	return withdrawal{w.ID, state, w.Patient, w.Member, w.Producer, w.Result, w.Cause, w.Item, w.Title, w.Text, w.Opportunity, w.Order, w.Raised.UTC()}
}

// withdrawals answers GET /withdrawals?state=open|all&member=….
func (s *counter) withdrawals(c *gin.Context, who access.Caller) (any, error) {
	state := c.DefaultQuery("state", "open")
	if state != "open" && state != "all" {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "state", Msg: "is open or all"}
	}
	member := c.Query("member")
	if member != "" && member != who.Member && who.MayIntegrate() != nil {
		return nil, &hub.Error{Kind: hub.Forbidden, Path: "member", Msg: "a member is told of its own"}
	}
	list, err := s.Ledger.Withdrawals(c.Request.Context(), who, member, state == "all")
	if err != nil {
		return nil, err
	}
	out := make([]withdrawal, len(list))
	for i := range list {
		out[i] = shownWithdrawal(&list[i])
	}
	return gin.H{"withdrawals": out}, nil
}

func (s *counter) withdrawal(c *gin.Context, who access.Caller) (any, error) {
	w, err := s.Ledger.Withdrawal(c.Request.Context(), who, c.Param("id"))
	return shownWithdrawal(&w), err
}

// acknowledge answers POST /withdrawals/{id}/acknowledge, with who does it and a note.
func (s *counter) acknowledge(c *gin.Context, who access.Caller) (any, error) {
	if err := who.May(access.Update, "CommunicationRequest"); err != nil {
		return nil, err
	}
	var in struct {
		Who  string `json:"who"`
		Note string `json:"note"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if in.Who == "" || len(in.Who) > 200 || len(in.Note) > 4000 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "who", Msg: "names the person who does it, in 200 bytes at most; a note has 4,000 at most"}
	}
	w, err := s.Ledger.Acknowledge(c.Request.Context(), who, c.Param("id"), ledger.Doing{Who: in.Who, Note: in.Note})
	if err != nil {
		return nil, err
	}
	return shownWithdrawal(&w), s.Trail.Note(c.Request.Context(), audit.Event{Action: audit.Update, Member: who.Member, Token: who.TokenID,
		Type: "CommunicationRequest", Names: []hub.Name{{Type: "CommunicationRequest", ID: w.ID}}, Count: 1})
}
