package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"concord/hub"
	"concord/hub/projection"
	"concord/hub/settings"
	"concord/internal/fhir"
	"concord/storage/index"
	"concord/storage/keeper"
)

// fsck checks the invariants that a checker can test: the log is dense, immutable and chained, versions are in order,
// every blob that a record names is there, and the index is the fold of the log.
type fsck struct {
	*rooms
	deep   bool
	out    io.Writer
	faults int

	commits, records, blobs, bytes int64
}

func (f *fsck) fault(format string, args ...any) {
	f.faults++
	fmt.Fprintf(f.out, "FAULT "+format+"\n", args...)
}

func (f *fsck) run(ctx context.Context) error {
	all := append(f.settings.Partitions(), settings.Access, settings.Audit)
	for _, p := range all {
		if err := f.walk(ctx, p); err != nil {
			return fmt.Errorf("check the log of %s: %w", p, err)
		}
	}
	for _, p := range f.settings.Partitions() {
		if err := f.compare(ctx, p); err != nil {
			return fmt.Errorf("check the index of %s: %w", p, err)
		}
	}
	fmt.Fprintf(f.out, "%d commits, %d records, %d blobs, %d bytes of blobs; %d faults\n", f.commits, f.records, f.blobs, f.bytes, f.faults)
	return nil
}

// seenVersion is what a name was last seen at.
type seenVersion struct {
	num, version uint64
	loc          hub.Loc
}

func (f *fsck) walk(ctx context.Context, p hub.Partition) error {
	l := &projection.Log{Objects: f.objects, Partition: p}
	var seq, nums uint64
	digest := ""
	seen := map[hub.Name]seenVersion{}
	for key, err := range f.objects.List(ctx, hub.LogPrefix(p), "") {
		if err != nil {
			return err
		}
		n, ok := hub.SeqOfKey(p, key)
		if !ok {
			f.fault("%s: is no commit", key)
			continue
		}
		if n != seq+1 {
			f.fault("%s: commits %d to %d are missing", key, seq+1, n-1)
		}
		c, data, err := l.Commit(ctx, n)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			f.fault("%s: %v", key, err)
			seq, digest = n, ""
			continue
		}
		if n == seq+1 && (seq == 0 || digest != "") && c.Prev != digest {
			f.fault("%s: the chain is broken: it names %s as the digest of the commit before, which is %s", key, c.Prev, digest)
		}
		if c.Nums != nums {
			f.fault("%s: counts %d things before it, there are %d", key, c.Nums, nums)
		}
		for i := range c.Records {
			f.record(key, &c.Records[i], seen, &nums)
			if err := f.blob(ctx, key, &c.Records[i]); err != nil {
				return err
			}
		}
		f.commits++
		seq, digest = n, hub.Digest(data)
	}
	return nil
}

func (f *fsck) record(key string, r *hub.Record, seen map[hub.Name]seenVersion, nums *uint64) {
	f.records++
	last := seen[r.Name]
	if r.Version != last.version+1 {
		f.fault("%s byte %d: version %d of a %s follows version %d", key, r.Loc.Off, r.Version, r.Name.Type, last.version)
	}
	if r.Prev != last.loc {
		f.fault("%s byte %d: version %d of a %s points to a wrong place as the one before", key, r.Loc.Off, r.Version, r.Name.Type)
	}
	switch {
	case last.version > 0 && r.Num != last.num:
		f.fault("%s byte %d: a %s changes its number from %d to %d", key, r.Loc.Off, r.Name.Type, last.num, r.Num)
	case last.version == 0:
		*nums++
		if r.Num != *nums {
			f.fault("%s byte %d: a %s has number %d, the next one is %d", key, r.Loc.Off, r.Name.Type, r.Num, *nums)
		}
	}
	seen[r.Name] = seenVersion{r.Num, r.Version, r.Loc}
}

