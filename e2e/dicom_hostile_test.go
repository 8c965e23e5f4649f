package e2e

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/dicom"
	"concord/internal/sample"
	"concord/internal/upperlayer"
)

// churn is a study that is stored, instance by instance and by two ways, looked at and deleted, again and again. What was
// acknowledged last must hold in the end.
type churn struct {
	files  []sample.File
	stored map[string]bool // by SOP Instance UID; what is in doubt is done again until it is acknowledged
	hubs   []*hubproc.Client
	ways   []*scanner
	dice   *rand.Rand
}

func (c *churn) hub() *hubproc.Client { return c.hubs[c.dice.IntN(len(c.hubs))] }

func (c *churn) run(t *testing.T, until time.Time) {
	for time.Now().Before(until) {
		switch f := c.files[c.dice.IntN(len(c.files))]; c.dice.IntN(8) {
		case 0:
			c.remove(t, "/studies/"+f.StudyUID)
		case 1:
			c.remove(t, instancePath(f))
		case 2:
			c.hub().Get("/dicom-web/studies/" + f.StudyUID + "/thumbnail")
		case 3:
			c.hub().Get("/dicom-web/studies/" + f.StudyUID + "/metadata")
		case 4:
			c.overHTTP(t, f)
		default:
			c.overDICOM(t, f)
		}
	}
}

func instancePath(f sample.File) string {
	return "/studies/" + f.StudyUID + "/series/" + f.SeriesUID + "/instances/" + f.InstanceUID
}

