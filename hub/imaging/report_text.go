package imaging

import (
	"strings"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// mostNarrative bounds the text that is made of a document.
const mostNarrative = 256 << 10

// narrative is the content tree as people read it: headings and lists, nothing else.
func (d *document) narrative() *models.Narrative {
	w := narrator{budget: mostItems}
	w.out.WriteString(`<div xmlns="http://www.w3.org/1999/xhtml">`)
	if t := d.title(); t != "" {
		w.element("h2", t)
	}
	w.list(d.root().children())
	if w.cut {
		w.element("p", "… (the document has more)")
	}
	w.out.WriteString("</div>")
	return &models.Narrative{Status: models.NarrativeStatusGenerated, Div: w.out.String()}
}

type narrator struct {
	out    strings.Builder
	budget int
	cut    bool
}

func (w *narrator) element(name, text string) {
	w.out.WriteString("<" + name + ">")
	w.text(text)
	w.out.WriteString("</" + name + ">")
}

func (w *narrator) list(items []node) {
	open := false
	for _, n := range items {
		if w.budget--; w.budget < 0 || w.out.Len() > mostNarrative {
			w.cut = true
			break
		}
		children := n.children()
		name, value := display(n.name), n.value()
		if name == "" && value == "" && len(children) == 0 {
			continue
		}
		if !open {
			w.out.WriteString("<ul>")
			open = true
		}
		w.out.WriteString("<li>")
		if name != "" {
			w.element("b", name)
		}
		if name != "" && value != "" {
			w.text(": ")
		}
		w.text(value)
		w.list(children)
		w.out.WriteString("</li>")
	}
	if open {
		w.out.WriteString("</ul>")
	}
}

// text writes characters that XML allows, with line breaks as such.
func (w *narrator) text(s string) {
	if len(s) > mostNarrative {
		s = strings.ToValidUTF8(s[:mostNarrative], "")
		w.cut = true
	}
	for _, r := range strings.ReplaceAll(s, "\r\n", "\n") {
		switch {
		case r == '\n' || r == '\r':
			w.out.WriteString("<br/>")
		case r == '&':
			w.out.WriteString("&amp;")
		case r == '<':
			w.out.WriteString("&lt;")
		case r == '>':
			w.out.WriteString("&gt;")
		case r < ' ' && r != '\t', r == 0xFFFE, r == 0xFFFF:
			w.out.WriteRune(' ')
		default:
			w.out.WriteRune(r)
		}
	}
}
