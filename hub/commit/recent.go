package commit

import (
	"context"
	"slices"

	"concord/hub"
)

// recent is a commit near the tail as conditions ask about it: what it changed, and by which terms that is found.
type recent struct {
	seq     uint64
	bytes   int // of the bodies
	changes map[hub.Name]*change
	byType  map[string][]*change
	byTerms map[[2]string]map[string][]*change // by type and parameter, then by text; made when first asked for
}

// change is the version of a thing that a commit brought.
type change struct {
	rec   *hub.Record
	entry *hub.Entry // projected when it is first asked for
}

func newRecent(seq uint64, records []hub.Record, entries []*hub.Entry) *recent {
	r := &recent{seq: seq, changes: make(map[hub.Name]*change, len(records)), byType: map[string][]*change{}}
	for i := range records {
		c := &change{rec: &records[i]}
		if entries != nil {
			c.entry = entries[i]
		}
		r.bytes += len(c.rec.Body)
		r.changes[c.rec.Name] = c
		r.byType[c.rec.Name.Type] = append(r.byType[c.rec.Name.Type], c)
	}
	return r
}

// remember keeps the commit that is the tail now. entries may be nil.
func (c *Committer) remember(seq uint64, recs []hub.Record, entries []*hub.Entry) {
	if n := len(c.late); n > 0 && c.late[n-1].seq+1 != seq {
		c.late = nil
	}
	c.late = append(c.late, newRecent(seq, recs, entries))
	records, bytes, from := 0, 0, len(c.late)
	for from > 0 && len(c.late)-from < lateCommits {
		records, bytes = records+len(c.late[from-1].changes), bytes+c.late[from-1].bytes
		if records > lateRecords || bytes > lateBytes {
			break
		}
		from--
	}
	c.late = slices.Delete(c.late, 0, from)
}

// since is what was committed after seq, up to the tail, oldest first; nothing when that is too much.
func (c *Committer) since(ctx context.Context, seq uint64) ([]*recent, error) {
	if seq >= c.seq {
		return nil, nil
	}
	total := 0
	for _, r := range c.late {
		total += len(r.changes)
	}
	for len(c.late) > 0 && c.late[0].seq > seq+1 {
		commit, _, err := c.log.Commit(ctx, c.late[0].seq-1)
		if err != nil {
			return nil, err
		}
		if total += len(commit.Records); total > lateRecords {
			return nil, nil
		}
		c.late = slices.Insert(c.late, 0, newRecent(commit.Seq, commit.Records, nil))
	}
	if n := len(c.late); n == 0 || c.late[n-1].seq != c.seq {
		return nil, nil
	}
	return c.late[seq+1-c.late[0].seq:], nil
}

// changedIn reports whether one of the commits changed n.
func changedIn(rs []*recent, n hub.Name) bool {
	return slices.ContainsFunc(rs, func(r *recent) bool { return r.changes[n] != nil })
}

// find returns what meets q of what the commit changed and neither a later one nor the batch changed again.
func (r *recent) find(v *View, q *hub.Query, later []*recent) ([]hub.Name, error) {
	changes := r.byType[q.Type]
	if param, texts, ok := q.Named(); ok && len(changes) > 8 {
		terms, err := r.terms(v, q.Type, param)
		if err != nil {
			return nil, err
		}
		changes = nil
		for _, text := range texts {
			changes = append(changes, terms[text]...)
		}
	}
	var found []hub.Name
	seen := map[*change]bool{}
	for _, c := range changes {
		if c.rec.Deleted || seen[c] || v.Changed(c.rec.Name) || changedIn(later, c.rec.Name) {
			continue
		}
		seen[c] = true
		e, err := c.project(v)
		if err != nil {
			return nil, err
		}
		met, err := q.Meets(c.rec, e)
		if err != nil {
			return nil, err
		}
		if met {
			found = append(found, c.rec.Name)
		}
	}
	return found, nil
}

func (c *change) project(v *View) (*hub.Entry, error) {
	if c.entry == nil {
		e, err := v.c.target.Project(c.rec)
		if err != nil {
			return nil, err
		}
		c.entry = &e
	}
	return c.entry, nil
}

// terms lists the changes of a type by their Exact terms of one parameter.
func (r *recent) terms(v *View, typ, param string) (map[string][]*change, error) {
	key := [2]string{typ, param}
	if terms, ok := r.byTerms[key]; ok {
		return terms, nil
	}
	terms := map[string][]*change{}
	for _, c := range r.byType[typ] {
		if c.rec.Deleted {
			continue
		}
		e, err := c.project(v)
		if err != nil {
			return nil, err
		}
		for i := range e.Terms {
			if t := &e.Terms[i]; t.Kind == hub.Exact && t.Param == param {
				terms[t.Text] = append(terms[t.Text], c)
			}
		}
	}
	if r.byTerms == nil {
		r.byTerms = map[[2]string]map[string][]*change{}
	}
	r.byTerms[key] = terms
	return terms, nil
}
