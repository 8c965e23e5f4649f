// Package cdshooks is the hub's CDS Hooks face, mounted at /cds-services: an EHR calls it while a doctor orders, and is told
// on cards which earlier results may stand for what is being ordered (CDS Hooks 2.0; 1.1 below /cds-services/1.1).
//
// The words are the standard's: a hook is a moment in the EHR's work, a service is what it may call there, a card is what the
// doctor sees, a suggestion is what the doctor may take with one click, feedback is what the EHR tells of that. A call is one
// hook as it was sent.
//
// A service never holds an EHR up. Whatever happens to the hub (it is busy, its index is behind, the time is over) the answer
// is 200 with no cards; only a call that is wrong itself is refused, with an OperationOutcome.
//
// Nothing is ever fetched from the EHR: fhirServer and fhirAuthorization are read for their form and forgotten.
package cdshooks

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/hub/recognition/ledger"
)

// Ledger keeps what was offered and what the doctor made of it.
type Ledger interface {
	Offer(ctx context.Context, who access.Caller, offers []ledger.Offer) error
	Feedback(ctx context.Context, who access.Caller, f ledger.Feedback) error
}

// Deps are what the adapter works with.
type Deps struct {
	Adviser *advice.Adviser
	Ledger  Ledger // nil: nothing is kept, and there is no feedback
	// PublicURL is the hub's address as clients see it, without a trailing slash; empty: taken from the request.
	PublicURL string
	// Viewer is the address of a viewer of images, with {study} in it; empty: there is none.
	Viewer string
	// Source is the name on the cards; empty: Concord.
	Source string
	Limits Limits
	Now    func() time.Time
	// Observe, where not nil, is told of each call: its hook, what became of it (cards, none, unknown, late, busy, refused,
	// failed), and how long it took.
	Observe func(hook, what string, took time.Duration)
}

// Limits bound a call; zero values mean the defaults named.
type Limits struct {
	// Budget is how long a call may take before it is answered without cards, default 500 ms, which the standard asks for.
	Budget time.Duration
	// Body is how long a call may be, default 5 MB.
	Body int64
	// Calls is how many are answered at a time, default 64; more are answered without cards.
	Calls int64
}

func (l *Limits) fill() {
	if l.Budget <= 0 {
		l.Budget = 500 * time.Millisecond
	}
	if l.Body <= 0 {
		l.Body = 5 << 20
	}
	if l.Calls <= 0 {
		l.Calls = 64
	}
}

// dialect is the version of CDS Hooks that a client speaks.
type dialect string

const (
	v20 dialect = "2.0"
	v11 dialect = "1.1"
)

type server struct {
	Deps
	places *semaphore.Weighted
}

// Mount registers the routes on a group at /cds-services that knows who calls. Discovery is open to all: it says nothing
// about anybody.
func Mount(g *gin.RouterGroup, d Deps) {
	d.Limits.fill()
	if d.Source == "" {
		d.Source = "Concord"
	}
	s := &server{d, semaphore.NewWeighted(d.Limits.Calls)}
	for root, version := range map[string]dialect{"": v20, "/1.1/cds-services": v11} {
		discover := func(c *gin.Context) { s.discover(c, version) }
		g.GET(root, discover)
		g.GET(root+"/", discover)
		g.POST(root+"/:service", func(c *gin.Context) { s.call(c, version) })
		g.POST(root+"/:service/feedback", s.feedback)
	}
}

// base is the hub's address as the client sees it.
func (s *server) base(r *http.Request) string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// answer is the body of a response.
type answer struct {
	Cards []card `json:"cards"`
}

// call answers a hook.
func (s *server) call(c *gin.Context, version dialect) {
	started := time.Now()
	svc, ok := services()[c.Param("service")]
	if !ok {
		WriteError(c, &hub.Error{Kind: hub.NotFound, Path: "service", Msg: "there is no such service", Hint: "GET /cds-services lists them"})
		return
	}
	cards, what, err := s.within(c, svc, version)
	if s.Observe != nil {
		s.Observe(svc.Hook, what, time.Since(started))
	}
	if err != nil {
		WriteError(c, err)
		return
	}
	if cards == nil {
		cards = []card{}
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, answer{cards})
}

