package upload

import (
	"os"
	"testing"
	"time"
)

func TestTheFirstInterruptStopsAndTheSecondCuts(t *testing.T) {
	ctx, stop, release := Interrupts(t.Context())
	defer release()
	interrupt := func() {
		t.Helper()
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Signal(os.Interrupt)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	wait := func(what string, done <-chan struct{}) {
		t.Helper()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatalf("no %s after an interrupt", what)
		}
	}
	interrupt()
	wait("stop", stop)
	if ctx.Err() != nil {
		t.Error("the first interrupt cut the running requests")
	}
	interrupt()
	wait("cut", ctx.Done())
}
