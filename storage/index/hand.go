package index

import (
	"iter"
	"runtime"
)

// hand does one task after another, each up to the places where it awaits. It is a coroutine with its stack, which has grown to what
// tasks need: making one anew for each shard of each search cost a tenth of the search.
type hand struct {
	do     task // nil when it has ended
	failed bool // its next await says so
	next   func() (struct{}, bool)
	stop   func()
}

func newHand() *hand {
	h := &hand{}
	h.next, h.stop = iter.Pull(func(yield func(struct{}) bool) {
		stopped := false
		await := func() bool {
			stopped = stopped || !yield(struct{}{})
			return !stopped && !h.failed
		}
		for !stopped {
			h.do(await)
			h.do = nil
			stopped = stopped || !yield(struct{}{})
		}
	})
	return h
}

// goOn reports whether the task awaits again; it has ended otherwise.
func (h *hand) goOn() bool {
	_, alive := h.next()
	return alive && h.do != nil
}

// hands are at rest between tasks.
type hands struct{ idle chan *hand }

// idleHands is how many an index keeps: for some searches of all slots at once.
const idleHands = 512

func newHands() *hands {
	hs := &hands{idle: make(chan *hand, idleHands)}
	runtime.AddCleanup(hs, func(idle chan *hand) {
		for {
			select {
			case h := <-idle:
				h.stop()
			default:
				return
			}
		}
	}, hs.idle)
	return hs
}

func (hs *hands) take() *hand {
	select {
	case h := <-hs.idle:
		return h
	default:
		return newHand()
	}
}

func (hs *hands) give(h *hand) {
	h.failed = false
	select {
	case hs.idle <- h:
	default:
		h.stop()
	}
}
