package hubproc

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Process is a server that can be killed and started again with the same arguments.
type Process struct {
	t    testing.TB
	name string
	path string
	args []string
	env  []string
	log  lockedBuffer

	cmd   *exec.Cmd
	ended chan struct{}
}

// NewProcess describes a process. Whatever runs of it when the test ends is killed; its output is shown if the test
// failed.
func NewProcess(t testing.TB, name, path string, args ...string) *Process {
	p := &Process{t: t, name: name, path: path, args: args, env: environment()}
	t.Cleanup(func() {
		p.End(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s said:\n%s", name, clip(remarkable(p.Output())))
		}
	})
	return p
}

// Setenv adds a variable to the environment of later launches.
func (p *Process) Setenv(key, value string) { p.env = append(p.env, key+"="+value) }

// Launch starts the process.
func (p *Process) Launch() {
	p.t.Helper()
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &p.log, &p.log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	p.cmd, p.ended = cmd, ended
}

// End sends the signal and returns when the process is gone. It does nothing when none runs.
func (p *Process) End(signal syscall.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal)
	<-p.ended
	p.cmd = nil
}

// Ended reports whether no process runs.
func (p *Process) Ended() bool {
	if p.cmd == nil {
		return true
	}
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Output is all that was written on standard output and error.
func (p *Process) Output() string { return p.log.String() }

// remarkable leaves out the lines about requests that were answered as usual, 503 included.
func remarkable(log string) string {
	lines := strings.SplitAfter(log, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
		return strings.Contains(line, `"msg":"request"`) && (strings.Contains(line, `"level":"INFO"`) || strings.Contains(line, `"status":503`))
	}), "")
}

// FreeAddress finds a loopback address that nobody listens on. It is below the ports that systems give to outgoing
// connections, so that a server that is down for a moment finds its own free again.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 200 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(15000+rand.IntN(15000)))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("find a free port: 200 were taken")
	return ""
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
