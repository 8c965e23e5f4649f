package indextest_test

import (
	"testing"

	"concord/storage/index"
	"concord/storage/index/indextest"
	"concord/storage/keeper"
	"concord/storage/keeper/keepertest"
)

func TestOverTheKeeper(t *testing.T) {
	k := keeper.New(keeper.Options{})
	defer k.Close()
	client := index.ConnectLocal(k)
	defer client.Close()
	indextest.Run(t, client)
}

// Another process of the same machine reaches the keeper through connections alone.
func TestOverConnectionsToTheKeeper(t *testing.T) {
	k := keeper.New(keeper.Options{})
	defer k.Close()
	client := index.ConnectDialer(k.Dial)
	defer client.Close()
	indextest.Run(t, client)
}

func TestOverRedis(t *testing.T) {
	client, err := index.Connect("redis://" + keepertest.StartRedis(t) + "/0")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	indextest.Run(t, client)
}

func TestOverRedisCluster(t *testing.T) {
	addrs := keepertest.StartCluster(t)
	client, err := index.Connect("redis://" + addrs[0] + "," + addrs[1] + "," + addrs[2])
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	indextest.Run(t, client)
}
