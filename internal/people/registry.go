package people

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"
)

// Record is one registration of a person at an institution.
type Record struct {
	ID     string // of the Patient
	Person int    // the truth: whose it is, counted from 0
	Member string
	Twin   bool // of a person who is one of twins
	Body   []byte
}

// Institution is how one member registers people.
type Institution struct {
	ID string
	// Share of all registrations.
	Share float64
	// Scans is how often the identity card is read by a machine, which then writes name, sex, birth, number and address.
	Scans float64
	// NoNumber, Card, Insurance, NoPhone and NoAddress are how often each is not asked for, or is.
	NoNumber, Card, Insurance, NoPhone, NoAddress float64
	// Latin is how often the name is written in pinyin only, as imaging devices of foreign make want it.
	Latin float64
	// Old is how often a number is one of 15 digits from an older system.
	Old float64
	// OwnPhone is how often the institution writes its own number where the patient's should stand.
	OwnPhone float64
	// Traditional: the system writes traditional characters.
	Traditional float64
	// Own is the member's own system of citizen numbers: the standard's, or one that only the type tells.
	Own bool
	// Again is how often somebody registered there before gets a new registration.
	Again float64
}

// Institutions are the twelve of a consortium: two lead hospitals, four others, five community centres and a centre for imaging.
func Institutions() []Institution {
	return []Institution{
		{ID: "lead-1", Share: .20, Scans: .75, NoNumber: .07, Card: .55, Insurance: .60, NoPhone: .04, NoAddress: .12, Latin: .002, Old: .004, Again: .05},
		{ID: "lead-2", Share: .15, Scans: .70, NoNumber: .09, Card: .50, Insurance: .55, NoPhone: .05, NoAddress: .15, Latin: .002, Old: .006, Again: .06},
		{ID: "county-1", Share: .12, Scans: .60, NoNumber: .12, Card: .40, Insurance: .60, NoPhone: .06, NoAddress: .15, Old: .015, Again: .07},
		{ID: "county-2", Share: .09, Scans: .55, NoNumber: .14, Card: .35, Insurance: .55, NoPhone: .08, NoAddress: .20, Old: .02, Own: true, Again: .08},
		{ID: "women-children", Share: .08, Scans: .45, NoNumber: .20, Card: .35, Insurance: .35, NoPhone: .03, NoAddress: .15, Again: .08},
		{ID: "traditional-medicine", Share: .07, Scans: .55, NoNumber: .12, Card: .35, Insurance: .55, NoPhone: .07, NoAddress: .25, Old: .015, Traditional: .10, Again: .06},
		{ID: "imaging-centre", Share: .05, Scans: .30, NoNumber: .25, Card: .25, Insurance: .20, NoPhone: .10, NoAddress: .40, Latin: .30, Again: .10},
		{ID: "community-1", Share: .06, Scans: .50, NoNumber: .12, Card: .45, Insurance: .50, NoPhone: .08, NoAddress: .10, Old: .02, Again: .05},
		{ID: "community-2", Share: .06, Scans: .45, NoNumber: .15, Card: .40, Insurance: .50, NoPhone: .10, NoAddress: .10, Old: .03, OwnPhone: .01, Again: .06},
		{ID: "community-3", Share: .05, Scans: .40, NoNumber: .18, Card: .40, Insurance: .45, NoPhone: .10, NoAddress: .12, Old: .03, Own: true, Again: .06},
		{ID: "village-1", Share: .04, Scans: .25, NoNumber: .25, Card: .30, Insurance: .50, NoPhone: .15, NoAddress: .10, Old: .05, OwnPhone: .10, Again: .08},
		{ID: "village-2", Share: .03, Scans: .20, NoNumber: .30, Card: .30, Insurance: .45, NoPhone: .18, NoAddress: .12, Old: .06, OwnPhone: .02, Again: .08},
	}
}

