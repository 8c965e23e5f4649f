package keeper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"concord/hub"
)

// corrupt is the error for a snapshot that is not what SnapshotTo wrote.
func corrupt(what string) error {
	return &hub.Error{Kind: hub.Corrupt, Msg: "restore the keeper's snapshot: " + what,
		Hint: "delete the snapshot; the log has everything and is read from its beginning then"}
}

// Restore replaces all keys by those of a snapshot. When it returns an error nothing has changed: of Corrupt kind for
// a snapshot that is cut, damaged or of another format, else that of r. Sections are decoded in parallel.
func (k *Keeper) Restore(r io.Reader) error {
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(r, magic); err != nil {
		return cut(err)
	}
	if string(magic) != snapshotMagic {
		return corrupt("it is of another format")
	}
	fresh := make([]*space, spaceCount)
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	err := readSections(r, func(body []byte) error {
		home, err := homeOf(body)
		if err != nil {
			return err
		}
		if fresh[home] != nil {
			return corrupt("two sections hold the same space")
		}
		sp := &space{}
		sp.reset(k.seed)
		fresh[home] = sp
		work.Go(func() error { return sp.decode(body, home) })
		return nil
	})
	if decoded := work.Wait(); err == nil {
		err = decoded
	}
	if err != nil {
		return err
	}
	k.install(fresh)
	return nil
}

// cut is the error for an early end.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt("it is cut")
	}
	return fmt.Errorf("restore the keeper's snapshot: %w", err)
}

// readSections calls do with the body of each section; do keeps it.
func readSections(r io.Reader, do func(body []byte) error) error {
	for n := uint32(0); ; n++ {
		var head [sectionHead]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return cut(err)
		}
		size, sum := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint32(head[8:])
		if size == 0 {
			if sum != n {
				return corrupt("sections are missing")
			}
			return nil
		}
		body, err := readBody(r, size)
		if err != nil {
			return err
		}
		if checksum(body) != sum {
			return corrupt("a section is damaged")
		}
		if err := do(body); err != nil {
			return err
		}
	}
}

// readBody reads size bytes and takes memory as they come: size may be wrong.
func readBody(r io.Reader, size uint64) ([]byte, error) {
	const atOnce = 16 << 20
	if size > math.MaxInt64 {
		return nil, corrupt("it is cut")
	}
	body := bytes.NewBuffer(make([]byte, 0, min(size, atOnce)))
	if n, err := io.CopyN(body, r, int64(size)); err != nil || uint64(n) != size {
		return nil, cut(err)
	}
	return body.Bytes(), nil
}

// homeOf is the space of a body's first key.
func homeOf(body []byte) (int, error) {
	d := decoder{rest: body}
	d.count(1)
	d.byte()
	key := d.item()
	if d.bad {
		return 0, corrupt("a section has no key")
	}
	return spaceOf(key), nil
}

// install puts the decoded spaces in place, all at one moment. Whoever watches a key is told.
func (k *Keeper) install(fresh []*space) {
	var all locks
	all.addAll(true)
	all.lock(k)
	defer all.unlock(k)
	for i, from := range fresh {
		sp := &k.spaces[i]
		for _, watches := range sp.watchers {
			for _, w := range watches {
				w.s.dirty.Store(true)
			}
		}
		if from == nil {
			sp.reset(k.seed)
			continue
		}
		sp.keys, sp.objects, sp.holes, sp.expires = from.keys, from.objects, from.holes, from.expires
	}
}

// decode fills the empty space sp, which is number home.
func (sp *space) decode(body []byte, home int) error {
	d := decoder{rest: body}
	n := d.count(3)
	sp.keys.reserve(n)
	for range n {
		head := kind(d.byte())
		key := d.item()
		if d.bad || spaceOf(key) != home || sp.keys.find(key) >= 0 {
			return corrupt("a key is not where it belongs")
		}
		deadline := int64(-1)
		if head&expiring != 0 {
			deadline = int64(d.uvarint() & math.MaxInt64)
		}
		v := sp.decodeValue(&d, key, head&^expiring)
		if d.bad {
			return corrupt("a value is not well formed")
		}
		if deadline >= 0 {
			v.setDeadline(key, deadline)
		}
	}
	if len(d.rest) > 0 {
		return corrupt("a section is too long")
	}
	return nil
}

