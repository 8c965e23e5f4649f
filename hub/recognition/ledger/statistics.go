package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
)

// Dimension is what counts are told apart by.
type Dimension string

// The dimensions.
const (
	ByUsing      Dimension = "using"  // the member that orders
	ByGiving     Dimension = "giving" // a member whose result could stand for the order; an opportunity counts for each
	ByDepartment Dimension = "department"
	ByItem       Dimension = "item"
	ByReason     Dimension = "reason" // coded reason for not recognising, or of the exemption
	ByMonth      Dimension = "month"  // 2026-03, of the consortium's time zone
)

// Dimensions are all of them.
func Dimensions() []Dimension {
	return []Dimension{ByUsing, ByGiving, ByDepartment, ByItem, ByReason, ByMonth}
}

// Measure is something that is counted.
type Measure string

// The measures. All but the last are numbers of opportunities.
const (
	Opportunities  Measure = "offered"          // that could be recognised
	Acceptances    Measure = "accepted"         // of these: recognised by the doctor
	Refusals       Measure = "declined"         // of these: not recognised
	Silences       Measure = "unanswered"       // of these: without a choice
	Exemptions     Measure = "exempt"           // may be repeated although something could be recognised; not among Opportunities
	References     Measure = "reference-only"   // shown for reference; not among Opportunities
	Impossible     Measure = "not-recognisable" // nothing could be recognised; not among Opportunities
	Repeats        Measure = "repeats"          // Refusals or Silences, and ordered or done within the window all the same
	Withdrawals    Measure = "withdrawn"        // Acceptances, and what was relied on does not hold any more
	UnqualifiedAre Measure = "unqualified"      // results that came up whose producer was not, or not known to be, qualified for the item
)

// Measures are all of them, in the order in which they are told.
func Measures() []Measure {
	return []Measure{Opportunities, Acceptances, Refusals, Silences, Exemptions, References, Impossible, Repeats, Withdrawals, UnqualifiedAre}
}

// Filter says which opportunities are meant; what is empty does not restrict.
type Filter struct {
	// From and To bound when they were first offered: From belongs to it, To does not.
	From, To time.Time
	// Where asks for one value of a dimension.
	Where map[Dimension]string
	// By are the dimensions of the rows, in their order.
	By []Dimension
	// Consortium asks for the whole consortium. Who may not see all is told counts in which those of others are rounded; it
	// may ask for whole months, by item, reason or month, one of them.
	Consortium bool
}

// Counts are how many there are of each measure, and what the accepted ones would have cost, by currency.
type Counts struct {
	Of    map[Measure]int
	Saved map[string]int64 // currency → amount in its smallest unit
}

// Rate is the recognition rate: accepted ÷ offered; ok is false where nothing was offered.
func (c *Counts) Rate() (rate float64, ok bool) {
	n := c.Of[Opportunities]
	if n == 0 {
		return 0, false
	}
	return float64(c.Of[Acceptances]) / float64(n), true
}

// Money are the savings, by currency.
func (c *Counts) Money() []recognition.Money {
	var all []recognition.Money
	for _, currency := range slices.Sorted(maps.Keys(c.Saved)) {
		all = append(all, recognition.Money{Amount: c.Saved[currency], Currency: currency})
	}
	return all
}

// Row is what was counted for one value of each dimension.
type Row struct {
	Values []string // in the order of Filter.By
	Counts
}

// Report is an answer of Statistics.
type Report struct {
	Filter Filter
	// Through is the commit of the log of records up to which was counted.
	Through uint64
	Rows    []Row // sorted by their values
	Total   Counts
	// Rounded is what counts of others were rounded to; 0: nothing was.
	Rounded int
}

// sight is what a caller may be told of.
type sight struct {
	all    bool
	member string
}

// sightOf: who looks after the exchange of all, or after the catalogue, sees all; a member what it ordered or gave.
func sightOf(who access.Caller) sight {
	return sight{who.MayIntegrate() == nil || who.MayCatalogue() == nil, who.Member}
}

func (s sight) sees(o *Opportunity) bool {
	return s.all || o.Member == s.member || slices.Contains(o.Givers(), s.member)
}

// seesResult is asked of an unqualified result.
func (s sight) seesResult(c cell) bool {
	return s.all || c.o.Member == s.member || c.giving == s.member
}

// department of an opportunity is its member's own affair.
func (s sight) department(o *Opportunity) string {
	if s.all || o.Member == s.member {
		return o.Department
	}
	return ""
}

// cell is one opportunity, or one unqualified result, as it is counted.
type cell struct {
	o      *Opportunity
	giving string
	result string // unqualified
}

