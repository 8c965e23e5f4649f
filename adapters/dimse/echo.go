package dimse

import (
	"context"

	"concord/internal/upperlayer"
)

// verificationClass is the Verification SOP Class (PS3.4 A).
const verificationClass = "1.2.840.10008.1.1"

func (s *Server) verification() []Service {
	return []Service{{Name: "Verification", SOPClass: verificationClass, Commands: map[upperlayer.Field]Command{
		upperlayer.CEchoRQ: {Do: func(_ context.Context, r *upperlayer.Request) {
			r.Respond(upperlayer.Command{Status: upperlayer.Success}, nil) // what fails ends the association
		}},
	}}}
}
