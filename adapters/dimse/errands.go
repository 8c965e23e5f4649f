package dimse

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/upperlayer"
)

const (
	// lease is how long an errand is put off by the hub that is at it: after so long without a word another one tries.
	lease = 10 * time.Second
	// lookEvery is how often due errands are looked for.
	lookEvery = 2 * time.Second
	// errandsAtOnce is how many are tried at the same time.
	errandsAtOnce = 4
	// longestTry is how long one try may take.
	longestTry = time.Hour
)

// Retry says how errands are tried again: first after First, each time twice as late up to Most, and for Patience at all.
// Zero values mean 5 seconds, an hour and three days.
type Retry struct{ First, Most, Patience time.Duration }

func (r Retry) orDefault() Retry {
	return Retry{cmp.Or(r.First, 5*time.Second), cmp.Or(r.Most, time.Hour), cmp.Or(r.Patience, 72*time.Hour)}
}

// after is the pause behind the n-th try.
func (r Retry) after(n int) time.Duration {
	pause := r.First
	for ; n > 1 && pause < r.Most; n-- {
		pause *= 2
	}
	return min(pause, r.Most)
}

// RunErrands does what the hub owes until ctx ends: it reports on storage commitments and sends studies.
func (s *Server) RunErrands(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	free := make(chan struct{}, errandsAtOnce)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due, err := s.Errands.Due(ctx, errandsAtOnce)
		if err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
			slog.Error("look for errands", "err", err)
		}
		for _, e := range due {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if !s.claim(ctx, &e) {
				<-free
				continue
			}
			running.Go(func() {
				defer func() { <-free }()
				s.pursue(ctx, &e, func(ctx context.Context) error { return s.run(ctx, &e) })
			})
		}
	}
}

// claim puts an errand off, so that no other hub takes it meanwhile.
func (s *Server) claim(ctx context.Context, e *imaging.Errand) bool {
	e.Due = s.Now().Add(lease)
	return s.Errands.Change(ctx, e) == nil
}

// pursue tries an errand that is claimed and writes down how it went. While it takes, the claim is renewed.
func (s *Server) pursue(ctx context.Context, e *imaging.Errand, try func(context.Context) error) {
	trying, stop := context.WithTimeout(ctx, longestTry)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- try(trying) }()
	renew := time.NewTicker(lease / 2)
	defer renew.Stop()
	for {
		select {
		case err := <-ended:
			s.noteTry(context.WithoutCancel(ctx), e, err)
			return
		case <-renew.C:
			if !s.claim(ctx, e) {
				stop() // another hub has it
				<-ended
				return
			}
		}
	}
}

func (s *Server) noteTry(ctx context.Context, e *imaging.Errand, failed error) {
	now, retry := s.Now(), s.Retry.orDefault()
	e.Tries++
	e.Due = now.Add(retry.after(e.Tries))
	switch {
	case failed == nil:
		e.Ended = imaging.ErrandDone
	case now.Sub(e.Since) > retry.Patience:
		e.Ended = imaging.ErrandGivenUp
	}
	if err := s.Errands.Change(ctx, e); err != nil {
		slog.Warn("note how an errand went", "errand", e.Name.ID, "err", err)
	}
	if failed != nil {
		slog.Warn("an errand failed", "errand", e.Name.ID, "destination", e.Title, "tries", e.Tries, "next", e.Due, "ended", e.Ended, "err", failed)
	}
}

// run tries an errand once.
func (s *Server) run(ctx context.Context, e *imaging.Errand) error {
	if e.Study != "" {
		return s.forward(ctx, e)
	}
	return s.reportCommitment(ctx, e, nil, upperlayer.Context{})
}
