package lookup

import (
	"cmp"
	"fmt"

	"concord/hub"
)

// Limits bound what one request may make the hub read. A zero stands for the value given here. What goes beyond a limit
// is a TooCostly error that says how to narrow the request; nothing is left out in silence.
type Limits struct {
	// Join is how many candidates an inner search (of a chain, of _has) may have to be carried out first: 10,000. When it
	// has more, the candidates of the outer search are judged one by one.
	Join int
	// Scan is how many candidates may be read to fill one page where the index alone cannot tell what is a hit, and how many
	// records besides them: 20,000. A page that has hits by then ends early, and the next one goes on behind it.
	Scan int
	// Sort is how many results may be put in a computed order: 20,000.
	Sort int
	// Included is how many records a page may bring in besides its hits: 10,000.
	Included int
	// Reverse is how many searches for what refers to the hits, and to what that brings in, a page may lead to: 1,000.
	Reverse int
	// Bytes is how long the records of a page, without what lies in blobs, may be together: 50 MB. The page ends there, with
	// one record at least, and the next one goes on behind it.
	Bytes int
	// Walk is how many commits, and WalkBytes how many bytes of them, a page of history may read: 1,000 and 64 MB. The page
	// ends there, and says where to go on.
	Walk, WalkBytes int
}

func (l Limits) orDefaults() Limits {
	return Limits{
		Join: cmp.Or(l.Join, 10_000), Scan: cmp.Or(l.Scan, 20_000), Sort: cmp.Or(l.Sort, 20_000), Included: cmp.Or(l.Included, 10_000), Reverse: cmp.Or(l.Reverse, 1000),
		Bytes: cmp.Or(l.Bytes, 50<<20), Walk: cmp.Or(l.Walk, 1000), WalkBytes: cmp.Or(l.WalkBytes, 64<<20),
	}
}

func tooCostly(path, hint, format string, args ...any) error {
	return &hub.Error{Kind: hub.TooCostly, Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint}
}
