package draw

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// han is the font of Chinese characters; scripts/ecg-font.py says what is in it.
//
//go:embed fonts/droid-sans-fallback-han.ttf.gz
var han []byte

// fonts are asked in their order for each character. The second is unpacked when the first does not have one.
var fonts = [...]func() *sfnt.Font{
	sync.OnceValue(func() *sfnt.Font { return parsed(goregular.TTF, nil) }),
	sync.OnceValue(func() *sfnt.Font {
		r, err := gzip.NewReader(bytes.NewReader(han))
		if err != nil {
			return nil
		}
		return parsed(io.ReadAll(r))
	}),
}

// parsed is nil for what is no font; a test holds the embedded ones to be some.
func parsed(data []byte, err error) *sfnt.Font {
	if err != nil {
		return nil
	}
	f, err := sfnt.Parse(data)
	if err != nil {
		return nil
	}
	return f
}

// grain is the size at which outlines are read: fixed-point numbers are exact enough for any size made of it.
const grain = 1024

// A pen measures words and draws their outlines. It is for one goroutine.
type pen struct{ buf sfnt.Buffer }

// glyph finds the character in the first font that has it.
func (p *pen) glyph(r rune) (*sfnt.Font, sfnt.GlyphIndex) {
	for _, f := range fonts {
		if font := f(); font != nil {
			if g, err := font.GlyphIndex(&p.buf, r); err == nil && g != 0 {
				return font, g
			}
		}
	}
	return nil, 0
}

// has tells that every character of s can be drawn.
func (p *pen) has(s string) bool {
	for _, r := range s {
		if f, _ := p.glyph(r); f == nil {
			return false
		}
	}
	return true
}

// width is that of s at a size of one; what no font has counts as wide as a Chinese character.
func (p *pen) width(s string) float64 {
	sum := 0.0
	for _, r := range s {
		sum += p.advance(p.glyph(r))
	}
	return sum
}

func (p *pen) advance(f *sfnt.Font, g sfnt.GlyphIndex) float64 {
	if f == nil {
		return 1
	}
	a, err := f.GlyphAdvance(&p.buf, g, fixed.I(grain), font.HintingNone)
	if err != nil {
		return 1
	}
	return float64(a) / 64 / grain
}

// outline calls back with each part of the outlines of s, written at x, y with the given size.
func (p *pen) outline(s string, x, y, size float64, part func(op sfnt.SegmentOp, args [3]point)) {
	for _, r := range s {
		f, g := p.glyph(r)
		if f == nil {
			continue
		}
		segments, err := f.LoadGlyph(&p.buf, g, fixed.I(grain), nil)
		if err != nil {
			continue
		}
		for _, s := range segments {
			var at [3]point
			for i, a := range s.Args {
				at[i] = point{x + float64(a.X)/64/grain*size, y + float64(a.Y)/64/grain*size}
			}
			part(s.Op, at)
		}
		x += p.advance(f, g) * size
	}
}

// fit shortens s to a width in millimetres at a size, with an ellipsis where something was left out.
func (p *pen) fit(s string, size, width float64) string {
	if p.width(s)*size <= width {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 0; n-- {
		if short := strings.TrimRight(string(runes[:n]), " ,;") + "…"; p.width(short)*size <= width {
			return short
		}
	}
	return ""
}

// plain makes one line of a text from outside: white space is one space, and what has no shape of its own goes, so that
// nothing turns the line's direction around. It is cut at a length that no label needs.
func plain(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(s), " ") {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			continue
		}
		if b.WriteRune(r); b.Len() > 400 {
			break
		}
	}
	return b.String()
}
