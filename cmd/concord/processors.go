package main

import (
	"os"
	"runtime"
)

// mostSpare is how many processors more than there are the runtime is told of.
const mostSpare = 4

// spareProcessors lets the runtime go on with other work while files are written. A call that waits for the disk keeps its
// processor of the runtime until a watcher takes it away, tens of microseconds later, and a hub makes thousands of such calls a second
// (ADR 21). What the environment says of GOMAXPROCS counts. Where other processes do that work, they need the processors themselves.
func spareProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		n := runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(n + min(n, mostSpare))
	}
}