func (f *fsck) blob(ctx context.Context, key string, r *hub.Record) error {
	if r.Blob == nil {
		return nil
	}
	f.blobs++
	f.bytes += r.Blob.Size
	for i := range r.Blob.Parts.Len() {
		if !fhir.IsResourceType(r.Name.Type) { // frames of a deflated data set are places in what it inflates to
			break
		}
		for span := range slices.Chunk(r.Blob.Parts.Spans(i), 2) {
			if len(span) != 2 || span[0] < 0 || span[1] < 0 || span[0] > r.Blob.Size-span[1] {
				f.fault("%s byte %d: part %d of a %s is not inside its blob", key, r.Loc.Off, i, r.Name.Type)
			}
		}
	}
	from := max(0, r.Blob.Size-1) // the last byte is there; behind it there may be those of another instance
	if f.deep {
		from = 0
	}
	body, err := r.Blob.Open(ctx, f.objects, from, -1)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		f.fault("%s byte %d: blob %s: %v", key, r.Loc.Off, r.Blob.Key, err)
		return nil
	}
	defer body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, body)
	switch {
	case err != nil:
		f.fault("%s byte %d: blob %s: %v", key, r.Loc.Off, r.Blob.Key, err)
	case n != r.Blob.Size-from:
		f.fault("%s byte %d: blob %s ends before byte %d, where what is recorded does", key, r.Loc.Off, r.Blob.Key, r.Blob.Offset+r.Blob.Size)
	case f.deep && hex.EncodeToString(sum.Sum(nil)) != r.Blob.SHA256:
		f.fault("%s byte %d: blob %s has another digest than recorded", key, r.Loc.Off, r.Blob.Key)
	}
	return nil
}

var errMoved = errors.New("the index moved")

// compare folds the log into an empty index of its own and compares the two, key by key. A hub that writes meanwhile
// makes it try again.
func (f *fsck) compare(ctx context.Context, p hub.Partition) error {
	if err := f.followers[p].CatchUp(ctx); err != nil {
		f.fault("index of %s: %v", p, err)
		return nil
	}
	for range 5 {
		err := f.compareOnce(ctx, p)
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	fmt.Fprintf(f.out, "note: the index of %s is being written to and was not compared\n", p)
	return nil
}

func (f *fsck) compareOnce(ctx context.Context, p hub.Partition) error {
	marks, err := f.index.Marks(ctx, p)
	if err != nil {
		return err
	}
	k := keeper.New(keeper.Options{})
	defer k.Close()
	client := index.ConnectLocal(k)
	defer client.Close()
	fresh := index.Open(client, f.layout)
	if _, err := fresh.Begin(ctx, p); err != nil {
		return err
	}
	l := &projection.Log{Objects: f.objects, Partition: p, Cache: f.cache}
	err = l.Commits(ctx, 1, marks.Applied, func(c *hub.Commit, _ []byte) error {
		changes, err := projection.Changes(ctx, l, f.projectors, c.Records, nil)
		if err != nil {
			return err
		}
		return fresh.Apply(ctx, p, c.Seq, changes)
	})
	if err != nil {
		return err
	}
	var want, got bytes.Buffer
	if err := fresh.Dump(ctx, &want, p); err != nil {
		return err
	}
	if err := f.index.Dump(ctx, &got, p); err != nil {
		return err
	}
	if after, err := f.index.Marks(ctx, p); err != nil || after != marks {
		return errors.Join(err, errMoved)
	}
	if !bytes.Equal(want.Bytes(), got.Bytes()) {
		f.fault("index of %s: it is not the fold of the log; first difference: %s", p, firstDifference(want.Bytes(), got.Bytes()))
	}
	return nil
}

// firstDifference shows the keys, not the values, of the first lines that differ: values may be patients' data.
func firstDifference(want, got []byte) string {
	for len(want) > 0 || len(got) > 0 {
		var a, b []byte
		a, want, _ = bytes.Cut(want, []byte{'\n'})
		b, got, _ = bytes.Cut(got, []byte{'\n'})
		if !bytes.Equal(a, b) {
			return fmt.Sprintf("expected %.80q, found %.80q", a, b)
		}
	}
	return "none"
}
