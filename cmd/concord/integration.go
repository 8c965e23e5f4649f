package main

import (
	"concord/adapters/hl7v2"
	"concord/adapters/integration"
	"concord/adapters/webserver"
	"concord/hub/messages"
	"concord/hub/settings"
	"concord/internal/hl7"
	"concord/internal/webfault"
)

// incomingOf is a message of a format as the adapter that takes it would make it.
func incomingOf(format string, raw []byte, limits hl7.Limits) messages.Incoming {
	if format == hl7v2.Format {
		return hl7v2.Read(raw, limits)
	}
	return messages.Incoming{Format: format, Raw: raw}
}

// textOf is an HL7 v2 message decoded, one segment a line.
func textOf(m *messages.Message, raw []byte) (string, bool) {
	if m.Format != hl7v2.Format {
		return "", false
	}
	return hl7.Text(raw), true
}

// mountIntegration puts the engineer's bench on the server.
func (r *rooms) mountIntegration(server *webserver.Server) {
	integration.Mount(server.Group("/integration", webfault.Write), integration.Deps{
		Log:    &messages.Log{Reader: r.reader, Partition: settings.Records},
		Intake: r.intake, Jobs: r.jobs, Trail: r.trail, MaxMessage: int64(r.cfg.MessageMB) << 20,
		Read: func(format string, raw []byte) messages.Incoming { return incomingOf(format, raw, r.cfg.limits()) }, Text: textOf,
	})
}
