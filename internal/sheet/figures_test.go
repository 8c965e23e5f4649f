package sheet_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"concord/internal/sheet"
)

func TestFiguresAreNumbersAndNoTextIsAFormula(t *testing.T) {
	rows := [][]any{{"项目 item", "n", "rate"}, {"=HYPERLINK(\"http://x\")", 12, 0.5}, {"+1", -3, ""}, {"@sum, \"quoted\"", 0, 1.0}, {"\t=1", 1, "－1"}}
	var csv, xlsx bytes.Buffer
	if err := sheet.WriteCSV(&csv, rows); err != nil {
		t.Fatal(err)
	}
	const want = "\ufeff项目 item,n,rate\r\n\"'=HYPERLINK(\"\"http://x\"\")\",12,0.5\r\n'+1,-3,\r\n\"'@sum, \"\"quoted\"\"\",0,1\r\n'\t=1,1,'－1\r\n"
	if csv.String() != want {
		t.Errorf("%q\nwant\n%q", csv.String(), want)
	}
	if err := sheet.WriteFigures(&xlsx, "统计", rows); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&xlsx)
	if err != nil {
		t.Fatal(err)
	}
	for cell, typ := range map[string]excelize.CellType{"A2": excelize.CellTypeInlineString, "B2": excelize.CellTypeUnset, "C2": excelize.CellTypeUnset, "A3": excelize.CellTypeInlineString} {
		got, err := f.GetCellType("统计", cell)
		formula, _ := f.GetCellFormula("统计", cell)
		if err != nil || got != typ || formula != "" {
			t.Errorf("%s is of type %v, formula %q: %v", cell, got, formula, err)
		}
	}
	if v, _ := f.GetCellValue("统计", "A2"); !strings.HasPrefix(v, "=HYPERLINK") {
		t.Errorf("the text is %q", v)
	}
}
