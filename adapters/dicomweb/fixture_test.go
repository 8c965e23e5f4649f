package dicomweb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	face "concord/adapters/dicomweb"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/imaging"
	"concord/hub/lookup"
	"concord/hub/projection"
	"concord/internal/dicom"
	"concord/internal/pixels"
	"concord/internal/sample"
	"concord/storage/index"
	"concord/storage/keeper"
	"concord/storage/object/disk"
)

const partition hub.Partition = "dicom-00"

type trail struct {
	mu     sync.Mutex
	events []audit.Event
}

func (t *trail) Note(_ context.Context, e audit.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
	return nil
}

type projector func(body []byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

// client asks a hub's DICOMweb face as one member.
type client struct {
	t      testing.TB
	base   string // http://127.0.0.1:…/dicom-web
	member string
	scope  string
	trail  *trail
	root   string // of the store
	rules  *rules
	face   *face.Server
}

// rules are those of access.Mutual, and hide from members what a test says.
type rules struct {
	access.Mutual
	hidden func(who access.Caller, rec *hub.Record) bool
}

func (r *rules) MayRead(who access.Caller, rec *hub.Record) error {
	if r.hidden != nil && r.hidden(who, rec) {
		return &hub.Error{Kind: hub.Forbidden, Msg: "hidden"}
	}
	return r.Mutual.MayRead(who, rec)
}

func (r *rules) MayReadAll(access.Caller) bool { return r.hidden == nil }

// start runs a hub in this process on a folder and a keeper.
func start(t testing.TB, change ...func(*face.Deps)) *client {
	t.Helper()
	gin.SetMode(gin.TestMode)
	root := t.TempDir()
	objects, err := disk.Open(root, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	ix := index.Open(conn, index.StandardLayout(1))
	cache := projection.NewCache(64 << 20)
	log := &projection.Log{Objects: objects, Partition: partition, Cache: cache}
	follower := projection.NewFollower(log, ix, &projection.Projectors{ByType: map[string]hub.Projector{
		dicom.Study.Type(): projector(dicom.ProjectStudy), dicom.Series.Type(): projector(dicom.ProjectSeries), dicom.Instance.Type(): projector(dicom.ProjectInstance),
	}})
	if err := follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	writer, notes, policy := commit.New(log, follower, commit.Options{}), &trail{}, &rules{}
	followers := map[hub.Partition]*projection.Follower{partition: follower}
	of := func(string) hub.Partition { return partition }
	decoder := pixels.NewDecoder(filepath.Join(root, "codecs"), pixels.Limits{})
	deps := face.Deps{
		Reader:  lookup.New(ix, objects, followers, policy, notes),
		Archive: &imaging.Archive{Objects: objects, Stager: objects, Index: ix, Partitions: []hub.Partition{partition}, Followers: followers, Writers: map[hub.Partition]*commit.Committer{partition: writer}, PartitionOf: of, Now: time.Now},
		Shelf:   &imaging.Shelf{Objects: objects, Derived: objects}, Rows: &imaging.Rows{Cache: cache}, Pixels: decoder, Policy: policy, Trail: notes,
		Partitions: []hub.Partition{partition}, PartitionOf: of,
	}
	for _, f := range change {
		f(&deps)
	}
	engine := gin.New()
	mounted := face.Mount(engine.Group("/dicom-web", authenticate), deps)
	mounted.MountWADO(engine.Group("/wado", authenticate))
	server := httptest.NewServer(engine)
	t.Cleanup(func() {
		server.Close()
		mounted.Close()
		writer.Close()
		conn.Close()
		k.Close()
		decoder.Close(context.Background())
	})
	return &client{t: t, base: server.URL + "/dicom-web", member: "village", scope: access.AllResources, trail: notes, root: root, rules: policy, face: mounted}
}

// authenticate believes what the client says of itself.
func authenticate(c *gin.Context) {
	who := access.NewCaller(c.GetHeader("Test-Member"), c.GetHeader("Test-Scope"), "t")
	c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), who))
}

func (c *client) as(member string) *client { other := *c; other.member = member; return &other }

// answer is what came back.
type answer struct {
	t      testing.TB
	asked  string
	status int
	header http.Header
	body   []byte
}

