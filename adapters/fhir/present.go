package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// writePieces answers with the JSON that the pieces are together.
func writePieces(c *gin.Context, status int, pieces [][]byte, pretty bool) {
	if pretty {
		var b bytes.Buffer
		if json.Indent(&b, bytes.Join(pieces, nil), "", "  ") == nil { // numbers and order stay
			b.WriteByte('\n')
			pieces = [][]byte{b.Bytes()}
		}
	}
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	h := c.Writer.Header()
	h.Set("Content-Type", "application/fhir+json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(size))
	c.Writer.WriteHeader(status)
	if c.Request.Method == http.MethodHead {
		c.Writer.WriteHeaderNow()
		return
	}
	for _, p := range pieces {
		if _, err := c.Writer.Write(p); err != nil {
			return // nobody listens any more
		}
	}
}

func writeResource(c *gin.Context, status int, body []byte) {
	writePieces(c, status, [][]byte{body}, c.Query("_pretty") == "true")
}
