package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"concord/adapters/hl7v2"
	"concord/hub"
	"concord/hub/laboratory"
	"concord/hub/messages"
	"concord/internal/hl7"
	"concord/internal/hl7map"
	"concord/mappings"
)

// hl7Mapper maps HL7 v2 messages by the rules in force.
type hl7Mapper struct {
	rules  func() *hl7map.Rules
	limits hl7.Limits
	// laboratory, where there is no intake that does so, completes what is mapped; nil where there is.
	laboratory *laboratory.Refiner
}

// mappingFlags are those of whoever maps HL7 v2.
func mappingFlags(f *pflag.FlagSet) {
	f.String("mappings", "", "`folder` with mappings of HL7 v2, laid over those of the program; read again when they change")
}

// newHL7Mapper maps by the rules that come with the program and those of a deployment's folder.
func newHL7Mapper(cfg Config) (*hl7Mapper, error) {
	follow, err := mappings.FollowHL7v2(cfg.Mappings, time.Second, time.Now, func(err error) {
		slog.Error("the mappings of HL7 v2 are wrong; those before stay in force", "err", allFaults(err))
	})
	if err != nil {
		return nil, fmt.Errorf("read the mappings of HL7 v2: %w", allFaults(err))
	}
	return &hl7Mapper{rules: follow.Rules, limits: cfg.limits()}, nil
}

// allFaults tells every fault of several, a line each.
func allFaults(err error) error {
	var all hub.Faults
	if errors.As(err, &all) {
		return errors.Join(all.Unwrap()...)
	}
	return err
}

// mapHL7 lets the intake of messages read HL7 v2.
func (r *rooms) mapHL7() error {
	mapper, err := newHL7Mapper(r.cfg)
	if err == nil {
		r.intake.Mappers[hl7v2.Format] = mapper
	}
	return err
}

// Map implements messages.Mapper. What the parser overlooked is among the faults.
func (h *hl7Mapper) Map(ctx context.Context, member string, in *messages.Incoming) (*messages.Mapping, error) {
	m, ok := in.Parsed.(*hl7.Message)
	if !ok {
		var err error
		if m, err = hl7.Parse(in.Raw, h.limits); err == nil {
			err = hl7v2.Readable(m.Header())
		}
		if err != nil {
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
		out.Resources[i] = messages.Resource{Name: r.Name, Body: r.Body, Part: r.Part, At: r.At, Cleared: r.Cleared, Yields: r.Yields}
	}
	for _, c := range res.Unmapped {
		out.Unmapped = append(out.Unmapped, messages.Code{Place: c.Place, System: c.System, Code: c.Code})
	}
	for _, faults := range [][]*hub.Error{m.Warnings, res.Faults} {
		for _, f := range faults {
			out.Faults = append(out.Faults, messages.FaultsOf(f, false)...)
		}
	}
	if h.laboratory != nil {
		return out, h.laboratory.Refine(ctx, member, in, out)
	}
	return out, nil
}
