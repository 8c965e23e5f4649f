package lookup

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/fhir"
)

// Beside the policy, which is the consortium's, a label of a resource or a directive of its patient (a Consent) may withhold it from all
// but the member that wrote it. Of images and other things of DICOM, the ImagingStudy that follows from them is asked; until it is
// there, nobody else is shown them where any directive exists.
//
// What a reader was refused so leaves one trace: an event of the audit trail.

// inUse tells what there is, or was, of that which few consortia use all the time, so that nobody pays for what is not in use.
type inUse struct {
	directives bool            // Consents
	restricted map[string]bool // types of which some resource is labelled
	persons    bool            // Persons, which link Patients
}

// open: nothing may be withheld.
func (u inUse) open() bool { return !u.directives && len(u.restricted) == 0 }

// usage is what was in use when the records were at some marks.
type usage struct {
	mu   sync.Mutex
	at   hub.Marks
	what inUse
}

// inUse asks the index what is in use, unless it was asked at these very marks of the records before; zero marks are those
// of now.
func (r *Reader) inUse(ctx context.Context, at hub.Marks) (u inUse, err error) {
	if r.Records == "" {
		return u, nil
	}
	before := r.watch(r.Records)
	if at.Generation == "" {
		if at, err = r.index.Marks(ctx, r.Records); err == nil {
			err = before.completeAt(map[hub.Partition]hub.Marks{r.Records: at})
		}
		if err != nil {
			return u, before.refused(err)
		}
	}
	if u, known := r.usage.found(at); known {
		return u, nil
	}
	types, err := r.index.Types(ctx, r.Records)
	if err == nil {
		err = before.complete(ctx)
	}
	if err != nil {
		return u, before.refused(err)
	}
	for _, t := range types {
		switch typ, trait, _ := strings.Cut(t, "#"); {
		case t == "Consent":
			u.directives = true
		case t == "Person":
			u.persons = true
		case trait == fhir.Restricted:
			if u.restricted == nil {
				u.restricted = map[string]bool{}
			}
			u.restricted[typ] = true
		}
	}
	r.usage.keep(at, u)
	return u, nil
}

func (k *usage) found(at hub.Marks) (u inUse, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.what, at.Generation != "" && at == k.at
}

// keep remembers what was in use at marks or later; what is in use only grows.
func (k *usage) keep(at hub.Marks, u inUse) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at.Generation != "" {
		k.at, k.what = at, u
	}
}

// noPersons: when the index was asked last, there were none.
func (k *usage) noPersons() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.at.Generation != "" && !k.what.persons
}

// stand is what is asked for a record when it may be withheld: itself, or what speaks for it.
type stand struct {
	rec   *hub.Record // nil: nobody knows yet what speaks for it
	owner string
	// person are the Patients it belongs to, none where it belongs to nobody.
	person []string
	entry  hub.Entry
}

// disclosable says of records, which the policy lets who read, whether no label and no directive withholds them.
func (r *Reader) disclosable(ctx context.Context, who access.Caller, p hub.Partition, recs []*hub.Record) ([]bool, error) {
	may := make([]bool, len(recs))
	var others []int
	for i, rec := range recs {
		if may[i] = rec.Member == who.Member || rec.Deleted && (p != r.Records || rec.Prev == hub.Loc{}) || p == r.Records && !fhir.IsResourceType(rec.Name.Type); !may[i] {
			others = append(others, i)
		}
	}
	if len(others) == 0 {
		return may, nil
	}
	w, err := r.inUse(ctx, hub.Marks{})
	if err != nil {
		return nil, err
	}
	if w.open() || p == r.Records && !w.directives && !slices.ContainsFunc(others, func(i int) bool { return w.restricted[recs[i].Name.Type] || retells(recs[i]) }) {
		for _, i := range others {
			may[i] = true
		}
		return may, nil
	}
	asked, err := r.lastOf(ctx, p, recs, others)
	if err != nil {
		return nil, err
	}
	stands, err := r.stands(ctx, p, asked)
	if err != nil {
		return nil, err
	}
	var patients []string
	for i := range stands {
		patients = append(patients, stands[i].person...)
	}
	directives, err := r.directives(ctx, w, patients)
	if err != nil {
		return nil, err
	}
	told, err := r.told(ctx, who, p, stands)
	if err != nil {
		return nil, err
	}
	var withheld []hub.Name
	for j, i := range others {
		if may[i] = told[j] && stands[j].disclosable(who, directives); !may[i] {
			withheld = append(withheld, recs[i].Name)
		}
	}
	if len(withheld) > 0 {
		err = r.trail.Note(ctx, audit.Event{Action: audit.Read, Outcome: audit.Withheld, Member: who.Member, Token: who.TokenID,
			Type: withheld[0].Type, Names: withheld, Count: len(withheld)})
	}
	return may, err
}

