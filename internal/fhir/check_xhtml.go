package fhir

import "strings"

// A narrative is XHTML inside a JSON string (R4 narrative.html#xhtml): well-formed XML with a div of the XHTML namespace as
// its root and the elements and attributes of HTML 4.0 that R4 names. It may not hold what a browser would act on: scripts, event handlers, forms, frames, objects, links that run code, style sheets from elsewhere.
// Nor may it declare a document type: the only entities are XML's own and characters by number.

// narrativeFault reports what is wrong with XHTML that is written as the JSON string s, quotes not included; empty when nothing is.
// It decodes on its way and allocates nothing when all is well.
func narrativeFault(s string) string {
	x := xhtml{text: s}
	x.read()
	for isSpace(x.c) {
		x.read()
	}
	if x.c != '<' {
		return "the narrative does not begin with a div"
	}
	for !x.done && x.fault == "" {
		x.content()
	}
	for x.fault == "" && x.c != 0 {
		if !isSpace(x.c) {
			return "there is something after the narrative's div"
		}
		x.read()
	}
	return x.fault
}

// maxNesting is how deep elements of a narrative may nest.
const maxNesting = 64

// xhtml reads a narrative character by character.
type xhtml struct {
	text  string // what is left, with JSON's escapes
	c     byte   // the character at hand, 0 at the end, 0x80 for any beyond ASCII
	depth int
	open  [maxNesting]uint8 // the elements around, by place in xhtmlElements
	buf   [64]byte          // of a name or the beginning of a value
	done  bool              // the root is closed
	fault string
}

func (x *xhtml) read() {
	switch {
	case x.text == "":
		x.c = 0
	case x.text[0] != '\\':
		x.c = min(x.text[0], 0x80)
		x.text = x.text[1:]
	case x.text[1] != 'u':
		x.c = escapes[x.text[1]]
		x.text = x.text[2:]
	default:
		x.c = byte(min(hex4(x.text), 0x80))
		x.text = x.text[6:]
	}
	if x.c < ' ' && !isSpace(x.c) && x.text != "" {
		x.stop("the narrative holds a control character")
	}
}

func (x *xhtml) stop(fault string) {
	if x.fault == "" {
		x.fault = "the narrative is no well-formed XHTML of the kind that R4 admits: " + fault
	}
	x.text, x.c, x.done = "", 0, true
}

// content reads text up to the next tag, or a tag.
func (x *xhtml) content() {
	switch x.c {
	case 0:
		x.stop("it ends before its div does")
	case '<':
		x.read()
		switch x.c {
		case '!':
			x.comment()
		case '?':
			x.stop("a processing instruction")
		case '/':
			x.read()
			x.endTag()
		default:
			x.startTag()
		}
	case '&':
		x.entity()
	default:
		x.read()
	}
}

func (x *xhtml) comment() {
	for range 2 {
		if x.read(); x.c != '-' {
			x.stop("a document type or CDATA section")
			return
		}
	}
	x.read()
	for dashes := 0; ; x.read() {
		switch {
		case x.c == 0:
			x.stop("a comment without end")
			return
		case dashes >= 2 && x.c == '>':
			x.read()
			return
		case dashes >= 2:
			x.stop("two hyphens inside a comment")
			return
		case x.c == '-':
			dashes++
		default:
			dashes = 0
		}
	}
}

// entity reads a reference to a character and returns it, 0x80 for any beyond ASCII.
func (x *xhtml) entity() byte {
	n := 0
	for x.read(); x.c != ';' && x.c != 0 && n < 10; n++ {
		x.buf[n] = x.c
		x.read()
	}
	name := x.buf[:n]
	if x.c == ';' {
		x.read()
		switch string(name) {
		case "amp":
			return '&'
		case "lt":
			return '<'
		case "gt":
			return '>'
		case "quot":
			return '"'
		case "apos":
			return '\''
		}
		if c, ok := numbered(name); ok {
			return c
		}
	}
	x.stop("an entity that XML does not define; write the character itself or its number")
	return 0
}

// numbered is the character of a numeric reference without & and ;, 0x80 for any beyond ASCII.
func numbered(name []byte) (byte, bool) {
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	base, digits := 10, name[1:]
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	v := 0
	for _, c := range digits {
		d := 99
		switch {
		case isDigit(c):
			d = int(c - '0')
		case isLetter(c):
			d = int(c|0x20-'a') + 10
		}
		if d >= base || v > 0x10FFFF {
			return 0, false
		}
		v = v*base + d
	}
	legal := v == '\t' || v == '\n' || v == '\r' || v >= ' ' && v < 0xD800 || v >= 0xE000 && v <= 0x10FFFF && v != 0xFFFE && v != 0xFFFF
	return byte(min(v, 0x80)), legal && len(digits) > 0
}

// name reads a name of letters, digits, hyphens and colons; longer ones are none that is known.
func (x *xhtml) name() []byte {
	n := 0
	for isLetter(x.c) || isDigit(x.c) || x.c == '-' || x.c == ':' || x.c == '_' || x.c == '.' {
		if n < len(x.buf) {
			x.buf[n] = x.c
			n++
		}
		x.read()
	}
	return x.buf[:n]
}

