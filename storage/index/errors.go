package index

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// asHub turns what Redis answered into the hub's words. What says "not now" is Unavailable; a caller's own
// cancellation stays what it is.
func asHub(ctx context.Context, doing string, err error) error {
	var known *hub.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case redis.IsAuthError(err) || redis.IsPermissionError(err):
		return &hub.Error{Kind: hub.Unavailable, Msg: doing + ": Redis refuses the hub's account", Hint: "check user and password in the Redis URL", Retry: 10 * time.Second, Err: err}
	case redis.IsOOMError(err):
		return &hub.Error{Kind: hub.Unavailable, Msg: doing + ": Redis has no memory left", Hint: "raise maxmemory, with the policy noeviction", Retry: 10 * time.Second, Err: err}
	case redis.IsExecAbortError(err):
		return &hub.Error{Kind: hub.Unavailable, Msg: doing + ": Redis refused part of a commit", Hint: "see Redis' log; it may be out of memory or a replica", Retry: time.Second, Err: err}
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return &hub.Error{Kind: hub.Corrupt, Msg: doing + ": a key of the index is in other use", Hint: "give the hub a Redis database of its own, then run `concord rebuild`", Err: err}
	case strings.HasPrefix(err.Error(), "ERR "):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return &hub.Error{Kind: hub.Unavailable, Msg: doing + ": the index cannot be reached", Hint: "is Redis running?", Retry: time.Second, Err: err}
}

func errEmpty(p hub.Partition) error {
	return &hub.Error{Kind: hub.Unavailable, Msg: "the index of " + string(p) + " is empty", Hint: "it is being rebuilt", Retry: time.Second}
}

func errStamp(p *partition, found string) error {
	return &hub.Error{Kind: hub.Unavailable, Msg: fmt.Sprintf("the index of %s was made otherwise: it is %q, this hub reads %q", p.name, found, p.stamp),
		Hint: "run `concord rebuild`"}
}

func errEmptying(p hub.Partition) error {
	return &hub.Error{Kind: hub.Unavailable, Msg: "the index of " + string(p) + " is being emptied", Hint: "if this lasts, run `concord rebuild` again", Retry: time.Second}
}

func errUnsettled(p hub.Partition) error {
	return &hub.Error{Kind: hub.Unavailable, Msg: "a commit of " + string(p) + " is half applied to the index", Hint: "the next hub that writes completes it", Retry: time.Second}
}

func errOvertaken(p hub.Partition) error {
	return &hub.Error{Kind: hub.Unavailable, Msg: "a search of " + string(p) + " was overtaken by commits again and again", Hint: "ask for less at a time", Retry: retrySoon}
}

// retrySoon is when to come back for what another hub is doing right now.
const retrySoon = 50 * time.Millisecond
