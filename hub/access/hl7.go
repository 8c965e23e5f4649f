package access

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"concord/hub"
)

// HL7 is how a member sends HL7 v2 messages. Its Networks and Certificates are those of DICOM.
type HL7 struct {
	// Senders are the applications that it sends from, by what they put into MSH-3 and MSH-4: APPLICATION^FACILITY,
	// APPLICATION alone (whatever the facility) or ^FACILITY. Members may have the same, if their networks are apart.
	Senders []string `json:"hl7Senders,omitempty"`
}

func (h HL7) check() error {
	for _, s := range h.Senders {
		application, facility, _ := strings.Cut(s, "^")
		if strings.TrimSpace(application+facility) == "" || len(s) > 256 || strings.Contains(facility, "^") || strings.ContainsFunc(s, isControl) {
			return &hub.Error{Kind: hub.Invalid, Path: "hl7-sender", Msg: fmt.Sprintf("%.64q is no sender of messages", s), Hint: "APPLICATION^FACILITY, APPLICATION or ^FACILITY, as MSH-3 and MSH-4 have them"}
		}
	}
	return nil
}

// normal is h in the order in which it is kept: "LIS^" is "LIS", without the spaces that some senders pad with.
func (h HL7) normal() HL7 {
	var all []string
	for _, s := range h.Senders {
		application, facility, _ := strings.Cut(s, "^")
		all = append(all, strings.TrimSuffix(strings.TrimSpace(application)+"^"+strings.TrimSpace(facility), "^"))
	}
	slices.Sort(all)
	return HL7{slices.Compact(all)}
}

// BySender finds the members that an address may speak for as a sending application and facility (the first components of
// MSH-3 and MSH-4): one that names both goes before one that names the application, and that before one that names the
// facility. An address is in a member's own networks; trusted are those of members that have none.
func (r *Registry) BySender(application, facility string, from netip.Addr, trusted []netip.Prefix) []Member {
	now := r.roll.Load()
	application, facility = strings.TrimSpace(application), strings.TrimSpace(facility) // as in a list of senders
	for _, key := range [...]string{application + "^" + facility, application, "^" + facility} {
		if key == "" || key == "^" {
			continue
		}
		var found []Member
		for _, id := range now.bySender[strings.TrimSuffix(key, "^")] {
			if m := now.members[id]; m.speaksFrom(from, trusted) {
				found = append(found, m)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// SendsFrom tells whether any member sends messages from an address.
func (r *Registry) SendsFrom(from netip.Addr, trusted []netip.Prefix) bool {
	now := r.roll.Load()
	for _, ids := range now.bySender {
		for _, id := range ids {
			if now.members[id].speaksFrom(from, trusted) {
				return true
			}
		}
	}
	return false
}

// speaksFrom tells whether an address is one from which the member's titles and senders are believed.
func (m Member) speaksFrom(from netip.Addr, trusted []netip.Prefix) bool {
	if len(m.Networks) > 0 {
		return m.Within(from)
	}
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(from.Unmap()) })
}

// contends tells whether one address could speak for both members by the same sender.
func (m Member) contends(o Member) (sender string, ok bool) {
	for _, s := range m.Senders {
		if slices.Contains(o.Senders, s) && overlap(m.Networks, o.Networks) {
			return s, true
		}
	}
	return "", false
}

func overlap(a, b []netip.Prefix) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return slices.ContainsFunc(a, func(p netip.Prefix) bool { return slices.ContainsFunc(b, p.Overlaps) })
}
