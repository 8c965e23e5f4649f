package persons

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/identity"
)

// PairType is the type of the records that hold Pairs.
const PairType = "hub.pair"

// State is what a Pair is waiting for, or how it was settled.
type State string

const (
	Open          State = "open"          // a person has to look
	Linked        State = "linked"        // one person
	Separate      State = "separate"      // two people, as somebody said
	Contradiction State = "contradiction" // one number and clearly two people: both are quarantined until somebody looks
	Gone          State = "gone"          // nothing joins them any more
)

// Pair is two Patients and what was judged about them.
type Pair struct {
	ID string `json:"-"`
	// A and B are ids of Patients, A the lesser one.
	A string `json:"a"`
	B string `json:"b"`
	// MemberA and MemberB are whose they are.
	MemberA string `json:"memberA"`
	MemberB string `json:"memberB"`
	State   State  `json:"state"`
	// Verdict is the model's, or of the sender that said that one replaces the other.
	Verdict identity.Verdict `json:"verdict"`
	// Why is the rule that led to State: the model's, or why a link was not made.
	Why      string            `json:"why"`
	Evidence identity.Evidence `json:"evidence"`
	// Decision is what a person said; nil where nobody did.
	Decision *Decision `json:"decision,omitempty"`
	// Undone says who took the last Decision back, and why; nil where none was, or another was made since.
	Undone *Decision `json:"undone,omitempty"`
	// Version and Updated are the record's.
	Version uint64    `json:"-"`
	Updated time.Time `json:"-"`
}

// Decision is a person's word about a Pair.
type Decision struct {
	Link   bool      `json:"link"` // else they are two people
	Member string    `json:"member"`
	Person string    `json:"person,omitempty"` // who of the member, as the token says
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// pairName names the Pair of two Patients, whichever stands first.
func pairName(a, b string) hub.Name {
	if b < a {
		a, b = b, a
	}
	sum := sha256.Sum256([]byte(a + "\x00" + b))
	return hub.Name{Type: PairType, ID: hex.EncodeToString(sum[:16])}
}

func (p *Pair) name() hub.Name { return pairName(p.A, p.B) }

// other is the Patient of the Pair that id is not.
func (p *Pair) other(id string) string {
	if p.A == id {
		return p.B
	}
	return p.A
}

// wantsLink: the Patients are to be one person, unless something forbids it.
func (p *Pair) wantsLink() bool {
	if p.Decision != nil {
		return p.Decision.Link
	}
	return p.Verdict == identity.Link
}

// same tells whether two judgements say the same, so that none need be written.
func (p *Pair) same(q *Pair) bool {
	a, _ := json.Marshal(p)
	b, _ := json.Marshal(q)
	return string(a) == string(b)
}

func readPair(rec *hub.Record) (*Pair, error) {
	var p Pair
	if err := json.Unmarshal(rec.Body, &p); err != nil {
		return nil, &hub.Error{Kind: hub.Corrupt, Path: rec.Name.String(), Msg: "the stored pair cannot be read", Err: err}
	}
	p.ID, p.Version, p.Updated = rec.Name.ID, rec.Version, rec.Time
	return &p, nil
}

// ProjectPair is the projection of Pairs: by Patient, state and member, and by when they were settled.
func ProjectPair(body []byte) (hub.Entry, error) {
	var p Pair
	if err := json.Unmarshal(body, &p); err != nil {
		return hub.Entry{}, &hub.Error{Kind: hub.Corrupt, Path: PairType, Msg: "the stored pair cannot be read", Err: err}
	}
	terms := []hub.Term{{Param: pairParam, Text: patientRef(p.A)}, {Param: pairParam, Text: patientRef(p.B)}, {Param: "state", Text: string(p.State)}}
	if p.Decision != nil {
		terms = append(terms, hub.Term{Param: "state", Text: "decided"})
	}
	for _, m := range slices.Compact(slices.Sorted(slices.Values([]string{p.MemberA, p.MemberB}))) {
		terms = append(terms, hub.Term{Param: "member", Text: m})
	}
	return hub.Entry{Route: p.name().String(), Terms: terms}, nil
}

// pairParam finds the Pairs of a Patient; an index keeps it as it keeps identifiers.
const pairParam = "_pair"

func patientRef(id string) string { return "Patient/" + id }

// patientID is the id in a reference to a Patient of the hub's; empty where it is none.
func patientID(ref string) string {
	id, ok := strings.CutPrefix(ref, "Patient/")
	if !ok {
		return ""
	}
	id, _, _ = strings.Cut(id, "/")
	return id
}
