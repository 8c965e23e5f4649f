package register

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"concord/hub"
)

// State is the register after a number of events. It is replaced, never changed: of a state made further, what did not change
// is shared.
type State struct {
	events    int
	latest    time.Time   // of the last of them
	proposals []*Proposal // in the order in which they were made
	byID      map[string]*Proposal
	releases  []*Proposal // release n is at n-1
	// lines are the qualifications by institution and item, the latest first.
	lines map[[2]string][]*Qualification
	// moments are when another set of releases comes into force, in order of time.
	moments []moment
}

// moment is a time from which on a version is in force.
type moment struct {
	from    time.Time
	version version
}

// version names releases: all up to last, without some.
type version struct {
	last    int
	without string // numbers, ascending, joined by dots
}

func (v version) of(starter string) string {
	switch {
	case v.last == 0:
		return starter
	case v.without == "":
		return starter + "+" + strconv.Itoa(v.last)
	}
	return starter + "+" + strconv.Itoa(v.last) + ".without." + v.without
}

// parseVersion reads what of wrote.
func parseVersion(starter, text string) (version, error) {
	wrong := &hub.Error{Kind: hub.NotFound, Path: "version", Msg: fmt.Sprintf("there is no version %.80q of the catalogue", text),
		Hint: "versions of this hub begin with " + starter}
	rest, ok := strings.CutPrefix(text, starter)
	if !ok {
		return version{}, wrong
	}
	if rest == "" {
		return version{}, nil
	}
	number, without, _ := strings.Cut(strings.TrimPrefix(rest, "+"), ".without.")
	last, err := strconv.Atoi(number)
	v := version{last, without}
	if err != nil || last < 1 || v.of(starter) != text {
		return version{}, wrong
	}
	return v, nil
}

// fold adds events to a state.
func (s *State) fold(events []event) (*State, error) {
	next := &State{events: s.events + len(events), proposals: slices.Clone(s.proposals), byID: map[string]*Proposal{}, releases: slices.Clone(s.releases), lines: s.lines, moments: s.moments}
	for _, p := range next.proposals {
		next.byID[p.ID] = p
	}
	released := len(next.releases)
	for i, e := range events {
		if e.Proposal != nil {
			next.latest = e.Proposal.At
			next.proposals = append(next.proposals, e.Proposal)
			next.byID[e.Proposal.ID] = e.Proposal
			continue
		}
		next.latest = e.Ruling.At
		old := next.byID[e.Ruling.Proposal]
		if old == nil || old.Ruling != nil || e.Ruling.Verdict == Released && e.Ruling.Number != len(next.releases)+1 {
			return nil, &hub.Error{Kind: hub.Corrupt, Path: eventName(s.events + i + 1).String(), Msg: "a ruling of the register is about nothing that waits for one"}
		}
		p := *old
		p.Ruling = e.Ruling
		next.byID[p.ID] = &p
		next.proposals[slices.Index(next.proposals, old)] = &p
		if p.Ruling.Verdict == Released {
			next.releases = append(next.releases, &p)
		}
	}
	if len(next.releases) > released {
		next.qualify(next.releases[released:])
		next.timetable()
	}
	return next, nil
}

// qualify puts the qualifications of releases into their places.
func (s *State) qualify(releases []*Proposal) {
	lines, mine := maps.Clone(s.lines), map[[2]string]map[string]int{} // mine: where each line lies, of what is changed
	if lines == nil {
		lines = map[[2]string][]*Qualification{}
	}
	for _, p := range releases {
		for i := range p.Changes {
			q := p.Changes[i].Qualification
			if q == nil {
				continue
			}
			at := [2]string{q.Institution, q.Item}
			if mine[at] == nil { // before it is changed
				lines[at], mine[at] = slices.Clone(lines[at]), map[string]int{}
				for i, old := range lines[at] {
					mine[at][old.Key()] = i
				}
			}
			if there, ok := mine[at][q.Key()]; ok {
				lines[at][there] = q
			} else {
				mine[at][q.Key()] = len(lines[at])
				lines[at] = append(lines[at], q)
			}
		}
	}
	for at := range mine {
		slices.SortFunc(lines[at], latestFirst)
	}
	s.lines = lines
}

// line finds the qualification of the same key; nil where there is none.
func (s *State) line(q *Qualification) *Qualification {
	lines := s.lines[[2]string{q.Institution, q.Item}]
	i := sort.Search(len(lines), func(i int) bool { return lines[i].Start <= q.Start }) // the latest come first
	for ; i < len(lines) && lines[i].Start == q.Start; i++ {
		if lines[i].Key() == q.Key() {
			return lines[i]
		}
	}
	return nil
}

// timetable says from when on which version is in force.
func (s *State) timetable() {
	var times []time.Time
	for _, p := range s.releases {
		times = append(times, p.Ruling.Effective)
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	s.moments = make([]moment, len(times))
	for i, t := range times {
		s.moments[i] = moment{t, s.versionAt(t)}
	}
}

func (s *State) versionAt(t time.Time) version {
	v := version{}
	var without []string
	for n, p := range s.releases {
		if p.Ruling.Effective.After(t) {
			without = append(without, strconv.Itoa(n+1))
		} else {
			v.last = n + 1
		}
	}
	for len(without) > 0 { // those after the last one go without saying
		if n, _ := strconv.Atoi(without[len(without)-1]); n < v.last {
			break
		}
		without = without[:len(without)-1]
	}
	v.without = strings.Join(without, ".")
	return v
}

// inForce is the version at a moment.
func (s *State) inForce(at time.Time) version {
	i, there := slices.BinarySearchFunc(s.moments, at, func(m moment, at time.Time) int { return m.from.Compare(at) })
	switch {
	case there:
		return s.moments[i].version
	case i == 0:
		return version{}
	}
	return s.moments[i-1].version
}

// has says whether release n belongs to a version.
func (v version) has(n int) bool {
	return n <= v.last && !slices.Contains(strings.Split(v.without, "."), strconv.Itoa(n))
}

// overlay is what became of a row by releases.
type overlay struct {
	row     Row // nil: retired
	release int
}

// rows are what the releases of a version make of the starter: in the order of their effect, later ones last.
func (s *State) rows(v version) map[string]overlay {
	var list []*Proposal
	for n := 1; n <= min(v.last, len(s.releases)); n++ {
		if v.has(n) {
			list = append(list, s.releases[n-1])
		}
	}
	slices.SortStableFunc(list, func(a, b *Proposal) int {
		return cmp.Or(a.Ruling.Effective.Compare(b.Ruling.Effective), cmp.Compare(a.Ruling.Number, b.Ruling.Number))
	})
	out := map[string]overlay{}
	for _, p := range list {
		for i := range p.Changes {
			switch c := &p.Changes[i]; {
			case c.Item == "":
			case c.Restore:
				delete(out, c.Item)
			case c.Retire:
				out[c.Item] = overlay{nil, p.Ruling.Number}
			default:
				out[c.Item] = overlay{c.Row, p.Ruling.Number}
			}
		}
	}
	return out
}

// open are the proposals that wait for a ruling, the oldest first.
func (s *State) open() []*Proposal {
	var all []*Proposal
	for _, p := range s.proposals {
		if p.Ruling == nil {
			all = append(all, p)
		}
	}
	return all
}
