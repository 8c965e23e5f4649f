package draw

import (
	"fmt"
	"math"
	"strings"

	"concord/internal/ecg"
)

// phrases are the header's words in each language.
var phrases = map[Language]map[string]string{
	English: {"id": "ID", "born": "born", "age": "age", "male": "male", "female": "female", "other": "other sex", "taken": "Taken", "at": "At", "device": "Device",
		"order": "Order", "rate": "HR", "axes": "Axes P/QRS/T", "unnamed": "name not given",
		"reading": "Read by", "more": "more", "median": "representative beat", "filter": "Filter", "local": "local time", "seconds": "from %s s",
		"a": "y", "mo": "mo", "wk": "wk", "d": "d", "h": "h"},
	Chinese: {"id": "编号", "born": "出生", "age": "年龄", "male": "男", "female": "女", "other": "其他性别", "taken": "采集时间", "at": "机构", "device": "设备",
		"order": "申请单号", "rate": "心率", "axes": "电轴 P/QRS/T", "unnamed": "未提供姓名",
		"reading": "审核", "more": "条未显示", "median": "代表性心搏", "filter": "滤波", "local": "当地时间", "seconds": "自 %s s",
		"a": "岁", "mo": "月", "wk": "周", "d": "天", "h": "小时"},
}

// header writes who, when and what was measured, in columns as wide as their content, and returns where the grid may begin.
func (s *sheet) header(p *pen, rec *ecg.Recording, o Options, y float64) float64 {
	say := phrases[o.Language]
	blocks := [][]string{patient(rec, say), acquisition(rec, say), measurements(rec, say), nil}
	shares := []float64{0.24, 0.28, 0.22, 0.26}
	width := min(s.width-2*margin, 297)
	const room = 7
	blocks[3] = statements(p, rec, width*shares[3]-4, room, say)
	lines, x := 0, margin
	for i, block := range blocks {
		for j, line := range block[:min(len(block), room)] {
			size := textSize
			if i == 0 && j == 0 {
				size = labelSize
			}
			if text := p.fit(line, size, width*shares[i]-4); text != "" {
				s.words = append(s.words, word{x, y + float64(j+1)*lineSize - 1, size, text})
			}
			lines = max(lines, j+1)
		}
		x += width * shares[i]
	}
	return y + up(float64(lines)*lineSize+1, 5)
}

func patient(rec *ecg.Recording, say map[string]string) []string {
	who := rec.Patient
	name := plain(who.Name)
	if name == "" {
		name = say["unnamed"]
	}
	var facts []string
	if who.Sex != "" {
		facts = append(facts, say[string(who.Sex)])
	}
	if who.Age != nil {
		unit, ok := say[who.Age.Unit]
		if !ok {
			unit = plain(who.Age.Unit)
		}
		facts = append(facts, say["age"]+" "+number(who.Age.Value)+" "+unit)
	}
	if who.BirthDate != "" {
		facts = append(facts, say["born"]+" "+plain(who.BirthDate))
	}
	return some(name, named(say["id"], who.ID), strings.Join(facts, " · "), named(say["order"], first(rec.Accession, rec.Order)))
}

func acquisition(rec *ecg.Recording, say map[string]string) []string {
	taken := ""
	if t := rec.Acquired; !t.IsZero() {
		switch {
		case t.Day:
			taken = t.Time.Format("2006-01-02")
		case t.Zoned:
			taken = t.Time.Format("2006-01-02 15:04:05 -07:00")
		default:
			taken = t.Time.Format("2006-01-02 15:04:05")
		}
	}
	d := rec.Device
	return some(named(say["taken"], taken), named(say["at"], strings.TrimSpace(rec.Institution+" "+rec.Department)),
		named(say["device"], strings.TrimSpace(d.Manufacturer+" "+d.Model)), named(say["reading"], rec.Reading))
}

