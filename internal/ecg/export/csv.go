package export

import (
	"bufio"
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/ecg"
)

// Unit is of the voltages in a CSV.
type Unit string

const (
	Microvolt Unit = "uV"
	Millivolt Unit = "mV"
)

// CSV writes one group: a header, then a line a sample with the seconds since the group's start and a field a lead, which
// is empty where nothing was measured. Voltages are in unit, which the header names; what is no voltage keeps its own.
// Skew is not moved: every lead's samples stand on the line of their number. No name from outside begins a field with a
// character that spreadsheets take for a formula.
func CSV(w io.Writer, g ecg.Group, unit Unit) error {
	if unit != Microvolt && unit != Millivolt {
		return &hub.Error{Kind: hub.Invalid, Path: "unit", Msg: "is none that is known", Hint: "use uV or mV"}
	}
	if !(g.Rate > 0) {
		return &hub.Error{Kind: hub.Unprocessable, Path: "rate", Msg: "the recording does not say how fast it was sampled"}
	}
	b := bufio.NewWriterSize(w, 64<<10)
	header := []string{"time (s)"}
	columns := make([]column, len(g.Leads))
	for i, l := range g.Leads {
		columns[i] = columnOf(l, unit)
		header = append(header, harmless(l.Label)+" ("+columns[i].unit+")")
	}
	out := csv.NewWriter(b)
	if err := out.Write(header); err != nil {
		return err
	}
	out.Flush()
	var line []byte
	for i := range g.Len() {
		line = strconv.AppendFloat(line[:0], math.Round(float64(i)/g.Rate*1e6)/1e6, 'f', -1, 64)
		for _, c := range columns {
			line = c.append(append(line, ','), i)
		}
		if _, err := b.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return b.Flush()
}

// column is how a lead's samples become fields.
type column struct {
	lead        ecg.Lead
	unit        string
	scale, base float64
	digits      float64 // behind the point, as a power of ten
}

func columnOf(l ecg.Lead, unit Unit) column {
	scale, base, ok := l.Microvolts()
	switch {
	case !ok:
		return column{l, harmless(l.Unit), l.Scale, l.Baseline, 1e9}
	case unit == Millivolt:
		return column{l, string(unit), scale / 1000, base / 1000, 1e7}
	}
	return column{l, string(unit), scale, base, 1e4}
}

func (c column) append(line []byte, i int) []byte {
	i -= c.lead.Start
	if i < 0 || i >= c.lead.Samples.Len() {
		return line
	}
	v := c.lead.Samples.At(i)
	if v == ecg.Missing {
		return line
	}
	x := float64(v)*c.scale + c.base
	return strconv.AppendFloat(line, math.Round(x*c.digits)/c.digits, 'f', -1, 64)
}

// harmless is a name that no spreadsheet computes.
func harmless(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if s = strings.TrimSpace(s); s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
