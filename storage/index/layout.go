package index

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"concord/hub"
)

// Layout says how the partitions are spread. It is configuration of the bucket: an index made with another
// one is not read.
type Layout struct {
	Partitions map[hub.Partition]PartitionLayout
	// Projection names the rules that make entries; it becomes part of every stamp.
	Projection string
	Limits     Limits
}

// Limits say how much goes in one piece; a zero is replaced by the value given here.
type Limits struct {
	// Terms is how many Text terms one search may read for Prefix and Pattern matches before it is refused as
	// TooLarge: 500,000.
	Terms int
	// Fetch is how large a set may be to be fetched whole and sorted by the hub, rather than met while walking the
	// order; and how many members a command asks for: 4,096.
	Fetch int
	// Whole is how many members a commit may write to be applied in one MULTI: 20,000.
	Whole int
	// Cached is how many bytes a hub takes to remember what searches have read: 128 MB.
	Cached int
}

func (l Limits) orDefaults() Limits {
	return Limits{cmp.Or(l.Terms, 500_000), cmp.Or(l.Fetch, 4096), cmp.Or(l.Whole, 20_000), cmp.Or(l.Cached, 128<<20)}
}

// piece and command are the members of one piece of a commit that is not applied whole, and of one command.
func (l Limits) piece() int   { return max(1, l.Whole/2) }
func (l Limits) command() int { return max(1, l.Whole/5) }

// PartitionLayout is the layout of one partition.
type PartitionLayout struct {
	Tag   string // short, lower-case letters and digits, unique among the partitions: "r", "d03"
	Slots int    // 1 … 100; never changed once there is an index
	// Buckets is the number of directory hashes a slot has; 0 means 1,024, or 8,192 where Slots is 1.
	Buckets int
}

// StandardLayout has the records in 64 slots and, one slot each, the DICOM partitions dicom-00 …, access and audit.
func StandardLayout(dicom int) Layout {
	ps := map[hub.Partition]PartitionLayout{
		"records": {Tag: "r", Slots: 64},
		"access":  {Tag: "a", Slots: 1},
		"audit":   {Tag: "u", Slots: 1},
	}
	for i := range dicom {
		ps[hub.Partition(fmt.Sprintf("dicom-%02d", i))] = PartitionLayout{Tag: fmt.Sprintf("d%02d", i), Slots: 1}
	}
	return Layout{Partitions: ps}
}

// Validate finds a layout whose keys would be ambiguous.
func (l Layout) Validate() error {
	taken := map[string]hub.Partition{}
	for _, p := range slices.Sorted(maps.Keys(l.Partitions)) {
		pl := l.Partitions[p]
		if pl.Tag == "" || strings.Trim(pl.Tag, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || pl.Slots < 1 || pl.Slots > 100 || pl.Buckets < 0 {
			return &hub.Error{Kind: hub.Invalid, Path: string(p), Msg: fmt.Sprintf("no index layout: tag %q, %d slots", pl.Tag, pl.Slots),
				Hint: "a tag has lower-case letters and digits, a partition 1 to 100 slots"}
		}
		for _, tag := range newPartition(p, pl, "").tags() {
			if other, ok := taken[tag]; ok && other != p {
				return &hub.Error{Kind: hub.Invalid, Path: string(p), Msg: fmt.Sprintf("its keys would be those of %s (tag %s)", other, tag), Hint: "choose another tag"}
			}
			taken[tag] = p
		}
	}
	return nil
}

// MetaTags lists the hash tags whose keys say how far the others are: a snapshot must take these first.
func (l Layout) MetaTags() []string {
	var tags []string
	for _, pl := range l.Partitions {
		tags = append(tags, pl.Tag)
	}
	slices.Sort(tags)
	return tags
}

// partition is a layout ready for use.
type partition struct {
	name     hub.Partition
	tag      string
	slots    int
	prefixes []string // of the keys of each slot
	buckets  int
	block    uint64 // numbers a head hash covers
	stamp    string
}

// schema is part of the stamp: raise it when the meaning of a key changes.
const schema = 7

func newPartition(name hub.Partition, pl PartitionLayout, projection string) *partition {
	p := &partition{name: name, tag: pl.Tag, slots: pl.Slots, prefixes: pl.prefixes(), buckets: pl.Buckets, block: 128}
	if p.slots > 1 {
		// Numbers are spread over the slots, so that a slot sees about 64 of those a block covers; the numbers of
		// one patient come in runs, hence not 128.
		p.block = 64 * uint64(p.slots)
	}
	if p.buckets == 0 {
		p.buckets = 1024
		if p.slots == 1 {
			p.buckets = 8192
		}
	}
	p.stamp = fmt.Sprintf("concord-index %d %s:%d:%d:%d", schema, p.tag, p.slots, p.buckets, p.block)
	if projection != "" {
		p.stamp += " " + projection
	}
	return p
}

// tags lists the hash tags of the partition: that of its meta first, then those of its slots.
func (p *partition) tags() []string {
	if p.slots == 1 {
		return []string{p.tag}
	}
	tags := []string{p.tag}
	for i := range p.slots {
		tags = append(tags, fmt.Sprintf("%s%02d", p.tag, i))
	}
	return tags
}

// slotOf is where the things of a route lie.
func (p *partition) slotOf(route string) int {
	return int(spread(route) % uint64(p.slots))
}

// slotsOf lists the slots of the routes, all slots when there is none.
func (p *partition) slotsOf(routes []string) []int {
	var slots []int
	for _, r := range routes {
		slots = append(slots, p.slotOf(r))
	}
	if len(routes) == 0 {
		for slot := range p.slots {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// contentSlot is where a thing with this entry lies; a deleted thing has none and lies with its name.
func (p *partition) contentSlot(n hub.Name, e *hub.Entry) int {
	if e == nil || e.Route == "" {
		return p.slotOf(n.String())
	}
	return p.slotOf(e.Route)
}

// directory says in which slot and bucket a name is looked up.
func (p *partition) directory(n hub.Name) (slot, bucket int) {
	h := spread(n.String())
	return int(h % uint64(p.slots)), int(h / uint64(p.slots) % uint64(p.buckets))
}

// spread is FNV-1a of 64 bits with a last mixing (the low bits of FNV alone follow the text's last byte).
func spread(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
