package laboratory

import (
	"context"

	"concord/hub/messages"
)

// Refiner completes what a mapping made of a message: standard codes, UCUM codes of units, a laboratory's reference range
// where the message has none, the mark of a critical value; and it gives the results of one specimen the same names
// whichever report brings them. It looks at no clock.
type Refiner struct {
	// Rules and Maps are those in force when it is called.
	Rules func() *Rules
	Maps  func(ctx context.Context) *Maps
}

// Refine implements messages.Refiner.
func (f *Refiner) Refine(ctx context.Context, member string, in *messages.Incoming, m *messages.Mapping) error {
	return nil
}
