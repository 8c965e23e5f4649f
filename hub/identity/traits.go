package identity

import (
	"slices"
	"strconv"
	"strings"

	"concord/internal/cnid"
	"concord/internal/fhir"
)

// Traits are what one Patient says about a person. They are read-only once made and keep none of the Patient's bytes.
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

	resident, decides, contradicts bool // what its kind says
}

// Birth is a date of birth as far as it is stated.
type Birth struct {
	Year, Month, Day int // 0: not stated
}

// Mother is what a Patient says of the person's mother.
type Mother struct {
	Name    string
	Numbers []string // citizen numbers
	Phones  []string
}

// The most of each that is read of one Patient; what lies beyond is passed over.
const (
	mostNumbers   = 32
	mostNames     = 8
	mostPhones    = 8
	mostAddresses = 6
)

// Traits reads a Patient. Whatever is not of the form it should have is passed over.
func (m *Model) Traits(root fhir.Value) Traits {
	m.ready()
	t := Traits{Active: root.Get("active").Text() != "false", Birth: readBirth(root.Get("birthDate").Text())}
	switch sex := root.Get("gender").Text(); sex {
	case "male", "female", "other":
		t.Sex = strings.Clone(sex)
	}
	for v := range root.Get("name").Items() {
		m.readName(&t, v)
	}
	m.readNumbers(&t, root.Get("identifier"))
	t.Phones = m.readPhones(root.Get("telecom"))
	for v := range root.Get("address").Items() {
		if a := readAddress(v); len(t.Addresses) < mostAddresses && (a.Region != "" || a.Detail != "") {
			t.Addresses = append(t.Addresses, a)
		}
	}
	t.multiple(root)
	t.Deceased = root.Get("deceasedBoolean").Text() == "true" || root.Get("deceasedDateTime").Text() != ""
	for v := range root.Get("link").Items() {
		if ref := v.Get("other").Get("reference").Text(); v.Get("type").Text() == "replaced-by" && ref != "" && len(t.ReplacedBy) < mostNames {
			t.ReplacedBy = append(t.ReplacedBy, strings.Clone(ref))
		}
	}
	m.readMother(&t, root)
	return t
}

func (t *Traits) multiple(root fhir.Value) {
	if order, err := strconv.Atoi(root.Get("multipleBirthInteger").Text()); err == nil && order > 0 {
		t.MultipleBirth, t.Order = true, order
	}
	if root.Get("multipleBirthBoolean").Text() == "true" {
		t.MultipleBirth = true
	}
}

func readBirth(text string) (b Birth) {
	if len(text) < 4 {
		return b
	}
	b.Year, _ = strconv.Atoi(text[:4])
	if len(text) >= 7 && text[4] == '-' {
		b.Month, _ = strconv.Atoi(text[5:7])
	}
	if len(text) >= 10 && text[7] == '-' {
		b.Day, _ = strconv.Atoi(text[8:10])
	}
	if b.Year < 1850 || b.Year > 2200 || b.Month < 0 || b.Month > 12 || b.Day < 0 || b.Day > 31 || b.Month == 0 && b.Day != 0 {
		return Birth{}
	}
	return b
}

func (m *Model) readNumbers(t *Traits, list fhir.Value) {
	for v := range list.Items() {
		kind := m.kindOf(v)
		value := strings.ToUpper(strings.Join(strings.Fields(fhir.Normalise(v.Get("value").Text())), ""))
		if own := m.residentKind(); own != nil && (kind == nil || !kind.Resident) && t.isCitizen(value) {
			kind = own
		}
		if kind == nil || value == "" || len(t.Numbers) >= mostNumbers {
			continue
		}
		n := Number{Kind: kind.Name, Value: strings.Clone(value), Old: v.Get("use").Text() == "old", resident: kind.Resident,
			decides: kind.Decides, contradicts: kind.Contradicts}
		if kind.Scoped {
			if n.System = strings.Clone(v.Get("system").Text()); n.System == "" {
				continue // nobody knows whose number it is
			}
		}
		n.Valid = !matches(m.DummyNumbers, value)
		switch {
		case kind.Resident:
			r, err := cnid.ParseResident(value)
			if n.Valid = n.Valid && err == nil; n.Valid {
				n.Value, n.Sound = r.Number, t.fits(r)
			}
		default:
			n.Valid = n.Valid && (kind.Form == nil || kind.Form.MatchString(value))
			n.Sound = n.Valid
		}
		if !slices.Contains(t.Numbers, n) {
			t.Numbers = append(t.Numbers, n)
		}
	}
	t.ended(list)
}

// ended marks citizen numbers as old whose period is over while another of the Patient's goes on.
func (t *Traits) ended(list fhir.Value) {
	last, latest := map[string]string{}, ""
	for v := range list.Items() {
		end := v.Get("period").Get("end").Text()
		if end == "" {
			end = "9999"
		}
		if r, err := cnid.ParseResident(v.Get("value").Text()); err == nil {
			last[r.Number] = max(last[r.Number], end)
			latest = max(latest, end)
		}
	}
	for i := range t.Numbers {
		if n := &t.Numbers[i]; n.resident && n.Valid && last[n.Value] != "" && last[n.Value] < latest {
			n.Old = true
		}
	}
}

// isCitizen tells whether a number of another kind, or of none, is a citizen number all the same: many write it where an
// insurance or a record number stands. Its check digit, and its birth date, which is the Patient's, leave no doubt.
func (t *Traits) isCitizen(value string) bool {
	if len(value) != 18 || t.Birth.Day == 0 {
		return false
	}
	r, err := cnid.ParseResident(value)
	return err == nil && t.fits(r)
}

func (m *Model) kindOf(identifier fhir.Value) *Kind {
	if k := m.bySystem[identifier.Get("system").Text()]; k != nil {
		return k
	}
	for c := range identifier.Get("type").Get("coding").Items() {
		if k := m.byType[c.Get("code").Text()]; k != nil {
			return k
		}
	}
	return nil
}

// fits tells whether a citizen number's birth date and sex are the Patient's, as far as these are stated.
func (t *Traits) fits(r cnid.Resident) bool {
	b := t.Birth
	y, month, d := r.Birth.Date()
	return (b.Year == 0 || b.Year == y) && (b.Month == 0 || b.Month == int(month)) && (b.Day == 0 || b.Day == d) &&
		(t.Sex != "male" && t.Sex != "female" || r.Male == (t.Sex == "male"))
}

// readMother gathers what tells of a newborn's mother. A citizen number that was not made for the day of a newborn's birth
// is hers, as are the phones.
func (m *Model) readMother(t *Traits, root fhir.Value) {
	for v := range root.Get("contact").Items() {
		mother := false
		for rel := range v.Get("relationship").Items() {
			for c := range rel.Get("coding").Items() {
				mother = mother || slices.Contains(m.Mothers, c.Get("code").Text())
			}
		}
		if !mother || len(t.Mother.Phones) >= mostPhones {
			continue
		}
		if n, ok := m.nameOf(v.Get("name")); ok && t.Mother.Name == "" {
			t.Mother.Name = n.Text
		}
		t.Mother.Phones = append(t.Mother.Phones, m.readPhones(v.Get("telecom"))...)
	}
	if !t.Newborn {
		return
	}
	own := t.Numbers[:0]
	for _, n := range t.Numbers {
		if n.resident && n.Valid && !n.Sound {
			t.Mother.Numbers = append(t.Mother.Numbers, n.Value)
		} else {
			own = append(own, n)
		}
	}
	t.Numbers = own
	t.Mother.Phones = append(t.Mother.Phones, t.Phones...)
}
