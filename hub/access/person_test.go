package access_test

import (
	"strings"
	"testing"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/memobjects"
)

func TestATokenOfTheCatalogueNamesItsPerson(t *testing.T) {
	o := open(t, &memobjects.Store{})
	add(t, o, "county")
	is := access.NewIssuer("alliance", key, o.Registry, nil)
	for _, person := range []string{"张伟", "li.na@county"} {
		token, err := is.IssueTo(person, "county", access.Catalogue, 0)
		if err != nil {
			t.Fatal(err)
		}
		if who, err := is.Verify(token); err != nil || who.Person != person || who.MayCatalogue() != nil {
			t.Errorf("%+v, %v", who, err)
		}
	}
	for _, person := range []string{"", "x", "a b", "a\nb", "a/b", "\xff\xfe", strings.Repeat("a", 65)} {
		if _, err := is.IssueTo(person, "county", access.Catalogue, 0); !hub.Is(err, hub.Invalid) {
			t.Errorf("%q: %v", person, err)
		}
	}
}

func TestNoInstitutionIsTheHubItself(t *testing.T) {
	o := open(t, &memobjects.Store{})
	if _, err := o.desk.Add(t.Context(), access.Member{ID: access.Hub, Name: "x", Tier: access.Lead}); !hub.Is(err, hub.Invalid) {
		t.Error(err)
	}
}
