package fhir

import "concord/hub"

func (p *Param) expanded(modifier, value string, o *SearchOptions) ([][]hub.Clause, error) {
	return nil, &hub.Error{Kind: hub.Invalid, Path: p.Code + ":" + modifier, Msg: "search: no terminology"}
}
