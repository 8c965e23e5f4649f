package recognition

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Effect is how a rule turned out.
type Effect string

// The effects.
const (
	Pass Effect = "pass"
	Fail Effect = "fail"
	Warn Effect = "warn"
	// Open is an unknown: a fact is missing, so the rule neither passed nor failed.
	Open Effect = "unknown"
)

// Code names what a rule found. Codes are part of the interface and keep their meaning.
type Code string

// The codes, by rule.
const (
	IdentityCertain   Code = "identity-certain"
	IdentityUncertain Code = "identity-uncertain"

	StatusFinal     Code = "status-final"
	StatusNotFinal  Code = "status-not-final"
	StatusWithdrawn Code = "status-withdrawn"
	StatusUnknown   Code = "status-unknown"

	ItemSame        Code = "item-same"
	ItemSameCode    Code = "item-same-code"
	ItemOther       Code = "item-other"
	ItemUnknown     Code = "item-unknown"
	SpecimenSame    Code = "specimen-same"
	SpecimenOther   Code = "specimen-other"
	SpecimenUnknown Code = "specimen-unknown"
	UnitSame        Code = "unit-same"
	UnitConvertible Code = "unit-convertible"
	UnitOther       Code = "unit-other"
	UnitUnknown     Code = "unit-unknown"
	ValueMissing    Code = "value-missing"
	ModalitySame    Code = "modality-same"
	ModalityOther   Code = "modality-other"
	ModalityUnknown Code = "modality-unknown"
	RegionCovered   Code = "region-covered"
	RegionOther     Code = "region-other"
	RegionUnknown   Code = "region-unknown"
	SideSame        Code = "side-same"
	SideOther       Code = "side-other"
	SideUnknown     Code = "side-unknown"
	ContrastSame    Code = "contrast-same"
	ContrastOther   Code = "contrast-other"
	ContrastUnknown Code = "contrast-unknown"

	InCatalogue       Code = "in-catalogue"
	NotInCatalogue    Code = "not-in-catalogue"
	ConsortiumAnyItem Code = "consortium-any-item"

	Qualified            Code = "qualified"
	NotQualified         Code = "not-qualified"
	QualificationMissing Code = "qualification-missing"
	ScopeOther           Code = "scope-other"
	ScopeUnknown         Code = "scope-unknown"

	TierAllowed       Code = "tier-allowed"
	TierLower         Code = "tier-lower"
	TierUnqualified   Code = "tier-unqualified"
	TierOther         Code = "tier-other"
	TierUnknown       Code = "tier-unknown"
	ConsortiumAnyTier Code = "consortium-any-tier"

	InWindow      Code = "in-window"
	TooOld        Code = "too-old"
	WindowZero    Code = "window-zero"
	WindowOpen    Code = "window-open"
	WindowUnknown Code = "window-unknown"
	TimeUnknown   Code = "time-unknown"
	TimeAhead     Code = "time-ahead"

	Retrievable      Code = "retrievable"
	NotRetrievable   Code = "not-retrievable"
	RetrievalUnknown Code = "retrieval-unknown"
	QualityEnough    Code = "quality-enough"
	QualityLow       Code = "quality-low"
	QualityUnjudged  Code = "quality-unjudged"

	RapidChange   Code = "rapid-change"
	ValueMoved    Code = "value-moved"
	CriticalValue Code = "critical-value"

	Exception        Code = "exception"
	ExceptionUnknown Code = "exception-unknown"

	NoCandidate     Code = "no-candidate"
	PanelComplete   Code = "panel-complete"
	PanelIncomplete Code = "panel-incomplete"
)

// Reason is what one rule found, with what it looked at. Its words are made when they are asked for.
type Reason struct {
	Code    Code
	Effect  Effect
	details [2]detail
}

// Chinese words the reason for people.
func (r Reason) Chinese() string { return fill(wordings()[r.Code].chinese, r.details, chinese) }

// English words the reason for people.
func (r Reason) English() string { return fill(wordings()[r.Code].english, r.details, english) }

// Rule is the rule that found it; 0 for what is said of candidates together.
func (r Reason) Rule() Rule { return wordings()[r.Code].rule }

// Inputs are what the rule looked at, in the order of the words.
func (r Reason) Inputs() []Input {
	var all []Input
	for i, name := range wordings()[r.Code].inputs {
		if i >= len(r.details) || r.details[i].form == absent {
			break
		}
		all = append(all, Input{Chinese: name.chinese, English: name.english, Value: r.details[i].in(english)})
	}
	return all
}

// MarshalJSON writes rule, code, effect and both texts.
func (r Reason) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Rule    Rule   `json:"rule,omitempty"`
		Code    Code   `json:"code"`
		Effect  Effect `json:"effect"`
		Chinese string `json:"zh"`
		English string `json:"en"`
	}{r.Rule(), r.Code, r.Effect, r.Chinese(), r.English()})
}

// Input is one thing that a rule looked at.
type Input struct{ Chinese, English, Value string }

const (
	chinese = iota
	english
)

// detail is a text, a number or a span of time in a reason. A text of two languages has Chinese before a NUL and English
// behind it. Reasons are made by the thousand, so it is small.
type detail struct {
	text   string
	number float64
	form   form
}

type form uint8

const (
	absent form = iota
	aText
	aNumber
	aSpan
)

func text(s string) detail           { return detail{text: s, form: aText} }
func number(n float64) detail        { return detail{number: n, form: aNumber} }
func elapsed(d time.Duration) detail { return detail{number: float64(d), form: aSpan} }

// name joins what is called otherwise in the two languages.
func name(zh, en string) detail { return text(bilingual(zh, en)) }

func bilingual(zh, en string) string { return zh + "\x00" + en }

func (d detail) in(language int) string {
	switch d.form {
	case aText:
		zh, en, two := strings.Cut(d.text, "\x00")
		if two && language == english {
			return en
		}
		return zh
	case aNumber:
		return strconv.FormatFloat(d.number, 'g', -1, 64)
	case aSpan:
		return span(d.number).in(language)
	}
	return ""
}

// fill puts details into a text, where {1} is the first of them.
func fill(text string, details [2]detail, language int) string {
	for i, place := range []string{"{1}", "{2}"} {
		if strings.Contains(text, place) {
			text = strings.ReplaceAll(text, place, details[i].in(language))
		}
	}
	return text
}

// span is an elapsed time for people.
type span time.Duration

func (s span) in(language int) string {
	units := [2][4]string{{"%d天", "%d小时", "%d分钟", "不足1分钟"}, {"%d d", "%d h", "%d min", "less than 1 min"}}[language]
	d := time.Duration(s)
	var parts []string
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		if n := d / unit; n > 0 {
			parts = append(parts, fmt.Sprintf(units[i], n))
			d -= n * unit
		}
	}
	if len(parts) == 0 {
		return units[3]
	}
	return strings.Join(parts, [2]string{"", " "}[language])
}
