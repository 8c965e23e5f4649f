package fhir

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
)

// preference is what a client wants to see of what it wrote (R4 http.html#ops, Prefer: return=…).
type preference string

const (
	unsaid         preference = "" // the resource, for a request by itself; nothing, for an entry of a bundle
	minimal        preference = "minimal"
	representation preference = "representation"
	outcomeOnly    preference = "OperationOutcome"
)

// preferred reads the Prefer header (RFC 7240); what it does not know is passed over, as that says.
func preferred(c *gin.Context) preference {
	for _, line := range c.Request.Header.Values("Prefer") {
		for one := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			switch value, ok := strings.CutPrefix(one, "return="); {
			case !ok:
			case preference(value) == minimal, preference(value) == representation, preference(value) == outcomeOnly:
				return preference(value)
			}
		}
	}
	return unsaid
}

// done is what an operation has come to.
type done struct {
	status  int
	rec     hub.Record // its version, of what was written or met; zero for none
	deleted int        // how many were deleted
}

// result says what became of an operation whose record, if it has one, is rec. What a conditional create met is read as
// far as the caller may.
func (s *Server) result(c *gin.Context, who access.Caller, op *operation, rec hub.Record) (done, error) {
	switch {
	case op.met != nil:
		met, err := s.Reader.Read(c.Request.Context(), who, s.Partition, *op.met)
		return done{status: http.StatusOK, rec: met}, err
	case op.verb == remove && op.draft < 0:
		return done{status: http.StatusNoContent}, nil
	case op.verb == remove:
		return done{http.StatusNoContent, rec, len(op.names)}, nil
	case op.created:
		return done{status: http.StatusCreated, rec: rec}, nil
	}
	return done{status: http.StatusOK, rec: rec}, nil
}

// outcome says in an OperationOutcome what was done.
func (d *done) outcome() []byte {
	text := "nothing was there to delete"
	switch {
	case d.deleted > 1:
		text = fmt.Sprintf("%d resources were deleted", d.deleted)
	case d.deleted == 1:
		text = fmt.Sprintf("%s was deleted", d.rec.Name)
	case d.status == http.StatusCreated:
		text = fmt.Sprintf("%s was created in version %d", d.rec.Name, d.rec.Version)
	case d.rec.Version > 0:
		text = fmt.Sprintf("%s is at version %d", d.rec.Name, d.rec.Version)
	}
	raw, _ := json.Marshal(outcome{"OperationOutcome", []issue{{Severity: "information", Code: "informational", Diagnostics: text}}})
	return raw
}

// answer writes what was done, with the headers of R4 http.html#versions.
func (s *Server) answer(c *gin.Context, d *done, want preference) {
	h := c.Writer.Header()
	if d.rec.Version > 0 && d.deleted <= 1 {
		h.Set("ETag", etag(d.rec.Version))
		h.Set("Last-Modified", d.rec.Time.UTC().Format(http.TimeFormat))
		if d.deleted == 0 {
			h.Set("Location", s.location(c, &d.rec))
		}
	}
	switch {
	case want == outcomeOnly:
		if d.status == http.StatusNoContent {
			d.status = http.StatusOK
		}
		writeResource(c, d.status, d.outcome())
	case d.status == http.StatusNoContent || want == minimal:
		c.Status(d.status)
		c.Writer.WriteHeaderNow()
	default:
		all, err := pieces(&d.rec)
		if err != nil {
			WriteError(c, err)
			return
		}
		s.writePieces(c, d.status, all, c.Query("_pretty") == "true")
	}
}

// location is the address of a version.
func (s *Server) location(c *gin.Context, rec *hub.Record) string {
	return fmt.Sprintf("%s/%s/_history/%d", s.base(c), rec.Name, rec.Version)
}

func etag(version uint64) string { return fmt.Sprintf(`W/"%d"`, version) }