// within answers a call within its budget. What is wrong with the call itself is an error; what is wrong with the hub is an
// answer without cards.
func (s *server) within(c *gin.Context, svc service, version dialect) (cards []card, what string, err error) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.Limits.Budget)
	defer cancel()
	if !s.places.TryAcquire(1) {
		return nil, "busy", nil
	}
	call, err := s.read(c.Request, svc)
	if err != nil {
		s.places.Release(1)
		return nil, "refused", err
	}
	call.version, call.base, call.tongue = version, s.base(c.Request), tongueOf(c.GetHeader("Accept-Language"))
	who, _ := access.CallerFrom(ctx)
	type outcome struct {
		cards []card
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		defer s.places.Release(1)
		cards, err := s.advise(ctx, who, call)
		done <- outcome{cards, err}
	}()
	select {
	case <-ctx.Done():
		return nil, "late", nil
	case o := <-done:
		return s.settle(ctx, svc, o.cards, o.err)
	}
}

// settle tells faults of the call from faults of the hub.
func (s *server) settle(ctx context.Context, svc service, cards []card, err error) ([]card, string, error) {
	switch hub.KindOf(err) {
	case hub.Invalid, hub.TooLarge, hub.Forbidden, hub.Unsupported, hub.Unprocessable:
		return nil, "refused", err
	}
	switch {
	case err == nil && len(cards) > 0:
		return cards, "cards", nil
	case err == nil:
		return nil, "none", nil
	case hub.Is(err, hub.NotFound), hub.Is(err, hub.Gone):
		return nil, "unknown", nil
	case ctx.Err() != nil:
		return nil, "late", nil
	}
	slog.ErrorContext(ctx, "answer a hook", "hook", svc.Hook, "err", err)
	return nil, "failed", nil
}

// advise asks the adviser and makes cards of what it says.
func (s *server) advise(ctx context.Context, who access.Caller, call *call) ([]card, error) {
	if err := who.May(access.Search, "ServiceRequest"); err != nil {
		return nil, err
	}
	subject, err := s.Adviser.Subject(ctx, who, call.patient, call.prefetched("patient", "Patient"))
	if err != nil {
		return nil, err
	}
	call.said = append(call.said, subject.Doubts...)
	if call.service.Hook == patientView {
		q := subject.Question()
		q.At = s.Now()
		a, err := s.Adviser.Overview(ctx, who, q)
		if err != nil {
			return nil, err
		}
		return call.summary(s, &a), nil
	}
	if len(call.orders) == 0 {
		return nil, nil
	}
	class, err := s.class(ctx, who, call)
	if err != nil {
		return nil, err
	}
	q := subject.Question()
	q.Class, q.Exceptions, q.At = class, call.exceptions, s.Now()
	for _, o := range call.orders {
		q.Orders = append(q.Orders, o.Order)
	}
	a, err := s.Adviser.Advise(ctx, who, q)
	if err != nil {
		return nil, err
	}
	call.doubts(&a)
	var cards []card
	var offers []ledger.Offer
	for i := range a.Answers {
		one := &a.Answers[i]
		id := cardID(who.Member, &a, one, call)
		if one.Decision.Outcome == recognition.NotRecognisable { // no card, but the ledger counts results of unqualified producers
			offers = append(offers, call.offer(id, &a, one, i))
			continue
		}
		cards = append(cards, call.card(s, id, one, a.At))
		offers = append(offers, call.offer(id, &a, one, i))
	}
	if s.Ledger != nil && len(offers) > 0 && ctx.Err() == nil {
		if err := s.Ledger.Offer(ctx, who, offers); err != nil && !hub.Is(err, hub.Unsupported) {
			return nil, err // what cannot be kept is not shown: it would be missing from the statistics
		}
	}
	return cards, nil
}
