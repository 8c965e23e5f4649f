package hub

import (
	"context"
	"time"
)

// Entry is all that one version of one thing adds to the index.
type Entry struct {
	// Route decides the slot: the Name of the patient it belongs to ("Patient/abc"), else its own Name.
	Route string
	Terms []Term
}

// TermKind says how a Term can be asked for.
type TermKind uint8

const (
	Exact TermKind = iota // equal or not: tokens, references, URIs, UIDs
	Text                  // ordered text, normalised by the projector: prefix, pattern
	Range                 // an interval of numbers: dates in milliseconds since 1970 UTC, quantities
)

// Term is one searchable fact. The hub itself adds the Range term LastUpdated to each entry.
type Term struct {
	Param string
	Kind  TermKind
	Text  string  // Exact, Text
	Lo    float64 // Range: inclusive
	Hi    float64 // Range: inclusive, ≥ Lo
}

// LastUpdated is the parameter of the Range term that every entry has: Record.Time.
const LastUpdated = "_lastUpdated"

// ID is the parameter of the Exact term that may say an entry's own id, Name.ID. An index answers it by the name,
// whether the entry has the term or not.
const ID = "_id"

// Trait is the parameter of Exact terms that say what sort of entry this is, of which a partition may well have none. An index lists
// them with the types.
const Trait = "_trait"

// Change tells the index to replace Old by New (either may be nil: not there before, deleted now).
type Change struct {
	Record *Record // the new version; its Loc is set
	Old    *Entry  // what the version before added, nil for none
	New    *Entry  // what this version adds, nil when deleted
}

// Head is what the index knows of a thing's current version.
type Head struct {
	Partition Partition
	Name      Name // set by Heads; empty in hits of Search, the record has it
	Num       uint64
	Version   uint64 // 0: no such thing
	Deleted   bool
	Loc       Loc
	// Slot is where the index keeps it.
	Slot int
}

// Marks says how far an index is.
type Marks struct {
	// Stamp names schema and settings; an index of another stamp is not read.
	Stamp string
	// Generation is a random name given when the index was emptied last; empty when there is no index.
	Generation string
	// Applied is the last commit that is visible to readers.
	Applied uint64
}

// Index keeps the entries of all partitions. All methods are safe for concurrent use.
//
// Readers see a prefix of each log: what lies beyond Marks.Applied is never served.
type Index interface {
	// Marks reads how far p is. An empty index has zero Marks.
	Marks(ctx context.Context, p Partition) (Marks, error)
	// Begin stamps an empty partition and gives it a generation. It does nothing when it has one.
	Begin(ctx context.Context, p Partition) (Marks, error)
	// Apply makes commit seq visible. It does nothing when seq was applied before, and returns a Conflict error
	// when seq−1 has not been. Concurrent callers may apply the same commit.
	Apply(ctx context.Context, p Partition, seq uint64, changes []Change) error
	// Prepare is Apply in two steps: it works out what there is to be written, without a look at the index, and returns what
	// writes it. So the work can be done before the commit is durable.
	Prepare(p Partition, seq uint64, changes []Change) (apply func(context.Context) error)
	// Heads looks names up, in order; Version 0 where there is none. Deleted things have a head.
	Heads(ctx context.Context, p Partition, names []Name) ([]Head, error)
	// Versions lists where the versions of a thing lie, oldest first, up to the visible mark.
	Versions(ctx context.Context, h Head) ([]Loc, error)
	// Search answers q, which must be Plain, over the partitions given, merged. The order is that of q.Sort, then of Num,
	// then of partition.
	Search(ctx context.Context, ps []Partition, q Query) (Page, error)
	// Types lists the resource types that p has or ever had entries of, sorted; and as "Type#text" the Trait terms that entries
	// of a type have or had.
	Types(ctx context.Context, p Partition) ([]string, error)
	// Counts answers tallies, in order, and says where each partition was when it was read; and where beside, unless empty, was
	// after that.
	//
	// Where all that is asked is known of the marks at, which a search read just before, nothing is read and marks is nil.
	Counts(ctx context.Context, of []Tally, beside Partition, at map[Partition]Marks) (counts []int64, marks map[Partition]Marks, err error)
	// Reset empties partition p altogether.
	Reset(ctx context.Context, p Partition) error
}

