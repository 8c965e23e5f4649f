package ecg

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// element is one of an XML document, by local names. Its parent is gone over when it ends, and may then drop it.
type element struct {
	name    string
	attr    []xml.Attr
	text    string // once it has ended
	said    []byte
	kids    []*element
	samples Samples // of digits
}

const (
	xmlElements = 1 << 18 // held at one time
	xmlText     = 1 << 16 // of one element, digits excepted
	xmlAttrs    = 64      // of one element
)

// xmlWalk reads a document without DTD, entities of its own and instructions to fetch anything. It holds the elements that
// are open and those of them that done, called at each end with the open ones from the root down, did not ask to drop.
type xmlWalk struct {
	lim     Limits
	stack   []*element
	held    int
	samples int
	done    func(open []*element) (drop bool, err error)
}

// run returns the root element.
func (w *xmlWalk) run(r io.Reader) (*element, error) {
	source := &capped{r: r, left: w.lim.Bytes, what: "the document"}
	d := xml.NewDecoder(&tagGuard{r: utf8Of(source)})
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if strings.HasPrefix(strings.ToLower(label), "utf-16") {
			return in, nil // utf8Of has turned it
		}
		e, err := ianaindex.IANA.Encoding(label)
		if err != nil || e == nil {
			return nil, unsupported("encoding", "the document's encoding %.20q is not known", label)
		}
		return e.NewDecoder().Reader(in), nil
	}
	var root *element
	for {
		t, err := d.RawToken()
		if err == io.EOF && root != nil && len(w.stack) == 0 {
			return root, nil
		}
		if err != nil {
			return nil, xmlError(err, source.failed, d)
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, &errDTD
		case xml.ProcInst:
			if err := procInst(t); err != nil {
				return nil, err
			}
		case xml.StartElement:
			if root != nil && len(w.stack) == 0 {
				return nil, invalid("", "the document has two roots")
			}
			e, err := w.start(t)
			if err != nil {
				return nil, err
			}
			if root == nil {
				root = e
			}
		case xml.EndElement:
			if len(w.stack) == 0 || w.stack[len(w.stack)-1].name != t.Name.Local {
				return nil, invalid("", "an element ends at byte %d that was not open", d.InputOffset())
			}
			if err := w.end(); err != nil {
				return nil, err
			}
		case xml.CharData:
			if err := w.chars(t); err != nil {
				return nil, err
			}
		}
	}
}

func (w *xmlWalk) start(t xml.StartElement) (*element, error) {
	if len(w.stack) >= w.lim.Depth {
		return nil, tooLarge(t.Name.Local, "the document nests deeper than %d", w.lim.Depth)
	}
	if w.held++; w.held > xmlElements {
		return nil, tooLarge("", "the document has more than %d elements", xmlElements)
	}
	if len(t.Attr) > xmlAttrs {
		return nil, tooLarge(t.Name.Local, "an element has more than %d attributes", xmlAttrs)
	}
	e := &element{name: strings.Clone(t.Name.Local), attr: t.Attr}
	if n := len(w.stack); n > 0 {
		w.stack[n-1].kids = append(w.stack[n-1].kids, e)
	}
	w.stack = append(w.stack, e)
	return e, nil
}

func (w *xmlWalk) end() error {
	n := len(w.stack)
	e := w.stack[n-1]
	e.text, e.said = string(bytes.TrimSpace(e.said)), nil
	drop, err := w.done(w.stack)
	if drop && n > 1 {
		parent := w.stack[n-2]
		parent.kids = parent.kids[:len(parent.kids)-1]
		w.held -= e.count()
	}
	w.stack = w.stack[:n-1]
	return err
}

func (e *element) count() int {
	n := 1
	for _, k := range e.kids {
		n += k.count()
	}
	return n
}

func (w *xmlWalk) chars(p []byte) error {
	if len(w.stack) == 0 {
		return nil
	}
	e := w.stack[len(w.stack)-1]
	if e.name == "digits" {
		return w.digits(e, p)
	}
	if len(e.said)+len(p) > xmlText {
		return tooLarge(e.name, "the text of an element is longer than %d bytes", xmlText)
	}
	if len(e.said) > 0 || len(bytes.TrimSpace(p)) > 0 {
		e.said = append(e.said, p...)
	}
	return nil
}

// digits reads whole numbers between white space.
func (w *xmlWalk) digits(e *element, p []byte) error {
	for word := range bytes.FieldsSeq(p) {
		v, ok := wholeNumber(word)
		if !ok {
			return invalid("digits", "a sample, number %d of its lead, is no whole number", e.samples.Len()+1)
		}
		if w.samples++; w.samples > w.lim.Samples {
			return tooLarge("digits", "the document has more than %d samples", w.lim.Samples)
		}
		e.samples.Append(v)
	}
	return nil
}

// wholeNumber reads -12 and 12.0; NaN and its like are Missing.
func wholeNumber(word []byte) (int32, bool) {
	sign, digits := int64(1), word
	if len(word) > 1 && (word[0] == '-' || word[0] == '+') {
		digits = word[1:]
		if word[0] == '-' {
			sign = -1
		}
	}
	if i := bytes.IndexByte(digits, '.'); i > 0 && len(bytes.Trim(digits[i+1:], "0")) == 0 {
		digits = digits[:i]
	}
	if string(digits) == "NaN" || string(digits) == "NA" || string(digits) == "NI" {
		return Missing, true
	}
	v := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' || v > 1<<31 {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return int32(sign * v), len(digits) > 0 && v < 1<<31
}

// procInst accepts the declaration and instructions to browsers; none is followed.
func procInst(t xml.ProcInst) error {
	if len(t.Inst) > 4096 {
		return tooLarge(t.Target, "an instruction of the document is too long")
	}
	return nil
}

// utf8Of turns UTF-16 with a byte order mark into UTF-8 and takes the mark off.
func utf8Of(r io.Reader) io.Reader {
	b := bufio.NewReaderSize(r, 64<<10)
	head, _ := b.Peek(2)
	if bytes.Equal(head, []byte{0xff, 0xfe}) || bytes.Equal(head, []byte{0xfe, 0xff}) {
		return transform.NewReader(b, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder())
	}
	if head, _ := b.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		b.Discard(3)
	}
	return b
}

// tagGuard fails where a tag is longer than xmlTag: all its attributes would be held before they could be counted.
type tagGuard struct {
	r     io.Reader
	n     int // bytes since <; 0 outside of tags
	quote byte
}

const xmlTag = 1 << 16

func (g *tagGuard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	for _, c := range p[:n] {
		switch {
		case g.n == 0 && c == '<':
			g.n = 1
		case g.n == 0:
		case g.n == 1 && (c == '!' || c == '?'): // a comment, CDATA or an instruction; they have no attributes
			g.n = 0
		case g.quote != 0 && c == g.quote:
			g.quote, g.n = 0, g.n+1
		case g.quote == 0 && (c == '"' || c == '\''):
			g.quote, g.n = c, g.n+1
		case g.quote == 0 && c == '>':
			g.n = 0
		default:
			g.n++
		}
		if g.n > xmlTag {
			return 0, tooLarge("", "a tag of the document is longer than %d bytes", xmlTag)
		}
	}
	return n, err
}

var errDTD = *invalid("DOCTYPE", "the document has a document type declaration, which is refused")

// xmlError tells what is wrong with a document from a reader that failed.
func xmlError(err, reader error, d *xml.Decoder) error {
	var syntax *xml.SyntaxError
	switch {
	case refused(err):
		return err
	case reader != nil:
		return fmt.Errorf("read document at byte %d: %w", d.InputOffset(), reader)
	case errors.As(err, &syntax):
		return invalid("", "the document is no XML from line %d on: %s", syntax.Line, syntax.Msg)
	case err == io.EOF:
		return invalid("", "the document ends at byte %d, before its root does", d.InputOffset())
	}
	return invalid("", "the document is no XML that can be read from byte %d on", d.InputOffset())
}

// get is an attribute's value by local name; empty when it is absent.
func (e *element) get(name string) string {
	if e != nil {
		for _, a := range e.attr {
			if a.Name.Local == name {
				return a.Value
			}
		}
	}
	return ""
}

// kid finds the first element at a path of local names below e; nil when there is none, and on a nil e.
func (e *element) kid(path ...string) *element {
	for at := e; at != nil; {
		if len(path) == 0 {
			return at
		}
		var next *element
		for _, k := range at.kids {
			if k.name == path[0] {
				next = k
				break
			}
		}
		at, path = next, path[1:]
	}
	return nil
}

// each yields the elements of a name directly below e.
func (e *element) each(name string, yield func(*element)) {
	if e == nil {
		return
	}
	for _, k := range e.kids {
		if k.name == name {
			yield(k)
		}
	}
}

// find is the first element of a name anywhere below e.
func (e *element) find(name string) *element {
	if e == nil {
		return nil
	}
	for _, k := range e.kids {
		if k.name == name {
			return k
		}
		if f := k.find(name); f != nil {
			return f
		}
	}
	return nil
}
