package index

import (
	"context"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"concord/hub"
)

// Connect makes a client for a Redis URL: redis://[user:password@]host[:6379][/db], rediss:// with TLS. Several
// hosts with commas between them are nodes of a Redis Cluster. It does not dial yet.
func Connect(rawURL string) (redis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return nil, errURL(nil)
	}
	user, hosts := "", rest
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, hosts = rest[:i+1], rest[i+1:]
	}
	hosts, path, _ := strings.Cut(hosts, "/")
	addrs := strings.Split(hosts, ",")
	first, err := redis.ParseURL(scheme + "://" + user + addrs[0] + "/" + path)
	if err != nil {
		return nil, errURL(err)
	}
	if len(addrs) == 1 {
		return redis.NewClient(plain(first)), nil
	}
	if first.DB != 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "a Redis Cluster has only database 0"}
	}
	for i, a := range addrs {
		if _, _, err := net.SplitHostPort(a); err != nil {
			addrs[i] = net.JoinHostPort(strings.Trim(a, "[]"), "6379")
		}
	}
	node := plain(first)
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addrs, Username: node.Username, Password: node.Password, TLSConfig: node.TLSConfig, Protocol: node.Protocol,
		MaxRetries: node.MaxRetries, DialTimeout: node.DialTimeout, DialerRetries: node.DialerRetries,
		ReadTimeout: node.ReadTimeout, WriteTimeout: node.WriteTimeout, ContextTimeoutEnabled: node.ContextTimeoutEnabled,
		PoolSize: node.PoolSize, PoolTimeout: node.PoolTimeout, ConnMaxIdleTime: node.ConnMaxIdleTime,
		DisableIdentity: node.DisableIdentity, MaintNotificationsConfig: node.MaintNotificationsConfig,
	}), nil
}

// ConnectDialer makes a client whose connections come from dial, such as those of the embedded keeper.
func ConnectDialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) redis.UniversalClient {
	return redis.NewClient(plain(&redis.Options{Addr: "keeper:0", Dialer: dial}))
}

// plain sets what all connections of the hub have: RESP2, and errors that are seen and not retried behind the
// caller's back (the hub knows which of its calls may be repeated).
func plain(o *redis.Options) *redis.Options {
	o.Protocol = 2
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.DialTimeout = 2 * time.Second
	o.ReadTimeout = 15 * time.Second
	o.WriteTimeout = 15 * time.Second
	o.ContextTimeoutEnabled = true
	o.PoolSize = 64
	o.PoolTimeout = 5 * time.Second
	o.ConnMaxIdleTime = 5 * time.Minute
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o
}

// errURL leaves the URL out: it may hold a password.
func errURL(err error) error {
	if u, ok := err.(*url.Error); ok {
		err = u.Err
	}
	return &hub.Error{Kind: hub.Invalid, Path: "redis", Msg: "the Redis URL is unreadable", Hint: "redis://[user:password@]host[:port][/db], hosts of a cluster with commas between them", Err: err}
}
