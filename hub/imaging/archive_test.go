package imaging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"concord/hub"
	"concord/internal/sample"
)

// heldStage is a stage in memory; after full bytes it has no room.
type heldStage struct {
	bytes.Buffer
	full int
}

func (s *heldStage) Write(p []byte) (int, error) {
	if s.full > 0 && s.Len()+len(p) > s.full {
		return 0, errors.New("no room")
	}
	return s.Buffer.Write(p)
}
func (s *heldStage) Publish(context.Context, string) error { return nil }
func (s *heldStage) Reader(from int64) io.Reader           { return bytes.NewReader(s.Bytes()[from:]) }
func (s *heldStage) Truncate(size int64) error             { s.Buffer.Truncate(int(size)); return nil }
func (s *heldStage) Discard()                              {}

type stager func() hub.Stage

func (f stager) Stage(context.Context) (hub.Stage, error) { return f(), nil }

func receive(t *testing.T, a *Archive, r io.Reader) (*Received, error) {
	d, err := a.Delivery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d.Receive(r)
}

func ctFile(t *testing.T, edge int) []byte {
	for f, err := range sample.CTSeries(1, sample.Options{Slices: 1, Rows: edge, Columns: edge, Time: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}) {
		if err != nil {
			t.Fatal(err)
		}
		return f.Bytes()
	}
	return nil
}

func TestWhatIsKeptIsWhatCameInWhateverPieces(t *testing.T) {
	for _, edge := range []int{16, 256, 300} { // pixels in less than one buffer, in exactly one, in one and a rest
		file := ctFile(t, edge)
		digest := sha256.Sum256(file)
		for name, from := range map[string]func(io.Reader) io.Reader{
			"whole":                  func(r io.Reader) io.Reader { return r },
			"halves":                 iotest.HalfReader,
			"single bytes":           iotest.OneByteReader,
			"the end with the bytes": iotest.DataErrReader,
			"where the bytes lie":    func(r io.Reader) io.Reader { return &lying{r: r} },
		} {
			kept := &heldStage{}
			a := &Archive{Stager: stager(func() hub.Stage { return kept })}
			in, err := receive(t, a, from(bytes.NewReader(file)))
			if err != nil {
				t.Errorf("%d², %s: %v", edge, name, err)
				continue
			}
			if !bytes.Equal(kept.Bytes(), file) || in.SHA256 != hex.EncodeToString(digest[:]) || in.Header.Size != int64(len(file)) {
				t.Errorf("%d², %s: %d bytes of %d kept, size %d, digest %s", edge, name, kept.Len(), len(file), in.Header.Size, in.SHA256)
			}
		}
	}
}

func TestAFileThatBreaksOffAmidItsPixelsIsRefused(t *testing.T) {
	file := ctFile(t, 300)
	broken := errors.New("connection reset")
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"by an error of the connection":   {io.MultiReader(bytes.NewReader(file[:100_000]), iotest.ErrReader(broken)), broken},
		"by an error where the bytes lie": {&lying{r: io.MultiReader(bytes.NewReader(file[:100_000]), iotest.ErrReader(broken))}, broken},
		"by an unexpected end":            {io.MultiReader(bytes.NewReader(file[:100_000]), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
		"by a reader that gives nothing":  {io.MultiReader(bytes.NewReader(file[:100_000]), emptyReader{}), io.ErrNoProgress},
	} {
		a := &Archive{Stager: stager(func() hub.Stage { return &heldStage{} })}
		if _, err := receive(t, a, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, expected %v", name, err, c.want)
		}
	}
	a := &Archive{Stager: stager(func() hub.Stage { return &heldStage{} })}
	if _, err := receive(t, a, bytes.NewReader(file[:100_000])); err == nil {
		t.Error("a file cut short was taken")
	}
	var ours *stageError
	a = &Archive{Stager: stager(func() hub.Stage { return &heldStage{full: 100_000} })}
	if _, err := receive(t, a, bytes.NewReader(file)); !errors.As(err, &ours) {
		t.Errorf("a full store: %v", err)
	}
}

// lying is a Taker whose buffer is overwritten by the next call.
type lying struct {
	r   io.Reader
	buf [1000]byte
}

func (l *lying) Read(p []byte) (int, error) { return l.r.Read(p) }

func (l *lying) Take(max int) ([]byte, error) {
	n, err := l.r.Read(l.buf[:min(max, len(l.buf))])
	return l.buf[:n], err
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }
