package laboratory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"slices"
	"strings"

	"concord/hub/messages"
	"concord/internal/fhir"
)

// Refiner completes what a mapping made of a message: standard codes, UCUM codes of units, a laboratory's reference range
// where the message has none, the mark of a critical value; and it gives the results of one specimen the same names
// whichever report brings them. It looks at no clock.
type Refiner struct {
	// Rules and Maps are those in force when it is called.
	Rules func() *Rules
	Maps  func(ctx context.Context) (*Maps, error)
}

// Refine implements messages.Refiner. What it cannot read it leaves as it is: whether that is right is not its question.
//
// Codes that have no standard one are told in the mapping's Unmapped and by a tag of the Observation; those that the
// mapping told there and that have one now are taken out.
func (f *Refiner) Refine(ctx context.Context, member string, _ *messages.Incoming, m *messages.Mapping) error {
	rules := f.Rules()
	if rules == nil {
		return nil
	}
	maps, err := f.Maps(ctx)
	if err != nil {
		return err
	}
	b := batch{rules: rules, maps: maps, member: member, mapping: m, specimens: map[string]specimen{}, kinds: map[string]string{}, same: map[string]int{}, settled: map[codeKey]bool{}, renamed: map[string]string{}}
	b.read()
	for i := range m.Resources {
		switch m.Resources[i].Name.Type {
		case "Observation":
			b.observation(i)
		case "DiagnosticReport", "ServiceRequest":
			b.coded(i)
		}
	}
	b.rename()
	m.Unmapped = b.unmapped()
	return nil
}

// batch is one message being refined.
type batch struct {
	rules   *Rules
	maps    *Maps
	member  string
	mapping *messages.Mapping

	docs      []*fhir.Doc         // by resource; nil where it is unreadable
	results   []Result            // of those that are coded
	sameIDs   []string            // see sameAs
	specimens map[string]specimen // by reference
	kinds     map[string]string   // what the name of a report tells of the specimen, by part
	same      map[string]int      // how often the message has a result of this id: see sameAs
	settled   map[codeKey]bool
	open      []messages.Code
	renamed   map[string]string // references
}

type specimen struct {
	kind   string // as written
	number string // the laboratory's own of it
}

func (b *batch) read() {
	n := len(b.mapping.Resources)
	b.docs, b.results, b.sameIDs = make([]*fhir.Doc, n), make([]Result, n), make([]string, n)
	for i := range b.mapping.Resources {
		r := &b.mapping.Resources[i]
		switch r.Name.Type {
		case "Observation", "DiagnosticReport", "ServiceRequest", "Specimen", "Patient":
		default:
			continue
		}
		doc, err := fhir.Parse(r.Body, fhir.Limits{})
		if err != nil {
			continue // it is refused with its place when it is checked
		}
		b.docs[i], r.Doc = doc, doc
		switch r.Name.Type {
		case "Observation", "ServiceRequest":
			b.results[i] = ReadResult(doc.Root())
		case "Specimen":
			b.specimens[r.Name.String()] = b.specimen(doc.Root())
		case "DiagnosticReport":
			b.results[i] = ReadResult(doc.Root())
			if kind := b.rules.specimenNamed(conceptNames(doc.Root().Get("code"))); kind != "" {
				b.kinds[r.Part] = kind
			}
		}
	}
	for i := range b.mapping.Resources {
		b.sameIDs[i] = b.sameAs(i)
		b.same[b.sameIDs[i]]++
	}
}

// specimenOf is what an Observation's specimen is known as.
func (b *batch) specimenOf(o fhir.Value) specimen {
	s := b.specimens[o.Get("specimen").Get("reference").Text()]
	if s.kind == "" {
		s.kind = o.Get("specimen").Get("display").Text()
	}
	return s
}

// specimen reads a Specimen: the first of its type's codes and texts that the rules know, else the first.
func (b *batch) specimen(v fhir.Value) specimen {
	var s specimen
	for _, name := range conceptNames(v.Get("type")) {
		if b.rules.Specimen(name) != "" {
			s.kind = name
			break
		}
		if s.kind == "" {
			s.kind = name
		}
	}
	for id := range v.Get("identifier").Items() {
		if s.number == "" {
			s.number = id.Get("system").Text() + "|" + id.Get("value").Text()
		}
	}
	if number := v.Get("accessionIdentifier").Get("value").Text(); number != "" {
		s.number = v.Get("accessionIdentifier").Get("system").Text() + "|" + number
	}
	if strings.HasSuffix(s.number, "|") {
		s.number = ""
	}
	return s
}

// conceptNames are the codes, displays and text of a CodeableConcept.
func conceptNames(v fhir.Value) []string {
	var names []string
	for c := range v.Get("coding").Items() {
		names = append(names, c.Get("code").Text(), c.Get("display").Text())
	}
	names = append(names, v.Get("text").Text())
	all := names[:0]
	for _, n := range names {
		if n != "" {
			all = append(all, n)
		}
	}
	return all
}

