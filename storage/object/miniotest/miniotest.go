// Package miniotest runs a MinIO server for a test.
package miniotest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Binary is the environment variable that holds the path of a minio binary.
const Binary = "CONCORD_TEST_MINIO"

// guard runs the server and stops it when its own standard input ends, which happens even when the test is killed.
const guard = `"$@" & server=$!; cat >/dev/null; kill $server; wait $server`

// Start runs a MinIO of the test's own on a free port of the loopback interface, with random credentials and its data
// in a temporary folder, and stops it when the test ends. It returns the location of a bucket that does not exist yet,
// as s3.Open takes it. Without a binary the test is skipped, or fails where CI=true.
func Start(t testing.TB) (url string) {
	t.Helper()
	binary := os.Getenv(Binary)
	if binary == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not set: it must be the path of a minio binary", Binary)
		}
		t.Skipf("skipped, because there is no MinIO: set %s to the path of a minio binary", Binary)
	}
	if _, err := exec.LookPath(binary); err != nil {
		t.Fatalf("%s: %v", Binary, err)
	}
	const attempts = 3 // another process may take the free port first
	for range attempts {
		if url := start(t, binary, freePort(t)); url != "" {
			return url
		}
	}
	t.Fatal("MinIO does not start")
	return ""
}

func start(t testing.TB, binary, address string) string {
	key, secret := strings.ToLower(rand.Text()[:12]), rand.Text()
	server := exec.Command("sh", "-c", guard, "sh", binary, "server", t.TempDir(), "--quiet", "--address", address)
	server.Env = append(os.Environ(), "MINIO_ROOT_USER="+key, "MINIO_ROOT_PASSWORD="+secret, "MINIO_BROWSER=off", "MINIO_UPDATE=off")
	output := &lockedBuffer{}
	server.Stdout, server.Stderr = output, output
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { input.Close(); _ = server.Wait() }
	if !ready(address) {
		stop()
		t.Logf("MinIO did not become ready at %s: %s", address, output)
		return ""
	}
	t.Cleanup(stop)
	return fmt.Sprintf("http://%s:%s@%s/concord-%s", key, secret, address, strings.ToLower(rand.Text()[:8]))
}

// ready waits until the server refuses a request without credentials: before that, its health page says ready while
// requests are still answered with 503.
func ready(address string) bool {
	client := http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		answer, err := client.Get("http://" + address + "/")
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusForbidden && strings.HasPrefix(answer.Header.Get("Server"), "MinIO") {
			return true
		}
	}
	return false
}

func freePort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
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
