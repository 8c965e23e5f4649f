// Package hubproc runs real hub processes for tests: it builds the binary once, starts it on free loopback ports,
// makes members and tokens with the command line, and kills and restarts what it started.
//
// The words: Stores say where a hub keeps everything (a folder; MinIO; Redis), as the command line takes it. A Hub is
// one process on Stores that keeps its address when it is started again. A Client asks a hub as one member.
package hubproc

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BinaryVariable names a binary that is to be tested instead of the one built from this checkout.
const BinaryVariable = "CONCORD_TEST_BINARY"

var built struct {
	once   sync.Once
	folder string
	path   string
	err    error
}

// Main runs a package's tests and removes the binary afterwards. It is the whole of TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if built.folder != "" {
		os.RemoveAll(built.folder)
	}
	os.Exit(code)
}

// Binary is the path of the hub's binary, which the first call of a test run builds.
func Binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.path = os.Getenv(BinaryVariable); built.path != "" {
			return
		}
		if built.folder, built.err = os.MkdirTemp("", "concord-e2e-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.folder, "concord")
		if out, err := exec.Command("go", "build", "-o", built.path, "concord/cmd/concord").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the hub: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// Stores say where hubs keep everything. Hubs on the same S3 and Redis are one hub.
type Stores struct {
	Data  string // a folder; always set
	S3    string // empty: the folder
	Redis string // empty: the embedded keeper
}

// Embedded are stores in a folder that ends with the test.
func Embedded(t testing.TB) Stores { return Stores{Data: t.TempDir()} }

func (s Stores) flags() []string {
	flags := []string{"--data", s.Data}
	if s.S3 != "" {
		flags = append(flags, "--s3", s.S3)
	}
	if s.Redis != "" {
		flags = append(flags, "--redis", s.Redis)
	}
	return flags
}

// Command runs a command that takes the stores ("fsck", "--deep") and returns what it printed on either output;
// the error says that it exited with another code than 0.
func (s Stores) Command(t testing.TB, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(t), append(args, s.flags()...)...)
	cmd.Env = environment()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// Must is Command for commands that have to succeed; it returns their standard output.
func (s Stores) Must(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, err := s.Command(t, args...)
	if err != nil {
		t.Fatalf("concord %s: %v\n%s%s", strings.Join(args, " "), err, clip(out), clip(errs))
	}
	return out
}

// Member takes an institution in and returns a token of it with every scope.
func (s Stores) Member(t testing.TB, id string) (token string) {
	t.Helper()
	s.Must(t, "member", "add", id, "--name", "机构 "+id)
	return s.Token(t, id)
}

// Token returns another token of a member; flags may narrow its scope.
func (s Stores) Token(t testing.TB, member string, flags ...string) string {
	t.Helper()
	return strings.TrimSpace(s.Must(t, append([]string{"token", "--member", member}, flags...)...))
}

// Hub is one hub process, or the place of one that is down at the moment. Its methods are for one goroutine.
type Hub struct {
	URL    string // http://127.0.0.1:port, the same after a restart
	Stores Stores

	t     testing.TB
	flags []string
	proc  *Process
}

// Start runs a hub and waits until it is ready. It ends with the test, and if the test failed its log is shown.
func Start(t testing.TB, s Stores, flags ...string) *Hub {
	t.Helper()
	address := FreeAddress(t)
	args := append([]string{"serve", "--listen", address, "--drain", "2s"}, s.flags()...)
	h := &Hub{URL: "http://" + address, Stores: s, t: t, flags: append(args, flags...)}
	h.proc = NewProcess(t, "hub "+address, Binary(t), h.flags...)
	h.Launch()
	h.AwaitReady(30 * time.Second)
	return h
}

// Launch starts the process and does not wait.
func (h *Hub) Launch() { h.t.Helper(); h.proc.Launch() }

// Restart starts a hub that is down and waits until it is ready.
func (h *Hub) Restart() {
	h.t.Helper()
	h.Launch()
	h.AwaitReady(30 * time.Second)
}

// Kill ends the process with SIGKILL, as a power cut does, and returns when it is gone.
func (h *Hub) Kill() { h.proc.End(syscall.SIGKILL) }

// Stop asks the process to finish and returns when it is gone.
func (h *Hub) Stop() { h.proc.End(syscall.SIGTERM) }

// PID is the process's number, for looking at its memory. The hub must be up.
func (h *Hub) PID() int { return h.proc.cmd.Process.Pid }

// Log is what the process and those before it wrote on standard error.
func (h *Hub) Log() string { return h.proc.Output() }

// Ready reports whether the hub says that it answers.
func (h *Hub) Ready() bool {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get(h.URL + "/readyz")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// AwaitReady waits for Ready and fails the test when it does not come, or when the process ends before.
func (h *Hub) AwaitReady(patience time.Duration) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !h.Ready(); time.Sleep(5 * time.Millisecond) {
		if h.proc.Ended() {
			h.t.Fatalf("the hub ended instead of becoming ready")
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("the hub is not ready after %v", patience)
		}
	}
}

// Client asks this hub with a token.
func (h *Hub) Client(token string) *Client { return NewClient(h.URL, token) }

// environment is ours without settings that would change what is tested.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CONCORD_") {
			env = append(env, v)
		}
	}
	return env
}

// clip keeps the end of a long output.
func clip(s string) string {
	const most = 8 << 10
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}