func measurements(rec *ecg.Recording, say map[string]string) []string {
	value := func(codes ...string) string {
		m, ok := rec.Measured(codes...)
		if !ok || math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			return ""
		}
		return number(math.Round(m.Value))
	}
	line := func(name, unit string, values ...string) string {
		given := false
		for i, v := range values {
			if given = given || v != ""; v == "" {
				values[i] = "–"
			}
		}
		if !given {
			return ""
		}
		return name + " " + strings.Join(values, "/") + unit
	}
	rate := value(ecg.VentricularRate, ecg.HeartRate)
	if rr, ok := rec.Measured(ecg.RRInterval); ok && rate == "" && rr.Unit == "ms" && rr.Value >= 100 && rr.Value < 1e5 {
		rate = number(math.Round(60_000 / rr.Value))
	}
	qtc := "QT/QTc"
	corrected := value(ecg.QTcInterval)
	if corrected == "" {
		if corrected = value(ecg.QTcBazett); corrected != "" {
			qtc = "QT/QTcB"
		} else if corrected = value(ecg.QTcFridericia); corrected != "" {
			qtc = "QT/QTcF"
		}
	}
	return some(
		line(say["rate"], " /min", rate),
		line("P", " ms", value(ecg.PDuration)),
		line("PR", " ms", value(ecg.PRInterval)),
		line("QRS", " ms", value(ecg.QRSDuration)),
		line(qtc, " ms", value(ecg.QTInterval), corrected),
		line(say["axes"], "°", value(ecg.PAxis), value(ecg.QRSAxis), value(ecg.TAxis)),
	)
}

// statements breaks the interpretation into lines of a width, at most room of them; the last one says how much is missing.
func statements(p *pen, rec *ecg.Recording, width float64, room int, say map[string]string) []string {
	var lines []string
	for i, st := range rec.Statements {
		text := plain(first(st.Text, st.Sent.Display, st.Sent.Code))
		if text == "" {
			continue
		}
		if len(lines) == room-1 && i < len(rec.Statements)-1 {
			return append(lines, fmt.Sprintf("+ %d %s", len(rec.Statements)-i, say["more"]))
		}
		lines = append(lines, p.fit(text, textSize, width))
	}
	return lines
}

// footer writes the scale below the grid, and what the signal went through.
func (s *sheet) footer(p *pen, g ecg.Group, o Options, y float64) {
	say := phrases[o.Language]
	parts := []string{scaleMark(o), number(g.Rate) + " Hz"}
	if f := filters(g.Filters); f != "" {
		parts = append(parts, say["filter"]+" "+f)
	}
	if g.Kind == ecg.Median {
		parts = append(parts, say["median"])
	}
	if o.From >= 0.005 {
		parts = append(parts, fmt.Sprintf(say["seconds"], number(o.From)))
	}
	text := p.fit(strings.Join(parts, " · "), textSize, s.width-2*margin)
	s.words = append(s.words, word{margin, y, textSize, text})
}

func filters(f ecg.Filters) string {
	var parts []string
	switch {
	case f.HighPass > 0 && f.LowPass > 0:
		parts = append(parts, number(f.HighPass)+"–"+number(f.LowPass)+" Hz")
	case f.HighPass > 0:
		parts = append(parts, "> "+number(f.HighPass)+" Hz")
	case f.LowPass > 0:
		parts = append(parts, "< "+number(f.LowPass)+" Hz")
	}
	if f.Notch > 0 {
		parts = append(parts, "≠ "+number(f.Notch)+" Hz")
	}
	if other := plain(f.Other); other != "" {
		parts = append(parts, other)
	}
	return strings.Join(parts, ", ")
}

func named(name, value string) string {
	if value = plain(value); value == "" {
		return ""
	}
	return name + " " + value
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// some are the values that are not empty.
func some(values ...string) []string {
	var kept []string
	for _, v := range values {
		if v != "" {
			kept = append(kept, v)
		}
	}
	return kept
}
