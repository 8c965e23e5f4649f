package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// check asks the hub for everything in the ledger: what was acknowledged is there exactly once and as it was
// acknowledged, what is unknown is there at most once, transactions are there as a whole or not at all.
func (l *ledger) check(t *testing.T, c *hubproc.Client) {
	t.Helper()
	found := l.checkResources(t, c)
	for _, ids := range l.transactions {
		n := 0
		for _, id := range ids {
			n += found[id]
		}
		if n != 0 && n != len(ids) {
			t.Errorf("of the transaction of %s, %d of %d resources are there", ids[0], n, len(ids))
		}
	}
	for name := range l.updated {
		l.checkVersions(t, c, name)
	}
	l.checkInstances(t, c)
}

// checkResources returns how often each identifier is there.
func (l *ledger) checkResources(t *testing.T, c *hubproc.Client) map[string]int {
	var mu sync.Mutex
	found := map[string]int{}
	ids := make([]string, 0, len(l.acknowledged)+len(l.unknown))
	for id := range l.acknowledged {
		ids = append(ids, id)
	}
	for id := range l.unknown {
		ids = append(ids, id)
	}
	types := map[string]string{}
	for _, transaction := range l.transactions {
		for _, id := range transaction[1:] {
			types[id] = "Observation"
		}
	}
	each(ids, func(id string) {
		typ := "Patient"
		if types[id] != "" {
			typ = types[id]
		}
		hits, err := search(c, typ+"?identifier="+url.QueryEscape(system+"|"+id))
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		found[id] = len(hits)
		mu.Unlock()
		want, acknowledged := l.acknowledged[id]
		switch {
		case acknowledged && len(hits) != 1:
			t.Errorf("%s was acknowledged once as %s and is found %d times", id, want.name, len(hits))
		case !acknowledged && len(hits) > 1:
			t.Errorf("%s was sent once and is found %d times", id, len(hits))
		case acknowledged && nameOf(hits[0]) != want.name:
			t.Errorf("%s was acknowledged as %s and is found as %s", id, want.name, nameOf(hits[0]))
		case acknowledged:
			a, err := c.Get("/fhir/" + want.name)
			if err != nil || a.Status != http.StatusOK || want.body != nil && !bytes.Equal(a.Body, want.body) || !bytes.Equal(a.Body, hits[0]) {
				t.Errorf("read %s: %s %v; acknowledged %s; found %s", want.name, a, err, want.body, hits[0])
			}
			checkReference(t, c, a.Body)
		}
	})
	return found
}

// checkReference: what an entry of a transaction refers to is there.
func checkReference(t *testing.T, c *hubproc.Client, body []byte) {
	var r struct{ Subject struct{ Reference string } }
	_ = json.Unmarshal(body, &r)
	if r.Subject.Reference == "" {
		return
	}
	if a, err := c.Get("/fhir/" + r.Subject.Reference); err != nil || a.Status != http.StatusOK {
		t.Errorf("a committed resource refers to %s: %s %v", r.Subject.Reference, a, err)
	}
}

// checkVersions: the history is dense, each version acknowledged has the mark it was acknowledged with, and only the
// mark of the last one is found.
func (l *ledger) checkVersions(t *testing.T, c *hubproc.Client, name string) {
	marks := l.updated[name]
	a, err := c.Get("/fhir/" + name)
	latest := 0
	fmt.Sscanf(a.Header.Get("ETag"), `W/"%d"`, &latest)
	if err != nil || a.Status != http.StatusOK || latest < len(marks) {
		t.Errorf("%s was acknowledged up to version %d: %s %v", name, len(marks), a, err)
		return
	}
	seen, last := map[string]int{}, ""
	for v := 1; v <= latest; v++ {
		a, err := c.Get(fmt.Sprintf("/fhir/%s/_history/%d", name, v))
		if err != nil || a.Status != http.StatusOK {
			t.Errorf("version %d of %s: %s %v", v, name, a, err)
			continue
		}
		r := hubproc.Decode[struct {
			Meta       struct{ VersionID, LastUpdated string }
			Identifier []struct{ Value string }
		}](t, a)
		if r.Meta.VersionID != fmt.Sprint(v) || r.Meta.LastUpdated <= last {
			t.Errorf("version %d of %s says it is version %s of %s; the one before is of %s", v, name, r.Meta.VersionID, r.Meta.LastUpdated, last)
		}
		last = r.Meta.LastUpdated
		mark := r.Identifier[0].Value
		if before := seen[mark]; before != 0 {
			t.Errorf("versions %d and %d of %s are the same write", before, v, name)
		}
		seen[mark] = v
		if v <= len(marks) && marks[v-1] != "" && marks[v-1] != mark {
			t.Errorf("version %d of %s was acknowledged to %s and holds what %s wrote", v, name, marks[v-1], mark)
		}
		want := 0
		if v == latest {
			want = 1
		}
		if hits, err := search(c, "Patient?identifier="+url.QueryEscape(mark)); err != nil || len(hits) != want {
			t.Errorf("what version %d of %d of %s says is found %d times, %v", v, latest, name, len(hits), err)
		}
	}
}

