package oracle

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// sortKey is what one resource is ordered by under one rule; exactly one of its fields counts for a type of parameter.
type sortKey struct {
	missing bool
	time    int64
	number  *big.Rat
	text    string
}

func (k sortKey) compare(o sortKey) int {
	if c := cmp.Compare(k.time, o.time); c != 0 {
		return c
	}
	if k.number != nil && o.number != nil {
		if c := k.number.Cmp(o.number); c != 0 {
			return c
		}
	}
	return strings.Compare(k.text, o.text)
}

// sort orders hits by the rules of _sort (search.html#sort): of several values that counts which comes first in the
// order asked for; those without one come last whatever the direction.
func (s *Store) sort(typ, rules string, hits []*Resource) error {
	type rule struct {
		param *Param
		desc  bool
	}
	var order []rule
	for _, text := range strings.Split(rules, ",") {
		if text == "" {
			continue
		}
		code, desc := strings.CutPrefix(text, "-")
		p := s.Defs.Param(typ, code)
		if p == nil {
			return fmt.Errorf("%s has no parameter %q", typ, code)
		}
		order = append(order, rule{p, desc})
	}
	if len(order) == 0 {
		return nil
	}
	keys := map[*Resource][]sortKey{}
	for _, r := range hits {
		for _, rule := range order {
			keys[r] = append(keys[r], s.key(r, rule.param, rule.desc))
		}
	}
	slices.SortStableFunc(hits, func(a, b *Resource) int {
		for i, rule := range order {
			x, y := keys[a][i], keys[b][i]
			if x.missing != y.missing {
				if x.missing {
					return 1
				}
				return -1
			}
			c := x.compare(y)
			if rule.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return cmp.Compare(a.seq, b.seq)
	})
	return nil
}

// Sortable reports whether the oracle has an order for values of the parameter's type.
func (p *Param) Sortable() bool { return p.Type != "composite" && p.Type != "special" && p.expr != nil }

func (s *Store) key(r *Resource, p *Param, desc bool) sortKey {
	f := s.Facts(r, p)
	var keys []sortKey
	for _, t := range f.Spans {
		keys = append(keys, sortKey{time: t.Lo})
	}
	for _, q := range f.Quantities {
		n := q.Lo
		if n == nil {
			n = new(big.Rat).SetInt(new(big.Int).Neg(new(big.Int).Exp(big.NewInt(10), big.NewInt(300), nil)))
		}
		keys = append(keys, sortKey{number: n})
	}
	for _, t := range f.Texts {
		keys = append(keys, sortKey{text: t.Normal})
	}
	for _, t := range f.Tokens {
		if t.Code != "" {
			keys = append(keys, sortKey{text: t.Code + "\x00" + t.System})
		}
	}
	for _, ref := range f.Refs {
		if ref.Text != "" && ref.Local == "" {
			keys = append(keys, sortKey{text: ref.Text})
		}
	}
	for _, u := range f.URIs {
		keys = append(keys, sortKey{text: u})
	}
	if len(keys) == 0 {
		return sortKey{missing: true}
	}
	if desc {
		return slices.MaxFunc(keys, sortKey.compare)
	}
	return slices.MinFunc(keys, sortKey.compare)
}
