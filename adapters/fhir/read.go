package fhir

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

func (s *Server) read(c *gin.Context) {
	who, ok := permit(c, access.Read, c.Param("type"))
	if !ok {
		return
	}
	rec, err := s.Reader.Read(c.Request.Context(), who, s.Partition, hub.Name{Type: c.Param("type"), ID: c.Param("id")})
	if err != nil {
		if rec.Version > 0 && hub.Is(err, hub.Gone) {
			c.Header("ETag", etag(rec.Version))
		}
		WriteError(c, err)
		return
	}
	if unchanged(c, &rec) {
		c.Header("ETag", etag(rec.Version))
		c.Status(http.StatusNotModified)
		return
	}
	s.answer(c, http.StatusOK, &rec)
}

// unchanged evaluates If-None-Match and If-Modified-Since (R4 http.html#cread).
func unchanged(c *gin.Context, rec *hub.Record) bool {
	if tag := c.GetHeader("If-None-Match"); tag != "" {
		v, err := parseIfMatch(tag)
		return err == nil && v == rec.Version
	}
	if since, err := http.ParseTime(c.GetHeader("If-Modified-Since")); err == nil {
		return !rec.Time.Truncate(time.Second).After(since)
	}
	return false
}

func (s *Server) vread(c *gin.Context) {
	who, ok := permit(c, access.Read, c.Param("type"))
	if !ok {
		return
	}
	version, err := strconv.ParseUint(c.Param("vid"), 10, 64)
	if err != nil || version == 0 {
		WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "versions are counted from 1"})
		return
	}
	rec, err := s.Reader.Version(c.Request.Context(), who, s.Partition, hub.Name{Type: c.Param("type"), ID: c.Param("id")}, version)
	if err != nil {
		WriteError(c, err)
		return
	}
	s.answer(c, http.StatusOK, &rec)
}

// history lists the versions of one resource, newest first (R4 http.html#history): _count, and _before as the
// cursor of its next links.
func (s *Server) history(c *gin.Context) {
	typ := c.Param("type")
	who, ok := permit(c, access.Read, typ)
	if !ok {
		return
	}
	count, before := s.Limits.Default, uint64(0)
	for name, values := range c.Request.URL.Query() {
		n, err := strconv.ParseUint(values[0], 10, 32)
		switch name {
		case "_count":
			count = int(min(n, uint64(s.Limits.Page)))
		case "_before":
			before = n
		case "_format", "_pretty":
			err = nil
		default:
			err = &hub.Error{Kind: hub.Invalid}
		}
		if err != nil {
			WriteError(c, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "history does not take " + quote(name) + " with this value; it takes _count"})
			return
		}
	}
	name := hub.Name{Type: typ, ID: c.Param("id")}
	recs, total, err := s.Reader.Versions(c.Request.Context(), who, s.Partition, name, before, count)
	if err != nil {
		WriteError(c, err)
		return
	}
	b := newBundle("history", int64(total))
	b.link("self", s.base(c)+"/"+name.String()+"/_history"+queryOf(c))
	if n := len(recs); n > 0 && recs[n-1].Version > 1 {
		b.link("next", fmt.Sprintf("%s/%s/_history?_count=%d&_before=%d", s.base(c), name, count, recs[n-1].Version))
	}
	for i := range recs {
		b.version(s.base(c), &recs[i])
	}
	writeResource(c, http.StatusOK, b.bytes())
}

func queryOf(c *gin.Context) string {
	if c.Request.URL.RawQuery == "" {
		return ""
	}
	return "?" + c.Request.URL.RawQuery
}

// bundleWriter builds a Bundle around resources' bytes as they are stored.
type bundleWriter struct {
	buf     bytes.Buffer
	links   int
	entries int
}

func newBundle(typ string, total int64) *bundleWriter {
	b := &bundleWriter{}
	fmt.Fprintf(&b.buf, `{"resourceType":"Bundle","id":"%s","meta":{"lastUpdated":"%s"},"type":"%s"`,
		newID(), time.Now().UTC().Format(fhir.InstantFormat), typ)
	if total >= 0 {
		fmt.Fprintf(&b.buf, `,"total":%d`, total)
	}
	return b
}