// lastOf are those of recs, with a deletion's the version before: who might not know of a thing may not know of its end.
func (r *Reader) lastOf(ctx context.Context, p hub.Partition, recs []*hub.Record, some []int) ([]*hub.Record, error) {
	last := make([]*hub.Record, len(some))
	for j, i := range some {
		if last[j] = recs[i]; !recs[i].Deleted {
			continue
		}
		before, err := r.records(ctx, p, []hub.Loc{recs[i].Prev})
		if err != nil {
			return nil, err
		}
		last[j] = &before[0]
	}
	return last, nil
}

func (s *stand) disclosable(who access.Caller, of map[string][]access.Directive) bool {
	switch {
	case s.rec == nil:
		return false
	case s.owner == who.Member:
		return true
	}
	doc, err := fhir.Parse(s.rec.Body, fhir.Limits{})
	if err != nil || fhir.IsRestricted(doc.Root()) {
		return false
	}
	ask := access.Disclosure{To: who.Member, Of: s.rec.Name.Type, At: time.Now()}
	for l := range doc.Root().Get("meta").Get("security").Items() {
		ask.Labels = append(ask.Labels, access.Label{System: l.Get("system").Text(), Code: l.Get("code").Text()})
	}
	for _, t := range s.entry.Terms {
		if t.Kind == hub.Range && (t.Param == "date" || t.Param == "started") {
			from, to := fhir.Extent(t, fhir.ChinaTime())
			ask.Taken = append(ask.Taken, access.Span{From: from, To: to})
		}
	}
	for _, patient := range s.person {
		for _, d := range of[patient] {
			if d.Denies(ask) {
				return false
			}
		}
	}
	return true
}

// stands finds what speaks for records of p that others wrote.
func (r *Reader) stands(ctx context.Context, p hub.Partition, recs []*hub.Record) ([]stand, error) {
	stands := make([]stand, len(recs))
	spokenFor := map[hub.Name][]int{}
	for i, rec := range recs {
		if p == r.Records {
			stands[i].rec = rec
			continue
		}
		study, _, _ := strings.Cut(rec.Name.ID, "/")
		name := hub.Name{Type: access.ImagingStudy, ID: study}
		spokenFor[name] = append(spokenFor[name], i)
	}
	speakers, err := r.present(ctx, r.Records, slices.Collect(maps.Keys(spokenFor)))
	if err != nil {
		return nil, err
	}
	for i := range speakers {
		for _, at := range spokenFor[speakers[i].Name] {
			stands[at].rec = &speakers[i]
		}
	}
	var patients []string
	for i := range stands {
		s := &stands[i]
		if s.rec == nil {
			continue
		}
		e, err := r.followers[r.Records].Project(s.rec)
		if err != nil {
			return nil, err
		}
		s.entry, s.owner = e, ownerOf(s.rec)
		if strings.HasPrefix(e.Route, "Patient/") {
			patients = append(patients, e.Route)
		}
	}
	slices.Sort(patients)
	for _, patient := range slices.Compact(patients) {
		person, err := r.person(ctx, patient)
		if err != nil {
			return nil, err
		}
		for i := range stands {
			if stands[i].entry.Route == patient {
				stands[i].person = person
			}
		}
	}
	return stands, nil
}

// ownerOf is the member whose data a record holds: who wrote it, or whose it was made of.
func ownerOf(rec *hub.Record) string {
	if doc, err := fhir.Parse(rec.Body, fhir.Limits{}); err == nil {
		if m, ok := strings.CutPrefix(doc.Root().Get("meta").Get("source").Text(), access.MemberSystem+":"); ok && rec.Member == access.Hub {
			return m
		}
	}
	return rec.Member
}

