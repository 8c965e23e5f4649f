package dimse

import (
	"context"
	"slices"

	"concord/hub/access"
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
	return slices.Concat(s.verification(), s.storage(), s.query(), s.getting(), s.moving())
}