// Statistics counts. Who has neither scope integration nor catalogue is told of what its own member ordered or gave, and of the
// consortium as a whole in numbers that tell of nobody else.
func (l *Ledger) Statistics(ctx context.Context, who access.Caller, f Filter) (Report, error) {
	r := Report{Filter: f}
	if who.Member == "" {
		return r, &hub.Error{Kind: hub.Forbidden, Msg: "only members are told statistics"}
	}
	see, limits := sightOf(who), l.Limits.orDefault()
	if err := f.check(see, limits.Zone); err != nil {
		return r, err
	}
	var err error
	if r.Through, err = l.refresh(ctx); err != nil {
		return r, err
	}
	told := see
	if f.Consortium {
		told.all = true
	}
	t := l.count(told, &f, func(*Opportunity) bool { return true })
	if f.Consortium && !see.all {
		own := l.count(told, &f, func(o *Opportunity) bool { return o.Member == see.member })
		if c := l.counting(); c.Round > 0 {
			t.blur(own, c)
			r.Rounded = c.Round
		} else {
			t = own
		}
	}
	r.Total = t.total
	for _, key := range slices.Sorted(maps.Keys(t.rows)) {
		row := Row{Counts: *t.rows[key]}
		if len(f.By) > 0 {
			row.Values = strings.Split(key, "\x00")
		}
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

// check refuses a filter that asks for more than a caller may be told, or for what there is not.
func (f *Filter) check(see sight, zone *time.Location) error {
	known := Dimensions()
	for d := range f.Where {
		if !slices.Contains(known, d) {
			return &hub.Error{Kind: hub.Invalid, Path: string(d), Msg: "is no dimension"}
		}
	}
	for i, d := range f.By {
		if !slices.Contains(known, d) || slices.Contains(f.By[:i], d) {
			return &hub.Error{Kind: hub.Invalid, Path: "by", Msg: fmt.Sprintf("%.32q is no dimension, or is there twice", d), Hint: "using, giving, department, item, reason, month"}
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return &hub.Error{Kind: hub.Invalid, Path: "to", Msg: "the period ends before it begins"}
	}
	if !f.Consortium || see.all {
		return nil
	}
	if len(f.By) > 1 || len(f.Where) > 0 || len(f.By) == 1 && f.By[0] != ByItem && f.By[0] != ByReason && f.By[0] != ByMonth {
		return &hub.Error{Kind: hub.Forbidden, Path: "by", Msg: "of the whole consortium a member is told counts by item, reason or month, one of them, and without further conditions"}
	}
	for _, t := range []time.Time{f.From, f.To} {
		if local := t.In(zone); !t.IsZero() && (local.Day() != 1 || local.Hour() != 0 || local.Minute() != 0 || local.Second() != 0 || local.Nanosecond() != 0) {
			return &hub.Error{Kind: hub.Forbidden, Path: "from", Msg: "of the whole consortium a member is told of whole months"}
		}
	}
	return nil
}

// tally gathers counts.
type tally struct {
	rows  map[string]*Counts
	total Counts
	once  map[string]bool // unqualified results that were counted, by row
}

// count goes through all opportunities that are meant.
func (l *Ledger) count(see sight, f *Filter, some func(*Opportunity) bool) *tally {
	t := &tally{rows: map[string]*Counts{}, total: newCounts(), once: map[string]bool{}}
	zone := l.Limits.orDefault().Zone
	byGiver := slices.Contains(f.By, ByGiving)
	l.book.each(func(o *Opportunity) {
		if !f.in(o) || !some(o) {
			return
		}
		for i, c := range f.cells(o, see, zone) {
			if i == 0 {
				t.total.add(o)
			}
			if i == 0 || byGiver {
				t.row(f.key(c, see, zone)).add(o)
			}
		}
		for _, c := range f.unqualified(o, see, zone) {
			t.unqualified(f.key(c, see, zone), c)
		}
	})
	return t
}

// cells are an opportunity with each of its givers, as far as that is meant and seen.
func (f *Filter) cells(o *Opportunity, see sight, zone *time.Location) (all []cell) {
	if !see.sees(o) {
		return nil
	}
	givers := o.Givers()
	if len(givers) == 0 {
		givers = []string{""}
	}
	for _, giver := range givers {
		if c := (cell{o: o, giving: giver}); f.meets(c, see, zone) {
			all = append(all, c)
		}
	}
	return all
}

// unqualified are the unqualified results that came up with an opportunity, as far as they are meant and seen.
func (f *Filter) unqualified(o *Opportunity, see sight, zone *time.Location) (all []cell) {
	for _, s := range o.Shown {
		if c := (cell{o, s.Producer, s.Result}); s.Unqualified && see.seesResult(c) && f.meets(c, see, zone) {
			all = append(all, c)
		}
	}
	return all
}

// in tells whether an opportunity lies in the period.
func (f *Filter) in(o *Opportunity) bool {
	return (f.From.IsZero() || !o.First.Before(f.From)) && (f.To.IsZero() || o.First.Before(f.To))
}

func (f *Filter) meets(c cell, see sight, zone *time.Location) bool {
	for d, want := range f.Where {
		if c.value(d, see, zone) != want {
			return false
		}
	}
	return true
}

func (f *Filter) key(c cell, see sight, zone *time.Location) string {
	values := make([]string, len(f.By))
	for i, d := range f.By {
		values[i] = c.value(d, see, zone)
	}
	return strings.Join(values, "\x00")
}

func (c cell) value(d Dimension, see sight, zone *time.Location) string {
	switch d {
	case ByUsing:
		return c.o.Member
	case ByGiving:
		return c.giving
	case ByDepartment:
		return see.department(c.o)
	case ByItem:
		return c.o.Item
	case ByReason:
		return c.o.Reason()
	case ByMonth:
		return c.o.First.In(zone).Format("2006-01")
	}
	return ""
}

// is tells whether an opportunity counts for a measure.
func (o *Opportunity) is(m Measure) bool {
	offered := o.Outcome == recognition.Recognisable
	switch m {
	case Opportunities:
		return offered
	case Acceptances:
		return offered && o.relied()
	case Refusals:
		return offered && o.Choice.Verdict != "" && !o.relied()
	case Silences:
		return offered && o.Choice.Verdict == ""
	case Exemptions:
		return o.Outcome == recognition.Exempt
	case References:
		return o.Outcome == recognition.ReferenceOnly
	case Impossible:
		return o.Outcome == recognition.NotRecognisable
	case Repeats:
		return offered && !o.relied() && o.Repeat.What != ""
	case Withdrawals:
		return o.relied() && len(o.Withdrawn) > 0
	case UnqualifiedAre:
		return slices.ContainsFunc(o.Shown, func(s Shown) bool { return s.Unqualified })
	}
	return false
}

func newCounts() Counts { return Counts{Of: map[Measure]int{}, Saved: map[string]int64{}} }

func (c *Counts) add(o *Opportunity) {
	for _, m := range Measures() {
		if m != UnqualifiedAre && o.is(m) {
			c.Of[m]++
		}
	}
	if o.is(Acceptances) && o.Saving.Known() {
		c.Saved[o.Saving.Currency] += o.Saving.Amount
	}
}

func (t *tally) row(key string) *Counts {
	c := t.rows[key]
	if c == nil {
		fresh := newCounts()
		c = &fresh
		t.rows[key] = c
	}
	return c
}

// unqualified counts a result once a row, and once in all.
func (t *tally) unqualified(key string, c cell) {
	if mark := key + "\x01" + c.result; !t.once[mark] {
		t.once[mark] = true
		t.row(key).Of[UnqualifiedAre]++
	}
	if mark := "\x02" + c.result; !t.once[mark] {
		t.once[mark] = true
		t.total.Of[UnqualifiedAre]++
	}
}

// blur rounds what of the counts is not one's own, each number by itself, so that neither a small one nor the difference of
// two tells of a single case. RoundSaved counts whole units of a currency of a hundred parts.
func (t *tally) blur(own *tally, by recognition.Counting) {
	t.total.blur(&own.total, by)
	for key, c := range t.rows {
		mine := own.rows[key]
		if mine == nil {
			fresh := newCounts()
			mine = &fresh
		}
		c.blur(mine, by)
		if len(c.Of) == 0 && len(c.Saved) == 0 {
			delete(t.rows, key)
		}
	}
}

func (c *Counts) blur(own *Counts, by recognition.Counting) {
	for m, n := range c.Of {
		if c.Of[m] = own.Of[m] + nearest(n-own.Of[m], by.Round); c.Of[m] == 0 {
			delete(c.Of, m)
		}
	}
	for currency, n := range c.Saved {
		if c.Saved[currency] = own.Saved[currency] + int64(nearest(int(n-own.Saved[currency]), by.RoundSaved*100)); c.Saved[currency] == 0 {
			delete(c.Saved, currency)
		}
	}
}

func nearest(n, base int) int { return (n + base/2) / base * base }
