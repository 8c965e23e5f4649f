package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"

	"concord/internal/sample"
)

// bucket is the S3 bucket of the hub under load. It must be empty before and is empty after.
type bucket struct {
	core *minio.Core
	name string
}

// openBucket connects to http://KEY:SECRET@HOST:PORT/BUCKET and refuses a bucket that holds anything.
func openBucket(ctx context.Context, location string) (*bucket, error) {
	u, err := url.Parse(location)
	if err != nil || u.User == nil || u.Host == "" {
		return nil, fmt.Errorf("the S3 location is not of the form http://KEY:SECRET@HOST:PORT/BUCKET")
	}
	secret, _ := u.User.Password()
	core, err := minio.NewCore(u.Host, &minio.Options{Creds: credentials.NewStaticV4(u.User.Username(), secret, ""), Secure: u.Scheme == "https"})
	if err != nil {
		return nil, fmt.Errorf("connect to the object store: %w", err)
	}
	b := &bucket{core, strings.Trim(u.Path, "/")}
	there, err := core.BucketExists(ctx, b.name)
	if err != nil {
		return nil, fmt.Errorf("look for the bucket %s: %w", b.name, err)
	}
	if !there {
		return b, core.MakeBucket(ctx, b.name, minio.MakeBucketOptions{})
	}
	for o := range core.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Recursive: true, MaxKeys: 1}) {
		if o.Err != nil {
			return nil, fmt.Errorf("list the bucket %s: %w", b.name, o.Err)
		}
		return nil, fmt.Errorf("the bucket %s is not empty: the load needs one of its own, which it empties at the end", b.name)
	}
	return b, nil
}

// put stores files as a plain client would, one PUT each. They stay until the bucket is emptied.
func (b *bucket) put(ctx context.Context, clients int, bd bounds, round int, files []sample.File) (Sample, error) {
	bd.count = len(files)
	return repeat(ctx, clients, bd, func(ctx context.Context, _, i int) (int, error) {
		f := files[i]
		body := io.MultiReader(bytes.NewReader(f.Head), bytes.NewReader(f.Pixels))
		_, err := b.core.Client.PutObject(ctx, b.name, fmt.Sprintf("bare/%d/%s", round, f.InstanceUID), body, f.Size(),
			minio.PutObjectOptions{DisableMultipart: true, ContentType: "application/dicom"})
		return 1, err
	})
}

// empty removes all objects.
func (b *bucket) empty(ctx context.Context) error {
	found := make(chan minio.ObjectInfo)
	go func() {
		defer close(found)
		for o := range b.core.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Recursive: true}) {
			if o.Err == nil {
				found <- o
			}
		}
	}()
	var first error
	for fault := range b.core.RemoveObjects(ctx, b.name, found, minio.RemoveObjectsOptions{}) {
		if first == nil {
			first = fmt.Errorf("empty the bucket %s: %w", b.name, fault.Err)
		}
	}
	return first
}

// openRedis refuses a Redis that holds anything; empty empties it at the end.
func openRedis(ctx context.Context, location string) (empty func(context.Context) error, err error) {
	var nodes []*redis.Client
	for _, one := range strings.Split(location, ",") {
		o, err := redis.ParseURL(strings.TrimSpace(one))
		if err != nil {
			return nil, fmt.Errorf("the Redis location is not of the form redis://HOST:PORT/DB: %w", err)
		}
		nodes = append(nodes, redis.NewClient(o))
	}
	for _, n := range nodes {
		size, err := n.DBSize(ctx).Result()
		if err != nil {
			return nil, fmt.Errorf("connect to Redis: %w", err)
		}
		if size > 0 {
			return nil, fmt.Errorf("the Redis database has %d keys: the load needs one of its own, which it empties at the end", size)
		}
	}
	return func(ctx context.Context) error {
		for _, n := range nodes {
			if err := n.FlushDB(ctx).Err(); err != nil {
				return fmt.Errorf("empty Redis: %w", err)
			}
			n.Close()
		}
		return nil
	}, nil
}