// Rates are how often a clerk errs where a machine did not read the card.
type Rates struct {
	DigitWrong, DigitsSwapped, DigitLost, NumberOfRelative, NumberDummy        float64
	Homophone, LookAlike, CharacterLost, OtherCharacter, NameSwapped           float64
	RareAsPinyin, VariantForm, NameSpaced                                      float64
	BirthDigit, BirthSwapped, BirthYearOnly, BirthYearOff, BirthFromNumber     float64
	SexWrong, SexMissing                                                       float64
	PhoneOfRelative, PhoneFormer, PhoneDigit, PhoneSwapped, PhoneDummy, Dialed float64
	AddressFormer, AddressShort, AddressTyped                                  float64
	FormerNameShown, FormerNameUsed                                            float64
}

// DefaultRates are those of a registry that is neither well nor badly kept. [D]
func DefaultRates() Rates {
	return Rates{
		DigitWrong: .008, DigitsSwapped: .005, DigitLost: .002, NumberOfRelative: .003, NumberDummy: .008,
		Homophone: .012, LookAlike: .003, CharacterLost: .002, OtherCharacter: .003, NameSwapped: .0015,
		RareAsPinyin: .001, VariantForm: .004, NameSpaced: .02,
		BirthDigit: .010, BirthSwapped: .003, BirthYearOnly: .012, BirthYearOff: .006, BirthFromNumber: .75,
		SexWrong: .004, SexMissing: .006,
		PhoneOfRelative: .09, PhoneFormer: .45, PhoneDigit: .006, PhoneSwapped: .004, PhoneDummy: .008, Dialed: .03,
		AddressFormer: .40, AddressShort: .30, AddressTyped: .015,
		FormerNameShown: .25, FormerNameUsed: .35,
	}
}

// Worse makes all faults so many times as frequent; what says how often something is right stays.
func (r Rates) Worse(times float64) Rates {
	for _, p := range []*float64{&r.DigitWrong, &r.DigitsSwapped, &r.DigitLost, &r.NumberOfRelative, &r.NumberDummy, &r.Homophone, &r.LookAlike,
		&r.CharacterLost, &r.OtherCharacter, &r.NameSwapped, &r.RareAsPinyin, &r.VariantForm, &r.NameSpaced, &r.BirthDigit, &r.BirthSwapped,
		&r.BirthYearOnly, &r.BirthYearOff, &r.SexWrong, &r.SexMissing, &r.PhoneOfRelative, &r.PhoneDigit, &r.PhoneSwapped, &r.PhoneDummy, &r.AddressTyped} {
		*p = min(*p*times, .5)
	}
	return r
}

// Options are what is to be invented.
type Options struct {
	Seed   uint64
	People int
	// Institutions and Rates are those above when not set.
	Institutions []Institution
	Rates        *Rates
}

// Records yields what the institutions wrote down, household by household, until there are as many people as asked for.
// The same options always yield the same records. Stopping the loop stops the work.
func Records(o Options) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		r := rand.New(rand.NewPCG(o.Seed, 0x70656f706c65))
		w := &registry{population: population{r: r, names: newNamer(), used: map[string]bool{}, today: time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)},
			members: o.Institutions, rates: DefaultRates(), seed: o.Seed}
		if w.members == nil {
			w.members = Institutions()
		}
		if o.Rates != nil {
			w.rates = *o.Rates
		}
		for w.count < o.People {
			for _, one := range w.household().people {
				if !w.register(one, yield) {
					return
				}
			}
		}
	}
}

type registry struct {
	population
	members []Institution
	rates   Rates
	seed    uint64
	records int
}

