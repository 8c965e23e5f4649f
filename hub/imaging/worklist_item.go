package imaging

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
	"concord/internal/fhir"
)

// order is a ServiceRequest with what belongs to it: a requested procedure.
type order struct {
	record     *hub.Record
	resource   fhir.Value
	tasks      []task
	related    map[string]fhir.Value // by reference
	consortium string
}

type task struct {
	id       string
	resource fhir.Value
}

// step is a scheduled procedure step.
type step struct {
	id         string
	start, end time.Time
	stations   []string // AE titles; nil: none is named
	task       fhir.Value
}

// waiting are the statuses of Tasks that have not begun (R4 task.html).
func waiting(status string) bool {
	return slices.Contains([]string{"requested", "received", "accepted", "ready"}, status)
}

// steps are those of the order that have not begun. An order whose Tasks all have begun or ended has none.
func (o *order) steps() []step {
	r := o.resource
	occurrence := r.Get("occurrencePeriod")
	own := []fhir.Value{r.Get("occurrenceDateTime"), occurrence.Get("start"), first(r.Get("occurrenceTiming").Get("event")), r.Get("authoredOn")}
	stations := o.stationsOf(r.Get("performer"))
	id := shorten(cmp.Or(identifierOf(r, "FILL"), identifierOf(r, "PLAC"), o.record.Name.ID), 16)
	if len(o.tasks) == 0 {
		s := step{id: id, stations: stations}
		s.start, s.end = o.when(own, occurrence.Get("end"))
		return []step{s}
	}
	var all []step
	for _, t := range o.tasks {
		if !waiting(t.resource.Get("status").Text()) {
			continue
		}
		period, restriction := t.resource.Get("executionPeriod"), t.resource.Get("restriction").Get("period")
		s := step{id: shorten(cmp.Or(identifierOf(t.resource, ""), t.id), 16), task: t.resource, stations: o.stationsOf(t.resource.Get("owner"))}
		if s.stations == nil {
			s.stations = stations
		}
		s.start, s.end = o.when(append([]fhir.Value{period.Get("start"), restriction.Get("start")}, own...), period.Get("end"))
		all = append(all, s)
	}
	return all
}

// when is the first start that is known, else when the order was written, and the end if there is one.
func (o *order) when(starts []fhir.Value, ends fhir.Value) (start, end time.Time) {
	start, ok := startOf(starts...)
	if !ok {
		start = o.record.Time.In(fhir.ChinaTime())
	}
	end, _ = startOf(ends)
	return start, end
}

// stationsOf are the AE titles of performers: identifiers of the performer, or of the Device it refers to, whose type is
// Station AE Title (DCM 110119) or whose system is urn:dicom:aet.
func (o *order) stationsOf(performers fhir.Value) []string {
	var all []string
	for p := range performers.Items() {
		for _, holder := range []fhir.Value{p, o.related[p.Get("reference").Text()]} {
			for id := range holder.Get("identifier").Items() {
				if value := id.Get("value").Text(); value != "" && (id.Get("system").Text() == "urn:dicom:aet" || coded(id.Get("type"), systemDCM, "110119")) {
					all = append(all, shorten(value, 16))
				}
			}
		}
	}
	return all
}

func coded(concept fhir.Value, system, code string) bool {
	for c := range concept.Get("coding").Items() {
		if c.Get("system").Text() == system && c.Get("code").Text() == code {
			return true
		}
	}
	return false
}

const systemIdentifierType = "http://terminology.hl7.org/CodeSystem/v2-0203"

// identifierOf is the value of the identifier with a type of HL7 table 0203; the first without one for type "".
func identifierOf(resource fhir.Value, typ string) string {
	for id := range resource.Get("identifier").Items() {
		if typ == "" && id.Get("type").Kind() == fhir.Absent || typ != "" && coded(id.Get("type"), systemIdentifierType, typ) {
			if v := id.Get("value").Text(); v != "" && id.Get("system").Text() != systemUID {
				return v
			}
		}
	}
	return ""
}

func first(v fhir.Value) fhir.Value {
	for one := range v.Items() {
		return one
	}
	return fhir.Value{}
}

// set is a data set on its way to DICOM JSON; encoding/json writes maps in the order of their keys.
type set map[string]any

type jsonElement struct {
	VR    string `json:"vr"`
	Value []any  `json:"Value,omitempty"`
}

// put adds an attribute; without values, or with empty ones, it is there and empty.
func (s set) put(t dicom.Tag, values ...any) {
	a, _ := dict.Lookup(t)
	e := jsonElement{VR: a.VR.String()}
	for _, v := range values {
		if text, isText := v.(string); isText {
			switch a.VR {
			case dict.SH, dict.AE, dict.CS:
				text = shorten(text, 16)
			case dict.LO:
				text = shorten(text, 64)
			}
			v = text
			if text == "" {
				continue
			}
		}
		e.Value = append(e.Value, v)
	}
	s[t.Hex()] = e
}

