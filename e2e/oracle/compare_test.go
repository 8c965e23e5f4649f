package oracle

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"concord/e2e/hubproc"
)

func (c *comparison) each(batch []Query, done func(i int, fault string)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(batch); i = int(next.Add(1)) - 1 {
				done(i, c.ask(batch[i]))
			}
		})
	}
	wg.Wait()
}

type comparison struct {
	*hub
	asked, hits atomic.Int64
	mu          sync.Mutex
	refused     map[string]int // by reason
	used        map[string]int // parameter names by kind
	excused     map[string]int // known disagreements that were met
}

func (c *comparison) refusals() (n int) {
	for _, times := range c.refused {
		n += times
	}
	return n
}

func (c *comparison) kinds() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(c.used)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, c.used[k]))
	}
	return strings.Join(parts, ", ")
}

// kindOf names what a query consists of, roughly.
func kindOf(q Query) string {
	var kinds []string
	if q.Compartment != "" {
		kinds = append(kinds, "compartment")
	}
	for _, p := range q.Pairs {
		name, modifier, _ := strings.Cut(p.Name, ":")
		switch {
		case strings.HasPrefix(name, "_"):
			kinds = append(kinds, name)
		case strings.Contains(p.Name, "."):
			kinds = append(kinds, "chain")
		case modifier != "":
			kinds = append(kinds, ":"+modifier)
		default:
			kinds = append(kinds, q.Type+"."+name)
		}
	}
	return strings.Join(kinds, " ")
}

// ask asks both and says how they differ; empty when they do not. A refusal is noted.
func (c *comparison) ask(q Query) string {
	c.asked.Add(1)
	want, err := c.store.Search(q)
	if err != nil {
		return "the oracle does not understand its own query: " + err.Error()
	}
	if len(want.Hits) > 0 {
		c.hits.Add(1)
	}
	c.note(q)
	fault := c.differ(q, want)
	for _, k := range known {
		if fault != "" && c.excuses(k, q) {
			c.mu.Lock()
			c.excused[k.what]++
			c.mu.Unlock()
			return ""
		}
	}
	if fault != "" && strings.Contains(q.address(), "ap") && c.turns(q, want) {
		return ""
	}
	return fault
}

// excuses reports whether a disagreement about q is the known one.
func (c *comparison) excuses(k disagreement, q Query) bool {
	if !slices.ContainsFunc(q.Pairs, k.about) {
		return false
	}
	if k.bend == nil {
		return true
	}
	bent := *c.store
	k.bend(&bent)
	other, err := bent.Search(q)
	return err == nil && c.differ(q, other) == ""
}

func (c *comparison) note(q Query) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range q.Pairs {
		name, modifier, _ := strings.Cut(p.Name, ":")
		switch {
		case name == "_include", name == "_revinclude", name == "_has", name == "_sort", name == "_filter", name == "_list":
			c.used[name]++
		case strings.Contains(p.Name, "."):
			c.used["chain"]++
		default:
			if d := c.store.Defs.Param(q.Type, name); d != nil {
				c.used[d.Type]++
			}
			if c.store.Defs.IsType(modifier) {
				modifier = "[type]"
			}
			if modifier != "" {
				c.used[":"+modifier]++
			}
		}
	}
}

// turns reports whether the answer depends on the minute, as that to ap does.
func (c *comparison) turns(q Query, now Answer) bool {
	for _, shift := range []time.Duration{-time.Hour, time.Hour} {
		other := *c.store
		other.Now = other.Now.Add(shift)
		if a, err := other.Search(q); err != nil || !slices.Equal(a.Hits, now.Hits) {
			return true
		}
	}
	return false
}

// differ asks the hub, page by page, and compares.
func (c *comparison) differ(q Query, want Answer) string {
	extra := []Pair{{"_count", strconv.Itoa(max(1, (len(want.Hits)+2)/3))}}
	switch n := len(want.Hits); {
	case n%5 == 1:
		extra = []Pair{{"_summary", "count"}}
	case n%2 == 0:
		extra = append(extra, Pair{"_total", "accurate"})
	}
	at, rest := q.address(extra...), want.Hits
	for pages := 0; ; pages++ {
		a, err := c.client.Get(at)
		if err != nil {
			return err.Error()
		}
		if a.Status != 200 {
			return c.refusal(pages, a)
		}
		p, err := readPage(a.Body)
		if err != nil {
			return err.Error()
		}
		if (extra[0].Name == "_summary" || len(extra) > 1 || p.total != "") && p.total != strconv.Itoa(len(want.Hits)) {
			return fmt.Sprintf("total is %q, want %d: %s", p.total, len(want.Hits), few(names(want.Hits)))
		}
		if extra[0].Name == "_summary" {
			if len(p.entries) > 0 {
				return "_summary=count has entries"
			}
			return ""
		}
		var hits, included []string
		for _, e := range p.entries {
			switch e.mode {
			case "match":
				hits = append(hits, e.name)
			case "include":
				included = append(included, e.name)
			}
		}
		if len(hits) > len(rest) || pages > 4 {
			return fmt.Sprintf("page %d has %v, %d hits are left: %s", pages, hits, len(rest), few(names(rest)))
		}
		due := rest[:len(hits)]
		for i, r := range due {
			if r.Name() != hits[i] {
				return fmt.Sprintf("page %d of %d, hit %d is %s, want %s\n got %s\nwant %s", pages, len(hits), i, hits[i], r.Name(), few(hits[i:]), few(names(due[i:])))
			}
		}
		slices.Sort(included)
		if w := want.Included(due); !slices.Equal(included, w) {
			return fmt.Sprintf("page %d includes %s\nwant %s", pages, few(except(included, w)), few(except(w, included)))
		}
		rest = rest[len(hits):]
		if p.next == "" {
			break
		}
		at = strings.TrimPrefix(p.next, publicURL)
	}
	if len(rest) > 0 {
		return fmt.Sprintf("%d hits of %d do not come, the first: %s", len(rest), len(want.Hits), few(names(rest)))
	}
	return ""
}

func except(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(other, n) })
}

func names(rs []*Resource) (list []string) {
	for _, r := range rs {
		list = append(list, r.Name())
	}
	return list
}

// few is the beginning of a list of names.
func few(list []string) string {
	if len(list) > 5 {
		return strings.Join(list[:5], " ") + " …"
	}
	return strings.Join(list, " ")
}

var quoted = regexp.MustCompile(`"[^"]*"`)

// refusal notes why the hub does not answer. Only client errors of a first page count as that.
func (c *comparison) refusal(pages int, a hubproc.Answer) string {
	outcome, err := decode(a.Body)
	if err != nil || pages > 0 || a.Status >= 500 && a.Status != 501 || outcome["resourceType"] != "OperationOutcome" {
		return fmt.Sprintf("page %d: %s", pages, a)
	}
	issues, _ := outcome["issue"].([]any)
	reason := strconv.Itoa(a.Status)
	for _, i := range issues {
		n := Node{Value: i}
		reason += " " + n.get("code") + ": " + quoted.ReplaceAllString(n.get("diagnostics"), `"…"`)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[reason]++
	return ""
}
