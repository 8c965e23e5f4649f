package register_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"concord/hub"
	"concord/hub/recognition/register"
	"concord/internal/sheet"
)

func read(t testing.TB, r *register.Register, csv string) register.Imported {
	t.Helper()
	tables, err := sheet.Read([]byte(csv), sheet.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.ReadTables(tables)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestTablesAreReadWithChineseAndEnglishHeadings(t *testing.T) {
	r := newWorld(t).hub()
	for say, csv := range map[string]string{
		"Chinese": "省临检中心 2026 年室间质评\n\n医疗机构名称,检验项目,互认范围,开始日期,截止日期,室间质评结果,HR标识,文号\n县人民医院,谷丙转氨酶,全国,2026/1/1,2026年12月31日,合格,全国HR,皖临检〔2026〕3号\n",
		"English": "Member;Item;Scope;Start date;Valid until;EQA result;HR mark;Document\ncounty;alt;全国;2026-01-01;46387;PASS;全国HR;皖临检〔2026〕3号\n",
		"other":   "项目(LOINC),机构,结果,起,止,范围,标识,依据\n1742-6,COUNTY,通过,20260101,2026.12.31,全国,全国HR,皖临检〔2026〕3号\n",
	} {
		in := read(t, r, csv)
		want := register.Qualification{Institution: "county", Item: "alt", Scope: "全国", Start: "2026-01-01", End: "2026-12-31", Result: register.Passed, Mark: "全国HR", Source: "皖临检〔2026〕3号"}
		if len(in.Faults) > 0 || len(in.Lines) != 1 || in.Lines[0] != want {
			t.Errorf("%s: %+v", say, in)
		}
	}
}

func TestEveryFaultIsToldWithItsRowAndColumn(t *testing.T) {
	r := newWorld(t).hub()
	const head = "机构,项目,起始日期,截止日期,结果,互认标识\n"
	const good = "county,alt,2026-01-01,2026-12-31,合格,\n"
	in := read(t, r, head+good+strings.Join([]string{
		"mars,alt,2026-01-01,2026-12-31,合格,",        // 3
		"county,mars,2026-01-01,2026-12-31,合格,",     // 4
		"county,ast,2026-02-30,2026-12-31,合格,",      // 5
		"county,ast,2026-12-31,2026-01-01,合格,",      // 6
		"county,ast,2026-01-01,2026-12-31,也许,",      // 7
		"county,ast,2026-01-01,2026-12-31,不合格,全国HR", // 8
		"county,谷丙转氨酶,2026-01-01,2026-06-30,合格,",    // 9: as row 2
		"village,ast,2026-01-01,2026-12-31,合格,=1+1", // 10
		"",                         // 11
		"village,,,2026-12-31,合格,", // 12: two
		"village,ast,2026-01-01,2126-12-31,合格,",       // 13
		"village,ast,2026-01-01,2026-12-31,合格,,extra", // 14: a cell without a heading
	}, "\n"))
	var got []string
	for _, f := range in.Faults {
		got = append(got, fmt.Sprint(f.Row, " ", f.Column))
	}
	want := "3 机构|4 项目|5 起始日期|6 截止日期|7 结果|8 互认标识|9 |10 互认标识|12 项目|12 起始日期|13 截止日期"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s\n%+v", strings.Join(got, "|"), want, in.Faults)
	}
	if in.Rows != 12 || len(in.Lines) != 2 {
		t.Errorf("%d rows, %d good", in.Rows, len(in.Lines))
	}
	for say, csv := range map[string]string{"a column is missing": "机构,项目,结果\ncounty,alt,合格\n"} {
		if in := read(t, r, csv); len(in.Faults) != 2 || in.Faults[0].Row != 1 {
			t.Errorf("%s: %+v", say, in.Faults)
		}
	}
	tables, _ := sheet.Read([]byte("a,b\n1,2\n"), sheet.Limits{})
	if _, err := r.ReadTables(tables); !hub.Is(err, hub.Invalid) {
		t.Errorf("a table about something else: %v", err)
	}
}

func TestATableImportedAgainChangesNothing(t *testing.T) {
	w := newWorld(t)
	r := w.hub()
	var csv strings.Builder
	csv.WriteString("institution,item,start,end,result\n")
	for _, member := range []string{"county", "town", "village"} {
		for _, row := range r.Starter.Rows {
			fmt.Fprintf(&csv, "%s,%s,2026-01-01,2026-12-31,pass\n", member, row.ID())
		}
	}
	in := read(t, r, csv.String())
	if len(in.Faults) > 0 {
		t.Fatalf("%+v", in.Faults)
	}
	p := propose(t, r, zhang, in.Proposed("2026"))
	if again := propose(t, r, zhang, in.Proposed("2026")); again.ID != p.ID || len(r.Proposals("")) != 1 {
		t.Error("the same table waits twice")
	}
	if _, err := r.Rule(t.Context(), li, p.ID, register.Released, ""); err != nil {
		t.Fatal(err)
	}
	if again := propose(t, r, zhang, read(t, r, csv.String()).Proposed("2026")); again.ID != "" {
		t.Errorf("proposed again: %d changes", len(again.Changes))
	}
	more := propose(t, r, zhang, read(t, r, strings.Replace(csv.String(), "2026-12-31", "2026-06-30", 1)).Proposed("2026"))
	if len(more.Changes) != 1 {
		t.Errorf("one line differs, %d changes are proposed", len(more.Changes))
	}
	if n := len(r.Qualifications(register.Asked{})); n != 3*len(r.Starter.Rows) {
		t.Errorf("%d qualifications", n)
	}
}

func TestTheTemplateIsReadAsATable(t *testing.T) {
	r := newWorld(t).hub()
	var buf bytes.Buffer
	if err := sheet.Write(&buf, "资质", append(register.Template(), []string{"county", "alt", "", "2026-01-01", "2026-12-31", "合格", "", "", ""})); err != nil {
		t.Fatal(err)
	}
	tables, err := sheet.Read(buf.Bytes(), sheet.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.ReadTables(tables)
	if err != nil || len(in.Faults) > 0 || len(in.Lines) != 1 {
		t.Errorf("%+v, %v", in, err)
	}
}

func FuzzReadTables(f *testing.F) {
	r := newWorld(f).hub()
	f.Add("机构,项目,起始日期,截止日期,结果\ncounty,alt,2026-01-01,2026-12-31,合格\n")
	f.Add("institution;item;start;end;result;withdrawn\ncounty;1742-6;1;2;pass;是\n")
	f.Fuzz(func(t *testing.T, csv string) {
		tables, err := sheet.Read([]byte(csv), sheet.Limits{Rows: 50})
		if err != nil {
			return
		}
		in, err := r.ReadTables(tables)
		if err != nil {
			return
		}
		if len(in.Lines) > in.Rows {
			t.Errorf("%d lines of %d rows", len(in.Lines), in.Rows)
		}
		for _, q := range in.Lines {
			if _, ok := members[q.Institution]; !ok || q.Start > q.End {
				t.Errorf("%+v", q)
			}
		}
	})
}
