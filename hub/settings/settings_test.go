package settings_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"concord/hub"
	"concord/hub/settings"
	"concord/internal/memobjects"
)

func TestTheFirstStartFixesTheSettingsAndLaterOnesReadThem(t *testing.T) {
	store := &memobjects.Store{}
	first, err := settings.Load(t.Context(), store, settings.Wanted{DicomPartitions: 4})
	if err != nil {
		t.Fatal(err)
	}
	if first.ID == "" || first.DicomPartitions != 4 || first.RecordSlots != 64 || len(first.TokenKey) != 32 {
		t.Fatalf("settings of a new bucket: %v", first)
	}
	second, err := settings.Load(t.Context(), store, settings.Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	if second.ID != first.ID || string(second.TokenKey) != string(first.TokenKey) || !second.Created.Equal(first.Created) {
		t.Fatalf("second start read %v, first wrote %v", second, first)
	}
	if got := second.Partitions(); fmt.Sprint(got) != "[records dicom-00 dicom-01 dicom-02 dicom-03]" {
		t.Fatalf("partitions %v", got)
	}
}

func TestOtherValuesThanTheBucketsAreRefusedWithARemedy(t *testing.T) {
	store := &memobjects.Store{}
	if _, err := settings.Load(t.Context(), store, settings.Wanted{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []settings.Wanted{{DicomPartitions: 8}, {RecordSlots: 65}} {
		_, err := settings.Load(t.Context(), store, want)
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != hub.Conflict || e.Hint == "" {
			t.Errorf("%+v: %v", want, err)
		}
	}
	if _, err := settings.Load(t.Context(), store, settings.Wanted{DicomPartitions: settings.DefaultDicomPartitions, RecordSlots: 64}); err != nil {
		t.Errorf("asking for what is there: %v", err)
	}
}

func TestRacingFirstStartsAgree(t *testing.T) {
	for range 20 {
		store := &memobjects.Store{}
		var got [8]settings.Settings
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				s, err := settings.Load(t.Context(), store, settings.Wanted{})
				if err != nil {
					t.Error(err)
				}
				got[i] = s
			})
		}
		wg.Wait()
		for _, s := range got[1:] {
			if s.ID != got[0].ID || string(s.TokenKey) != string(got[0].TokenKey) {
				t.Fatal("two processes started with different settings")
			}
		}
	}
}

func TestALostAnswerToTheFirstPutIsSettledByReading(t *testing.T) {
	store := &memobjects.Store{AfterPut: func(context.Context, string) error { return errors.New("connection reset") }}
	s, err := settings.Load(t.Context(), store, settings.Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := settings.Load(t.Context(), store, settings.Wanted{})
	if err != nil || again.ID != s.ID {
		t.Fatalf("%v, %v", again, err)
	}
}

func TestDamagedBucketsAreNotStartedOn(t *testing.T) {
	cases := map[string]struct {
		damage func(*memobjects.Store)
		kind   hub.ErrKind
	}{
		"a newer format":          {set("config/consortium.json", `{"format":2,"id":"x","dicomPartitions":16,"recordSlots":64}`), hub.Unsupported},
		"settings that are cut":   {set("config/consortium.json", `{"format":1,"id":`), hub.Corrupt},
		"no partitions":           {set("config/consortium.json", `{"format":1,"id":"x","recordSlots":64}`), hub.Corrupt},
		"a short token key":       {set("config/token.key", "c2hvcnQ="), hub.Corrupt},
		"a key that is no base64": {set("config/token.key", "%%%"), hub.Corrupt},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := &memobjects.Store{}
			if _, err := settings.Load(t.Context(), store, settings.Wanted{}); err != nil {
				t.Fatal(err)
			}
			c.damage(store)
			if _, err := settings.Load(t.Context(), store, settings.Wanted{}); !hub.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
		})
	}
	t.Run("a log without settings", func(t *testing.T) {
		store := &memobjects.Store{}
		if err := store.PutNew(t.Context(), hub.LogKey("records", 1), 2, strings.NewReader("{}")); err != nil {
			t.Fatal(err)
		}
		if _, err := settings.Load(t.Context(), store, settings.Wanted{}); !hub.Is(err, hub.Corrupt) {
			t.Fatalf("got %v", err)
		}
	})
}

func set(key, value string) func(*memobjects.Store) {
	return func(s *memobjects.Store) { s.Change(key, func([]byte) []byte { return []byte(value) }) }
}

func TestTheTokenKeyIsNeverPrinted(t *testing.T) {
	s, err := settings.Load(t.Context(), &memobjects.Store{}, settings.Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(form, s); !strings.Contains(out, "(secret)") {
			t.Errorf("%s prints the key: %s", form, out)
		}
	}
}

func TestAStudyStaysWhereItWasPut(t *testing.T) {
	s := settings.Settings{DicomPartitions: 16}
	golden := map[string]hub.Partition{"": "dicom-05", "1": "dicom-12", "1.2.3": "dicom-15"} // changing one loses studies
	for uid, p := range golden {
		if got := s.DicomPartition(uid); got != p {
			t.Errorf("%q lies in %s, want %s", uid, got, p)
		}
	}
}
