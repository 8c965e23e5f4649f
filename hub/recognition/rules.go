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
}

func one(e Effect, c Code, details ...any) []Reason { return []Reason{reason(e, c, details...)} }

// identity: a result that may be somebody else's is never offered, be the doubt known or the fact missing.
func (a *ask) identity(c *Candidate, _ reading) []Reason {
	if c.Identity == Yes {
		return one(Pass, IdentityCertain)
	}
	return one(Fail, IdentityUncertain)
}

// status: final, amended, corrected, and appended, which R4 counts as amended; for images also available, which says that
// all of them are there (imagingstudy-status).
func (a *ask) status(c *Candidate, shown reading) []Reason {
	switch c.Status {
	case "final", "amended", "corrected", "appended":
		return one(Pass, StatusFinal, c.Status)
	case "available":
		if a.kind() == Imaging {
			return one(Pass, StatusFinal, c.Status)
		}
		return one(Open, StatusUnknown)
	case "registered", "partial", "preliminary":
		return one(Fail, StatusNotFinal, c.Status)
	case "cancelled", "entered-in-error":
		return one(Fail, StatusWithdrawn, c.Status)
	}
	return one(Open, StatusUnknown)
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

// sameItem compares images by what they show, all else by item; outside the catalogue by a code that both carry.
func (a *ask) sameItem(c *Candidate, shown reading) []Reason {
	if a.kind() == Imaging {
		return a.sameImages(shown)
	}
	var out []Reason
	switch {
	case a.wanted.item == nil && overlapping(a.request.Exam.Codes, c.Exam.Codes):
		out = one(Pass, ItemSameCode)
	case a.wanted.item == nil || shown.item == nil:
		out = one(Open, ItemUnknown)
	case a.wanted.item == shown.item:
		out = one(Pass, ItemSame, a.wanted.item.Chinese, a.wanted.item.English)
	default:
		out = one(Fail, ItemOther, shown.item.Chinese, shown.item.English)
	}
	if want, have := a.wanted.specimen, shown.specimen; want != "" && have != "" && want != have {
		out = append(out, reason(Fail, SpecimenOther))
	}
	return out
}

func overlapping(a, b []Coding) bool {
	return slices.ContainsFunc(a, func(c Coding) bool { return slices.Contains(b, c) })
}

func (a *ask) sameImages(shown reading) []Reason {
	want, modalities := a.wanted, a.wanted.modalities
	if want.item != nil {
		modalities = want.item.Modalities
	}
	var out []Reason
	add := func(e Effect, c Code, details ...any) { out = append(out, reason(e, c, details...)) }
	switch {
	case len(modalities) == 0 || len(shown.modalities) == 0:
		add(Open, ModalityUnknown)
	case overlap(modalities, shown.modalities):
		add(Pass, ModalitySame, strings.Join(shown.modalities, "/"))
	default:
		add(Fail, ModalityOther, strings.Join(shown.modalities, "/"))
	}
	switch {
	case len(want.regions) == 0 || len(shown.regions) == 0:
		add(Open, RegionUnknown)
	case contains(shown.regions, want.regions):
		add(Pass, RegionCovered, strings.Join(shown.regions, "+"))
	default:
		add(Fail, RegionOther, strings.Join(shown.regions, "+"))
	}
	if side := a.side(); side != 0 || paired(want.item) {
		switch {
		case side == 0 || shown.side == 0:
			add(Open, SideUnknown)
		case side&^shown.side == 0:
			add(Pass, SideSame)
		default:
			add(Fail, SideOther)
		}
	}
	if want.contrast != 0 {
		switch {
		case shown.contrast == 0:
			add(Open, ContrastUnknown)
		case want.contrast&^shown.contrast == 0:
			add(Pass, ContrastSame)
		default:
			add(Fail, ContrastOther)
		}
	}
	return out
}

func paired(i *Item) bool { return i != nil && i.Paired }

// side is the one the order names, else the one the item means.
func (a *ask) side() Side {
	if a.wanted.side == 0 && a.wanted.item != nil {
		return a.wanted.item.Side
	}
	return a.wanted.side
}

func (a *ask) inCatalogue(c *Candidate, _ reading) []Reason {
	switch {
	case a.wanted.item != nil:
		return one(Pass, InCatalogue, a.catalogue.Version)
	case c.SameConsortium == Yes:
		return one(Pass, ConsortiumAnyItem)
	case c.SameConsortium == No:
		return one(Fail, NotInCatalogue, a.catalogue.Version)
	}
	return one(Open, NotInCatalogue, a.catalogue.Version)
}

// qualified: inside the consortium a missing assessment is forgiven with a warning; a failed one never is.
func (a *ask) qualified(c *Candidate, _ reading) []Reason {
	switch {
	case c.Qualified == Yes:
		return one(Pass, Qualified)
	case c.Qualified == No:
		return one(Fail, NotQualified)
	case c.SameConsortium == Yes:
		return one(Warn, QualificationMissing)
	}
	return one(Open, QualificationMissing)
}

// tiers: inside a consortium everybody recognises everybody; elsewhere the producer must not stand below the orderer.
func (a *ask) tiers(c *Candidate, _ reading) []Reason {
	if c.SameConsortium == Yes {
		return one(Pass, ConsortiumAnyTier)
	}
	from, to := slices.Index(a.catalogue.Tiers, c.Tier), slices.Index(a.catalogue.Tiers, a.request.Tier)
	switch {
	case from < 0 || to < 0:
		return one(Open, TierUnknown)
	case from < to:
		return one(Fail, TierLower)
	}
	return one(Pass, TierAllowed)
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
func (a *ask) window(c *Candidate, _ reading) []Reason {
	shortest, longest, ok := a.windows()
	oldest, youngest := a.now.Sub(c.Taken.Earliest), a.now.Sub(c.Taken.Latest)
	switch {
	case !ok:
		return one(Open, WindowUnknown)
	case longest == 0:
		return one(Warn, WindowZero)
	case !c.Taken.Known():
		return one(Open, TimeUnknown)
	case oldest < 0:
		return one(Open, TimeAhead)
	case youngest > longest:
		return one(Fail, TooOld, span(youngest), span(longest))
	case oldest <= shortest:
		return one(Pass, InWindow, span(oldest), span(shortest))
	}
	return one(Open, WindowOpen, span(oldest), span(shortest))
}

func (a *ask) expires(c *Candidate) time.Time {
	if shortest, _, ok := a.windows(); ok && shortest > 0 && c.Taken.Known() {
		return c.Taken.Earliest.Add(shortest)
	}
	return time.Time{}
}

func (a *ask) retrievable(c *Candidate, _ reading) []Reason {
	switch c.Retrievable {
	case Yes:
		return one(Pass, Retrievable)
	case No:
		return one(Fail, NotRetrievable)
	}
	return one(Open, RetrievalUnknown)
}

// quality: what was never judged is not held against a result.
func (a *ask) quality(c *Candidate, _ reading) []Reason {
	switch {
	case c.Quality == nil:
		return nil
	case *c.Quality < a.catalogue.LeastQuality:
		return one(Fail, QualityLow, *c.Quality, a.catalogue.LeastQuality)
	}
	return one(Pass, QualityEnough, *c.Quality)
}

func (a *ask) caution(c *Candidate, _ reading) (out []Reason) {
	if a.wanted.item != nil && a.wanted.item.Rapid {
		out = append(out, reason(Warn, RapidChange))
	}
	if c.Critical {
		out = append(out, reason(Warn, CriticalValue))
	}
	return out
}

// exceptions reads the order's flags and class. A flag that the catalogue does not know is reported and allows nothing.
func (a *ask) exceptions() (reasons []Reason, override string) {
	if code, ok := a.catalogue.ExemptClasses[a.request.Class]; ok {
		reasons, override = append(reasons, reason(Warn, Exception, code)), code
	}
	for _, flag := range a.request.Exceptions {
		code, ok := a.catalogue.Exceptions[flag]
		if !ok {
			reasons = append(reasons, reason(Open, ExceptionUnknown))
			continue
		}
		if reasons = append(reasons, reason(Warn, Exception, code)); override == "" {
			override = code
		}
	}
	return reasons, override
}
