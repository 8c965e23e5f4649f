package hl7map

import (
	"concord/hub"
	"concord/internal/hl7"
)

// Rules are rules that were read and linted. They are not changed any more, and may be used by many at once.
type Rules struct{}

// Load reads rules; later files are laid over earlier ones, those of a member over those of everybody. The error is
// hub.Faults, each with file:line in Path.
func Load(files []File) (*Rules, error) { return &Rules{}, nil }

// Map makes resources of a message by the rules of the member. A message of a type that no rules are for is an error of
// kind Unsupported, with MSH-9 in Path. All other faults are in the result.
func (r *Rules) Map(m *hl7.Message, o Options) (*Result, error) {
	return nil, &hub.Error{Kind: hub.Unsupported, Path: "MSH-9", Msg: "no rules are for messages of this type"}
}
