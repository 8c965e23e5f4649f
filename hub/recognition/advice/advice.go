package advice

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/hub/recognition"
)

// Order is one draft order.
type Order struct {
	// ID is how the asker names it, such as "ServiceRequest/draft-1".
	ID   string
	Exam recognition.Exam
	// Exceptions are flags of this order alone, beside those of the Question.
	Exceptions []string
}

// Question is what is about to be ordered.
type Question struct {
	// Patient is a Patient that the hub has: "Patient/1".
	Patient string
	Orders  []Order
	// Class of the encounter by HL7 v3 ActCode; empty: not stated.
	Class string
	// Exceptions are flags of the catalogue that hold for all orders: emergency, surgery, transfusion, forensic …
	Exceptions []string
	// Doubtful says that the asker's patient may be another than the hub's: nothing is recognised then.
	Doubtful bool
	// At is the moment decided for; zero: now.
	At time.Time

	read bool // the caller has just read the Patient
}

// Advice is the answer to a Question.
type Advice struct {
	// Patient is the one asked about, Person all Patients of the same person, this one among them, sorted.
	Patient string
	Person  []string
	At      time.Time
	// Catalogue is the version decided by.
	Catalogue string
	// Answers are in the order of the Question's orders.
	Answers []Answer
}

// Answer is the advice on one order.
type Answer struct {
	Order    Order
	Decision recognition.Decision
	// Results are what the Judgements of the Decision, and of its Members where it is one on a panel, are about; see Result.
	Results []Result
	// More says that the person has further results for this order that lie inside the window and were not judged, older
	// than those that were.
	More bool
	// Reports are DiagnosticReports about Results. They are information: what is recognised are data and images, not the
	// conclusions of physicians (国卫医发〔2022〕6号, art. 2).
	Reports []Report
}

// Result is what the Judgement of an ID is about; the zero Result where there is none.
func (a *Answer) Result(id string) *Result {
	for i := range a.Results {
		if a.Results[i].ID == id {
			return &a.Results[i]
		}
	}
	return &Result{}
}

// Result is an earlier result that was judged.
type Result struct {
	ID      string // of its Judgements: that of the resource and, for a component, its number
	Name    hub.Name
	Version uint64
	// Patient is whose it is, as its member names it.
	Patient string
	// Producer is the member that produced it, and ProducerName that one's name.
	Producer, ProducerName string
	Status                 string
	Taken                  recognition.Span
	// Title is what the sender called it, Value what it found; both as sent, Value empty for images.
	Title, Value string
	// Mark is the mark of recognition it carries (互认标识), such as 全国HR.
	Mark string
	// Study is the Study Instance UID of images; empty for others.
	Study string
}

// Report is a DiagnosticReport about a Result.
type Report struct {
	Name   hub.Name
	Result hub.Name
	Status string
	Title  string
}

// Members knows the institutions.
type Members interface {
	Member(id string) (access.Member, bool)
}

// Adviser gives advice. Its fields are set before it is used; it is safe for concurrent use.
type Adviser struct {
	Reader  *lookup.Reader
	Records hub.Partition
	// Catalogue is what is in force now.
	Catalogue func() *recognition.Catalogue
	// Linked are all Patients of the person that a Patient ("Patient/1") is, itself among them; nil: each is a person.
	Linked func(ctx context.Context, patient string) ([]string, error)
	// Quarantined tells whether a Patient may be somebody else's, or was linked with doubt; nil: none is.
	Quarantined func(ctx context.Context, patient string) (bool, error)
	// Qualification tells whether a member was qualified for an item when a result was taken, in a scope that covers the
	// asker, and the mark the result then carried; nil: not known.
	Qualification func(member, item string, taken time.Time, asker string) (recognition.Fact, string)
	Members       Members
	// Retrievable says whether the images of a study can be fetched now; nil: not known.
	Retrievable func(ctx context.Context, studyUID string) (bool, error)
	// Score is the code of the component that says how good a signal is, 0 to 100.
	Score recognition.Coding
	// BodyTerm turns a code of a body site into a word of the catalogue (SNOMED CT → CHEST).
	BodyTerm func(code string) (term string, ok bool)
	Now      func() time.Time
	Limits   Limits
}

