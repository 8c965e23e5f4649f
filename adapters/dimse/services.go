package dimse

import (
	"context"
	"slices"
	"strings"

	"concord/hub/access"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

// Service is one line of the table of what the hub answers.
type Service struct {
	Name     string // as the Conformance Statement has it
	SOPClass string
	// Family makes SOPClass a prefix: all classes that begin with it are meant.
	Family bool
	// Transfers picks one of the transfer syntaxes proposed; nil: Explicit VR Little Endian, else Implicit, else none.
	Transfers func(proposed []string) (syntax string, ok bool)
	// Extended answers the service's extended negotiation (PS3.7 D.3.3.5) with what the hub does of it; nil: no answer.
	Extended func(info []byte) []byte
	// Roles is set where the caller may ask to be SCP, so that the hub is SCU (C-GET).
	Roles bool
	// Commands are the requests that are answered. Others are told that they are not recognised.
	Commands map[upperlayer.Field]Command
}

// Command is one request of a Service.
type Command struct {
	// Needs is the right on access.ImagingStudy that the caller's scope must have; 0: none.
	Needs access.Action
	Do    Handler
}

// Handler answers one request. The caller is in ctx (access.CallerFrom) with its address (audit.WithAddress). ctx ends with
// the association and, with cause upperlayer.ErrCancelled, when the peer cancels.
type Handler func(ctx context.Context, r *upperlayer.Request)

// services is the table. Each file of services has a function that adds its lines.
func (s *Server) services() []Service {
	return slices.Concat(s.verification(), s.storage(), s.query(), s.getting(), s.moving(), s.worklist(), s.commitment())
}

// service finds the line of the table that answers for a SOP class; nil where there is none.
func (s *Server) service(class string) *Service {
	var family *Service
	for i := range s.table {
		switch t := &s.table[i]; {
		case t.SOPClass == class:
			return t
		case t.Family && strings.HasPrefix(class, t.SOPClass):
			family = t
		}
	}
	return family
}

// agree answers a proposal by the table.
func (s *Server) agree(q *upperlayer.Proposal) *upperlayer.Agreement {
	a := &upperlayer.Agreement{}
	for _, c := range q.Contexts {
		a.Contexts = append(a.Contexts, s.agreeOn(c))
	}
	for _, r := range q.Roles {
		if t := s.service(r.SOPClass); t != nil && t.Roles {
			a.Roles = append(a.Roles, r)
		}
	}
	for _, e := range q.Extended {
		if t := s.service(e.SOPClass); t != nil && t.Extended != nil {
			a.Extended = append(a.Extended, upperlayer.Extended{SOPClass: e.SOPClass, Info: t.Extended(e.Info)})
		}
	}
	return a
}

func (s *Server) agreeOn(c upperlayer.ProposedContext) upperlayer.AnsweredContext {
	t := s.service(c.Abstract)
	if t == nil {
		return upperlayer.AnsweredContext{ID: c.ID, Result: upperlayer.AbstractUnsupported}
	}
	pick := t.Transfers
	if pick == nil {
		pick = native
	}
	syntax, ok := pick(c.Transfer)
	if !ok {
		return upperlayer.AnsweredContext{ID: c.ID, Result: upperlayer.TransferUnsupported}
	}
	return upperlayer.AnsweredContext{ID: c.ID, Transfer: syntax}
}

// native picks Explicit VR Little Endian, else Implicit.
func native(proposed []string) (string, bool) {
	for _, syntax := range []string{explicitLittle, implicitLittle} {
		if slices.Contains(proposed, syntax) {
			return syntax, true
		}
	}
	return "", false
}

// anySyntax picks the first one proposed, whatever it is, so that compressed images stay as they are; Explicit VR Little
// Endian goes before Implicit, which would lose the VRs of private elements.
func anySyntax(proposed []string) (string, bool) {
	for _, syntax := range proposed {
		if syntax == implicitLittle && slices.Contains(proposed, explicitLittle) {
			return explicitLittle, true
		}
		if dicom.CheckUID("TransferSyntaxUID", syntax) == nil {
			return syntax, true
		}
	}
	return "", false
}
