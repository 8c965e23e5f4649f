package register

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"concord/hub"
	"concord/hub/recognition"
)

// Result is what an external quality assessment found.
type Result string

// The results.
const (
	Passed  Result = "pass"
	Failed  Result = "fail"
	Pending Result = "pending"
)

// Qualification is one line of the register of quality assessments: what one institution may say of one item for one period.
// Institution, Item, Scope and Start tell it from others; a later one of the same takes its place.
type Qualification struct {
	Institution string `json:"institution"` // member id
	Item        string `json:"item"`        // item id
	// Scope is where the mark counts, as Catalogue.Covers reads it. Empty: within the consortium.
	Scope string `json:"scope,omitempty"`
	// Start and End are civil days, both in the period.
	Start  string `json:"start"`
	End    string `json:"end"`
	Result Result `json:"result"`
	// Mark is what results may carry (互认标识): 全国HR, 北京市HR.
	Mark   string `json:"mark,omitempty"`
	Source string `json:"source,omitempty"` // the document that says so
	// Withdrawn: it was entered in error and says nothing.
	Withdrawn bool `json:"withdrawn,omitempty"`
}

// Key tells a qualification from others.
func (q *Qualification) Key() string {
	return strings.Join([]string{q.Institution, q.Item, q.Scope, q.Start}, "\x1f")
}

// longestPeriod keeps a slip of the pen from qualifying somebody for ever.
const longestPeriod = 10 * 366 * 24 * time.Hour

var plainText = regexp.MustCompile(`^[^\x00-\x1f\x7f]*$`)

// check looks at the line alone. The error's Path is its column.
func (q *Qualification) check() error {
	bad := func(path, format string, args ...any) error {
		return &hub.Error{Kind: hub.Invalid, Path: path, Msg: fmt.Sprintf(format, args...)}
	}
	for path, text := range map[string]string{"scope": q.Scope, "mark": q.Mark, "source": q.Source} {
		if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
			return bad(path, "a %s begins with a letter, lest a spreadsheet takes it for a formula", path)
		}
		if most := map[string]int{"scope": 200, "mark": 40, "source": 200}[path]; utf8.RuneCountInString(text) > most || !plainText.MatchString(text) || !utf8.ValidString(text) {
			return bad(path, "a %s is text of at most %d characters without control characters", path, most)
		}
	}
	start, err := time.Parse(time.DateOnly, q.Start)
	if err != nil {
		return bad("start", "the first day %.20q is no date as 2026-01-31", q.Start)
	}
	end, err := time.Parse(time.DateOnly, q.End)
	switch {
	case err != nil:
		return bad("end", "the last day %.20q is no date as 2026-01-31", q.End)
	case end.Before(start):
		return bad("end", "the period ends on %s, before it begins on %s", q.End, q.Start)
	case end.Sub(start) > longestPeriod:
		return bad("end", "a period has ten years at most")
	case q.Result != Passed && q.Result != Failed && q.Result != Pending:
		return bad("result", "the result %.20q is none of pass, fail, pending", q.Result)
	case q.Mark != "" && q.Result != Passed:
		return bad("mark", "only who has passed carries a mark")
	case q.Institution == "":
		return bad("institution", "the institution is missing")
	case q.Item == "":
		return bad("item", "the item is missing")
	}
	return nil
}

// in says whether a civil day belongs to the period.
func (q *Qualification) in(day string) bool { return q.Start <= day && day <= q.End }

// covers says whether the scope holds for somebody who lies in regions.
func (q *Qualification) covers(c *recognition.Catalogue, regions []string) bool {
	return q.Scope == "" || c.Covers(q.Scope, regions) == recognition.Yes
}

// latestFirst orders lines of one institution and item so that the first that decides is the one that counts: the one that
// began last; of those that began together a failure before a pass.
func latestFirst(a, b *Qualification) int {
	return cmp.Or(strings.Compare(b.Start, a.Start), cmp.Compare(resultOrder[a.Result], resultOrder[b.Result]), strings.Compare(a.Key(), b.Key()))
}

var resultOrder = map[Result]int{Failed: 0, Passed: 1, Pending: 2}

// standing is what lines, the latest first, say of a day.
func standing(c *recognition.Catalogue, lines []*Qualification, day string, regions []string) (recognition.Fact, string) {
	for _, q := range lines {
		switch {
		case !q.in(day) || q.Withdrawn:
		case q.Result == Failed:
			return recognition.No, ""
		case q.Result == Passed && q.covers(c, regions):
			return recognition.Yes, q.Mark
		}
	}
	return recognition.Unknown, ""
}
