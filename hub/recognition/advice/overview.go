package advice

import (
	"context"
	"slices"

	"concord/hub/access"
	"concord/hub/recognition"
)

// Overview says which results of a patient could be recognised now if they were ordered: an Answer for each item of the
// catalogue that the person has a recognisable result of, in the catalogue's order. The Question has no orders.
func (a *Adviser) Overview(ctx context.Context, who access.Caller, q Question) (Advice, error) {
	b := *a
	b.Limits = a.Limits.orDefault()
	if q.At.IsZero() {
		q.At = b.Now()
	}
	out, err := b.settled(ctx, who, &q, b.everything)
	out.Answers = slices.DeleteFunc(out.Answers, func(one Answer) bool { return one.Decision.Outcome != recognition.Recognisable })
	return out, err
}

// everything answers as if each item of the catalogue were ordered that may be recognised at all.
func (a *Adviser) everything(ctx context.Context, who access.Caller, q *Question, g *gathering) (Advice, error) {
	c := a.Catalogue()
	list := make([]Order, 0, len(c.Items))
	for i := range c.Items {
		item := &c.Items[i]
		if _, longest := item.Windows.For(q.Class); longest > 0 {
			list = append(list, Order{ID: item.ID, Exam: asOrdered(item)})
		}
	}
	orders := make([]wanted, len(list))
	for i := range list {
		orders[i] = want(&list[i], a.request(who, q, &list[i]), c, q.At)
	}
	return g.advise(ctx, c, orders)
}

// asOrdered is an order of an item.
func asOrdered(i *recognition.Item) recognition.Exam {
	if len(i.Codes) > 0 {
		return recognition.Exam{Codes: i.Codes[:1], Side: i.Side}
	}
	return recognition.Exam{Modalities: i.Modalities, Regions: i.Regions, Contrast: i.Contrast, Side: i.Side, Text: []string{i.Chinese}}
}
