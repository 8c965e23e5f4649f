package keepertest

import (
	"context"
	"flag"
	"net"
	"os"
	"testing"

	"concord/storage/keeper"
)

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		_ = flag.Set("rapid.checks", "2000") // sequences
	}
	_ = flag.Set("rapid.nofailfile", "true")
	os.Exit(m.Run())
}

// servers starts a keeper and a real Redis.
func servers(t testing.TB) (got, want Dialer) {
	t.Helper()
	addr := StartRedis(t)
	k := keeper.New(keeper.Options{})
	t.Cleanup(func() { _ = k.Close() })
	return func() (net.Conn, error) { return k.Dial(context.Background(), "", "") },
		func() (net.Conn, error) { return net.Dial("tcp", addr) }
}

func TestTheKeeperAnswersAsRedisDoes(t *testing.T) {
	got, want := servers(t)
	Compare(t, got, want)
}

func TestTheKeeperAnswersRandomCommandsAsRedisDoes(t *testing.T) {
	got, want := servers(t)
	CompareRandom(t, got, want)
}
