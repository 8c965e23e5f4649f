package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTransactionsOverSeveralTagsAreSeenWholeOrNotAtAll(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c := dialClient(t, k)
	ctx := context.Background()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 300 {
				n := w*1000 + i
				_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
					for tag := range 5 {
						// In another order each time: locks must not be taken as the commands come.
						p.Set(ctx, fmt.Sprintf("{t%d}", (tag+n)%5), n, 0)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 300 {
				vals, err := c.MGet(ctx, "{t0}", "{t1}", "{t2}", "{t3}", "{t4}").Result()
				if err != nil {
					t.Error(err)
				}
				for _, v := range vals[1:] {
					if v != vals[0] {
						t.Errorf("half a transaction: %v", vals)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestOfRacingTransactionsThatWatchOneKeyNoneIsLost(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c := dialClient(t, k)
	ctx := context.Background()
	const each, racers = 100, 4
	var wg sync.WaitGroup
	for range racers {
		wg.Go(func() {
			for done := 0; done < each; {
				err := c.Watch(ctx, func(tx *redis.Tx) error {
					n, err := tx.Get(ctx, "n").Int()
					if err != nil && !errors.Is(err, redis.Nil) {
						return err
					}
					_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "n", n+1, 0).Err() })
					return err
				}, "n")
				switch {
				case err == nil:
					done++
				case !errors.Is(err, redis.TxFailedErr):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n, _ := c.Get(ctx, "n").Int(); n != each*racers {
		t.Fatalf("%d increments were kept, want %d", n, each*racers)
	}
}

func TestAPipelineFarLargerThanAnyBufferIsAnswered(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	path := filepath.Join(t.TempDir(), "keeper.sock")
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- k.Serve(l) }()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the socket's mode is %v, %v", info.Mode(), err)
	}
	for name, c := range map[string]*redis.Client{
		"in memory":          dialClient(t, k),
		"over a unix socket": redis.NewClient(&redis.Options{Network: "unix", Addr: path, Protocol: 2, DisableIdentity: true}),
	} {
		value := strings.Repeat("v", 10_000)
		cmds, err := c.Pipelined(context.Background(), func(p redis.Pipeliner) error {
			for i := range 2000 {
				p.Set(context.Background(), fmt.Sprint("k", i), value, 0)
				p.Get(context.Background(), fmt.Sprint("k", i))
			}
			return nil
		})
		if err != nil || len(cmds) != 4000 {
			t.Fatalf("%s: %d replies, %v", name, len(cmds), err)
		}
		_ = c.Close()
	}
	_ = k.Close()
	if err := <-served; err != nil {
		t.Fatalf("Serve ends with %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the socket is left behind: %v", err)
	}
}

func TestAReadEndsAtItsDeadlineAndWhenTheConnectionCloses(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c, err := k.Dial(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	var timeout net.Error
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("at the deadline: %v", err)
	}
	_ = c.SetReadDeadline(time.Time{})
	time.AfterFunc(10*time.Millisecond, func() { _ = c.Close() })
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("after Close: %v", err)
	}
	if _, err := c.Write([]byte("PING\r\n")); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("a write after Close: %v", err)
	}
	_ = k.Close()
	if _, err := k.Dial(context.Background(), "", ""); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Dial after the keeper's Close: %v", err)
	}
}

func TestAClosedConnectionWatchesNothingMore(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c, _ := k.Dial(context.Background(), "", "")
	_, _ = c.Write([]byte("WATCH {a}1 {b}2\r\nMULTI\r\nSET {a}1 x\r\n"))
	_ = c.Close()
	for i := range k.spaces {
		if n := len(k.spaces[i].watchers); n != 0 {
			t.Fatalf("%d keys are still watched", n)
		}
	}
}

func TestKeysPastTheirTimeAreCollectedWhenTheirSpaceIsWrittenTo(t *testing.T) {
	now := time.Now()
	k := New(Options{Now: func() time.Time { return now }})
	defer k.Close()
	c := dialClient(t, k)
	ctx := context.Background()
	for i := range 100 {
		c.Set(ctx, fmt.Sprint("{t}", i), "v", time.Minute)
	}
	now = now.Add(time.Hour)
	for range 100 {
		c.Set(ctx, "{t}other", "v", 0)
	}
	if n := c.DBSize(ctx).Val(); n != 1 {
		t.Fatalf("%d keys are left", n)
	}
}

func TestRoomOfKeysThatGrowSideBySideIsUsedAgain(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c := dialClient(t, k)
	ctx := context.Background()
	for field := range 100 {
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range 300 {
				p.HSet(ctx, fmt.Sprint("{t}", i), field, "a packed head of 20b")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	keys := &k.spaces[spaceOf([]byte("{t}"))].keys
	if live := keys.mem.used() - keys.mem.spare; keys.mem.used() > live*3/2+chunkBytes {
		t.Fatalf("%d bytes are taken for %d in use", keys.mem.used(), live)
	}
	if got := c.HGetAll(ctx, "{t}7").Val(); len(got) != 100 || got["42"] != "a packed head of 20b" {
		t.Fatalf("a hash has %d fields after its blocks moved", len(got))
	}
}

func TestRequestsThatAreNoRedisProtocolEndTheConnection(t *testing.T) {
	for name, request := range map[string]string{
		"negative bulk length":      "*1\r\n$-1\r\n",
		"overflowing bulk length":   "*1\r\n$9223372036854775807\r\n",
		"huge bulk length":          "*1\r\n$536870913\r\n",
		"huge array":                "*99999999999\r\n",
		"array of something else":   "*1\r\n:1\r\n",
		"length that is no number":  "*x\r\n",
		"quotes that do not end":    "GET \"a\r\n",
		"line that does not end":    strings.Repeat("a", mostLine+1),
		"length that does not end":  "*1" + strings.Repeat("1", mostLine),
		"bulk head that is no head": "*1\r\n$" + strings.Repeat("1", mostLine),
	} {
		k := New(Options{})
		c, _ := k.Dial(context.Background(), "", "")
		_, _ = io.WriteString(c, request)
		reply, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(reply), "-ERR Protocol error: ") {
			t.Errorf("%s: %q, %v", name, reply, err)
		}
		_ = k.Close()
	}
}

func TestACommandInPiecesIsOneCommand(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c, _ := k.Dial(context.Background(), "", "")
	for _, b := range []byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nbc\r\n*0\r\n\r\nGET k\r\nquit\r\n") {
		_, _ = c.Write([]byte{b})
	}
	if reply, _ := io.ReadAll(c); string(reply) != "+OK\r\n$5\r\na\r\nbc\r\n+OK\r\n" {
		t.Fatalf("%q", reply)
	}
}

func TestAClientIsServedWithoutNoise(t *testing.T) {
	k := New(Options{})
	defer k.Close()
	c := redis.NewClient(&redis.Options{Dialer: k.Dial, Protocol: 2, ClientName: "hub"})
	defer c.Close()
	ctx := context.Background()
	if name, err := c.ClientGetName(ctx).Result(); name != "hub" || err != nil {
		t.Fatalf("the client's name is %q, %v", name, err)
	}
	if err := c.ConfigSet(ctx, "set-max-intset-entries", "1000000").Err(); err != nil {
		t.Fatal(err)
	}
	if got := c.ConfigGet(ctx, "set-max-*").Val(); got["set-max-intset-entries"] != "1000000" {
		t.Fatalf("CONFIG GET gives %v", got)
	}
	c.Set(ctx, "k", "v", 0)
	for section, line := range map[string]string{"memory": "used_memory:", "keyspace": "db0:keys=1,", "server": "redis_version:7.", "": "role:master"} {
		if info := c.Info(ctx, section).Val(); section != "" && !strings.Contains(info, line) {
			t.Errorf("INFO %s: %q", section, info)
		}
	}
	if info := c.Info(ctx).Val(); !strings.Contains(info, "role:master") {
		t.Errorf("INFO: %q", info)
	}
	if cmds, err := c.Command(ctx).Result(); err != nil || cmds["zadd"].FirstKeyPos != 1 {
		t.Errorf("COMMAND: %v, %v", cmds["zadd"], err)
	}
}

func FuzzConnection(f *testing.F) {
	for _, s := range []string{
		"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "PING\r\n", "*-1\r\n", "$3\r\nfoo\r\n", "SET \"a b\" 'c'\r\n",
		"MULTI\r\nSADD s 1 x\r\nHSET h f v\r\nZADD z 1 a inf b\r\nEXEC\r\n",
		"WATCH k\r\nSET k 1 PX 1 GET\r\nMULTI\r\nEXEC\r\nSCAN 0 MATCH [a-\r\nZRANGE z (1 +inf BYSCORE LIMIT 0 -1 REV\r\n",
		"ZADD z 0 a 0 1 0 01\r\nZRANGE z [ + BYLEX\r\nZSCAN z 99999999999\r\nHSCAN h -1\r\nSSCAN s 5 COUNT 1\r\nCLIENT\r\nCLIENT SETNAME x\r\nCONFIG GET *\r\nCOMMAND INFO get nosuch\r\nINFO x\r\nHELLO 2 SETNAME a\r\n",
	} {
		f.Add([]byte(s), 7)
	}
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		k := New(Options{})
		defer k.Close()
		c, _ := k.Dial(context.Background(), "", "")
		step = max(1, step)
		for len(stream) > 0 {
			n := min(step, len(stream))
			if _, err := c.Write(stream[:n]); err != nil {
				break
			}
			stream = stream[n:]
		}
		again := New(Options{})
		defer again.Close()
		r, w := io.Pipe()
		go func() { _ = w.CloseWithError(k.SnapshotTo(w)) }()
		if err := again.Restore(r); err != nil {
			t.Fatalf("its snapshot is refused: %v", err)
		}
		_, _ = io.Copy(io.Discard, r)
	})
}
