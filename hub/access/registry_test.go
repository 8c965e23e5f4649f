package access_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/hub/settings"
	"concord/internal/memobjects"
)

// office is one process on a store: a registry and a registrar.
type office struct {
	*access.Registry
	desk *access.Registrar
}

func open(t testing.TB, store hub.Objects) office {
	t.Helper()
	reg := access.NewRegistry(&projection.Log{Objects: store, Partition: settings.Access})
	if err := reg.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := commit.New(reg.Log(), reg, commit.Options{Resolve: time.Second})
	t.Cleanup(c.Close)
	return office{reg, &access.Registrar{Registry: reg, Committer: c, By: "operator"}}
}

func add(t testing.TB, o office, id string, aets ...string) (secret string) {
	t.Helper()
	secret, err := o.desk.Add(t.Context(), access.Member{ID: id, Name: "县人民医院", Tier: access.Lead, DICOM: access.DICOM{AETs: aets}})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestAMemberIsKnownToEveryProcessOnTheStore(t *testing.T) {
	store := &memobjects.Store{}
	hubOne, cli := open(t, store), open(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go hubOne.Run(ctx)

	secret := add(t, cli, "county", "CT1", "MR1")
	within(t, 1500*time.Millisecond, func() bool { _, ok := hubOne.Member("county"); return ok })
	m, ok := hubOne.ByAET("MR1 ")
	if !ok || m.ID != "county" || m.Name != "县人民医院" || m.Tier != access.Lead || m.Added.IsZero() {
		t.Fatalf("by AE title: %+v", m)
	}
	if _, err := hubOne.Authenticate("county", secret, time.Now()); err != nil {
		t.Fatal(err)
	}
	// the other process writes too, behind the first one's commit
	add(t, hubOne, "village")
	if err := cli.desk.Disable(t.Context(), "village"); err != nil {
		t.Fatal(err)
	}
	within(t, time.Second, func() bool { m, _ := hubOne.Member("village"); return m.Disabled })

	third := open(t, store)
	if got := third.Members(); len(got) != 2 || got[0].ID != "county" || !got[1].Disabled {
		t.Fatalf("a process that starts later sees %+v", got)
	}
}

func within(t *testing.T, d time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so within %v", d)
		}
	}
}