// register yields all registrations of a person.
func (w *registry) register(one *person, yield func(Record) bool) bool {
	places := 1
	for places < 6 && chance(w.r, .55) {
		places++
	}
	newborn := age(one, w.today) < 2 && one.mother != nil && chance(w.r, .7)
	seen := map[int]bool{}
	for range places {
		at := w.member()
		if seen[at] {
			continue
		}
		seen[at] = true
		for {
			f := w.form(one, &w.members[at])
			if newborn {
				w.asNewborn(one, f)
				newborn = false
			}
			w.records++
			rec := Record{ID: fmt.Sprintf("p%d-%d", w.seed, w.records), Person: one.index, Member: w.members[at].ID, Twin: one.twin > 0, Body: f.patient(w.members[at].ID, w.records)}
			if !yield(rec) {
				return false
			}
			if !chance(w.r, w.members[at].Again) {
				break
			}
		}
	}
	return true
}

func (w *registry) member() int {
	x, sum := w.r.Float64(), 0.0
	for i := range w.members {
		if sum += w.members[i].Share; x < sum {
			return i
		}
	}
	return 0
}

// form is one filled-in form.
type form struct {
	family, given, text      string // text instead of the parts
	formerFamily, formerName string
	latin                    bool
	sex, birth               string
	number, oldNumber        string
	own                      bool
	card, insurance          string
	passport                 string
	phone, address           string
	split                    bool
	addressParts             *home
	twin                     int
	dead                     bool
	motherName               string
	whose                    *person // the relative whose number was given
}

// form fills in one, first with the truth, then with what clerks make of it.
func (w *registry) form(one *person, at *Institution) *form {
	r := w.r
	f := &form{family: one.family, given: one.given, birth: one.birth.Format(time.DateOnly), sex: gender(one.male), own: at.Own, dead: one.dead && chance(r, .5)}
	scanned := !one.foreign && chance(r, at.Scans)
	w.numbers(one, at, f, scanned)
	w.name(one, at, f, scanned)
	if !scanned {
		w.birthAndSex(one, f)
	}
	w.phone(one, at, f)
	w.address(one, at, f, scanned)
	if one.twin > 0 && chance(r, .25) {
		f.twin = one.twin
	}
	return f
}

func gender(male bool) string {
	if male {
		return "male"
	}
	return "female"
}

func (w *registry) numbers(one *person, at *Institution, f *form, scanned bool) {
	r, rates := w.r, &w.rates
	young := age(one, w.today) < 6
	if one.number != "" && !chance(r, at.NoNumber) && !(young && !scanned && chance(r, .5)) {
		f.number = one.number
		if one.formerNumber != "" && chance(r, .45) {
			f.number = one.formerNumber
			scanned = true // it was on the card of that time
		} else if one.formerNumber != "" && chance(r, .4) {
			f.oldNumber = one.formerNumber
		}
		switch {
		case scanned:
		case chance(r, rates.DigitWrong):
			f.number = wrongDigit(r, f.number)
		case chance(r, rates.DigitsSwapped):
			f.number = swapped(r, f.number)
		case chance(r, rates.DigitLost):
			k := r.IntN(len(f.number))
			f.number = f.number[:k] + f.number[k+1:]
		case chance(r, rates.NumberOfRelative):
			if other := oneOf(r, one.house.people); other.number != "" {
				f.number, f.whose = other.number, other
			}
		case chance(r, rates.NumberDummy):
			f.number = oneOf(r, dummies)
		}
		if len(f.number) == 18 && one.birth.Year() < 1985 && f.number[6:8] == "19" && chance(r, at.Old) {
			f.number = f.number[:6] + f.number[8:17]
		}
	}
	if one.card != "" && chance(r, at.Card) {
		f.card = one.card
	}
	if one.insurance != "" && chance(r, at.Insurance) {
		f.insurance = one.insurance
		if !scanned && chance(r, rates.NumberOfRelative) { // somebody else's card pays
			f.insurance = oneOf(r, one.house.people).insurance
		}
	}
	if one.passport != "" && !chance(r, .15) {
		f.passport = one.passport
		if one.oldPassport != "" && chance(r, .5) {
			f.passport = one.oldPassport
		}
		if chance(r, .01) {
			f.passport = wrongDigit(r, f.passport)
		}
	}
}

