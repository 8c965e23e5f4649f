package oracle

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"concord/e2e/hubproc"
)

func TestMain(m *testing.M) { hubproc.Main(m) }

// missing skips the test, or fails it where everything has to be there.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip("skipped: " + what)
}

const folder = "../../.cache/fhir/package"

var loaded = sync.OnceValues(func() (*Definitions, error) {
	if _, err := os.Stat(filepath.Join(folder, "package.json")); errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return Load(folder)
})

func definitions(t testing.TB) *Definitions {
	t.Helper()
	d, err := loaded()
	if errors.Is(err, fs.ErrNotExist) {
		missing(t, "the FHIR definitions are not there: run scripts/fhir-definitions.sh")
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// decode reads JSON with its numbers as written.
func decode(data []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	return m, d.Decode(&m)
}

// hub is a running one that was loaded, and the oracle's picture of it.
type hub struct {
	client *hubproc.Client
	base   string
	store  *Store
	order  []string // names in the order of their creation
}

// load fills a hub with the examples and our own resources.
func load(t *testing.T, running *hubproc.Hub, token string) *hub {
	h := &hub{client: running.Client(token), base: publicURL + "/fhir", store: NewStore(definitions(t), publicURL+"/fhir")}
	h.client.HTTP.Timeout *= 6
	const own = "Measure/recognition-rate" // what the hub writes itself when it begins
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if a, err := h.client.Get("/fhir/" + own); err == nil && a.Status == http.StatusOK {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("the hub has no %s", own)
		}
	}
	h.order = append(h.order, own)
	refused := h.put(t, examples(t)) + h.put(t, ours(h.base))
	t.Logf("%d examples were refused", refused)
	h.picture(t)
	return h
}

// grow adds some of the corpus's patients, and so many resources at one moment that they fill pages.
func (h *hub) grow(t *testing.T) {
	t.Helper()
	if corpus := os.Getenv("CONCORD_CORPUS"); corpus == "" {
		t.Log("without real patients: CONCORD_CORPUS names no folder of real files")
	} else {
		h.transactions(t, filepath.Join(corpus, "fhir", "synthea"))
	}
	var entries []any
	for i := range 3000 {
		r := map[string]any{"resourceType": "Flag", "status": []string{"active", "inactive"}[i%2], "code": map[string]any{"text": fmt.Sprint("flag ", i%7)},
			"subject": map[string]any{"reference": "Patient/example"}, "period": map[string]any{"start": fmt.Sprintf("%d-%02d-%02d", 2000+i%23, 1+i%12, 1+i%28)}}
		entries = append(entries, map[string]any{"resource": r, "request": map[string]any{"method": "POST", "url": "Flag"}})
	}
	h.transaction(t, "many flags", map[string]any{"resourceType": "Bundle", "type": "transaction", "entry": entries})
	h.picture(t)
}

// picture brings the oracle's picture up to what was created since the last one.
func (h *hub) picture(t *testing.T) {
	t.Helper()
	bodies := map[string]map[string]any{}
	types := map[string]bool{}
	for _, name := range h.order {
		typ, _, _ := strings.Cut(name, "/")
		if !types[typ] {
			types[typ] = true
			h.readBack(t, typ, bodies)
		}
	}
	for _, name := range h.order {
		if bodies[name] == nil {
			t.Fatalf("%s was created and is not found", name)
		}
		if h.store.Get(name) == nil {
			h.store.Add(bodies[name])
		}
	}
	for _, strange := range unspelled(h.store) {
		t.Errorf("the table of pinyin does not know how %s is read", strange)
	}
	t.Logf("%d resources of %d types", len(h.order), len(types))
}

// unspelled are the texts of names and addresses with Chinese characters that the table of pinyin does not know.
func unspelled(s *Store) (all []string) {
	for _, typ := range s.Defs.types {
		for _, p := range s.Defs.Params(typ) {
			for _, r := range s.byType[typ] {
				if p.Type != "string" {
					continue
				}
				for _, text := range s.Facts(r, p).Texts {
					if text.Sounds == nil && strings.ContainsFunc(text.Normal, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
						all = append(all, r.Name()+" "+p.Code+" "+text.Raw[:min(60, len(text.Raw))])
					}
				}
			}
		}
	}
	return all
}

// examples are the official ones: every file of the package that is no definition.
func examples(t *testing.T) (all []map[string]any) {
	files, err := filepath.Glob(filepath.Join(folder, "*-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		typ, _, _ := strings.Cut(filepath.Base(f), "-")
		switch typ {
		case "StructureDefinition", "SearchParameter", "ValueSet", "CodeSystem", "ConceptMap", "OperationDefinition":
			if !strings.Contains(f, "example") {
				continue
			}
		}
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := decode(data); err == nil && body["resourceType"] == typ && body["id"] != nil && len(data) < 200<<10 {
			all = append(all, body)
		}
	}
	return all
}

// put creates resources under their own ids, in transactions of a hundred; one that is refused falls apart into single
// requests. It returns how many were refused.
func (h *hub) put(t *testing.T, all []map[string]any) (refused int) {
	t.Helper()
	reasons := map[string]int{}
	for batch := range slices.Chunk(all, 100) {
		var entries []any
		for _, r := range batch {
			entries = append(entries, map[string]any{"resource": r, "request": map[string]any{"method": "PUT", "url": nameOf(r)}})
		}
		body, _ := json.Marshal(map[string]any{"resourceType": "Bundle", "type": "transaction", "entry": entries})
		if a, err := h.client.JSON("POST", "/fhir", body); err == nil && a.Status == 200 {
			for _, r := range batch {
				h.order = append(h.order, nameOf(r))
			}
			continue
		}
		for _, r := range batch {
			body, _ := json.Marshal(r)
			a, err := h.client.JSON("PUT", "/fhir/"+nameOf(r), body)
			switch {
			case err != nil:
				t.Fatalf("put %s: %v", nameOf(r), err)
			case a.Status == 201:
				h.order = append(h.order, nameOf(r))
			case a.Status >= 500:
				t.Errorf("put %s: %s", nameOf(r), a)
			default:
				reasons[nameOf(r)+": "+a.String()[:min(300, len(a.String()))]]++
			}
		}
	}
	for r := range reasons {
		t.Logf("refused: %s", r)
	}
	return len(reasons)
}

func nameOf(r map[string]any) string { return fmt.Sprintf("%v/%v", r["resourceType"], r["id"]) }

// patients is how many bundles of the corpus are loaded, the smallest ones: the oracle is slow.
const patients = 9

func (h *hub) transactions(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(files, func(a, b os.DirEntry) int { // those that the others refer to come first
		first := func(e os.DirEntry) int64 {
			if strings.HasPrefix(e.Name(), "00-") {
				return -1
			}
			info, _ := e.Info()
			return info.Size()
		}
		return int(first(a) - first(b))
	})
	for _, f := range files[:min(len(files), 2+patients)] {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
		bundle, err := decode(data)
		if err != nil {
			t.Fatal(err)
		}
		bundle["type"] = "transaction" // in a batch the order of creation would be open
		h.transaction(t, f.Name(), bundle)
	}
}

func (h *hub) transaction(t *testing.T, what string, bundle map[string]any) {
	t.Helper()
	data, _ := json.Marshal(bundle)
	a, err := h.client.JSON("POST", "/fhir", data)
	if err != nil || a.Status != 200 {
		t.Fatalf("%s: %v %s", what, err, a)
	}
	answer := hubproc.Decode[struct {
		Entry []struct {
			Response struct{ Status, Location string }
		}
	}](t, a)
	for _, e := range answer.Entry {
		if _, at, found := strings.Cut(e.Response.Location, "/fhir/"); found && strings.HasPrefix(e.Response.Status, "201") {
			name, _, _ := strings.Cut(at, "/_history")
			h.order = append(h.order, name)
		}
	}
}

func (h *hub) readBack(t *testing.T, typ string, into map[string]map[string]any) {
	t.Helper()
	for next := h.base + "/" + typ + "?_count=500"; next != ""; {
		page := h.page(t, next)
		for _, e := range page.entries {
			into[nameOf(e.body)] = e.body
		}
		next = page.next
	}
}

// page is one searchset.
type page struct {
	entries []entry
	next    string
	total   string // empty for none
}

type entry struct {
	name, mode string
	body       map[string]any
}

func (h *hub) page(t testing.TB, at string) page {
	t.Helper()
	a, err := h.client.Get(strings.TrimPrefix(at, publicURL))
	if err != nil || a.Status != 200 {
		t.Fatalf("%s: %v %s", at, err, a)
	}
	p, err := readPage(a.Body)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	return p
}

func readPage(data []byte) (p page, err error) {
	bundle, err := decode(data)
	if err != nil {
		return p, err
	}
	p.total = Node{Value: bundle["total"]}.text()
	links, _ := bundle["link"].([]any)
	for _, l := range links {
		if n := (Node{Value: l}); n.get("relation") == "next" {
			p.next = n.get("url")
		}
	}
	entries, _ := bundle["entry"].([]any)
	for _, e := range entries {
		n := Node{Value: e}
		body, _ := n.object()["resource"].(map[string]any)
		search, _ := n.object()["search"].(map[string]any)
		mode, _ := search["mode"].(string)
		p.entries = append(p.entries, entry{nameOf(body), mode, body})
	}
	return p, nil
}

// address writes a query as a request.
func (q Query) address(more ...Pair) string {
	path := "/fhir/"
	if q.Compartment != "" {
		path += q.Compartment + "/"
	}
	var parts []string
	for _, p := range append(slices.Clone(q.Pairs), more...) {
		parts = append(parts, url.QueryEscape(p.Name)+"="+url.QueryEscape(p.Value))
	}
	return path + q.Type + "?" + strings.Join(parts, "&")
}
