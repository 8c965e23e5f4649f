package ecg

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/ecg"
)

// page is the answer of the list.
type page struct {
	Recordings []listed `json:"recordings"`
	// Next is the address of the next page.
	Next string `json:"next,omitempty"`
}

type listed struct {
	ecg.Entry
	Links map[string]string `json:"links"`
}

// list answers GET /ecg: recordings by patient (a reference or an id), identifier (of the patient), date (with FHIR's
// prefixes, more than once), member; newest first.
func (s *server) list(c *gin.Context) {
	q := ecg.Question{Patient: c.Query("patient"), Identifier: c.Query("identifier"), Dates: c.QueryArray("date"), Member: c.Query("member"), Count: s.Limits.Results}
	for name := range c.Request.URL.Query() {
		switch name {
		case "patient", "identifier", "date", "member", "_count", "_cursor":
		default:
			WriteError(c, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is no parameter of this list", Hint: "use patient, identifier, date, member or _count"})
			return
		}
	}
	if n := c.Query("_count"); n != "" {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 {
			WriteError(c, invalid("_count", "is not a number of at least 1"))
			return
		}
		q.Count = min(count, MostResults)
	}
	if cursor := c.Query("_cursor"); cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || json.Unmarshal(raw, &q.After) != nil || q.After == nil || len(q.After.Values) != 1 || len(q.After.Keys) > 0 || len(q.After.Missing) > 1 {
			WriteError(c, invalid("_cursor", "is none that this list gave"))
			return
		}
	}
	found, err := s.Library.Search(c.Request.Context(), caller(c), q)
	if err != nil {
		WriteError(c, err)
		return
	}
	p := page{Recordings: make([]listed, len(found.Entries))}
	for i, e := range found.Entries {
		p.Recordings[i] = listed{e, s.links(e)}
	}
	if found.Next != nil {
		raw, _ := json.Marshal(found.Next)
		next := c.Request.URL.Query()
		next.Set("_cursor", base64.RawURLEncoding.EncodeToString(raw))
		p.Next = s.base() + "?" + next.Encode()
	}
	body, err := json.Marshal(p)
	if err != nil {
		WriteError(c, err)
		return
	}
	c.Header("Cache-Control", "private, no-store")
	writeJSON(c, http.StatusOK, "application/json", body)
}

// links are the addresses of a recording's forms.
func (s *server) links(e ecg.Entry) map[string]string {
	at := s.base() + "/" + url.PathEscape(e.ID)
	all := map[string]string{"self": at, "original": at + "/original"}
	if e.Read {
		for _, f := range ecg.Offered() {
			all[f.Name] = at + f.Path
		}
		all["quality"] = at + "/quality"
	}
	return all
}
