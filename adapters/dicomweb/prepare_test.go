package dicomweb_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"

	face "concord/adapters/dicomweb"
	"concord/hub"
)

// puts notes what comes onto the shelf.
type puts struct {
	hub.Derived
	mu   sync.Mutex
	keys []string
}

func (p *puts) Put(ctx context.Context, key string, size int64, r io.Reader) error {
	err := p.Derived.Put(ctx, key, size, r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, filepath.Base(key))
	return err
}

func (p *puts) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.keys)
}

func inflate(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func startNoting(t *testing.T) (*client, *puts) {
	shelf := &puts{}
	c := start(t, func(d *face.Deps) { shelf.Derived, d.Shelf.Derived = d.Shelf.Derived, shelf })
	return c, shelf
}

func TestWhatViewersAskForFirstIsThereBeforeTheyAsk(t *testing.T) {
	c, shelf := startNoting(t)
	other := c.stored(2, 1, 16)[0]
	c.get(pathOf(other) + "/metadata").want(200) // now the hub knows its address
	files := c.stored(1, 12, 16)
	prepare := func() {
		t.Helper()
		if err := c.face.PrepareStudy(t.Context(), files[0].StudyUID); err != nil {
			t.Fatal(err)
		}
		c.face.Close() // waits for the shelf
	}
	noted := len(c.trail.events)
	prepare()
	if shelf.count() != 2 { // study and series have the same thumbnail
		t.Fatalf("prepared %v, want metadata and a thumbnail", shelf.keys)
	}
	if n := len(c.trail.events); n != noted {
		t.Errorf("%d disclosures are noted of what nobody was told", n-noted)
	}
	prepare() // what is there is not made again
	study := "/studies/" + files[0].StudyUID
	series := study + "/series/" + files[0].SeriesUID
	plain := c.get(series + "/metadata").want(200)
	packed := c.get(series+"/metadata", "Accept-Encoding: gzip").want(200)
	c.get(study + "/thumbnail").want(200)
	c.get(series + "/thumbnail").want(200)
	c.face.Close()
	if shelf.count() != 2 {
		t.Errorf("made again: %v", shelf.keys)
	}
	if got := inflate(t, packed.body); !bytes.Equal(got, plain.body) {
		t.Error("what was prepared differs from what is made")
	}
	c.do("DELETE", pathOf(files[0]), nil).want(204)
	prepare()
	if n := len(c.get(series+"/metadata", "Accept-Encoding: gzip").want(200).header.Get("ETag")); n == 0 || shelf.count() != 4 {
		t.Errorf("after a deletion: %v", shelf.keys)
	}
	c.do("DELETE", study, nil).want(204)
	prepare()
	if left := under(filepath.Join(c.root, "derived", "dicom")); len(left) > 0 {
		t.Errorf("something was prepared of what is deleted: %v", left)
	}
}

func TestMetadataAreKeptForEachAddressOfTheHub(t *testing.T) {
	c, shelf := startNoting(t)
	path := "/studies/" + c.stored(1, 12, 16)[0].StudyUID + "/metadata"
	ask := func(host string) string { // and say where the answer was kept last
		c.get(path, "Accept-Encoding: gzip", "Host: "+host).want(200)
		c.face.Close()
		return shelf.keys[shelf.count()-1]
	}
	hosts := []string{"hub.example", ""}
	for i := 0; hosts[1] == ""; i++ { // a few addresses share a place
		first, other := ask(hosts[0]), fmt.Sprintf("viewers%d.example", i)
		if ask(other) != first {
			hosts[1] = other
		}
	}
	kept := shelf.count()
	for range 2 {
		for _, host := range hosts {
			a := c.get(path, "Accept-Encoding: gzip", "Host: "+host).want(200)
			if !bytes.Contains(inflate(t, a.body), []byte(`"BulkDataURI":"http://`+host)) {
				t.Errorf("%s is told of other addresses", host)
			}
			c.face.Close()
		}
	}
	if shelf.count() != kept {
		t.Errorf("kept %v again, and had one for each address", shelf.keys[kept:])
	}
}

func TestAStudyThatChangedIsPrepared(t *testing.T) {
	c, shelf := startNoting(t)
	f := c.stored(1, 1, 16)[0]
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c.face.Changed(f.StudyUID)
	done := make(chan struct{})
	go func() { defer close(done); c.face.Prepare(ctx) }()
	await(t, func() bool { return shelf.count() == 1 })
	stop()
	<-done
}
