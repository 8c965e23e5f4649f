package identity

import "concord/internal/fhir"

// Traits are what one Patient says about a person. They are read-only once made.
type Traits struct {
	Numbers   []Number
	Names     []Name
	Birth     Birth
	Sex       string   // male, female, other; empty: not known
	Phones    []string // digits only, without country and trunk prefixes
	Addresses []Address
	// Newborn: the name is a temporary one, such as 张丽之子; Mother holds what it says of the mother.
	Newborn bool
	Mother  Mother
	// MultipleBirth: the Patient says that it is one of several; Order is its place, 0 when not stated.
	MultipleBirth bool
	Order         int
	Deceased      bool
	// Active is false where the Patient says so.
	Active bool
	// ReplacedBy are the references of links of type replaced-by.
	ReplacedBy []string
}

// Number is an identifier that tells people apart.
type Number struct {
	Kind  string // of the model's kinds: citizen, health-card, insurance, passport, local …
	Value string // as compared: a citizen number has 18 characters
	// System is the issuer's URI where the number means nothing without it; else empty.
	System string
	// Valid: it has the form, and the check digit, that its kind asks for.
	Valid bool
	// Sound: valid, and the birth date and sex that it carries are those of the Patient, as far as both are stated.
	Sound bool
	// Old: it was this person's number and is not any more.
	Old bool
}

// Name is one name in the forms in which it is compared.
type Name struct {
	Text          string // folded: one form for variants of characters, no spaces
	Family, Given string // folded; Family is split off where the name came in one piece
	Use           string // FHIR's name-use
	Latin         bool
}

// Birth is a date of birth as far as it is stated.
type Birth struct {
	Year, Month, Day int // 0: not stated
}

// Address is one address in the forms in which it is compared.
type Address struct {
	Region string // administrative levels, as far as they were found
	Detail string // the rest: street, house, room
}

// Mother is what a Patient says of the person's mother.
type Mother struct {
	Name    string
	Numbers []string // citizen numbers
	Phones  []string
}

// Traits reads a Patient. Whatever is not of the form it should have is passed over.
func (m *Model) Traits(root fhir.Value) Traits { return Traits{Active: true} }
