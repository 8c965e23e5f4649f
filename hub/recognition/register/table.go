package register

import (
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"concord/hub"
	"concord/hub/recognition"
	"concord/internal/sheet"
)

// Fault is what is wrong with one cell of a table: by sheet, row as people count them, and the column's heading.
type Fault struct {
	Sheet  string `json:"sheet,omitempty"`
	Row    int    `json:"row"`
	Column string `json:"column,omitempty"`
	Msg    string `json:"message"`
}

// Imported is what a table says.
type Imported struct {
	// Rows are how many lines of the table were looked at, empty ones left out.
	Rows int `json:"rows"`
	// Lines are those without a fault.
	Lines  []Qualification `json:"-"`
	Faults []Fault         `json:"faults"`
	// More faults there are than are told.
	More int `json:"more,omitempty"`
}

// mostFaults is how many faults are told.
const mostFaults = 200

// headings are what the columns of a table of qualifications may be called, besides their names; letters' case, spaces and
// widths do not matter, nor does what stands in brackets.
var headings = [...]struct {
	column string
	needed bool
	names  []string
}{
	{"institution", true, []string{"机构", "机构编码", "机构名称", "医疗机构", "医疗机构名称", "单位", "实验室", "member", "hospital"}},
	{"item", true, []string{"项目", "项目编码", "项目名称", "检验项目", "检查项目", "互认项目", "loinc"}},
	{"scope", false, []string{"范围", "互认范围", "区域", "适用范围", "region"}},
	{"start", true, []string{"起始日期", "开始日期", "生效日期", "有效期起", "起", "from", "start date", "valid from"}},
	{"end", true, []string{"截止日期", "结束日期", "失效日期", "有效期止", "止", "to", "end date", "valid to", "valid until"}},
	{"result", true, []string{"结果", "室间质评结果", "质评结果", "eqa", "eqa result"}},
	{"mark", false, []string{"互认标识", "标识", "hr", "hr标识", "hr mark"}},
	{"source", false, []string{"依据", "文件", "来源", "文号", "document", "source document"}},
	{"withdrawn", false, []string{"撤销", "作废", "withdraw"}},
}

// Template is the table to be filled in: its headings, and an example that stands for itself.
func Template() [][]string {
	first := make([]string, len(headings))
	for i, h := range headings {
		first[i] = h.names[0]
	}
	return [][]string{first}
}

var results = map[string]Result{"pass": Passed, "passed": Passed, "合格": Passed, "通过": Passed, "fail": Failed, "failed": Failed, "不合格": Failed,
	"未通过": Failed, "pending": Pending, "待定": Pending, "待公布": Pending}

var yes = map[string]bool{"": false, "否": false, "no": false, "false": false, "0": false, "是": true, "yes": true, "true": true, "1": true, "撤销": true}

func fold(s string) string {
	s = strings.ToLower(norm.NFKC.String(s))
	if i := strings.IndexAny(s, "([【"); i > 0 {
		s = s[:i]
	}
	return strings.Join(strings.Fields(s), " ")
}

// ReadTables reads qualifications from tables. Institutions are named by id or by name, items by id, by one of their names or by
// a code. Every cell is checked; what one line repeats of another is a fault, too.
func (r *Register) ReadTables(tables []sheet.Table) (Imported, error) {
	in := &importer{register: r, catalogue: r.Catalogue(), seen: map[string]place{}, out: Imported{Faults: []Fault{}}}
	in.name()
	known := 0
	for i := range tables {
		if in.table(&tables[i]) {
			known++
		}
	}
	if known == 0 && len(in.out.Faults) == 0 {
		return in.out, &hub.Error{Kind: hub.Invalid, Path: "file", Msg: "no sheet has the headings of a table of qualifications", Hint: "the template has them"}
	}
	return in.out, nil
}

type place struct {
	sheet string
	row   int
}

type importer struct {
	register  *Register
	catalogue *recognition.Catalogue
	members   map[string][]string // folded name → ids
	items     map[string][]string // folded name or code → ids
	known     map[string]bool
	seen      map[string]place
	out       Imported

	sheet   *sheet.Table
	columns map[string]int
	titles  map[string]string
}

// name gathers what institutions and items are called.
func (in *importer) name() {
	in.members, in.items = map[string][]string{}, map[string][]string{}
	for _, id := range in.register.Institutions() {
		name, _ := in.register.Institution(id)
		for _, say := range []string{id, name} {
			if key := fold(say); key != "" {
				in.members[key] = appendNew(in.members[key], id)
			}
		}
	}
	in.known = in.register.items(in.register.now())
	for id := range in.known {
		in.items[fold(id)] = []string{id}
	}
	for i := range in.catalogue.Items {
		item := &in.catalogue.Items[i]
		says := append([]string{item.Chinese, item.English}, item.Aliases...)
		for _, c := range item.Codes {
			says = append(says, c.Code)
		}
		for _, say := range says {
			in.items[fold(say)] = appendNew(in.items[fold(say)], item.ID)
		}
	}
}

