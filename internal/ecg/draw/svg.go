package draw

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"

	"concord/internal/ecg"
)

// Ink and paper.
const (
	inkSVG   = "#000"
	minorSVG = "#f7d3d3"
	majorSVG = "#ea9f9f"
	stacked  = "'Noto Sans CJK SC','Noto Sans SC','Microsoft YaHei','PingFang SC','WenQuanYi Micro Hei',Arial,sans-serif"
)

// SVG writes the recording's picture as one SVG document whose user units are millimetres. It has no script, no style
// sheet and no reference to anything outside. A recording without a signal to show is an Unprocessable error; nothing has
// been written then.
func SVG(w io.Writer, rec *ecg.Recording, o Options) error {
	s, err := plan(rec, o)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]smm" height="%[2]smm" viewBox="0 0 %[1]s %[2]s">`+"\n"+
		`<rect width="%[1]s" height="%[2]s" fill="#fff"/>`+"\n", number(s.width), number(s.height))
	s.grid.path(&b, "grid-1mm", minorSVG, 0.1, 1)
	s.grid.path(&b, "grid-5mm", majorSVG, 0.2, 5)
	fmt.Fprintf(&b, `<g fill="none" stroke="%s" stroke-width="0.25" stroke-linejoin="round" stroke-linecap="round">`+"\n", inkSVG)
	b.WriteString(`<path class="marks" d="`)
	for _, run := range s.rules {
		appendPath(&b, run)
	}
	b.WriteString("\"/>\n")
	for _, t := range s.traces {
		if len(t.runs) == 0 {
			continue
		}
		b.WriteString(`<path class="trace" data-lead="`)
		escape(&b, t.label)
		b.WriteString(`" d="`)
		for _, run := range t.runs {
			appendPath(&b, run)
		}
		b.WriteString("\"/>\n")
	}
	fmt.Fprintf(&b, "</g>\n<g fill=\"%s\" font-family=\"%s\">\n", inkSVG, stacked)
	for _, t := range s.words {
		fmt.Fprintf(&b, `<text x="%s" y="%s" font-size="%s">`, number(t.x), number(t.y), number(t.size))
		escape(&b, t.text)
		b.WriteString("</text>\n")
	}
	b.WriteString("</g>\n</svg>\n")
	_, err = w.Write(b.Bytes())
	return err
}

// path draws lines every step millimetres in both directions, the area's edges among them.
func (a area) path(b *bytes.Buffer, class, stroke string, width, step float64) {
	fmt.Fprintf(b, `<path class="%s" fill="none" stroke="%s" stroke-width="%s" d="`, class, stroke, number(width))
	for i := 0.0; a.left+i <= a.right+1e-6; i += step {
		fmt.Fprintf(b, "M%s %sV%s", number(a.left+i), number(a.top), number(a.bottom))
	}
	for i := 0.0; a.top+i <= a.bottom+1e-6; i += step {
		fmt.Fprintf(b, "M%s %sH%s", number(a.left), number(a.top+i), number(a.right))
	}
	b.WriteString("\"/>\n")
}

// appendPath writes a line as path data in steps of a hundredth of a millimetre: its begin, then the way from each point
// to the next, each from where the rounded one before has led, so that rounding does not add up.
func appendPath(b *bytes.Buffer, run []point) {
	hundredth := func(v float64) int64 { return int64(math.Round(v * 100)) }
	var x, y int64
	var num []byte
	put := func(v int64) {
		num = appendHundredths(num[:0], v)
		b.Write(num)
	}
	for i, p := range run {
		px, py := hundredth(p.x), hundredth(p.y)
		switch dx, dy := px-x, py-y; {
		case i == 0:
			b.WriteByte('M')
			put(px)
			b.WriteByte(' ')
			put(py)
			if len(run) == 1 {
				b.WriteString("h0")
			}
		case dx == 0 && dy == 0:
		case dy == 0:
			b.WriteByte('h')
			put(dx)
		case dx == 0:
			b.WriteByte('v')
			put(dy)
		default:
			b.WriteByte('l')
			put(dx)
			if dy > 0 {
				b.WriteByte(' ')
			}
			put(dy)
		}
		x, y = px, py
	}
}

// appendHundredths writes v/100 with as few characters as there can be: "1.5", ".25", "-3".
func appendHundredths(dst []byte, v int64) []byte {
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	if v >= 100 || v == 0 {
		dst = strconv.AppendInt(dst, v/100, 10)
	}
	if f := v % 100; f != 0 {
		dst = append(dst, '.', byte('0'+f/10))
		if f%10 != 0 {
			dst = append(dst, byte('0'+f%10))
		}
	}
	return dst
}

// escape writes text as XML has it; what XML cannot hold becomes U+FFFD. A bytes.Buffer does not fail.
func escape(b *bytes.Buffer, s string) { _ = xml.EscapeText(b, []byte(s)) }

// number is v without needless digits, to a hundredth.
func number(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }
