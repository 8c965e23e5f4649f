package imaging

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/internal/dicom"
	"concord/internal/fhir"
)

// Worklist tells modalities what they are to do (PS3.4 annex K). A requested procedure is an active ServiceRequest that is
// an order. Its scheduled steps are the Tasks based on it that have not begun; without any Task it is one step by itself.
type Worklist struct {
	Reader  *lookup.Reader
	Records hub.Partition
	// Consortium is part of the Study Instance UIDs that are given to orders without one.
	Consortium string
}

// Station is who asks for a worklist.
type Station struct {
	Caller access.Caller
	Title  string // its AE title
}

// mostOrders is how many orders one question may make the hub look at.
const mostOrders = 5000

const (
	tagSteps     dicom.Tag = 0x00400100 // Scheduled Procedure Step Sequence
	tagStation   dicom.Tag = 0x00400001 // Scheduled Station AE Title
	tagStart     dicom.Tag = 0x00400002 // Scheduled Procedure Step Start Date
	tagAccession dicom.Tag = 0x00080050
)

// Items yields the worklist items that keys match, each as DICOM JSON, with one step in its sequence. The caller needs the
// right to search ServiceRequests; of what the items draw on besides, it sees what it may read.
//
// A step that names a station is found under that station's AE title. One that names none is for whoever asks, of the
// member that wrote the order: it is told with the AE title that was asked for, or that of the asking station.
//
// A question by patient, accession number or start date looks at the orders these leave; any other at all active ones. More
// than 5,000 are TooCostly.
func (w *Worklist) Items(ctx context.Context, station Station, keys *dicom.Keys) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := station.Caller.May(access.Search, "ServiceRequest"); err != nil {
			yield(nil, err)
			return
		}
		q := worklistQuestion{Worklist: w, ctx: ctx, station: station, keys: keys, seen: map[string]bool{}}
		if s := keys.Key(tagSteps); s != nil {
			q.step = dicom.Keys{List: s.Items}
		}
		if title := q.step.Value(tagStation); title != "" && !strings.ContainsAny(title, "*?") {
			q.station.Title = title
		}
		if err := q.run(yield); err != nil {
			yield(nil, err)
		}
	}
}

// worklistQuestion is one question on its way.
type worklistQuestion struct {
	*Worklist
	ctx     context.Context
	station Station
	keys    *dicom.Keys
	step    dicom.Keys // those of the step
	seen    map[string]bool
}

// run goes through the searches that together find all orders that can match, and yields items. It returns nil when it was
// told to stop.
func (q *worklistQuestion) run(yield func([]byte, error) bool) error {
	for _, params := range q.searches() {
		search, err := fhir.CompileSearch("ServiceRequest", params, fhir.SearchOptions{})
		if err != nil {
			return err
		}
		search.Query.Limit = 200
		for {
			page, err := q.Reader.Search(q.ctx, q.station.Caller, []hub.Partition{q.Records}, search.Query, "worklist")
			if err != nil {
				return err
			}
			orders := slices.DeleteFunc(page.Records, func(r hub.Record) bool { return q.seen[r.Name.ID] })
			for i := range orders {
				q.seen[orders[i].Name.ID] = true
			}
			if len(q.seen) > mostOrders {
				return &hub.Error{Kind: hub.TooCostly, Msg: fmt.Sprintf("more than %d orders; ask by date or patient", mostOrders)}
			}
			if more, err := q.page(orders, yield); err != nil || !more {
				return err
			}
			if page.Next == nil {
				break
			}
			search.Query.After = page.Next
		}
	}
	return nil
}

// searches are the FHIR searches whose union has all orders that can match.
func (q *worklistQuestion) searches() [][]fhir.Pair {
	base := []fhir.Pair{{Name: "status", Value: "active"}, {Name: "intent", Value: "order,original-order,reflex-order,filler-order,instance-order"}}
	if acc := plainValue(q.keys.Value(tagAccession)); acc != "" {
		base = append(base, fhir.Pair{Name: "identifier", Value: fhir.Escape(acc)})
	}
	if id := plainValue(q.keys.Value(patientID)); id != "" {
		base = append(base, fhir.Pair{Name: "subject:Patient.identifier", Value: fhir.Escape(id)})
	}
	from, to, ok := dateRange(q.step.Value(tagStart))
	if !ok || len(base) > 2 {
		return [][]fhir.Pair{base}
	}
	during := func(param string, more ...fhir.Pair) []fhir.Pair {
		all := append(slices.Clone(base), more...)
		if !from.IsZero() {
			all = append(all, fhir.Pair{Name: param, Value: "ge" + from.AddDate(0, 0, -1).Format(time.DateOnly)})
		}
		if !to.IsZero() {
			all = append(all, fhir.Pair{Name: param, Value: "le" + to.AddDate(0, 0, 1).Format(time.DateOnly)})
		}
		return all
	}
	return [][]fhir.Pair{
		during("occurrence"),
		during("authored", fhir.Pair{Name: "occurrence:missing", Value: "true"}),
		during("_has:Task:based-on:period"),
	}
}

