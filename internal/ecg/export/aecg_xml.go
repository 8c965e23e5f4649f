package export

import (
	"bufio"
	"encoding/xml"
	"strconv"
)

// writer writes elements. Errors stay in b.
type writer struct {
	b     *bufio.Writer
	depth int
}

// open begins an element; attributes are names and values in turn, of which empty ones are left out.
func (x *writer) open(name string, attributes ...string) { x.tag(name, ">", attributes); x.depth++ }

// one is an element without content.
func (x *writer) one(name string, attributes ...string) { x.tag(name, "/>", attributes) }

func (x *writer) close(names ...string) {
	for _, name := range names {
		x.depth--
		x.indent()
		x.b.WriteString("</" + name + ">\n")
	}
}

// text is an element of words; there is none without them.
func (x *writer) text(name, value string, attributes ...string) {
	if value == "" {
		return
	}
	x.indent()
	x.begin(name, attributes)
	x.b.WriteByte('>')
	_ = xml.EscapeText(x.b, []byte(value))
	x.b.WriteString("</" + name + ">\n")
}

func (x *writer) tag(name, end string, attributes []string) {
	x.indent()
	x.begin(name, attributes)
	x.b.WriteString(end + "\n")
}

func (x *writer) begin(name string, attributes []string) {
	x.b.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			x.b.WriteString(" " + attributes[i] + `="`)
			_ = xml.EscapeText(x.b, []byte(attributes[i+1]))
			x.b.WriteByte('"')
		}
	}
}

func (x *writer) indent() {
	for range x.depth {
		x.b.WriteByte(' ')
	}
}

func (x *writer) quantity(element string, value float64, unit string) {
	kind := ""
	if element == "value" {
		kind = "PQ"
	}
	x.one(element, "xsi:type", kind, "value", number(value), "unit", unit)
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