// Query asks for entries of one type.
type Query struct {
	Type string
	// Routes limits the search to the slots of these routes; empty means all slots.
	Routes []string
	// All clauses must hold.
	All []Clause
	// Sort is the order; an empty list sorts by LastUpdated, ascending. Entries without the parameter come last.
	Sort []Sort
	// After continues behind the last hit of an earlier page.
	After *Position
	// Skip leaves out the first hits (DICOM offset); keyset paging by After is cheaper.
	Skip int
	// Limit is the greatest number of hits; 0 asks for none (count only).
	Limit int
	// Count asks for the exact total.
	Count bool
	// Beside is a partition that is not searched. Where it is after all has been read is among the page's Marks.
	Beside Partition
}

// Tally asks how many entries of a type there are in a partition that have an Exact term.
type Tally struct {
	Partition         Partition
	Type, Param, Text string
}

// Clause is one condition. It has one of five forms: Any, Either, Refers, Referred or Test; Not turns the answer round.
// An index answers the first two. The others reach beyond one entry: lookup carries them out.
type Clause struct {
	// Any: one of the matches holds for a term of the parameter Param.
	Param string
	Any   []Match
	// Either: all clauses of one of the lists hold.
	Either [][]Clause
	// Refers: an Exact term of Param is the name of something that meets the query (a chained parameter). Its Type must
	// be set; Sort, After, Skip, Limit and Count are not looked at, here and in Referred.
	Refers *Query
	// Referred: something that meets the query has an Exact term of Param that is the entry's name (R4's _has).
	Referred *Query
	// Routed: the entries meant have as their Route what the chain finds: in Refers the name that Param holds, in Referred
	// their own. Lookup then has no other slot asked.
	Routed bool
	// Beside, in Referred: what refers to an entry by Param has that entry's name as its Route.
	Beside bool
	// Test reads the record itself, for what no term tells. It must be pure.
	Test func(rec *Record) (bool, error)
	Not  bool
}

// MatchKind says what is compared.
type MatchKind uint8

const (
	Equals  MatchKind = iota // an Exact or a Text term equals Text (Kind tells which)
	Prefix                   // a Text term begins with Text
	Pattern                  // a Text term fits the pattern Text: * any run, ? one character, \ escapes
	Within                   // a Range term has Lo in [LoMin, LoMax] and Hi in [HiMin, HiMax]
)

// Match is one alternative of a clause.
type Match struct {
	Kind MatchKind
	// Route, when not empty, is the only Entry.Route whose things can have the term; an index need not look elsewhere.
	Route string
	// Term is the kind of term meant by Equals: Exact or Text.
	Term                       TermKind
	Text                       string
	LoMin, LoMax, HiMin, HiMax float64 // Within; use ±Inf for open ends
}

// Sort is one key of an order.
type Sort struct {
	// Param is a Range parameter, ordered by its least Lo.
	Param string
	// Key, when set, is what a record is ordered by instead, compared byte by byte; ok is false where it has none. An
	// index cannot sort so: lookup does, for results that are not too many.
	Key  func(rec *Record) (key string, ok bool)
	Desc bool
}

// Position is where a page ended: the sort values of the last hit and its number. It is the content of a cursor.
type Position struct {
	Values    []float64 `json:"v,omitempty"` // one for each sort key
	Keys      []string  `json:"k,omitempty"` // instead of Values, for an order that has a Sort.Key
	Missing   []bool    `json:"m,omitempty"` // which of them the hit does not have; nil: none
	Num       uint64    `json:"n"`
	Partition Partition `json:"p"`
}

// Include asks for things besides the hits: those that they refer to or, Reverse, those that refer to them.
type Include struct {
	// Type and Param say which references: those of things of this type, by the terms of this parameter.
	Type, Param string
	// Target, when not empty, is the only type of what is referred to.
	Target  string
	Reverse bool
	// Iterate: what was included counts as a hit, too.
	Iterate bool
	// Routed, with Reverse: a thing that refers to another by Param has that one's name as its Route.
	Routed bool
}

// Page is one answer.
type Page struct {
	Hits []Hit
	// Total is the number of all that match, −1 unless Query.Count.
	Total int64
	// More is true when another page follows.
	More bool
	// Marks say where each partition was when it was read.
	Marks map[Partition]Marks
}

// Hit is one entry that matched.
type Hit struct {
	Head Head
	Pos  Position
}

// Instant turns t into the number used in Range terms.
func Instant(t time.Time) float64 { return float64(t.UnixMilli()) }
