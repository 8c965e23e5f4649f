package advice

import (
	"context"
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
	// At is the moment decided for; zero: now.
	At time.Time
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
	// Results are what the Decision's Judgements are about, in their order.
	Results []Result
	// More says that the person has further results for this order that lie inside the window and were not judged, older
	// than those that were.
	More bool
	// Reports are DiagnosticReports about Results. They are information: what is recognised are data and images, not the
	// conclusions of physicians (国卫医发〔2022〕6号, art. 2).
	Reports []Report
}

// Result is an earlier result that was judged.
type Result struct {
	Name    hub.Name
	Version uint64
	// Patient is whose it is, as its member names it.
	Patient string
	// Producer is the member that produced it, and ProducerName that one's name.
	Producer, ProducerName string
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
}

// Person is who a Patient is beyond the member that sent it.
type Person struct {
	// Patients are all of the person, the one asked about among them, with their standing.
	Patients map[string]Standing
}

// Standing says how far the results of a Patient may be taken for those of the Patient asked about.
type Standing uint8

const (
	// Doubtful: linked with doubt, or quarantined for a contradiction. Nothing of it is recognised.
	Doubtful Standing = iota
	// Certain: the same Patient, or linked with certainty.
	Certain
)

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
	// Linked tells who a Patient ("Patient/1") is; nil: each Patient is a person and certain.
	Linked func(ctx context.Context, patient string) (Person, error)
	// Qualification tells whether a member was qualified for an item when a result was taken, in a scope that covers the
	// asker, and the mark the result then carried; nil: not known.
	Qualification func(member, item string, taken time.Time, asker string) (recognition.Fact, string)
	Members       Members
	// Retrievable says whether the images of a study can be fetched now; nil: not known.
	Retrievable func(ctx context.Context, studyUID string) (bool, error)
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
}

// Advise answers a question. A Patient that is not there, or that the caller may not know of, is NotFound; too many orders
// are TooLarge; an order that names nothing is Invalid, with the order's place as Path.
//
// The answer is of one state of the person: where Patients are linked or unlinked meanwhile, it is made again, and
// Unavailable if that does not end.
func (a *Adviser) Advise(ctx context.Context, who access.Caller, q Question) (Advice, error) {
	return Advice{}, &hub.Error{Kind: hub.Unsupported, Msg: "advice is not given yet"}
}
