package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/fhir"
)

// Cause is why a result does not hold any more.
type Cause string

// The causes.
const (
	Corrected    Cause = "corrected"
	Amended      Cause = "amended"
	Cancelled    Cause = "cancelled"
	InError      Cause = "entered-in-error"
	Deleted      Cause = "deleted"
	Changed      Cause = "changed"       // it says something else, without saying why
	Fewer        Cause = "fewer-images"  // some of a study's were deleted
	OtherPatient Cause = "other-patient" // it is not of the person any more: it was moved, or the Patients are not linked
)

// said is what a result says: a digest of what a doctor relies on, and how many images a study has. Codes and tags that are
// added beside it are none of that.
func said(body fhir.Value) (text string, parts int) {
	h := sha256.New()
	if body.Get("resourceType").Text() == "ImagingStudy" {
		parts, _ = strconv.Atoi(body.Get("numberOfInstances").Text())
		return "", parts
	}
	for name, v := range body.Members() {
		if strings.HasPrefix(name, "value") || strings.HasPrefix(name, "effective") || name == "dataAbsentReason" || name == "component" {
			h.Write([]byte(name))
			h.Write([]byte{0})
			if name != "component" {
				h.Write(v.Compact())
				continue
			}
			for c := range v.Items() {
				for part, value := range c.Members() {
					if strings.HasPrefix(part, "value") || part == "dataAbsentReason" {
						h.Write(value.Compact())
					}
				}
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), 0
}

// lost says why a result that was relied on does not hold any more in a version; ok is false where it holds. What of persons
// changes is asked apart.
func lost(s *Shown, rec *hub.Record) (why Cause, ok bool) {
	if rec.Version <= s.Version {
		return "", false
	}
	if rec.Deleted {
		return Deleted, true
	}
	doc, err := fhir.DocOf(rec)
	if err != nil {
		return "", false
	}
	text, parts := said(doc.Root())
	differs := s.Said != "" && text != s.Said
	switch status := Cause(doc.Root().Get("status").Text()); status {
	case Cancelled, InError:
		return status, true
	case Corrected, Amended:
		if differs || s.Said == "" && doc.Type() != "ImagingStudy" {
			return status, true
		}
	}
	switch {
	case differs:
		return Changed, true
	case parts < s.Parts:
		return Fewer, true
	}
	return "", false
}

// belongs tells whether a result still is one of the person that an opportunity is about.
func (l *Ledger) belongs(ctx context.Context, o *Opportunity, s *Shown, rec *hub.Record) (bool, error) {
	patient := s.Patient
	if doc, err := fhir.DocOf(rec); err == nil {
		patient = patientIn(doc.Root())
	}
	if patient == o.Patient {
		return true, nil
	}
	if l.Linked == nil {
		return patient == s.Patient, nil
	}
	person, err := l.Linked(ctx, o.Patient)
	return slices.Contains(person, patient), err
}

// patientIn is the Patient that a resource refers to: "Patient/1", whatever stands before or behind that.
func patientIn(r fhir.Value) string {
	ref := r.Get("subject").Get("reference").Text()
	at := strings.LastIndex(ref, "Patient/")
	if at < 0 {
		return ""
	}
	id, _, _ := strings.Cut(ref[at+len("Patient/"):], "/")
	return "Patient/" + id
}

func nameOf(ref string) hub.Name {
	typ, id, _ := strings.Cut(ref, "/")
	return hub.Name{Type: typ, ID: id}
}

// note reads what the results that were shown say, in the versions that were shown. It looks for those of all opportunities at once:
// their number, and not what they say, is what takes time.
func (l *Ledger) note(ctx context.Context, list []Opportunity) error {
	var names []hub.Name
	var shown []*Shown
	var of []*Opportunity
	for i := range list {
		for k := range list[i].Shown {
			s := &list[i].Shown[k]
			names, shown, of = append(names, nameOf(s.Result)), append(shown, s), append(of, &list[i])
		}
	}
	if len(names) == 0 {
		return nil
	}
	heads, err := l.Follower.Heads(ctx, names)
	if err != nil {
		return err
	}
	var locs []hub.Loc
	var at []int
	for i, h := range heads {
		s, loc := shown[i], h.Loc
		switch {
		case h.Version == 0:
			continue
		case s.Version == 0:
			s.Version = h.Version
		case s.Version < h.Version:
			versions, err := l.Index.Versions(ctx, h)
			if err != nil {
				return err
			}
			if s.Version > uint64(len(versions)) {
				continue
			}
			loc = versions[s.Version-1]
		}
		locs, at = append(locs, loc), append(at, i)
	}
	recs, err := l.Follower.Log().Records(ctx, locs)
	if err != nil {
		return err
	}
	for k := range recs {
		doc, err := fhir.Parse(recs[k].Body, fhir.Limits{})
		if err != nil {
			continue
		}
		s, o := shown[at[k]], of[at[k]]
		o.Restricted = o.Restricted || fhir.IsRestricted(doc.Root())
		s.Said, s.Parts = said(doc.Root())
	}
	return nil
}
