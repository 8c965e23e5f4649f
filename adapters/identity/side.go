package identity

import (
	"strings"

	"concord/hub"
	"concord/internal/fhir"
)

// side is one of a pair's Patients, as far as somebody needs it who has to say whether both are one person. Numbers and
// phones are masked: they show whether they agree and are of no other use.
type side struct {
	Patient     string   `json:"patient"`
	Member      string   `json:"member"`
	Version     uint64   `json:"version"`
	Active      bool     `json:"active"`
	Names       []string `json:"names,omitempty"`
	BirthDate   string   `json:"birthDate,omitempty"`
	Gender      string   `json:"gender,omitempty"`
	Identifiers []number `json:"identifiers,omitempty"`
	Phones      []string `json:"phones,omitempty"`
	Addresses   []string `json:"addresses,omitempty"`
	Multiple    string   `json:"multipleBirth,omitempty"`
}

type number struct {
	System string `json:"system"`
	Value  string `json:"value"`
	Use    string `json:"use,omitempty"`
}

// mostShown bounds each list of a side.
const mostShown = 16

func sideOf(rec *hub.Record) (side, error) {
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return side{}, &hub.Error{Kind: hub.Corrupt, Msg: "read a Patient", Err: err}
	}
	p := doc.Root()
	s := side{Patient: rec.Name.String(), Member: rec.Member, Version: rec.Version, Active: p.Get("active").Text() != "false",
		BirthDate: p.Get("birthDate").Text(), Gender: p.Get("gender").Text()}
	s.Multiple = p.Get("multipleBirthInteger").Text() + p.Get("multipleBirthBoolean").Text()
	for v := range p.Get("name").Items() {
		if text := nameOf(v); text != "" && len(s.Names) < mostShown {
			s.Names = append(s.Names, text)
		}
	}
	for v := range p.Get("identifier").Items() {
		if value := v.Get("value").Text(); value != "" && len(s.Identifiers) < mostShown {
			s.Identifiers = append(s.Identifiers, number{v.Get("system").Text(), Masked(value), v.Get("use").Text()})
		}
	}
	for v := range p.Get("telecom").Items() {
		if value := v.Get("value").Text(); value != "" && len(s.Phones) < mostShown {
			s.Phones = append(s.Phones, Masked(value))
		}
	}
	for v := range p.Get("address").Items() {
		if text := addressOf(v); text != "" && len(s.Addresses) < mostShown {
			s.Addresses = append(s.Addresses, text)
		}
	}
	return s, nil
}

func nameOf(v fhir.Value) string {
	text := v.Get("text").Text()
	if text == "" {
		for g := range v.Get("given").Items() {
			text += g.Text()
		}
		text = v.Get("family").Text() + text
	}
	if use := v.Get("use").Text(); use == "old" || use == "maiden" || use == "nickname" {
		text += " (" + use + ")"
	}
	return text
}

func addressOf(v fhir.Value) string {
	if text := v.Get("text").Text(); text != "" {
		return text
	}
	parts := []string{v.Get("state").Text(), v.Get("city").Text(), v.Get("district").Text()}
	for line := range v.Get("line").Items() {
		parts = append(parts, line.Text())
	}
	return strings.Join(parts, "")
}

// Masked hides the middle of a number: the first three and the last four characters stay of one that is long enough, the
// last two of a shorter one.
func Masked(value string) string {
	chars := []rune(value)
	first, last := 3, 4
	switch {
	case len(chars) <= 2:
		first, last = 0, 0
	case len(chars) < 11:
		first, last = 0, 2
	}
	for i := first; i < len(chars)-last; i++ {
		chars[i] = '*'
	}
	return string(chars)
}