func TestMembersThatCannotBeAreRefused(t *testing.T) {
	o := open(t, &memobjects.Store{})
	add(t, o, "county", "CT1")
	cases := map[string]struct {
		m    access.Member
		kind hub.ErrKind
	}{
		"an id that exists":                 {access.Member{ID: "county", Name: "x", Tier: access.Lead}, hub.Conflict},
		"an id with a slash":                {access.Member{ID: "a/b", Name: "x", Tier: access.Lead}, hub.Invalid},
		"an id in capitals":                 {access.Member{ID: "County", Name: "x", Tier: access.Lead}, hub.Invalid},
		"an id of 33 characters":            {access.Member{ID: strings.Repeat("a", 33), Name: "x", Tier: access.Lead}, hub.Invalid},
		"no id":                             {access.Member{Name: "x", Tier: access.Lead}, hub.Invalid},
		"no tier":                           {access.Member{ID: "a", Name: "x"}, hub.Invalid},
		"a name with a line break":          {access.Member{ID: "a", Name: "x\ny", Tier: access.Lead}, hub.Invalid},
		"no name":                           {access.Member{ID: "a", Tier: access.Lead}, hub.Invalid},
		"an AE title of another member":     {access.Member{ID: "a", Name: "x", Tier: access.Lead, DICOM: access.DICOM{AETs: []string{"CT1"}}}, hub.Conflict},
		"an AE title of 17 characters":      {access.Member{ID: "a", Name: "x", Tier: access.Lead, DICOM: access.DICOM{AETs: []string{"ABCDEFGHIJKLMNOPQ"}}}, hub.Invalid},
		"an AE title with a backslash":      {access.Member{ID: "a", Name: "x", Tier: access.Lead, DICOM: access.DICOM{AETs: []string{`A\B`}}}, hub.Invalid},
		"an AE title with a trailing space": {access.Member{ID: "a", Name: "x", Tier: access.Lead, DICOM: access.DICOM{AETs: []string{"CT "}}}, hub.Invalid},
	}
	for name, c := range cases {
		if _, err := o.desk.Add(t.Context(), c.m); !hub.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
	if err := o.desk.Disable(t.Context(), "nobody"); !hub.Is(err, hub.NotFound) {
		t.Errorf("disable a member that is not: %v", err)
	}
	if n := len(o.Members()); n != 1 {
		t.Errorf("%d members after refusals, want 1", n)
	}
}

func TestOneOfTwoProcessesGetsAnAETitle(t *testing.T) {
	store := &memobjects.Store{}
	one, two := open(t, store), open(t, store)
	errs := make(chan error, 2)
	for id, o := range map[string]office{"one": one, "two": two} {
		go func() {
			_, err := o.desk.Add(t.Context(), access.Member{ID: id, Name: id, Tier: access.Community, DICOM: access.DICOM{AETs: []string{"SHARED"}}})
			errs <- err
		}()
	}
	first, second := <-errs, <-errs
	if (first == nil) == (second == nil) {
		t.Fatalf("both outcomes alike: %v, %v", first, second)
	}
	if err := errors.Join(first, second); !hub.Is(err, hub.Conflict) {
		t.Fatal(err)
	}
}

func TestTheStoreKeepsNoSecret(t *testing.T) {
	store := &memobjects.Store{}
	o := open(t, store)
	old := add(t, o, "county")
	fresh, err := o.desk.Renew(t.Context(), "county")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range store.Keys() {
		store.Change(key, func(data []byte) []byte {
			if strings.Contains(string(data), old) || strings.Contains(string(data), fresh) {
				t.Errorf("%s holds the secret", key)
			}
			return data
		})
	}
	if _, err := o.Authenticate("county", old, time.Now()); !hub.Is(err, hub.Unauthenticated) {
		t.Errorf("the old secret: %v", err)
	}
	if _, err := o.Authenticate("county", fresh, time.Now()); err != nil {
		t.Errorf("the new secret: %v", err)
	}
}

func TestASecretIsRefusedWithOneAnswerWhateverIsWrong(t *testing.T) {
	o := open(t, &memobjects.Store{})
	secret, gone := add(t, o, "county"), add(t, o, "gone")
	if err := o.desk.Disable(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	var said string
	for _, try := range [][2]string{{"county", secret + "x"}, {"county", ""}, {"nobody", secret}, {"", ""}, {"gone", gone}} {
		_, err := o.Authenticate(try[0], try[1], time.Now())
		if !hub.Is(err, hub.Unauthenticated) {
			t.Fatalf("%v: %v", try, err)
		}
		if said != "" && err.Error() != said {
			t.Errorf("%q differs from %q", err, said)
		}
		said = err.Error()
	}
	if err := o.desk.Enable(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Authenticate("gone", gone, time.Now()); err != nil {
		t.Errorf("after Enable: %v", err)
	}
}

func TestAListThatCannotBeReadIsNotBelievedForLong(t *testing.T) {
	var down atomic.Bool
	store := &memobjects.Store{BeforeOpen: func(context.Context, string) error {
		if down.Load() {
			return errors.New("store down")
		}
		return nil
	}}
	o := open(t, store)
	add(t, o, "county")
	down.Store(true)
	if err := o.Refresh(t.Context()); err == nil {
		t.Fatal("refreshed from a store that is down")
	}
	if _, err := o.Active("county", time.Now().Add(5*time.Second)); err != nil {
		t.Errorf("a short outage: %v", err)
	}
	if _, err := o.Active("county", time.Now().Add(time.Minute)); !hub.Is(err, hub.Unavailable) {
		t.Errorf("after a minute: %v", err)
	}
	if _, err := access.NewRegistry(o.Log()).Active("county", time.Now()); !hub.Is(err, hub.Unavailable) {
		t.Errorf("before the first look: %v", err)
	}
}
