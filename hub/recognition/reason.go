package recognition

import (
	"fmt"
	"strings"
	"time"
)

// Effect is how a rule turned out.
type Effect string

const (
	Pass Effect = "pass"
	Fail Effect = "fail"
	Warn Effect = "warn"
	// Open is an unknown: a fact is missing, so the rule neither passed nor failed.
	Open Effect = "unknown"
)

// Code names what a rule found. Codes are part of the interface and keep their meaning.
type Code string

const (
	IdentityCertain      Code = "identity-certain"
	IdentityUncertain    Code = "identity-uncertain"
	StatusFinal          Code = "status-final"
	StatusNotFinal       Code = "status-not-final"
	StatusWithdrawn      Code = "status-withdrawn"
	StatusUnknown        Code = "status-unknown"
	ItemSame             Code = "item-same"
	ItemSameCode         Code = "item-same-code"
	ItemOther            Code = "item-other"
	ItemUnknown          Code = "item-unknown"
	SpecimenOther        Code = "specimen-other"
	ModalitySame         Code = "modality-same"
	ModalityOther        Code = "modality-other"
	ModalityUnknown      Code = "modality-unknown"
	RegionCovered        Code = "region-covered"
	RegionOther          Code = "region-other"
	RegionUnknown        Code = "region-unknown"
	SideSame             Code = "side-same"
	SideOther            Code = "side-other"
	SideUnknown          Code = "side-unknown"
	ContrastSame         Code = "contrast-same"
	ContrastOther        Code = "contrast-other"
	ContrastUnknown      Code = "contrast-unknown"
	InCatalogue          Code = "in-catalogue"
	NotInCatalogue       Code = "not-in-catalogue"
	ConsortiumAnyItem    Code = "consortium-any-item"
	Qualified            Code = "qualified"
	NotQualified         Code = "not-qualified"
	QualificationMissing Code = "qualification-missing"
	TierAllowed          Code = "tier-allowed"
	TierLower            Code = "tier-lower"
	TierUnknown          Code = "tier-unknown"
	ConsortiumAnyTier    Code = "consortium-any-tier"
	InWindow             Code = "in-window"
	TooOld               Code = "too-old"
	WindowZero           Code = "window-zero"
	WindowOpen           Code = "window-open"
	WindowUnknown        Code = "window-unknown"
	TimeUnknown          Code = "time-unknown"
	TimeAhead            Code = "time-ahead"
	Retrievable          Code = "retrievable"
	NotRetrievable       Code = "not-retrievable"
	RetrievalUnknown     Code = "retrieval-unknown"
	QualityEnough        Code = "quality-enough"
	QualityLow           Code = "quality-low"
	RapidChange          Code = "rapid-change"
	CriticalValue        Code = "critical-value"
	Exception            Code = "exception"
	ExceptionUnknown     Code = "exception-unknown"
	NoCandidate          Code = "no-candidate"
)

// Reason is what one rule found, for people in two languages.
type Reason struct {
	Code             Code
	Effect           Effect
	Chinese, English string
}

func reason(e Effect, c Code, details ...any) Reason {
	t := wordings()[c]
	return Reason{Code: c, Effect: e, Chinese: fill(t.chinese, details, 0), English: fill(t.english, details, 1)}
}

// fill puts details into a text, where %[1]s is the first of them; spans of time are worded in the language (0 Chinese,
// 1 English).
func fill(text string, details []any, language int) string {
	if !strings.Contains(text, "%") {
		return text
	}
	spoken := make([]any, len(details))
	for i, d := range details {
		spoken[i] = d
		if s, ok := d.(span); ok {
			spoken[i] = s.in(language)
		}
	}
	return fmt.Sprintf(text, spoken...)
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
