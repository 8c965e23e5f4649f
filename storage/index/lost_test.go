package index

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// A node of a cluster that comes back empty takes the slots that lay there with it, and nothing else.
func TestAnIndexThatLostASlotIsBegunAnew(t *testing.T) {
	ix, ctx := overKeeper(t), t.Context()
	first, err := ix.Begin(ctx, "records")
	if err == nil {
		err = ix.Apply(ctx, "records", 1, []hub.Change{change(1, 1, 1, "a", nil, route("Patient/1", "x")), change(2, 1, 1, "b", nil, route("Patient/2", "x"))})
	}
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ix.Begin(ctx, "records"); err != nil || again.Generation != first.Generation {
		t.Fatalf("an index that is whole is not begun anew: %v, %v, was %v", again, err, first)
	}
	lost := ix.SlotOf("records", "Patient/1")
	p := ix.partitions["records"]
	err = ix.scan(ctx, p, func(ctx context.Context, node *redis.Client, keys []string) error {
		for _, key := range keys {
			if key != p.metaKey() && tagOf(key) == tagOf(p.markKey(lost)) {
				node.Unlink(ctx, key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if page, err := ix.Search(ctx, []hub.Partition{"records"}, codeIs("x")); !hub.Is(err, hub.Unavailable) {
		t.Errorf("a search of what is left: %d hits, %v", len(page.Hits), err)
	}
	anew, err := ix.Begin(ctx, "records")
	if err != nil || anew.Applied != 0 || anew.Generation == first.Generation {
		t.Fatalf("after the loss: %v, %v; before it: %v", anew, err, first)
	}
	if page, err := ix.Search(ctx, []hub.Partition{"records"}, codeIs("x")); err != nil || len(page.Hits) != 0 {
		t.Errorf("what was left is there still: %d hits, %v", len(page.Hits), err)
	}
}

// tagOf is the part of a key that says where it lies.
func tagOf(key string) string {
	tag, _, _ := strings.Cut(key, "}")
	return tag
}
