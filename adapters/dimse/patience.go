package dimse

import (
	"context"
	"time"

	"concord/hub"
	"concord/internal/upperlayer"
)

// waits is how long a request waits for what will be there in a moment: an index that is catching up after a start, or
// the member's allowance. Many senders give a study up at the first A700.
const waits = 10 * time.Second

// pollEvery is how often it is looked at again.
const pollEvery = 20 * time.Millisecond

// patiently does again what is refused for now, until the hub has waited long enough.
func (s *Server) patiently(ctx context.Context, do func() error) error {
	err := do()
	if !later(err) {
		return err
	}
	over := time.NewTimer(s.waits)
	defer over.Stop()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for later(err) {
		select {
		case <-over.C:
			return err
		case <-ctx.Done():
			return err
		case <-again.C:
			err = do()
		}
	}
	return err
}

func later(err error) bool { return hub.Is(err, hub.Unavailable) || hub.Is(err, hub.TooMany) }

// enter counts a request against its member's allowance, as HTTP requests are; leave ends it.
func (s *Server) enter(ctx context.Context) (leave func(), err error) {
	if s.Allowances == nil {
		return func() {}, nil
	}
	err = s.patiently(ctx, func() (err error) {
		leave, err = s.Allowances.Enter(memberOf(ctx))
		return err
	})
	return leave, err
}

// busy is what a member is told that is over its allowance: of the composite services each has A700 or takes any failure
// (PS3.4 B.2.3, C.4), the normalized ones have a status of PS3.7 C.5.
func busy(f upperlayer.Field, err error) upperlayer.Command {
	status := outOfResources
	if f >= upperlayer.NEventReportRQ {
		status = upperlayer.ResourceLimitation
	}
	return upperlayer.Command{Status: status, ErrorComment: comment(err)}
}
