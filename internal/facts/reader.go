package facts

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

// reader gathers the facts of one bundle.
type reader struct {
	byReference map[string]object
	facts       []Fact
}

// note keeps a fact whose topic is no layout.
func (r *reader) note(f Fact) {
	if !isLayout(f.Topic) {
		r.facts = append(r.facts, f)
	}
}

func (r *reader) resource(o object) {
	kind := text(o["resourceType"])
	for _, c := range list(o["contained"]) {
		if inner, ok := c.(object); ok {
			r.resource(inner)
		}
	}
	if unread[kind] {
		return
	}
	if kind == "DocumentReference" || kind == "Binary" || kind == "DiagnosticReport" && has(o, "presentedForm") && !has(o, "result") {
		kind = "Document" // a file is told as a report without results, or as a document
	}
	r.walk(named(kind, o), o)
}

// named is the topic of an object that is told apart from its likes by its code.
func named(topic string, o object) string {
	if topic != "Observation" {
		return topic
	}
	code, _ := o["code"].(object)
	for _, c := range list(code["coding"]) {
		if c, ok := c.(object); ok && text(c["code"]) != "" {
			return topic + "(" + text(c["code"]) + ")"
		}
	}
	return topic + "(" + text(code["text"]) + ")"
}

// walk reads the members of o, which is the element called topic.
func (r *reader) walk(topic string, o object) {
	for name, member := range o {
		if name == "contained" || name == "resourceType" {
			continue
		}
		for _, v := range list(member) {
			r.value(step(topic, name), v)
		}
	}
}

// step is the topic of a member. The type in the name of a choice is dropped: a value is a value.
func step(topic, name string) string {
	for _, choice := range []string{"value", "effective", "onset", "collected", "performed", "occurrence"} {
		if rest, ok := strings.CutPrefix(name, choice); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			name = choice
		}
	}
	if name == "extension" && strings.HasSuffix(topic, ".extension") {
		return topic // parts of an extension are no deeper than one of a single value
	}
	if name == "text" {
		name = "words" // of a concept without a code; a note's too
	}
	t := topic + "." + strings.TrimPrefix(name, "_")
	if to, ok := renamed[t]; ok {
		return to
	}
	return t
}

func (r *reader) value(topic string, v any) {
	o, ok := v.(object)
	if !ok {
		r.primitive(topic, v)
		return
	}
	if topic == "Observation" || strings.HasSuffix(topic, ").component") {
		r.walk(named("Observation", o), o)
		return
	}
	switch {
	case has(o, "coding"):
		r.concept(topic, o)
	case isIdentifier(topic):
		r.identifier(topic, o)
	case has(o, "reference"):
		r.role(topic, text(o["reference"]))
		r.numbered(topic, r.byReference[text(o["reference"])])
	case topic == "Patient.extension" && o["url"] == "text":
		r.said(topic+".value.words", text(o["valueString"]), false) // of race and ethnicity, beside their codes
	case has(o, "display") && len(o) == 1:
		r.coding(topic, o)
	case has(o, "code") && !has(o, "value") && (has(o, "system") || has(o, "display") || len(o) == 1):
		r.coding(topic, o)
	case has(o, "value") && (has(o, "unit") || has(o, "code") || has(o, "comparator")) && !has(o, "use"):
		r.quantity(topic, o)
	default:
		r.walk(topic, o)
	}
}

func isIdentifier(topic string) bool {
	return strings.HasSuffix(topic, ".identifier") || strings.HasSuffix(topic, "Identifier")
}

func (r *reader) concept(topic string, o object) {
	coded := false
	for _, c := range list(o["coding"]) {
		if c, ok := c.(object); ok {
			coded = r.coding(topic, c) || coded
		}
	}
	if t := text(o["text"]); t != "" {
		r.said(topic+".words", t, !coded)
	}
}

// coding notes a code with its system. The words beside a code of HL7's own tables are the converter's.
func (r *reader) coding(topic string, o object) bool {
	code, system := text(o["code"]), text(o["system"])
	if code != "" {
		said := namedCode{systemName(system), code}
		if same, ok := sameCode[said]; ok {
			said = same
		}
		f := Fact{Topic: topic, Value: said.code}
		if system != "" {
			f.Any = []string{said.system}
		}
		r.note(f)
	}
	if d := text(o["display"]); d != "" {
		r.said(topic+".words", d, !ownWords(system))
	}
	return code != ""
}

// ownWords reports whether a code's words are fixed by its system, so that they say nothing beside it: HL7's own tables and
// the CDC's races and ethnicities.
func ownWords(system string) bool {
	return strings.Contains(system, "terminology.hl7.org") || strings.HasSuffix(system, "2.16.840.1.113883.6.238")
}

// role notes what somebody is by the place where they are named: one converter makes a role of who observed or ordered,
// another names them as performer or requester.
func (r *reader) role(topic, who string) {
	if !strings.HasPrefix(who, "Practitioner/") {
		return
	}
	for place, code := range map[string]string{").performer": "RO", "Request.requester": "OP"} {
		if strings.HasSuffix(topic, place) {
			r.note(Fact{Topic: "PractitionerRole.code", Value: code, Any: []string{"v2-0443", optional}})
		}
	}
}

