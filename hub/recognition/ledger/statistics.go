package ledger

import (
	"time"

	"concord/hub/recognition"
)

// Dimension is what counts are told apart by.
type Dimension string

// The dimensions.
const (
	ByUsing      Dimension = "using"  // the member that orders
	ByGiving     Dimension = "giving" // the member whose result could stand for the order
	ByDepartment Dimension = "department"
	ByItem       Dimension = "item"
	ByReason     Dimension = "reason" // coded reason for not recognising, or of the exemption
	ByMonth      Dimension = "month"  // 2026-03, of the consortium's time zone
)

// Filter says which opportunities are meant; what is empty does not restrict.
type Filter struct {
	// From and To bound when they were first offered: From belongs to it, To does not.
	From, To time.Time
	// Where asks for one value of a dimension.
	Where map[Dimension]string
	// By are the dimensions of the rows, in their order.
	By []Dimension
}

// Counts are numbers of opportunities, but for the last two.
type Counts struct {
	Offered       int // that could be recognised
	Accepted      int // of these: recognised by the doctor
	Declined      int // of these: not recognised
	Unanswered    int // of these: without a choice
	Exempt        int // may be repeated although something could be recognised; not among Offered
	ReferenceOnly int // shown for reference; not among Offered
	Repeats       int // Declined or Unanswered, and ordered or done within the window all the same
	Withdrawn     int // Accepted, and what was relied on does not hold any more
	// Unqualified are results that came up for an order although their producer was not qualified for the item.
	Unqualified int
	// Saved is what the accepted ones would have cost, by currency.
	Saved []recognition.Money
}

// Rate is the recognition rate: Accepted ÷ Offered; ok is false where nothing was offered.
func (c *Counts) Rate() (rate float64, ok bool) {
	if c.Offered == 0 {
		return 0, false
	}
	return float64(c.Accepted) / float64(c.Offered), true
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
	Rows    []Row
	Total   Counts
}
