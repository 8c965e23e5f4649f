package dicomweb

import (
	"strconv"
	"testing"
	"time"
)

func TestStudiesWaitUntilTheyAreQuietAndNotTooMany(t *testing.T) {
	var w waiting
	now := time.Now()
	taken := func(after time.Duration, want string) {
		t.Helper()
		if got, ok := w.take(now.Add(after)); got != want || ok != (want != "") {
			t.Errorf("after %v: took %q, want %q", after, got, want)
		}
	}
	w.add("1.2", now.Add(3*time.Second))
	taken(2*time.Second, "")
	w.add("1.2", now.Add(5*time.Second)) // it grows
	taken(4*time.Second, "")
	taken(5*time.Second, "1.2")
	taken(6*time.Second, "")
	for i := range prepareAhead + 10 {
		w.add(strconv.Itoa(i), now)
	}
	w.add("0", now.Add(time.Hour)) // one that waits already
	if n := len(w.when); n != prepareAhead || !w.when["0"].After(now) {
		t.Errorf("%d studies wait", n)
	}
}
