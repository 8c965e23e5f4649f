package sheet_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"concord/hub"
	"concord/internal/sheet"
)

// workbook makes an XLSX; numbers and formulas are given as such.
func workbook(t testing.TB, edit func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	edit(f)
	var buf bytes.Buffer
	if err := f.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestTheSameTableIsReadFromEveryForm(t *testing.T) {
	want := [][]string{{"机构", "项目"}, nil, {"county", "γ-谷氨酰转移酶, \"GGT\""}}
	text := "机构,项目\r\n\r\ncounty,\"γ-谷氨酰转移酶, \"\"GGT\"\"\"\r\n"
	chinese, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	for say, data := range map[string][]byte{
		"UTF-8": []byte(text), "UTF-8 with a mark": []byte("\xEF\xBB\xBF" + text), "GB18030": []byte(chinese),
		"tabs": []byte(strings.ReplaceAll(strings.ReplaceAll(text, ",", "\t"), "酶\t ", "酶, ")),
		"XLSX": workbook(t, func(f *excelize.File) {
			f.SetSheetRow("Sheet1", "A1", &[]any{"机构", "项目"})
			f.SetSheetRow("Sheet1", "A3", &[]any{" county ", "γ-谷氨酰转移酶, \"GGT\""})
		}),
	} {
		tables, err := sheet.Read(data, sheet.Limits{})
		if err != nil || len(tables) != 1 {
			t.Fatalf("%s: %v, %v", say, tables, err)
		}
		rows := tables[0].Rows
		if len(rows) == 3 && len(rows[1]) == 0 {
			rows[1] = nil
		}
		if !reflect.DeepEqual(rows, want) {
			t.Errorf("%s: %q", say, rows)
		}
	}
}

func TestDaysAreReadAsPeopleAndProgramsWriteThem(t *testing.T) {
	for cell, want := range map[string]string{"2026-01-31": "2026-01-31", "2026/1/31": "2026-01-31", "2026.1.31": "2026-01-31", "2026年1月31日": "2026-01-31",
		"20260131": "2026-01-31", "46053": "2026-01-31", "46053.0": "2026-01-31", "2024-02-29": "2024-02-29",
		"2026-02-30": "", "31.1.2026": "", "46053.5": "", "1e5": "", "": "", "今天": "", "-1": "", "99999999": ""} {
		got, ok := (&sheet.Table{}).Day(cell)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", cell, got, ok)
		}
	}
	if got, _ := (&sheet.Table{Epoch1904: true}).Day("44591"); got != "2026-01-31" {
		t.Errorf("counted from 1904: %s", got)
	}
}

func TestFormulasAreNotEvaluated(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		f.SetCellFormula("Sheet1", "A1", `WEBSERVICE("http://127.0.0.1:1/")`)
		f.SetCellFormula("Sheet1", "B1", "1+1")
		f.SetCellValue("Sheet1", "C1", "x")
	})
	tables, err := sheet.Read(data, sheet.Limits{})
	if err != nil || fmt.Sprint(tables[0].Rows) != "[[  x]]" {
		t.Fatalf("%v, %v", tables, err)
	}
}

// packed is a ZIP of parts.
func packed(t testing.TB, parts map[string]io.Reader) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, r := range parts {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.Copy(w, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// parts takes a workbook apart and replaces one part.
func parts(t testing.TB, replace, with string) []byte {
	t.Helper()
	data := workbook(t, func(f *excelize.File) { f.SetCellValue("Sheet1", "A1", "x") })
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]io.Reader{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = r
	}
	all[replace] = strings.NewReader(with)
	return packed(t, all)
}

func TestHostileFilesAreRefusedAndCostLittle(t *testing.T) {
	const entity = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname"><!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]>`
	for say, c := range map[string]struct {
		data []byte
		kind hub.ErrKind
	}{
		"a bomb":                  {packed(t, map[string]io.Reader{"xl/workbook.xml": io.LimitReader(zeros{}, 300<<20)}), hub.TooLarge},
		"no workbook":             {packed(t, map[string]io.Reader{"x": strings.NewReader("x")}), hub.Invalid},
		"cut":                     {workbook(t, func(*excelize.File) {})[:2000], hub.Invalid},
		"the old format":          {[]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), hub.Unsupported},
		"a picture":               {[]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"), hub.Invalid},
		"too long":                {make([]byte, 11<<20), hub.TooLarge},
		"too many rows":           {[]byte(strings.Repeat("a\n", 100_002)), hub.TooLarge},
		"too many columns":        {[]byte(strings.Repeat("a,", 65) + "a"), hub.TooLarge},
		"a cell too long":         {[]byte(strings.Repeat("a", 5000)), hub.TooLarge},
		"a quote that never ends": {[]byte("a,\"b\nc"), hub.Invalid},
		"an entity in a sheet": {parts(t, "xl/worksheets/sheet1.xml", entity+
			`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&e;&c;</t></is></c></row></sheetData></worksheet>`), hub.Invalid},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tables, err := sheet.Read(c.data, sheet.Limits{})
		runtime.ReadMemStats(&after)
		if !hub.Is(err, c.kind) {
			t.Errorf("%s: %v, %v", say, len(tables), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: %d MB were allocated", say, used>>20)
		}
	}
	data := parts(t, "xl/sharedStrings.xml", entity+`<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>&e;</t></si></sst>`)
	if tables, err := sheet.Read(data, sheet.Limits{}); err == nil && strings.TrimSpace(fmt.Sprint(tables[0].Rows)) != "[[]]" {
		t.Errorf("an entity in the strings: %v", tables)
	}
	if tables, err := sheet.Read(parts(t, "xl/worksheets/sheet1.xml", `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1048576"><c r="A1048576"><v>1</v></c></row></sheetData></worksheet>`), sheet.Limits{}); !hub.Is(err, hub.TooLarge) {
		t.Errorf("a row far below: %v, %d", err, len(tables))
	}
}

func TestHiddenSheetsAreNotMeant(t *testing.T) {
	tables, err := sheet.Read(workbook(t, func(f *excelize.File) {
		f.NewSheet("下拉")
		f.SetSheetVisible("下拉", false)
	}), sheet.Limits{})
	if err != nil || len(tables) != 1 || tables[0].Name != "Sheet1" {
		t.Fatalf("%v, %v", tables, err)
	}
}

func TestWhatIsWrittenIsReadBackAndIsNoFormula(t *testing.T) {
	rows := [][]string{{"a", "=1+1"}, {"", "@x"}}
	var buf bytes.Buffer
	if err := sheet.Write(&buf, "资质", rows); err != nil {
		t.Fatal(err)
	}
	tables, err := sheet.Read(buf.Bytes(), sheet.Limits{})
	if err != nil || tables[0].Name != "资质" || !reflect.DeepEqual(tables[0].Rows, rows) {
		t.Fatalf("%v, %v", tables, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n"))
	f.Add([]byte("a;\"b\n\"\n"))
	f.Add(workbook(f, func(x *excelize.File) { x.SetCellValue("Sheet1", "B2", 46053) }))
	f.Add(parts(f, "xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="2"><c r="ZZ1" t="s"><v>7</v></c></row></sheetData></worksheet>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tables, err := sheet.Read(data, sheet.Limits{Rows: 100, Unzip: 1 << 20})
		if err != nil {
			return
		}
		for _, table := range tables {
			for _, row := range table.Rows {
				for _, cell := range row {
					table.Day(cell)
				}
			}
		}
	})
}
