package dicomweb

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/imaging"
	"concord/internal/dicom"
	"concord/internal/pixels"
)

// What viewers ask for first of a study is prepared once it has been quiet: the metadata of its series, and the images that
// stand for it and them. Nothing depends on it. What is not there, because the hub ended, too much came or a client knows the
// hub by another address, is made when it is asked for.

const (
	prepareQuiet    = 3 * time.Second // since a study changed
	prepareRest     = 19              // times as long as a piece of work took, before the next: that is a twentieth of a processor, and less the busier it is
	prepareAhead    = 10_000          // studies that wait; more are left to who asks for them
	largestPrepared = 5_000           // instances of a series whose metadata is prepared
)

// waiting are studies that changed, and when they will have been quiet for long enough.
type waiting struct {
	mu   sync.Mutex
	when map[string]time.Time
}

func (w *waiting) add(study string, when time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waits := w.when[study]; !waits && len(w.when) >= prepareAhead {
		return
	}
	if w.when == nil {
		w.when = map[string]time.Time{}
	}
	w.when[study] = when
}

// take removes a study that has been quiet by now.
func (w *waiting) take(now time.Time) (study string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for study, when := range w.when {
		if !when.After(now) {
			delete(w.when, study)
			return study, true
		}
	}
	return "", false
}

// Changed tells that a study has grown or shrunk, so that Prepare looks at it.
func (s *Server) Changed(study string) { s.changed.add(study, time.Now().Add(prepareQuiet)) }

// Prepare makes ready what has changed, one study after the other, until ctx ends.
func (s *Server) Prepare(ctx context.Context) {
	tick := time.NewTicker(prepareQuiet / 10)
	defer tick.Stop()
	for ctx.Err() == nil {
		study, ok := s.changed.take(time.Now())
		if !ok {
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
			continue
		}
		err := s.prepare(ctx, study, func(work func() error) error {
			began := time.Now()
			err := work()
			select {
			case <-time.After(prepareRest * time.Since(began)):
			case <-ctx.Done():
			}
			return err
		})
		if err != nil && ctx.Err() == nil {
			slog.Debug("prepare a study", "err", err)
		}
	}
}

// PrepareStudy does at once what Prepare does of a study.
func (s *Server) PrepareStudy(ctx context.Context, study string) error {
	return s.prepare(ctx, study, func(work func() error) error { return work() })
}

// itself is the hub as it prepares: what it reads goes nowhere but to the shelf.
func itself() access.Caller { return access.NewCaller(imaging.Origin, access.AllResources, "") }

// prepare does its work in pieces, each by a call of do, and goes on behind one that fails.
func (s *Server) prepare(ctx context.Context, study string, do func(work func() error) error) error {
	var places []imaging.Place
	err := do(func() error {
		locs, err := s.Reader.Find(ctx, itself(), s.PartitionOf(study), within(dicom.Series, imaging.Place{Study: study}))
		if err != nil {
			return err
		}
		recs, err := s.Reader.Found(ctx, s.PartitionOf(study), locs)
		for i := range recs {
			_, series, _ := strings.Cut(recs[i].Name.ID, "/")
			places = append(places, imaging.Place{Study: study, Series: series})
		}
		return err
	})
	if len(places) > 1 { // else the image of its only series stands for the study, too
		places = append(places, imaging.Place{Study: study})
	}
	for _, at := range places {
		var locs []hub.Loc
		failed := do(func() (err error) {
			if locs, err = s.Reader.Find(ctx, itself(), s.PartitionOf(study), within(dicom.Instance, at)); err != nil || at.Series == "" {
				return err
			}
			return s.prepareMetadata(ctx, at, locs)
		})
		if failed == nil && len(locs) > 0 {
			failed = do(func() error { return s.prepareThumbnail(ctx, at, locs) })
		}
		if err = errors.Join(err, failed); ctx.Err() != nil {
			break
		}
	}
	return err
}

// prepareMetadata does so for the address at which the hub is known, or was asked last.
func (s *Server) prepareMetadata(ctx context.Context, at imaging.Place, locs []hub.Loc) error {
	base := s.known.Load()
	if base == nil || len(locs) < keepFrom || len(locs) > largestPrepared {
		return nil
	}
	state := stateOf(locs, *base)
	if _, ready := s.Shelf.Get(ctx, at.Study, shelfName(at, *base), state); ready {
		return nil
	}
	recs, err := s.Reader.Found(ctx, s.PartitionOf(at.Study), locs)
	if err != nil {
		return err
	}
	told := tell(recs, *base)
	packed, err := told.pack()
	if err == nil {
		s.shelveNow(at, shelfName(at, *base), state, packed)
	}
	return err
}

func (s *Server) prepareThumbnail(ctx context.Context, at imaging.Place, locs []hub.Loc) error {
	none := errors.New("nothing to show")
	rec, frame, err := s.middle(ctx, at, locs, none)
	if errors.Is(err, none) {
		return nil
	}
	if err == nil {
		_, err = s.smallImage(ctx, file{s.Reader, itself(), rec}, frame, pixels.Viewport{Width: thumbnailEdge, Height: thumbnailEdge}, s.shelveNow)
	}
	return err
}
