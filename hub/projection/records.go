package projection

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"concord/hub"
)

// Records reads many records, in order, with bounded concurrency. Those that are not at hand and lie close together in a commit, as
// the instances of a study that came together do, are read in one piece.
func (l *Log) Records(ctx context.Context, locs []hub.Loc) ([]hub.Record, error) {
	recs := make([]hub.Record, len(locs))
	var missing []int
	for i, loc := range locs {
		line, ok := l.Cache.line(l.Partition, loc)
		if !ok {
			missing = append(missing, i)
			continue
		}
		var err error
		if recs[i], err = decodeAt(line, loc); err != nil {
			return nil, err
		}
	}
	all := stretches(locs, missing)
	if len(missing) < 4 || len(all) == 1 {
		for _, s := range all {
			if err := l.readStretch(ctx, locs, s, recs); err != nil {
				return nil, err
			}
		}
		return recs, nil
	}
	workers := min(8, len(all))
	g, gctx := errgroup.WithContext(ctx)
	for w := range workers {
		g.Go(func() error {
			for i := w; i < len(all); i += workers {
				if err := l.readStretch(gctx, locs, all[i], recs); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return recs, g.Wait()
}

// Bounds of what is read in one piece: bytes between two records that are read for nothing, and bytes in all.
const (
	stretchGap  = 8 << 10
	stretchSize = 512 << 10
)

// stretches puts positions in locs together that are read in one piece, each in the order in which they lie.
func stretches(locs []hub.Loc, positions []int) (all [][]int) {
	slices.SortFunc(positions, func(i, j int) int {
		return cmp.Or(cmp.Compare(locs[i].Seq, locs[j].Seq), cmp.Compare(locs[i].Off, locs[j].Off))
	})
	for from := 0; from < len(positions); {
		first := locs[positions[from]]
		to, end := from+1, uint64(first.Off)+uint64(first.Len)
		for ; to < len(positions); to++ {
			next := locs[positions[to]]
			after := uint64(next.Off) + uint64(next.Len)
			if next.Seq != first.Seq || uint64(next.Off) > end+stretchGap || after > uint64(first.Off)+stretchSize {
				break
			}
			end = max(end, after)
		}
		all = append(all, positions[from:to])
		from = to
	}
	return all
}

// readStretch reads the records at positions. Where the piece cannot be read whole, each is read by itself, which says what is wrong.
func (l *Log) readStretch(ctx context.Context, locs []hub.Loc, positions []int, recs []hub.Record) (err error) {
	first := locs[positions[0]]
	var piece []byte
	if len(positions) > 1 {
		last := locs[positions[len(positions)-1]]
		piece, _ = l.read(ctx, first.Seq, int64(first.Off), int64(last.Off)+int64(last.Len)-int64(first.Off))
	}
	for _, i := range positions {
		loc := locs[i]
		from, to := uint64(loc.Off-first.Off), uint64(loc.Off-first.Off)+uint64(loc.Len)
		if to > uint64(len(piece)) {
			recs[i], err = l.Record(ctx, loc)
		} else {
			line := bytes.Clone(piece[from:to]) // what a record holds on to is no longer than itself
			l.Cache.addLine(l.Partition, loc, line)
			recs[i], err = decodeAt(line, loc)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
