package recognition

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/hub/recognition/ledger"
	"concord/internal/sheet"
)

// formOf is the form that an answer is asked for in: ?format=, else the Accept header.
func formOf(c *gin.Context) (string, error) {
	switch as := c.Query("format"); as {
	case "json", "csv", "xlsx":
		return as, nil
	case "":
	default:
		return "", &hub.Error{Kind: hub.Invalid, Path: "format", Msg: "is json, csv or xlsx"}
	}
	switch accept := c.GetHeader("Accept"); {
	case strings.Contains(accept, xlsxType):
		return "xlsx", nil
	case strings.Contains(accept, "text/csv"):
		return "csv", nil
	}
	return "json", nil
}

// table answers with rows as CSV or XLSX.
func (s *counter) table(c *gin.Context, as, name string, rows [][]any) error {
	var buf bytes.Buffer
	media, err := xlsxType, error(nil)
	if as == "csv" {
		media, err = "text/csv; charset=utf-8", sheet.WriteCSV(&buf, rows)
	} else {
		err = sheet.WriteFigures(&buf, "互认统计", rows)
	}
	if err != nil {
		return fmt.Errorf("write %s as %s: %w", name, as, err)
	}
	c.Header("Content-Disposition", `attachment; filename="`+name+"."+as+`"`)
	c.Data(http.StatusOK, media, buf.Bytes())
	return nil
}

// titles are the heads of columns.
func titles() map[string]string {
	return map[string]string{
		string(ledger.ByUsing): "申请机构 using", string(ledger.ByGiving): "出具机构 giving", string(ledger.ByDepartment): "科室 department",
		string(ledger.ByItem): "项目 item", string(ledger.ByReason): "理由 reason", string(ledger.ByMonth): "月份 month",
		string(ledger.Opportunities): "可互认 offered", string(ledger.Acceptances): "已互认 accepted", string(ledger.Refusals): "不互认 declined",
		string(ledger.Silences): "未答复 unanswered", string(ledger.Exemptions): "豁免 exempt", string(ledger.References): "仅供参考 reference-only",
		string(ledger.Impossible): "不可互认 not-recognisable", string(ledger.Repeats): "仍重复 repeats", string(ledger.Withdrawals): "结果撤回 withdrawn",
		string(ledger.UnqualifiedAre): "无资质结果 unqualified",
	}
}

// figures are a report as a table: a row for each of its rows, and one for all of them.
func (s *counter) figures(r *ledger.Report) [][]any {
	title := titles()
	var head []any
	for _, d := range r.Filter.By {
		head = append(head, title[string(d)])
	}
	if len(r.Filter.By) == 0 {
		head = append(head, "")
	}
	for _, m := range ledger.Measures() {
		head = append(head, title[string(m)])
	}
	head = append(head, "互认率 rate")
	var currencies []string
	for _, m := range r.Total.Money() {
		currencies = append(currencies, m.Currency)
		head = append(head, "节省 saved "+m.Currency)
	}
	rows := [][]any{append(head, "明细 list")}
	line := func(values []any, key []string, of *ledger.Counts) {
		for _, m := range ledger.Measures() {
			values = append(values, of.Of[m])
		}
		if rate, ok := of.Rate(); ok {
			values = append(values, rate)
		} else {
			values = append(values, "")
		}
		for _, currency := range currencies {
			values = append(values, float64(of.Saved[currency])/100)
		}
		rows = append(rows, append(values, s.list(r, key, ledger.Opportunities)))
	}
	if len(r.Filter.By) > 0 {
		for i := range r.Rows {
			var values []any
			for _, v := range r.Rows[i].Values {
				values = append(values, v)
			}
			line(values, r.Rows[i].Values, &r.Rows[i].Counts)
		}
	}
	total := []any{"合计 total"}
	for len(total) < len(r.Filter.By) {
		total = append(total, "")
	}
	line(total, nil, &r.Total)
	return rows
}

// opportunity is one as JSON.
type opportunity struct {
	ID          string              `json:"id"`
	Patient     string              `json:"patient"`
	Using       string              `json:"using"`
	Giving      []string            `json:"giving"`
	Department  string              `json:"department,omitempty"`
	Encounter   string              `json:"encounter,omitempty"`
	Visit       string              `json:"visit,omitempty"`
	Item        string              `json:"item"`
	Title       string              `json:"title,omitempty"`
	Modality    string              `json:"modality,omitempty"`
	BodyPart    string              `json:"bodyPart,omitempty"`
	Outcome     recognition.Outcome `json:"outcome"`
	Choice      ledger.Verdict      `json:"choice,omitempty"`
	Reason      string              `json:"reason,omitempty"`
	Text        string              `json:"text,omitempty"`
	Who         string              `json:"who,omitempty"`
	Chosen      *time.Time          `json:"chosen,omitempty"`
	Results     []string            `json:"results,omitempty"`
	Order       string              `json:"order,omitempty"`
	Repeat      string              `json:"repeat,omitempty"`
	Withdrawn   []string            `json:"withdrawn,omitempty"`
	Saving      string              `json:"saving,omitempty"`
	Catalogue   string              `json:"catalogue"`
	Offered     time.Time           `json:"offered"`
	Opportunity string              `json:"resource"`
}

