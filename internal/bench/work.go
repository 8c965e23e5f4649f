package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// turn does a work once. Round 0 warms up; each round must be able to do the work anew.
type turn func(ctx context.Context, clients, round int) (Sample, error)

// Work is one line of the table.
type Work struct {
	Title   string
	Unit    string // what the rate counts, "req" or "inst"
	Clients int
	Goal    Goal
	hub     turn
	peers   []peer
	// note says something more of the hub once the work is done; nil for nothing.
	note func() string
}

// peer does the same, or a part of it, for comparison.
type peer struct {
	name    string
	clients int // 0: as many as the work
	goal    Goal
	turn    turn
}

// Goal is what the project wants to reach; the zero value is none.
type Goal struct {
	// Of says what is compared: "rate" (units a second), "ratio" (of the rates, hub to peer), "p50" (of the medians,
	// peer to hub), "ms" (the median in milliseconds) "p95" or "p99" (what 95 or 99 of 100 requests take
	// at most, in milliseconds).
	Of      string  `json:"of,omitempty"`
	AtLeast float64 `json:"atLeast,omitempty"`
	AtMost  float64 `json:"atMost,omitempty"` // of "ms", "p95" and "p99"
}

// Row is what became of a work, or of its comparison with one more peer.
type Row struct {
	Work    string  `json:"work"`
	Clients int     `json:"clients"`
	Unit    string  `json:"unit"`
	Hub     Figures `json:"hub"`
	Peer    string  `json:"peer,omitempty"`
	Other   Figures `json:"other,omitzero"`
	// Ratio is the median of the rounds' ratios: of rates, or for a goal in p50 of the peer's p50 to the hub's.
	Ratio float64 `json:"ratio,omitempty"`
	Goal  Goal    `json:"goal,omitzero"`
	Met   bool    `json:"met"`
	Note  string  `json:"note,omitempty"`
	Error string  `json:"error,omitempty"`
	again bool    // the hub's figures stand in the row above
}

// Figures are medians of the rounds, and the least and greatest rate.
type Figures struct {
	Rate float64 `json:"rate"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	P50  Millis  `json:"p50ms"`
	P95  Millis  `json:"p95ms"`
	P99  Millis  `json:"p99ms"`
}

// Millis is a duration in milliseconds.
type Millis float64

func millis(d time.Duration) Millis { return Millis(float64(d) / float64(time.Millisecond)) }

func figures(samples []Sample) Figures {
	var rates, p50, p95, p99 []float64
	for _, s := range samples {
		rates = append(rates, s.Rate())
		p50 = append(p50, float64(millis(s.P50)))
		p95 = append(p95, float64(millis(s.P95)))
		p99 = append(p99, float64(millis(s.P99)))
	}
	return Figures{Rate: median(rates), Min: slices.Min(rates), Max: slices.Max(rates), P50: Millis(median(p50)), P95: Millis(median(p95)), P99: Millis(median(p99))}
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// pause lets a server finish in the background what it acknowledged before another has its turn.
const pause = 300 * time.Millisecond

// run does a work in rounds: the hub's turn, then each peer's.
func (w *Work) run(ctx context.Context, rounds int, say func(string, ...any)) []Row {
	turns := append([]peer{{turn: w.hub}}, w.peers...)
	samples := make([][]Sample, len(turns))
	for round := range rounds + 1 {
		for i, p := range turns {
			clients := w.Clients
			if p.clients > 0 {
				clients = p.clients
			}
			s, err := p.turn(ctx, clients, round)
			if err != nil {
				return []Row{{Work: w.Title, Clients: w.Clients, Unit: w.Unit, Peer: p.name, Goal: w.Goal, Error: err.Error()}}
			}
			if round > 0 {
				samples[i] = append(samples[i], s)
				say("%s, round %d of %d: %s %.0f %s/s, p50 %.2f ms, p95 %.2f ms", w.Title, round, rounds, or(p.name, "hub"), s.Rate(), w.Unit, millis(s.P50), millis(s.P95))
			}
			if err := sleep(ctx, pause); err != nil {
				return []Row{{Work: w.Title, Clients: w.Clients, Unit: w.Unit, Error: err.Error()}}
			}
		}
	}
	hub, note := figures(samples[0]), ""
	if w.note != nil {
		note = w.note()
	}
	if len(w.peers) == 0 {
		row := Row{Work: w.Title, Clients: w.Clients, Unit: w.Unit, Hub: hub, Goal: w.Goal, Note: note}
		row.judge()
		return []Row{row}
	}
	var rows []Row
	for i, p := range w.peers {
		row := Row{Work: w.Title, Clients: w.Clients, Unit: w.Unit, Hub: hub, Peer: p.name, Other: figures(samples[i+1]), Goal: p.goal, again: i > 0}
		var ratios []float64
		for r, mine := range samples[0] {
			theirs := samples[i+1][r]
			if p.goal.Of == "p50" {
				ratios = append(ratios, float64(theirs.P50)/float64(mine.P50))
			} else {
				ratios = append(ratios, mine.Rate()/theirs.Rate())
			}
		}
		if row.Ratio = median(ratios); i == 0 {
			row.Note = note
		}
		row.judge()
		rows = append(rows, row)
	}
	return rows
}

func (r *Row) judge() {
	switch r.Goal.Of {
	case "rate":
		r.Met = r.Hub.Rate >= r.Goal.AtLeast
	case "ratio", "p50":
		r.Met = r.Ratio >= r.Goal.AtLeast
	case "ms":
		r.Met = float64(r.Hub.P50) <= r.Goal.AtMost
	case "p95":
		r.Met = float64(r.Hub.P95) <= r.Goal.AtMost
	case "p99":
		r.Met = float64(r.Hub.P99) <= r.Goal.AtMost
	}
}

func (g Goal) String() string {
	switch g.Of {
	case "rate":
		return fmt.Sprintf("≥ %.0f/s", g.AtLeast)
	case "ratio":
		return fmt.Sprintf("≥ %.1f×", g.AtLeast)
	case "p50":
		return fmt.Sprintf("≥ %.1f× (p50)", g.AtLeast)
	case "ms":
		return fmt.Sprintf("p50 ≤ %g ms", g.AtMost)
	case "p95":
		return fmt.Sprintf("p95 ≤ %g ms", g.AtMost)
	case "p99":
		return fmt.Sprintf("p99 ≤ %g ms", g.AtMost)
	}
	return ""
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
