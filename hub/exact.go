package hub

// Named finds a clause of q that holds for nothing but entries with one of some Exact terms of one parameter, so that they
// can be looked up instead of being gone through. ok is false where q has no such clause.
func (q *Query) Named() (param string, texts []string, ok bool) {
next:
	for i := range q.All {
		c := &q.All[i]
		if c.Not || len(c.Any) == 0 || len(c.Either) > 0 || !c.Plain() {
			continue
		}
		texts = texts[:0]
		for j := range c.Any {
			if c.Any[j].Kind != Equals || c.Any[j].Term != Exact {
				continue next
			}
			texts = append(texts, c.Any[j].Text)
		}
		return c.Param, texts, true
	}
	return "", nil, false
}