func (sp *space) decodeValue(d *decoder, key []byte, k kind) value {
	var o object
	switch k {
	case rawText, smallIDs, smallMap:
		data := d.item()
		d.bad = d.bad || k == smallIDs && !wellPackedIDs(data) || k == smallMap && !wellPackedMap(data)
		v := sp.create(key, k, len(data))
		copy(v.data, data)
		return v
	case bigIDs:
		ids := make([]uint32, d.count(1))
		d.ascending(len(ids), func(i int, id uint32) { ids[i] = id })
		o = &idSet{load(ids)}
		d.bad = d.bad || len(ids) == 0
	case bigInts:
		ints := make([]int64, d.count(8))
		for i := range ints {
			ints[i] = int64(d.uint64())
			d.bad = d.bad || i > 0 && ints[i] <= ints[i-1]
		}
		o = &intSet{load(ints)}
		d.bad = d.bad || len(ints) == 0
	case bigNames:
		o = &nameSet{d.table(sp, false)}
	case bigMap:
		o = &bigHash{d.table(sp, true)}
	case ordered:
		o = d.zset()
	default:
		d.bad = true
	}
	if d.bad {
		return value{}
	}
	return sp.createObject(key, o)
}

func wellPackedIDs(data []byte) bool {
	for i := 4; i < len(data)&^3; i += 4 {
		if binary.LittleEndian.Uint32(data[i:]) <= binary.LittleEndian.Uint32(data[i-4:]) {
			return false
		}
	}
	return len(data) > 0 && len(data)%4 == 0 && len(data)/4 <= mostSmallIDs
}

func wellPackedMap(data []byte) bool {
	d := decoder{rest: data}
	for len(d.rest) > 0 && !d.bad {
		d.item()
		d.item()
	}
	return !d.bad && len(data) > 0 && len(data) <= mostSmallBytes
}

// decoder reads a body. After the first fault everything it returns is zero, and bad is set.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uvarint() uint64 {
	n, w := binary.Uvarint(d.rest)
	if d.bad || w <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[w:]
	return n
}

// count reads the number of items that take at least least bytes each, so that a wrong one asks for no memory.
func (d *decoder) count(least int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/least) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) item() []byte { return d.take(d.uvarint()) }

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// ascending reads n numbers, each given by its difference from the one before.
func (d *decoder) ascending(n int, do func(i int, id uint32)) {
	last := uint64(0)
	for i := range n {
		step := d.uvarint()
		if last += step; last > math.MaxUint32 || step > math.MaxUint32 || i > 0 && step == 0 {
			d.bad = true
		}
		if d.bad {
			return
		}
		do(i, uint32(last))
	}
}

// table reads names, or fields with values.
func (d *decoder) table(sp *space, values bool) table {
	t := newTable(sp.keys.seed)
	n := d.count(1)
	t.reserve(n)
	for range n {
		key := d.item()
		var val []byte
		if values {
			val = d.item()
		}
		if d.bad || t.find(key) >= 0 {
			d.bad = true
			return t
		}
		copy(t.at(t.add(key, len(val))), val)
	}
	d.bad = d.bad || n == 0
	return t
}

func (d *decoder) score() float64 {
	f := math.Float64frombits(d.uint64())
	d.bad = d.bad || math.IsNaN(f)
	return f
}

func (d *decoder) zset() *zset {
	form := d.byte()
	z := &zset{ranked: form&zsetRanked != 0}
	if form&zsetNames != 0 {
		z.names = new(arena)
	}
	all := make([]entry, d.count(1))
	one := 0.0
	if !z.ranked {
		one = d.score()
	}
	scoreOf := func() float64 {
		if z.ranked {
			return d.score()
		}
		return one
	}
	if z.names == nil {
		d.ascending(len(all), func(i int, id uint32) { all[i] = newEntry(scoreOf(), id) })
		d.bad = d.bad || !z.ranked
	} else {
		var last []byte
		for i := range all {
			name := d.item()
			if d.bad = d.bad || i > 0 && bytes.Compare(last, name) >= 0; d.bad {
				break
			}
			r := z.names.alloc(len(name))
			copy(z.names.bytes(r), name)
			all[i], last = newEntry(scoreOf(), uint32(r)), name
		}
	}
	if d.bad = d.bad || len(all) == 0; d.bad {
		return z
	}
	z.members = load(all)
	if z.ranked {
		slices.SortFunc(all, z.compare)
		z.scores = load(all)
	}
	return z
}
