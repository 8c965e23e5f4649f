package hl7v2

import (
	"context"
	"time"

	"concord/hub"
	"concord/hub/messages"
	"concord/internal/hl7"
	"concord/internal/hl7map"
)

// Mapper says what messages of HL7 v2 mean, by the rules there are when it is asked. It implements messages.Mapper.
type Mapper struct {
	Rules func() *hl7map.Rules
	// Zone is that of times that name none, where the rules name none either; UTC if nil.
	Zone   *time.Location
	Limits hl7.Limits
}

// Map implements messages.Mapper. What Parse overlooked is among the faults.
func (m *Mapper) Map(_ context.Context, member string, in *messages.Incoming) (*messages.Mapping, error) {
	message, ok := in.Parsed.(*hl7.Message)
	if !ok {
		var err error
		if message, err = hl7.Parse(in.Raw, m.Limits); err != nil {
			return nil, err
		}
	}
	result, err := m.Rules().Map(message, hl7map.Options{Member: member, Zone: m.Zone})
	if err != nil {
		return nil, err
	}
	out := &messages.Mapping{Rules: result.Rules, Unread: result.Unread}
	for _, r := range result.Resources {
		out.Resources = append(out.Resources, messages.Resource{Name: r.Name, Body: r.Body, Part: r.Part, At: r.At, Cleared: r.Cleared})
	}
	for _, c := range result.Unmapped {
		out.Unmapped = append(out.Unmapped, messages.Code{Place: c.Place, System: c.System, Code: c.Code})
	}
	for _, faults := range [][]*hub.Error{message.Warnings, result.Faults} {
		for _, f := range faults {
			out.Faults = append(out.Faults, messages.Fault{Kind: f.Kind.String(), Place: f.Path, Msg: f.Msg})
		}
	}
	return out, nil
}
