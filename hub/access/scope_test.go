package access_test

import (
	"strings"
	"testing"

	"concord/hub"
	"concord/hub/access"
)

func TestScopesCoverWhatSMARTSays(t *testing.T) {
	cases := []struct {
		scope  string
		action access.Action
		typ    string
		want   bool
	}{
		{"system/*.*", access.Delete, "Patient", true},
		{"system/*.read", access.Read, "Patient", true},
		{"system/*.read", access.Search, "Patient", true},
		{"system/*.read", access.Create, "Patient", false},
		{"system/*.write", access.Update, "Patient", true},
		{"system/*.write", access.Read, "Patient", false},
		{"system/Observation.read", access.Read, "Observation", true},
		{"system/Observation.read", access.Read, "Patient", false},
		{"system/*.rs", access.Search, "ImagingStudy", true},
		{"system/*.r", access.Search, "ImagingStudy", false},
		{"system/*.cruds", access.Create, "Bundle", true},
		{"system/Observation.rs system/Patient.c", access.Create, "Patient", true},
		{"system/Observation.rs system/Patient.c", access.Create, "Observation", false},
		{"system/Patient.r system/*.c", access.Read | access.Create, "Patient", true},
		// unknown parts grant nothing
		{"patient/*.rs", access.Read, "Patient", false},
		{"system/*.sr", access.Read, "Patient", false},
		{"system/*.rr", access.Read, "Patient", false},
		{"system/Observation.rs?category=laboratory", access.Read, "Observation", false},
		{"system/.rs", access.Read, "", false},
		{"metrics", access.Read, "Patient", false},
		{"", access.Read, "Patient", false},
	}
	for _, c := range cases {
		for how, who := range map[string]access.Caller{"verified": access.NewCaller("a", c.scope, "1"), "made by hand": {Member: "a", Scope: c.scope}} {
			err := who.May(c.action, c.typ)
			if (err == nil) != c.want {
				t.Errorf("%q %v %s (%s): %v, want %v", c.scope, c.action, c.typ, how, err, c.want)
			}
			if err != nil && !hub.Is(err, hub.Forbidden) {
				t.Errorf("%q: %v is not Forbidden", c.scope, err)
			}
		}
	}
}

func TestTheRefusalNamesTheMissingScope(t *testing.T) {
	err := access.NewCaller("a", "system/*.rs", "1").May(access.Create, "Observation")
	if err == nil || !strings.Contains(err.Error(), "system/Observation.c ") {
		t.Fatal(err)
	}
}

func TestScopesTheHubDoesNotHaveAreNotIssued(t *testing.T) {
	for _, bad := range []string{"", " ", "system/*.sr", "user/*.rs", "system/Observation", "system/Obs/x.rs", "openid", "system/*.", "system/*.rs admin"} {
		if err := access.CheckScope(bad); !hub.Is(err, hub.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"system/*.*", "system/Observation.read system/*.rs", "metrics", "integration", access.AllResources} {
		if err := access.CheckScope(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestMembersReadAllAndChangeTheirOwn(t *testing.T) {
	var p access.Policy = access.Mutual{}
	who := access.NewCaller("county", access.AllResources, "1")
	if err := p.MayRead(who, &hub.Record{Member: "village"}); err != nil {
		t.Error(err)
	}
	if err := p.MayChange(who, "county"); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"another's record":             p.MayChange(who, "village"),
		"nobody reads":                 p.MayRead(access.Caller{}, &hub.Record{}),
		"nobody owns what nobody owns": p.MayChange(access.Caller{}, ""),
	} {
		if !hub.Is(err, hub.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAScopeThatIsRefusedGrantsNothingNew(f *testing.F) {
	for _, s := range []string{"system/*.*", "system/Observation.rs metrics", "system/*.cruds patient/*.r", "system/a.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		who := access.NewCaller("a", scope, "1")
		if who.May(access.Read, "Patient") == nil && !strings.Contains(scope, "system/") {
			t.Fatalf("%q lets read", scope)
		}
	})
}

func TestWhoEditsTheCatalogueIsAPersonWithItsScope(t *testing.T) {
	person := access.NewCaller("a", "catalogue", "1")
	person.Person = "zhang"
	for say, who := range map[string]access.Caller{"a token of nobody": access.NewCaller("a", "catalogue", "1"), "another scope": {Member: "a", Person: "zhang", Scope: "system/*.*"}} {
		if err := who.MayCatalogue(); !hub.Is(err, hub.Forbidden) {
			t.Errorf("%s: %v", say, err)
		}
	}
	if err := person.MayCatalogue(); err != nil {
		t.Error(err)
	}
	if err := person.May(access.Read, "Patient"); err == nil {
		t.Error("the scope catalogue reads patients")
	}
}
