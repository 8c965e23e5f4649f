package dicomweb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	face "concord/adapters/dicomweb"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/dicom"
)

// What is told of studies is the same whether it is made of their records or remembered: for all that can be wanted, after a
// study has grown, was changed and deleted, and for members from whom something is hidden. So is what the trail is told.
func TestStudiesAreToldAsTheyWereMade(t *testing.T) {
	public := func(d *face.Deps) { d.PublicURL = "http://hub" }
	remembering := clinic(t, public)
	making := clinic(t, public, func(d *face.Deps) { d.Rows = nil })
	queries := []string{"", "limit=1", "limit=1&offset=1", "PatientID=P1", "PatientID=none", "StudyDate=20240301-20250301", "ModalitiesInStudy=CT",
		"includefield=all", "includefield=SOPClassesInStudy", "includefield=00091002", "includefield=StudyDescription,PatientSex", "includefield=OtherPatientIDs&PatientID=P2",
		"includefield=NumberOfPatientRelatedStudies", "includefield=00080056", "includefield=RetrieveURL", "includefield=00209158",
		"PatientName=wang*&fuzzymatching=true", "00400275.00401001=R1"}
	told := func(c *client) []audit.Event {
		c.trail.mu.Lock()
		defer c.trail.mu.Unlock()
		events := slices.Clone(c.trail.events)
		c.trail.events = nil
		return events
	}
	compare := func(when string) {
		t.Helper()
		for _, level := range []string{"/studies", "/studies/1.1/series", "/series"} {
			for _, q := range queries {
				told(making)
				want := making.get(level + "?" + q)
				noted := fmt.Sprint(told(making))
				for round := range 3 {
					told(remembering)
					got := remembering.get(level + "?" + q)
					if got.status != want.status || string(got.body) != string(want.body) {
						t.Fatalf("%s, %s?%s, round %d: %d %s\nwant %d %s", when, level, q, round, got.status, got.body, want.status, want.body)
					}
					if got := fmt.Sprint(told(remembering)); got != noted {
						t.Fatalf("%s, %s?%s, round %d: the trail was told %s, want %s", when, level, q, round, got, noted)
					}
				}
			}
		}
	}
	both := func(do func(c *client)) { do(remembering); do(making) }
	compare("at first")
	both(func(c *client) {
		c.stow(dataSet(t, "1.1", "1.1.3", "1.1.3.1", `"00080060":{"vr":"CS","Value":["MR"]},"00100020":{"vr":"LO","Value":["P1"]}`),
			dataSet(t, "1.0", "1.0.1", "1.0.1.1", `"00080005":{"vr":"CS","Value":["ISO_IR 192"]}`)).want(200)
	})
	compare("after it has grown")
	both(func(c *client) { c.do("DELETE", "/studies/1.1/series/1.1.1", nil).want(204) })
	compare("after a series was deleted")
	both(func(c *client) {
		c.rules.hidden = func(_ access.Caller, rec *hub.Record) bool {
			return rec.Member == "village" && strings.HasPrefix(rec.Name.ID, "1.2")
		}
	})
	compare("while a study is hidden")
	both(func(c *client) { c.rules.hidden = nil })
	compare("after it was hidden")
	both(func(c *client) { c.do("DELETE", "/studies/1.2", nil).want(204) })
	compare("after a study was deleted")
}

// A member who may ask for anything can make the hub remember only so many kinds of rows; beyond them answers are made, and right.
func TestKindsOfRowsAreBounded(t *testing.T) {
	c := clinic(t)
	tags := []string{}
	for i := range 40 {
		tag := dicom.Tag(0x00100000 + 0x10*i).Hex()
		tags = append(tags, tag)
		got := c.get("/studies?PatientID=P1&includefield=" + strings.Join(tags, ",")).want(200)
		if uids := got.found("0020000D"); !slices.Equal(uids, []string{"1.1"}) {
			t.Errorf("with %d attributes: %v", len(tags), uids)
		}
	}
}
