package disk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"
)

// What goes past the page cache ends at a block; what is behind it, and what is small, goes the usual way.
func TestWhatIsStagedIsReadBackWhateverItsSize(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, size := range []int{0, 1, directBlock, directFrom - 1, directFrom, directFrom + 1, directFrom + directBlock - 1, directFrom + directBlock, stageBuffer - 1, stageBuffer, stageBuffer + 1} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i>>12 + i*7)
		}
		key := fmt.Sprintf("blob/%d", size)
		g, err := s.Stage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for rest := want; len(rest) > 0; { // in pieces that end nowhere in particular
			n := min(len(rest), 60_001)
			if _, err := g.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := g.Publish(ctx, key); err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(ctx, key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes %d come back, others than were written: %v", size, len(got), err)
		}
	}
}

func TestABufferThatIsNotAlignedIsWrittenAsUsual(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want := bytes.Repeat([]byte("0123456789abcdef"), directFrom/8)
	buffer := append(alignedBuffer(len(want) + 1)[:1], want...)
	if err := fill(file, buffer[1:], 0, true); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes were written: %v", len(got), len(want), err)
	}
}

func TestLentBuffersAreAFewAndTheLastOneComesFirst(t *testing.T) {
	var s shelf
	first, second := s.take(), s.take()
	s.giveBack(first)
	s.giveBack(append(second, "bytes of somebody"...))
	if again := s.take(); again == nil || len(again) != 0 || &again[:1][0] != &second[:1][0] {
		t.Error("another buffer than the last one, or one with bytes in it")
	}
	for range stageBuffers - 1 {
		if s.take() == nil {
			t.Fatal("fewer are lent than there may be")
		}
	}
	if s.take() != nil {
		t.Error("more are lent than there may be")
	}
}
