package register

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Difference is what one change makes otherwise, for people.
type Difference struct {
	// What is changed: an item's id, or a qualification's institution, item and first day.
	What string `json:"what"`
	// How: new, changed, retired, restored.
	How     string         `json:"how"`
	Columns []ColumnChange `json:"columns,omitempty"`
	Chinese string         `json:"zh"`
	English string         `json:"en"`
}

// ColumnChange is one column before and after, as text.
type ColumnChange struct {
	Column  string `json:"column"`
	Before  string `json:"before"`
	After   string `json:"after"`
	Chinese string `json:"zh"`
	English string `json:"en"`
}

// Differences tells what a proposal changes: one that is open, compared with what would be in force without it when it takes
// force; one that was released, with what was in force before it.
func (r *Register) Differences(p *Proposal) []Difference {
	s := r.now()
	at, base := p.Effective, s
	if p.Ruling != nil && p.Ruling.Verdict == Released {
		at = p.Ruling.Effective
		base = &State{releases: s.releases[:p.Ruling.Number-1]}
	} else if now := r.Now(); at.Before(now) {
		at = now
	}
	if base != s {
		base.qualify(base.releases)
	}
	rows := base.rows(base.versionAt(at))
	var all []Difference
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Qualification != nil {
			all = append(all, base.qualificationDifference(c.Qualification))
			continue
		}
		before := r.starter(c.Item)
		over, is := rows[c.Item]
		if is {
			before = over.row
		}
		after := c.Row
		if c.Restore {
			after = r.starter(c.Item)
		}
		all = append(all, rowDifference(c, before, after))
	}
	return all
}

func rowDifference(c *Change, before, after Row) Difference {
	d := Difference{What: c.Item, How: "changed"}
	named := after
	switch {
	case c.Retire:
		d.How, named, after = "retired", before, nil
	case before == nil:
		d.How = "new"
	case c.Restore:
		d.How = "restored"
	}
	if !c.Retire {
		for _, name := range columnsOf(before, after) {
			one := ColumnChange{Column: name, Before: show(before[name]), After: show(after[name])}
			if one.Before == one.After {
				continue
			}
			zh, en := called(name)
			one.Chinese, one.English = sentence(zh, one, "无"), sentence(en, one, "none")
			d.Columns = append(d.Columns, one)
		}
	}
	chinese, english := named.Names()
	verbs := map[string][2]string{"new": {"新增", "new"}, "changed": {"修改", "changed"}, "retired": {"停用", "retired"}, "restored": {"恢复为出厂行", "back to the starter's row"}}[d.How]
	d.Chinese, d.English = fmt.Sprintf("%s(%s):%s", chinese, c.Item, verbs[0]), fmt.Sprintf("%s (%s): %s", english, c.Item, verbs[1])
	return d
}

func sentence(label string, c ColumnChange, none string) string {
	before, after := c.Before, c.After
	if before == "" {
		before = none
	}
	if after == "" {
		after = none
	}
	return label + ": " + before + " → " + after
}

func (s *State) qualificationDifference(q *Qualification) Difference {
	d := Difference{What: q.Institution + " · " + q.Item + " · " + q.Start, How: "new"}
	before := s.line(q)
	if before != nil {
		d.How = "changed"
	}
	if q.Withdrawn {
		d.How = "retired"
	}
	for _, c := range [][4]string{{"end", "止于", "last day", q.End}, {"result", "结果", "result", string(q.Result)}, {"mark", "互认标识", "mark", q.Mark}, {"source", "依据文件", "document", q.Source}} {
		one := ColumnChange{Column: c[0], After: c[3]}
		if before != nil {
			one.Before = map[string]string{"end": before.End, "result": string(before.Result), "mark": before.Mark, "source": before.Source}[c[0]]
		}
		if one.Before != one.After {
			one.Chinese, one.English = sentence(c[1], one, "无"), sentence(c[2], one, "none")
			d.Columns = append(d.Columns, one)
		}
	}
	verbs := map[string][2]string{"new": {"新增资质", "new qualification"}, "changed": {"修改资质", "qualification changed"}, "retired": {"撤销资质", "qualification withdrawn"}}[d.How]
	d.Chinese, d.English = verbs[0]+": "+d.What, verbs[1]+": "+d.What
	return d
}

// show is a column as text.
func show(v any) string {
	if empty(v) {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return "✓"
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = show(v[i])
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for _, k := range sorted(v) {
			parts = append(parts, k+"="+show(v[k]))
		}
		return strings.Join(parts, ", ")
	}
	body, _ := encode(v)
	return string(body)
}
