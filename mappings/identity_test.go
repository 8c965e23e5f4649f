package mappings

import (
	"strings"
	"testing"

	"concord/hub/identity"
)

func TestTheModelThatComesWithTheProgramIsSound(t *testing.T) {
	m, err := Identity()
	if err != nil {
		t.Fatal(err)
	}
	if m.Version == "" || !strings.Contains(string(identityWeights), "concord identity train") || !strings.HasPrefix(m.Stamp(), "identity-keys/") {
		t.Error("the model does not tell where it comes from")
	}
	for field, levels := range m.Weights { // the fullest agreement speaks for one person, none against it
		names := identity.LevelNames(field)
		first, last := levels[names[0]], levels[names[len(names)-1]]
		if first.Same <= first.Stranger || last.Same >= last.Stranger {
			t.Errorf("%s: %+v and %+v", field, first, last)
		}
	}
	for from, to := range m.Variants {
		if again, ok := m.Variants[to]; ok && again != to {
			t.Errorf("%c is compared as %c, which is compared as %c", from, to, again)
		}
	}
}

func TestFaultsOfAModelAreToldWithTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"a word that nobody knows", "key_holders: 64", "key_holder: 64", "key_holder"},
		{"thresholds in the wrong order", "ask: 0.5", "ask: 0.9999", "ask < link"},
		{"no citizen numbers", "resident: true, ", "", "no kind is that of citizen numbers"},
		{"a form that is none", "'^[0-9A-Z]{5,15}$'", "'^[0-9A-Z'", "regular expression"},
		{"a system twice", "urn:concord:travel-permit", "urn:concord:passport", "belongs to kind passport already"},
		{"a variant of three", "張张", "張张张", "no pair of characters"},
		{"an empty ending", "[之大子", "['', 之大子", "everybody a newborn"},
		{"no provenance", "types: [HC], form: '^[0-9A-Z]{8,64}$', source: S", "types: [HC], form: '^[0-9A-Z]{8,64}$', source: X", "source"},
	} {
		tables := IdentityTables()
		if !strings.Contains(string(tables.Data), c.old) {
			t.Fatalf("%s: the tables do not have %q", c.name, c.old)
		}
		tables.Data = []byte(strings.Replace(string(tables.Data), c.old, c.new, 1))
		if _, err := ParseIdentity(tables, IdentityWeights()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"a field that is not compared", "  sex:", "  shoe:", "no field is called shoe"},
		{"no version", "version: ", "version: \"\" # ", "need a version"},
	} {
		weights := IdentityWeights()
		weights.Data = []byte(strings.Replace(string(weights.Data), c.old, c.new, 1))
		if _, err := ParseIdentity(IdentityTables(), weights); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
