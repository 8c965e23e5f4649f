package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/e2e/hubproc"
	"concord/storage/object/miniotest"
)

// minioServer is a MinIO that can be killed and started again on its data.
type minioServer struct {
	*hubproc.Process
	t       testing.TB
	address string
	URL     string // as --s3 takes it
}

func startMinio(t *testing.T) *minioServer {
	t.Helper()
	binary := os.Getenv(miniotest.Binary)
	if binary == "" {
		missing(t, miniotest.Binary+" does not name a minio binary")
	}
	key, secret := strings.ToLower(rand.Text()[:12]), rand.Text()
	m := &minioServer{t: t, address: hubproc.FreeAddress(t)}
	m.URL = fmt.Sprintf("http://%s:%s@%s/concord", key, secret, m.address)
	m.Process = hubproc.NewProcess(t, "minio", binary, "server", t.TempDir(), "--quiet", "--address", m.address)
	for name, value := range map[string]string{"MINIO_ROOT_USER": key, "MINIO_ROOT_PASSWORD": secret, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"} {
		m.Setenv(name, value)
	}
	m.start()
	return m
}

func (m *minioServer) start() {
	m.t.Helper()
	m.Launch()
	client := http.Client{Timeout: time.Second}
	await(m.t, "MinIO", func() bool { // it refuses who has no credentials as soon as it takes requests
		a, err := client.Get("http://" + m.address + "/")
		if err != nil {
			return false
		}
		a.Body.Close()
		return a.StatusCode == http.StatusForbidden
	})
}

func (m *minioServer) kill() { m.End(syscall.SIGKILL) }

// redisServer is a Redis without persistence that can be emptied, killed and started again.
type redisServer struct {
	*hubproc.Process
	t       testing.TB
	URL     string // as --redis takes it
	clients []*redis.Client
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "redis-server is not in PATH")
	}
	address := hubproc.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	client := redis.NewClient(&redis.Options{Addr: address, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { client.Close() })
	r := &redisServer{t: t, URL: "redis://" + address + "/0", clients: []*redis.Client{client}}
	r.Process = hubproc.NewProcess(t, "redis", binary, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no", "--loglevel", "warning")
	r.start()
	return r
}

func (r *redisServer) start() {
	r.t.Helper()
	r.Launch()
	await(r.t, "Redis", func() bool { return r.clients[0].Ping(context.Background()).Err() == nil })
}

func (r *redisServer) kill() { r.End(syscall.SIGKILL) }

func (r *redisServer) flush() {
	r.t.Helper()
	for _, c := range r.clients {
		if err := c.FlushAll(context.Background()).Err(); err != nil {
			r.t.Fatalf("empty Redis: %v", err)
		}
	}
}

// missing skips the test, or fails it where everything has to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip("skipped: " + what)
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: nothing after 20 s", what)
		}
	}
}
