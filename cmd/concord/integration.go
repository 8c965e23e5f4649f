package main

import (
	"context"
	"sync"
	"time"

	"concord/adapters/hl7v2"
	"concord/adapters/integration"
	"concord/adapters/webserver"
	"concord/hub/messages"
	"concord/hub/settings"
	"concord/internal/hl7"
	"concord/internal/hl7map"
)

// hl7Mapper maps HL7 v2 messages by the rules in force.
type hl7Mapper struct {
	rules  func() *hl7map.Rules
	limits hl7.Limits
}

// newHL7Mapper maps by the rules that come with the program.
func newHL7Mapper(cfg Config) hl7Mapper {
	return hl7Mapper{rules: sync.OnceValue(func() *hl7map.Rules { rules, _ := hl7map.Load(nil); return rules })}
}

// Map implements messages.Mapper.
func (h hl7Mapper) Map(_ context.Context, member string, in *messages.Incoming) (*messages.Mapping, error) {
	m, ok := in.Parsed.(*hl7.Message)
	if !ok {
		var err error
		if m, err = hl7.Parse(in.Raw, h.limits); err != nil {
			return nil, err
		}
	}
	res, err := h.rules().Map(m, hl7map.Options{Member: member})
	if err != nil {
		return nil, err
	}
	out := &messages.Mapping{Rules: res.Rules, Unread: res.Unread, Resources: make([]messages.Resource, len(res.Resources))}
	for i := range res.Resources {
		r := &res.Resources[i]
		out.Resources[i] = messages.Resource{Name: r.Name, Body: r.Body, Part: r.Part, At: r.At, Cleared: r.Cleared}
	}
	for _, c := range res.Unmapped {
		out.Unmapped = append(out.Unmapped, messages.Code{Place: c.Place, System: c.System, Code: c.Code})
	}
	for _, f := range append(m.Warnings, res.Faults...) {
		out.Faults = append(out.Faults, messages.FaultsOf(f, false)...)
	}
	return out, nil
}

// incomingOf is a message of a format as the adapter that takes it would make it.
func (h hl7Mapper) incomingOf(format string, raw []byte) messages.Incoming {
	in := messages.Incoming{Format: format, Raw: raw}
	if format != hl7v2.Format {
		return in
	}
	in.Media = hl7v2.MediaType
	m, err := hl7.Parse(raw, h.limits)
	if err != nil {
		in.Refused = err
		return in
	}
	head := m.Header()
	in.Parsed, in.Type, in.Sender, in.Control, in.Charset = m, head.Name(), head.Application+"|"+head.Facility, head.Control, m.Charset.Used
	if sent, ok := hl7.ParseTime(head.Sent, time.Local); ok {
		in.Sent = sent.Start
	}
	return in
}

// textOf is an HL7 v2 message decoded, one segment a line.
func (h hl7Mapper) textOf(m *messages.Message, raw []byte) (string, bool) {
	if m.Format != hl7v2.Format {
		return "", false
	}
	return hl7.Text(raw), true
}

// mountIntegration puts the engineer's bench on the server.
func (r *rooms) mountIntegration(server *webserver.Server) {
	integration.Mount(server.Group("/integration", integration.WriteError), integration.Deps{
		Log:    &messages.Log{Reader: r.reader, Partition: settings.Records},
		Intake: r.intake, Jobs: r.jobs, Trail: r.trail, Read: r.hl7.incomingOf, Text: r.hl7.textOf,
	})
}
