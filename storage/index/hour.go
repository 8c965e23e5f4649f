package index

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// An hour is a run of commits: the pages of LastUpdated. Record times never go back along a log, so what the commits
// of an hour wrote last was written between its first commit and that of the next. A large commit makes a short hour, so that
// an hour has some thousands of things, whether a log grows by bulk loads or by single records.
type hour struct {
	level byte // index of hourLevels
	n     uint64
}

// hourLevels say, for commits of at least so many records, how many commits an hour has.
var hourLevels = [...]struct{ records, commits uint64 }{{1024, 1}, {128, 8}, {16, 64}, {0, 2048}}

// hourOf is that of commit seq with so many records.
func hourOf(seq uint64, records int) hour {
	level := 0
	for uint64(records) < hourLevels[level].records {
		level++
	}
	return hour{byte(level), seq / hourLevels[level].commits}
}

// hoursOf are all that commit seq may belong to.
func hoursOf(seq uint64) []hour {
	var hours []hour
	for level := range hourLevels {
		hours = append(hours, hour{byte(level), seq / hourLevels[level].commits})
	}
	return hours
}

// String is "a17": the level's letter and the number of the hour.
func (h hour) String() string { return string('a'+rune(h.level)) + strconv.FormatUint(h.n, 10) }

func parseHour(s string) (h hour, err error) {
	if len(s) < 2 || s[0] < 'a' || int(s[0]-'a') >= len(hourLevels) {
		return h, errUnreadable
	}
	h.level = s[0] - 'a'
	if h.n, err = strconv.ParseUint(s[1:], 10, 64); err != nil {
		return h, errUnreadable
	}
	return h, nil
}

func (h hour) start() uint64 { return h.n * hourLevels[h.level].commits }
func (h hour) end() uint64   { return (h.n + 1) * hourLevels[h.level].commits } // exclusive

// tail is the page's key without the slot's prefix: the set of what the hour's commits wrote last.
func (h hour) tail(b []byte, typ string) []byte {
	return strconv.AppendUint(append(append(append(b, "u:"...), part(typ)...), ':', 'a'+h.level), h.n, 10)
}

// hourPages reads the roll of the hours of a type, in the order of their first commits.
func hourPages(typ string, roll []redis.Z) ([]page, error) {
	type known struct {
		hour
		from float64
	}
	hours := make([]known, len(roll))
	for i, z := range roll {
		s, _ := z.Member.(string)
		h, err := parseHour(s)
		if err != nil {
			return nil, err
		}
		hours[i] = known{h, z.Score}
	}
	slices.SortFunc(hours, func(a, b known) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.start(), b.start()))
	})
	pages := make([]page, len(hours))
	for i, h := range hours {
		to := math.Inf(1) // what no later hour bounds may be of this moment
		for _, next := range hours[i+1:] {
			if next.start() >= h.end() {
				to = next.from
				break
			}
		}
		pages[i] = page{tail: string(h.tail(nil, typ)), from: h.from, to: to, reach: to}
	}
	return pages, nil
}