func (b *bundleWriter) link(relation, url string) {
	if b.links == 0 {
		b.buf.WriteString(`,"link":[`)
	} else {
		b.buf.WriteByte(',')
	}
	b.links++
	b.buf.WriteString(`{"relation":"` + relation + `","url":`)
	b.text(url)
	b.buf.WriteByte('}')
}

func (b *bundleWriter) text(s string) {
	b.buf.WriteByte('"')
	for i := 0; i < len(s); i++ { // URLs and messages of our own; encoding/json would write & as an escape
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.buf.WriteByte('\\')
			b.buf.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&b.buf, `\u%04x`, c)
		default:
			b.buf.WriteByte(c)
		}
	}
	b.buf.WriteByte('"')
}

// begin opens the next entry; the caller writes its members and the closing brace.
func (b *bundleWriter) begin() {
	if b.entries == 0 {
		if b.links > 0 {
			b.buf.WriteByte(']')
		}
		b.buf.WriteString(`,"entry":[{`)
	} else {
		b.buf.WriteString(`,{`)
	}
	b.entries++
}

// hit adds a search result.
func (b *bundleWriter) hit(base string, rec *hub.Record, mode string) {
	b.begin()
	b.buf.WriteString(`"fullUrl":`)
	b.text(base + "/" + rec.Name.String())
	b.buf.WriteString(`,"resource":`)
	b.buf.Write(rec.Body)
	b.buf.WriteString(`,"search":{"mode":"` + mode + `"}}`)
}

// version adds an entry of a history: resource, request and response.
func (b *bundleWriter) version(base string, rec *hub.Record) {
	b.begin()
	b.buf.WriteString(`"fullUrl":`)
	b.text(base + "/" + rec.Name.String())
	method, status := "PUT", "200 OK"
	switch {
	case rec.Deleted:
		method, status = "DELETE", "204 No Content"
	case rec.Version == 1:
		status = "201 Created"
	}
	if !rec.Deleted {
		b.buf.WriteString(`,"resource":`)
		b.buf.Write(rec.Body)
	}
	fmt.Fprintf(&b.buf, `,"request":{"method":"%s","url":"%s"},"response":{"status":"%s","etag":"W/\"%d\"","lastModified":"%s"}}`,
		method, rec.Name, status, rec.Version, rec.Time.UTC().Format(fhir.InstantFormat))
}

// response adds an entry of a batch or transaction response.
func (b *bundleWriter) response(base, status string, rec *hub.Record, resource []byte) {
	b.begin()
	if rec != nil && rec.Version > 0 {
		fmt.Fprintf(&b.buf, `"response":{"status":"%s","location":`, status)
		b.text(fmt.Sprintf("%s/%s/_history/%d", base, rec.Name, rec.Version))
		fmt.Fprintf(&b.buf, `,"etag":"W/\"%d\"","lastModified":"%s"}`, rec.Version, rec.Time.UTC().Format(fhir.InstantFormat))
	} else {
		fmt.Fprintf(&b.buf, `"response":{"status":"%s"}`, status)
	}
	if resource != nil {
		b.buf.WriteString(`,"resource":`)
		b.buf.Write(resource)
	}
	b.buf.WriteByte('}')
}

// problem adds the outcome of an entry that was refused.
func (b *bundleWriter) problem(status int, outcome []byte) {
	b.begin()
	fmt.Fprintf(&b.buf, `"response":{"status":"%d %s","outcome":`, status, http.StatusText(status))
	b.buf.Write(outcome)
	b.buf.WriteString(`}}`)
}

func (b *bundleWriter) bytes() []byte {
	switch {
	case b.entries > 0:
		b.buf.WriteByte(']')
	case b.links > 0:
		b.buf.WriteByte(']')
	}
	b.buf.WriteByte('}')
	return b.buf.Bytes()
}