func (c *churn) remove(t *testing.T, path string) {
	for range 2000 {
		a, err := c.hub().Do(http.MethodDelete, "/dicom-web"+path, nil)
		if err != nil || a.Status == http.StatusServiceUnavailable {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if a.Status != http.StatusNoContent && a.Status != http.StatusGone && a.Status != http.StatusNotFound {
			t.Errorf("DELETE %s: %v", path, a)
		}
		for _, f := range c.files {
			if strings.HasPrefix(instancePath(f), path) {
				c.stored[f.InstanceUID] = false
			}
		}
		return
	}
	t.Errorf("DELETE %s is never answered", path)
}

func (c *churn) overHTTP(t *testing.T, f sample.File) {
	for range 2000 {
		a, err := c.hub().Store(f.Bytes())
		if err != nil || a.Status == http.StatusServiceUnavailable {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if a.Status != http.StatusOK {
			t.Errorf("STOW: %v", a)
		}
		c.stored[f.InstanceUID] = true
		return
	}
	t.Error("STOW is never answered")
}

func (c *churn) overDICOM(t *testing.T, f sample.File) {
	for range 2000 {
		a, err := c.ways[c.dice.IntN(len(c.ways))].open(t.Context())
		if err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		status, err := c.ways[0].send(t.Context(), a, f)
		a.Abort()
		if err != nil || status == 0xA700 {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if status != upperlayer.Success {
			t.Errorf("C-STORE: %v", status)
		}
		c.stored[f.InstanceUID] = true
		return
	}
	t.Error("C-STORE is never answered")
}

// check holds every way of looking at the study to what was acknowledged.
func (c *churn) check(t *testing.T) {
	t.Helper()
	there := 0
	for _, hub := range c.hubs {
		there = 0
		for _, f := range c.files {
			if c.stored[f.InstanceUID] {
				there++
				sameDataSet(t, hub, f)
			} else if a, err := hub.Get("/dicom-web" + instancePath(f)); err != nil || a.Status == http.StatusOK {
				t.Errorf("a deleted instance is there: %v %v", a.Status, err)
			}
		}
		study := c.files[0].StudyUID
		found, err := hub.Get("/dicom-web/studies?StudyInstanceUID=" + study)
		listed := 0
		if err == nil && found.Status == http.StatusOK {
			listed = int(hubproc.Decode[[]map[string]struct{ Value []any }](t, found)[0]["00201208"].Value[0].(float64))
		}
		metadata, err2 := hub.Get("/dicom-web/studies/" + study + "/metadata")
		described := 0
		if err2 == nil && metadata.Status == http.StatusOK {
			described = len(hubproc.Decode[[]any](t, metadata))
		}
		if listed != there || described != there {
			t.Errorf("of %d instances, %d are counted and %d described (%v, %v)", there, listed, described, found.Status, metadata.Status)
		}
	}
	await(t, "the ImagingStudy to have what the study has", func() bool {
		a, err := c.hubs[0].Get("/fhir/ImagingStudy?identifier=urn:dicom:uid|urn:oid:" + c.files[0].StudyUID)
		if err != nil || a.Status != http.StatusOK {
			return false
		}
		bundle := hubproc.Decode[struct {
			Entry []struct {
				Resource struct {
					Status            string
					NumberOfInstances int
				}
			}
		}](t, a)
		n := 0
		for _, e := range bundle.Entry {
			if e.Resource.Status == "available" {
				n = e.Resource.NumberOfInstances
			}
		}
		return n == there
	})
}

// churning runs some studies at once.
func churning(t *testing.T, duration time.Duration, hubs []*hubproc.Client, ways []*scanner) (all []*churn, wait func()) {
	until := time.Now().Add(duration)
	var running sync.WaitGroup
	for i := range uint64(4) {
		c := &churn{files: ctSlices(t, 100+i, 6), stored: map[string]bool{}, hubs: hubs, ways: ways, dice: rand.New(rand.NewPCG(7, i))}
		all = append(all, c)
		running.Go(func() { c.run(t, until) })
	}
	return all, running.Wait
}

func TestStudiesStoredByAllWaysDeletedAndSentAgainSurviveKills(t *testing.T) {
	stores := hubproc.Embedded(t)
	stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
	token := stores.Token(t, "village")
	s := &scanner{address: hubproc.FreeAddress(t)}
	h := hubproc.Start(t, stores, "--snapshot", "150ms", "--dimse", s.address)
	all, wait := churning(t, 4*time.Second, []*hubproc.Client{h.Client(token)}, []*scanner{s})
	dice := rand.New(rand.NewPCG(8, 9))
	for range 6 {
		time.Sleep(time.Duration(100+dice.IntN(300)) * time.Millisecond)
		h.Kill()
		h.Restart()
	}
	wait()
	for _, c := range all {
		c.check(t)
	}
	h.Kill()
	checkStores(t, stores)
}

func TestTwoHubsStoreDeriveAndDeleteTheSameStudies(t *testing.T) {
	minio, redis := startMinio(t), startRedis(t)
	stores := hubproc.Stores{Data: t.TempDir(), S3: minio.URL, Redis: redis.URL}
	stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
	token := stores.Token(t, "village")
	var clients []*hubproc.Client
	var ways []*scanner
	var hubs []*hubproc.Hub
	for range 2 {
		s := &scanner{address: hubproc.FreeAddress(t)}
		h := hubproc.Start(t, stores, "--dimse", s.address)
		clients, ways, hubs = append(clients, h.Client(token)), append(ways, s), append(hubs, h)
	}
	all, wait := churning(t, 6*time.Second, clients, ways)
	for range 2 { // while the other one goes on
		time.Sleep(1500 * time.Millisecond)
		hubs[0].Kill()
		hubs[0].Restart()
	}
	wait()
	for _, c := range all {
		c.check(t)
	}
	for _, h := range hubs {
		h.Kill()
	}
	checkStores(t, stores)
}

// TestWhatContradictsItselfIsKeptAndNothingIsLost sends one study half over HTTP and half over DICOM, then the same UIDs with
// other bytes, a series UID in another study and another patient.
func TestWhatContradictsItselfIsKeptAndNothingIsLost(t *testing.T) {
	stores := hubproc.Embedded(t)
	stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
	token := stores.Token(t, "village")
	s := &scanner{address: hubproc.FreeAddress(t)}
	h := hubproc.Start(t, stores, "--dimse", s.address)
	c := h.Client(token)
	files := ctSlices(t, 55, 8)
	send := func(f []byte, uid string) upperlayer.Status {
		t.Helper()
		a, err := s.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Abort()
		call, err := a.Call(t.Context(), a.Contexts()[0], upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: ctStorage, SOPInstance: uid}, bytes.NewReader(dataSet(f)))
		if err != nil {
			t.Fatal(err)
		}
		defer call.Close()
		m, err := call.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return m.Command.Status
	}
	stow := func(f []byte) int {
		t.Helper()
		a, err := c.Store(f)
		if err != nil {
			t.Fatal(err)
		}
		return a.Status
	}
	for i, f := range files {
		if i%2 == 0 {
			if status := send(f.Bytes(), f.InstanceUID); status != upperlayer.Success {
				t.Fatalf("C-STORE: %v", status)
			}
		} else if status := stow(f.Bytes()); status != 200 {
			t.Fatalf("STOW: %d", status)
		}
	}
	for i, f := range files { // once more, the other way round: the same instances, in other files
		if i%2 == 1 {
			if status := send(f.Bytes(), f.InstanceUID); status != upperlayer.Success {
				t.Errorf("C-STORE of what came by STOW: %v", status)
			}
		} else if status := stow(f.Bytes()); status != 200 {
			t.Errorf("STOW of what came by C-STORE: %d", status)
		}
	}
	raw := files[0].Bytes()
	other := bytes.Clone(raw)
	other[len(other)-1] ^= 1
	if status := send(other, files[0].InstanceUID); status != 0xB000 {
		t.Errorf("C-STORE of other pixels: %v", status)
	}
	if status := stow(other); status != 202 {
		t.Errorf("STOW of other pixels: %d", status)
	}
	elsewhere := bytes.ReplaceAll(raw, []byte(files[0].StudyUID), []byte(files[0].StudyUID[:len(files[0].StudyUID)-2]+"77"))
	if status := stow(elsewhere); status != 202 {
		t.Errorf("STOW of the series and instance in another study: %d", status)
	}
	for _, f := range files {
		sameDataSet(t, c, f)
	}
	for path, want := range map[string]int{"/studies/" + files[0].StudyUID + "/metadata": 8, "/series?SeriesInstanceUID=" + files[0].SeriesUID: 2, "/instances?SOPInstanceUID=" + files[0].InstanceUID: 2} {
		a, err := c.Get("/dicom-web" + path)
		if err != nil || a.Status != 200 {
			t.Fatalf("%s: %v %v", path, a, err)
		}
		if got := len(hubproc.Decode[[]any](t, a)); got != want {
			t.Errorf("%s has %d, want %d", path, got, want)
		}
	}
	a, _ := c.Get("/dicom-web/series?includefield=00201209&includefield=00201208&SeriesInstanceUID=" + files[0].SeriesUID)
	for _, o := range hubproc.Decode[[]map[string]struct{ Value []any }](t, a) {
		study, n := o["0020000D"].Value[0], o["00201209"].Value[0]
		if want := map[bool]float64{true: 8, false: 1}[study == files[0].StudyUID]; n != want {
			t.Errorf("the series has %v instances in %v, want %v", n, study, want)
		}
	}
	h.Kill()
	checkStores(t, stores)
}

// TestHostileFilesLeaveTheHubWell sends every hostile file of the corpus over an association that says it is a CT.
func TestHostileFilesLeaveTheHubWell(t *testing.T) {
	stores := hubproc.Embedded(t)
	stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
	token := stores.Token(t, "village")
	s := &scanner{address: hubproc.FreeAddress(t)}
	h := hubproc.Start(t, stores, "--dimse", s.address)
	var paths []string
	for _, folder := range []string{"hostile", "hostile-derived"} {
		some, _ := filepath.Glob(filepath.Join(corpusDir(t), "dicom", folder, "*"))
		paths = append(paths, some...)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range [][]byte{data, behindMeta(data)} {
			a, err := s.open(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			call, err := a.Call(t.Context(), a.Contexts()[0], upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: ctStorage, SOPInstance: "1.2.3"}, bytes.NewReader(set))
			if err == nil {
				call.Next(t.Context())
				call.Close()
			}
			a.Abort()
		}
	}
	if !h.Ready() || strings.Contains(h.Log(), "panic") {
		t.Errorf("the hub is not well:\n%.2000s", h.Log())
	}
	if a, err := h.Client(token).Get("/dicom-web/studies?includefield=all"); err != nil || a.Status >= 300 {
		t.Errorf("%v %v", a, err)
	}
	if resident, _ := (&corpusHub{t: t, Hub: h}).memory(); resident > 512<<20 {
		t.Errorf("the hub holds %d MB", resident>>20)
	}
	h.Kill()
	checkStores(t, stores)
}

// behindMeta is a file without its preamble and group 2, as far as it has them.
func behindMeta(file []byte) []byte {
	r, _, err := dicom.DataSetOf(bytes.NewReader(file))
	if err != nil {
		return file
	}
	set, _ := io.ReadAll(r)
	return set
}
