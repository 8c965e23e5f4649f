package recognition

import (
	"slices"
	"strings"
	"time"
)

// ask is one order while its candidates are judged.
type ask struct {
	request   Request
	catalogue *Catalogue
	now       time.Time
	wanted    reading
	results   *Results
	found     []Reason // of all judgements, one after the other
}

// say adds a reason to the judgement at hand.
func (a *ask) say(e Effect, c Code, details ...detail) {
	a.found = append(a.found, Reason{Code: c, Effect: e})
	copy(a.found[len(a.found)-1].details[:], details)
}

// identity: a result that may be somebody else's is never offered, be the doubt known or the fact missing.
func (a *ask) identity(c *Candidate) {
	if c.Identity == Yes {
		a.say(Pass, IdentityCertain)
		return
	}
	a.say(Fail, IdentityUncertain)
}

// status: final, amended, corrected, and appended, which R4 counts as amended; for images also available, which says that
// all of them are there (imagingstudy-status).
func (a *ask) status(c *Candidate) {
	status := text(c.Status)
	switch c.Status {
	case "final", "amended", "corrected", "appended":
		a.say(Pass, StatusFinal, status)
		return
	case "available":
		if a.kind() == Imaging {
			a.say(Pass, StatusFinal, status)
			return
		}
	case "registered", "partial", "preliminary":
		a.say(Fail, StatusNotFinal, status)
		return
	case "cancelled", "entered-in-error":
		a.say(Fail, StatusWithdrawn, status)
		return
	}
	a.say(Open, StatusUnknown, status)
}

// kind is the item's, or what the order looks like.
func (a *ask) kind() Kind {
	switch {
	case a.wanted.item != nil:
		return a.wanted.item.Kind
	case slices.Contains(a.wanted.modalities, "ECG"):
		return ECG
	case len(a.wanted.modalities) > 0:
		return Imaging
	}
	return Laboratory
}

// inCatalogue: an item that is recognised elsewhere only is as one that the catalogue does not have.
func (a *ask) inCatalogue(c *Candidate) {
	version, here := text(a.catalogue.Version), No
	if item := a.wanted.item; item != nil {
		if here = Yes; item.Scope != "" {
			here = a.catalogue.Covers(item.Scope, a.request.Regions)
		}
	}
	switch {
	case here == Yes:
		a.say(Pass, InCatalogue, version)
	case c.SameConsortium == Yes:
		a.say(Pass, ConsortiumAnyItem, version)
	case c.SameConsortium == No && here == No:
		a.say(Fail, NotInCatalogue, version)
	default:
		a.say(Open, NotInCatalogue, version)
	}
}

// standing says whether the producer is known to be qualified for whoever asks.
func (a *ask) standing(c *Candidate) Fact {
	if c.Qualified != Yes || c.Scope == "" {
		return c.Qualified
	}
	return a.catalogue.Covers(c.Scope, a.request.Regions)
}

// qualified: inside the consortium a missing assessment, and one that counts elsewhere, is forgiven with a warning; a failed
// one never is.
func (a *ask) qualified(c *Candidate) {
	standing := a.standing(c)
	missing := func(code Code, e Effect, details ...detail) {
		if c.SameConsortium == Yes {
			e = Warn
		}
		a.say(e, code, details...)
	}
	scope, regions := text(c.Scope), detail{}
	if len(a.request.Regions) > 0 && c.Scope != "" {
		regions = text(strings.Join(a.request.Regions, " "))
	}
	switch {
	case c.Qualified == No:
		a.say(Fail, NotQualified)
	case c.Qualified == Unknown:
		missing(QualificationMissing, Open)
	case standing == Yes:
		a.say(Pass, Qualified, text(c.Mark), scope)
	case standing == No:
		missing(ScopeOther, Fail, scope, regions)
	default:
		missing(ScopeUnknown, Open, scope, regions)
	}
}

// tiers asks the catalogue whether results are accepted in the direction from producer to orderer.
func (a *ask) tiers(c *Candidate) {
	d := &a.catalogue.Direction
	producer, orderer := text(c.Tier), text(a.request.Tier)
	if c.SameConsortium == Yes && d.Consortium == Always {
		a.say(Pass, ConsortiumAnyTier, producer, orderer)
		return
	}
	from, to := slices.Index(a.catalogue.Tiers, c.Tier), slices.Index(a.catalogue.Tiers, a.request.Tier)
	accepted, refusal := d.Peers, TierOther
	switch {
	case c.SameConsortium == Yes && d.Consortium == IfQualified:
		accepted = IfQualified
	case from < 0 || to < 0:
		a.say(Open, TierUnknown, producer, orderer)
		return
	case from > to:
		accepted = d.Higher
	case from < to:
		accepted, refusal = d.Lower, TierLower
	}
	switch standing := a.standing(c); {
	case accepted == Always || accepted == IfQualified && standing == Yes:
		a.say(Pass, TierAllowed, producer, orderer)
	case accepted == IfQualified && standing == No:
		a.say(Fail, TierUnqualified, producer, orderer)
	case accepted == IfQualified:
		a.say(Open, TierUnqualified, producer, orderer)
	default:
		a.say(Fail, refusal, producer, orderer)
	}
}