// checkInstances: instances come back byte for byte and are counted once by QIDO.
func (l *ledger) checkInstances(t *testing.T, c *hubproc.Client) {
	each(l.instances, func(in instance) {
		f := in.file
		a, err := c.Instance(f.StudyUID, f.SeriesUID, f.InstanceUID)
		switch {
		case err != nil:
			t.Error(err)
		case a.Status == http.StatusNotFound && !in.acknowledged:
			return
		case a.Status != http.StatusOK:
			t.Errorf("retrieve an instance (acknowledged: %v): %s", in.acknowledged, a)
		case !bytes.Equal(a.Body, f.Bytes()):
			t.Errorf("an instance comes back with %d bytes that are not the %d sent", len(a.Body), f.Size())
		}
		q, err := c.Get("/dicom-web/studies/" + f.StudyUID + "/instances?SOPInstanceUID=" + f.InstanceUID)
		if err != nil || q.Status != http.StatusOK || strings.Count(string(q.Body), `"00080018"`) != 1 {
			t.Errorf("a stored instance is to be found once: %s %v", q, err)
		}
	})
}

// awaitImagingStudies waits until every acknowledged instance is counted by the ImagingStudy of its study, which is
// derived some time after the instance was acknowledged.
func (l *ledger) awaitImagingStudies(t *testing.T, c *hubproc.Client) {
	t.Helper()
	counts := map[string]int{}
	for _, in := range l.instances {
		if in.acknowledged {
			counts[in.file.StudyUID]++
		}
	}
	deadline := time.Now().Add(15 * time.Second)
	for uid, want := range counts {
		for {
			a, err := c.Get("/fhir/ImagingStudy/" + uid)
			var got struct{ NumberOfInstances int }
			_ = json.Unmarshal(a.Body, &got)
			if err == nil && a.Status == http.StatusOK && got.NumberOfInstances >= want {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("study %s has %d instances and after a while its ImagingStudy says: %s %v", uid, want, a, err)
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// search returns the resources that match, of the first page.
func search(c *hubproc.Client, question string) ([]json.RawMessage, error) {
	a, err := c.Get("/fhir/" + question)
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, fmt.Errorf("ask %s: %s", question, a)
	}
	var b struct {
		Entry []struct{ Resource json.RawMessage }
	}
	if err := json.Unmarshal(a.Body, &b); err != nil {
		return nil, fmt.Errorf("ask %s: %w", question, err)
	}
	hits := make([]json.RawMessage, len(b.Entry))
	for i := range b.Entry {
		hits[i] = b.Entry[i].Resource
	}
	return hits, nil
}

// each calls do for all items, a few at a time.
func each[T any](items []T, do func(T)) {
	var wg sync.WaitGroup
	queue := make(chan T)
	for range 8 {
		wg.Go(func() {
			for item := range queue {
				do(item)
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	wg.Wait()
}

// checkStores runs fsck --deep and compares the index with one made anew. No hub may be writing.
func checkStores(t *testing.T, s hubproc.Stores) {
	t.Helper()
	if out, errs, err := s.Command(t, "fsck", "--deep"); err != nil {
		t.Errorf("fsck --deep: %v\n%s%s", err, out, errs)
	}
	before := s.Must(t, "dump")
	s.Must(t, "rebuild")
	if after := s.Must(t, "dump"); before != after {
		t.Errorf("the rebuilt index differs: %s", difference(before, after))
	}
}

// difference shows the first lines that differ.
func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d: %.300q and %.300q", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}
