package fhir

import (
	"context"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition/advice"
)

// Decisions are those that were kept.
type Decisions interface {
	// Explain tells what the rules found when the decision was made, and when that was, as far as who may read it.
	Explain(ctx context.Context, who access.Caller, id string) (advice.Answer, time.Time, error)
}

// explainDecision answers GET and POST /fhir/GuidanceResponse/[id]/$explain: why the hub decided so on that day, with the version
// of the catalogue it decided by. The answer is that of $explain on ServiceRequest, and time.
func (s *Server) explainDecision(ctx context.Context, q *question) (*answer, error) {
	if err := q.who.May(access.Read, "GuidanceResponse"); err != nil {
		return nil, err
	}
	if s.Decisions == nil {
		return nil, &hub.Error{Kind: hub.Unsupported, Msg: "this hub keeps no decisions"}
	}
	a, at, err := s.Decisions.Explain(ctx, q.who, q.id)
	if err != nil {
		return nil, err
	}
	return parameters(append([]parameter{{"name": "time", "valueDateTime": at.Format(time.RFC3339)}}, explained(&a)...))
}
