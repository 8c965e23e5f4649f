// Package memobjects is a small hub.Objects in memory for tests, whose store can be made to fail, to hang and to lose
// its answers.
package memobjects

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"concord/hub"
)

// Store keeps objects in a map. The zero value is empty and works.
type Store struct {
	// BeforePut is asked before an object is created: an error is returned as it is and nothing is stored.
	BeforePut func(ctx context.Context, key string) error
	// AfterPut is asked when the object has been created: an error means that the answer was lost on the way.
	AfterPut func(ctx context.Context, key string) error
	// BeforeOpen is asked before an object is opened or keys are listed.
	BeforeOpen func(ctx context.Context, key string) error

	mu      sync.Mutex
	objects map[string][]byte
}

// PutNew implements hub.Objects.
func (s *Store) PutNew(ctx context.Context, key string, size int64, r io.Reader) error {
	if err := ask(ctx, s.BeforePut, key); err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if int64(len(data)) != size {
		return fmt.Errorf("put %s: %d bytes announced, %d read", key, size, len(data))
	}
	if !s.create(key, data) {
		return &hub.Error{Kind: hub.Exists, Msg: key + " exists"}
	}
	return ask(ctx, s.AfterPut, key)
}

func (s *Store) create(key string, data []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.objects[key]; taken {
		return false
	}
	if s.objects == nil {
		s.objects = map[string][]byte{}
	}
	s.objects[key] = data
	return true
}

// Stage implements hub.Stager.
func (s *Store) Stage(ctx context.Context) (hub.Stage, error) {
	return &stage{store: s}, ctx.Err()
}

type stage struct {
	bytes.Buffer
	store *Store
}

func (g *stage) Reader(from int64) io.Reader { return bytes.NewReader(g.Bytes()[from:]) }

func (g *stage) Truncate(size int64) error {
	g.Buffer.Truncate(int(min(size, int64(g.Len()))))
	return nil
}

func (g *stage) Publish(ctx context.Context, key string) error {
	return g.store.PutNew(ctx, key, int64(g.Len()), &g.Buffer)
}

func (g *stage) Discard() {}

// Open implements hub.Objects.
func (s *Store) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := ask(ctx, s.BeforeOpen, key); err != nil {
		return nil, err
	}
	s.mu.Lock()
	data, ok := s.objects[key]
	s.mu.Unlock()
	if !ok {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "there is no " + key}
	}
	data = data[min(offset, int64(len(data))):]
	if length >= 0 {
		data = data[:min(length, int64(len(data)))]
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// List implements hub.Objects.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := ask(ctx, s.BeforeOpen, prefix); err != nil {
			yield("", err)
			return
		}
		for _, key := range s.Keys() {
			if strings.HasPrefix(key, prefix) && key > after && !yield(key, nil) {
				return
			}
		}
	}
}

// Keys lists all keys in order.
func (s *Store) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]string, 0, len(s.objects))
	for key := range s.objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Change replaces an object's bytes, which no real store offers: it stands for damage and tampering.
func (s *Store) Change(key string, change func([]byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = change(bytes.Clone(s.objects[key]))
}

func ask(ctx context.Context, hook func(context.Context, string) error, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if hook == nil {
		return nil
	}
	return hook(ctx, key)
}