func (s *counter) shownOpportunity(o *ledger.Opportunity) opportunity {
	out := opportunity{ID: o.ID, Patient: o.Patient, Using: o.Member, Giving: o.Givers(), Department: o.Department, Encounter: o.Encounter, Visit: o.Visit,
		Item: o.Item, Title: o.Title, Modality: o.Modality, BodyPart: o.BodyPart, Outcome: o.Outcome, Choice: o.Choice.Verdict, Reason: o.Reason(),
		Text: o.Choice.Text, Who: o.Choice.Who, Repeat: o.Repeat.What, Saving: o.Saving.String(), Catalogue: o.Catalogue, Offered: o.First.In(s.Zone),
		Opportunity: "/fhir/GuidanceResponse/" + o.ID}
	if !o.Choice.At.IsZero() {
		at := o.Choice.At.In(s.Zone)
		out.Chosen = &at
	}
	for _, one := range o.Shown {
		if one.Best {
			out.Results = append(out.Results, one.Result)
		}
	}
	for _, r := range o.Orders {
		if r.Reference != "" {
			out.Order = r.Reference
		}
	}
	for _, w := range o.Withdrawn {
		out.Withdrawn = append(out.Withdrawn, w.Result+" "+string(w.Cause))
	}
	return out
}

type unqualified struct {
	Result      string    `json:"result"`
	Giving      string    `json:"giving"`
	Item        string    `json:"item"`
	Opportunity string    `json:"opportunity"`
	Offered     time.Time `json:"offered"`
}

// opportunities answers GET /opportunities?what=…&after=…&count=… with the filters of the statistics: what is behind a number.
func (s *counter) opportunities(c *gin.Context, who access.Caller) (any, error) {
	f, err := s.filter(c, "what", "after", "count")
	if err != nil {
		return nil, err
	}
	as, err := formOf(c)
	if err != nil {
		return nil, err
	}
	most := 200
	if as != "json" {
		most = 10_000
	}
	limit, err := number(c, "count", min(50, most), most)
	if err != nil {
		return nil, err
	}
	what := ledger.Measure(c.DefaultQuery("what", string(ledger.Opportunities)))
	page, err := s.Ledger.List(c.Request.Context(), who, f, what, c.Query("after"), max(1, limit))
	if err != nil {
		return nil, err
	}
	next := ""
	if page.Next != "" {
		q := c.Request.URL.Query()
		q.Set("after", page.Next)
		next = "/recognition/opportunities?" + q.Encode()
		c.Header("Link", "<"+next+`>; rel="next"`)
	}
	if what == ledger.UnqualifiedAre {
		out := []unqualified{}
		rows := [][]any{{"结果 result", "出具机构 giving", "项目 item", "时间 offered"}}
		for _, u := range page.Results {
			out = append(out, unqualified{u.Result, u.Producer, u.Item, u.Opportunity, u.At.In(s.Zone)})
			rows = append(rows, []any{u.Result, u.Producer, u.Item, u.At.In(s.Zone).Format(time.DateTime)})
		}
		if as != "json" {
			return nil, s.table(c, as, "unqualified-results", rows)
		}
		return gin.H{"results": out, "next": next}, nil
	}
	out := []opportunity{}
	for i := range page.Opportunities {
		out = append(out, s.shownOpportunity(&page.Opportunities[i]))
	}
	if as != "json" {
		return nil, s.table(c, as, "recognition-opportunities", lines(out))
	}
	return gin.H{"opportunities": out, "next": next}, nil
}

func lines(list []opportunity) [][]any {
	rows := [][]any{{"时间 offered", "申请机构 using", "出具机构 giving", "科室 department", "就诊号 visit", "患者 patient", "项目 item", "名称 title", "设备 modality", "部位 body part",
		"结论 outcome", "决定 choice", "理由 reason", "说明 text", "医生 who", "结果 results", "医嘱 order", "重复 repeat", "撤回 withdrawn", "节省 saving", "目录版本 catalogue"}}
	for _, o := range list {
		row := []any{}
		for _, v := range []string{o.Offered.Format(time.DateTime), o.Using, strings.Join(slices.Clone(o.Giving), " "), o.Department, o.Visit, o.Patient, o.Item, o.Title, o.Modality, o.BodyPart,
			string(o.Outcome), string(o.Choice), o.Reason, o.Text, o.Who, strings.Join(o.Results, " "), o.Order, o.Repeat, strings.Join(o.Withdrawn, ", "), o.Saving, o.Catalogue} {
			row = append(row, v)
		}
		rows = append(rows, row)
	}
	return rows
}
