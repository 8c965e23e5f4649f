package s3

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"concord/hub"
	"concord/storage/object"
	"concord/storage/object/miniotest"
)

func TestAStoreThatIgnoresTheConditionIsRefused(t *testing.T) {
	at := behind(t, miniotest.Start(t), func(g *gateway, w http.ResponseWriter, r *http.Request) {
		g.putWithoutCondition(w, r)
	})
	_, err := Open(t.Context(), at, Options{})
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind != hub.Unsupported || e.Hint == "" || !strings.Contains(e.Msg, "a second writer was let through") {
		t.Errorf("Open: %v, want an Unsupported error with a remedy", err)
	}
}

func TestAStoreThatOnlyLooksBeforeItWritesIsRefused(t *testing.T) {
	at := behind(t, miniotest.Start(t), func(g *gateway, w http.ResponseWriter, r *http.Request) {
		if _, err := g.store.core.StatObject(r.Context(), g.store.bucket, g.key(r), minio.StatObjectOptions{}); err == nil {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		time.Sleep(50 * time.Millisecond) // another writer looks meanwhile
		g.putWithoutCondition(w, r)
	})
	_, err := Open(t.Context(), at, Options{})
	if !hub.Is(err, hub.Unsupported) || !strings.Contains(err.Error(), "at the same time") {
		t.Errorf("Open: %v, want an Unsupported error about writers at the same time", err)
	}
}

func TestAProxyThatDropsASignedHeaderIsRefused(t *testing.T) {
	at := behind(t, miniotest.Start(t), func(g *gateway, w http.ResponseWriter, r *http.Request) {
		r.Header.Del("If-None-Match")
		g.forward.ServeHTTP(w, r)
	})
	if _, err := Open(t.Context(), at, Options{}); err == nil || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("Open: %v, want an error that names a proxy as the possible cause", err)
	}
}

func TestAnAnswerThatIsLostLeavesTheOutcomeUnknown(t *testing.T) {
	var lose sync.Map // keys whose first answer is lost
	at := behind(t, miniotest.Start(t), func(g *gateway, w http.ResponseWriter, r *http.Request) {
		if _, ok := lose.LoadAndDelete(g.key(r)); ok {
			g.forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		g.forward.ServeHTTP(w, r)
	})
	s, ctx := open(t, at, Options{}), t.Context()

	lose.Store("put", true)
	if err := s.PutNew(ctx, "put", 1, strings.NewReader("x")); !hub.Is(err, hub.Unavailable) {
		t.Errorf("PutNew: %v, want an Unavailable error", err)
	}
	if err := s.PutNew(ctx, "put", 1, strings.NewReader("x")); !hub.Is(err, hub.Exists) {
		t.Errorf("PutNew again: %v, want an Exists error, for the first had arrived", err)
	}

	lose.Store("staged", true)
	st, err := s.Stage(ctx)
	must(t, err)
	st.Write([]byte("mine"))
	if err := st.Publish(ctx, "staged"); err != nil {
		t.Errorf("Publish does not know its own object again: %v", err)
	}

	lose.Store("taken", true)
	must(t, s.put(ctx, "taken", 5, strings.NewReader("other"), minio.PutObjectOptions{}))
	st, err = s.Stage(ctx)
	must(t, err)
	st.Write([]byte("mine"))
	if err := st.Publish(ctx, "taken"); !hub.Is(err, hub.Exists) {
		t.Errorf("Publish to another's key: %v, want an Exists error", err)
	}
}

func TestAStoreThatIsDownIsUnavailableAtOnce(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	start := time.Now()
	_, err := Open(t.Context(), strings.Replace(server.URL, "http://", "http://k:secret@", 1)+"/bucket", Options{})
	if !hub.Is(err, hub.Unavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("Open: %v, want an Unavailable error", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestABrokenDownloadIsUnavailable(t *testing.T) {
	at := through(t, miniotest.Start(t), func(forward http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/a") {
			w = &breaking{ResponseWriter: w, left: 1 << 19}
		}
		forward.ServeHTTP(w, r)
	})
	s := open(t, at, Options{})
	must(t, s.PutNew(t.Context(), "a", 1<<20, bytes.NewReader(make([]byte, 1<<20))))
	f, err := s.Open(t.Context(), "a", 0, -1)
	must(t, err)
	defer f.Close()
	n, err := io.Copy(io.Discard, f)
	if n >= 1<<20 || !hub.Is(err, hub.Unavailable) {
		t.Errorf("read %d bytes: %v, want an Unavailable error", n, err)
	}
}

// breaking breaks the connection once left bytes of the body went through it.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// gateway is a proxy in front of a store. Conditional PUTs go to onCreate, everything else straight through.
type gateway struct {
	store   *Store
	forward http.Handler
}

func behind(t *testing.T, location string, onCreate func(g *gateway, w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	store := open(t, location, Options{})
	return through(t, location, func(forward http.Handler, w http.ResponseWriter, r *http.Request) {
		g := &gateway{store: store, forward: forward}
		if r.Method == http.MethodPut && r.Header.Get("If-None-Match") != "" {
			onCreate(g, w, r)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

// through is a location of the store behind a proxy that leaves every request to handle.
func through(t *testing.T, location string, handle func(forward http.Handler, w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	at, err := url.Parse(location)
	must(t, err)
	target := at.Host
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", target
		r.Out.Host = r.In.Host // it is signed
	}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(forward, w, r) }))
	t.Cleanup(proxy.Close)
	at.Host = strings.TrimPrefix(proxy.URL, "http://")
	return at.String()
}

func (g *gateway) key(r *http.Request) string {
	return strings.TrimPrefix(r.URL.Path, "/"+g.store.bucket+"/")
}

// putWithoutCondition does what a gateway does that has credentials of its own and does not know the condition.
func (g *gateway) putWithoutCondition(w http.ResponseWriter, r *http.Request) {
	body, err := unchunk(r.Body)
	if err == nil {
		key := g.key(r)
		err = g.store.put(r.Context(), key, int64(len(body)), bytes.NewReader(body), minio.PutObjectOptions{})
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// unchunk reads a body of signed chunks: size in hexadecimal, ";chunk-signature=…", line end, bytes, line end.
func unchunk(r io.Reader) (body []byte, err error) {
	in := bufio.NewReader(r)
	for {
		var size int
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Sscanf(line, "%x;", &size); err != nil || size > object.MaxKey<<10 {
			return nil, fmt.Errorf("chunk head %q: %w", line, err)
		}
		if size == 0 {
			return body, nil
		}
		chunk := make([]byte, size+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		body = append(body, chunk[:size]...)
	}
}
