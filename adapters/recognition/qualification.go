package recognition

import (
	"bytes"
	"encoding/csv"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/recognition/register"
	"concord/internal/sheet"
	"concord/internal/webbody"
)

// qualifications answers GET /qualifications?institution=…&item=…&day=….
func (s *server) qualifications(c *gin.Context, _ access.Caller) (any, error) {
	asked := register.Asked{Institution: c.Query("institution"), Item: c.Query("item"), Day: c.Query("day")}
	if asked.Day != "" {
		if _, err := time.Parse(time.DateOnly, asked.Day); err != nil {
			return nil, &hub.Error{Kind: hub.Invalid, Path: "day", Msg: "is a day as 2026-01-31"}
		}
	}
	most, err := number(c, "count", 1000, 100_000)
	if err != nil {
		return nil, err
	}
	all := s.Register.Qualifications(asked)
	total := len(all)
	if all = all[:min(total, most)]; all == nil {
		all = []register.Qualification{}
	}
	return gin.H{"version": s.Register.Catalogue().Version, "total": total, "qualifications": all}, nil
}

// expiring answers GET /qualifications/expiring?days=30.
func (s *server) expiring(c *gin.Context, _ access.Caller) (any, error) {
	days, err := number(c, "days", register.ExpiresSoon, 3650)
	if err != nil {
		return nil, err
	}
	all := s.Register.Expiring(days)
	if all == nil {
		all = []register.Expiring{}
	}
	return gin.H{"days": days, "qualifications": all}, nil
}

const xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// template answers GET /qualifications/template?format=csv: a table with nothing but its headings.
func (s *server) template(c *gin.Context, _ access.Caller) (any, error) {
	var buf bytes.Buffer
	name, media := "qualifications.xlsx", xlsxType
	switch c.Query("format") {
	case "", "xlsx":
		if err := sheet.Write(&buf, "资质", register.Template()); err != nil {
			return nil, err
		}
	case "csv":
		name, media = "qualifications.csv", "text/csv; charset=utf-8"
		buf.WriteString("\uFEFF") // so that spreadsheets read UTF-8
		w := csv.NewWriter(&buf)
		if err := w.WriteAll(register.Template()); err != nil {
			return nil, err
		}
	default:
		return nil, &hub.Error{Kind: hub.Invalid, Path: "format", Msg: "is xlsx or csv"}
	}
	c.Header("Content-Disposition", `attachment; filename="`+name+`"`)
	c.Data(http.StatusOK, media, buf.Bytes())
	return nil, nil
}

// imported is what came of a table.
type imported struct {
	register.Imported
	// Good are the lines without a fault.
	Good     int     `json:"good"`
	DryRun   bool    `json:"dryRun,omitempty"`
	Proposal *detail `json:"proposal,omitempty"`
}

// importTable answers POST /qualifications/import?reason=…&dry-run=…&skip-faulty=…, whose body is a table, XLSX or CSV. Its lines
// become a proposal; with faults in it, none does unless they are to be skipped.
func (s *server) importTable(c *gin.Context, who access.Caller) (any, error) {
	dry, err := flag(c, "dry-run")
	if err != nil {
		return nil, err
	}
	skip, err := flag(c, "skip-faulty")
	if err != nil {
		return nil, err
	}
	r, err := webbody.Reader(c.Request, maxTable)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	tables, err := sheet.Read(data, sheet.Limits{Bytes: maxTable})
	if err != nil {
		return nil, err
	}
	in, err := s.Register.ReadTables(tables)
	if err != nil {
		return nil, err
	}
	out := imported{Imported: in, Good: len(in.Lines), DryRun: dry}
	if dry {
		return out, nil
	}
	if len(in.Lines) == 0 || len(in.Faults) > 0 && !skip {
		c.JSON(http.StatusUnprocessableEntity, out)
		return nil, nil
	}
	reason := strings.TrimSpace(c.Query("reason"))
	p, err := s.Register.Propose(c.Request.Context(), who, in.Proposed(reason))
	if err != nil {
		return nil, err
	}
	if p.ID != "" {
		d := s.detail(p, shown)
		out.Proposal = &d
		return out, s.note(c, who, audit.Create, p.ID)
	}
	return out, nil
}

func flag(c *gin.Context, name string) (bool, error) {
	switch c.Query(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is true or false"}
}