// numbered offers the numbers of what is referred to: one converter refers by a number, another makes a resource of it.
func (r *reader) numbered(topic string, to object) {
	for _, i := range list(to["identifier"]) {
		if i, ok := i.(object); ok && !strings.HasPrefix(topic, "Patient") {
			from := len(r.facts)
			r.value(topic+".identifier", i)
			for n := range r.facts[from:] {
				r.facts[from+n].Any = append(r.facts[from+n].Any, optional)
			}
		}
	}
}

// optional marks, in Any, what counts where it is looked for but is not asked for.
const optional = "(offered)"

// said notes words; those that are only offered satisfy a question and ask none.
func (r *reader) said(topic, words string, asked bool) {
	f := Fact{Topic: topic, Value: strings.Join(strings.Fields(words), " ")}
	if !asked {
		f.Any = []string{optional}
	}
	r.note(f)
}

// identifier notes a number with everything that may name who gave it: the system, the assigner's name, the
// assigner's own identifiers; and its type.
func (r *reader) identifier(topic string, o object) {
	value := text(o["value"])
	if value == "" {
		return
	}
	var by []string
	if s := text(o["system"]); s != "" {
		by = append(by, systemName(s))
	}
	if a, ok := o["assigner"].(object); ok {
		by = append(by, r.assigner(a)...)
	}
	r.note(Fact{Topic: topic, Value: systemName(value), Any: by})
	if t, ok := o["type"].(object); ok {
		for _, c := range list(t["coding"]) {
			if c, ok := c.(object); ok && text(c["code"]) != "" {
				r.note(Fact{Topic: topic + "(" + systemName(value) + ").type", Value: text(c["code"])})
			}
		}
	}
	if p, ok := o["period"].(object); ok {
		r.walk(topic+"("+systemName(value)+").period", p)
	}
}

func (r *reader) assigner(ref object) []string {
	var names []string
	if d := text(ref["display"]); d != "" {
		names = append(names, systemName(d))
	}
	who := []object{r.byReference[text(ref["reference"])]}
	if i, ok := ref["identifier"].(object); ok {
		who = append(who, object{"identifier": []any{i}})
	}
	for _, o := range who {
		if n := text(o["name"]); n != "" {
			names = append(names, systemName(n))
		}
		for _, i := range list(o["identifier"]) {
			if i, ok := i.(object); ok {
				names = append(names, systemName(text(i["value"])))
			}
		}
	}
	return names
}

func (r *reader) quantity(topic string, o object) {
	r.primitive(topic, o["value"])
	var units []string
	for _, n := range []string{"unit", "code"} {
		if u := text(o[n]); u != "" {
			units = append(units, u)
		}
	}
	if len(units) > 0 {
		r.note(Fact{Topic: topic + ".unit", Any: units})
	}
	if c := text(o["comparator"]); c != "" {
		r.note(Fact{Topic: topic + ".comparator", Value: c})
	}
}

func (r *reader) primitive(topic string, v any) {
	if whole := text(v); strings.Contains(whole, "\n") {
		for line := range strings.SplitSeq(whole, "\n") {
			r.primitive(topic, line) // text is compared line by line: some send a segment for each
		}
		return
	}
	s := strings.Join(strings.Fields(text(v)), " ")
	if s == "" {
		return
	}
	if at := times(s); at != nil {
		r.note(Fact{Topic: topic, Any: at})
		return
	}
	r.note(Fact{Topic: topic, Value: s})
}

// times are the two readings of a time: the instant, and the clock on the wall. A sender that names no zone leaves it
// to the reader, and two readers may assume different ones.
func times(s string) []string {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return []string{t.UTC().Format("2006-01-02T15:04:05.999Z"), t.Format("2006-01-02T15:04:05.999")}
	}
	for _, l := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", "2006-01"} {
		if t, err := time.Parse(l, s); err == nil {
			return []string{t.Format(l)}
		}
	}
	return nil
}

// systemName is the last name of a system however it is spelled: a URI's last step, an OID, a table of HL7.
func systemName(s string) string {
	s = strings.TrimSuffix(s, "/")
	if i := strings.LastIndexAny(s, "/"); i >= 0 && strings.Contains(s, "://") {
		s = s[i+1:]
	}
	if i := strings.LastIndex(s, ":"); i >= 0 && strings.HasPrefix(s, "urn:") {
		s = s[i+1:]
	}
	s = strings.ToLower(s)
	if rest, ok := strings.CutPrefix(s, "hl7"); ok && len(rest) == 4 {
		s = "v2-" + rest
	}
	if to, ok := sameSystem[s]; ok {
		return to
	}
	return s
}

type namedCode struct{ system, code string }

// sameCode are codes of a converter's own that say what a standard's code says.
var sameCode = map[namedCode]namedCode{
	{"performer-role", "surgeon"}:                {"snomed", "304292004"},
	{"performer-role", "anesthesiologist"}:       {"snomed", "158967008"},
	{"performer-role", "procedure-practitioner"}: {"snomed", "223366009"},
}

var sameSystem = map[string]string{
	"sct": "snomed", "ln": "loinc", "loinc.org": "loinc", "us-ssn": "ssn", "i9": "icd-9-cm", "i9c": "icd-9-cm", "i10": "icd-10",
	"3166": "iso3166", "icdo": "icd-o", "ss": "ssn",
}

func has(o object, name string) bool { _, ok := o[name]; return ok }

// list gives the elements of an array, or the one value that is none.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	}
	return ""
}
