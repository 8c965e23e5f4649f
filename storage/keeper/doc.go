// Package keeper is the embedded Redis: a server inside the process that speaks just the commands the index
// uses, with the replies and error texts of Redis 7.0, so that the same index code runs on it and on a real Redis.
// It keeps nothing on disk by itself: the log is its durability, and a snapshot spares most of the replay.
//
// The words:
//
//   - A Keeper holds the keys and hands out connections (Dial, Serve).
//   - A session is one connection's state: what it has sent, what it queued after MULTI, what it watches.
//   - A space holds the keys of one hash tag, the part of a key in braces, under one lock. Commands on different
//     spaces run in parallel; a command or transaction over several locks them in order and is atomic.
//   - A table maps byte strings to byte strings; its blocks lie in an arena: big slabs without pointers, so that the
//     garbage collector has next to nothing to look at.
//   - A run is an ordered list of fixed-size items in chunks: sets of numbers, the two orders of a sorted set.
//
// What is small lies in the block of its key; what is large is an object beside it:
//
//	type    small                        large
//	string  the bytes                    the bytes
//	hash    packed fields and values     table field → value
//	set     ascending uint32             run of uint32, run of int64, or table of members
//	zset    -                            run by member and run by score; members are uint32 or blocks in an arena
//
// Runs stand where a tree might: a tree that splits full nodes in half leaves them half full when items come in
// ascending order, as the hub's numbers do, while a run fills its chunks; and a run knows ranks, which ZCOUNT asks for.
package keeper