func (w *registry) name(one *person, at *Institution, f *form, scanned bool) {
	r, rates := w.r, &w.rates
	if one.formerFamily != "" || one.formerGiven != "" {
		before, given := one.family, one.given
		if one.formerFamily != "" {
			before = one.formerFamily
		}
		if one.formerGiven != "" {
			given = one.formerGiven
		}
		switch {
		case chance(r, rates.FormerNameUsed):
			f.family, f.given = before, given
		case chance(r, rates.FormerNameShown):
			f.formerFamily, f.formerName = before, given
		}
	}
	if one.foreign {
		w.foreign(f)
		return
	}
	if strings.HasSuffix(f.given, "·") { // one's own name goes first: 艾力·买买提
		f.text = oneOf(r, []string{f.given + f.family, strings.TrimSuffix(f.given, "·") + f.family, f.given[:len(f.given)-len("·")] + "." + f.family})
		if chance(r, .1) {
			f.text = strings.TrimSuffix(f.given, "·")
		}
		return
	}
	if !scanned {
		w.misspell(f)
	}
	if chance(r, at.Traditional) {
		f.family, f.given = replaceAll(f.family, traditional), replaceAll(f.given, traditional)
	}
	switch {
	case chance(r, at.Latin):
		f.latin = true
		if f.family == one.family && f.given == one.given {
			f.family, f.given = one.familyLatin, one.nameLatin
		} else {
			f.family, f.given = latin(f.family), latin(f.given)
		}
		switch r.IntN(4) {
		case 0:
			f.family, f.given = strings.ToUpper(f.family), strings.ToUpper(f.given)
		case 1:
			f.text = f.family + " " + f.given
		case 2:
			if chance(r, .15) {
				f.family, f.given = f.given, f.family
			}
		}
		if chance(r, .01) && len(f.given) > 3 {
			f.given = f.given[:len(f.given)-1]
		}
	case chance(r, .35): // the name in one piece
		f.text = f.family + f.given
		if chance(r, rates.NameSpaced) {
			f.text = f.family + " " + f.given
		}
	}
}

func (w *registry) foreign(f *form) {
	r := w.r
	f.latin = true
	switch r.IntN(5) {
	case 0:
		f.family, f.given = strings.ToUpper(f.family), strings.ToUpper(f.given)
	case 1:
		f.family, f.given = f.given, f.family
	case 2:
		f.text = f.given + " " + f.family
	}
	if chance(r, .5) {
		f.family, f.given, f.text = plainLatin.Replace(f.family), plainLatin.Replace(f.given), plainLatin.Replace(f.text)
	}
	if letters := []rune(f.family); chance(r, .03) && len(letters) > 4 && f.text == "" {
		k := 1 + r.IntN(len(letters)-2)
		f.family = string(letters[:k]) + string(letters[k+1:])
	}
}

func (w *registry) birthAndSex(one *person, f *form) {
	r, rates := w.r, &w.rates
	if f.number == one.number && one.number != "" && chance(r, rates.BirthFromNumber) {
		return // the form reads them from the number
	}
	if f.whose != nil && chance(r, rates.BirthFromNumber) {
		f.birth, f.sex = f.whose.birth.Format(time.DateOnly), gender(f.whose.male)
		return // and from a relative's just as well
	}
	birth := one.birth
	switch {
	case one.lunar && chance(r, .6):
		birth = birth.AddDate(0, 0, -20-r.IntN(30))
		f.birth = birth.Format(time.DateOnly)
	case chance(r, rates.BirthDigit):
		for range 20 { // a form refuses what is no date
			typed := wrongDigit(r, f.birth)
			if d, err := time.Parse(time.DateOnly, typed); err == nil && d.Before(w.today) && d.Year() > 1900 {
				f.birth = typed
				break
			}
		}
	case chance(r, rates.BirthSwapped) && birth.Day() <= 12:
		f.birth = fmt.Sprintf("%04d-%02d-%02d", birth.Year(), birth.Day(), birth.Month())
	case chance(r, rates.BirthYearOnly*yearOnlyFactor(age(one, w.today))):
		f.birth = fmt.Sprintf("%04d-01-01", birth.Year()+r.IntN(3)/2)
		if chance(r, .2) {
			f.birth = f.birth[:4]
		}
	case chance(r, rates.BirthYearOff):
		f.birth = birth.AddDate(oneOf(r, []int{-1, 1}), 0, 0).Format(time.DateOnly)
	case chance(r, .004):
		f.birth = ""
	}
	switch {
	case chance(r, rates.SexWrong):
		f.sex = gender(!one.male)
	case chance(r, rates.SexMissing):
		f.sex = oneOf(r, []string{"", "unknown"})
	}
}

