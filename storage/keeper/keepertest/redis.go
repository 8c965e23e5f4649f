package keepertest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// StartRedis runs a redis-server of its own for the test, empty and without persistence, on a free loopback
// port, and stops it when the test ends. Without a redis-server in PATH the test is skipped, except where CI=true:
// there it fails.
func StartRedis(t testing.TB) (addr string) {
	t.Helper()
	return start(t, binary(t))
}

// StartCluster runs a Redis Cluster of three masters without replicas for the test, all slots assigned and the
// state ok on each of them, and stops it when the test ends. It skips or fails as StartRedis does.
func StartCluster(t testing.TB) (addrs []string) {
	t.Helper()
	path := binary(t)
	const nodes, slots = 3, 16384
	buses := make([]string, nodes)
	clients := make([]*redis.Client, nodes)
	for i := range nodes {
		buses[i] = strconv.Itoa(freePort(t))
		addr := start(t, path, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
			"--cluster-config-file", "nodes.conf", "--cluster-port", buses[i])
		addrs = append(addrs, addr)
		clients[i] = redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true})
		defer clients[i].Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, c := range clients {
		err := c.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", i*slots/nodes, (i+1)*slots/nodes-1).Err()
		if err == nil {
			// Epochs that differ from the start spare the nodes the settling of a collision.
			err = c.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err()
		}
		if err != nil {
			t.Fatalf("assign slots to %s: %v", addrs[i], err)
		}
	}
	for i := range addrs[1:] {
		host, port, _ := net.SplitHostPort(addrs[i+1])
		if err := clients[0].Do(ctx, "CLUSTER", "MEET", host, port, buses[i+1]).Err(); err != nil {
			t.Fatalf("introduce %s: %v", addrs[i+1], err)
		}
	}
	for i, c := range clients {
		await(t, "cluster state ok on "+addrs[i], func() bool {
			info, err := c.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, "cluster_known_nodes:3") && strings.Contains(info, "cluster_size:3")
		})
	}
	return addrs
}

const patience = 20 * time.Second

func binary(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatal("redis-server is not in PATH; this test needs it")
	default:
		t.Skip("skipped: redis-server is not in PATH (install redis-server to run this test)")
	}
	return ""
}

// start runs one server. A port that another process takes in the meantime is answered with another try.
func start(t testing.TB, path string, args ...string) (addr string) {
	t.Helper()
	var said string
	for range 5 {
		if addr, said = try(t, path, args); addr != "" {
			return addr
		}
	}
	t.Fatalf("start redis-server: it ended at once and said:\n%s", said)
	return ""
}

func try(t testing.TB, path string, args []string) (addr, said string) {
	t.Helper()
	dir := t.TempDir()
	addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	_, port, _ := net.SplitHostPort(addr)
	var out bytes.Buffer
	cmd := exec.Command(path, append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", dir,
		"--save", "", "--appendonly", "no"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop := func() { _ = cmd.Process.Kill(); <-ended }

	client := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1})
	defer client.Close()
	pid := fmt.Sprintf("process_id:%d\r\n", cmd.Process.Pid)
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		select {
		case <-ended:
			return "", out.String()
		default:
		}
		// The process id tells our server from one that took the port before it.
		if info, err := client.Info(context.Background(), "server").Result(); err == nil && strings.Contains(info, pid) {
			t.Cleanup(stop)
			return addr, ""
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	return "", "no answer within " + patience.String() + "\n" + out.String()
}

// freePort finds a loopback port nobody listens on now, low enough that nothing is derived beyond 65535.
func freePort(t testing.TB) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if port < 55000 {
			return port
		}
	}
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
