package fhir

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
	"concord/internal/webbody"
)

// cursorParam carries the signed place where the page before ended.
const cursorParam = "_after"

func (s *Server) searchOptions(c *gin.Context) fhir.SearchOptions {
	return fhir.SearchOptions{
		Base:  s.base(c),
		Count: s.Limits.Default, MaxCount: s.Limits.Page, Now: time.Now(),
		Lenient: strings.Contains(c.GetHeader("Prefer"), "handling=lenient"),
	}
}

// search answers GET /fhir/Type?… and POST /fhir/Type/_search (R4 search.html).
func (s *Server) search(c *gin.Context) {
	typ := c.Param("type")
	who, ok := permit(c, access.Search, typ)
	if !ok {
		return
	}
	params, err := fhir.Pairs(c.Request.URL.RawQuery)
	if err != nil {
		WriteError(c, err)
		return
	}
	if c.Request.Method == http.MethodPost {
		form, err := readForm(c)
		if err != nil {
			WriteError(c, err)
			return
		}
		params = append(params, form...)
	}
	body, err := s.searchBundle(c, who, typ, params)
	if err != nil {
		WriteError(c, err)
		return
	}
	writeResource(c, http.StatusOK, body)
}

// formLimit caps the body of a POST _search.
const formLimit = 1 << 20

func readForm(c *gin.Context) ([]fhir.Pair, error) {
	if ct, _, _ := strings.Cut(c.GetHeader("Content-Type"), ";"); strings.TrimSpace(ct) != "application/x-www-form-urlencoded" && c.Request.ContentLength != 0 {
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "_search takes application/x-www-form-urlencoded"}
	}
	body, err := webbody.Reader(c.Request, formLimit)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return fhir.Pairs(string(data))
}

// searchBundle carries a search out and builds the searchset.
func (s *Server) searchBundle(c *gin.Context, who access.Caller, typ string, params []fhir.Pair) ([]byte, error) {
	cursor := ""
	params = slices.DeleteFunc(params, func(p fhir.Pair) bool {
		if p.Name == cursorParam {
			cursor = p.Value
		}
		return p.Name == cursorParam
	})
	q, err := fhir.CompileSearch(typ, params, s.searchOptions(c))
	if err != nil {
		return nil, err
	}
	query := q.Query
	if err := reshape(q, &query); err != nil {
		return nil, err
	}
	// Counting is cheap where one patient's slot has all hits, and asked for otherwise.
	query.Count = q.Total == "accurate" || q.Total == "estimate" || q.Total == "" && (len(query.Routes) > 0 || len(query.All) == 0) || query.Limit == 0
	applied := encode(q.Applied)
	if cursor != "" {
		if query.After, err = openCursor(s.CursorKey, typ+"?"+applied, cursor); err != nil {
			return nil, err
		}
	}
	res, err := s.Reader.Search(c.Request.Context(), who, []hub.Partition{s.Partition}, query, parameterNames(params))
	if err != nil {
		return nil, err
	}
	if res.Total < 0 && cursor == "" && res.Next == nil {
		res.Total = int64(len(res.Records)) // all there is
	}
	if q.Total == "none" {
		res.Total = -1
	}
	b := newBundle("searchset", res.Total)
	self := s.base(c) + "/" + typ
	b.link("self", join(self, applied))
	if res.Next != nil && query.Limit > 0 {
		b.link("next", join(self, withCursor(applied, sealCursor(s.CursorKey, typ+"?"+applied, res.Next))))
	}
	for i := range res.Records {
		b.hit(s.base(c), &res.Records[i], "match")
	}
	if len(q.Ignored) > 0 {
		b.ignored(q.Ignored)
	}
	return b.bytes(), nil
}

// reshape applies _summary=count and refuses the other ways to have resources cut down, which the hub does not do.
func reshape(q *fhir.Search, query *hub.Query) error {
	switch {
	case q.Summary == "count":
		query.Limit = 0
	case q.Summary != "" && q.Summary != "false":
		return &hub.Error{Kind: hub.Unsupported, Path: "_summary", Msg: "the hub returns whole resources or, with _summary=count, their number"}
	case len(q.Elements) > 0:
		return &hub.Error{Kind: hub.Unsupported, Path: "_elements", Msg: "the hub returns whole resources"}
	}
	return nil
}

// encode writes parameters as a query string, in their order.
func encode(params []fhir.Pair) string {
	parts := make([]string, len(params))
	for i, p := range params {
		parts[i] = url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value)
	}
	return strings.Join(parts, "&")
}

func join(u, query string) string {
	if query == "" {
		return u
	}
	return u + "?" + query
}

func withCursor(query, cursor string) string {
	if query != "" {
		query += "&"
	}
	return query + cursorParam + "=" + cursor
}

// parameterNames is what the audit trail keeps of a query: names, never values.
func parameterNames(params []fhir.Pair) string {
	names := make([]string, 0, len(params))
	for _, p := range params {
		names = append(names, strings.Trim(strconv.QuoteToASCII(p.Name[:min(64, len(p.Name))]), `"`))
	}
	slices.Sort(names)
	if len(names) > 32 {
		names = names[:32]
	}
	return strings.Join(slices.Compact(names), ",")
}

// ignored says which parameters a lenient search left out (R4 search.html#errors).
func (b *bundleWriter) ignored(faults []error) {
	b.begin()
	b.buf.WriteString(`"resource":{"resourceType":"OperationOutcome","issue":[`)
	for i, err := range faults {
		if i > 0 {
			b.buf.WriteByte(',')
		}
		b.buf.WriteString(`{"severity":"warning","code":"not-supported","diagnostics":`)
		b.text("ignored: " + err.Error())
		b.buf.WriteByte('}')
	}
	b.buf.WriteString(`]},"search":{"mode":"outcome"}}`)
}