// do sends one request; headers are "Name: value".
func (c *client) do(method, path string, body []byte, headers ...string) answer {
	c.t.Helper()
	url := path
	if !strings.HasPrefix(path, "http") {
		url = c.base + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Test-Member", c.member)
	req.Header.Set("Test-Scope", c.scope)
	req.Header.Set("Accept-Encoding", "identity")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		if req.Header.Set(name, strings.TrimSpace(value)); name == "Host" {
			req.Host = strings.TrimSpace(value)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		data = append(data, "!cut off"...)
	}
	return answer{c.t, method + " " + path, res.StatusCode, res.Header, data}
}

func (c *client) get(path string, headers ...string) answer {
	c.t.Helper()
	return c.do("GET", path, nil, headers...)
}

// want ends the test unless the status is as said.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d\n%.1000s", a.asked, a.status, status, a.body)
	}
	return a
}

// says reports an answer whose header is another.
func (a answer) says(name, want string) answer {
	a.t.Helper()
	if got := a.header.Get(name); got != want {
		a.t.Errorf("%s: %s is %q, want %q", a.asked, name, got, want)
	}
	return a
}

// onePart is one body of a multipart answer.
type onePart struct {
	header textproto.MIMEHeader
	body   []byte
}

func (a answer) parts() []onePart {
	a.t.Helper()
	typ, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || typ != "multipart/related" && typ != "multipart/byteranges" {
		a.t.Fatalf("%s: the answer is %s", a.asked, a.header.Get("Content-Type"))
	}
	var all []onePart
	for r := multipart.NewReader(bytes.NewReader(a.body), params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return all
		}
		if err != nil {
			a.t.Fatalf("%s: %v", a.asked, err)
		}
		data, err := io.ReadAll(p)
		if err != nil {
			a.t.Fatalf("%s: %v", a.asked, err)
		}
		all = append(all, onePart{p.Header, data})
	}
}

// objects reads a DICOM JSON answer.
func (a answer) objects() []map[string]struct {
	VR          string
	Value       []any
	BulkDataURI string
} {
	a.t.Helper()
	var all []map[string]struct {
		VR          string
		Value       []any
		BulkDataURI string
	}
	body := a.body
	if len(body) == 0 {
		return nil // nothing was found
	}
	if body[0] == '{' {
		body = append(append([]byte{'['}, body...), ']')
	}
	if err := json.Unmarshal(body, &all); err != nil {
		a.t.Fatalf("%s: %v\n%.500s", a.asked, err, a.body)
	}
	return all
}

// multipartOf is a request body of parts: type, location (or empty) and bytes of each.
func multipartOf(parts ...[3]string) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		fmt.Fprintf(&b, "--concord\r\nContent-Type: %s\r\n", p[0])
		if p[1] != "" {
			fmt.Fprintf(&b, "Content-Location: %s\r\n", p[1])
		}
		b.WriteString("\r\n" + p[2] + "\r\n")
	}
	b.WriteString("--concord--\r\n")
	return b.Bytes()
}

const ofDICOM = `Content-Type: multipart/related; type="application/dicom"; boundary=concord`

// stow stores files.
func (c *client) stow(files ...[]byte) answer {
	c.t.Helper()
	parts := make([][3]string, len(files))
	for i, f := range files {
		parts[i] = [3]string{"application/dicom", "", string(f)}
	}
	return c.do("POST", "/studies", multipartOf(parts...), ofDICOM)
}

// series is a small CT.
func series(t testing.TB, seed uint64, slices, edge int) []sample.File {
	t.Helper()
	var files []sample.File
	for f, err := range sample.CTSeries(seed, sample.Options{Slices: slices, Rows: edge, Columns: edge, Time: time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)}) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// stored puts a series into the hub.
func (c *client) stored(seed uint64, slices, edge int) []sample.File {
	c.t.Helper()
	files := series(c.t, seed, slices, edge)
	raw := make([][]byte, len(files))
	for i, f := range files {
		raw[i] = f.Bytes()
	}
	c.stow(raw...).want(200)
	return files
}

func pathOf(f sample.File) string {
	return "/studies/" + f.StudyUID + "/series/" + f.SeriesUID + "/instances/" + f.InstanceUID
}
