package dimse

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"concord/hub"
	"concord/internal/upperlayer"
)

func TestProposalsHaveRoomForEachSyntaxAndWhatItDecodesTo(t *testing.T) {
	items := []item{{class: "1.1", syntax: "1.2.3"}, {class: "1.1", syntax: "1.2.3"}, {class: "1.1", syntax: explicitLittle}, {class: "2.2", syntax: implicitLittle}}
	batch, contexts := proposals(items)
	if len(batch) != len(items) {
		t.Errorf("%d items of %d", len(batch), len(items))
	}
	var got []string
	for i, c := range contexts {
		if c.ID != byte(2*i+1) || len(c.Transfer) != 1 {
			t.Errorf("context %d has id %d and %v", i, c.ID, c.Transfer)
		}
		got = append(got, c.Abstract+" "+c.Transfer[0])
	}
	want := []string{"1.1 1.2.3", "1.1 " + explicitLittle, "1.1 " + implicitLittle, "2.2 " + implicitLittle, "2.2 " + explicitLittle}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestProposalsAreSplitWhereAnAssociationIsFull(t *testing.T) {
	var items []item
	for i := range 100 {
		items = append(items, item{class: fmt.Sprintf("1.%d", i), syntax: "1.2.3"})
	}
	sent := 0
	for len(items) > 0 {
		batch, contexts := proposals(items)
		if len(batch) == 0 || len(contexts) > mostContexts {
			t.Fatalf("a batch of %d with %d contexts", len(batch), len(contexts))
		}
		sent += len(batch)
		items = items[len(batch):]
	}
	if sent != 100 {
		t.Errorf("%d items were proposed", sent)
	}
}

func TestRetrievalsCountWhatBecomesOfEachInstance(t *testing.T) {
	r := &retrieval{total: 4}
	for _, c := range []struct {
		status upperlayer.Status
		err    error
	}{{upperlayer.Success, nil}, {0xB000, nil}, {0xA700, nil}, {0, errNoContext}} {
		r.count(&item{instance: "1.2"}, c.status, c.err)
	}
	if s := r.counts(true); s.Completed != 1 || s.Warning != 1 || s.Failed != 2 || s.Remaining != 0 || len(r.lost) != 2 {
		t.Errorf("%+v, lost %v", s, r.lost)
	}
}

func TestErrorsHaveTheStatusesOfTheTable(t *testing.T) {
	for err, want := range map[error]upperlayer.Status{
		&hub.Error{Kind: hub.Invalid}:     identifierMismatch,
		&hub.Error{Kind: hub.TooCostly}:   outOfResources,
		&hub.Error{Kind: hub.Unavailable}: outOfResources,
		&hub.Error{Kind: hub.Forbidden}:   upperlayer.NotAuthorized,
		errors.New("anything"):            unableToProcess,
	} {
		if got := refusal(err).Status; got != want {
			t.Errorf("%v is %v, not %v", err, got, want)
		}
	}
}

func TestExtendedNegotiationAgreesToWhatIsAskedForAndSupported(t *testing.T) {
	for _, c := range []struct {
		name      string
		agree     func([]byte) []byte
		ask, want []byte
	}{
		{"nothing asked", queryExtensions, []byte{}, []byte{}},
		{"relational queries alone", queryExtensions, []byte{1}, []byte{1}},
		{"fuzzy names, and time zones which are not done", queryExtensions, []byte{0, 0, 1, 1}, []byte{0, 0, 1, 0}},
		{"everything", queryExtensions, []byte{1, 1, 1, 1, 1, 1, 1}, []byte{1, 1, 1, 0, 0, 1, 1}},
		{"bytes of a later standard", queryExtensions, []byte{0, 0, 0, 0, 0, 0, 1, 1}, []byte{0, 0, 0, 0, 0, 0, 1}},
		{"no conversion of multi-frame instances", retrieveExtensions, []byte{1, 1}, []byte{1, 0}},
		{"values that mean nothing", queryExtensions, []byte{2, 255}, []byte{0, 0}},
		{"the worklist's fuzzy names", worklistExtensions, []byte{1, 1, 1}, []byte{0, 1, 0}},
	} {
		if got := c.agree(c.ask); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestErrandsAreTriedLaterAndLater(t *testing.T) {
	r := Retry{}.orDefault()
	for n, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 4: 40 * time.Second, 20: time.Hour, 1000: time.Hour} {
		if got := r.after(n); got != want {
			t.Errorf("after try %d: %v", n, got)
		}
	}
}
