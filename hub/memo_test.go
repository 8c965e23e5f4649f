package hub_test

import (
	"errors"
	"testing"

	"concord/hub"
)

func TestWhatSeveralReadersShareIsReadOnce(t *testing.T) {
	for _, tc := range []struct {
		name string
		memo *hub.Memo
		want int
	}{
		{"with a memo", &hub.Memo{}, 1},
		{"without one, each reads for itself", nil, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reads, failure := 0, errors.New("it cannot be read")
			for range 3 {
				got, err := tc.memo.Of(func() (any, error) { reads++; return "read", failure })
				if got != "read" || err != failure {
					t.Errorf("got %v, %v", got, err)
				}
			}
			if reads != tc.want {
				t.Errorf("%d reads, want %d", reads, tc.want)
			}
		})
	}
}
