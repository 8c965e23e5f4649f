package access_test

import (
	"net/netip"
	"testing"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/memobjects"
)

func TestASenderIsBelievedFromTheMembersNetworksAndTheMostExactNameWins(t *testing.T) {
	o := open(t, &memobjects.Store{})
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	add := func(id, network string, senders ...string) error {
		d := access.DICOM{}
		if network != "" {
			d.Networks = []netip.Prefix{netip.MustParsePrefix(network)}
		}
		_, err := o.desk.Add(t.Context(), access.Member{ID: id, Name: id, Tier: access.Community, DICOM: d, HL7: access.HL7{Senders: senders}})
		return err
	}
	for id, err := range map[string]error{
		"county":  add("county", "10.2.0.0/16", "LIS^COUNTY", "HIS^"),
		"village": add("village", "10.3.0.0/16", "LIS", "HIS"),
		"desk":    add("desk", "", "LIS", "^DESK"),
	} {
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	for _, c := range []struct{ application, facility, from, want string }{
		{"LIS", "COUNTY", "10.2.0.7", "county"},
		{"LIS", "OTHER", "10.2.0.7", ""},
		{"HIS", "ANY", "10.2.0.7", "county"},
		{"HIS", "", "10.3.0.1", "village"},
		{"LIS", "COUNTY", "10.3.0.1", "village"},
		{"LIS", "COUNTY", "10.9.0.1", ""},
		{"LIS", "", "127.0.0.1", "desk"},
		{"ANY", "DESK", "::ffff:127.0.0.1", "desk"},
		{"", "", "127.0.0.1", ""},
	} {
		got := ""
		for _, m := range o.BySender(c.application, c.facility, netip.MustParseAddr(c.from), trusted) {
			got += m.ID
		}
		if got != c.want {
			t.Errorf("%s^%s from %s is %q, want %q", c.application, c.facility, c.from, got, c.want)
		}
	}
	if err := add("twin", "10.2.5.0/24", "LIS^COUNTY"); !hub.Is(err, hub.Conflict) {
		t.Errorf("a sender in another member's network: %v, want a Conflict", err)
	}
	if err := add("twin", "", "A^B^C"); !hub.Is(err, hub.Invalid) {
		t.Errorf("a sender of three parts: %v, want Invalid", err)
	}
	if o.SendsFrom(netip.MustParseAddr("10.9.0.1"), trusted) || !o.SendsFrom(netip.MustParseAddr("10.3.9.9"), trusted) {
		t.Error("addresses that members send from are not told from others")
	}
	if err := o.desk.SetHL7(t.Context(), "county", access.HL7{}); err != nil {
		t.Fatal(err)
	}
	if got := o.BySender("LIS", "COUNTY", netip.MustParseAddr("10.2.0.7"), trusted); len(got) != 0 {
		t.Errorf("a sender that was taken away is still %s's", got[0].ID)
	}
}