// Limits bound one Question; zero values mean the defaults named.
type Limits struct {
	// Orders of one question, default 50.
	Orders int
	// Candidates that are judged for one order, the newest of them, default 500.
	Candidates int
	// Records that are read of images, and as many of data, default 5,000.
	Records int
	// Again is how often an answer is made again because the patient was linked or unlinked meanwhile, default 3.
	Again int
}

func (l Limits) orDefault() Limits {
	return Limits{Orders: cmp.Or(l.Orders, 50), Candidates: cmp.Or(l.Candidates, 500), Records: cmp.Or(l.Records, 5000), Again: cmp.Or(l.Again, 3)}
}

// Advise answers a question. A Patient that is not there, or that the caller may not know of, is NotFound; too many orders
// are TooLarge; an order that names nothing is Invalid, with the order's place as Path.
//
// The answer is of one state of the person: where Patients are linked or unlinked meanwhile, it is made again, and
// Unavailable if that does not end.
func (a *Adviser) Advise(ctx context.Context, who access.Caller, q Question) (Advice, error) {
	b := *a
	b.Limits = a.Limits.orDefault()
	if err := b.check(&q); err != nil {
		return Advice{}, err
	}
	if q.At.IsZero() {
		q.At = b.Now()
	}
	return b.settled(ctx, who, &q, b.ordered)
}

// settled makes an advice that is of one state of the person. Who the Patients are is asked before anything of theirs is read
// and again afterwards, and whether one is doubtful afterwards: an advice that was made of another person is made again.
func (a *Adviser) settled(ctx context.Context, who access.Caller, q *Question, make func(context.Context, access.Caller, *Question, *gathering) (Advice, error)) (Advice, error) {
	if err := a.known(ctx, who, q); err != nil {
		return Advice{}, err
	}
	person, err := a.linked(ctx, q.Patient)
	for range a.Limits.Again {
		if err != nil {
			return Advice{}, err
		}
		g := &gathering{Adviser: a, who: who, person: person, asked: q}
		advice, err := make(ctx, who, q, g)
		if err != nil {
			return Advice{}, err
		}
		if !g.moved {
			return advice, nil
		}
		person, err = a.linked(ctx, q.Patient)
		if err != nil {
			return Advice{}, err
		}
	}
	return Advice{}, &hub.Error{Kind: hub.Unavailable, Msg: "the patient is being linked and unlinked", Retry: time.Second}
}

func (a *Adviser) check(q *Question) error {
	if n := len(q.Orders); n == 0 || n > a.Limits.Orders {
		if n == 0 {
			return &hub.Error{Kind: hub.Invalid, Path: "order", Msg: "there is no order to be advised on"}
		}
		return &hub.Error{Kind: hub.TooLarge, Path: "order", Msg: fmt.Sprintf("%d orders were sent, the limit is %d", n, a.Limits.Orders), Hint: "ask about fewer orders at a time"}
	}
	if name, ok := strings.CutPrefix(q.Patient, "Patient/"); !ok || !idGrammar(name) {
		return &hub.Error{Kind: hub.Invalid, Path: "patient", Msg: "the patient is a reference Patient/[id]"}
	}
	for i := range q.Orders {
		if e := &q.Orders[i].Exam; len(e.Codes) == 0 && len(e.Text) == 0 {
			return &hub.Error{Kind: hub.Invalid, Path: fmt.Sprintf("order[%d].code", i), Msg: "the order has neither a code nor a text"}
		}
	}
	return nil
}

// idGrammar is that of a logical id (R4 datatypes.html#id).
func idGrammar(id string) bool {
	return len(id) >= 1 && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '.'
	})
}

// known finds out whether the caller may know of the Patient.
func (a *Adviser) known(ctx context.Context, who access.Caller, q *Question) error {
	if q.read {
		return nil
	}
	name := hub.Name{Type: "Patient", ID: strings.TrimPrefix(q.Patient, "Patient/")}
	if err := who.May(access.Read, name.Type); err != nil {
		return err
	}
	_, err := a.Reader.Read(ctx, who, a.Records, name)
	return err
}

// linked are all Patients of the person.
func (a *Adviser) linked(ctx context.Context, patient string) ([]string, error) {
	if a.Linked == nil {
		return []string{patient}, nil
	}
	all, err := a.Linked(ctx, patient)
	if err != nil || !slices.Contains(all, patient) {
		return []string{patient}, err
	}
	return slices.Sorted(slices.Values(all)), nil
}