// coded adds what the maps say of the code of a report or order.
func (b *batch) coded(i int) {
	if b.docs[i] == nil {
		return
	}
	res := &b.results[i]
	var add additions
	for _, t := range b.maps.targets(b.rules, Question{Member: b.member, Codings: res.Codings, Name: res.Name}, "") {
		if !t.None && !slices.Contains(add.codings, t.Coding) && !has(res.Codings, t.Coding) {
			add.codings = append(add.codings, t.Coding)
		}
	}
	if len(add.codings) > 0 {
		b.settle(res.Codings)
		b.write(i, add.to(b.docs[i].Root()))
	}
}

func (b *batch) write(i int, body []byte) {
	b.mapping.Resources[i].Body, b.mapping.Resources[i].Doc = body, nil
}

func (b *batch) observation(i int) {
	if b.docs[i] == nil {
		return
	}
	root, res := b.docs[i].Root(), b.results[i]
	s := b.specimenOf(root)
	b.again(i)
	if s.kind == "" {
		s.kind = b.kinds[b.mapping.Resources[i].Part]
	}
	q := Question{Member: b.member, Codings: res.Codings, Name: res.Name, Specimen: s.kind, Unit: res.Unit}
	a := Resolve(b.rules, b.maps, q)
	add := additions{codings: a.Add}
	res.Codings = append(slices.Clip(res.Codings), a.Add...)
	like := ""
	if a.Code != nil {
		like = a.Code.Unit
	}
	if quantity := root.Get("valueQuantity"); quantity.Kind() != fhir.Absent && quantity.Get("code").Kind() == fhir.Absent && quantity.Get("system").Kind() == fhir.Absent {
		add.unit, _ = b.rules.UCUM(res.Unit, like)
		res.UCUM = add.unit
	}
	if res.Ranged {
		add.ranges = b.rangeUnits(root.Get("referenceRange"), like)
	} else {
		add.own = b.rules.ownRange(b.member, &res, b.sex(&res), b.age(&res))
	}
	if found, ok := b.rules.Critical(&res, b.age(&res)); ok && !found.Said {
		add.flag, add.flagText, add.rules = found.Flag, found.Text(b.rules), b.rules.Version
	}
	if a.Settled {
		b.settle(q.keys())
	} else if sighting, ok := SightingOf(q); ok {
		add.tag = sighting.ID()
		if of := root.Get("specimen"); of.Kind() != fhir.Absent && of.Get("display").Kind() == fhir.Absent {
			add.specimen = s.kind // so that whoever settles the code sees it
		}
		b.open = append(b.open, messages.Code{System: sighting.Code.System, Code: sighting.Code.Code, Display: sighting.Code.Display, Unit: res.Unit})
	}
	if !add.none() {
		b.write(i, add.to(root))
	}
}

// rangeUnits are the UCUM codes of the bounds of reference ranges that have none; nil where no bound needs one.
func (b *batch) rangeUnits(ranges fhir.Value, like string) (codes [][2]string) {
	found := false
	for one := range ranges.Items() {
		var pair [2]string
		for i, bound := range []string{"low", "high"} {
			q := one.Get(bound)
			if unit := q.Get("unit").Text(); unit != "" && q.Get("code").Kind() == fhir.Absent && q.Get("system").Kind() == fhir.Absent {
				pair[i], _ = b.rules.UCUM(unit, like)
				found = found || pair[i] != ""
			}
		}
		codes = append(codes, pair)
	}
	if !found {
		return nil
	}
	return codes
}

func (b *batch) settle(codings []Coding) {
	for _, c := range codings {
		b.settled[codeKey{system: c.System, code: c.Code}] = true
	}
}

// unmapped is what the mapping told as such and nobody has settled, and what was found besides.
func (b *batch) unmapped() []messages.Code {
	seen := map[codeKey]bool{}
	var all []messages.Code
	for _, c := range append(b.mapping.Unmapped, b.open...) {
		key := codeKey{system: c.System, code: c.Code}
		if !seen[key] && !b.settled[key] {
			seen[key] = true
			all = append(all, c)
		}
	}
	return all
}

// patient is the message's patient that a result is about; nil where it has none or several.
func (b *batch) patient(res *Result) (found fhir.Value, ok bool) {
	for i, doc := range b.docs {
		if doc != nil && b.mapping.Resources[i].Name == res.Patient {
			return doc.Root(), true
		}
	}
	return fhir.Value{}, false
}

func (b *batch) age(res *Result) int {
	p, ok := b.patient(res)
	if !ok {
		return -1
	}
	return ageIn(instant(p.Get("birthDate").Text()), res.taken())
}

func (b *batch) sex(res *Result) string {
	p, _ := b.patient(res)
	return p.Get("gender").Text()
}

// object is a JSON object whose numbers are kept as written.
type object = map[string]any

func decode(body []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var o object
	return o, dec.Decode(&o)
}

func encode(o any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(o)
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'}), err
}

// identify makes a FHIR id of parts that tells nothing of them.
func identify(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:20]))
}
