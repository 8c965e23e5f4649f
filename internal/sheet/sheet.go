// Package sheet reads tables that people send: XLSX (ECMA-376) and CSV (RFC 4180), in UTF-8 or GB18030. It knows cells and not
// what they mean. Formulas are not evaluated: a cell says what was computed when the file was saved. Nothing outside of the
// file is looked at.
package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"concord/hub"
)

// Table is one sheet: rows of cells as text, numbers and dates as the file has them.
type Table struct {
	// Name is the sheet's, empty for CSV.
	Name string
	// Rows has every row of the file, empty ones too; row i is numbered i+1 by people.
	Rows [][]string
	// Epoch1904: dates count from 1904 instead of 1900.
	Epoch1904 bool
}

// Limits bound what is read; zero values mean the defaults named.
type Limits struct {
	Bytes   int // of the file, default 10 MB
	Rows    int // of all sheets, default 100,001
	Columns int // of a row, default 64
	Cell    int // bytes of a cell, default 4096
	Unzip   int // bytes of an XLSX unpacked, default 128 MB
	Sheets  int // default 16
}

func (l *Limits) fill() {
	for p, v := range map[*int]int{&l.Bytes: 10 << 20, &l.Rows: 100_001, &l.Columns: 64, &l.Cell: 4096, &l.Unzip: 128 << 20, &l.Sheets: 16} {
		if *p == 0 {
			*p = v
		}
	}
}

// maxParts is how many files an XLSX may be made of.
const maxParts = 1000

func tooLarge(format string, args ...any) error {
	return &hub.Error{Kind: hub.TooLarge, Path: "file", Msg: fmt.Sprintf(format, args...)}
}

func unreadable(err error) error {
	return &hub.Error{Kind: hub.Invalid, Path: "file", Msg: "the file is no readable XLSX workbook", Hint: "save it as .xlsx or as .csv again", Err: err}
}

// Read reads a file: XLSX where it is a ZIP, else CSV.
func Read(data []byte, l Limits) ([]Table, error) {
	l.fill()
	switch {
	case len(data) > l.Bytes:
		return nil, tooLarge("the file has %d bytes, the limit is %d", len(data), l.Bytes)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return readXLSX(data, l)
	case bytes.HasPrefix(data, []byte("\xD0\xCF\x11\xE0")):
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "file", Msg: "this is an .xls file or one with a password", Hint: "save it as .xlsx without a password, or as .csv"}
	}
	return readCSV(data, l)
}

func readCSV(data []byte, l Limits) ([]Table, error) {
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if !utf8.Valid(data) {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err != nil || bytes.ContainsRune(decoded, utf8.RuneError) {
			return nil, &hub.Error{Kind: hub.Invalid, Path: "file", Msg: "the file is neither UTF-8 nor GB18030 text"}
		}
		data = decoded
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "file", Msg: "the file is neither XLSX nor CSV"}
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, false, true
	if first, _, _ := bytes.Cut(data, []byte("\n")); bytes.IndexByte(first, ',') < 0 {
		for _, comma := range []rune{'\t', ';'} {
			if bytes.ContainsRune(first, comma) {
				r.Comma = comma
			}
		}
	}
	t := Table{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return []Table{t}, nil
		}
		if err != nil {
			return nil, &hub.Error{Kind: hub.Invalid, Path: "file", Msg: "read CSV", Err: err}
		}
		line, _ := r.FieldPos(0)
		if line > l.Rows {
			return nil, tooLarge("the file has more than %d rows", l.Rows)
		}
		for len(t.Rows) < line-1 { // empty lines, and line breaks inside of cells
			t.Rows = append(t.Rows, nil)
		}
		row, err := l.row(cells, line)
		if err != nil {
			return nil, err
		}
		t.Rows = append(t.Rows, row)
	}
}

// row copies the cells of a row, tidied.
func (l *Limits) row(cells []string, number int) ([]string, error) {
	for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	if len(cells) > l.Columns {
		return nil, tooLarge("row %d has more than %d columns", number, l.Columns)
	}
	out := make([]string, len(cells))
	for i, c := range cells {
		if len(c) > l.Cell {
			return nil, tooLarge("a cell of row %d has more than %d bytes", number, l.Cell)
		}
		out[i] = strings.TrimSpace(strings.ToValidUTF8(c, "\uFFFD"))
	}
	return out, nil
}

