package upload

import (
	"encoding/base64"
	"testing"
)

// A hub that was set up anew at the address of another one has nothing of what that one acknowledged.
func TestTheDefaultJournalIsThatOfOneConsortiumAndMember(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	path := func(token string) string {
		t.Helper()
		j, err := openJournal("", "http://hub", token, []string{"scans"})
		if err != nil {
			t.Fatal(err)
		}
		return j.path
	}
	first := path(token(`{"iss":"a","sub":"village","exp":1}`))
	if path(token(`{"iss":"a","sub":"village","exp":2}`)) != first {
		t.Error("a renewed token begins anew")
	}
	for what, other := range map[string]string{"consortium": `{"iss":"b","sub":"village"}`, "member": `{"iss":"a","sub":"town"}`} {
		if path(token(other)) == first {
			t.Errorf("another %s goes on with the same journal", what)
		}
	}
	for _, opaque := range []string{"", "secret", "a.!.c", "a." + base64.RawURLEncoding.EncodeToString([]byte("[]")) + ".c"} {
		if path(opaque) != path("another") {
			t.Errorf("a token that says nothing, %q, has a journal of its own", opaque)
		}
	}
}
