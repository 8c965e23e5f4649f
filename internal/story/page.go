package story

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// columns is how wide a terminal must be.
const columns = 100

// page prints the story. Colours are for terminals only, and not where NO_COLOR is set.
type page struct {
	out    io.Writer
	colour bool
	number int // of the scene
}

func newPage(out io.Writer) *page {
	p := &page{out: out}
	if f, ok := out.(*os.File); ok && os.Getenv("NO_COLOR") == "" {
		info, err := f.Stat()
		p.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *page) line(s string) { fmt.Fprintln(p.out, s) }

func (p *page) paint(code, s string) string {
	if !p.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *page) bold(s string) string  { return p.paint("1", s) }
func (p *page) dim(s string) string   { return p.paint("2", s) }
func (p *page) green(s string) string { return p.paint("32", s) }
func (p *page) red(s string) string   { return p.paint("1;31", s) }

func (p *page) rule(of string) { p.line(p.dim(strings.Repeat(of, columns))) }

// both prints a sentence in the two languages.
func (p *page) both(chinese, english string) {
	for _, s := range []string{chinese, english} {
		for _, l := range wrap(s, columns-2) {
			p.line("  " + l)
		}
	}
}

// scene prints the head of a scene.
func (p *page) scene(chinese, english string) {
	p.line("")
	head := fmt.Sprintf("━━ %d  %s · %s ", p.number, chinese, english)
	p.line(p.bold(head + strings.Repeat("━", max(0, columns-cells(head)))))
}

// check prints what was found to be as it should.
func (p *page) check(chinese, english string) {
	for i, s := range []string{chinese, english} {
		for j, l := range wrap(s, columns-4) {
			mark := "  "
			if i == 0 && j == 0 {
				mark = "✓ "
			}
			p.line("  " + p.green(mark+l))
		}
	}
}

// alarm says loudly that the story went wrong.
func (p *page) alarm(err error) {
	bar := strings.Repeat("!", columns)
	p.line(p.red(bar))
	for _, l := range wrap("出乎意料 · UNEXPECTED: "+err.Error(), columns) {
		p.line(p.red(l))
	}
	p.line(p.red(bar))
}

func (p *page) command(s string) {
	if strings.HasPrefix(s, "#") {
		s = p.dim(s)
	}
	p.line("  " + s)
}

// excerpt prints the beginning of a body.
func (p *page) excerpt(text string, lines int) {
	shown := wrap(text, columns-6)
	for i, l := range shown {
		if i == lines {
			p.line("      " + p.dim("…"))
			return
		}
		p.line("      " + p.dim(l))
	}
}

// cells is how many columns a text takes: CJK characters take two.
func cells(s string) (n int) {
	for _, r := range s {
		n += cell(r)
	}
	return n
}

func cell(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// wrap breaks text into lines of at most n columns: after blanks, slashes, ampersands and wide characters where it can,
// else anywhere. No closing mark begins a line and no opening one ends it.
func wrap(text string, n int) (lines []string) {
	for cells(text) > n {
		used, at, soft := 0, 0, 0
		for i, r := range text {
			w := cell(r)
			if used+w > n {
				break
			}
			used, at = used+w, i+utf8.RuneLen(r)
			next, _ := utf8.DecodeRuneInString(text[at:])
			if (w == 2 || strings.ContainsRune(" /&", r)) && r != '（' && !strings.ContainsRune("，。；：、）", next) {
				soft = at
			}
		}
		if soft > at/2 {
			at = soft
		}
		lines = append(lines, strings.TrimRight(text[:at], " "))
		text = strings.TrimLeft(text[at:], " ")
	}
	return append(lines, text)
}

// pad fills a text up to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-cells(s))) }

// table prints rows in columns of the widths given, wrapping cells.
func (p *page) table(indent string, widths []int, rows [][]string) {
	for _, row := range rows {
		var parts [][]string
		height := 1
		for i, text := range row {
			lines := wrap(text, widths[i])
			parts, height = append(parts, lines), max(height, len(lines))
		}
		for y := range height {
			var b strings.Builder
			b.WriteString(indent)
			for i := range row {
				text := ""
				if y < len(parts[i]) {
					text = parts[i][y]
				}
				b.WriteString(pad(text, widths[i]) + "  ")
			}
			p.line(strings.TrimRight(b.String(), " "))
		}
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
