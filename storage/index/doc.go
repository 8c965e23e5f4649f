// Package index keeps the entries of all partitions in Redis: hub.Index, written once over go-redis for
// one Redis, for Redis Cluster and for the embedded keeper.
//
// The words of this room:
//
//   - A slot is a share of a partition whose keys lie together (one hash tag, so one node of a cluster).
//   - A thing's content slot holds its head, its versions and its postings; it follows from Entry.Route.
//     Deleted things have no entry: their head lies in the slot of their name.
//   - A thing's directory slot follows from its Name and says its number and its content slot.
//   - A posting is a set or sorted set of numbers: all things of a type for which one fact holds.
//   - A column has the values of a Range parameter by number; a page is the set of numbers with a value in one bucket of
//     the numbers, or, of LastUpdated, in one hour, a run of commits. A book lists the pages of a parameter.
//   - A roll is a set of a partition that only grows: its types, buckets and hours.
//   - A slot's mark says which commit touched it last, and which commit last rewrote something in it.
//   - The visible mark (meta, applied) is the last commit that readers see. Slots may be ahead of it.
//   - A trip is one round trip: the commands that all shards of a search have queued, sent together.
//
// DESIGN.md draws the keys and says why commits and searches are cut the way they are.
package index
