package messages

import (
	"concord/hub"
	"concord/hub/lookup"
)

// Log reads the messages that are kept.
type Log struct {
	Reader    *lookup.Reader
	Partition hub.Partition
}
