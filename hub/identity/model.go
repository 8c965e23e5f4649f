package identity

// Model is what the judgement is made by. It is read-only once made and must not be copied. The mappings package loads
// one and lints it.
type Model struct {
	// Version is named in each Evidence.
	Version string
	// KeyHolders is the greatest number of Patients that one key may have for it to say something. A key of more is a
	// fault of its senders (a clinic's own phone for everybody) and is passed over by whoever looks for candidates.
	KeyHolders int
}

// Stamp names the rules and data by which Keys are made: another stamp means other keys, and another index.
func (m *Model) Stamp() string { return "identity-keys/1" }

// Keys are the blocking keys of a Patient, sorted, each once: two Patients of one person are likely to share one.
func (m *Model) Keys(t *Traits) []string { return nil }

// Compare judges whether two Patients are one person. It is symmetric and the same on every hub.
func (m *Model) Compare(a, b *Traits) Evidence {
	return Evidence{Verdict: Leave, Grade: CertainlyNot, Model: m.Version}
}

// Contradiction tells why two Patients cannot be one person, whatever else speaks for it: two different valid citizen
// numbers of which none is marked as old, or one number of what are clearly two people. ok is false where nothing forbids it.
func (m *Model) Contradiction(a, b *Traits) (reason string, ok bool) { return "", false }

// Clashes are the contradictions within a group that is to become one person. A citizen number that one of the group marks
// as old, besides having a newer one, is old for all of them.
func (m *Model) Clashes(group []*Traits) []Clash { return nil }