// item is the worklist item of a step (PS3.4 Table K.6-1, PS3.3 C.4.10 to C.4.16).
func (o *order) item(st step) []byte {
	r := o.resource
	s := set{}
	o.patient(s)
	o.visit(s, st)
	accession := identifierOf(r, typeAccession)
	s.put(0x00080050, accession)
	s.put(0x0020000D, o.studyUID())
	s.put(0x00401001, cmp.Or(identifierOf(r, "FILL"), accession, identifierOf(r, "PLAC"), shorten(o.record.Name.ID, 16)))
	s.put(0x00402016, identifierOf(r, "PLAC"))
	s.put(0x00402017, identifierOf(r, "FILL"))
	s.put(0x00321060, describe(r.Get("code")))
	s.put(0x00321064, codes(r.Get("code"))...)
	s.put(0x00401003, map[string]string{"stat": "STAT", "urgent": "HIGH", "asap": "HIGH", "routine": "ROUTINE"}[r.Get("priority").Text()])
	s.put(0x00401002, describe(first(r.Get("reasonCode"))))
	s.put(0x0040100A, codes(first(r.Get("reasonCode")))...)
	s.put(0x00401400, shorten(first(r.Get("note")).Get("text").Text(), 10240))
	requester := o.nameOf(r.Get("requester"))
	s.put(0x00080090, requester...)
	s.put(0x00321032, requester...)
	s.put(tagSteps, o.step(st))
	data, _ := json.Marshal(s)
	return data
}

func (o *order) step(st step) set {
	r := o.resource
	s := set{}
	stations := make([]any, len(st.stations))
	for i := range stations {
		stations[i] = st.stations[i]
	}
	s.put(tagStation, stations...)
	s.put(tagStart, st.start.Format("20060102"))
	s.put(0x00400003, st.start.Format("150405"))
	if !st.end.IsZero() {
		s.put(0x00400004, st.end.Format("20060102"))
		s.put(0x00400005, st.end.Format("150405"))
	}
	s.put(0x00080060, o.modality(st))
	s.put(0x00400006, o.nameOf(first(r.Get("performer")))...)
	s.put(0x00400007, cmp.Or(st.task.Get("description").Text(), describe(st.task.Get("code")), describe(r.Get("code"))))
	s.put(0x00400008, codes(r.Get("code"))...)
	s.put(0x00400009, st.id)
	s.put(0x00400010)
	s.put(0x00400011, o.related[st.task.Get("location").Get("reference").Text()].Get("name").Text())
	s.put(0x00400012)
	s.put(0x00400020, "SCHEDULED")
	s.put(0x00400400, shorten(first(st.task.Get("note")).Get("text").Text(), 10240))
	s.put(0x00321070)
	return s
}

// visit adds what the Encounter tells.
func (o *order) visit(s set, st step) {
	e := o.related[cmp.Or(st.task.Get("encounter").Get("reference").Text(), o.resource.Get("encounter").Get("reference").Text())]
	s.put(0x00380010, first(e.Get("identifier")).Get("value").Text())
	s.put(0x00380300, first(e.Get("location")).Get("location").Get("display").Text())
	s.put(0x00080080, e.Get("serviceProvider").Get("display").Text())
	s.put(0x00081110)
	s.put(0x00081120)
}

// studyUID is the one that the order names, else one that is made of its id and always the same (PS3.5 B.2).
func (o *order) studyUID() string {
	for id := range o.resource.Get("identifier").Items() {
		uid, ok := strings.CutPrefix(id.Get("value").Text(), "urn:oid:")
		if ok && id.Get("system").Text() == systemUID && dicom.CheckUID("StudyInstanceUID", uid) == nil {
			return uid
		}
	}
	sum := sha256.Sum256([]byte("study/" + o.consortium + "/" + o.record.Name.String()))
	sum[6], sum[8] = sum[6]&0x0F|0x80, sum[8]&0x3F|0x80 // a UUID of version 8 (RFC 9562)
	return "2.25." + new(big.Int).SetBytes(sum[:16]).String()
}

// describe is a concept in words.
func describe(concept fhir.Value) string {
	text := concept.Get("text").Text()
	for c := range concept.Get("coding").Items() {
		text = cmp.Or(text, c.Get("display").Text(), c.Get("code").Text())
	}
	return text
}

// codes turns a concept into the items of a code sequence (PS3.3 8.8). Systems without a designator of DICOM are left out.
func codes(concept fhir.Value) []any {
	var all []any
	for c := range concept.Get("coding").Items() {
		scheme := map[string]string{"http://snomed.info/sct": "SCT", "http://loinc.org": "LN", systemDCM: "DCM", "http://hl7.org/fhir/sid/icd-10": "I10"}[c.Get("system").Text()]
		code := c.Get("code").Text()
		if scheme == "" || code == "" || len(code) > 16 {
			continue
		}
		item := set{}
		item.put(0x00080100, code)
		item.put(0x00080102, scheme)
		item.put(0x00080104, cmp.Or(c.Get("display").Text(), concept.Get("text").Text(), code))
		all = append(all, item)
	}
	return all
}

// shorten cuts text to n characters and takes backslashes out, which separate values.
func shorten(s string, n int) string {
	s = strings.ReplaceAll(s, `\`, "/")
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// WorklistAttributes is a worklist item without values: all that items have.
func WorklistAttributes() []byte {
	o := order{record: &hub.Record{}}
	return o.item(step{end: time.Unix(0, 0)})
}