func readXLSX(data []byte, l Limits) (tables []Table, err error) {
	if err := l.unpacked(data); err != nil {
		return nil, err
	}
	defer func() { // the library reads what strangers send
		if fault := recover(); fault != nil {
			tables, err = nil, unreadable(fmt.Errorf("%v", fault))
		}
	}()
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{RawCellValue: true, UnzipSizeLimit: int64(l.Unzip), UnzipXMLSizeLimit: int64(l.Unzip)})
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	sheets := f.GetSheetList()
	if len(sheets) > l.Sheets {
		return nil, tooLarge("the workbook has more than %d sheets", l.Sheets)
	}
	props, err := f.GetWorkbookProps()
	if err != nil {
		return nil, unreadable(err)
	}
	total := 0
	for _, name := range sheets {
		if visible, err := f.GetSheetVisible(name); err == nil && !visible {
			continue // what people do not see, they do not mean to send
		}
		t := Table{Name: name, Epoch1904: props.Date1904 != nil && *props.Date1904}
		if err := l.rows(f, &t, &total); err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (l *Limits) rows(f *excelize.File, t *Table, total *int) error {
	rows, err := f.Rows(t.Name)
	if err != nil {
		return unreadable(err)
	}
	defer rows.Close()
	for rows.Next() {
		if *total++; *total > l.Rows {
			return tooLarge("the workbook has more than %d rows", l.Rows)
		}
		cells, err := rows.Columns()
		if err != nil {
			return unreadable(err)
		}
		row, err := l.row(cells, len(t.Rows)+1)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, row)
	}
	if err := rows.Error(); err != nil {
		return unreadable(err)
	}
	return nil
}

// unpacked refuses bombs by what the ZIP's directory says of itself; more than it says is never unpacked (archive/zip).
func (l *Limits) unpacked(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return unreadable(err)
	}
	if len(z.File) > maxParts {
		return tooLarge("the workbook has more than %d parts", maxParts)
	}
	var sum uint64
	for _, f := range z.File {
		if sum += f.UncompressedSize64; sum > uint64(l.Unzip) || f.UncompressedSize64 > uint64(l.Unzip) {
			return tooLarge("the workbook has more than %d bytes when unpacked", l.Unzip)
		}
	}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".xml") || strings.HasSuffix(f.Name, ".rels") {
			if err := wellFormed(f); err != nil {
				return unreadable(fmt.Errorf("%.64q: %w", f.Name, err))
			}
		}
	}
	return nil
}

// wellFormed reads a part to its end: the library passes over the rest of a sheet that it cannot read. A document type, and with it
// every entity, is refused (ECMA-376 part 2, 8.1.4).
func wellFormed(f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	for d := xml.NewDecoder(r); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, is := token.(xml.Directive); is {
			return errors.New("a document type is declared")
		}
	}
}

// Day reads a civil day as people and programs write it in tables: 2026-01-31, 2026/1/31, 2026.1.31, 2026年1月31日, 20260131, or
// the number of a spreadsheet's day. ok is false for anything else.
func (t *Table) Day(cell string) (day string, ok bool) {
	for _, layout := range []string{"2006-1-2", "2006/1/2", "2006.1.2", "2006年1月2日", "20060102", "2006-1-2T15:04:05", "2006-1-2 15:04:05"} {
		if d, err := time.Parse(layout, cell); err == nil {
			return d.Format(time.DateOnly), d.Year() >= 1900 && d.Year() <= 2200
		}
	}
	serial, err := strconv.Atoi(strings.TrimSuffix(cell, ".0"))
	if err != nil || serial < 10_000 || serial > 110_000 { // the years 1927 to 2201
		return "", false
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if t.Epoch1904 {
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return epoch.AddDate(0, 0, serial).Format(time.DateOnly), true
}

// Write makes an XLSX of one sheet. Cells are written as text, so that none is a formula.
func Write(w io.Writer, name string, rows [][]string) error {
	f := excelize.NewFile()
	defer f.Close()
	if err := f.SetSheetName("Sheet1", name); err != nil {
		return fmt.Errorf("write a workbook: %w", err)
	}
	out, err := f.NewStreamWriter(name)
	if err != nil {
		return fmt.Errorf("write a workbook: %w", err)
	}
	for i, row := range rows {
		cells := make([]any, len(row))
		for j, c := range row {
			cells[j] = c
		}
		if err := out.SetRow(fmt.Sprintf("A%d", i+1), cells); err != nil {
			return fmt.Errorf("write row %d of a workbook: %w", i+1, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write a workbook: %w", err)
	}
	return f.Write(w)
}
