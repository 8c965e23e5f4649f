package projection

import (
	"context"
	"fmt"
	"strings"

	"concord/hub"
)

// Projectors finds the projector of a record by its type: an exact name, or a family up to and including a dot
// ("dicom."). Types with neither use Default; without a Default they have a head but no terms.
type Projectors struct {
	ByType  map[string]hub.Projector
	Default hub.Projector
}

// Project implements hub.Projector. Deleted records add nothing.
func (ps *Projectors) Project(rec *hub.Record) (hub.Entry, error) {
	if rec.Deleted {
		return hub.Entry{Route: rec.Name.String()}, nil
	}
	p, ok := ps.ByType[rec.Name.Type]
	if !ok {
		if family, _, dotted := strings.Cut(rec.Name.Type, "."); dotted {
			p, ok = ps.ByType[family+"."]
		}
	}
	if !ok {
		p = ps.Default
	}
	if p == nil {
		return hub.Entry{Route: rec.Name.String()}, nil
	}
	e, err := p.Project(rec)
	if err != nil {
		return e, fmt.Errorf("project %s version %d: %w", rec.Name, rec.Version, err)
	}
	if e.Route == "" {
		e.Route = rec.Name.String()
	}
	return e, nil
}

// Changes says what the records of one commit change in the index. known may give entries that the caller has
// already (by position, nil where not).
func Changes(ctx context.Context, l *Log, p hub.Projector, records []hub.Record, known []*hub.Entry) ([]hub.Change, error) {
	changes := make([]hub.Change, len(records))
	for i := range records {
		rec := &records[i]
		ch := hub.Change{Record: rec}
		if !rec.Deleted {
			if i < len(known) && known[i] != nil {
				ch.New = known[i]
			} else {
				e, err := p.Project(rec)
				if err != nil {
					return nil, err
				}
				ch.New = &e
			}
		}
		if rec.Prev.Seq != 0 {
			old, err := l.Record(ctx, rec.Prev)
			if err != nil {
				return nil, fmt.Errorf("read the version before %s/%d: %w", rec.Name, rec.Version, err)
			}
			if !old.Deleted {
				e, err := p.Project(&old)
				if err != nil {
					return nil, err
				}
				ch.Old = &e
			}
		}
		changes[i] = ch
	}
	return changes, nil
}