func appendNew(list []string, one string) []string {
	for _, s := range list {
		if s == one {
			return list
		}
	}
	return append(list, one)
}

func (in *importer) fault(row int, column, format string, args ...any) {
	if len(in.out.Faults) >= mostFaults {
		in.out.More++
		return
	}
	if title := in.titles[column]; title != "" {
		column = title
	}
	in.out.Faults = append(in.out.Faults, Fault{in.sheet.Name, row, column, fmt.Sprintf(format, args...)})
}

// table reads one sheet; false means that it is about something else: none of its first rows has headings.
func (in *importer) table(t *sheet.Table) bool {
	in.sheet = t
	head := -1
	for i := range min(len(t.Rows), 10) {
		if in.heads(t.Rows[i]) {
			head = i
			break
		}
	}
	if head < 0 {
		return false
	}
	missing := false
	for _, h := range headings {
		if _, ok := in.columns[h.column]; !ok && h.needed {
			missing = true
			in.fault(head+1, h.names[0], "the column %s (%s) is missing", h.names[0], h.column)
		}
	}
	if missing {
		return true
	}
	for i, row := range t.Rows[head+1:] {
		if strings.Join(row, "") == "" {
			continue
		}
		in.out.Rows++
		in.line(head+i+2, row)
	}
	return true
}

// heads reads a row as headings; it is one when two of them are known.
func (in *importer) heads(row []string) bool {
	in.columns, in.titles = map[string]int{}, map[string]string{}
	for i, cell := range row {
		for _, h := range headings {
			for _, name := range append([]string{h.column}, h.names...) {
				if _, twice := in.columns[h.column]; fold(cell) == name && !twice {
					in.columns[h.column], in.titles[h.column] = i, cell
				}
			}
		}
	}
	return len(in.columns) >= 2
}

func (in *importer) line(number int, row []string) {
	cell := func(column string) string {
		if i, ok := in.columns[column]; ok && i < len(row) {
			return row[i]
		}
		return ""
	}
	before := len(in.out.Faults) + in.out.More
	q := Qualification{Scope: cell("scope"), Mark: cell("mark"), Source: cell("source")}
	one := func(column, what string, from map[string][]string) string {
		switch found := from[fold(cell(column))]; {
		case cell(column) == "":
			in.fault(number, column, "the %s is missing", what)
		case len(found) == 0:
			in.fault(number, column, "%.40q is no %s that is known here", cell(column), what)
		case len(found) > 1:
			in.fault(number, column, "%.40q may be %s", cell(column), strings.Join(found, " or "))
		default:
			return found[0]
		}
		return ""
	}
	q.Institution, q.Item = one("institution", "institution", in.members), one("item", "item", in.items)
	for column, to := range map[string]*string{"start": &q.Start, "end": &q.End} {
		day, ok := in.sheet.Day(cell(column))
		if *to = day; !ok {
			in.fault(number, column, "%.40q is no day", cell(column))
		}
	}
	var ok bool
	if q.Result, ok = results[fold(cell("result"))]; !ok {
		in.fault(number, "result", "%.40q is none of 合格, 不合格, 待定 (pass, fail, pending)", cell("result"))
	}
	if q.Withdrawn, ok = yes[fold(cell("withdrawn"))]; !ok {
		in.fault(number, "withdrawn", "%.40q is neither 是 nor 否", cell("withdrawn"))
	}
	if len(in.out.Faults)+in.out.More > before {
		return
	}
	if err := q.check(); err != nil {
		e, _ := err.(*hub.Error)
		in.fault(number, e.Path, "%s", e.Msg)
		return
	}
	if twin, twice := in.seen[q.Key()]; twice {
		in.fault(number, "", "says the same as row %d %s: institution, item, scope and first day", twin.row, twin.sheet)
		return
	}
	in.seen[q.Key()] = place{in.sheet.Name, number}
	in.out.Lines = append(in.out.Lines, q)
}

// Proposed makes a request of the lines.
func (in Imported) Proposed(reason string) Request {
	q := Request{Reason: reason, Changes: make([]Change, len(in.Lines))}
	for i := range in.Lines {
		q.Changes[i].Qualification = &in.Lines[i]
	}
	return q
}
