package keepertest

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestAServerOfItsOwnAnswers(t *testing.T) {
	c := redis.NewClient(&redis.Options{Addr: StartRedis(t), Protocol: 2, DisableIdentity: true})
	defer c.Close()
	if n, err := c.DBSize(context.Background()).Result(); n != 0 || err != nil {
		t.Fatalf("DBSIZE of a new server is %d, %v", n, err)
	}
}

func TestAClusterTakesKeysOfEverySlot(t *testing.T) {
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: StartCluster(t), Protocol: 2})
	defer c.Close()
	for i := range 64 {
		key := fmt.Sprintf("{r%02d}:applied", i)
		if err := c.Set(context.Background(), key, i, 0).Err(); err != nil {
			t.Fatalf("SET %s: %v", key, err)
		}
	}
}
