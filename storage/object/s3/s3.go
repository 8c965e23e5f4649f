// Package s3 keeps objects in a bucket of MinIO or any other S3 whose conditional writes are real.
//
// An object is created with If-None-Match: *, so that of several racers exactly one wins. Open proves with a probe that
// the store honours this and refuses one that does not. No request has a body of unknown size.
//
// Sizes up to Options.SinglePut go as one PUT that streams; it needs no memory for the body. Larger ones go in parts,
// streamed one after the other, and the condition is on the request that completes them, which S3 and MinIO honour.
// Objects of that size are blobs, whose keys are unique to the upload; the log's commits are always single PUTs.
package s3

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"concord/hub"
	"concord/storage/object"
	"concord/storage/object/spool"
)

var (
	_ hub.Objects = (*Store)(nil)
	_ hub.Stager  = (*Store)(nil)
	_ hub.Derived = (*Store)(nil)
)

// Options may be left zero.
type Options struct {
	// SpoolDir is where staged uploads go that do not stay in memory; the system's temporary folder unless set.
	SpoolDir string
	// SpoolEach and SpoolAll bound the memory of one staged upload and of all together, in bytes; 8 MiB and 256 MiB
	// unless set. What is over goes to a file.
	SpoolEach, SpoolAll int64
	// SinglePut is the greatest size sent in one PUT, in bytes; 5 GiB unless set, which is what S3 takes.
	SinglePut int64
	// PartSize is the size of the parts of larger objects, in bytes; 512 MiB unless set. S3 takes 5 MiB to 5 GiB.
	PartSize int64
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *int64
		value int64
	}{{&o.SpoolEach, 8 << 20}, {&o.SpoolAll, 256 << 20}, {&o.SinglePut, 5 << 30}, {&o.PartSize, 512 << 20}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return o
}

// Store is one bucket. It is safe for concurrent use.
type Store struct {
	core    *minio.Core
	bucket  string
	opts    Options
	spooler *spool.Spooler
	idle    func()
}

// Open connects to the bucket that location names as
//
//	http://KEY:SECRET@HOST:PORT/BUCKET[?region=REGION]
//
// (https for TLS), makes it when it is not there, and proves that conditional writes work. A store that overwrites is
// refused with an Unsupported error; one that does not answer is Unavailable.
func Open(ctx context.Context, location string, opts Options) (*Store, error) {
	at, err := parse(location)
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	transport := newTransport()
	core, err := minio.NewCore(at.host, &minio.Options{
		Creds:      credentials.NewStaticV4(at.key, at.secret, ""),
		Secure:     at.secure,
		Region:     at.region,
		Transport:  expectContinue{transport},
		MaxRetries: 3, // of reads; a write is sent once, so that an Exists error is always somebody else's doing
	})
	if err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "connect to S3 at " + at.host, Err: err}
	}
	s := &Store{core: core, bucket: at.bucket, opts: opts, idle: transport.CloseIdleConnections,
		spooler: spool.New(opts.SpoolDir, opts.SpoolEach, opts.SpoolAll)}
	if err := s.ensureBucket(ctx, at.region); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.probe(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close gives up the idle connections. The store itself needs no closing.
func (s *Store) Close() error {
	s.idle()
	return nil
}

func (s *Store) ensureBucket(ctx context.Context, region string) error {
	there, err := s.core.BucketExists(ctx, s.bucket)
	if err == nil && !there {
		err = s.core.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: region})
		if code := minio.ToErrorResponse(err).Code; code == "BucketAlreadyOwnedByYou" || code == "BucketAlreadyExists" {
			err = nil // another hub was faster; if it is somebody else's bucket the probe will tell
		}
	}
	if err != nil {
		return s.failure("open the bucket", s.bucket, err)
	}
	return nil
}

type place struct {
	host, bucket, region, key, secret string
	secure                            bool
}

// parse reads a location. Its errors never repeat the text, which holds a secret.
func parse(location string) (place, error) {
	wrong := func(why string) (place, error) {
		return place{}, &hub.Error{Kind: hub.Invalid, Msg: "S3 location: " + why,
			Hint: "write http://KEY:SECRET@HOST:PORT/BUCKET; characters such as / and @ in the secret as %2F and %40"}
	}
	u, err := url.Parse(location)
	if err != nil {
		return wrong("it is not a URL")
	}
	secret, hasSecret := u.User.Password()
	bucket := strings.Trim(u.Path, "/")
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong("it must begin with http:// or https://")
	case u.Host == "":
		return wrong("it names no host")
	case u.User.Username() == "" || !hasSecret:
		return wrong("it has no key and secret")
	case bucket == "":
		return wrong("it names no bucket")
	case strings.Contains(bucket, "/"):
		return wrong("it names more than a bucket")
	}
	for name := range u.Query() {
		if name != "region" {
			return wrong("region is the only parameter it may have")
		}
	}
	return place{host: u.Host, bucket: bucket, region: u.Query().Get("region"), key: u.User.Username(), secret: secret,
		secure: u.Scheme == "https"}, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   256, // the default of 2 would dial anew for nearly every object
		IdleConnTimeout:       60 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: 2 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
		DisableCompression:    true,
	}
}

// expectContinue lets the server refuse a large body before it is sent. Without that the refusal of a taken key could
// be lost when the server closes a connection into which the client still writes.
type expectContinue struct{ next http.RoundTripper }

// largeBody is what Go's HTTP server, and so MinIO, still reads of a body it does not want.
const largeBody = 256 << 10

func (t expectContinue) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && r.ContentLength >= largeBody {
		r = r.Clone(r.Context())
		r.Header.Set("Expect", "100-continue")
	}
	return t.next.RoundTrip(r)
}

// failure turns what minio-go returned into the hub's words.
func (s *Store) failure(verb, key string, err error) error {
	answer := minio.ToErrorResponse(err)
	e := &hub.Error{Kind: hub.Unavailable, Msg: verb + " " + key, Err: err}
	switch answer.Code {
	case minio.PreconditionFailed:
		return object.Taken(key)
	case minio.NoSuchKey:
		return object.Missing(key)
	case minio.NoSuchBucket:
		e.Hint = "the bucket " + s.bucket + " has gone; create it or restart the hub"
	case minio.AccessDenied, "InvalidAccessKeyId", "SignatureDoesNotMatch":
		e.Hint = "check key, secret and policy (read, list and write the bucket, delete under " + object.DerivedPrefix +
			"); a proxy that drops or changes headers breaks the signature too"
	case "RequestTimeTooSkewed":
		e.Hint = "the clocks of hub and store differ"
	case "XMinioStorageFull":
		e.Hint = "the store is full"
	case "XMinioParentIsObject", "XMinioObjectExistsAsDirectory":
		e.Kind, e.Hint = hub.Conflict, "a key must not be the folder of another"
	}
	return e
}
