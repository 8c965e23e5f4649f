package imaging

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"

	"concord/hub"
	"concord/internal/dicom"
)

// Delivery is instances that come one behind the other and whose bytes are kept in one blob, so that the store is asked
// once and not for each of them. Nothing of it is visible before Archive.Commit. It is not safe for concurrent use.
type Delivery struct {
	archive *Archive
	stage   hub.Stage
	size    int64
	kept    []*Kept
}

// Received is an instance whose bytes have come and whose header was understood. Either Keep or Discard ends it, before
// the next of its delivery comes.
type Received struct {
	Header   *dicom.Header
	SHA256   string
	delivery *Delivery
	from     int64 // where its bytes begin in the delivery
}

// Kept is an instance whose bytes are in a delivery, which Publish makes durable, or were there before.
type Kept struct {
	intake
	done bool // the very same instance was there already
}

// Delivery begins one. Discard must end it.
func (a *Archive) Delivery(ctx context.Context) (*Delivery, error) {
	stage, err := a.Stager.Stage(ctx)
	if err != nil {
		return nil, err
	}
	return &Delivery{archive: a, stage: stage}, nil
}

// Receive streams one Part 10 file from r, which it reads to the end unless the file is refused. Memory is bounded by
// the limits whatever the bytes say.
func (d *Delivery) Receive(r io.Reader) (*Received, error) {
	a, sum := d.archive, sha256.New()
	header, err := dicom.ScanFile(&tee{r, d.stage, sum, &a.buffers}, a.Limits)
	if err != nil {
		d.stage.Truncate(d.size)
		return nil, err
	}
	return &Received{Header: header, SHA256: hex.EncodeToString(sum.Sum(nil)), delivery: d, from: d.size}, nil
}

// Discard gives up the bytes that came last. It may be called after Keep, and does nothing then.
func (in *Received) Discard() {
	if d := in.delivery; d.size == in.from {
		d.stage.Truncate(in.from)
	}
}

// Keep takes a received instance into the delivery, unless the very same one is in the archive. While the index cannot
// tell it fails with Unavailable, and may be called again.
func (d *Delivery) Keep(ctx context.Context, in *Received) (*Kept, error) {
	a, h := d.archive, in.Header
	known, other, err := a.known(ctx, in)
	if err != nil {
		return nil, err
	}
	if known {
		in.Discard()
		return &Kept{intake: intake{header: h, result: Known}, done: true}, nil
	}
	blob := &hub.Blob{Offset: in.from, Size: h.Size, SHA256: in.SHA256, Media: mediaOf(h), Parts: h.Frames, Remark: h.Remark()}
	k := &Kept{intake: intake{blob: blob, header: h, body: dicom.AppendJSON(nil, h, dicom.JSONOptions{}), other: other}}
	d.size += h.Size
	d.kept = append(d.kept, k)
	return k, nil
}

// Size is how many bytes were kept.
func (d *Delivery) Size() int64 { return d.size }

// Publish makes what was kept durable under a key of its own. No record names it yet.
func (d *Delivery) Publish(ctx context.Context) error {
	defer d.Discard()
	if len(d.kept) == 0 {
		return nil
	}
	a := d.archive
	lane := a.lanes.enter()
	defer a.lanes.leave(lane)
	key := fmt.Sprintf("blob/dicom/%s/%02d/%s", a.Now().UTC().Format("20060102/15"), lane, strings.ToLower(rand.Text()))
	if err := d.stage.Publish(ctx, key); err != nil {
		return fmt.Errorf("keep the bytes of an instance: %w", err)
	}
	for _, k := range d.kept {
		k.blob.Key = key
	}
	return nil
}

// Discard gives up what was not published.
func (d *Delivery) Discard() { d.stage.Discard() }

// lanes spread blobs over folders such that no two of this process are being written in the same one: on a disk,
// making a folder durable waits for whatever else is new in it.
type lanes struct {
	mu   sync.Mutex
	busy [64]bool
	next int
}

// enter takes a lane that is free, or any when all are busy.
func (l *lanes) enter() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, busy := range l.busy {
		if !busy {
			l.busy[i] = true
			return i
		}
	}
	l.next = (l.next + 1) % len(l.busy)
	return l.next
}

func (l *lanes) leave(lane int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy[lane] = false
}