func (x *xhtml) startTag() {
	name := x.name()
	element := xhtmlElements[string(name)]
	switch {
	case element == 0:
		x.stop("the element " + string(name) + " is not admitted")
		return
	case x.depth == 0 && element != elementDiv:
		x.stop("its root is no div")
		return
	case x.depth == maxNesting:
		x.stop("its elements nest too deep")
		return
	}
	if !x.attributes() {
		return
	}
	if x.c == '/' {
		if x.read(); x.c != '>' {
			x.stop("a tag without end")
			return
		}
		x.done = x.depth == 0
	} else {
		x.open[x.depth] = element
		x.depth++
	}
	x.read()
}

func (x *xhtml) endTag() {
	name := x.name()
	for isSpace(x.c) {
		x.read()
	}
	if element := xhtmlElements[string(name)]; x.c != '>' || element == 0 || element != x.open[x.depth-1] {
		x.stop("an end tag that closes nothing")
		return
	}
	x.depth--
	x.done = x.depth == 0
	x.read()
}

// attributes reads those of a start tag, up to its > or />; it is false when one is wrong.
func (x *xhtml) attributes() bool {
	var seen uint64
	for {
		spaced := isSpace(x.c)
		for isSpace(x.c) {
			x.read()
		}
		switch {
		case x.c == '>' || x.c == '/':
			if x.depth == 0 && seen&(1<<attributeNS) == 0 {
				x.stop("its div is not in the namespace http://www.w3.org/1999/xhtml")
			}
			return x.fault == ""
		case !spaced || x.c == 0:
			x.stop("a tag without end")
			return false
		}
		name := x.name()
		attribute := xhtmlAttributes[string(name)]
		if attribute == 0 || seen&(1<<attribute) != 0 {
			x.stop("the attribute " + string(name) + " is not admitted, or there twice")
			return false
		}
		seen |= 1 << attribute
		if !x.attribute(attribute) {
			return false
		}
	}
}

// attribute reads the equals sign and value of an attribute.
func (x *xhtml) attribute(attribute uint8) bool {
	for isSpace(x.c) {
		x.read()
	}
	if x.c != '=' {
		x.stop("an attribute without value")
		return false
	}
	for x.read(); isSpace(x.c); x.read() {
	}
	quote := x.c
	if quote != '"' && quote != '\'' {
		x.stop("an attribute's value without quotes")
		return false
	}
	var value [32]byte // the beginning of the value without white space, in lower case
	n, css := 0, uint32(0)
	for x.read(); x.c != quote; {
		c := x.c
		switch c {
		case 0, '<':
			x.stop("an attribute's value without end, or with a <")
			return false
		case '&':
			c = x.entity()
		default:
			x.read()
		}
		if c <= ' ' {
			continue
		}
		if isLetter(c) {
			c |= 0x20
		}
		if n < len(value) {
			value[n] = c
			n++
		}
		if attribute == attributeStyle {
			css = css<<8 | uint32(c)
			if c == '\\' || css == 'i'<<24|'p'<<16|'t'<<8|':' || css == 'i'<<24|'o'<<16|'n'<<8|'(' { // script: and expression(
				x.stop("a style that runs code")
				return false
			}
		}
	}
	x.read()
	switch {
	case attribute == attributeNS && string(value[:n]) != "http://www.w3.org/1999/xhtml":
		x.stop("its div is not in the namespace http://www.w3.org/1999/xhtml")
	case (attribute == attributeHref || attribute == attributeSrc || attribute == attributeCite || attribute == attributeLong) && runsCode(string(value[:n])):
		x.stop("a link that runs code")
	}
	return x.fault == ""
}

// runsCode tells whether a browser would run what the link says, not go there.
func runsCode(link string) bool {
	return strings.HasPrefix(link, "javascript:") || strings.HasPrefix(link, "vbscript:") ||
		strings.HasPrefix(link, "data:") && (!strings.HasPrefix(link, "data:image/") || strings.HasPrefix(link, "data:image/svg"))
}

// The elements and attributes are those of HTML 4.0 that R4 admits (narrative.html#xhtml): chapters 7 to 11 without
// 9.4, chapter 15, links and images. Their numbers are their places here, from 1 on.
var (
	xhtmlElements = numberedFrom1("div img a abbr acronym b big blockquote br caption cite code col colgroup dd dfn dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var kbd s strike u center font ins del address")

	xhtmlAttributes = numberedFrom1("xmlns href src style cite longdesc abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset class clear color colspan compact coords datetime dir face frame headers height hreflang hspace id lang name noshade nowrap rel rev rowspan rules scope shape size span start summary tabindex title type usemap valign value vspace width xml:lang xml:space ismap")
)

const (
	elementDiv = 1

	attributeNS, attributeHref, attributeSrc, attributeStyle, attributeCite, attributeLong = 1, 2, 3, 4, 5, 6
)

func numberedFrom1(list string) map[string]uint8 {
	numbers := map[string]uint8{}
	for i, name := range strings.Fields(list) {
		numbers[name] = uint8(i + 1)
	}
	return numbers
}
