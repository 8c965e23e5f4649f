package register

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Expiring is a qualification that ends soon, or has ended lately, and that nothing follows.
type Expiring struct {
	Qualification
	// Days until its last day, counted from today; negative where that is past.
	Days int `json:"days"`
}

// ExpiresSoon is how many days ahead the end of a qualification is pointed out.
const ExpiresSoon = 30

// Expiring lists passed qualifications whose last day is at most some days ahead of now, or was at most as many days ago, where no
// other of the same institution, item and scope holds longer. Those that end first come first.
func (r *Register) Expiring(within int) []Expiring {
	today := r.day(r.Now())
	var all []Expiring
	for _, lines := range r.now().lines {
		for _, q := range lines {
			if q.Result != Passed || q.Withdrawn || followed(q, lines) {
				continue
			}
			if days := daysBetween(today, q.End); days <= within && days >= -within {
				all = append(all, Expiring{*q, days})
			}
		}
	}
	slices.SortFunc(all, func(a, b Expiring) int {
		return cmp.Or(strings.Compare(a.End, b.End), strings.Compare(a.Key(), b.Key()))
	})
	return all
}

func followed(q *Qualification, lines []*Qualification) bool {
	for _, other := range lines {
		if other != q && !other.Withdrawn && other.Result == Passed && other.Scope == q.Scope && other.End > q.End && other.Start <= nextDay(q.End) {
			return true
		}
	}
	return false
}

func nextDay(day string) string {
	t, _ := time.Parse(time.DateOnly, day)
	return t.AddDate(0, 0, 1).Format(time.DateOnly)
}

func daysBetween(from, to string) int {
	a, _ := time.Parse(time.DateOnly, from)
	b, _ := time.Parse(time.DateOnly, to)
	return int(b.Sub(a) / (24 * time.Hour))
}