// yearOnlyFactor: birthdays that nobody knows are those of the old.
func yearOnlyFactor(age int) float64 {
	if age > 65 {
		return 3
	}
	return .5
}

func (w *registry) phone(one *person, at *Institution, f *form) {
	r, rates := w.r, &w.rates
	if chance(r, at.NoPhone) {
		return
	}
	f.phone = one.phone
	if one.formerPhone != "" && chance(r, rates.PhoneFormer) {
		f.phone = one.formerPhone
	}
	switch {
	case chance(r, at.OwnPhone):
		f.phone = fmt.Sprintf("0551%08d", 62000000+len(at.ID)*7919+int(at.ID[len(at.ID)-1])*104729) // made of its name
	case chance(r, rates.PhoneOfRelative):
		f.phone = oneOf(r, one.house.people).phone
	case chance(r, rates.PhoneDummy):
		f.phone = oneOf(r, dummyPhones)
	case chance(r, rates.PhoneDigit):
		f.phone = wrongDigit(r, f.phone)
	case chance(r, rates.PhoneSwapped):
		f.phone = swapped(r, f.phone)
	}
	if len(f.phone) == 11 && chance(r, rates.Dialed) {
		f.phone = oneOf(r, []string{"+86" + f.phone, "0" + f.phone, "86-" + f.phone, f.phone[:3] + "-" + f.phone[3:7] + "-" + f.phone[7:], f.phone + "(家属)"})
	}
}

func (w *registry) address(one *person, at *Institution, f *form, scanned bool) {
	r, rates := w.r, &w.rates
	if chance(r, at.NoAddress) {
		return
	}
	where := one.home
	if one.formerHome != nil && (scanned && chance(r, .7) || chance(r, rates.AddressFormer)) {
		where = one.formerHome // the card has the place of registration
	}
	f.address = where.written(r, scanned, rates)
	if chance(r, .3) {
		f.split, f.addressParts = true, where
	}
}

// asNewborn makes the form that of a child without a name yet.
func (w *registry) asNewborn(one *person, f *form) {
	r := w.r
	mother := one.mother
	f.latin, f.text, f.formerName, f.formerFamily = false, "", "", ""
	whose := map[bool][]string{true: {"之子", "之子", "之婴", "子", "毛毛", "男婴", "之大子"}, false: {"之女", "之女", "之婴", "女", "宝宝", "女婴", "之长女"}}
	f.text = mother.family + mother.given + oneOf(r, whose[one.male])
	if one.twin > 0 {
		f.text = mother.family + mother.given + oneOf(r, []string{"之", ""}) + []string{"大", "小"}[one.twin-1] + map[bool]string{true: "子", false: "女"}[one.male]
		f.twin = one.twin
	}
	f.birth = one.birth.Format(time.DateOnly)
	f.number, f.oldNumber, f.card, f.insurance = "", "", "", ""
	if chance(r, .2) {
		f.number = mother.number
	}
	if chance(r, .3) {
		f.insurance = mother.insurance
	}
	f.phone = mother.phone
	if chance(r, .3) {
		f.motherName = mother.family + mother.given
	}
}