// standing looks again who the person is, and tells which of the Patients are certain. Where the asked one is not, none is.
func (g *gathering) standing(ctx context.Context) (map[string]bool, error) {
	now, err := g.linked(ctx, g.asked.Patient)
	if g.moved = !slices.Equal(now, g.person); err != nil || g.moved || g.asked.Doubtful {
		return nil, err
	}
	certain := make(map[string]bool, len(now))
	for _, p := range now {
		doubtful := false
		if g.Quarantined != nil {
			if doubtful, err = g.Quarantined(ctx, p); err != nil {
				return nil, err
			}
		}
		if certain[p] = !doubtful; doubtful && p == g.asked.Patient {
			return nil, nil
		}
	}
	return certain, nil
}

// ordered answers for the orders of a question.
func (a *Adviser) ordered(ctx context.Context, who access.Caller, q *Question, g *gathering) (Advice, error) {
	c := a.Catalogue()
	orders := make([]wanted, len(q.Orders))
	for i := range q.Orders {
		orders[i] = want(&q.Orders[i], a.request(who, q, &q.Orders[i]), c, q.At)
	}
	return g.advise(ctx, c, orders)
}

func (a *Adviser) request(who access.Caller, q *Question, o *Order) recognition.Request {
	r := recognition.Request{Exam: o.Exam, Class: q.Class, Exceptions: slices.Concat(q.Exceptions, o.Exceptions)}
	if me, ok := a.Members.Member(who.Member); ok {
		r.Tier = string(me.Tier)
	}
	return r
}

// advise reads and decides. Where the person is another one afterwards, what it says is not to be used.
func (g *gathering) advise(ctx context.Context, c *recognition.Catalogue, orders []wanted) (Advice, error) {
	if err := g.gather(ctx, orders); err != nil {
		return Advice{}, err
	}
	certain, err := g.standing(ctx)
	if err != nil || g.moved {
		return Advice{}, err
	}
	for i := range g.candidates {
		if certain[g.results[i].Patient] {
			g.candidates[i].Identity = recognition.Yes
		}
	}
	q := g.asked
	advice := Advice{Patient: q.Patient, Person: g.person, At: q.At, Catalogue: c.Version, Answers: make([]Answer, len(orders))}
	for i := range orders {
		advice.Answers[i] = g.answer(ctx, &orders[i], c, q.At)
	}
	return advice, g.reports(ctx, advice.Answers)
}

// answer decides one order.
func (g *gathering) answer(ctx context.Context, w *wanted, c *recognition.Catalogue, at time.Time) Answer {
	places, more := g.of(w, c, g.Limits.Candidates)
	out := Answer{Order: *w.Order, More: more, Results: make([]Result, len(places))}
	candidates := make([]recognition.Candidate, len(places))
	for i, place := range places {
		one, result := g.candidates[place], g.results[place]
		if m, ok := g.Members.Member(result.Producer); ok {
			one.Tier, one.SameConsortium, result.ProducerName = string(m.Tier), recognition.Yes, m.Name
		}
		if item := w.itemOf(&one, c); item != nil && g.Qualification != nil && one.Taken.Known() {
			one.Qualified, one.Mark = g.Qualification(result.Producer, item.ID, one.Taken.Earliest, g.who.Member)
			result.Mark = one.Mark
		}
		if g.images[place] && !one.Taken.Latest.Before(w.since) {
			one.Retrievable = g.retrievable(ctx, result.Study)
		}
		candidates[i], out.Results[i] = one, result
	}
	out.Decision = c.Read(candidates).Decide(w.request, at)
	return out
}

// itemOf is the item that a candidate's producer must be qualified for: what was ordered, of a panel the one it is of.
func (w *wanted) itemOf(one *recognition.Candidate, c *recognition.Catalogue) *recognition.Item {
	if len(w.items) == 1 {
		return w.items[0]
	}
	return c.ItemShown(one.Exam)
}

// retrievable asks once for each study.
func (g *gathering) retrievable(ctx context.Context, study string) recognition.Fact {
	if known, ok := g.there[study]; ok {
		return known
	}
	fact := recognition.Unknown
	if g.Retrievable != nil {
		switch there, err := g.Retrievable(ctx, study); {
		case err == nil && there:
			fact = recognition.Yes
		case err == nil:
			fact = recognition.No
		}
	}
	if g.there == nil {
		g.there = map[string]recognition.Fact{}
	}
	g.there[study] = fact
	return fact
}
