package fhir

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/internal/fhir"
)

// general are the parameters that any question takes (R4 http.html#general).
var general = []string{"_format", "_pretty", "_summary", "_elements"}

// last is the last value of a parameter, empty when there is none.
func (q *question) last(name string) string {
	for _, p := range slices.Backward(q.params) {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

func (q *question) pretty() bool { return q.last("_pretty") == "true" }

// format refuses formats other than JSON and a _pretty that is neither true nor false.
func (q *question) format() error {
	if err := checkFormat(q.last("_format")); err != nil {
		return err
	}
	if p := q.last("_pretty"); p != "" && p != "true" && p != "false" {
		return &hub.Error{Kind: hub.Invalid, Path: "_pretty", Msg: "_pretty is true or false, not " + quote(p)}
	}
	return nil
}

func checkFormat(format string) error {
	if format == "" || format == "json" || isJSON(strings.ReplaceAll(format, " ", "+")) { // + in a query is a blank
		return nil
	}
	return &hub.Error{Kind: hub.Unsupported, Path: "_format", Msg: "the hub answers in JSON, not " + quote(format)}
}

// acceptable refuses requests that want their answer in another format than JSON (R4 http.html#mime-type: _format goes
// before Accept), rather than answer them with what they cannot read.
func acceptable(c *gin.Context) {
	if types := c.Request.Header.Values("Content-Type"); len(types) > 1 {
		WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "the Content-Type is given " + strconv.Itoa(len(types)) + " times"})
		return
	}
	if isBinary(c) {
		return
	}
	if format := c.Query("_format"); format != "" {
		if err := checkFormat(format); err != nil {
			WriteError(c, err)
		}
		return
	}
	accept := strings.Join(c.Request.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return
	}
	for one := range strings.SplitSeq(accept, ",") {
		typ, _, _ := strings.Cut(one, ";")
		if typ = strings.ToLower(strings.TrimSpace(typ)); isJSON(typ) || typ == "*/*" || typ == "application/*" {
			return
		}
	}
	WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "the hub answers in application/fhir+json, not " + quote(accept)})
}

// subset reads how much of the resources is wanted; types are those that may be among them.
func (q *question) subset(types ...string) (fhir.Subset, error) {
	sub := fhir.Subset{Summary: q.last("_summary")}
	for _, p := range q.params {
		if p.Name == "_elements" {
			for e := range strings.SplitSeq(p.Value, ",") {
				sub.Elements = append(sub.Elements, strings.TrimSpace(e))
			}
		}
	}
	return sub, sub.Check(types...)
}

// cut replaces the bodies of the records by the parts that are wanted.
func cut(sub fhir.Subset, recs []hub.Record) error {
	if sub.Whole() {
		return nil
	}
	for i := range recs {
		if recs[i].Deleted {
			continue
		}
		doc, err := fhir.Parse(recs[i].Body, fhir.Limits{})
		if err != nil {
			return fmt.Errorf("read %s: %w", recs[i].Name.Type, &hub.Error{Kind: hub.Corrupt, Err: err})
		}
		recs[i].Body = sub.Of(doc)
	}
	return nil
}

// writePieces answers with the JSON that the pieces are together. An answer that cannot be ended is cut off, which its
// length makes visible.
func (s *Server) writePieces(c *gin.Context, status int, all []piece, pretty bool) {
	if pretty {
		all = indented(all)
	}
	if !writeHead(c, status, all) {
		return
	}
	if err := s.send(c.Request.Context(), caller(c), c.Writer, all); hub.Is(err, hub.Corrupt) { // else nobody listens any more
		slog.Error("an answer was cut off", "route", c.FullPath(), "err", err)
	}
}

// writeHead begins an answer; it tells whether a body is wanted.
func writeHead(c *gin.Context, status int, all []piece) bool {
	size := int64(0)
	for i := range all {
		size += all[i].size()
	}
	h := c.Writer.Header()
	h.Set("Content-Type", "application/fhir+json; charset=utf-8")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	c.Writer.WriteHeader(status)
	c.Writer.WriteHeaderNow()
	return c.Request.Method != http.MethodHead
}

// indented sets JSON in lines; numbers and order stay.
func indented(all []piece) []piece {
	var plain, pretty bytes.Buffer
	gap := rand.Text() // stands for the attachments, and occurs in no text
	for i := range all {
		if all[i].rec == nil {
			plain.Write(all[i].text)
		} else {
			plain.WriteString(gap)
		}
	}
	if json.Indent(&pretty, plain.Bytes(), "", "  ") != nil {
		return all
	}
	pretty.WriteByte('\n')
	texts := bytes.Split(pretty.Bytes(), []byte(gap))
	out := []piece{textPiece(texts[0])}
	for i := range all {
		if all[i].rec != nil {
			texts = texts[1:]
			out = append(out, all[i], textPiece(texts[0]))
		}
	}
	return out
}

// writeResource answers with a resource that has no attachments elsewhere.
func writeResource(c *gin.Context, status int, body []byte) {
	all := []piece{textPiece(body)}
	if c.Query("_pretty") == "true" {
		all = indented(all)
	}
	if writeHead(c, status, all) {
		for i := range all {
			c.Writer.Write(all[i].text)
		}
	}
}
