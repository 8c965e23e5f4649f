package bench

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Print writes the rows as a table.
func Print(w io.Writer, rows []Row) error {
	lines := [][]string{{"work", "clients", "rate", "(min–max)", "p50 ms", "p95 ms", "p99 ms", "peer", "rate", "(min–max)", "p50 ms", "ratio", "goal", ""}}
	for _, r := range rows {
		if r.Error != "" {
			lines = append(lines, []string{r.Work, fmt.Sprint(r.Clients), "FAILED: " + r.Error})
			continue
		}
		line := make([]string, 0, 14)
		if r.again {
			line = append(line, "", "", "", "", "", "", "")
		} else {
			line = append(line, r.Work, fmt.Sprint(r.Clients), number(r.Hub.Rate)+" "+r.Unit+"/s", span(r.Hub), milli(r.Hub.P50), milli(r.Hub.P95), milli(r.Hub.P99))
		}
		if r.Peer != "" {
			line = append(line, r.Peer, number(r.Other.Rate), span(r.Other), milli(r.Other.P50), fmt.Sprintf("%.2f×", r.Ratio))
		} else {
			line = append(line, "", "", "", "", "")
		}
		verdict := ""
		if r.Goal.Of != "" {
			verdict = map[bool]string{true: "met", false: "MISSED"}[r.Met]
		}
		if r.Note != "" {
			verdict = strings.TrimSpace(verdict + "  " + r.Note)
		}
		lines = append(lines, append(line, r.Goal.String(), verdict))
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		if len(line) < len(widths) {
			continue // a failure may be long
		}
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		var b strings.Builder
		for i, cell := range line {
			b.WriteString(cell)
			if i < len(line)-1 {
				b.WriteString(strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell))+2))
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func span(f Figures) string { return "(" + number(f.Min) + "–" + number(f.Max) + ")" }

// number is a rate with three digits that mean something.
func number(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func milli(m Millis) string { return number(float64(m)) }
