package fhir

import (
	"context"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition/ledger"
)

// Measures evaluates measures.
type Measures interface {
	Evaluate(ctx context.Context, who access.Caller, id string, e ledger.Evaluation) ([]byte, error)
	// Period reads the dates of a measurement period, both of which belong to it.
	Period(start, end string) (from, to time.Time, err error)
}

// evaluateMeasure answers Measure/[id]/$evaluate-measure (R4 measure-operation-evaluate-measure.html) for the whole population:
// a summary, or the lists behind it too.
func (s *Server) evaluateMeasure(ctx context.Context, q *question) (*answer, error) {
	if err := q.who.May(access.Read, "Measure"); err != nil {
		return nil, err
	}
	if s.Measures == nil {
		return nil, &hub.Error{Kind: hub.Unsupported, Msg: "this hub evaluates no measures"}
	}
	var start, end string
	var e ledger.Evaluation
	take := func(name, value string) error {
		switch name {
		case "periodStart":
			start = value
		case "periodEnd":
			end = value
		case "reportType":
			switch value {
			case "summary", "population":
			case "subject-list":
				e.Subjects = true
			default:
				return &hub.Error{Kind: hub.Unsupported, Path: "reportType", Msg: "the operation makes reports of the whole population", Hint: "summary (or population), subject-list"}
			}
		default:
			return &hub.Error{Kind: hub.Invalid, Path: name, Msg: "the operation has no parameter " + quote(name), Hint: "periodStart, periodEnd, reportType"}
		}
		return nil
	}
	for _, p := range q.params {
		if p.Name == "_format" || p.Name == "_pretty" {
			continue
		}
		if err := take(p.Name, p.Value); err != nil {
			return nil, err
		}
	}
	if q.given != nil {
		for p := range q.given.Root().Get("parameter").Items() {
			value := ""
			for _, kind := range []string{"valueDate", "valueCode", "valueString"} {
				if t := p.Get(kind).Text(); t != "" {
					value = t
				}
			}
			if err := take(p.Get("name").Text(), value); err != nil {
				return nil, err
			}
		}
	}
	var err error
	if e.From, e.To, err = s.Measures.Period(start, end); err != nil {
		return nil, err
	}
	body, err := s.Measures.Evaluate(ctx, q.who, q.id, e)
	if err != nil {
		return nil, err
	}
	return wholly(body), nil
}