// plainValue is a key's value where it is a single one, without wildcards.
func plainValue(v string) string {
	if strings.ContainsAny(v, `*?\`) {
		return ""
	}
	return v
}

// dateRange reads a date or a range of dates; an end that is open is the zero time.
func dateRange(v string) (from, to time.Time, ok bool) {
	first, last, isRange := strings.Cut(v, "-")
	if !isRange {
		last = first
	}
	for _, end := range []struct {
		text string
		at   *time.Time
	}{{first, &from}, {last, &to}} {
		if end.text == "" {
			continue
		}
		t, err := time.Parse("20060102", end.text)
		if err != nil {
			return from, to, false
		}
		*end.at, ok = t, true
	}
	return from, to, ok
}

// page yields what matches of some orders; more is false when yield said stop.
func (q *worklistQuestion) page(records []hub.Record, yield func([]byte, error) bool) (more bool, err error) {
	docs := map[string]fhir.Value{} // by reference
	var orders []order
	var references []string
	for i := range records {
		v, err := root(&records[i])
		if err != nil {
			return false, err
		}
		orders = append(orders, order{record: &records[i], resource: v})
		references = append(references, referencesOf(v, "subject", "encounter", "requester", "performer")...)
	}
	if err := q.tasks(orders, &references); err != nil {
		return false, err
	}
	if err := q.read(references, docs); err != nil {
		return false, err
	}
	for _, o := range orders {
		o.consortium, o.related = q.Consortium, docs
		for _, step := range o.steps() {
			if step.stations == nil {
				if o.record.Member != q.station.Caller.Member {
					continue
				}
				step.stations = []string{q.station.Title}
			}
			item := o.item(step)
			matches, err := q.keys.Matches(item)
			if err != nil {
				return false, err
			}
			if matches && !yield(item, nil) {
				return false, nil
			}
		}
	}
	return true, nil
}

func root(rec *hub.Record) (fhir.Value, error) {
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return fhir.Value{}, fmt.Errorf("read %s: %w", rec.Name, err)
	}
	return doc.Root(), nil
}

// referencesOf lists what members of v refer to inside the hub.
func referencesOf(v fhir.Value, members ...string) []string {
	var all []string
	for _, m := range members {
		for one := range v.Get(m).Items() {
			if ref := one.Get("reference").Text(); strings.Count(ref, "/") == 1 {
				all = append(all, ref)
			}
		}
	}
	return all
}

// tasks finds the Tasks of orders.
func (q *worklistQuestion) tasks(orders []order, references *[]string) error {
	if len(orders) == 0 || q.station.Caller.May(access.Search, "Task") != nil {
		return nil
	}
	ids := make([]string, len(orders))
	at := map[string]int{}
	for i := range orders {
		ids[i] = orders[i].record.Name.String()
		at[ids[i]] = i
	}
	search, err := fhir.CompileSearch("Task", []fhir.Pair{{Name: "based-on", Value: strings.Join(ids, ",")}}, fhir.SearchOptions{})
	if err != nil {
		return err
	}
	search.Query.Limit = 1000
	for {
		page, err := q.Reader.Search(q.ctx, q.station.Caller, []hub.Partition{q.Records}, search.Query, "worklist")
		if err != nil {
			return err
		}
		for i := range page.Records {
			v, err := root(&page.Records[i])
			if err != nil {
				return err
			}
			for _, ref := range referencesOf(v, "basedOn") {
				if n, ok := at[ref]; ok {
					orders[n].tasks = append(orders[n].tasks, task{page.Records[i].Name.ID, v})
				}
			}
			*references = append(*references, referencesOf(v, "owner", "location", "encounter")...)
		}
		if page.Next == nil {
			return nil
		}
		search.Query.After = page.Next
	}
}

// read loads what orders and tasks refer to, as far as the caller may read it.
func (q *worklistQuestion) read(references []string, into map[string]fhir.Value) error {
	names := map[string][]hub.Name{}
	for _, ref := range references {
		typ, id, _ := strings.Cut(ref, "/")
		n := hub.Name{Type: typ, ID: id}
		if _, known := into[ref]; known || !fhir.IsResourceType(typ) || q.station.Caller.May(access.Read, typ) != nil {
			continue
		}
		into[ref] = fhir.Value{}
		names[typ] = append(names[typ], n)
	}
	for _, list := range names {
		recs, err := q.Reader.Many(q.ctx, q.station.Caller, q.Records, list)
		if err != nil {
			return err
		}
		for i := range recs {
			if into[recs[i].Name.String()], err = root(&recs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// startOf is the first moment of the first dateTime that is there.
func startOf(values ...fhir.Value) (time.Time, bool) {
	for _, v := range values {
		if first, _, ok := fhir.Interval(v.Text(), nil); ok && math.Abs(float64(first.Year())) < 9999 {
			return first.In(fhir.ChinaTime()), true
		}
	}
	return time.Time{}, false
}