// mostDirectives is how many Consents about the patients of one page are carried out.
const mostDirectives = 10_000

// directives reads the Consents about patients, by patient.
func (r *Reader) directives(ctx context.Context, w inUse, patients []string) (map[string][]access.Directive, error) {
	if !w.directives || len(patients) == 0 {
		return nil, nil
	}
	about := hub.Clause{Param: "patient"}
	routes := slices.Compact(slices.Sorted(slices.Values(patients)))
	for _, patient := range routes {
		about.Any = append(about.Any, hub.Match{Kind: hub.Equals, Text: patient, Route: patient})
	}
	before := r.watch(r.Records)
	page, err := r.index.Search(ctx, []hub.Partition{r.Records}, hub.Query{Type: "Consent", All: []hub.Clause{about}, Routes: routes, Limit: mostDirectives})
	if err != nil {
		return nil, before.refused(err)
	}
	if err := before.completeAt(page.Marks); err != nil {
		return nil, err
	}
	if page.More {
		return nil, tooCostly("", "narrow the search to fewer patients", "more than %d directives of patients would have to be read", mostDirectives)
	}
	locs := make([]hub.Loc, len(page.Hits))
	for i, h := range page.Hits {
		locs[i] = h.Head.Loc
	}
	recs, err := r.records(ctx, r.Records, locs)
	if err != nil {
		return nil, err
	}
	of := map[string][]access.Directive{}
	for i := range recs {
		d, ok := access.ReadDirective(&recs[i])
		if !ok {
			continue
		}
		e, err := r.followers[r.Records].Project(&recs[i])
		if err != nil {
			return nil, err
		}
		of[e.Route] = append(of[e.Route], d)
	}
	return of, nil
}

// sees tells that the caller may read all that meets q, so that what the index says of it is true for the caller. Asked after the index
// was read, it holds for what was read.
func (a *asking) sees(ctx context.Context, q *hub.Query) (bool, error) {
	if !a.everything || fhir.HasSecurityContext(q.Type) {
		return false, nil
	}
	w, err := a.inUse(ctx, a.at)
	if err != nil {
		return false, err
	}
	return a.seesAt(ctx, w, q)
}

// seesAt is sees, for a caller whom the policy lets read everything, with what is in use.
func (a *asking) seesAt(ctx context.Context, w inUse, q *hub.Query) (bool, error) {
	switch {
	case fhir.HasSecurityContext(q.Type):
		return false, nil
	case q.Type == golden:
		return w.whole(a.who), nil
	case w.open():
		return true, nil
	case w.restricted[q.Type] || retold(q.Type) || len(q.Routes) == 0 || slices.ContainsFunc(q.Routes, func(route string) bool { return !strings.HasPrefix(route, "Patient/") }):
		return false, nil
	}
	var patients []string
	for _, route := range q.Routes {
		person, err := a.person(ctx, route)
		if err != nil {
			return false, err
		}
		patients = append(patients, person...)
	}
	directives, err := a.directives(ctx, w, patients)
	return len(directives) == 0, err
}

// Hidden leaves those of names that are there and that who may not know of. The hub's Persons are among them: no condition of a write means
// what nobody but the hub may write.
func (r *Reader) Hidden(ctx context.Context, who access.Caller, p hub.Partition, names []hub.Name) ([]hub.Name, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if w, err := r.inUse(ctx, hub.Marks{}); err != nil || w.open() && names[0].Type != golden {
		return nil, err
	}
	recs, err := r.present(ctx, p, names)
	if err != nil {
		return nil, err
	}
	some := make([]*hub.Record, len(recs))
	for i := range recs {
		some[i] = &recs[i]
	}
	may, err := r.readable(ctx, who, p, some)
	if err != nil {
		return nil, err
	}
	var hidden []hub.Name
	for i, rec := range some {
		if !may[i] || rec.Name.Type == golden && rec.Member == access.Hub {
			hidden = append(hidden, rec.Name)
		}
	}
	return hidden, nil
}

// person is all Patients of a patient's person.
func (r *Reader) person(ctx context.Context, patient string) ([]string, error) {
	if r.Linked == nil {
		return []string{patient}, nil
	}
	all, err := r.Linked(ctx, []string{patient})
	if of := all[patient]; of != nil || err != nil {
		return of, err
	}
	return []string{patient}, nil
}
