package imaging

import (
	"context"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/fhir"
)

// Studies are linked to patients and orders when they are derived. A Patient or an order may come, change or go afterwards:
// the records are followed, too, and the studies with their identifiers derived again. A study is derived when it can be
// found, and looked for when the record can be found, so that one of the two sees the other whichever comes first.

// batchOfRecords bounds how many commits of records one round looks at; only when so many were looked at without a result is
// that noted in the log, since the note is a commit of records itself. mostAsked is how many identifiers one question has.
const (
	batchOfRecords = 500
	mostAsked      = 200
)

// linkKeys are identifiers that occur in records: those of patients with the members whose they are, and those of orders.
type linkKeys struct {
	patients map[string]map[string]bool
	orders   map[string]bool
}

// advanceLinks derives the studies again that the next commits of records may link otherwise.
func (d *Deriver) advanceLinks(ctx context.Context) (more bool, err error) {
	m := markMove{name: hub.Name{Type: MarkType, ID: "imaging/links"}}
	if m.from, err = d.through(ctx, m.name); err != nil {
		return false, err
	}
	applied, err := d.Followers[d.Records].Complete(ctx)
	if err != nil {
		return false, err
	}
	if d.looked > applied { // the records were restored from a copy
		d.looked = 0
	}
	begin := max(m.from, d.looked)
	if begin >= applied {
		return false, nil
	}
	m.to = min(applied, begin+batchOfRecords)
	any, err := d.anyStudy(ctx)
	if err != nil {
		return false, err
	}
	var changes []change
	if any {
		keys, err := d.linkKeys(ctx, begin+1, m.to)
		if err != nil {
			return false, err
		}
		if changes, err = d.linkable(ctx, keys); err != nil {
			return false, err
		}
	} else {
		m.to = applied
	}
	if len(changes) > 0 || m.to-m.from >= batchOfRecords {
		done, err := d.commitAll(ctx, changes, m)
		if err != nil || !done {
			return err == nil, err
		}
	}
	d.looked = m.to
	return m.to < applied, nil
}

func (d *Deriver) anyStudy(ctx context.Context) (bool, error) {
	page, err := d.Index.Search(ctx, d.Partitions, hub.Query{Type: dicom.Study.Type(), Limit: 1})
	return len(page.Hits) > 0, err
}

// linkKeys gathers the identifiers of patients and orders in commits, as they are and as they were before.
func (d *Deriver) linkKeys(ctx context.Context, from, to uint64) (linkKeys, error) {
	keys := linkKeys{patients: map[string]map[string]bool{}, orders: map[string]bool{}}
	l := d.Followers[d.Records].Log()
	var before []hub.Loc
	err := l.Commits(ctx, from, to, func(c *hub.Commit, _ []byte) error {
		for i := range c.Records {
			if t := c.Records[i].Name.Type; t == "Patient" || t == "ServiceRequest" {
				keys.add(&c.Records[i])
				if prev := c.Records[i].Prev; prev.Seq != 0 {
					before = append(before, prev)
				}
			}
		}
		return nil
	})
	if err != nil {
		return keys, err
	}
	old, err := l.Records(ctx, before)
	for i := range old {
		keys.add(&old[i])
	}
	return keys, err
}

func (k linkKeys) add(rec *hub.Record) {
	if rec.Deleted {
		return
	}
	doc, err := fhir.DocOf(rec)
	if err != nil {
		return
	}
	for id := range doc.Root().Get("identifier").Items() {
		value := id.Get("value").Text()
		switch {
		case value == "":
		case rec.Name.Type == "ServiceRequest":
			k.orders[value] = true
		case k.patients[value] == nil:
			k.patients[value] = map[string]bool{rec.Member: true}
		default:
			k.patients[value][rec.Member] = true
		}
	}
}

// linkable are the studies that have one of the identifiers.
func (d *Deriver) linkable(ctx context.Context, keys linkKeys) ([]change, error) {
	found := map[string]change{}
	look := func(tag dicom.Tag, values []string, wanted func(value, member string) bool) error {
		for len(values) > 0 {
			n := min(len(values), mostAsked)
			q := hub.Query{Type: dicom.Study.Type(), Limit: 500, All: []hub.Clause{{Param: tag.Hex()}}}
			for _, v := range values[:n] {
				q.All[0].Any = append(q.All[0].Any, hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: v})
			}
			values = values[n:]
			if err := d.eachStudy(ctx, q, func(p hub.Partition, rec *hub.Record) {
				if wanted(parse(rec).text(tag), rec.Member) {
					found[rec.Name.ID] = change{partition: p, study: rec.Name.ID}
				}
			}); err != nil {
				return err
			}
		}
		return nil
	}
	err := look(patientID, keysOf(keys.patients), func(v, member string) bool { return keys.patients[v][member] })
	if err == nil {
		err = look(accession, keysOf(keys.orders), func(v, _ string) bool { return keys.orders[v] })
	}
	all := make([]change, 0, len(found))
	for _, c := range found {
		all = append(all, c)
	}
	return all, err
}

func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// eachStudy reads what a question about studies finds in any partition.
func (d *Deriver) eachStudy(ctx context.Context, q hub.Query, do func(p hub.Partition, rec *hub.Record)) error {
	for _, p := range d.Partitions {
		if err := d.Followers[p].Check(ctx); err != nil {
			return err
		}
	}
	for {
		page, err := d.Index.Search(ctx, d.Partitions, q)
		if err != nil {
			return err
		}
		for _, hit := range page.Hits {
			rec, err := d.Followers[hit.Head.Partition].Log().Record(ctx, hit.Head.Loc)
			if err != nil {
				return err
			}
			do(hit.Head.Partition, &rec)
		}
		if !page.More || len(page.Hits) == 0 {
			return nil
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
}