// windows are the item's, or those of its kind where the catalogue has no such item.
func (a *ask) windows() (shortest, longest time.Duration, ok bool) {
	w, ok := a.catalogue.Fallback[a.kind()]
	if a.wanted.item != nil {
		w, ok = a.wanted.item.Windows, true
	}
	shortest, longest = w.For(a.request.Class)
	return shortest, longest, ok
}

// window compares elapsed time, so that zones and summer time cannot change the answer; a day is 24 hours. The boundary
// belongs to the window. Where the time is known to the day only, or the class of encounter is not stated, the answer
// is open unless it is the same for every possibility.
func (a *ask) window(c *Candidate) {
	shortest, longest, ok := a.windows()
	oldest, youngest := a.now.Sub(c.Taken.Earliest), a.now.Sub(c.Taken.Latest)
	switch {
	case !ok:
		a.say(Open, WindowUnknown)
	case longest == 0:
		a.say(Warn, WindowZero)
	case !c.Taken.Known():
		a.say(Open, TimeUnknown)
	case oldest < 0:
		a.say(Open, TimeAhead)
	case youngest > longest:
		a.say(Fail, TooOld, elapsed(youngest), elapsed(longest))
	case oldest <= shortest:
		a.say(Pass, InWindow, elapsed(oldest), elapsed(shortest))
	default:
		a.say(Open, WindowOpen, elapsed(oldest), elapsed(shortest))
	}
}

func (a *ask) expires(c *Candidate) time.Time {
	if shortest, _, ok := a.windows(); ok && shortest > 0 && c.Taken.Known() {
		return c.Taken.Earliest.Add(shortest)
	}
	return time.Time{}
}

func (a *ask) retrievable(c *Candidate) {
	switch c.Retrievable {
	case Yes:
		a.say(Pass, Retrievable)
	case No:
		a.say(Fail, NotRetrievable)
	default:
		a.say(Open, RetrievalUnknown)
	}
}

// quality: where the catalogue does not require a score, one that was never given is only pointed out.
func (a *ask) quality(c *Candidate) {
	kind := a.kind()
	asked, ok := a.catalogue.Quality[kind]
	switch {
	case !ok:
	case c.Quality == nil && asked.Required:
		a.say(Open, QualityUnjudged)
	case c.Quality == nil:
		a.say(Warn, QualityUnjudged)
	case *c.Quality >= asked.Least:
		a.say(Pass, QualityEnough, number(*c.Quality), number(asked.Least))
	default: // a score that is no number as well
		a.say(Fail, QualityLow, number(*c.Quality), number(asked.Least))
	}
}

func (a *ask) caution(i int) {
	c := &a.results.list[i]
	if item := a.wanted.item; item != nil {
		if item.Rapid {
			a.say(Warn, RapidChange)
		}
		if former := a.formerFar(i); former >= 0 {
			a.say(Warn, ValueMoved, a.shownValue(former), a.shownValue(i))
		}
	}
	if c.Critical {
		a.say(Warn, CriticalValue)
	}
}

// exceptions reads the order's class and flags. A flag that the catalogue does not know is reported and allows nothing.
func (a *ask) exceptions() (reasons []Reason, first *Exemption) {
	allow := func(e *Exemption) {
		reasons = append(reasons, reason(Warn, Exception, name(e.Chinese, e.English), text(e.Reason)))
		if first == nil {
			first = e
		}
	}
	for i := range a.catalogue.Exemptions {
		if e := &a.catalogue.Exemptions[i]; e.Class != "" && e.Class == a.request.Class {
			allow(e)
		}
	}
	for _, flag := range a.request.Exceptions {
		i := slices.IndexFunc(a.catalogue.Exemptions, func(e Exemption) bool { return e.Flag != "" && e.Flag == flag })
		if i < 0 {
			reasons = append(reasons, reason(Open, ExceptionUnknown))
			continue
		}
		allow(&a.catalogue.Exemptions[i])
	}
	return reasons, first
}

// price is what the order costs.
func (a *ask) price() Money {
	if a.wanted.item == nil {
		return Money{}
	}
	return a.catalogue.Price(a.wanted.item.ID, a.request.Regions)
}
